"""What the prototype audit measures on each test sample of one model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from pellucid.batch import Batch, collate
from pellucid.data.dataset import Dataset
from pellucid.data.spec import OverTime
from pellucid.faithfulness.complexity import effective_number
from pellucid.heads.prototypes.comparing import Comparing
from pellucid.heads.prototypes.sets import is_of_class
from pellucid.model import Model, batches
from pellucid.protocols.explanations.view import View
from pellucid.protocols.prototypes.places import strongest_channel, window_regions
from pellucid.regions import Region, Steps, TimeSpan, overlap
from pellucid.representation import Representation, Tokens

Columns = dict[str, np.ndarray]
Planted = Mapping[str, list[tuple[Region, ...]] | None]

CONSISTENT_IN = 0.8
"""Share of the samples in which something was planted that a consistent prototype points at it in."""


@dataclass(frozen=True)
class PrototypeMeasures:
    """One model on the test samples of one fold.

    Parameters
    ----------
    model : Model
        With a head of the family of :class:`~pellucid.heads.prototypes.comparing.Comparing`.
    test : Dataset
    target : str
    neighbours : int
        Test samples most like each prototype, of which it is asked whether they are of its class.
    noise : float
        Standard deviation of noise on inputs, as a share of theirs.
    scales : mapping of str to Tensor
        Standard deviation of each input among the training samples.
    means : mapping of str to Tensor
        Training mean of each channel of the signals.
    channel_samples : int
        Samples of each output whose channels are covered one by one, at most.
    seed : int
    """

    model: Model
    test: Dataset
    target: str
    neighbours: int
    noise: float
    scales: Mapping[str, Tensor]
    means: Mapping[str, Tensor]
    channel_samples: int
    seed: int

    @property
    def head(self) -> Comparing:
        """The head."""
        assert isinstance(self.model.head, Comparing)
        return self.model.head

    @cached_property
    def is_of_class(self) -> Tensor:
        """Whether each test sample is of each class, bool, shape (sample, class)."""
        return is_of_class(
            self.head.config.target, torch.tensor(self.test.target_values(self.target), dtype=torch.float32)
        )

    @torch.no_grad()
    def measured(self) -> tuple[Columns, dict[str, float]]:
        """Everything that is measured: one number a sample and column, and what is of all samples together."""
        self.model.eval()
        generator = torch.Generator().manual_seed(self.seed)
        measured: dict[str, list[Tensor]] = {}
        likeness, likely, first = [], [], 0
        planted = {name: self.test.planted(name) for name in self.head.outputs}
        covered = dict.fromkeys(self.head.outputs, 0)
        for batch, _ in batches(self.test, self.target):
            z = self.model.encode(batch)
            similarities = [self.head.window_similarities(z, at) for at in range(len(self.head.sets))]
            likeness.append(torch.cat([of_set.amax(1) for of_set in similarities], dim=1))
            likely.append(torch.cat([of_set.argmax(1) for of_set in similarities], dim=1))
            is_of_class = self.is_of_class[first : first + len(batch)]
            of_batch = self._decision(z)
            of_batch |= self._steadiness(batch, similarities, is_of_class, generator)
            of_batch |= self._places(batch, z, similarities, planted, covered, first)
            for key, value in of_batch.items():
                measured.setdefault(key, []).append(value)
            first += len(batch)
        columns = {key: torch.cat(values).double().numpy() for key, values in measured.items()}
        return columns | self._purity(torch.cat(likeness)), self._consistency(torch.cat(likely), planted)

    def _decision(self, z: Representation) -> dict[str, Tensor]:
        """On how many prototypes each sample's surest output rests."""
        logits = self.head(z)
        view = View.of(self.head.config.target, logits, None)
        parts = torch.stack([self.head.prototype_contributions(z, output) for output in self.head.outputs], dim=1)
        return {"used": effective_number(view.pick(parts))}

    def _steadiness(
        self, batch: Batch, similarities: list[Tensor], is_of_class: Tensor, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Share of the prototypes of a sample's own classes whose best window stays in place under noise.

        Windows that share a token count as one place. Sets of one window, which cannot move, are left out.
        """
        inputs = {
            name: x + self.noise * self.scales[name] * torch.randn(x.shape, generator=generator)
            if name in self.scales
            else x
            for name, x in batch.inputs.items()
        }
        z = self.model.encode(replace(batch, inputs=inputs))
        stayed, chance, count = (torch.zeros(len(batch)) for _ in range(3))
        for at, prototype_set in enumerate(self.head.sets):
            if prototype_set.windows < 2:
                continue
            before, after = similarities[at].argmax(1), self.head.window_similarities(z, at).argmax(1)
            own = is_of_class[:, self.head.class_of[self.head.span(at)]]
            near = (before - after).abs() < prototype_set.window
            place = torch.arange(prototype_set.windows)
            chance_near = ((before[:, :, None] - place).abs() < prototype_set.window).float().mean(2)
            stayed += (near & own).sum(1)
            chance += (chance_near * own).sum(1)
            count += own.sum(1)
        nothing = count == 0
        return {
            "steady": (stayed / count.clamp(min=1)).masked_fill(nothing, torch.nan),
            "steady_chance": (chance / count.clamp(min=1)).masked_fill(nothing, torch.nan),
        }

    def _purity(self, likeness: Tensor) -> Columns:
        """How often each test sample is among those most like a prototype, and how often it is then of its class."""
        head, count = self.head, min(self.neighbours, len(likeness))
        usable = head.projected
        nearest = likeness[:, usable].topk(count, dim=0).indices
        classes = head.class_of[usable]
        right = self.is_of_class.float()[nearest, classes]
        usual = self.is_of_class.float().mean(0)[classes].expand(count, -1)
        columns = {}
        for name, values in (("near", torch.ones_like(right)), ("near_of_class", right), ("near_usual", usual)):
            columns[name] = (
                torch.zeros(len(likeness)).index_add(0, nearest.flatten(), values.flatten()).double().numpy()
            )
        return columns

    def _places(
        self,
        batch: Batch,
        z: Representation,
        similarities: list[Tensor],
        planted: Planted,
        covered: dict[str, int],
        first: int,
    ) -> dict[str, Tensor]:
        """Whether the strongest prototype of each true and found output points at what was planted for it."""
        names = ("located", "located_chance", "channel", "channel_chance", "both", "both_chance")
        judgements = {name: torch.full((len(batch), len(self.head.outputs)), torch.nan) for name in names}
        for at, output in enumerate(self.head.outputs):
            truth = planted[output]
            if truth is None:
                continue
            strongest, is_said = self._strongest(z, output)
            for row in torch.nonzero(is_said)[:, 0].tolist():
                where, prototype = truth[first + row], int(strongest[row])
                set_index = int(self.head.set_of[prototype])
                if not where or prototype < 0 or not self.regions[set_index]:
                    continue
                hits = self._hits(set_index, where)
                window = int(similarities[set_index][row, :, prototype - self.head.span(set_index).start].argmax())
                judgements["located"][row, at] = float(hits[window])
                judgements["located_chance"][row, at] = share = float(hits.mean())
                if covered[output] >= self.channel_samples:
                    continue
                judged = self._channel(batch, row, prototype, self.regions[set_index][window], where)
                if judged is None:
                    continue
                covered[output] += 1
                right, chance = judged
                judgements["channel"][row, at], judgements["channel_chance"][row, at] = float(right), chance
                judgements["both"][row, at] = float(right and hits[window])
                judgements["both_chance"][row, at] = chance * share
        return {
            f"{name}:{output}": judgements[name][:, at] for name in names for at, output in enumerate(self.head.outputs)
        }

    def _consistency(self, best: Tensor, planted: Planted) -> dict[str, float]:
        """Share of prototypes that point at what was planted for their output in most samples that have it."""
        steady, usual = [], []
        for at, output in enumerate(self.head.outputs):
            truth = planted[output]
            if truth is None:
                continue
            for prototype in torch.nonzero((self.head.direction[at] > 0) & self.head.projected)[:, 0].tolist():
                set_index = int(self.head.set_of[prototype])
                if self.head.sets[set_index].windows < 2 or not self.regions[set_index]:
                    continue
                hits = [self._hits(set_index, where) for where in truth]
                rows = [row for row, where in enumerate(truth) if where]
                if rows:
                    steady.append(np.mean([hits[row][int(best[row, prototype])] for row in rows]) >= CONSISTENT_IN)
                    usual.append(np.mean([hits[row].mean() for row in rows]) >= CONSISTENT_IN)
        if not steady:
            return {}
        return {"consistent": float(np.mean(steady)), "consistent_chance": float(np.mean(usual))}

    def _hits(self, set_index: int, where: tuple[Region, ...]) -> np.ndarray:
        return np.array([any(overlap(region, place) for place in where) for region in self.regions[set_index]], bool)

    @cached_property
    def regions(self) -> tuple[list[Region], ...]:
        """The region of every window, by set; none where tokens are no places. They are the same for all samples."""
        return tuple(
            window_regions(self.head, self._tokens[prototype_set.tokens].regions, at)
            for at, prototype_set in enumerate(self.head.sets)
        )

    @cached_property
    def _tokens(self) -> Mapping[str, Tokens]:
        """Tokens of one sample."""
        with torch.no_grad():
            return self.model.encode(collate(self.test, [0])).tokens

    def _strongest(self, z: Representation, output: str) -> tuple[Tensor, Tensor]:
        """For each sample the prototype that speaks most for an output, among those that can be in several places (-1: none
        does), and whether the model says the output."""
        head, at = self.head, self.head.output_index(output)
        contributions = head.prototype_contributions(z, output).clone()
        logits = head(z)
        is_said = logits.argmax(1) == at if head.config.target.kind == "multiclass" else logits[:, at] > 0
        moves = torch.tensor([prototype_set.windows > 1 for prototype_set in head.sets])[head.set_of]
        contributions[:, ~(moves & (head.direction[at] > 0) & head.projected)] = -torch.inf
        best = contributions.max(1)
        return torch.where(best.values > 0, best.indices, -1), is_said

    def _channel(
        self, batch: Batch, row: int, prototype: int, region: Region, where: tuple[Region, ...]
    ) -> tuple[bool, float] | None:
        """Whether the likeness rests on a channel that something was planted in, and how often a random one would be."""
        name = self._tokens[self.head.sets[int(self.head.set_of[prototype])].tokens].input
        spec = self.test.spec.inputs.get(name)
        if not isinstance(spec, OverTime) or not isinstance(region, TimeSpan | Steps):
            return None
        right = {channel for place in where if isinstance(place, TimeSpan | Steps) for channel in place.channels}
        if right >= set(spec.channels):
            # Something that is on every channel cannot be missed, so finding it says nothing.
            return None
        chosen = strongest_channel(self.model, batch, row, prototype, region, name, spec, self.means)
        return chosen in right, len(right & set(spec.channels)) / len(spec.channels)
