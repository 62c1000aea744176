"""What is retained of a representation: results and the figure of ``iis``, from its rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from pellucid.measures.interpretability_score import interpretability_score
from pellucid.protocols.audited import AuditedRows
from pellucid.result import NotMeasured, Result
from pellucid.statistics.bootstrap import Interval, Statistic, weighted_mean
from pellucid.views.drawing import LOWERS, NEUTRAL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RANDOM = "as many random directions"


class Retained(AuditedRows):
    """What is retained of one representation."""

    protocol = "iis"

    @property
    def ratios(self) -> np.ndarray:
        """Shares of concepts set to zero, increasing."""
        named = [str(c).partition(":")[2] for c in self.rows.columns if str(c).startswith("kept:")]
        return np.array(sorted(map(float, named)))

    def accuracy(self, column: str) -> Statistic:
        """Share of samples where a classifier is right."""
        values = self.column(column)
        return lambda weights: weighted_mean(values, weights)

    def retention(self, library: str, ratio: float) -> Statistic:
        """Accuracy with a library at a share, over that on the units; NaN where that is 0."""
        own, standard = self.accuracy(f"{library}:{ratio:g}"), self.accuracy("standard")

        def at(weights: np.ndarray) -> np.ndarray:
            whole = standard(weights)
            # Nothing is no share of nothing: such a drawing of subjects says nothing of retention.
            return np.asarray(own(weights) / np.where(whole > 0, whole, np.nan))

        return at

    def score(self, library: str, *, normalised: bool = False) -> Statistic:
        """Area under retention."""
        ratios = self.ratios
        each = [self.retention(library, ratio) for ratio in ratios]
        width = np.ptp(ratios) if normalised else 1.0
        return lambda weights: np.trapezoid(np.stack([one(weights) for one in each], -1), ratios, axis=-1) / width

    def results(self) -> Iterator[Result | NotMeasured]:
        """Scores and what they are scores of; without an accuracy there is none to retain."""
        usual = float(np.average(self.of_each_fold("usual")))
        standard = self.interval(self.accuracy("standard"))
        concepts, width = int(self.once_a_fold("concepts")[0]), float(np.ptp(self.ratios))
        if not standard.value > 0:
            for metric in ("iis", "iis_norm"):
                yield NotMeasured(
                    protocol=self.protocol, part=self.part, metric=metric, helps="have more on the test side, or fit it to more",
                    because=f"a linear classifier on the representation is right about none of {len(self.rows)} test samples, so that "
                    "there is nothing to retain",
                )  # fmt: skip
            yield self._standard(standard, usual)
            return
        trivial = standard.value <= min(2 * usual, (1 + usual) / 2)
        gain = self.interval(lambda w: self.score("kept")(w) - self.score("random")(w))
        few = float(self.ratios[-1])
        left = self.value(self.retention("kept", few))
        level = usual / standard.value
        constant = interpretability_score(self.ratios, np.full(len(self.ratios), level))
        below = (
            f" Chance ({constant:.2f}) is then above what retaining everything gives ({width:.2f}): it is the score of always saying the "
            "most frequent class, which is right more often than this classifier."
            if level > 1
            else ""
        )
        says = (
            f"A linear classifier on the representation of “{self.part}” is right in {standard.value:.0%} of cases, always saying "
            f"the most frequent class in {usual:.0%}: there is little to retain, and the score says little.{below}"
            if trivial
            else f"With {few:.0%} of {concepts} concepts silent in each sample, a linear classifier keeps {left:.0%} of its accuracy on "
            f"the representation of “{self.part}” ({standard.value:.0%}); "
            + (
                f"the concepts keep more than random directions do (a score higher by {gain.value:.3f}, {gain.low:.3f} to {gain.high:.3f})."
                if gain.low > 0
                else f"that the concepts keep more than random directions do is not shown (a score higher by {gain.value:.3f}, "
                f"{gain.low:.3f} to {gain.high:.3f})."
            )
        )
        for metric, normalised in (("iis", False), ("iis_norm", True)):
            yield self.result(
                metric, self.interval(self.score("kept", normalised=normalised)), higher=True,
                chance=constant / (width if normalised else 1.0),
                baseline=self.value(self.score("random", normalised=normalised)), baseline_name=RANDOM,
                sentence="" if normalised else says,
                passed=None if normalised or trivial else bool(gain.low > 0),
            )  # fmt: skip
        yield self._standard(standard, usual)

    def _standard(self, standard: Interval, usual: float) -> Result:
        return self.result(
            "standard_accuracy",
            standard,
            higher=True,
            chance=usual,
            baseline=usual,
            baseline_name="most frequent class",
        )


def drawn(curves: list[Retained]) -> Figure:
    """Retention over the share of concepts set to zero, a panel a representation."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(curves), 3.1), layout="constrained")
    for panel, curve in zip(np.atleast_1d(figure.subplots(1, len(curves), sharey=True)), curves, strict=True):
        for library, name, colour, mark in (
            ("kept", "concepts", LOWERS, "o"),
            ("random", "random directions", NEUTRAL, "s"),
        ):
            found = [curve.interval(curve.retention(library, ratio)) for ratio in curve.ratios]
            value, low, high = (np.array([getattr(one, end) for one in found]) for end in ("value", "low", "high"))
            panel.plot(curve.ratios, value, f"-{mark}", color=colour, markersize=4, label=name)
            if np.isfinite(low).all():
                panel.vlines(curve.ratios, low, high, color=colour, linewidth=1)
        usual = float(np.average(curve.of_each_fold("usual")))
        if standard := curve.value(curve.accuracy("standard")):
            panel.axhline(usual / standard, color=NEUTRAL, linestyle=":", label="most frequent class")
        panel.set_title(curve.part, fontsize=9)
        panel.set_xlabel("share of concepts set to zero")
        panel.set_ylim(bottom=0)
    figure.axes[0].set_ylabel("share of the accuracy retained")
    figure.axes[0].legend(fontsize=8, frameon=False, loc="lower left")
    return figure
