"""From rows to verdicts, on rows made by hand: the figures are those that a pencil gives."""

import numpy as np
import pandas as pd
import pytest

from pellucid.data import Binary, DataSpec, Vector
from pellucid.heads.base import HeadTags
from pellucid.protocols.base import Context
from pellucid.protocols.explanations.conclusions import Conclusions

COUNT = 40


def verdicts(**columns):
    spec = DataSpec(
        name="made", namespace="made", inputs={"x": Vector(names=("a",))}, targets={"y": Binary(names=("no", "yes"))}
    )
    tags = HeadTags(family="function")
    context = Context(spec, "y", {"head": tags}, "training mean", 0)
    rows = pd.DataFrame(
        {"fold": 0, "subject": [str(i) for i in range(COUNT)], "gap": 0.0, "output": 1.0, "distance": 2.0, **columns}
    )
    return {r.metric: r for r in Conclusions(rows, "head", context, 200, tags).results()}


def areas(own: float, random: float, size: float, tendency: float, name: str) -> dict[str, float]:
    return {
        f"{name}_area": own,
        f"{name}_random_area": random,
        f"{name}_size_area": size,
        f"{name}_tendency_area": tendency,
    }


def test_deletion_gains_what_the_curve_falls_below_random_order():
    found = verdicts(**areas(0.2, 0.5, 0.45, 0.4, "deletion"))["deletion"]
    assert (found.value, found.baseline, found.passed) == (pytest.approx(0.3), pytest.approx(0.1), True)
    assert found.sentence.startswith("Taking away")


def test_insertion_gains_what_the_curve_rises_above_random_order():
    found = verdicts(**areas(0.9, 0.5, 0.55, 0.7, "insertion"))["insertion"]
    assert (found.value, found.baseline, found.passed) == (pytest.approx(0.4), pytest.approx(0.2), True)
    assert found.sentence.startswith("Starting from nothing")


@pytest.mark.parametrize(("own", "passed"), [(0.39, False), (0.41, False), (0.6, False), (0.38, True)])
def test_an_order_must_be_ahead_of_the_better_trivial_one_by_a_twentieth_of_its_gain(own, passed):
    # The better trivial order gains 0.1, so 0.005 more is asked for; 0.39 is 0.01 ahead of 0.4 but spread decides.
    spread = np.where(np.arange(COUNT) % 2, 0.03, -0.03)
    columns = areas(own, 0.5, 0.45, 0.4, "deletion") | {"deletion_area": own + spread}
    assert verdicts(**columns)["deletion"].passed is passed


def test_likeness_is_nought_for_unrelated_and_one_for_equal_explanations():
    for alike, likeness in ((0.2, 0.0), (1.0, 1.0), (0.6, 0.5)):
        found = verdicts(similarity=alike, similarity_unrelated=0.2)["randomisation"]
        assert found.value == pytest.approx(likeness)
        assert found.passed is (likeness < 0.5)
    assert "randomisation" not in verdicts(similarity=1.0, similarity_unrelated=1.0)


def test_stability_is_the_change_of_the_explanation_over_that_of_the_output():
    found = verdicts(change=0.04, change_output=0.02)["stability"]
    assert (found.value, found.passed) == (pytest.approx(2.0), True)
    assert verdicts(change=0.08, change_output=0.02)["stability"].passed is False


def test_a_gap_above_rounding_fails_a_head_that_claims_to_add_up():
    assert verdicts()["completeness_gap"].passed
    gaps = np.zeros(COUNT)
    gaps[7] = 2e-4
    found = verdicts(gap=gaps)
    assert not found["completeness_gap"].passed
    assert found["completeness_gap_largest"].value == pytest.approx(2e-4)
    assert found["completeness_gap"].chance == pytest.approx(2.0)
