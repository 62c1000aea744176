"""What is lost without each relation, and how that goes with what the model says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.protocols.base import Context
from pellucid.protocols.prediction.metrics import Metric, metrics_of
from pellucid.protocols.prediction.predictions import Predictions
from pellucid.result import NotMeasured, Result
from pellucid.statistics.bootstrap import estimate, percentiles, subject_weights, weighted_mean
from pellucid.statistics.ranking import rank_correlation

if TYPE_CHECKING:
    import pandas as pd

WHOLE = "whole"
LOSS = "without "
SHARE = "share:"
WEIGHT = "weight "
SAYS = ":says:"
"""Parts of the names of columns; relations and outputs are called as data call them, so that the marks between must be rare."""

FEWEST = 4
"""Relations of which an order means something: over three, one order in six is right by chance, over four one in 24."""

MEAN = "the mean over relations"
EQUAL = "an equal share"


@dataclass(frozen=True)
class Deleted:
    """What deletion measured of one part.

    Parameters
    ----------
    rows : DataFrame
        See :meth:`~pellucid.protocols.relations.deletion.RelationDeletion.examine`.
    part : str
    context : Context
    replicates : int
    """

    rows: pd.DataFrame
    part: str
    context: Context
    replicates: int

    @property
    def target(self) -> Any:
        """What is predicted."""
        return self.context.spec.target(self.context.target)

    @property
    def metric(self) -> Metric:
        """Its leading metric."""
        return metrics_of(self.target)[0]

    @cached_property
    def relations(self) -> list[str]:
        """Names of the relations."""
        last = f"{SAYS}{self.target.outputs[0]}"
        named = [
            str(c).removesuffix(last) for c in self.rows.columns if str(c).startswith(LOSS) and str(c).endswith(last)
        ]
        return [one.removeprefix(LOSS) for one in named]

    @cached_property
    def choices(self) -> list[tuple[int, str, str]]:
        """Set, name and column of each choice; empty where the model says nothing of relations."""
        found = []
        for column in map(str, self.rows.columns):
            if column.startswith(WEIGHT):
                of, _, name = column.removeprefix(WEIGHT).partition(":")
                found.append((int(of), name, column))
        return found

    @cached_property
    def subjects(self) -> np.ndarray:
        """Subject of each row."""
        return self.rows["subject"].to_numpy(str)

    @cached_property
    def weights(self) -> np.ndarray:
        """How often each row's subject is drawn, shape (replicate, row)."""
        return subject_weights(
            self.subjects, self.rows["fold"].to_numpy(), replicates=self.replicates, seed=self.context.seed
        )

    @cached_property
    def losses(self) -> np.ndarray:
        """Of each relation, what is lost without it, and its replicates; shape (relation, 1 + replicate)."""
        sign = 1 if self.metric.higher_is_better else -1
        whole = self._score(WHOLE)
        return np.stack([sign * (whole - self._score(f"{LOSS}{one}")) for one in self.relations])

    @cached_property
    def shares(self) -> np.ndarray | None:
        """Of each relation, the mean share of the weights, and its replicates; None where the model says nothing."""
        if not self.choices:
            return None
        return np.stack([self._mean(f"{SHARE}{one}") for one in self.relations])

    def _mean(self, column: str) -> np.ndarray:
        values = self.rows[column].to_numpy(np.float64)
        return np.concatenate([[values.mean()], weighted_mean(values, self.weights)])

    def _score(self, what: str) -> np.ndarray:
        """The metric, and its replicates."""
        said = Predictions.of(self.rows, self.target, [f"{what}{SAYS}{output}" for output in self.target.outputs])
        value, replicates = estimate(self.metric.statistic(said), self.weights)
        return np.concatenate([[value], replicates])

    def results(self) -> list[Result | NotMeasured]:
        """Losses, weights, agreement; none where the metric is not defined on these samples."""
        if np.isnan(self.losses[:, 0]).any():
            return []
        found: list[Result | NotMeasured] = [self._loss(at) for at in range(len(self.relations))]
        found += [self._weight(of, name, column) for of, name, column in self.choices]
        if self.shares is not None:
            found += self._agreement(self.shares)
        return found

    def _loss(self, at: int) -> Result:
        value, low, high = percentiles(float(self.losses[at, 0]), self.losses[at, 1:])
        told = (
            f"Without the edges “{self.relations[at]}”, {self.metric.shown} of “{self.part}” is {abs(value):.3f} "
            f"{'lower' if (value >= 0) == self.metric.higher_is_better else 'higher'} (loss {low:+.3f} to {high:+.3f})."
        )
        return self._result(
            f"loss:{self.relations[at]}", (value, low, high), 0.0, float(self.losses[:, 0].mean()), MEAN, told
        )

    def _weight(self, of: int, name: str, column: str) -> Result:
        found = self._mean(column)
        equal = 1 / sum(one == of for one, _, _ in self.choices)
        told = f"“{self.part}” goes by “{name}” with a weight of {found[0]:.2f} on average; an equal share would be {equal:.2f}."
        value, low, high = percentiles(float(found[0]), found[1:])
        return self._result(f"weight:{name}", (value, low, high), equal, equal, EQUAL, told)

    def _agreement(self, shares: np.ndarray) -> list[Result | NotMeasured]:
        count = len(self.relations)
        if count < FEWEST:
            why = f"the graphs have {count} relations, and an order of fewer than {FEWEST} is often right by chance"
            return [NotMeasured(protocol="relation-deletion", part=self.part, metric="agreement", because=why)]
        # Differences beyond what summing in another order explains alone are an order.
        every = rank_correlation(self.losses.round(9).T, shares.round(9).T)
        if math.isnan(every[0]):
            why = "all relations lose the same, or weigh the same"
            return [NotMeasured(protocol="relation-deletion", part=self.part, metric="agreement", because=why)]
        value, low, high = percentiles(float(every[0]), every[1:])
        told = (
            f"Over {len(self.relations)} relations, what “{self.part}” loses without each and how much it says it goes by each "
            f"agree with a rank correlation of {value:.2f} ({low:.2f} to {high:.2f}; 1 is the same order, 0 is chance)."
        )
        return [self._result("agreement", (value, low, high), 0.0, 0.0, "weights that say nothing", told)]

    def _result(
        self, metric: str, found: tuple[float, float, float], chance: float, baseline: float, beside: str, sentence: str
    ) -> Result:
        return Result(
            protocol="relation-deletion", metric=metric, part=self.part, value=found[0], low=found[1], high=found[2],
            chance=chance, baseline=baseline, baseline_name=beside, higher_is_better=True, n_samples=len(self.rows),
            n_subjects=len(np.unique(self.subjects)), sentence=sentence,
        )  # fmt: skip
