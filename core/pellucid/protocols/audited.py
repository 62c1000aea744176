"""Rows of one model in an audit, and how results with intervals over subjects are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pellucid.protocols.base import Context
from pellucid.result import Result
from pellucid.statistics.bootstrap import Interval, Statistic, interval, subject_weights

if TYPE_CHECKING:
    import pandas as pd


ONCE_A_FOLD = "fold:"
"""Begins the names of columns that are the same for all rows of a model and fold."""

FIRST_ROW = "first:"
"""Begins the names of columns that hold something in the first row of a model and fold, and nothing below."""


def in_first_row(lists: Mapping[str, Any], count: int) -> dict[str, list[list[float]]]:
    """Columns for a model and fold of so many rows, with lists in the first and empty ones below."""
    return {
        f"{FIRST_ROW}{name}": [np.asarray(values, float).tolist(), *([] for _ in range(count - 1))]
        for name, values in lists.items()
    }


def from_first_row(rows: pd.DataFrame, name: str) -> np.ndarray:
    """A list that :func:`in_first_row` put into rows of one model and fold; rows of earlier versions may call it by its bare name."""
    column = f"{FIRST_ROW}{name}"
    kept = rows[column if column in rows else name]
    return np.concatenate([np.asarray(one, float) for one in kept])


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

    def once_a_fold(self, name: str) -> np.ndarray:
        """What was measured once a fold, shape (fold,)."""
        values = self.column(f"{ONCE_A_FOLD}{name}")
        return np.array([values[self.folds == fold][0] for fold in np.unique(self.folds)])

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
