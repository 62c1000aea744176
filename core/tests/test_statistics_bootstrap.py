"""Bootstrap over subjects: against theory, an explicit resampling loop, and planted coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import DataError
from pellucid.statistics.bootstrap import (
    Interval,
    estimate,
    interval,
    percentiles,
    replicated,
    subject_interval,
    subject_weights,
    weighted_mean,
)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=80), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_every_replicate_draws_as_many_subjects_as_there_are_and_keeps_their_samples_together(names, seed):
    subjects = np.array(names)
    weights = subject_weights(subjects, replicates=20, seed=seed)
    unique, first = np.unique(subjects.astype(str), return_index=True)
    assert (weights[:, first].sum(1) == len(unique)).all()
    for name in np.unique(subjects):
        mine = weights[:, subjects == name]
        assert (mine == mine[:, :1]).all()
    assert (weights == np.round(weights)).all()


def test_subjects_are_drawn_within_their_fold():
    subjects = np.arange(60)
    folds = subjects % 3
    weights = subject_weights(subjects, folds, replicates=200, seed=1)
    for fold in range(3):
        assert (weights[:, folds == fold].sum(1) == 20).all()
    assert (subject_weights(subjects, replicates=200, seed=1)[:, folds == 0].sum(1) != 20).any()


def test_folds_of_few_subjects_are_drawn_from_together_so_that_something_varies():
    subjects = np.arange(12)
    weights = subject_weights(subjects, subjects, replicates=500, seed=0)
    assert (weights.sum(1) == 12).all()
    assert weights.var(0).mean() == pytest.approx(11 / 12, rel=0.1)
    nine_and_ten = np.repeat([0, 1], [9, 10])
    weights = subject_weights(np.arange(19), nine_and_ten, replicates=50)
    assert (weights[:, 9:].sum(1) == 10).all()


def test_weights_do_not_depend_on_the_order_of_samples_and_depend_on_the_seed():
    rng = np.random.default_rng(0)
    subjects = rng.integers(0, 40, 100)
    order = rng.permutation(100)
    folds = subjects % 2
    weights = subject_weights(subjects, folds, replicates=30, seed=7)
    assert np.array_equal(weights[:, order], subject_weights(subjects[order], folds[order], replicates=30, seed=7))
    assert not np.array_equal(weights, subject_weights(subjects, folds, replicates=30, seed=8))


def test_counts_follow_the_multinomial_law():
    counts = subject_weights(np.arange(50), replicates=20_000, seed=3)
    assert counts.mean() == 1
    assert counts.var(0).mean() == pytest.approx(49 / 50, rel=0.02)
    covariance = np.cov(counts[:, :20].T)
    assert covariance[~np.eye(20, dtype=bool)].mean() == pytest.approx(-1 / 50, rel=0.1)


def test_a_subject_in_two_folds_is_refused_by_name():
    with pytest.raises(DataError, match=r"subject 'b' stands in strata 0 and 1"):
        subject_weights(np.array(["a", "b", "b"]), np.array([0, 0, 1]))
    with pytest.raises(DataError, match="no samples"):
        subject_weights(np.array([]))


def test_the_interval_of_a_mean_is_that_of_theory():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    value, low, high = subject_interval(values, np.arange(400), replicates=4000)
    half = 1.96 * values.std(ddof=1) / 20
    assert value == pytest.approx(values.mean())
    assert low == pytest.approx(value - half, abs=0.08 * half)
    assert high == pytest.approx(value + half, abs=0.08 * half)


def test_copies_of_a_sample_do_not_narrow_the_interval():
    values = np.random.default_rng(1).normal(size=60)
    once = subject_interval(values, np.arange(60))
    often = subject_interval(np.repeat(values, 25), np.repeat(np.arange(60), 25))
    assert often == pytest.approx(once)
    naive = subject_interval(np.repeat(values, 25), np.arange(1500))
    assert (naive.high - naive.low) < 0.25 * (often.high - often.low)


def test_the_interval_covers_a_planted_mean_in_about_95_of_100_cohorts():
    rng = np.random.default_rng(5)
    covered = 0
    for cohort in range(300):
        subjects = np.repeat(np.arange(80), 3)
        values = rng.normal(size=80)[subjects] + 0.3 * rng.normal(size=240)
        _, low, high = subject_interval(values, subjects, replicates=300, seed=cohort)
        covered += low <= 0 <= high
    assert 0.90 <= covered / 300 <= 0.98


def test_replicates_are_those_of_an_explicit_loop():
    rng = np.random.default_rng(2)
    subjects, values = rng.integers(0, 9, 30), rng.normal(size=30)
    weights = subject_weights(subjects, replicates=50)
    slow = [np.repeat(values, w.astype(int)).mean() for w in weights]
    assert replicated(lambda w: weighted_mean(values, w), weights) == pytest.approx(slow)
    found = interval(lambda w: weighted_mean(values, w), weights)
    assert found == pytest.approx((values.mean(), *np.quantile(slow, [0.025, 0.975])))


def test_many_samples_are_handled_in_blocks_with_the_same_figures(monkeypatch):
    values = np.random.default_rng(0).normal(size=40)
    weights = subject_weights(np.arange(40), replicates=77)
    whole = replicated(lambda w: weighted_mean(values, w), weights)
    sizes = []
    monkeypatch.setattr("pellucid.statistics.bootstrap.BLOCK", 400)
    parts = replicated(lambda w: (sizes.append(len(w)), weighted_mean(values, w))[1], weights)
    assert parts == pytest.approx(whole, abs=1e-15)
    assert sizes == [10] * 7 + [7]


def test_samples_without_a_number_are_left_out():
    values = np.array([1.0, np.nan, 2.0, 4.0])
    subjects = np.array(["a", "a", "b", "c"])
    keep = ~np.isnan(values)
    folds = np.zeros(4)
    assert subject_interval(values, subjects, folds) == subject_interval(values[keep], subjects[keep])
    assert all(np.isnan(subject_interval(np.full(2, np.nan), np.arange(2))))


def test_one_subject_gives_no_interval_and_undefined_replicates_are_left_out():
    alone = subject_interval(np.array([1.0, 2.0]), np.array(["a", "a"]))
    assert alone.value == 1.5
    assert np.isnan(alone.low)
    assert np.isnan(alone.high)
    weights = subject_weights(np.arange(4), replicates=400)

    def undefined_without_the_first(w):
        return np.where(w[..., 0] > 0, w[..., 1], np.nan)

    share = (weights[:, 0] > 0).mean()
    assert 0.5 < share < 0.8
    seen = weights[weights[:, 0] > 0, 1]
    expected = Interval(1.0, *np.quantile(seen, [0.025, 0.975]))
    assert interval(undefined_without_the_first, weights) == pytest.approx(expected)
    rarely = interval(lambda w: np.where(w[..., 0] > 1, 1.0, np.nan), weights)
    assert np.isnan(rarely.low)
    assert np.isnan(rarely.high)


def test_a_centred_interval_has_its_middle_on_the_value_and_the_same_width():
    values = np.random.default_rng(0).normal(size=30)
    weights = subject_weights(np.arange(30), replicates=500)

    def biased(w):
        return np.abs(weighted_mean(values, w)) + 5 * (w.std(-1) > 0)

    plain, centred = interval(biased, weights), interval(biased, weights, centred=True)
    assert plain.low > plain.value
    assert centred.low <= centred.value <= centred.high
    assert centred.high - centred.low == pytest.approx(plain.high - plain.low)
    assert percentiles(*estimate(biased, weights)) == plain
    assert percentiles(*estimate(biased, weights), centred=True) == centred
