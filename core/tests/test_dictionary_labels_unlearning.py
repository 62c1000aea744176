"""Unlearning: a label with features of its own is forgotten, and the others are kept."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from made_labelled_rows import (
    PEOPLE,
    TRUE,
    assessed,
    context,
    fold_of,
    mixed,
    model,
    probing,
    rows,
    scr,
    tpp,
    unlearned,
)

from pellucid.errors import NotMeasurable
from pellucid.protocols.dictionaries.by_labels.unlearning import UNTOUCHED


def test_a_label_with_a_feature_of_its_own_is_forgotten_and_the_other_kept():
    data = rows()
    found, results = assessed(unlearned(), data, model(data))
    assert found["features"].iloc[0].split(", ")[0] == "f0"
    assert results["unlearning"].value > 0.97
    assert results["unlearning"].chance < 0.1
    assert results["unlearning"].n_samples == int(
        fold_of(data, model(data)).test("topk").frame.drop_duplicates("source")["loud"].sum()
    )
    assert results["retained"].value > 0.97
    assert results["retained"].n_subjects == PEOPLE / 3


def test_a_mixed_dictionary_forgets_nothing():
    data = rows()
    found, results = assessed(unlearned(), data, model(data, mixed()))
    assert set(found["features"]) == {UNTOUCHED}
    assert results["unlearning"].value == results["unlearning"].chance
    assert results["unlearning"].value < 0.1
    assert "nothing is clamped" in results["unlearning"].sentence


def test_where_nothing_needs_to_go_it_is_not_said_that_something_would_be_lost():
    """Features of the label are on too often without it, so that no setting clamps any, and all settings keep everything."""
    data = rows()
    _, results = assessed(unlearned(retain_densities=(0.0,), tops=(1,), strengths=(1e-6,)), data, model(data))
    assert results["retained"].value > 0.97
    assert results["unlearning"].sentence.startswith(
        "No setting makes the probe miss more training samples with yes (loud) and keeps 99% of what probes of other labels say there"
    )


def test_a_label_alone_is_not_forgotten_as_nobody_could_say_what_is_harmed():
    data = rows()
    data.frame[["quiet", "coin"]] = 0.0
    with pytest.raises(NotMeasurable, match="there is no other label with samples enough, which must not be harmed"):
        assessed(unlearned(keep=()), data, model(data))


def test_numbers_of_features_that_make_no_sense_are_refused():
    for made, option in ((probing, "ks"), (tpp, "ns"), (scr, "ns"), (unlearned, "tops")):
        for numbers in ((0,), (-1,), (2, 2)):
            with pytest.raises(ValueError, match=r"greater than or equal to 1|each number once"):
                made(**{option: numbers})
        made(**{option: (1, 2)})
    for wrong in ({"strengths": (0.0,)}, {"strengths": (float("nan"),)}, {"retain_densities": (-0.1,)}):
        with pytest.raises(ValueError, match=r"greater than|finite"):
            unlearned(**wrong)


def test_one_feature_is_told_in_the_singular():
    data = rows()
    for protocol, metric in ((tpp(ns=(1,)), "tpp_1"), (scr(), "scr_1")):
        assert "the 1 feature of " in assessed(protocol, data, model(data))[1][metric].sentence


def test_what_each_fold_clamped_is_said():
    data = rows()
    found, _ = assessed(unlearned(), data, model(data))
    folds = [found.assign(fold=at, features=one) for at, one in enumerate(("f0", UNTOUCHED, "f0"))]
    sentence = unlearned().conclude(pd.concat(folds, ignore_index=True), context(data))[0].sentence
    assert sentence.startswith(f"With f0 | {UNTOUCHED} (by fold) of “topk” clamped, ")


def test_a_feature_that_other_labels_need_is_left_alone():
    """On with ``loud`` alone, so that densities allow it, but its atom goes along ``quiet`` too."""
    data = rows()
    made = model(data)
    with torch.no_grad():
        made.head.directions[0] = (TRUE[0] + 2 * TRUE[1]) / 5**0.5
    found, results = assessed(unlearned(), data, made)
    assert set(found["features"]) == {UNTOUCHED}
    assert results["retained"].value > 0.97
