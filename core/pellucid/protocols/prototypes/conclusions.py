"""From what was measured of prototypes to results with intervals over subjects, each with a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.protocols.audited import AuditedRows, told
from pellucid.protocols.prototypes.rows import CONSISTENT_IN
from pellucid.result import Result
from pellucid.statistics.bootstrap import Interval, interval, weighted_mean

SAME = 1e-5
"""How far the cosine of a prototype and its source may be from 1: rounding in float32."""

NEAR = 1e-4
"""How far they may be apart, over the prototype's length. Units between 0 and 1 all point the same way, so that a cosine
does not see a small change; this does."""

LOCALISED_IN = 0.8
"""Share of samples, of those where the model is right, in which what is explained must be what was planted, to pass."""

VAGUE = 0.4
"""Share of random windows that hit the planted place above which a hit tells little."""


@dataclass(frozen=True)
class PrototypeConclusions(AuditedRows):
    """Results of one part; see :class:`~pellucid.protocols.audited.AuditedRows`."""

    protocol: ClassVar[str] = "prototype-audit"

    def results(self) -> list[Result]:
        """Whatever the rows allow."""
        results = [*self._sources(), self._purity(), self._used()]
        if self.has("steady"):
            results.append(self._steady())
        if told(self.rows, "consistent"):
            results.append(self._consistent())
        return [*results, *self._located()]

    # --- what prototypes are ------------------------------------------------------------------------------------------

    def _sources(self) -> Iterator[Result]:
        count = self.once_a_fold("prototypes").mean()
        cosine, random = float(self.once_a_fold("cosine").min()), float(self.once_a_fold("random_cosine").mean())
        same = cosine >= 1 - SAME
        verdict = (
            "Every prototype is the training sample that it is shown as"
            if same
            else "Some prototype is not the training sample that it is shown as"
        )
        yield self.result(
            "source_cosine", Interval.fixed(cosine), passed=same, higher=True, chance=random, baseline=random,
            baseline_name="a random window of another training sample",
            sentence=(
                f"{verdict}: read anew from the data and encoded anew, the source of the worst of {count:.0f} prototypes has a "
                f"cosine of {cosine:.6f} with it (a random window: {random:.2f} on average)."
            ),
        )  # fmt: skip
        distance, usual = float(self.once_a_fold("distance").max()), float(self.once_a_fold("random_distance").mean())
        yield self.result(
            "source_distance", Interval.fixed(distance), passed=distance <= NEAR, higher=False, chance=usual, baseline=usual,
            baseline_name="a random window of another training sample",
            sentence=(
                f"The worst of them is {distance:.1g} of its own length away from its source (a random window: {usual:.2g}); "
                f"rounding explains at most {NEAR:.0e}."
            ),
        )  # fmt: skip
        inside, share = float(self.once_a_fold("in_training").min()), float(self.once_a_fold("training_share").mean())
        yield self.result(
            "source_in_training", Interval.fixed(inside), passed=inside == 1, higher=True, chance=share, baseline=share,
            baseline_name="samples drawn from everybody",
            sentence=f"{inside:.0%} of the prototypes come from a sample of the training {self.context.several}.",
        )  # fmt: skip
        right, usual = float(self.once_a_fold("of_class").min()), float(self.once_a_fold("class_share").mean())
        yield self.result(
            "source_of_class", Interval.fixed(right), passed=right == 1, higher=True, chance=usual, baseline=usual,
            baseline_name="samples drawn from everybody",
            sentence=f"{right:.0%} of the prototypes come from a sample that is of their class.",
        )  # fmt: skip
        there = float(self.once_a_fold("projected").min())
        yield self.result(
            "projected", Interval.fixed(there), higher=True, chance=0.0, baseline=0.0, baseline_name="no projection",
            sentence=(
                f"{there:.0%} of the prototypes have a source. The others weigh nothing: no training sample is of their class."
            ),
        )  # fmt: skip
        unique = float(self.once_a_fold("unique").mean())
        yield self.result(
            "unique_sources", Interval.fixed(unique), higher=True, chance=1 / count, baseline=1 / count,
            baseline_name="one window for all prototypes",
            sentence=f"Of 100 prototypes, {100 * unique:.0f} are different windows of training samples.",
        )  # fmt: skip

    # --- how prototypes do on subjects not learnt from ----------------------------------------------------------------

    def _purity(self) -> Result:
        near, right, usual = self.column("near"), self.column("near_of_class"), self.column("near_usual")
        share = self._ratio(right, near)
        chance = float(usual.sum() / near.sum())
        better = share.low > chance
        return self.result(
            "purity", share, passed=better, higher=True, chance=chance, baseline=chance, baseline_name="prevalence",
            sentence=(
                f"Of the new samples most like a prototype, {share.value:.0%} are of its class; "
                f"{chance:.0%} would be by chance."
            ),
        )  # fmt: skip

    def _used(self) -> Result:
        number, count = self._mean("used"), float(self.once_a_fold("prototypes").mean())
        return self.result(
            "prototypes_per_decision", number, higher=False, chance=count, baseline=count,
            baseline_name="all prototypes alike",
            sentence=f"A decision rests on about {number.value:.1f} of {count:.0f} prototypes.",
        )  # fmt: skip

    def _steady(self) -> Result:
        share, chance = self._mean("steady"), float(np.nanmean(self.column("steady_chance")))
        passed = share.low > chance
        return self.result(
            "stability", share, passed=passed, higher=True, chance=chance, baseline=chance, baseline_name="random window",
            sentence=(
                f"With noise on the input, a prototype points at the same place in {share.value:.0%} of cases; a random "
                f"window would be there in {chance:.0%}."
            ),
        )  # fmt: skip

    def _consistent(self) -> Result:
        value, chance = (
            float(self.once_a_fold("consistent").mean()),
            float(self.once_a_fold("consistent_chance").mean()),
        )
        return self.result(
            "consistency", Interval.fixed(value), higher=True, chance=chance, baseline=chance, baseline_name="random window",
            sentence=(
                f"{value:.0%} of the prototypes point at what was planted for their class in at least {CONSISTENT_IN:.0%} of the "
                f"samples that have it; of prototypes that point anywhere {chance:.0%} would."
            ),
        )  # fmt: skip

    def _located(self) -> Iterator[Result]:
        outputs = [str(c).partition(":")[2] for c in self.rows.columns if str(c).startswith("located:")]
        known = [name for name in outputs if self.has(f"located:{name}")]
        kinds = {
            "localisation": ("located", "the window that the strongest prototype points at overlaps the planted place"),
            "channel": ("channel", "the likeness rests most on a channel that something was planted in"),
            "localisation_and_channel": ("both", "both the window and the channel are those planted"),
        }
        for metric, (column, says) in kinds.items():
            measured = [name for name in known if self.has(f"{column}:{name}")]
            for names in ([measured] if measured else []) + [[name] for name in measured if len(measured) > 1]:
                yield self._pointing(metric, column, says, names, of_all=names is measured)

    def _pointing(self, metric: str, column: str, says: str, names: list[str], *, of_all: bool) -> Result:
        hit = np.column_stack([self.column(f"{column}:{name}") for name in names])
        control = np.column_stack([self.column(f"{column}_chance:{name}") for name in names])
        count = np.isfinite(hit).sum(1)
        share = self._ratio(np.nansum(hit, axis=1), count)
        chance = float(np.nansum(control) / count.sum())
        passed = share.value >= LOCALISED_IN and not share.low <= chance
        warning = "" if chance <= VAGUE or column != "located" else " Windows are so wide here that a hit tells little."
        about = "I" if of_all else f"For {names[0]!r}: i"
        return self.result(
            metric if of_all else f"{metric}:{names[0]}", share, passed=passed, higher=True, chance=chance, baseline=chance,
            baseline_name="random window" if column == "located" else "random channel" if column == "channel"
            else "random window and channel",
            known=count > 0,
            sentence=(
                f"{about}n {share.value:.0%} of the samples where the model is right, {says}; by chance it would be "
                f"{chance:.0%}.{warning}"
            ),
        )  # fmt: skip

    # --- intervals ----------------------------------------------------------------------------------------------------

    def _mean(self, name: str) -> Interval:
        values = self.column(name)
        known = np.isfinite(values)
        return interval(lambda w: weighted_mean(values[known], w), self.weights[:, known])

    def _ratio(self, part: np.ndarray, whole: np.ndarray) -> Interval:
        def share(w: np.ndarray) -> np.ndarray:
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.asarray(w @ part / (w @ whole))

        return interval(share, self.weights)
