"""Rows of one layer over a dataset, batch by batch or all in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.activations.layers import ACTIVATIONS, Channels, Layout, channels_of, find_layer, real_positions, watching
from pellucid.batch import Batch
from pellucid.data.arrays import ArrayDataset
from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec, Vector
from pellucid.data.subjects import LearnedFrom
from pellucid.errors import ContractError, DataError
from pellucid.fingerprint import layer_fingerprint, origin
from pellucid.model import Model, batches

if TYPE_CHECKING:
    import pandas as pd


class Activations(ArrayDataset):
    """Rows collected from one module: a dataset of kind vector that inherits the groups of its source.

    The frame holds the source's group and target columns, and ``source`` and ``position``: which sample, and where in it.

    Parameters
    ----------
    rows : ndarray, float32, shape (row, unit)
    frame : DataFrame
    source : DataSpec
        Of the dataset that was run through the model.
    layer : str
        The module's path.
    made_by : LearnedFrom
        Whom the model has learnt from: what is fitted on its activations is refused on those subjects too.
    """

    def __init__(
        self, rows: np.ndarray, frame: pd.DataFrame, source: DataSpec, layer: str, made_by: LearnedFrom
    ) -> None:
        names = tuple(f"{layer}.{i}" for i in range(rows.shape[1]))
        spec = DataSpec(
            name=f"{source.name}/{layer}",
            namespace=source.namespace,
            inputs={ACTIVATIONS: Vector(names=names)},
            targets=source.targets,
            groups=source.groups,
            about=source.about,
        )
        super().__init__(spec, frame, {ACTIVATIONS: rows})
        self.layer, self.made_by = layer, made_by


@dataclass(frozen=True)
class LayerRows:
    """What a layer said of one batch.

    Parameters
    ----------
    values : ndarray, shape (row, unit)
    sources : ndarray of int64, shape (row,)
        Position of each row's sample in the dataset.
    positions : ndarray of int64, shape (row,)
        Where in the sample.
    shape : tuple of int
        Of a sample's positions.
    """

    values: np.ndarray
    sources: np.ndarray
    positions: np.ndarray
    shape: tuple[int, ...]


def rows_of(
    model: nn.Module,
    layer: str,
    dataset: Dataset,
    *,
    run: Callable[[Batch], object] | None = None,
    keep: Callable[[Batch], Tensor] | None = None,
    channels: Channels | None = None,
) -> Iterator[LayerRows]:
    """Run a dataset through a model and hand on what one module says, batch by batch.

    Parameters
    ----------
    model, layer, dataset, run, keep, channels
        See :func:`collect`.

    Raises
    ------
    ContractError
        See :func:`collect`.
    DataError
        If the layer says NaN or infinity of a sample; names it.
    """
    layer = find_layer(model, layer)
    layout = Layout(channels or channels_of(dict(model.named_modules())[layer]))
    name, start = input_of_layer(model, layer, dataset), 0
    # Entered and left for each batch: between two batches the model is whoever's asked for them.
    for batch, ids in batches(dataset):
        with watching(model, layer) as said:
            (run or model)(batch)
            values, shape = layout.positions(said())
        mask = keep(batch) if keep is not None else kept_positions(batch, name, dataset, shape)
        if mask is None:
            mask = torch.ones(values.shape[:2], dtype=torch.bool)
        if mask.shape != values.shape[:2]:
            raise ContractError(
                f"the mask has shape {tuple(mask.shape)}, but module {layer!r} has {values.shape[1]} positions of "
                f"{values.shape[0]} samples"
            )
        where = torch.nonzero(mask).cpu().numpy()
        found = values[mask].float().cpu().numpy()
        if not np.isfinite(found).all():
            at = int(where[np.flatnonzero(~np.isfinite(found).all(1))[0], 0])
            raise DataError(
                f"module {layer!r} says NaN or infinity of sample {ids[at]!r}; look for extreme values in it, or leave it out"
            )
        yield LayerRows(found, where[:, 0] + start, where[:, 1], shape)
        start += len(ids)


def kept_positions(batch: Batch, name: str | None, dataset: Dataset, shape: tuple[int, ...]) -> Tensor | None:
    """Which positions of a layer give rows: those that lie wholly in what is real of their input.

    Parameters
    ----------
    batch : Batch
    name : str, optional
        The input that the layer's positions lie in; see :func:`input_of_layer`.
    dataset : Dataset
        Where the batch is from.
    shape : tuple of int
        Of the positions.

    Returns
    -------
    Tensor of bool, optional
        Shape (sample, position); None: all do.
    """
    return None if name is None else real_positions(batch, name, shape)


def input_of_layer(model: nn.Module, layer: str, dataset: Dataset) -> str | None:
    """The input that a layer's positions lie in: that of its encoder, or the only one of the data; None if several."""
    names = tuple(dataset.spec.inputs)
    if isinstance(model, Model) and layer.startswith("encoders."):
        names = tuple(dict(model.named_encoders())[layer.split(".")[1]].config.inputs)
    return names[0] if len(names) == 1 else None


def collect(
    model: nn.Module,
    layer: str,
    dataset: Dataset,
    *,
    run: Callable[[Batch], object] | None = None,
    keep: Callable[[Batch], Tensor] | None = None,
    channels: Channels | None = None,
    made_by: LearnedFrom | None = None,
) -> Activations:
    """Run a dataset through a model and keep what one module says.

    Parameters
    ----------
    model : nn.Module
        If it is a :class:`~pellucid.model.Model` or a part, its ``learned_from`` goes with the rows.
    layer : str
        Path of the module, as in ``model.named_modules()``, or the end of it. Outputs of shape (sample, position, unit) give
        a row a position; ``(sample, channel, *space)`` a row a point of space; (sample, unit) a row a sample.
    dataset : Dataset
    run : callable, optional
        How the model is called with a batch; ``model(batch)`` by default.
    keep : callable, optional
        Mask of shape (sample, position), False where a position is padding; such rows are left out. By default those
        positions are left out of which a part is masked in the input.
    channels : {"first", "last"}, optional
        Where units stand in outputs of three axes; by default as the modules inside the layer have it.
    made_by : LearnedFrom, optional
        Whom the model has learnt from, where it does not say so itself: ``LearnedFrom()`` for a model that has seen none of
        these people (untrained, or trained on other data).

    Raises
    ------
    ContractError
        If nobody says whom the model has learnt from, there is no such module, it is not called exactly once, or it does
        not return one tensor.
    """
    import pandas as pd

    if made_by is None and not hasattr(model, "learned_from"):
        raise ContractError(
            f"a {type(model).__name__} does not say whom it has learnt from: pass made_by=LearnedFrom() if it has seen none of "
            "these subjects, or the record of those it has seen; what is fitted on its activations is judged by it"
        )
    found = list(rows_of(model, layer, dataset, run=run, keep=keep, channels=channels))
    if not sum(len(one.values) for one in found):
        raise DataError(f"dataset {dataset.spec.name!r} gave no activations")
    sources, positions = (np.concatenate([getattr(one, name) for one in found]) for name in ("sources", "positions"))
    frame = dataset.frame[[*dataset.spec.groups, *_columns(dataset)]].iloc[sources]
    ids = dataset.frame.index.astype(str).to_numpy()[sources]
    frame = frame.assign(source=ids, position=positions)
    frame.index = pd.Index([f"{s}@{p}" for s, p in zip(ids, positions.tolist(), strict=True)], name="sample")
    seen_by = made_by if made_by is not None else model.learned_from
    assert isinstance(seen_by, LearnedFrom)
    rows = np.concatenate([one.values for one in found])
    found_rows = Activations(rows, frame, dataset.spec, find_layer(model, layer), seen_by | dataset.made_by)
    if isinstance(model, Model):
        found_rows.origin = origin(found_rows.layer, layer_fingerprint(model, found_rows.layer))
    return found_rows


def _columns(dataset: Dataset) -> Iterable[str]:
    for name in dataset.spec.targets:
        yield from dataset.target_columns(name)
