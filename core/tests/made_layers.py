"""Folders of collected rows whose features have places that are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from pellucid.activations.dataset import ActivationsConfig, ActivationsFolder
from pellucid.activations.layers import ACTIVATIONS
from pellucid.activations.writer import Writer
from pellucid.data import DataSpec, LearnedFrom, Split
from pellucid.encoders.identity import Identity
from pellucid.heads.dictionaries import TopK, TopKConfig
from pellucid.model import Model
from pellucid.protocols.base import Context, FittedFold


def layer_folder(
    place: Path, values: np.ndarray, shape: tuple[int, ...], spec: DataSpec, samples: pd.DataFrame, keep: Any = None
) -> ActivationsFolder:
    """What a layer says, shape (sample, position, unit), as it would have been collected; ``keep`` masks positions."""
    count, positions, units = values.shape
    writer = Writer(place, {ACTIVATIONS: units}, count * positions, "float32", 1 << 20, 0)
    source, position = np.divmod(np.arange(count * positions), positions)
    kept = np.flatnonzero(np.ones(len(source), bool) if keep is None else np.asarray(keep).ravel())
    rows = values.reshape(-1, units).astype(np.float32)[kept]
    writer.add({ACTIVATIONS: rows}, source[kept], position[kept])
    facts = {"layer": "layer", "shape": list(shape), "made_by": LearnedFrom().to_json(),
             "source": {"spec": spec.model_dump(mode="json"), "input": next(iter(spec.inputs))}}  # fmt: skip
    writer.finish(samples.assign(side="test"), facts)
    return ActivationsFolder(ActivationsConfig(), place)


def axis_dictionary(units: int, names: tuple[str, ...] | None = None) -> Model:
    """A dictionary whose features are the units themselves, their codes what is above zero."""
    folder_names = names or tuple(f"u{at}" for at in range(units))
    from pellucid.data import Vector

    encoder = Identity(Identity.config_type(inputs={ACTIVATIONS: Vector(names=folder_names)}))
    head = TopK(TopKConfig(units=tuple(f"{ACTIVATIONS}:{n}" for n in encoder.names), features=units, k=units))
    with torch.no_grad():
        head.directions.copy_(torch.eye(units))
        head.weight.copy_(torch.eye(units))
    return Model({ACTIVATIONS: encoder}, head).eval()


def fold_of(data: Any, made: Model, test: np.ndarray | None = None) -> FittedFold:
    everything = np.arange(len(data))
    test = everything if test is None else test
    train = np.setdiff1d(everything, test)
    return FittedFold(data, "", Split(0, train, train[:0], test), {"topk": made}, None, 0)


def context_of(data: Any) -> Context:
    return Context(data.spec, "", {"topk": TopK.tags}, "", 0)
