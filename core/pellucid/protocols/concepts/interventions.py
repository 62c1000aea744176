"""What correcting predicted concepts does to predictions, and what people's ratings alone would reach."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pellucid.protocols.concepts.part import AuditedPart, mean_of
from pellucid.protocols.concepts.rows import LEARNT
from pellucid.protocols.prediction.assessment import label_columns
from pellucid.protocols.prediction.metrics import metrics_of
from pellucid.protocols.prediction.predictions import Predictions
from pellucid.result import Result
from pellucid.statistics.bootstrap import Interval, Statistic, estimate, percentiles

Estimate = tuple[float, np.ndarray]
"""Value and replicates; from the same weights they are paired."""


@dataclass(frozen=True)
class Curves:
    """Scores of one part after corrections: AUROC, for numbers R2 (mean over numbers)."""

    audited: AuditedPart

    @property
    def score(self) -> str:
        """Name of the score."""
        return "R2" if self._target.numeric else "AUROC"

    @property
    def chance(self) -> float:
        """Its value without knowledge."""
        return 0.0 if self._target.numeric else 0.5

    @property
    def count(self) -> int:
        """Number of concepts."""
        return len(self.audited.names)

    @property
    def learnt(self) -> list[Statistic]:
        """After 0, 1 ... all corrections in the order learnt from training samples."""
        return [self._corrected(LEARNT, step) for step in range(self.count + 1)]

    @property
    def random(self) -> list[Statistic]:
        """After 0, 1 ... all corrections, mean over random orders."""
        orders = self._second("corrected:") - {LEARNT}
        within = [mean_of([self._corrected(one, step) for one in sorted(orders)]) for step in range(1, self.count)]
        return [self._corrected(LEARNT, 0), *within, self._corrected(LEARNT, self.count)]

    @cached_property
    def alone(self) -> Statistic:
        """The score of a model that reads people's ratings alone."""
        prefix = "alone:" if self._target.numeric else "told:ratings:"
        return mean_of([self._statistic(f"{prefix}{repeat}") for repeat in sorted(self._second(prefix))])

    @property
    def _target(self) -> Any:
        return self.audited.context.spec.target(self.audited.context.target)

    def _corrected(self, order: str, step: int) -> Statistic:
        return self._statistic(f"corrected:{order}:{step}")

    def _second(self, prefix: str) -> set[str]:
        columns = map(str, self.audited.rows.columns)
        return {column.removeprefix(prefix).split(":")[0] for column in columns if column.startswith(prefix)}

    def _statistic(self, prefix: str) -> Statistic:
        columns = [f"{prefix}:{at}" for at in range(len(self._target.outputs))]
        kept = self.audited.rows.columns.intersection(["subject", "fold", *label_columns(self._target)])
        # Columns that no fold could measure are NaN throughout, and so is what is made of them.
        said = Predictions.of(self.audited.rows.reindex(columns=[*kept, *columns]), self._target, columns)
        metrics = [m for m in metrics_of(self._target) if m.name.partition(":")[0] == self.score.lower()]
        return mean_of([metric.statistic(said) for metric in metrics])


def interventions(audited: AuditedPart) -> Iterator[Result]:
    """Gain from correcting all concepts, area under the curve in both kinds of order, and the ceiling."""
    curves = Curves(audited)
    random = [estimate(one, audited.weights) for one in curves.random]
    learnt = [estimate(one, audited.weights) for one in curves.learnt]
    if any(math.isnan(value) for value, _ in (*random, *learnt)):
        return
    score, last = curves.score, curves.count
    gain, area = _apart([random[-1]], random[0]), _apart(random[1:], random[0])
    harmful = gain.high < 0 or area.high < 0
    yield audited.result(
        "intervention_gain", gain, passed=not harmful, higher=True, chance=0.0, baseline=random[1][0] - random[0][0],
        baseline_name="correcting one concept only", sentence=_told(score, random, gain, area),
    )  # fmt: skip
    yield audited.result(
        "intervention_area", area, higher=True, chance=0.0, baseline=0.0, baseline_name="no correction",
        sentence=f"Averaged over 1 to {last} corrections in random order, {score} changes by {area.value:+.3f}.",
    )  # fmt: skip
    ordered = _apart(learnt[1:], learnt[0])
    yield audited.result(
        "intervention_area_learnt_order", ordered, higher=True, chance=0.0, baseline=area.value,
        baseline_name="random order",
        sentence=(
            f"Corrected in the order that helped most among training samples, {score} changes by {ordered.value:+.3f} on "
            f"average over 1 to {last} corrections; in random order by {area.value:+.3f}."
        ),
    )  # fmt: skip
    ceiling = audited.interval(curves.alone)
    if math.isfinite(ceiling.value):
        yield audited.result(
            "ratings_alone", ceiling, higher=True, chance=curves.chance, baseline=random[0][0],
            baseline_name="the model before any correction",
            sentence=(
                f"A model that reads people's ratings alone reaches {score} {ceiling.value:.3f}: as far as corrections can "
                f"lead. With all concepts corrected, this model reaches {random[-1][0]:.3f}."
            ),
        )  # fmt: skip


def _told(score: str, curve: Sequence[Estimate], gain: Interval, area: Interval) -> str:
    if gain.high < 0:
        verdict = "Replacing predicted concepts by what people said makes predictions worse, the curve falls"
    elif area.high < 0:
        verdict = "Replacing only some predicted concepts by what people said makes predictions worse, the curve sags"
    elif gain.low > 0:
        verdict = "Replacing predicted concepts by what people said helps"
    else:
        verdict = "Replacing predicted concepts by what people said changes little"
    falls = [at for at in range(1, len(curve)) if _apart([curve[at]], curve[at - 1]).high < 0]
    where = f" It falls at correction {', '.join(map(str, falls))} of {len(curve) - 1}." if falls else ""
    why = " So the model means something else by its concepts than people do." if gain.high < 0 else ""
    return (
        f"{verdict}: with all replaced, {score} goes from {curve[0][0]:.3f} to {curve[-1][0]:.3f} "
        f"({gain.value:+.3f}).{where}{why}"
    )


def _apart(several: Sequence[Estimate], one: Estimate) -> Interval:
    """Mean of some estimates less another one, paired."""
    value = float(np.mean([v for v, _ in several])) - one[0]
    return percentiles(value, np.mean([r for _, r in several], axis=0) - one[1])
