"""Training samples as batches: as the dataset has them, or as frozen encoders say them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch

from pellucid.batch import Batch, collate
from pellucid.data.blocks import index_blocks
from pellucid.data.dataset import Dataset
from pellucid.model import BATCH, Model, batches
from pellucid.representation import Representation
from pellucid.training.batching import Samples

LATENT = "representation"
"""Input name under which precomputed representations travel in a batch."""

KEPT_BYTES = 1 << 30
"""Representations up to this size are computed once and kept; larger ones are computed again whenever they are read."""


def as_they_are(dataset: Dataset, target: str = "") -> Samples:
    """Samples as the dataset has them, with the labels of a target."""
    return Samples(lambda indices: collate(dataset, indices, target), len(dataset), _columns(dataset))


def represented(model: Model) -> Callable[[Dataset, str], Samples]:
    """Samples as a model's encoders say them, which must be frozen, with labels and concepts."""

    def read(dataset: Dataset, target: str = "") -> Samples:
        model.eval()
        size = len(dataset) * len(model.head.config.units) * 4
        return _once(model, dataset, target) if size <= KEPT_BYTES else encoded_on_read(model, dataset, target)

    return read


@torch.no_grad()
def pairs(model: Model, samples: Samples) -> Iterator[tuple[Representation, Batch]]:
    """One pass over samples, as heads look at them: with the representation beside each batch."""
    model.eval()
    for at in index_blocks(samples.count, BATCH):
        batch = samples.read(at)
        known = batch.inputs.get(LATENT)
        yield (model.encode(batch) if known is None else Representation(known, model.head.config.units)), batch


def encoded_on_read(model: Model, dataset: Dataset, target: str) -> Samples:
    """Samples as a model's encoders say them, computed whenever they are read."""

    @torch.no_grad()
    def at(indices: np.ndarray) -> Batch:
        return _said(model, collate(dataset, indices, target))

    return Samples(at, len(dataset), _columns(dataset))


def _columns(dataset: Dataset) -> Callable[[str], np.ndarray]:
    return lambda name: dataset.frame[name].astype(str).to_numpy()


@torch.no_grad()
def _once(model: Model, dataset: Dataset, target: str) -> Samples:
    whole = Batch.joined([_said(model, batch) for batch, _ in batches(dataset, target)])
    return Samples(lambda indices: whole.rows(torch.from_numpy(indices)), len(dataset), _columns(dataset))


def _said(model: Model, batch: Batch) -> Batch:
    """A batch with what the encoders say in place of the inputs, and all else that it holds."""
    return replace(batch, inputs={LATENT: model.encode(batch).values}, masks={})
