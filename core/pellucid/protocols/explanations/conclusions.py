"""From what was measured on samples to results with intervals over subjects, each with a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.heads.base import HeadTags
from pellucid.protocols.audited import AuditedRows
from pellucid.result import Result
from pellucid.statistics.bootstrap import Interval, Statistic, interval, weighted_mean
from pellucid.statistics.ranking import auroc, over_folds

COMPLETE = 1e-4
"""Largest gap of an explanation that is complete by construction: rounding in float32, for outputs of size 1."""

NEARLY_COMPLETE = 0.05
"""Share of what there is to explain that a post-hoc explanation may leave."""

HALF = 0.5
"""Likeness to the explanations of unlearnt heads that an explanation must stay below."""

TELLING = 0.9
"""Mean rank correlation, in size, of unrelated explanations above which likeness tells nothing: two values are always
in the same order or the opposite one."""

STEADY = 3.0
"""How many times as much as the output an explanation may move when the inputs are disturbed. Small noise moves every
smooth explanation little, so its own size says nothing; what counts is whether it moves where the output does not."""

AHEAD = 0.05
"""Share of the better trivial order's gain by which an explanation must be ahead of it: less makes no difference."""

TRIVIAL_ORDERS = {
    "_size": "order by how unusual a value is",
    "_tendency": "order by how unusual a value is, on the side it usually speaks for",
}
"""Orders of removal that need no explanation: an explanation that does no better than these is not worth reading."""

LEAK = 0.02
"""Gain in AUROC from the decimals of concepts, beyond that from people's own, which counts as a leak."""


@dataclass(frozen=True)
class Conclusions(AuditedRows):
    """Results of one part.

    Parameters
    ----------
    rows : DataFrame
        From :class:`~pellucid.protocols.explanations.rows.Measured`, of all folds.
    part : str
    context : Context
    replicates : int
    tags : HeadTags
    """

    tags: HeadTags

    protocol: ClassVar[str] = "explanation-audit"

    @property
    def unit(self) -> str:
        """What outputs are measured in."""
        return "output (in standard deviations)" if self._regression else "probability"

    @property
    def _regression(self) -> bool:
        return bool(self.context.spec.target(self.context.target).numeric)

    def results(self) -> list[Result]:
        """Whatever the rows allow."""
        if not len(self.rows):
            return []
        found = list(self._completeness())
        found += [r for name in ("deletion", "insertion") if self.has(f"{name}_area") for r in self._order(name)]
        found += list(self._randomisation()) if self.has("similarity") else []
        found += list(self._stability()) if self.has("change") else []
        found += list(self._simplicity()) if self.has("effective_number") else []
        found += list(self._concepts()) if self.has("leak_soft") else []
        return found

    # --- checks -------------------------------------------------------------------------------------------------------

    def _completeness(self) -> Iterator[Result]:
        gap, distance = self.column("gap"), self.column("distance")
        beside = self.column("gap_gradient") if self.has("gap_gradient") else distance
        said = "gradient x input" if self.has("gap_gradient") else "no explanation"
        # A gap in float32 grows with the outputs, and numbers have any size; log odds have not.
        size = max(1.0, float(np.nanmax(np.abs(self.column("output"))))) if self._regression else 1.0
        unit = "of the target's unit" if self._regression else "log odds"
        found, largest = self._mean(gap), self._largest(gap)
        chance, baseline = float(np.nanmean(distance)), float(np.nanmean(beside))
        share = found.value / max(chance, 1e-12)
        if self.tags.faithful_by_construction:
            passed = largest.value <= COMPLETE * size
            rule = f"This model adds up by construction: no gap may be larger than {COMPLETE * size:.1g}."
        else:
            passed = _first(found.high, found.value) <= NEARLY_COMPLETE * chance
            rule = f"At most {NEARLY_COMPLETE:.0%} may stay unexplained."
        yield self.result(
            "completeness_gap", found, passed=passed, higher=False, chance=chance, baseline=baseline,
            baseline_name=said,
            sentence=f"The contributions add up to what the model said but for {_percent(share)} of it on average. {rule}",
        )  # fmt: skip
        yield self.result(
            "completeness_gap_largest", largest, higher=False, chance=chance, baseline=baseline, baseline_name=said,
            sentence=f"On the sample where they fit worst, they are {largest.value:.1g} {unit} from what the model said.",
        )  # fmt: skip

    def _order(self, name: str) -> Iterator[Result]:
        sign = 1 if name == "deletion" else -1
        area, random = self.column(f"{name}_area"), self.column(f"{name}_random_area")
        found = self._mean(sign * (random - area))
        trivial = {kind: self.column(f"{name}{kind}_area") for kind in TRIVIAL_ORDERS}
        gains = {kind: float(np.nanmean(sign * (random - column))) for kind, column in trivial.items()}
        best = max(gains, key=lambda kind: gains[kind])
        ahead = self._mean(sign * (trivial[best] - area))
        passed = found.low > 0 and ahead.low > AHEAD * max(gains[best], 0.0)
        what = "Taking away" if name == "deletion" else "Starting from nothing and putting back"
        does = "lowers" if name == "deletion" else "raises"
        if found.low <= 0:
            verdict = "no more than random order would"
        elif not passed:
            verdict = f"more than random order does, but no more than the {TRIVIAL_ORDERS[best]}"
        else:
            verdict = f"more than random order does, and more than the {TRIVIAL_ORDERS[best]}"
        yield self.result(
            name, found, passed=passed, higher=True, chance=0.0, baseline=gains[best],
            baseline_name=TRIVIAL_ORDERS[best],
            sentence=(
                f"{what} first what the explanation calls most important {does} the model's {self.unit} {verdict}: by "
                f"{found.value:.3f} on average along the way (that order: {gains[best]:.3f})."
            ),
        )  # fmt: skip

    def _randomisation(self) -> Iterator[Result]:
        """Likeness between 0 (as unrelated explanations are) and 1: few values are alike by chance alone."""
        alike, dealt = self.column("similarity"), self.column("similarity_unrelated")
        both = np.isfinite(alike) & np.isfinite(dealt)
        unrelated = float(dealt[both].mean()) if both.any() else 1.0
        if unrelated > TELLING:
            return

        def likeness(w: np.ndarray) -> np.ndarray:
            by_chance = weighted_mean(dealt[both], w)
            return (weighted_mean(alike[both], w) - by_chance) / (1 - by_chance)

        found = interval(likeness, self.weights[:, both])
        passed = found.high < HALF
        verdict = (
            "The explanation shows what the model has learnt"
            if passed
            else "The explanation hardly depends on what the model has learnt"
        )
        yield self.result(
            "randomisation", found, passed=passed, higher=False, chance=0.0, baseline=1.0,
            baseline_name="an explanation that copies its input",
            sentence=(
                f"{verdict}: with the head's parameters drawn anew, explanations are alike by {found.value:.2f} "
                "(0: as unrelated ones, 1: the same)."
            ),
        )  # fmt: skip

    def _stability(self) -> Iterator[Result]:
        change, output = self.column("change"), self.column("change_output")
        both = np.isfinite(change) & np.isfinite(output)

        def ratio(w: np.ndarray) -> np.ndarray:
            said = weighted_mean(output[both], w)
            return weighted_mean(change[both], w) / np.where(said > 0, said, np.nan)

        found = interval(ratio, self.weights[:, both])
        if math.isnan(found.value):
            return
        passed = found.high < STEADY
        verdict = "moves about as much as the output" if passed else "moves where the output does not"
        yield self.result(
            # An explanation that has nothing to do with its sample moves as far as between two samples: 1 by scale.
            "stability", found, passed=passed, higher=False, chance=float(1 / np.nanmean(output)), baseline=1.0,
            baseline_name="change of the model's own output",
            sentence=(
                f"When the inputs are disturbed a little, the explanation {verdict}: {found.value:.1f} times as far, each "
                f"as a share of the difference between two samples (more than {STEADY:.0f} times would not pass)."
            ),
        )  # fmt: skip

    def _simplicity(self) -> Iterator[Result]:
        found = self._mean(self.column("effective_number"))
        units = float(np.nanmean(self.column("units")))
        known = self.has("effective_number_values")
        beside = float(np.nanmean(self.column("effective_number_values"))) if known else units
        yield self.result(
            "effective_number", found, higher=False, chance=units, baseline=beside,
            baseline_name="contributions by how unusual a value is",
            sentence=f"An explanation rests on about {found.value:.1f} of {units:.0f} values.",
        )  # fmt: skip

    def _concepts(self) -> Iterator[Result]:
        yield from self._accuracy()
        yield self._leakage()
        if self.has("mended0"):
            yield self._intervention()

    def _accuracy(self) -> Iterator[Result]:
        for column in self.rows.columns:
            name = str(column).removeprefix("concept:")
            if name == column or not self.has(f"rated:{name}"):
                continue
            rated = self.column(f"rated:{name}")
            error = np.abs(self.column(str(column)) - rated)
            usual = float(np.nanmean(np.abs(rated - np.nanmean(rated))))
            found = self._mean(error)
            yield self.result(
                f"concept_error:{name}", found, higher=False, chance=usual, baseline=usual,
                baseline_name="the mean rating for everybody",
                sentence=(
                    f"The predicted {name} is {found.value:.2f} away from what people said, on average; "
                    f"the mean rating would be {usual:.2f} away."
                ),
            )  # fmt: skip

    def _leakage(self) -> Result:
        yes, folds = self.column("yes"), self.folds

        def gain(soft: str, hard: str) -> Statistic:
            a, b = self.column(soft), self.column(hard)
            return lambda w: over_folds(auroc, yes, a, folds, w) - over_folds(auroc, yes, b, folds, w)

        found = interval(gain("leak_soft", "leak_hard"), self.weights)
        people = float(gain("leak_people_soft", "leak_people_hard")(np.ones(len(self.rows))))
        people = 0.0 if math.isnan(people) else people
        leaks = found.low > max(people, 0.0) + LEAK
        verdict = "more than they say" if leaks else "no more than they say"
        return self.result(
            "concept_leakage", found, passed=not leaks, higher=False, chance=0.0, baseline=people,
            baseline_name="decimals of people's own ratings",
            sentence=(
                f"Predicted ratings tell {verdict}: their decimals add {found.value:.3f} in AUROC to whole ratings; "
                f"those of people's mean ratings add {people:.3f}."
            ),
        )  # fmt: skip

    def _intervention(self) -> Result:
        steps = sum(str(c).startswith("mended") for c in self.rows.columns)
        curve = np.column_stack([self.column(f"mended{at}") for at in range(steps)])
        found = self._mean(curve[:, -1] - curve[:, 0])
        harmful = found.high < 0
        verdict = "helps" if found.low > 0 else "makes predictions worse" if harmful else "changes little"
        why = " So the predicted ratings carry something that people's ratings do not." if harmful else ""
        per_one = self._mean(curve[:, 1] - curve[:, 0]).value
        return self.result(
            "intervention", found, passed=not harmful, higher=True, chance=0.0, baseline=per_one,
            baseline_name="correcting one concept only",
            sentence=(
                f"Replacing predicted ratings by what people said {verdict}: the {self.unit} of the true answer changes "
                f"by {found.value:+.3f}.{why}"
            ),
        )  # fmt: skip

    # --- intervals ----------------------------------------------------------------------------------------------------

    def _mean(self, values: np.ndarray) -> Interval:
        known = np.isfinite(values)
        if not known.any():
            return Interval(math.nan, math.nan, math.nan)
        return interval(lambda w: weighted_mean(values[known], w), self.weights[:, known])

    def _largest(self, values: np.ndarray) -> Interval:
        return interval(lambda w: np.where(w > 0, values, -np.inf).max(-1), self.weights)


def _percent(share: float) -> str:
    return "less than 0.01%" if share < 1e-4 else f"{share:.2%}"


def _first(a: float, b: float) -> float:
    return b if math.isnan(a) else a
