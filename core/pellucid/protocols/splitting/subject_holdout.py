"""One split: some subjects are learnt from, others judged; drawn here, by time, or as the makers of a dataset laid down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, model_validator

from pellucid.data.dataset import Dataset
from pellucid.data.splits import Split, deal, inner_split
from pellucid.data.table import numbers
from pellucid.errors import DataError, LeakageError, nearest
from pellucid.part import Config
from pellucid.protocols.base import Splitting
from pellucid.protocols.splitting.nested_subject_cv import checked, named

if TYPE_CHECKING:
    import pandas as pd

SIDES = {"train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation",
         "dev": "validation", "test": "test"}  # fmt: skip
"""Words that datasets use for the sides of their official split, in lower case."""


LEFT_OUT = "left out"
"""Side of whom nothing is learnt from and nothing is judged on."""


class SubjectHoldoutConfig(Config):
    """Settings of :class:`SubjectHoldout`.

    Parameters
    ----------
    test : float
        Share of the samples that is judged on; with ``column`` the column decides.
    validation : float
        Share of the other samples that is kept for early stopping and thresholds, unless the column names some.
    column : str, optional
        Frame column with an official split: ``train``, ``validation`` (may be absent) and ``test``.
    otherwise : {"refuse", "drawn"}
        What to do with data that lack the column, or of which nobody stands on the test side (the published training part
        alone): refuse them, or draw the sides as if no column were named.
    newest : str, optional
        Frame column of times (``"year"``): the newest samples are judged on, by models of the older ones. Newer samples of a
        group that is known before are left out: they would be near copies from the future, or from the past.
    apart : tuple of str
        See :class:`~pellucid.protocols.splitting.nested_subject_cv.NestedSubjectCvConfig`.
    """

    test: float = Field(default=0.25, gt=0, lt=1)
    validation: float = Field(default=0.2, gt=0, le=0.5)
    column: str | None = None
    otherwise: Literal["refuse", "drawn"] = "refuse"
    newest: str | None = None
    apart: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_rule(self) -> SubjectHoldoutConfig:
        if self.newest is not None and self.column is not None:
            raise ValueError("column lays the sides down and newest goes by time; say one of them")
        return self


class SubjectHoldout(Splitting):
    """Fit on some subjects, judge on others, once; with an official split where the dataset has one."""

    config_type = SubjectHoldoutConfig
    config: SubjectHoldoutConfig

    @property
    def validation(self) -> float:
        """As the settings say."""
        return self.config.validation

    @property
    def apart(self) -> tuple[str, ...]:
        """As the settings say."""
        return self.config.apart

    def splits(self, dataset: Dataset, target: str, seed: int) -> Iterator[Split]:
        """One split.

        Raises
        ------
        DataError
            If there are too few subjects, a side is left with one class or equal numbers, or the column is missing or holds other words.
        LeakageError
            If the official split has a subject on two sides.
        """
        kept = dataset.keeping_apart(self.config.apart)
        sets, strata = self.sets(kept), self.strata(dataset, target)
        if not self._laid_down(dataset) and (count := len(np.unique(sets))) < 3:
            several = kept.spec.group_word[1]
            raise DataError(
                f"{named(dataset, target)}: training, validation and test need at least 3 {several}, got {count}: add {several} "
                f"({several} that share any group count as one)"
            )
        if self.config.newest is not None:
            side = self._by_time(dataset, sets)
        else:
            side = self._official(kept, sets) if self._laid_down(dataset) else self._drawn(sets, strata, seed)
        test = np.flatnonzero(side == "test")
        rest = np.flatnonzero((side != "test") & (side != LEFT_OUT))
        for name, positions in (("test", test), ("training", rest)):
            if not len(positions):
                raise DataError(f"{named(dataset, target)}: no labelled sample is on the {name} side")
        train, held = np.flatnonzero(side == "train"), np.flatnonzero(side == "validation")
        if not len(held):
            try:
                at, chosen = inner_split(
                    sets[rest],
                    strata[rest],
                    validation=self.config.validation,
                    seed=seed + 1,
                    several=kept.spec.group_word[1],
                )
            except DataError as error:
                raise DataError(f"{named(dataset, target)}: {error}") from None
            train, held = rest[at], rest[chosen]
        yield from checked([Split(0, train, held, test)], kept, target)

    def _laid_down(self, dataset: Dataset) -> bool:
        """Whether the sides are as a column says."""
        column = self.config.column
        if column is None or self.config.otherwise == "refuse":
            return column is not None
        if column not in dataset.frame.columns:
            return False
        # A word that names no side is no reason to draw: the column is there, and to be mended.
        return any(SIDES.get(word, "test") == "test" for word in _words(dataset, column).unique())

    def _by_time(self, dataset: Dataset, sets: np.ndarray) -> np.ndarray:
        column, name = str(self.config.newest), dataset.spec.name
        if column not in dataset.frame.columns:
            known = list(map(str, dataset.frame.columns))
            raise DataError(f"dataset {name!r} has no column {column!r} of times{nearest(column, known)}")
        times = numbers(dataset.frame, [column])[:, 0]
        if np.isnan(times).any():
            at = int(np.flatnonzero(np.isnan(times))[0])
            raise DataError(
                f"dataset {name!r}, column {column!r}: no time is known of sample {dataset.frame.index[at]!r}"
            )
        newer = times > np.quantile(times, 1 - self.config.test, method="lower")
        if not newer.any():
            newer = times == times.max()
        old = np.bincount(sets[~newer], minlength=sets.max() + 1) > 0
        return np.where(~newer, "train", np.where(old[sets], LEFT_OUT, "test"))

    def _drawn(self, sets: np.ndarray, strata: np.ndarray, seed: int) -> np.ndarray:
        part = deal(sets, strata, [1 - self.config.test, self.config.test], seed)
        return np.where(part == 1, "test", "train")

    def _official(self, dataset: Dataset, sets: np.ndarray) -> np.ndarray:
        column, name = self.config.column, dataset.spec.name
        if column not in dataset.frame.columns:
            known = list(map(str, dataset.frame.columns))
            raise DataError(
                f"dataset {name!r} has no column {column!r} for an official split{nearest(str(column), known)}"
            )
        words = _words(dataset, str(column))
        strange = ~words.isin(list(SIDES))
        if strange.any():
            at = int(np.flatnonzero(strange)[0])
            raise DataError(
                f"dataset {name!r}, column {column!r}: sample {dataset.frame.index[at]!r} has "
                f"{dataset.frame[column].iloc[at]!r}; an official split says train, validation or test"
            )
        side = words.map(SIDES).to_numpy(str)
        where = np.stack(
            [np.bincount(sets[side == s], minlength=sets.max() + 1) > 0 for s in ("train", "validation", "test")]
        )
        both = int((where.sum(0) > 1).sum())
        if both:
            groups = ", ".join(map(repr, dataset.spec.groups))
            raise LeakageError(
                f"dataset {name!r}, column {column!r}: {both} {dataset.spec.group_word[both > 1]}, or chains of them through {groups}, "
                f"stand on more than one side of this split; a model would be scored on what it has learnt from. Leave the column "
                f"out to have {dataset.spec.group_word[1]} dealt here, or mend the split"
            )
        return side


def _words(dataset: Dataset, column: str) -> pd.Series:
    return dataset.frame[column].astype(str).str.strip().str.lower()
