"""What follows from the kind of a target: columns, steps between classes, decisions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pellucid.data import Binary, Links, MultiClass, MultiLabel, Ordinal, Regression

YES_OR_NO = Binary(names=("well", "ill"))
KIND = MultiClass(names=("a", "b", "c"))
SIGNS = MultiLabel(names=("fever", "cough"))
GRADE = Ordinal(names=("low", "middle", "high"))
SIZE = Regression(names=("size",), units=("mm",))
SIZES = Regression(names=("width", "height"), units=("mm", "mm"))
BOND = Links(relation="binds")


@pytest.mark.parametrize(
    ("target", "columns"),
    [
        (YES_OR_NO, ["y"]),
        (KIND, ["y"]),
        (SIGNS, ["y:fever", "y:cough"]),
        (MultiLabel(names=("fever",)), ["y:fever"]),
        (GRADE, ["y"]),
        (SIZE, ["y"]),
        (SIZES, ["y:width", "y:height"]),
        (BOND, ["y"]),
    ],
)
def test_several_labels_or_numbers_have_a_column_each(target, columns):
    assert target.columns("y") == columns


@pytest.mark.parametrize("make", [np.array, torch.tensor])
def test_classes_become_one_column_each_and_ordered_ones_the_steps_below_them(make):
    labels = make([[0.0], [2.0], [1.0]])
    assert KIND.steps(labels).tolist() == [[True, False, False], [False, False, True], [False, True, False]]
    assert GRADE.steps(labels).tolist() == [[False, False], [True, True], [True, False]]
    for target in (YES_OR_NO, SIGNS, SIZE, SIZES, BOND):
        assert target.steps(labels) is labels
    assert type(KIND.steps(labels)) is type(GRADE.steps(labels)) is type(labels)


def test_there_are_as_many_steps_as_outputs():
    labels = np.zeros((4, 1))
    for target in (YES_OR_NO, KIND, GRADE, SIZE, BOND):
        assert target.steps(labels).shape[1] == len(target.outputs)


def test_a_probability_at_its_threshold_is_a_yes():
    chances = np.array([[0.2], [0.3], [0.4]])
    for target in (YES_OR_NO, BOND):
        assert target.decide(chances, 0.3).tolist() == [0, 1, 1]
        assert target.decide(chances, np.array([0.1, 0.5, 0.5])).tolist() == [1, 0, 0]
        assert target.decide(chances).tolist() == [0, 0, 0]
    assert SIGNS.decide(np.array([[0.2, 0.9], [0.6, 0.1]]), 0.5).tolist() == [0, 1]


def test_of_classes_the_likeliest_and_of_steps_those_likelier_than_not_decide():
    assert KIND.decide(np.array([[0.2, 0.5, 0.3], [0.4, 0.3, 0.3]]), 0.9).tolist() == [1, 0]
    assert GRADE.decide(np.array([[0.9, 0.6], [0.9, 0.5], [0.1, 0.0]]), 0.9).tolist() == [2, 1, 0]
    assert SIZES.decide(np.array([[2.5, 1.0]]), 0.9).tolist() == [2.5]


def test_labels_have_as_many_values_as_classes():
    assert [t.classes for t in (YES_OR_NO, KIND, SIGNS, GRADE, SIZE, BOND)] == [2, 3, 2, 3, None, 2]


KINDS = {
    "binary": Binary(names=("benign", "malignant")),
    "multiclass": MultiClass(names=("red", "green", "blue")),
    "multilabel": MultiLabel(names=("cough", "fever")),
    "ordinal": Ordinal(names=("low", "middle", "high")),
    "regression": Regression(names=("age", "size"), units=("years", "mm")),
    "links": Links(relation="inhibits"),
}
LABELS = {
    "binary": [[1.0], [0.0], [1.0]],
    "multiclass": [[2.0], [0.0], [2.0]],
    "multilabel": [[1.0, 1.0], [0.0, 0.0], [1.0, np.nan]],
    "ordinal": [[2.0], [0.0], [1.0]],
    "regression": [[40.0, 1.5], [50.0, 2.5], [90.0, 2.0]],
    "links": [[1.0], [0.0], [1.0]],
}
FOLLOWS = {
    "binary": (("benign", "malignant"), ["malignant", "benign"], ["probability"], {"benign": 1, "malignant": 2}, "Malignant or benign?"),
    "multiclass": (
        ("red", "green", "blue"), ["blue", "red"], ["probability:red", "probability:green", "probability:blue"],
        {"red": 1, "green": 0, "blue": 2}, "Which one: red, green and blue?",
    ),
    "multilabel": (
        ("not cough", "cough"), ["cough and fever", "none"], ["probability:cough", "probability:fever"],
        {"cough": 2, "fever": 1}, "Which of these: cough and fever?",
    ),
    "ordinal": (
        ("low", "middle", "high"), ["high", "low"], ["probability:above low", "probability:above middle"],
        {"low": 1, "middle": 1, "high": 1}, "Which step, from low to high?",
    ),
    "regression": (
        (), ["40.000 years, 1.500 mm", "50.000 years, 2.500 mm"], ["number:age", "number:size"],
        {"mean age": 60.0, "mean size": 2.0}, "How much: age and size?",
    ),
    "links": (("not inhibits", "inhibits"), ["inhibits", "none"], ["probability"], {"inhibits": 2}, "Which pairs are linked by inhibits?"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_words_columns_and_balance_follow_from_the_kind(kind):
    target, labels = KINDS[kind], np.array(LABELS[kind])
    classes, said, columns, balance, question = FOLLOWS[kind]
    assert target.class_names() == classes
    assert [target.said(one) for one in labels[:2]] == said
    assert target.output_columns() == columns
    assert target.balance(labels) == balance
    assert target.question() == question


@pytest.mark.parametrize(
    ("kind", "explained", "decided"),
    [
        ("binary", [0, 0], [1.0, 0.0]),
        ("multiclass", [2, 1], [2.0, 1.0]),
        ("multilabel", [1, 1], [0.0, 1.0]),
        ("ordinal", [0, 0], [1.0, 1.0]),
        ("regression", [0, 0], [0.7, 0.1]),
        ("links", [0, 0], [1.0, 0.0]),
    ],
)
def test_what_is_explained_and_called_follows_from_the_kind(kind, explained, decided):
    target = KINDS[kind]
    chances = np.array([[0.7, 0.2, 0.9], [0.1, 0.8, 0.3]])[:, : len(target.outputs)]
    found = target.explained_output(chances, np.array(LABELS[kind])[:2], 0.5)
    assert found.tolist() == explained
    assert [target.decided_output(chances[at : at + 1], 0.5, one)[0] for at, one in enumerate(found)] == decided


def test_each_kind_is_one_of_its_sort():
    def those(fact):
        return {kind for kind, target in KINDS.items() if getattr(target, fact)}

    assert those("yes_or_no") == {"binary", "links"}
    assert those("exclusive") == {"multiclass"}
    assert those("several_labels") == {"multilabel"}
    assert those("numeric") == {"regression"}
    assert those("one_class_each") == {"binary", "multiclass", "ordinal", "links"}
    assert not those("is_partial")
    assert KINDS["multilabel"].model_copy(update={"partial": True}).is_partial


def test_a_no_has_its_own_name_or_is_not_the_yes():
    assert KINDS["binary"].no_name(mark="“{}”") == "“benign”"
    assert KINDS["links"].no_name(mark="“{}”") == "not “inhibits”"
    assert KINDS["multilabel"].class_names("fever") == ("not fever", "fever")


def test_labels_answer_a_question_and_make_strata():
    assert KINDS["multiclass"].halves(np.array(LABELS["multiclass"])).tolist() == [True, False, True]
    assert KINDS["ordinal"].halves(np.array(LABELS["ordinal"])).tolist() == [True, False, False]
    assert KINDS["regression"].halves(np.array(LABELS["regression"])).tolist() == [False, False, True]
    assert KINDS["multilabel"].halves(np.array(LABELS["multilabel"])).tolist() == [True, False, True]
    assert KINDS["regression"].strata(np.arange(10.0)[:, None]).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert KINDS["multilabel"].strata(np.array([[np.nan, 1.0], [1.0, 0.0]])).tolist() == [-1, 1]
