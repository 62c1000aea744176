"""A dictionary fitted to rows that are there already: an array, a tensor, or a dataset of one vector."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.blocks import index_blocks
from pellucid.data.dataset import Dataset
from pellucid.data.subjects import LearnedFrom
from pellucid.errors import ContractError, DataError
from pellucid.heads.dictionaries.base import Dictionary
from pellucid.representation import Representation

if TYPE_CHECKING:
    from pellucid.training.batching import Samples
    from pellucid.training.settings import TrainingSettings

STEPS = 4000
"""Steps that a dictionary learns for where nobody says otherwise."""

BATCH = 512
"""Rows of such a step."""

READ = 4096
"""Rows that are looked at together in a pass without steps."""

Rows = np.ndarray | Tensor | Dataset
"""Shape (row, unit), or a dataset with one input of kind vector."""


def fit(head: Dictionary, rows: Rows, settings: TrainingSettings | None = None) -> None:
    """Fit a dictionary, as a study would on an encoder that changes nothing.

    Parameters
    ----------
    head : Dictionary
        Changed in place. Of a dataset it remembers whom it has learnt from, and which model's layer its rows are of.
    rows : ndarray, Tensor or Dataset
    settings : TrainingSettings, optional
        :func:`usual_settings` by default.

    Raises
    ------
    DataError
        If rows are of another shape than the head's units, hold NaN, are fewer than features, or do not vary.
    """
    from pellucid.training.loop import train
    from pellucid.training.objectives import HeadLoss

    samples, learned_from = samples_of(rows, len(head.config.units))
    settings = settings or usual_settings(samples.count)
    head.eval()
    head.prepare(_pairs(head, samples))
    for stage in head.stages():
        if stage.loss is not None and stage.parameters(head):
            epochs = max(1, math.ceil(settings.epochs * stage.share))
            limited = settings.model_copy(update={"epochs": epochs})
            with stage.learning(head):
                train(HeadLoss(head, stage.loss), samples, None, limited, stage=f"head {stage.name}", order="rows")
        if stage.finish is not None:
            stage.finish(_pairs(head, samples))
    head.learned_from = head.learned_from | learned_from
    head.origin = rows.origin if isinstance(rows, Dataset) else ""
    head.eval()


def usual_settings(rows: int) -> TrainingSettings:
    """About 4000 steps of 512 rows, with a learning rate that rises and falls."""
    from pellucid.training.settings import TrainingSettings

    steps = math.ceil(rows / BATCH)
    return TrainingSettings(
        epochs=max(1, round(STEPS / steps)), batch_size=BATCH, learning_rate=3e-3, schedule="one-cycle", clip_norm=1.0
    )


def samples_of(rows: Rows, units: int) -> tuple[Samples, LearnedFrom]:
    """Rows as the training loop reads them, and whom they come from.

    Raises
    ------
    ContractError
        For a dataset that does not have one vector alone, or what is no array at all.
    DataError
        If there are no rows, or they have another number of units.
    """
    from pellucid.training.batching import Samples
    from pellucid.training.reading import LATENT

    if isinstance(rows, Dataset):
        name = _vector_of(rows)
        dataset = rows
        shape = (len(dataset), *dataset.spec.inputs[name].shape)
        _check_shape(shape, units)

        def read(indices: np.ndarray) -> Batch:
            return Batch({LATENT: torch.from_numpy(np.asarray(dataset.read(indices).inputs[name], np.float32))})

        return Samples(read, len(dataset)), dataset.learned_from | dataset.made_by
    if not isinstance(rows, np.ndarray | Tensor):
        raise ContractError(
            f"a dictionary is fitted to an array, a tensor or a dataset of one vector, not to a {type(rows).__name__}"
        )
    if isinstance(rows, np.ndarray) and rows.dtype.kind not in "fiub":
        raise DataError(f"rows of type {rows.dtype} for a dictionary: expected real numbers, for example float32")
    values = rows.detach() if isinstance(rows, Tensor) else torch.from_numpy(np.ascontiguousarray(rows))
    _check_shape(tuple(values.shape), units)
    values = values.float()
    return Samples(lambda indices: Batch({LATENT: values[torch.from_numpy(indices)]}), len(values)), LearnedFrom()


def _vector_of(dataset: Dataset) -> str:
    kinds: dict[str, Any] = {name: spec.kind for name, spec in dataset.spec.inputs.items()}
    if list(kinds.values()) != ["vector"]:
        told = ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
        raise ContractError(
            f"a dictionary is fitted to a dataset with one vector; {dataset.spec.name!r} has {told}. Collect the activations of "
            "a model that reads it, and fit to those"
        )
    return next(iter(kinds))


def _check_shape(shape: tuple[int, ...], units: int) -> None:
    if len(shape) != 2 or shape[1] != units:
        raise DataError(f"rows of shape {shape} for a dictionary of {units} units: expected shape (row, {units})")
    if not shape[0]:
        raise DataError("there are no rows to fit a dictionary to")


def _pairs(head: Dictionary, samples: Samples) -> Any:
    for at in index_blocks(samples.count, READ):
        batch = samples.read(at)
        yield Representation(next(iter(batch.inputs.values())), head.config.units), batch
