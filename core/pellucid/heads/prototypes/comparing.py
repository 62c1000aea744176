"""What heads with prototypes share: sets of prototypes, add-ons, projection onto training samples, and the memory of both."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.explanation import Evidence
from pellucid.fingerprint import BYTES
from pellucid.heads.base import labels_of
from pellucid.heads.prototypes.placing import Placing
from pellucid.heads.prototypes.projection import Projection
from pellucid.heads.prototypes.sets import (
    ComparingConfig,
    PrototypeSet,
    directions,
    is_of_class,
    resolved_sets,
)
from pellucid.heads.prototypes.similarity import largest_similarity, pooled, similarity, windows
from pellucid.heads.remembering import MEND, Remembers
from pellucid.regions import Region, around
from pellucid.representation import Representation
from pellucid.sample_ids import ID_BYTES, decoded_ids, encoded_ids
from pellucid.seeds import seed_of

LEVELS = 101
"""Percentiles of each prototype's similarity that are kept, 0 to 100."""


@dataclass(frozen=True)
class Match:
    """Where a sample is most like a prototype, and how much.

    Parameters
    ----------
    prototype : int
    window : int
        The sample's window that is most like it.
    similarity : float
        Of the sample, pooled over windows.
    percentile : float
        Share of training samples that were less like the prototype, 0 to 100.
    source : str
        Id of the training sample that the prototype is a window of; empty where there is none.
    """

    prototype: int
    window: int
    similarity: float
    percentile: float
    source: str


class Comparing(Remembers):
    """A head that compares tokens with prototypes, each of which is a window of a training sample once it is fitted."""

    never = "the prototypes of this model were never projected onto training samples"
    then = "the prototypes of this model were projected onto training samples"
    config: ComparingConfig
    class_of: Tensor
    set_of: Tensor
    source_id: Tensor
    source_window: Tensor
    projected: Tensor
    levels: Tensor
    prototypes_then: Tensor

    def __init__(self, config: ComparingConfig, name: str) -> None:
        super().__init__()
        self.config = config
        self.sets = resolved_sets(config, name)
        self.addon = nn.ModuleList(_addon(prototype_set) for prototype_set in self.sets)
        self.prototypes = nn.ParameterList(torch.rand(g.size, g.window * g.width) for g in self.sets)
        owners = [class_index for prototype_set in self.sets for class_index in prototype_set.class_of]
        count = len(owners)
        self.register_buffer("class_of", torch.tensor(owners), persistent=False)
        sizes = torch.tensor([prototype_set.size for prototype_set in self.sets])
        self.register_buffer("set_of", torch.arange(len(sizes)).repeat_interleave(sizes), persistent=False)
        self.register_buffer("source_id", torch.zeros(count, ID_BYTES, dtype=torch.uint8))
        self.register_buffer("source_window", torch.zeros(count, dtype=torch.long))
        self.register_buffer("projected", torch.zeros(count, dtype=torch.bool))
        self.register_buffer("levels", torch.zeros(count, LEVELS))
        self.begin_memory()
        self.register_buffer("prototypes_then", torch.zeros(BYTES, dtype=torch.uint8))

    # --- names --------------------------------------------------------------------------------------------------------

    @property
    def classes(self) -> tuple[str, ...]:
        """What prototypes are of."""
        return self.config.target.categories

    @property
    def prototype_names(self) -> tuple[str, ...]:
        """``"<class> #<number>"``, numbered through all sets."""
        counted, names = [0] * len(self.classes), []
        for class_index in self.class_of.tolist():
            counted[class_index] += 1
            names.append(f"{self.classes[class_index]} #{counted[class_index]}")
        return tuple(names)

    @property
    def sources(self) -> tuple[str, ...]:
        """Id of the training sample that each prototype is a window of; empty where there is none."""
        return decoded_ids(self.source_id)

    def span(self, set_index: int) -> slice:
        """Where a set's prototypes stand among all."""
        start = sum(before.size for before in self.sets[:set_index])
        return slice(start, start + self.sets[set_index].size)

    @property
    def direction(self) -> Tensor:
        """1 where a prototype's class speaks for an output, -1 against it, else 0; shape (output, prototype)."""
        return directions(self.config.target).to(self.class_of.device)[:, self.class_of]

    def is_of_class(self, batch: Batch) -> Tensor:
        """Whether each sample is of each class, bool, shape (sample, class)."""
        return is_of_class(self.config.target, labels_of(batch))

    # --- comparing ----------------------------------------------------------------------------------------------------

    def tokens(self, z: Representation, set_index: int) -> Tensor:
        """Tokens of a set as encoders hand them on, shape (sample, token, width)."""
        return z.of(self.sets[set_index].tokens).values

    def cells(self, z: Representation, set_index: int) -> Tensor:
        """Tokens of a set as they are compared, shape (sample, token, width)."""
        cells: Tensor = self.addon[set_index](self.tokens(z, set_index))
        return cells

    def patches(self, z: Representation, set_index: int) -> Tensor:
        """Windows of a set as they are compared, shape (sample, window, value)."""
        return windows(self.cells(z, set_index), self.sets[set_index].window)

    def window_similarities(self, z: Representation, set_index: int) -> Tensor:
        """Similarities of every window, shape (sample, window, prototype of this set)."""
        return similarity(self.patches(z, set_index), self.prototypes[set_index], self.sets[set_index])

    def similarities(self, z: Representation) -> Tensor:
        """One similarity a sample and prototype, shape (sample, prototype)."""
        return torch.cat(
            [pooled(self.window_similarities(z, at), g.pool, g.top) for at, g in enumerate(self.sets)], dim=1
        )

    def best_windows(self, z: Representation) -> Tensor:
        """The window that is most like each prototype, whatever the pooling; int, shape (sample, prototype)."""
        return torch.cat([self.window_similarities(z, at).argmax(1) for at in range(len(self.sets))], dim=1)

    def region(self, z: Representation, prototype: int, window: int) -> Region | None:
        """The part of an input that a window covers; None where tokens are no places."""
        prototype_set = self.sets[int(self.set_of[prototype])]
        regions = z.tokens[prototype_set.tokens].regions
        return around(regions[window : window + prototype_set.window]) if regions else None

    @abstractmethod
    def prototype_contributions(self, z: Representation, target: str) -> Tensor:
        """How much each prototype speaks for the output ``target``, in logits, shape (sample, prototype)."""

    @torch.no_grad()
    def matches(
        self, z: Representation, similarities: Tensor, prototypes: Sequence[Sequence[int]]
    ) -> list[list[Match]]:
        """For each sample, its matches with the prototypes that are named for it."""
        windows_of, percentiles, sources = self.best_windows(z), self.percentile(similarities), self.sources
        return [
            [
                Match(
                    prototype,
                    int(windows_of[sample, prototype]),
                    float(similarities[sample, prototype]),
                    float(percentiles[sample, prototype]),
                    sources[prototype],
                )
                for prototype in named
            ]
            for sample, named in enumerate(prototypes)
        ]

    def evidence_of(self, z: Representation, match: Match, *, unit: str, before: str = "") -> Evidence:
        """Where a sample is like a prototype, and what the prototype is; ``before`` opens the text."""
        at = match.prototype
        return Evidence(
            unit=unit,
            region=self.region(z, at, match.window),
            source=match.source or None,
            text=(
                f"{before}similarity {match.similarity:.2f}, above that of {match.percentile:.0f} % of the training samples"
            ),
            source_region=self.region(z, at, int(self.source_window[at])) if self.projected[at] else None,
            input=z.of(self.sets[int(self.set_of[at])].tokens).input,
        )

    def percentile(self, similarities: Tensor) -> Tensor:
        """Share of training samples that were less like each prototype, 0 to 100; shape (sample, prototype)."""
        below = torch.searchsorted(self.levels, similarities.t().contiguous(), right=True).t()
        return (below - 1).clamp(min=0) * (100 / (LEVELS - 1))

    # --- placing and projecting ---------------------------------------------------------------------------------------

    @torch.no_grad()
    def placed(self, parts: Iterable[tuple[Representation, Batch]], scores: bool) -> list[Placing]:
        """Put prototypes at windows of training samples; with ``scores`` at those that speak for their class."""
        placing = [Placing(prototype_set, seed_of("place", at)) for at, prototype_set in enumerate(self.sets)]
        for z, batch in parts:
            for at, of_set in enumerate(placing):
                of_set.add(self.cells(z, at), self.is_of_class(batch), self.window_scores(z, at) if scores else None)
        for at, of_set in enumerate(placing):
            self.prototypes[at].copy_(of_set.prototypes(self.prototypes[at]))
        return placing

    @abstractmethod
    def window_scores(self, z: Representation, set_index: int) -> Tensor:
        """How much each window speaks for each class before there are prototypes, shape (sample, window, class)."""

    @torch.no_grad()
    def project(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Make every prototype the window of a training sample of its class that it is most alike.

        The best window counts, whatever the pooling. A prototype whose class no sample is of stays where it is; it is not
        ``projected`` and weighs nothing from then on.
        """
        projections = [
            Projection(prototypes, prototype_set, unique=self.config.unique)
            for prototypes, prototype_set in zip(self.prototypes, self.sets, strict=True)
        ]
        for z, batch in parts:
            for at, projection in enumerate(projections):
                projection.add(self.cells(z, at), self.is_of_class(batch), batch.samples)
        for at, projection in enumerate(projections):
            outcome, own = projection.projected(), self.span(at)
            self.prototypes[at].copy_(outcome.patches)
            self.source_id[own] = encoded_ids(outcome.samples)
            self.source_window[own] = outcome.window
            self.projected[own] = outcome.has_source

    def learn_levels(self, similarities: Tensor) -> None:
        """Keep the percentiles of the training samples' similarities, shape (sample, prototype)."""
        share = torch.linspace(0, 1, LEVELS, dtype=similarities.dtype)
        ordered = similarities.sort(0).values
        # Whole ranks, so that a similarity among the training samples is found again exactly.
        self.levels.copy_(ordered[(share * (len(ordered) - 1)).round().long()].t())

    # --- memory -------------------------------------------------------------------------------------------------------

    def remember(self, encoders: Tensor) -> None:
        """Keep the fingerprints of the encoders, and of the prototypes and what lies before them."""
        super().remember(encoders)
        self.prototypes_then.copy_(self._state())

    def stale(self, encoders: Tensor) -> str:
        """Why the prototypes are not the training samples that they are shown as, or an empty string."""
        if reason := super().stale(encoders):
            return reason
        if not torch.equal(self.prototypes_then, self._state()):
            return f"the prototypes of this model have changed since they were projected onto training samples: {MEND}"
        return ""

    @property
    def remembered(self) -> bool:
        """Whether any prototype was projected."""
        return bool(self.projected.any())

    def _state(self) -> Tensor:
        total = hashlib.blake2b(digest_size=BYTES)
        for value in (*self.addon.state_dict().values(), *self.prototypes, self.source_id, self.source_window):
            total.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return torch.frombuffer(bytearray(total.digest()), dtype=torch.uint8).clone().to(self.prototypes_then.device)

    @property
    def largest_similarities(self) -> list[float]:
        """Largest similarity of each set."""
        return [
            largest_similarity(prototype_set.similarity, prototype_set.width, prototype_set.window)
            for prototype_set in self.sets
        ]


def _addon(prototype_set: PrototypeSet) -> nn.Module:
    if not prototype_set.addon_width:
        return nn.Identity()
    width = prototype_set.addon_width
    return nn.Sequential(nn.Linear(prototype_set.shape.width, width), nn.ReLU(), nn.Linear(width, width), nn.Sigmoid())
