"""Activations: what any module of any torch model says, collected by a hook, as a dataset that knows whom it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.data.arrays import ArrayDataset
from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec, Vector
from pellucid.data.subjects import LearnedFrom
from pellucid.errors import ContractError, DataError, nearest
from pellucid.model import batches

if TYPE_CHECKING:
    import pandas as pd

INPUT = "activations"


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
            inputs={INPUT: Vector(names=names)},
            targets=source.targets,
            groups=source.groups,
            about=source.about,
        )
        super().__init__(spec, frame, {INPUT: rows})
        self.layer, self.made_by = layer, made_by


def collect(
    model: nn.Module,
    layer: str,
    dataset: Dataset,
    *,
    run: Callable[[Batch], object] | None = None,
    keep: Callable[[Batch], Tensor] | None = None,
    made_by: LearnedFrom | None = None,
) -> Activations:
    """Run a dataset through a model and keep what one module says.

    Parameters
    ----------
    model : nn.Module
        If it is a :class:`~pellucid.model.Model` or a part, its ``learned_from`` goes with the rows.
    layer : str
        Path of the module, as in ``model.named_modules()``. Outputs of shape (sample, position, unit) give a row a
        position; (sample, channel, *space) a row a point of space; (sample, unit) a row a sample.
    dataset : Dataset
    run : callable, optional
        How the model is called with a batch; ``model(batch)`` by default.
    keep : callable, optional
        Mask of shape (sample, position), False where a position is padding; such rows are left out.
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
    modules = dict(model.named_modules())
    if layer not in modules:
        raise ContractError(f"the model has no module {layer!r}{nearest(layer, modules)}")
    seen: list[Tensor] = []
    handle = modules[layer].register_forward_hook(lambda _module, _inputs, output: seen.append(_tensor(output, layer)))
    was_training = model.training
    rows, sources, positions = [], [], []
    try:
        model.eval()
        with torch.no_grad():
            for batch, ids in batches(dataset):
                seen.clear()
                (run or model)(batch)
                if len(seen) != 1:
                    raise ContractError(
                        f"module {layer!r} was called {len(seen)} times for one batch; collect one that is called once"
                    )
                values = _by_position(seen[0])
                mask = torch.ones(values.shape[:2], dtype=torch.bool) if keep is None else keep(batch)
                where = torch.nonzero(mask)
                rows.append(values[mask].float().cpu().numpy())
                sources += [ids[i] for i in where[:, 0].tolist()]
                positions += where[:, 1].tolist()
    finally:
        handle.remove()
        model.train(was_training)
    if not rows:
        raise DataError(f"dataset {dataset.spec.name!r} gave no activations")
    columns = [*dataset.spec.groups, *_columns(dataset)]
    frame = dataset.frame.loc[sources, columns].assign(source=sources, position=positions)
    frame.index = pd.Index([f"{s}@{p}" for s, p in zip(sources, positions, strict=True)], name="sample")
    seen_by = made_by if made_by is not None else model.learned_from
    assert isinstance(seen_by, LearnedFrom)
    return Activations(np.concatenate(rows), frame, dataset.spec, layer, seen_by | dataset.made_by)


def _columns(dataset: Dataset) -> Iterable[str]:
    for name in dataset.spec.targets:
        yield from dataset.target_columns(name)


def _tensor(output: object, layer: str) -> Tensor:
    if not isinstance(output, Tensor):
        raise ContractError(
            f"module {layer!r} returns a {type(output).__name__}, not one tensor; collect one inside it"
        )
    return output.detach()


def _by_position(values: Tensor) -> Tensor:
    """To shape (sample, position, unit)."""
    if values.ndim == 2:
        return values[:, None]
    return values if values.ndim == 3 else values.flatten(2).transpose(1, 2)
