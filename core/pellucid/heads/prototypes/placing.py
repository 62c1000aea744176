"""Where prototypes begin: at windows of training samples that the network already takes for their class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.errors import ContractError
from pellucid.heads.prototypes.sets import PrototypeSet
from pellucid.heads.prototypes.similarity import pooled, similarity, windows

KEPT = 256
"""Samples of which it is learnt how similarities vary."""

SPARE = 4
"""Candidates kept for each prototype."""


class Placing:
    """Looks at training samples as they pass by, and then places the prototypes of one set.

    Each class keeps windows of samples of it, drawn at random, one a sample: the window that ``score`` likes best. Of these
    the prototypes are chosen one after the other, each as far from those before it as can be.

    Parameters
    ----------
    prototype_set : PrototypeSet
    seed : int
    """

    def __init__(self, prototype_set: PrototypeSet, seed: int) -> None:
        self.prototype_set = prototype_set
        self.generator = torch.Generator().manual_seed(seed)
        self.patches: list[list[Tensor]] = [[] for _ in prototype_set.classes]
        self.seen = [0 for _ in prototype_set.classes]
        self.cells: list[Tensor] = []
        self.kept = 0

    def add(self, cells: Tensor, is_of_class: Tensor, scores: Tensor | None) -> None:
        """Take in a batch.

        Parameters
        ----------
        cells : Tensor, shape (sample, token, width)
        is_of_class : Tensor of bool, shape (sample, class)
        scores : Tensor, optional, shape (sample, window, class)
            Without them a sample's window is drawn at random.
        """
        if self.kept < KEPT:
            self.cells.append(cells[: KEPT - self.kept].clone())
            self.kept += len(self.cells[-1])
        patches = windows(cells, self.prototype_set.window)
        limit = SPARE * self.prototype_set.per_class
        for slot, class_index in enumerate(self.prototype_set.classes):
            for at in torch.nonzero(is_of_class[:, class_index])[:, 0].tolist():
                self.seen[slot] += 1
                kept = self.patches[slot]
                # Reservoir sampling: every sample of the class has the same chance to be among the kept.
                place = len(kept) if len(kept) < limit else self._draw(self.seen[slot])
                if place >= limit:
                    continue
                window = self._draw(patches.shape[1]) if scores is None else int(scores[at, :, class_index].argmax())
                kept[place : place + 1] = [patches[at, window].clone()]

    def prototypes(self, before: Tensor) -> Tensor:
        """Prototypes, shape (prototype, value); those of a class that no sample is of stay as they were before."""
        prototypes = before.clone()
        for slot, kept in enumerate(self.patches):
            if not kept:
                continue
            start = slot * self.prototype_set.per_class
            prototypes[start : start + self.prototype_set.per_class] = self._farthest_first(torch.stack(kept))
        return prototypes

    def similarities(self, prototypes: Tensor) -> Tensor:
        """Similarities of the kept samples, shape (sample, prototype)."""
        if not self.cells:
            raise ContractError("a head is prepared with training samples, and there were none")
        patches = windows(torch.cat(self.cells), self.prototype_set.window)
        return pooled(
            similarity(patches, prototypes, self.prototype_set), self.prototype_set.pool, self.prototype_set.top
        )

    def _farthest_first(self, kept: Tensor) -> Tensor:
        order, away = [0], torch.full((len(kept),), torch.inf)
        while len(order) < self.prototype_set.per_class:
            away = torch.minimum(away, (kept - kept[order[-1]]).square().sum(1))
            order.append(int(away.argmax()))
        return kept[order]

    def _draw(self, below: int) -> int:
        return int(torch.randint(below, (1,), generator=self.generator))


def initial_weights(class_of: Tensor, direction: Tensor, largest: Sequence[float], set_of: Tensor) -> Tensor:
    """Weights from similarities to outputs before anything is learnt, shape (output, prototype).

    Parameters
    ----------
    class_of, set_of : Tensor of int, shape (prototype,)
    direction : Tensor, shape (output, class)
        See :func:`~pellucid.heads.prototypes.sets.directions`.
    largest : sequence of float
        Largest similarity of each set.

    Notes
    -----
    1 for the own class and -0.5 for others, as in the papers, over the largest similarity and over the number of prototypes
    of that kind, so that an output does not grow with their number. A class that speaks against an output (the other side of
    a binary target) has -1.
    """
    own = direction[:, class_of]
    scale = 1 / torch.tensor(largest)[set_of]
    other = own == 0
    return (
        own / (own != 0).sum(1, keepdim=True).clamp(min=1) - 0.5 * other / other.sum(1, keepdim=True).clamp(min=1)
    ) * scale
