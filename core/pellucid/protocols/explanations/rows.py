"""What the explanation audit measures on each test sample of one model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pellucid.attribution.gradients import gradient_times_input
from pellucid.data.dataset import Dataset
from pellucid.faithfulness.complexity import effective_number
from pellucid.faithfulness.leakage import leakage_scores
from pellucid.faithfulness.randomisation import rank_correlation, reinitialised
from pellucid.faithfulness.removal import curve_area, random_orders, removal_curve, strongest_first
from pellucid.faithfulness.stability import relative_change
from pellucid.heads.abilities import ByConcepts
from pellucid.model import Model, batches
from pellucid.protocols.explained import Explained, contributions, explained_space, known_units
from pellucid.protocols.explanations.view import View
from pellucid.protocols.usual import UsualValues
from pellucid.representation import Representation, concatenated

if TYPE_CHECKING:
    pass

STEPS = 10
"""Steps of deletion and insertion curves, from all units to none."""

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Measured:
    """One model on the test samples of one fold.

    Parameters
    ----------
    model : Model
    test : Dataset
    usual : UsualValues, optional
        What is usual among the training samples; None where the output is no function of what the explanation speaks of.
    scales : mapping of str to Tensor
        Standard deviation of each input among the training samples.
    target : str
    orders : int
        Random orders of removal.
    copies : int
        Models with parameters drawn anew.
    noise : float
        Standard deviation of the noise on inputs, as a share of theirs.
    draws : int
        Noisy versions of each sample.
    seed : int
    """

    model: Model
    test: Dataset
    usual: UsualValues | None
    scales: Mapping[str, Tensor]
    target: str
    orders: int
    copies: int
    noise: float
    draws: int
    seed: int

    @cached_property
    def generator(self) -> torch.Generator:
        """All chance in these measurements."""
        return torch.Generator().manual_seed(self.seed)

    def columns(self) -> Columns:
        """Everything that can be measured of this model, one number a sample and column."""
        self.model.eval()
        head = self.model.predictor
        z = self.model.representation(self.test)
        space = None if self.usual is None else explained_space(head, z)
        with torch.no_grad():
            logits = head(z)
        nothing_known = None if space is None else space.outputs(self._centre[None])[0]
        view = View.of(head.config.target, logits, nothing_known)
        parts, baselines = contributions(head, z)
        own, start = view.pick(parts), view.pick(baselines)
        said = view.pick(logits)
        found: Columns = {
            "gap": _numpy((said.double() - start.double() - own.double().sum(1)).abs()),
            "output": _numpy(said),
            "distance": _numpy((said - start).abs()),
        }
        found |= self._stability(parts, logits, view) if self.scales else {}
        if parts.shape[2] > 1:
            known = known_units(head, z)
            there = torch.ones_like(own, dtype=torch.bool) if known is None else known
            found["similarity"] = _numpy(self._similarity(z, own, there, view))
            found["similarity_unrelated"] = _numpy(self._unrelated(own, there))
            found["effective_number"] = _numpy(effective_number(own))
            found["units"] = _numpy(there.sum(1))
        if space is not None:
            values = space.values(z).detach()
            found["gap_gradient"] = _numpy(self._gradient_gap(space, values, view))
            if parts.shape[2] > 1:
                assert self.usual is not None
                away = (values - self._centre) / self.usual.deviation.clamp(min=1e-12)
                found["effective_number_values"] = _numpy(effective_number(away))
                rises = view.pick(self.usual.rises.expand(len(values), -1, -1))
                trivial = {"_size": away.abs(), "_tendency": away * rises * view.sign[:, None]}
                found |= self._removal(space, values, own * view.sign[:, None], trivial, view)
        if isinstance(head, ByConcepts):
            found |= self._concepts(head, z, view)
        return found

    @property
    def _centre(self) -> Tensor:
        assert self.usual is not None
        return self.usual.centre

    def _gradient_gap(self, space: Explained, values: Tensor, view: View) -> Tensor:
        start = self._centre.expand_as(values)
        return gradient_times_input(
            lambda v, rows: view.pick(space.outputs(v), rows), values, start, module=self.model
        ).gap.abs()

    def _removal(
        self, space: Explained, values: Tensor, speaking: Tensor, trivial: Mapping[str, Tensor], view: View
    ) -> Columns:
        """Areas under the curves of the explanation's order, of trivial orders, and of random ones."""
        units = values.shape[1]
        counts = torch.linspace(0, units, STEPS + 1).round().long()

        def height(v: Tensor, rows: Tensor) -> Tensor:
            return view.height(space.outputs(v), rows)

        orders = {"": strongest_first(speaking)} | {kind: strongest_first(by) for kind, by in trivial.items()}
        orders |= {f"_random{at}": random_orders(len(values), units, self.generator) for at in range(self.orders)}
        found: Columns = {}
        for insert in (False, True):
            name = "insertion" if insert else "deletion"
            curves = {
                k: removal_curve(height, values, self._centre, o, counts, insert=insert) for k, o in orders.items()
            }
            random = [k for k in orders if k.startswith("_random")]
            curves["_random"] = torch.stack([curves.pop(k) for k in random]).mean(0)
            for kind, curve in curves.items():
                found[f"{name}{kind}_area"] = _numpy(curve_area(curve, counts))
                if kind not in trivial:
                    found |= {f"{name}{kind}_step{at}": _numpy(column) for at, column in enumerate(curve.t())}
        return found

    def _similarity(self, z: Representation, own: Tensor, known: Tensor, view: View) -> Tensor:
        """Mean size of the rank correlation with explanations of heads that have learnt nothing."""
        found = []
        for _ in range(self.copies):
            other = reinitialised(self.model.predictor, self.generator)
            parts, _ = contributions(other, z)
            # Without the sign: copies that agree and copies that are turned round would cancel in the mean.
            found.append(rank_correlation(own, view.pick(parts), known).abs())
        return torch.stack(found).nanmean(0)

    def _unrelated(self, own: Tensor, known: Tensor) -> Tensor:
        """What the similarity would be to explanations whose units are dealt at random."""
        found = []
        for _ in range(self.copies):
            dealt = own.clone()
            orders = random_orders(own.shape[0], own.shape[1], self.generator)
            for row, order in enumerate(orders):
                # Among the units that the sample has, or nothing would stand where something was.
                dealt[row, known[row]] = own[row, order[known[row, order]]]
            found.append(rank_correlation(own, dealt, known).abs())
        return torch.stack(found).nanmean(0)

    def _stability(self, parts: Tensor, logits: Tensor, view: View) -> Columns:
        """Change under noise on the inputs, relative to the difference between two samples."""
        count = len(logits)
        if count < 2:
            return {}
        # Each sample is compared with the one after it in a random circle, so never with itself.
        circle = torch.randperm(count, generator=self.generator)
        other = torch.empty_like(circle)
        other[circle] = circle.roll(-1)
        own, there = view.pick(parts), view.pick(parts[other])
        said, said_there = view.pick(logits)[:, None], view.pick(logits[other])[:, None]
        changes, output_changes = [], []
        for _ in range(self.draws):
            z = self._noisy()
            with torch.no_grad():
                moved = view.pick(self.model.predictor(z))[:, None]
            changes.append(relative_change(own, view.pick(contributions(self.model.predictor, z)[0]), there))
            output_changes.append(relative_change(said, moved, said_there))
        return {
            "change": _numpy(torch.stack(changes).mean(0)),
            "change_output": _numpy(torch.stack(output_changes).mean(0)),
        }

    @torch.no_grad()
    def _noisy(self) -> Representation:
        found = []
        for batch, _ in batches(self.test):
            for name, scale in self.scales.items():
                x = batch.inputs[name]
                step = torch.randn(x.shape, generator=self.generator) * scale * self.noise
                batch = batch.with_input(name, x + step)
            found.append(self.model.encode(batch))
        return concatenated(found)

    def _concepts(self, head: Any, z: Representation, view: View) -> Columns:
        """Predicted beside given ratings, leakage, and the gain from correcting ratings."""
        with torch.no_grad():
            predicted = head.concepts(z)
            handed_on = head.handed_on(predicted)
            whole = head.whole_steps(predicted)
        ratings = torch.tensor(self.test.concept_values(), dtype=torch.float32)
        labels = torch.tensor(self.test.target_values(self.target), dtype=torch.float32)
        found: Columns = {}
        for at, name in enumerate(head.concept_names):
            found[f"concept:{name}"], found[f"rated:{name}"] = _numpy(predicted[:, at]), _numpy(ratings[:, at])
        yes = view.yes_or_no(labels)
        sets = self.test.subjects
        found["yes"] = yes.astype(np.float64)
        found["leak_soft"], found["leak_hard"] = leakage_scores(
            _numpy(handed_on), _numpy(whole), yes, sets, seed=self.seed
        )
        given = torch.where(ratings.isnan(), ratings.nanmean(0).nan_to_num(0.0), ratings)
        found["leak_people_soft"], found["leak_people_hard"] = leakage_scores(
            _numpy(given), _numpy(head.whole_steps(given)), yes, sets, seed=self.seed
        )
        found |= self._mended(head, handed_on, ratings, labels, view)
        return found

    def _mended(self, head: Any, predicted: Tensor, ratings: Tensor, labels: Tensor, view: View) -> Columns:
        """Probability of the truth after 0, 1 ... concepts were replaced by what people said, over random orders."""
        count = predicted.shape[1]
        quality = torch.zeros(len(predicted), count + 1)
        for _ in range(self.orders):
            rank = random_orders(len(predicted), count, self.generator).argsort(dim=1)
            for step in range(count + 1):
                mended = torch.where((rank < step) & ~ratings.isnan(), ratings, predicted)
                with torch.no_grad():
                    quality[:, step] += view.truth(head.outcome(mended), labels) / self.orders
        return {f"mended{step}": _numpy(column) for step, column in enumerate(quality.t())}


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().double().numpy()
