"""Splits: no subject on two sides, ever; folds of like size and balance; clear refusals."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.data import ArrayDataset, Binary, DataSpec, Regression, Vector
from pellucid.data.splits import (
    Split,
    components_of,
    deal,
    inner_split,
    nested_splits,
    refuse_equal_numbers,
    refuse_one_class,
    subject_folds,
)
from pellucid.errors import DataError, LeakageError
from pellucid.part import configured
from pellucid.protocols.splitting.nested_subject_cv import NestedSubjectCv, NestedSubjectCvConfig
from pellucid.protocols.splitting.subject_holdout import SubjectHoldout, SubjectHoldoutConfig


def cohort(subjects, labels, **columns):
    """A dataset with a binary target, a number, and further columns."""
    n = len(subjects)
    groups = ("subject", *[c for c in columns if c.startswith("group")])
    spec = DataSpec(
        name="cohort",
        inputs={"x": Vector(names=("a",))},
        targets={"ill": Binary(names=("well", "ill")), "grade": Regression(names=("grade",), units=("1",))},
        groups=groups,
        namespace="cohort",
    )
    frame = pd.DataFrame({"subject": subjects, "ill": labels, "grade": np.arange(n) / n, **columns})
    frame.index = [f"s{i}" for i in range(n)]
    return ArrayDataset(spec, frame, {"x": np.zeros((n, 1), np.float32)})


@st.composite
def groups_of_samples(draw):
    """Names in one to three group columns, and labels."""
    n, columns = draw(st.integers(6, 60)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 100_000)))
    names = rng.integers(0, draw(st.integers(2, 40)), (n, columns)).astype(str).astype(object)
    return names, rng.integers(0, 2, n)


@given(groups_of_samples(), st.integers(2, 6), st.sampled_from([0.1, 0.2, 0.35, 0.5]), st.integers(0, 9))
@settings(max_examples=150, deadline=None)
def test_no_subject_ever_stands_on_two_sides(data, folds, validation, seed):
    names, labels = data
    sets = components_of(names)
    count = len(np.unique(sets))
    if count < folds or count <= 2:
        return
    tested = np.zeros(len(labels), int)
    try:
        splits = list(nested_splits(sets, labels, folds=folds, validation=validation, seed=seed))
    except DataError:
        # With as many folds as sets but one, a training side may hold a single set.
        assert count - folds <= 1 or folds == 2
        return
    for split in splits:
        sides = [split.train, split.validation, split.test]
        assert all(len(side) for side in sides)
        assert sorted(np.concatenate(sides)) == list(range(len(labels)))
        for column in names.T:
            for at in range(3):
                others = np.concatenate([s for i, s in enumerate(sides) if i != at])
                assert not set(column[sides[at]]) & set(column[others])
        tested[split.test] += 1
    assert (tested == 1).all()


@given(groups_of_samples())
@settings(max_examples=100, deadline=None)
def test_sets_are_the_connected_parts_of_the_graph_of_samples_and_names(data):
    names, _ = data
    graph = nx.Graph()
    for sample, row in enumerate(names):
        graph.add_node(sample)
        graph.add_edges_from((sample, (column, name)) for column, name in enumerate(row))
    expected = {frozenset(n for n in part if isinstance(n, int)) for part in nx.connected_components(graph)}
    sets = components_of(names)
    assert {frozenset(np.flatnonzero(sets == s).tolist()) for s in np.unique(sets)} == expected
    _, first = np.unique(sets, return_index=True)
    assert (np.diff(first) > 0).all()


def test_a_chain_of_shared_names_is_one_set():
    names = np.array([["a", "1"], ["b", "1"], ["b", "2"], ["c", "2"], ["d", "3"]], object)
    assert components_of(names).tolist() == [0, 0, 0, 0, 1]
    # The same word in two columns is no link: subject 1 is not scanner 1.
    assert components_of(np.array([["1", "2"], ["2", "3"]], object)).tolist() == [0, 1]


def test_whole_numbers_are_one_name_however_they_are_stored():
    assert components_of(np.array([[7], [7.0], ["7"], [np.float32(7)], ["07"]], object)).tolist() == [0, 0, 0, 0, 1]
    assert components_of(np.zeros((0, 1), object)).tolist() == []


@given(st.integers(0, 10_000), st.integers(2, 8), st.integers(0, 30))
@settings(max_examples=100, deadline=None)
def test_folds_are_never_empty_and_repeat_for_a_seed(seed, folds, more):
    rng = np.random.default_rng(seed)
    sets = np.concatenate([np.arange(folds), rng.integers(0, folds, more)])
    labels = rng.integers(0, 3, len(sets))
    fold_of = subject_folds(sets, labels, folds, seed)
    assert (np.bincount(fold_of, minlength=folds) > 0).all()
    assert np.array_equal(fold_of, subject_folds(sets, labels, folds, seed))


def test_another_seed_deals_otherwise():
    sets, labels = np.arange(60), np.arange(60) % 2
    assert (subject_folds(sets, labels, 5, 0) != subject_folds(sets, labels, 5, 1)).any()


@pytest.mark.parametrize("seed", range(4))
def test_folds_of_a_clinical_cohort_are_alike_in_size_and_share_of_yes(seed):
    # As in lung lesions: most subjects have one or two samples, a few have many, and subjects differ in their rate.
    rng = np.random.default_rng(seed)
    sizes = rng.geometric(0.5, 600)
    sizes[:5] = 20
    sets = np.repeat(np.arange(600), sizes)
    labels = (rng.random(len(sets)) < np.repeat(rng.beta(1, 2, 600), sizes)).astype(int)
    fold_of = subject_folds(sets, labels, 5, seed)
    share = np.array([labels[fold_of == f].mean() for f in range(5)])
    size = np.bincount(fold_of)
    assert np.ptp(share) < 0.01
    assert size.max() / size.min() < 1.02
    at_random = rng.permutation(np.arange(600) % 5)[sets]
    assert np.ptp([labels[at_random == f].mean() for f in range(5)]) > 3 * np.ptp(share)


def test_a_rare_class_is_spread_over_all_folds():
    sets = np.arange(500)
    labels = np.r_[np.ones(5), np.zeros(495)]
    fold_of = subject_folds(sets, labels, 5, 0)
    assert [labels[fold_of == f].sum() for f in range(5)] == [1] * 5


@pytest.mark.parametrize("seed", [1, 3, 4])
def test_one_yes_in_fifty_among_subjects_of_many_samples_is_spread_to_one_more_or_less(seed):
    rng = np.random.default_rng(seed)
    sets = np.repeat(np.arange(300), rng.geometric(0.3, 300))
    labels = (rng.random(len(sets)) < 0.02).astype(int)
    fold_of = subject_folds(sets, labels, 5, seed)
    assert np.ptp(np.bincount(fold_of[labels == 1], minlength=5)) <= 1
    assert np.ptp(np.bincount(fold_of)) <= 1


@pytest.mark.parametrize("validation", [0.1, 0.2, 0.3, 0.4, 0.5])
def test_the_validation_share_is_the_one_asked_for(validation):
    rng = np.random.default_rng(0)
    sets = np.repeat(np.arange(300), rng.geometric(0.5, 300))
    labels = rng.integers(0, 2, len(sets))
    train, held = inner_split(sets, labels, validation=validation, seed=3)
    assert len(held) / len(sets) == pytest.approx(validation, abs=0.01)
    assert labels[held].mean() == pytest.approx(labels.mean(), abs=0.01)
    assert sorted(np.concatenate([train, held])) == list(range(len(sets)))


def test_even_two_unequal_subjects_can_be_dealt_to_learning_and_validation():
    train, held = inner_split(np.array([0, 0, 0, 1]), np.array([0, 1, 0, 1]), validation=0.2, seed=0)
    assert (train.tolist(), held.tolist()) == ([0, 1, 2], [3])
    assert np.bincount(deal(np.arange(3), np.zeros(3), [0.8, 0.1, 0.1], 0)).tolist() == [1, 1, 1]
    with pytest.raises(DataError, match="at least 2 subjects, got 1"):
        inner_split(np.zeros(4, int), np.arange(4) % 2, validation=0.2, seed=0)


def test_fewer_subjects_than_folds_are_refused():
    data = cohort(["a", "a", "b", "b", "c", "c"], [0, 1] * 3)
    with pytest.raises(DataError, match=r"dataset 'cohort', target 'ill': 5 folds need at least 5 subjects, got 3"):
        list(NestedSubjectCv().splits(data, "ill", 0))
    chained = cohort(["a", "b", "c", "d", "e", "f"], [0, 1] * 3, group_site=["1", "1", "2", "2", "3", "3"])
    with pytest.raises(DataError, match=r"got 3.*share any group count as one"):
        list(NestedSubjectCv().splits(chained, "ill", 0))


def test_a_side_with_one_class_is_refused_by_fold_side_and_class():
    lonely = cohort([f"p{i}" for i in range(20)], [1] + [0] * 19)
    with pytest.raises(DataError, match=r"'cohort', target 'ill'.*side of fold \d has \d+ samples, all of class 0"):
        list(NestedSubjectCv().splits(lonely, "ill", 0))
    # Two ill subjects, each in another fold: the training sides have both classes, the validation sides cannot.
    with pytest.raises(DataError, match="validation side"):
        list(
            NestedSubjectCv(NestedSubjectCvConfig(folds=2)).splits(cohort(list("abcdefgh"), [1, 1] + [0] * 6), "ill", 0)
        )
    assert len(list(NestedSubjectCv().splits(lonely, "grade", 0))) == 5
    split = Split(3, np.array([0, 1]), np.array([], int), np.array([2]))
    with pytest.raises(DataError, match="validation side of fold 3 is empty"):
        refuse_one_class(split, np.array([0.0, 1.0, 1.0]), where="here")


def test_messages_of_folds_call_groups_what_the_data_call_them():
    def of(words, labels, count=None, **columns):
        data = cohort([f"p{i}" for i in range(len(labels))] if count is None else count, labels, **columns)
        data.spec = data.spec.model_copy(update={"group_word": words})
        return data

    ring = ("scaffold", "scaffolds")
    lonely, few = [1] + [0] * 19, of(ring, [0, 1] * 3, list("aabbcc"))
    official = of(ring, [0, 1] * 4, list("aabbccdd"), side=["train", "test"] + ["train"] * 4 + ["test"] * 2)
    holdout = SubjectHoldout(SubjectHoldoutConfig(column="side"))
    alone = of(ring, [0, 1] * 4, list("aaaabbbb"), side=["train"] * 4 + ["test"] * 4)
    for made, data, said in (
        (NestedSubjectCv(), few, "5 folds need at least 5 scaffolds, got 3.*add scaffolds .scaffolds that share"),
        (
            NestedSubjectCv(),
            of(ring, lonely),
            "another share of validation scaffolds, or add scaffolds of the rarer class",
        ),
        (SubjectHoldout(), of(ring, [0, 1] * 2, list("aabb")), "need at least 3 scaffolds"),
        (holdout, official, "1 scaffold, or chains .*to have scaffolds dealt here"),
        (holdout, alone, "need at least 2 scaffolds, got 1: add scaffolds"),
    ):
        with pytest.raises((DataError, LeakageError), match=said) as told:
            list(made.splits(data, "ill", 0))
        assert "subject" not in str(told.value).replace("subject'", "")
    # Where others are kept apart, they are meant.
    chained = of(ring, [0, 1] * 3, list("abcdef"), group_site=list("112233"))
    with pytest.raises(DataError, match="at least 5 group_sites, got 3"):
        list(NestedSubjectCv(NestedSubjectCvConfig(apart=("group_site",))).splits(chained, "ill", 0))


def test_equal_numbers_on_a_training_side_are_refused_by_fold_and_value():
    for made in (NestedSubjectCv(), SubjectHoldout()):
        constant = cohort([f"p{i}" for i in range(20)], [0, 1] * 10, grade=2.5)
        with pytest.raises(DataError, match=r"'cohort', target 'grade'.*fold \d 'grade' is 2.5 in all \d+ samples"):
            list(made.splits(constant, "grade", 0))
    # One sample that differs: the fold that tests it has nothing to learn from.
    rare = cohort([f"p{i}" for i in range(20)], [0, 1] * 10, grade=np.r_[1.0, np.zeros(19)])
    with pytest.raises(DataError, match=r"'grade' is 0 in all 1[2-4] samples"):
        list(NestedSubjectCv().splits(rare, "grade", 0))
    # What is unknown is no other value, and another number of the same target does not help.
    split = Split(1, np.arange(3), np.array([3]), np.array([4]))
    values = np.array([[1.0, 2.0], [2.0, np.nan], [3.0, 2.0], [4.0, 3.0], [5.0, 4.0]])
    with pytest.raises(DataError, match="here: on the training side of fold 1 'b' is 2 in all 2 samples"):
        refuse_equal_numbers(split, values, ("a", "b"), where="here")


def test_numbers_are_balanced_by_quintile():
    data = cohort([f"p{i}" for i in range(200)], [0, 1] * 100)
    means = [data.target_values("grade")[s.test].mean() for s in NestedSubjectCv().splits(data, "grade", 0)]
    assert np.ptp(means) < 0.05


def test_nested_cv_has_the_folds_and_shares_of_its_settings():
    config = configured("protocol", "nested-subject-cv", NestedSubjectCvConfig, {"folds": 4, "validation": 0.25})
    data = cohort([f"p{i}" for i in range(160)], [0, 1] * 80)
    splits = list(NestedSubjectCv(config).splits(data, "ill", 0))
    assert [(s.fold, len(s.train), len(s.validation), len(s.test)) for s in splits] == [
        (f, 90, 30, 40) for f in range(4)
    ]
    again = list(NestedSubjectCv(config).splits(data, "ill", 0))
    assert all(np.array_equal(a.validation, b.validation) for a, b in zip(splits, again, strict=True))


def test_a_holdout_has_the_shares_of_its_settings():
    data = cohort([f"p{i // 2}" for i in range(200)], [0, 1] * 100)
    (split,) = SubjectHoldout(SubjectHoldoutConfig(test=0.3, validation=0.1)).splits(data, "ill", 0)
    assert (split.fold, len(split.test), len(split.validation)) == (0, 60, 14)
    subjects = data.frame["subject"].to_numpy()
    assert not set(subjects[split.test]) & set(subjects[np.r_[split.train, split.validation]])
    assert not set(subjects[split.train]) & set(subjects[split.validation])
    with pytest.raises(DataError, match="at least 3 subjects, got 2"):
        list(SubjectHoldout().splits(cohort(["a", "a", "b", "b"], [0, 1, 0, 1]), "ill", 0))


def test_a_holdout_of_too_few_sentences_speaks_of_sentences():
    data = cohort(["a", "b", "c", "d"], [0, 1, 0, 1], sentence=["s1", "s1", "s2", "s2"])
    data.spec = data.spec.model_copy(update={"groups": ("subject", "sentence")})
    with pytest.raises(DataError, match=r"'cohort', target 'ill': .* at least 3 sentences, got 2: add sentences"):
        list(SubjectHoldout(SubjectHoldoutConfig(apart=("sentence",))).splits(data, "ill", 0))


def test_an_official_split_is_kept_as_it_is():
    side = ["Train", "train ", "val", "val", "test", "TEST"]
    data = cohort(["a", "b", "c", "d", "e", "f"], [0, 1] * 3, split=side)
    (split,) = SubjectHoldout(SubjectHoldoutConfig(column="split")).splits(data, "ill", 0)
    assert (split.train.tolist(), split.validation.tolist(), split.test.tolist()) == ([0, 1], [2, 3], [4, 5])


def test_an_official_split_without_validation_gets_some_from_its_training_subjects():
    data = cohort([f"p{i // 2}" for i in range(60)], [0, 1] * 30, split=["train"] * 40 + ["test"] * 20)
    (split,) = SubjectHoldout(SubjectHoldoutConfig(column="split")).splits(data, "ill", 0)
    assert split.test.tolist() == list(range(40, 60))
    assert len(split.validation) == 8
    assert sorted(np.r_[split.train, split.validation]) == list(range(40))


def test_an_official_split_is_drawn_where_the_data_have_none_if_asked_to():
    asked = SubjectHoldoutConfig(column="split", otherwise="drawn", test=0.3)
    subjects, labels = [f"p{i // 2}" for i in range(60)], [0, 1] * 30
    (drawn,) = SubjectHoldout(SubjectHoldoutConfig(test=0.3)).splits(cohort(subjects, labels), "ill", 4)
    for sides in ({}, {"split": ["Training"] * 60}, {"split": ["train"] * 50 + ["val"] * 10}):
        (split,) = SubjectHoldout(asked).splits(cohort(subjects, labels, **sides), "ill", 4)
        assert split.test.tolist() == drawn.test.tolist()
        assert split.train.tolist() == drawn.train.tolist()
    official = cohort(subjects, labels, split=["train"] * 50 + ["test"] * 10)
    (split,) = SubjectHoldout(asked).splits(official, "ill", 4)
    assert split.test.tolist() == list(range(50, 60))
    with pytest.raises(DataError, match="sample 's59' has 'hold'"):
        list(SubjectHoldout(asked).splits(cohort(subjects, labels, split=["train"] * 59 + ["hold"]), "ill", 4))


def test_an_official_split_that_leaks_is_refused_with_the_number_of_subjects():
    data = cohort(["a", "b", "c", "a", "d", "d"], [0, 1] * 3, split=["train", "train", "val", "test", "val", "test"])
    with pytest.raises(LeakageError, match="column 'split': 2 subject"):
        list(SubjectHoldout(SubjectHoldoutConfig(column="split")).splits(data, "ill", 0))
    chained = cohort(list("abcdef"), [0, 1] * 3, split=["train"] * 3 + ["test"] * 3, group_site=list("123345"))
    with pytest.raises(LeakageError, match=r"1 subject.*'group_site'"):
        list(SubjectHoldout(SubjectHoldoutConfig(column="split")).splits(chained, "ill", 0))


def test_an_official_split_that_cannot_be_read_is_refused():
    data = cohort(list("abcd"), [0, 1] * 2, split=["train", "train", "hold", "test"])
    with pytest.raises(DataError, match="sample 's2' has 'hold'; an official split says"):
        list(SubjectHoldout(SubjectHoldoutConfig(column="split")).splits(data, "ill", 0))
    with pytest.raises(DataError, match=r"no column 'spilt'.*did you mean 'split'"):
        list(SubjectHoldout(SubjectHoldoutConfig(column="spilt")).splits(data, "ill", 0))
    for only, side in (("train", "test"), ("test", "training")):
        with pytest.raises(DataError, match=f"no labelled sample is on the {side} side"):
            list(
                SubjectHoldout(SubjectHoldoutConfig(column="split")).splits(
                    cohort(list("ab"), [0, 1], split=[only] * 2), "ill", 0
                )
            )
    few = cohort(list("abc"), [0, 1, 1], split=["train", "test", "test"])
    with pytest.raises(DataError, match="dataset 'cohort', target 'ill': learning and validation need at least 2"):
        list(SubjectHoldout(SubjectHoldoutConfig(column="split")).splits(few, "ill", 0))
