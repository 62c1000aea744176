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
