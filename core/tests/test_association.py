"""Rank tests of many columns at once: the same as one by one in another library, and honest under chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact, mannwhitneyu, spearmanr

from pellucid.statistics.association import with_label, with_rating
from pellucid.statistics.false_discovery import benjamini_hochberg


def columns(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    label = (random.random(80) < 0.3).astype(float)
    found = random.normal(size=(80, 6))
    found[:, 0] += 1.5 * label
    found[:, 1] = np.maximum(found[:, 1], 0.0)  # half of them tied at zero, as codes are
    found[:, 2] = np.round(found[:, 2] - label)
    found[:, 3] = 4.0
    return found, label, random.normal(size=80) + found[:, 0]


def test_labels_are_tested_as_one_by_one():
    found, label, _ = columns()
    tested = with_label(found, label)
    for at in (0, 1, 2, 4, 5):
        one = mannwhitneyu(found[label == 1, at], found[label == 0, at], use_continuity=False, method="asymptotic")
        area = one.statistic / ((label == 1).sum() * (label == 0).sum())
        assert tested.strength[at] == pytest.approx(area, abs=1e-12)
        assert tested.p[at] == pytest.approx(one.pvalue, rel=1e-9)
    assert np.isnan(tested.strength[3])
    assert tested.p[3] == 1


def test_ratings_are_correlated_as_one_by_one():
    found, _, rating = columns()
    tested = with_rating(found, rating)
    for at in (0, 1, 2, 4, 5):
        assert tested.strength[at] == pytest.approx(spearmanr(found[:, at], rating).statistic, abs=1e-12)
    # The normal approximation against the usual one by Student's t.
    assert tested.p[4] == pytest.approx(spearmanr(found[:, 4], rating).pvalue, abs=0.01)
    assert tested.p[0] < 1e-6
    assert tested.p[3] == 1


def test_a_twentieth_of_unrelated_columns_is_below_a_twentieth():
    random = np.random.default_rng(3)
    label, rating = (random.random(60) < 0.4).astype(float), random.normal(size=60)
    codes = np.maximum(random.normal(size=(60, 4000)), 0.3)
    for tested in (with_label(codes, label), with_rating(codes, rating)):
        assert 0.035 < (tested.p < 0.05).mean() < 0.065


def test_one_class_alone_says_nothing():
    tested = with_label(np.arange(6.0)[:, None], np.ones(6))
    assert np.isnan(tested.strength).all()
    assert (tested.p == 1).all()


def rare(count: int = 400, width: int = 256, seed: int = 0) -> tuple[np.ndarray, np.random.Generator]:
    """Codes of features that are on in few samples, unrelated to anything."""
    random = np.random.default_rng(seed)
    codes = np.zeros((count, width))
    for at in range(width):
        some = random.choice(count, random.choice([1, 2, 3, 5, 10, 50]), replace=False)
        codes[some, at] = random.random(len(some)) + 0.1
    return codes, random


def test_rare_features_that_meet_a_rare_label_by_chance_are_no_discovery():
    found = []
    for seed in range(10):
        codes, random = rare(seed=seed)
        several = []
        for yes in (4, 8, 20, 100):
            label = np.zeros(len(codes))
            label[random.choice(len(codes), yes, replace=False)] = 1
            several += [with_label(codes, label), with_label(codes, 1 - label), with_rating(codes, label * 3 + 1)]
        found.append(bool((benjamini_hochberg(np.stack([one.p for one in several])) <= 0.05).any()))
    assert sum(found) <= 2


def test_a_rare_feature_of_a_rare_label_is_found_by_the_exact_test():
    codes, random = rare()
    label = np.zeros(len(codes))
    label[:8] = 1
    codes[:, 0] = 0
    codes[2:8, 0] = random.random(6) + 0.1
    codes[100, 0] = 0.5
    for tested in (with_label(codes, label), with_rating(codes, label)):
        table = [[6, 2], [1, len(codes) - 9]]
        assert tested.p[0] == pytest.approx(2 * fisher_exact(table, alternative="greater").pvalue, rel=1e-9)
    assert benjamini_hochberg(with_label(codes, label).p)[0] < 1e-3
