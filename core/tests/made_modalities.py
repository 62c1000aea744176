"""Groups of numbers, some of which follow the label: what tests of inputs that may be missing share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from pellucid.assembly import facts_of
from pellucid.data import ArrayDataset, Binary, DataSpec, Vector
from pellucid.data.splits import Split
from pellucid.encoders.base import Encoder
from pellucid.encoders.sequential_fusion import SequentialFusion
from pellucid.heads.cumulative import Cumulative
from pellucid.model import Model
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.training.fit import Sides, fit_encoder, fit_model
from pellucid.training.settings import TrainingSettings

PART = "cumulative"


def modalities(shifts: Mapping[str, float], count: int, seed: int, features: int = 8) -> ArrayDataset:
    """One input for each shift: normal numbers, moved by the shift where the label is yes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, count).astype(float)
    names = tuple(f"x{at}" for at in range(features))
    frame = pd.DataFrame(
        {"subject": [f"p{at}" for at in range(count)], "y": y}, index=[f"s{at}" for at in range(count)]
    )
    spec = DataSpec(
        name="modalities",
        namespace="modalities",
        inputs={name: Vector(names=names) for name in shifts},
        targets={"y": Binary(names=("no", "yes"))},
    )
    inputs = {
        name: (rng.normal(size=(count, features)) + shift * y[:, None]).astype(np.float32)
        for name, shift in shifts.items()
    }
    return ArrayDataset(spec, frame, inputs)


def fusion(spec: DataSpec, seed: int = 0, **options: Any) -> Model:
    """An untrained model that reads all inputs one after the other."""
    torch.manual_seed(seed)
    encoders: dict[str, Encoder] = {
        "all": SequentialFusion(SequentialFusion.config_type(inputs=spec.inputs, **options))
    }
    return Model(encoders, Cumulative(Cumulative.config_type(target=spec.target("y"), **facts_of(encoders)))).eval()


def fitted(model: Model, sides: Sides, settings: TrainingSettings) -> Model:
    """The model, fitted."""
    encoders = dict(model.named_encoders())
    for prefix, encoder in encoders.items():
        fit_encoder(encoder, sides, settings, name=f"encoder {prefix}")
    return fit_model(encoders, model.head, sides, settings)[0]


def fold_of(data: ArrayDataset, split: Split, model: Model, settings: TrainingSettings) -> FittedFold:
    """A fold with one part."""
    baseline = TrivialBaseline(data.spec, "y").fit(data.subset(split.train))
    names = [*(f"encoder {prefix}" for prefix, _ in model.named_encoders()), f"head {PART}"]
    training = dict.fromkeys(names, settings)
    return FittedFold(data, "y", split, {PART: model}, baseline, settings.seed, training=training)


def context_of(fold: FittedFold) -> Context:
    """What conclusions need to know of it."""
    tags = {part: model.head.tags for part, model in fold.models.items()}
    return Context(fold.dataset.spec, fold.target, tags, fold.baseline.name, fold.seed)
