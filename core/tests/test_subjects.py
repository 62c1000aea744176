"""The record of whom a part has learnt from: joined, saved, and a planted leak found by part and number."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.data.subjects import SALT_VARIABLE, LearnedFrom, group_name, pseudonym
from pellucid.errors import LeakageError, RunError

names = st.sets(st.integers(0, 40), max_size=25)


def record(subjects, namespace="here", column="subject"):
    return LearnedFrom.of({column: [f"p{i}" for i in subjects]}, namespace)


@given(names, names, names)
def test_a_leak_is_found_exactly_where_subjects_are_shared_even_after_joining_and_saving(one, other, judged):
    joined = LearnedFrom.from_json(json.loads(json.dumps((record(one) | record(other)).to_json())))
    shared = (one | other) & judged
    assert joined.shared_with(record(judged)) == ({"subject": len(shared)} if shared else {})
    if shared:
        with pytest.raises(
            LeakageError, match=f"'mlp' would be scored on .*: {len(shared)} of {len(judged)} in column 'subject'"
        ):
            joined.refuse(record(judged), part="'mlp'")
    else:
        joined.refuse(record(judged), part="'mlp'")
    assert bool(joined) == bool(one | other)


def test_every_group_column_is_watched():
    learnt = LearnedFrom.of({"drug": ["a", "b"], "microbe": ["x"]}, "lab")
    judged = LearnedFrom.of({"drug": ["c"], "microbe": ["x", "y"]}, "lab")
    with pytest.raises(LeakageError, match=r"tuned on .*: 1 of 2 in column 'microbe'\."):
        learnt.refuse(judged, part="encoder", action="tuned on")
    other = LearnedFrom.of({"scaffold": ["s"]}, "lab")
    assert set((learnt | other).digests) == {"drug", "microbe", "scaffold"}


def test_subjects_of_another_place_are_other_subjects():
    assert not record({1}).shared_with(record({1}, namespace="there"))
    assert not record({1}).shared_with(record({1}, namespace="there", column="site"))
    assert pseudonym("P-7", "here") != pseudonym("P-7", "there")


def test_the_same_people_by_columns_of_other_names_cannot_be_compared():
    """Nobody could tell whether patient 1 is subject 1, so silence would be a leak unseen."""
    with pytest.raises(RunError, match="name the group columns alike"):
        record({1}).shared_with(record({1}, column="patient"))
    again = LearnedFrom.from_json(record({1}).to_json())
    with pytest.raises(RunError, match="name the group columns alike"):
        again.refuse(record({2}, column="patient"), part="x")


def test_a_record_made_with_another_salt_cannot_be_compared(monkeypatch):
    before = record({1, 2})
    monkeypatch.setenv(SALT_VARIABLE, "a hospital's secret")
    after = record({3})
    for compare in (lambda: before.shared_with(after), lambda: before | after, lambda: before.refuse(after, part="x")):
        with pytest.raises(RunError, match=SALT_VARIABLE):
            compare()
    assert not record({1}).digests["subject"] & before.digests["subject"]
    # Whoever has learnt from nobody cannot leak, whatever the salt.
    assert (LearnedFrom() | before) == before == (before | LearnedFrom())
    assert LearnedFrom(fingerprint="another").shared_with(before) == {}


def test_names_do_not_stand_in_a_record():
    text = json.dumps(record(range(5)).to_json())
    assert "p1" not in text
    assert pseudonym("Jane Doe", "here") not in text
    assert len(set(pseudonym(i, "here") for i in range(1000))) == 1000


@pytest.mark.parametrize("value", [7, 7.0, np.int64(7), np.float64(7), np.float32(7), "7"])
def test_whole_numbers_are_one_name_however_a_table_stored_them(value):
    assert group_name(value) == "7"
    assert pseudonym(value, "here") == pseudonym(7, "here")
    with_gap = pd.Series([7, None])
    assert LearnedFrom.of({"subject": with_gap.dropna()}, "n") == LearnedFrom.of({"subject": [value]}, "n")


def test_other_numbers_and_words_keep_their_own_names():
    assert [group_name(v) for v in (7.5, "007", "7.0", np.inf, True, -2.0)] == [
        "7.5",
        "007",
        "7.0",
        "inf",
        "True",
        "-2",
    ]


@pytest.mark.parametrize(
    "broken", [{}, {"salt": "x"}, {"digests": {}}, {"digests": [], "salt": "x"}, {"digests": {}, "salt": 3}]
)
def test_a_damaged_record_is_refused(broken):
    with pytest.raises(RunError, match="lacks 'digests' or 'salt'"):
        LearnedFrom.from_json(broken)


def test_rows_of_known_members_are_found_by_any_column_and_in_their_own_namespace():
    seen = LearnedFrom.of({"subject": ["a", 7], "drug": ["x"]}, "here")
    groups = {"subject": ["a", "b", 7.0, "b"], "drug": ["y", "y", "y", "x"]}
    assert seen.knows(groups, "here").tolist() == [True, False, True, True]
    assert seen.knows({"subject": groups["subject"]}, "here").tolist() == [True, False, True, False]
    assert not seen.knows(groups, "there").any()
    assert not LearnedFrom().knows(groups, "here").any()
    assert seen.knows({"site": ["a"]}, "here").tolist() == [False]
