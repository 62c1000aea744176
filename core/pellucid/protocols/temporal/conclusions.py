"""What stretches of time with and without events say of models, with intervals over pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pellucid.protocols.base import Context
from pellucid.result import NotMeasured, Result
from pellucid.statistics.bootstrap import estimate, percentiles, subject_weights
from pellucid.statistics.ranking import Formula, auroc, average_precision, over_folds, share_of_yes

if TYPE_CHECKING:
    import pandas as pd

WHAT = {
    "reconstruction": "bins that it has learnt from, of pairs that it has learnt from: a description, no forecast",
    "completion": "bins that it has learnt from, of pairs that are new to it",
    "prediction": "bins after all that it has learnt from, of pairs that it has learnt from",
}

PERSISTENCE = "persistence"
"""What a prediction must beat: that pairs go on as they were before."""

Found = tuple[float, np.ndarray]
"""A value and its replicates."""


class TaskConclusions:
    """Results of one task of :class:`~pellucid.protocols.temporal.links.TemporalLinks` from its rows.

    Parameters
    ----------
    protocol, task : str
    rows : DataFrame
        Of that task.
    context : Context
    against : sequence of str
    replicates : int
    """

    def __init__(
        self,
        protocol: str,
        task: str,
        rows: pd.DataFrame,
        context: Context,
        against: Sequence[str],
        replicates: int,
    ) -> None:
        self.protocol, self.task = protocol, task
        parts = [part for part in context.predictors if (rows["part"] == part).any()]
        self.parts = parts or list(context.predictors)
        by_part = {part: rows[rows["part"] == part] for part in parts}
        self.scores = {part: own["score"].to_numpy(float) for part, own in by_part.items()}
        first = by_part[parts[0]] if parts else rows
        self.labels, self.folds = first["label"].to_numpy(float), first["fold"].to_numpy()
        self.pairs = first["subject"].to_numpy(str)
        self.rivals = [part for part in against if part in by_part]
        if task == "prediction" and "before" in first and len(first):
            self.scores[PERSISTENCE] = first["before"].to_numpy(float)
        self.replicates, self.seed = replicates, context.seed
        several = context.spec.group_word[1]
        self.judged_on = {
            "prediction": f"unseen times, seen {several}",
            "reconstruction": f"seen {several} and times",
        }.get(task, "")

    def results(self) -> Iterator[Result | NotMeasured]:
        """Both areas of each part, and differences."""
        if len(np.unique(self.labels)) < 2:
            for part in self.parts:
                yield self._not_measured(part)
            return
        # A pair that is learnt from in several folds is drawn for all of them together.
        weights = subject_weights(self.pairs, replicates=self.replicates, seed=self.seed)
        share = float(share_of_yes(self.labels, self.labels, np.ones(len(self.labels))))
        yield from self._areas("auroc", auroc, 0.5, weights)
        yield from self._areas("auprc", average_precision, share, weights)

    def _areas(self, metric: str, formula: Formula, chance: float, weights: np.ndarray) -> Iterator[Result]:
        found = {part: self._area(formula, part, weights) for part in self.scores}
        rivals = [*self.rivals, *([PERSISTENCE] if PERSISTENCE in found else [])]
        best = max(rivals, key=lambda part: found[part][0], default="")
        curve = "under the ROC curve" if metric == "auroc" else "under the precision-recall curve"
        for part in self.parts:
            value, drawn = found[part]
            beside = "" if part in self.rivals else best
            name = beside or "stretches in no order"
            told = (
                f"“{part}” tells bins with an event from bins without one with an area of {value:.3f} {curve}, among "
                f"{WHAT[self.task]}."
            )
            baseline = found[beside][0] if beside else chance
            yield self._result(metric, part, (value, drawn), chance, baseline, name, told)
            for other in rivals if part not in self.rivals and metric == "auroc" else ():
                rival, others = found[other]
                less = (value - rival, drawn - others)
                told = f"The area of “{part}” less that of “{other}” on the same bins, among {WHAT[self.task]}."
                yield self._result(f"auroc_minus_{other}", part, less, 0.5 - rival, 0.0, other, told)

    def _area(self, formula: Formula, part: str, weights: np.ndarray) -> Found:
        scores = self.scores[part]
        return estimate(lambda w: over_folds(formula, self.labels, scores, self.folds, w), weights)

    def _result(
        self, metric: str, part: str, found: Found, chance: float, baseline: float, beside: str, told: str
    ) -> Result:
        value, low, high = percentiles(*found)
        result = Result(
            protocol=self.protocol, metric=f"{self.task}_{metric}", part=part, value=value, low=low, high=high, chance=chance,
            baseline=baseline, baseline_name=beside, higher_is_better=True, n_samples=len(self.labels),
            n_subjects=len(np.unique(self.pairs)), sentence=told,
        )  # fmt: skip
        # What a split keeps apart is true of completion alone: the other tasks are about pairs that were learnt from.
        return result.labelled(self.judged_on)

    def _not_measured(self, part: str) -> NotMeasured:
        because = f"all of {len(self.labels)} bins are alike: with an event, or without one"
        helps = "ask for shorter bins"
        if not len(self.labels) and self.task == "prediction":
            because, helps = "the data hide no time from learning", "hide its end with an option of the dataset"
        return NotMeasured(protocol=self.protocol, part=part, metric=f"{self.task}_auroc", because=because, helps=helps)
