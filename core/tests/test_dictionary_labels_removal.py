"""Removal of spurious correlations: a misled probe is made fair, and no other."""

from __future__ import annotations

import pytest
from made_labelled_rows import assessed, at_random, model, rows, scr


def test_a_misled_probe_is_made_fair_by_features_of_what_misled_it():
    # With features of yes alone, all that a probe says would move to one side of its threshold when they are off.
    data = rows(both=True, others=0.1)
    found, results = assessed(scr(ns=(2,)), data, model(data))
    one = results["scr_2"]
    assert one.value == pytest.approx(1, abs=0.15)
    assert one.low <= one.value <= one.high
    assert one.baseline < 0.3
    base, oracle = (found.groupby("combination")[name].mean().mean() for name in ("base", "oracle"))
    assert base < 0.8
    assert oracle > 0.95
    assert f"is right about {base:.1%}" in one.sentence
    _, results = assessed(scr(ns=(2,)), data, model(data, at_random()))
    assert abs(results["scr_2"].value) < 0.3


def test_a_probe_that_was_not_misled_has_nothing_to_be_given_back():
    data = rows(both=True)
    _, results = assessed(scr(wanted="loud", spurious="coin"), data, model(data))
    assert results["scr_1"].value == 0
    assert "There is nothing to give back" in results["scr_1"].sentence
