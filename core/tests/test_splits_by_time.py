"""Splits by time: the newest are judged on, and nobody of them is known from before."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pellucid.data import DataSpec, Regression, Vector
from pellucid.data.arrays import ArrayDataset
from pellucid.errors import DataError
from pellucid.protocols.splitting.subject_holdout import SubjectHoldout, SubjectHoldoutConfig


def dated(years, subjects):
    spec = DataSpec(
        name="made",
        inputs={"x": Vector(names=("x",))},
        targets={"size": Regression(names=("size",), units=("mm",))},
        namespace="made",
    )
    count = len(years)
    frame = pd.DataFrame(
        {"subject": subjects, "year": years, "size": np.arange(count, dtype=float)},
        index=[f"s{at}" for at in range(count)],
    )
    return ArrayDataset(spec, frame, {"x": np.zeros((count, 1), np.float32)})


def sides(data, **options):
    (found,) = SubjectHoldout(SubjectHoldoutConfig(newest="year", test=0.25, **options)).splits(data, "size", 0)
    return found


def test_the_newest_are_judged_on_and_nobody_of_them_is_known_from_before():
    years = np.repeat(np.arange(2000, 2020), 5)
    subjects = np.arange(100)
    # One subject of an old year is seen again in the last one.
    subjects[99] = subjects[3]
    data = dated(years, subjects)
    found = sides(data)
    assert years[found.test].min() == 2015
    assert len(found.test) == 24
    assert 99 not in [*found.test, *found.train, *found.validation]
    assert sorted([*found.train, *found.validation]) == list(range(75))


def test_times_that_are_missing_or_not_there_are_refused():
    years = np.repeat(np.arange(2000.0, 2020.0), 5)
    with pytest.raises(DataError, match="no column 'yaer' of times"):
        next(SubjectHoldout(SubjectHoldoutConfig(newest="yaer")).splits(dated(years, np.arange(100)), "size", 0))
    years[7] = np.nan
    with pytest.raises(DataError, match="no time is known of sample 's7'"):
        sides(dated(years, np.arange(100)))


def test_a_column_and_a_time_cannot_both_decide():
    with pytest.raises(ValueError, match="say one of them"):
        SubjectHoldoutConfig(newest="year", column="split")
