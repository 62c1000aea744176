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
        batch = collate(dataset, indices, target)
        return replace(batch, inputs={LATENT: model.encode(batch).values}, masks={})

    return Samples(at, len(dataset), _columns(dataset))


def _columns(dataset: Dataset) -> Callable[[str], np.ndarray]:
    return lambda name: dataset.frame[name].astype(str).to_numpy()


@torch.no_grad()
def _once(model: Model, dataset: Dataset, target: str) -> Samples:
    read = [(model.encode(batch).values, batch) for batch, _ in batches(dataset, target)]
    values = torch.cat([v for v, _ in read])
    first = read[0][1]
    targets = None if first.targets is None else torch.cat([b.targets for _, b in read if b.targets is not None])
    concepts = None if first.concepts is None else torch.cat([b.concepts for _, b in read if b.concepts is not None])
    known = None if concepts is None else torch.cat([b.concept_mask for _, b in read if b.concept_mask is not None])

    def at(indices: np.ndarray) -> Batch:
        i = torch.from_numpy(indices)
        labels, ratings, rated = (None if one is None else one[i] for one in (targets, concepts, known))
        return Batch({LATENT: values[i]}, {}, labels, ratings, rated)

    return Samples(at, len(dataset), _columns(dataset))
