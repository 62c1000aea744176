"""Batches: what one training step sees, as tensors by name with explicit masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pellucid.data.dataset import Dataset
from pellucid.data.graphs import Graphs
from pellucid.data.samples import Arrays, Sample
from pellucid.data.spec import COVARIATES
from pellucid.data.table import numbers
from pellucid.graph_batch import GraphBatch, joined

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Batch:
    """Some samples of a dataset.

    Parameters
    ----------
    inputs : mapping of str to Tensor or GraphBatch
        Shape ``(sample, *spec.shape)`` each, float32 (int64 for text); graphs, which have no common shape, as a
        :class:`~pellucid.graph_batch.GraphBatch`.
    masks : mapping of str to Tensor of bool
        True where a value is real; shape ``(sample,)`` or that of the input. No entry: complete.
    targets : Tensor, optional
        float32, shape (sample, column).
    concepts, concept_mask : Tensor, optional
        Human ratings in their own units, shape (sample, concept), and where they are known.
    samples : tuple of str
        Sample ids, for parts that remember which sample something came from; empty where nobody asked.
    groups : mapping of str to tuple of str
        By group column, which group each sample belongs to (a pseudonym, for people).
    texts : mapping of str to tuple
        By name of a text, of each sample its words and then its variants; empty where a sample came without its dataset.
    """

    inputs: Mapping[str, Any]
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    targets: Tensor | None = None
    concepts: Tensor | None = None
    concept_mask: Tensor | None = None
    samples: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    texts: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device."""

        def move(value: Tensor | None) -> Tensor | None:
            return None if value is None else value.to(device)

        return replace(
            self,
            inputs={name: value.to(device) for name, value in self.inputs.items()},
            masks={name: value.to(device) for name, value in self.masks.items()},
            targets=move(self.targets),
            concepts=move(self.concepts),
            concept_mask=move(self.concept_mask),
        )

    def known(self, name: str) -> Tensor | None:
        """Where an input's values are real, bool of the input's own shape (of graphs: one a sample); None where it is complete."""
        mask, values = self.masks.get(name), self.inputs[name]
        if mask is None or isinstance(values, GraphBatch):
            return mask
        return mask.reshape(mask.shape + (1,) * (values.ndim - mask.ndim)).expand_as(values)

    def present(self, name: str) -> Tensor | None:
        """Which samples have any real value in an input, bool, shape (sample,); None where it is complete."""
        mask = self.masks.get(name)
        return mask if mask is None or mask.ndim == 1 else mask.flatten(1).any(1)

    def rows(self, at: slice | Tensor) -> Batch:
        """Some of the samples by position, with all that goes along; each as often as it is named.

        Examples
        --------
        >>> batch = Batch({"x": torch.arange(3.0)}, samples=("a", "b", "c"))
        >>> batch.rows(torch.tensor([2, 0, 2])).samples
        ('c', 'a', 'c')
        """
        if isinstance(at, Tensor) and at.dtype == torch.bool:
            at = at.nonzero()[:, 0]
        # Turned into numbers once, and only where something is kept in tuples: occlusion asks for rows at every step.
        asked = at.tolist() if isinstance(at, Tensor) and (self.samples or self.groups or self.texts) else []

        def cut(value: Tensor | None) -> Tensor | None:
            return None if value is None else value[at]

        def some(values: tuple[Any, ...]) -> tuple[Any, ...]:
            if isinstance(at, slice):
                return values[at]
            return tuple(map(values.__getitem__, asked)) if values else ()

        return Batch(
            {name: value[at] for name, value in self.inputs.items()},
            {name: mask[at] for name, mask in self.masks.items()},
            cut(self.targets),
            cut(self.concepts),
            cut(self.concept_mask),
            some(self.samples),
            {column: some(names) for column, names in self.groups.items()},
            {name: some(texts) for name, texts in self.texts.items()},
        )

    @classmethod
    def joined(cls, parts: Sequence[Batch]) -> Batch:
        """All samples of several batches of one dataset, in order."""
        first = parts[0]

        def together(name: str) -> Tensor | None:
            found = [value for part in parts if (value := getattr(part, name)) is not None]
            return torch.cat(found) if found else None

        def masked(name: str) -> Tensor:
            # Complete in one part is said by no mask at all.
            masks = [part.masks.get(name) for part in parts]
            like = next(mask for mask in masks if mask is not None)
            whole = (like.new_ones(len(part), *like.shape[1:]) for part in parts)
            return torch.cat([one if mask is None else mask for mask, one in zip(masks, whole, strict=True)])

        return cls(
            {name: _one_after_the_other([part.inputs[name] for part in parts]) for name in first.inputs},
            {name: masked(name) for name in dict.fromkeys(name for part in parts for name in part.masks)},
            together("targets"),
            together("concepts"),
            together("concept_mask"),
            tuple(name for part in parts for name in part.samples),
            {column: tuple(name for part in parts for name in part.groups[column]) for column in first.groups},
            {name: tuple(text for part in parts for text in part.texts[name]) for name in first.texts},
        )

    def with_input(self, name: str, value: Tensor | GraphBatch) -> Batch:
        """The same batch with one input replaced: for perturbations and gradients."""
        return replace(self, inputs={**self.inputs, name: value})


def collate(dataset: Dataset, indices: np.ndarray | Sequence[int], target: str | None = None) -> Batch:
    """Read samples of a dataset into a batch, covariates and concepts included.

    Parameters
    ----------
    dataset : Dataset
    indices : sequence of int
    target : str, optional
        Which labels to take along; none if left out or empty.
    """
    at = np.asarray(indices, dtype=np.int64)
    arrays = dataset.read(at)
    # Only the rows asked for are turned into numbers: a step of a small network takes less time than a whole frame.
    rows = dataset.frame.iloc[at]
    inputs = {name: _read(value) for name, value in arrays.inputs.items()}
    masks = {name: torch.from_numpy(np.ascontiguousarray(mask)) for name, mask in arrays.masks.items()}
    if dataset.spec.covariates is not None:
        inputs[COVARIATES], masks[COVARIATES] = _known(numbers(rows, list(dataset.spec.covariates.names)))
    targets = None if not target else _tensor(numbers(rows, dataset.target_columns(target)))
    groups = {column: tuple(map(str, rows[column].to_numpy())) for column in dataset.spec.groups}
    texts = {name: _written(rows, one.columns(name)) for name, one in dataset.spec.texts.items()}
    batch = Batch(inputs, masks, targets, samples=tuple(map(str, rows.index)), groups=groups, texts=texts)
    if dataset.spec.concepts is None:
        return batch
    ratings, known = _known(numbers(rows, dataset.spec.concepts.columns))
    return replace(batch, concepts=ratings, concept_mask=known)


def batch_of(samples: Sequence[Sample]) -> Batch:
    """A batch of loose samples, for explaining or predicting a few."""
    first = samples[0]
    arrays = Arrays(
        {name: _stacked([s.inputs[name] for s in samples]) for name in first.inputs},
        {name: np.stack([s.masks[name] for s in samples]) for name in first.masks},
    )
    inputs = {name: _read(value) for name, value in arrays.inputs.items()}
    masks = {name: torch.from_numpy(mask) for name, mask in arrays.masks.items()}
    if first.spec.covariates is not None:
        values = np.stack([s.row[list(first.spec.covariates.names)].to_numpy(np.float64) for s in samples])
        inputs[COVARIATES], masks[COVARIATES] = _known(values)
    groups = {column: tuple(str(s.row[column]) for s in samples) for column in first.spec.groups}
    return Batch(inputs, masks, samples=tuple(s.id for s in samples), groups=groups)


def _written(rows: pd.DataFrame, columns: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    return tuple(zip(*(map(str, rows[column].to_numpy()) for column in columns), strict=True))


def _known(values: np.ndarray) -> tuple[Tensor, Tensor]:
    """Values with zeros where they are missing, and where they are not."""
    known = np.isfinite(values)
    return _tensor(np.where(known, values, 0.0)), torch.from_numpy(known)


def _stacked(values: Sequence[Any]) -> Any:
    return Graphs.joined(values) if isinstance(values[0], Graphs) else np.stack(values)


def _one_after_the_other(values: Sequence[Any]) -> Tensor | GraphBatch:
    return joined(values) if isinstance(values[0], GraphBatch) else torch.cat(list(values))


def _read(values: Any) -> Tensor | GraphBatch:
    return GraphBatch.of(values) if isinstance(values, Graphs) else _tensor(values)


def _tensor(values: np.ndarray) -> Tensor:
    if np.issubdtype(values.dtype, np.integer):
        return torch.from_numpy(values.astype(np.int64, copy=False))
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
