"""Rows of one model in an audit, and how results with intervals over subjects are made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pellucid.protocols.base import Context
from pellucid.result import Result
from pellucid.statistics.bootstrap import Interval, Statistic, interval, subject_weights, weighted_mean

if TYPE_CHECKING:
    import pandas as pd


ONCE = "once:"
"""Begins the names of columns that :func:`told_once` writes."""

EARLIER = ("fold:", "first:")
"""Began them in runs of earlier versions, whose rows nothing is concluded from any more."""


def told_once(rows: pd.DataFrame, facts: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of one part and fold, and beside them what is said of all of them together: in one place, whatever it is.

    Parameters
    ----------
    rows : DataFrame
        Of none nothing can be told: they stay as they are.
    facts : mapping of str to value
        By name; whatever JSON can hold, and arrays. It stands as JSON in the first row of a column of its own.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = told_once(pd.DataFrame({"part": "it", "subject": ["p", "q"]}), {"atoms": 8, "cosines": np.array([0.5, 1.0])})
    >>> told(rows, "atoms"), told(rows, "cosines")
    ([8], [[0.5, 1.0]])
    """
    if rows.empty:
        return rows
    below = [""] * (len(rows) - 1)
    return rows.assign(
        **{
            f"{ONCE}{name}": [json.dumps(value, default=lambda one: one.tolist()), *below]
            for name, value in facts.items()
        }
    )


def told(rows: pd.DataFrame, name: str) -> list[Any]:
    """What :func:`told_once` was given under a name, one a fold, in their order; empty where nobody said it.

    Parameters
    ----------
    rows : DataFrame
        Of one part, all that it has of each fold.
    name : str
    """
    return [value for _, value in _by_fold(rows, name)]


def _by_fold(rows: pd.DataFrame, name: str) -> list[tuple[int, Any]]:
    if (column := f"{ONCE}{name}") not in rows:
        return []
    folds = rows["fold"] if "fold" in rows else [0] * len(rows)
    # Where rows of parts that say other things stand together, a column is empty in another way.
    found = [
        (int(fold), json.loads(text))
        for fold, text in zip(folds, rows[column], strict=True)
        if isinstance(text, str) and text
    ]
    return sorted(found, key=lambda one: one[0])


@dataclass(frozen=True)
class AuditedRows:
    """What an audit measured of one model.

    Parameters
    ----------
    rows : DataFrame
        One row a sample of all folds: ``subject``, ``fold`` (0 throughout, if left out) and what was measured.
    part : str
    context : Context
    replicates : int
        Resamplings of subjects behind each interval.
    """

    rows: pd.DataFrame
    part: str
    context: Context
    replicates: int

    protocol: ClassVar[str]

    @cached_property
    def folds(self) -> np.ndarray:
        """Fold of each sample."""
        return self.rows["fold"].to_numpy() if "fold" in self.rows else np.zeros(len(self.rows), int)

    @cached_property
    def weights(self) -> np.ndarray:
        """How often each sample's subject is drawn, shape (replicate, sample)."""
        subjects = self.rows["subject"].to_numpy()
        return subject_weights(subjects, self.folds, replicates=self.replicates, seed=self.context.seed)

    def column(self, name: str) -> np.ndarray:
        """A column as numbers; NaN throughout where there is none of this name."""
        if name not in self.rows:
            return np.full(len(self.rows), np.nan)
        return self.rows[name].to_numpy(np.float64)

    def has(self, name: str) -> bool:
        """Whether there is a column of this name in which anything is known."""
        return name in self.rows and bool(self.rows[name].notna().any())

    def mean_of(self, name: str) -> Statistic:
        """Mean of a column over the rows in which it is known."""
        values = self.column(name)
        known = np.isfinite(values)
        return lambda weights: weighted_mean(np.where(known, values, 0.0), weights * known)

    def once_a_fold(self, name: str) -> np.ndarray:
        """A number that was told once of each fold, shape (fold,)."""
        return np.array(list(self._once(name).values()), np.float64)

    def of_each_fold(self, name: str) -> np.ndarray:
        """The same beside each row, shape (row,): for means in which a fold counts as often as it has rows."""
        once = self._once(name)
        return np.array([once[int(fold)] for fold in self.folds], np.float64)

    def _once(self, name: str) -> dict[int, Any]:
        found: dict[int, Any] = {}
        for fold, value in _by_fold(self.rows, name):
            found.setdefault(fold, value)
        return found

    def counted(self, name: str) -> str:
        """What was counted once a fold, in words: ``12``, or ``10 to 14`` where folds differ."""
        found = self.once_a_fold(name)
        few, most = int(found.min()), int(found.max())
        return f"{few:,}" if few == most else f"{few:,} to {most:,}"

    def value(self, statistic: Statistic) -> float:
        """A statistic of all samples."""
        return float(statistic(np.ones(len(self.rows))))

    def interval(self, statistic: Statistic) -> Interval:
        """A statistic and its interval over subjects."""
        return interval(statistic, self.weights)

    def result(
        self, metric: str, found: Interval, *, higher: bool, chance: float, baseline: float, baseline_name: str,
        sentence: str = "", passed: bool | None = None, part: str = "", known: np.ndarray | None = None,
    ) -> Result:  # fmt: skip
        """A result of this part, or of what ``part`` names, over all samples or those that are ``known``."""
        subjects = self.rows["subject"].to_numpy()
        subjects = subjects if known is None else subjects[known]
        return Result(
            protocol=self.protocol,
            metric=metric,
            part=part or self.part,
            value=found.value,
            low=found.low,
            high=found.high,
            chance=chance,
            baseline=baseline,
            baseline_name=baseline_name,
            higher_is_better=higher,
            n_samples=len(subjects),
            n_subjects=len(np.unique(subjects)),
            passed=None if passed is None else bool(passed),
            sentence=sentence,
        )
