"""Projection: every prototype becomes the window of a training sample of its class that it is most alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.errors import ContractError
from pellucid.heads.prototypes.search import Search
from pellucid.heads.prototypes.sets import PrototypeSet
from pellucid.heads.prototypes.similarity import comparable, windows

CANDIDATES = 8
"""Windows kept for each prototype, the best first, so that two prototypes need not become the same window."""


@dataclass(frozen=True)
class Projected:
    """What a set's prototypes have become.

    Parameters
    ----------
    patches : Tensor, shape (prototype, value)
        Windows of training samples, as they are before comparing.
    samples : tuple of str
        Ids of these samples; empty for a prototype whose class no sample is of.
    window : Tensor of int, shape (prototype,)
        Which window of the sample.
    has_source : Tensor of bool, shape (prototype,)
    """

    patches: Tensor
    samples: tuple[str, ...]
    window: Tensor
    has_source: Tensor


class Projection:
    """Looks for the best windows of training samples as they pass by; no latents but the candidates' are kept.

    Parameters
    ----------
    prototypes : Tensor, shape (prototype, value)
    prototype_set : PrototypeSet
    unique : bool
        Whether two prototypes of a class must become different windows, as long as there are candidates.
    """

    def __init__(self, prototypes: Tensor, prototype_set: PrototypeSet, *, unique: bool) -> None:
        self.prototype_set = prototype_set
        self.prototypes = prototypes.clone()
        compared = comparable(self.prototypes, prototype_set.similarity).split(prototype_set.per_class)
        keep, width = CANDIDATES if unique else 1, prototypes.shape[1]
        self.searches = [Search(own, keep=keep, hold=width) for own in compared]
        self.ids: list[list[str]] = [[] for _ in prototype_set.classes]

    def add(self, cells: Tensor, is_of_class: Tensor, samples: Sequence[str]) -> None:
        """Take in a batch.

        Parameters
        ----------
        cells : Tensor, shape (sample, token, width)
        is_of_class : Tensor of bool, shape (sample, class)
        samples : sequence of str
            Ids, one a sample.
        """
        if len(samples) != len(cells):
            raise ContractError(
                "prototypes are projected onto samples that have ids; make the batches with collate or batch_of"
            )
        raw = windows(cells, self.prototype_set.window)
        patches = comparable(raw, self.prototype_set.similarity)
        for class_index, search, ids in zip(self.prototype_set.classes, self.searches, self.ids, strict=True):
            at = torch.nonzero(is_of_class[:, class_index])[:, 0]
            search.add(patches[at].flatten(0, 1), raw[at].flatten(0, 1))
            ids += [samples[sample] for sample in at.tolist()]

    def projected(self) -> Projected:
        """The outcome, once all training samples have passed by."""
        place = [_chosen(search) for search in self.searches]
        count = self.prototype_set.windows
        samples = [
            ids[int(search.ids[at, slot]) // count] if search.ids[at, slot] >= 0 else ""
            for search, ids, slots in zip(self.searches, self.ids, place, strict=True)
            for at, slot in enumerate(slots.tolist())
        ]
        rows = torch.arange(self.prototype_set.per_class)
        ids = torch.cat([search.ids[rows, slots] for search, slots in zip(self.searches, place, strict=True)])
        held = torch.cat([search.held[rows, slots] for search, slots in zip(self.searches, place, strict=True)])
        has_source = ids >= 0
        patches = torch.where(has_source[:, None], held, self.prototypes)
        return Projected(patches, tuple(samples), torch.where(has_source, ids % count, 0), has_source)


def _chosen(search: Search) -> Tensor:
    """Which candidate each prototype of a class takes: the surest first, each the best that is left."""
    chosen = torch.zeros(len(search.ids), dtype=torch.long)
    taken: set[int] = set()
    for at in search.distances[:, 0].argsort(stable=True).tolist():
        free = [slot for slot, patch in enumerate(search.ids[at].tolist()) if patch >= 0 and patch not in taken]
        chosen[at] = free[0] if free else 0
        taken.add(int(search.ids[at, chosen[at]]))
    return chosen
