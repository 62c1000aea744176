"""Cross-validation over subjects, with validation subjects inside each training side."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from pellucid.data.dataset import Dataset
from pellucid.data.splits import Split, nested_splits, refuse_equal_numbers, refuse_one_class
from pellucid.errors import DataError
from pellucid.part import Config
from pellucid.protocols.base import Splitting


class NestedSubjectCvConfig(Config):
    """Settings of :class:`NestedSubjectCv`.

    Parameters
    ----------
    folds : int
        Every subject is tested once, by models that have learnt from the other folds.
    validation : float
        Share of each training side that is kept for early stopping and thresholds.
    apart : tuple of str
        Group columns that are kept apart; all of the dataset's where none is named. Members of the others are then learnt
        from and tested, and every result says so: ``apart = ["sentence"]`` gives "unseen sentences, seen subjects".
    """

    folds: int = Field(default=5, ge=2)
    validation: float = Field(default=0.2, gt=0, le=0.5)
    apart: tuple[str, ...] = ()


class NestedSubjectCv(Splitting):
    """Every subject is tested once; early stopping and thresholds use validation subjects of the training side alone."""

    config_type = NestedSubjectCvConfig
    config: NestedSubjectCvConfig

    @property
    def validation(self) -> float:
        """As the settings say."""
        return self.config.validation

    @property
    def apart(self) -> tuple[str, ...]:
        """As the settings say."""
        return self.config.apart

    def splits(self, dataset: Dataset, target: str, seed: int) -> Iterator[Split]:
        """One split a fold, balanced by label as far as whole subjects allow.

        Raises
        ------
        DataError
            If there are fewer subjects than folds, a side is left with one class, or one number is all that there is to learn from.
        """
        kept = dataset.keeping_apart(self.config.apart)
        sets, strata = self.sets(kept), self.strata(dataset, target)
        try:
            found = list(
                nested_splits(
                    sets,
                    strata,
                    folds=self.config.folds,
                    validation=self.config.validation,
                    seed=seed,
                    several=kept.spec.group_word[1],
                )
            )
        except DataError as error:
            raise DataError(f"{named(dataset, target)}: {error}") from None
        yield from checked(found, kept, target)


def named(dataset: Dataset, target: str) -> str:
    """What is split, for messages."""
    return f"dataset {dataset.spec.name!r}, target {target!r}" if target else f"dataset {dataset.spec.name!r}"


def checked(splits: list[Split], dataset: Dataset, target: str) -> list[Split]:
    """The splits, if each can be learnt from; see :func:`~pellucid.data.splits.refuse_one_class` and
    :func:`~pellucid.data.splits.refuse_equal_numbers`."""
    if target and dataset.spec.target(target).one_class_each:
        labels = np.asarray(dataset.target_values(target))[:, 0]
        for split in splits:
            refuse_one_class(split, labels, where=named(dataset, target), several=dataset.spec.group_word[1])
    if target and dataset.spec.target(target).numeric:
        numbers = dataset.target_values(target)
        for split in splits:
            refuse_equal_numbers(split, numbers, dataset.spec.target(target).outputs, where=named(dataset, target))
    return splits
