"""Metrics under weights: against scikit-learn and scipy on weighted or repeated samples, and on planted truth."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from pellucid.errors import DataError
from pellucid.statistics.bootstrap import subject_weights
from pellucid.statistics.calibration import (
    brier,
    calibration_error,
    equal_mass_bins,
    error_if_calibrated,
    error_if_shuffled,
    reliability_curve,
)
from pellucid.statistics.classification import accuracy, choose_threshold, quadratic_kappa, sensitivity, specificity
from pellucid.statistics.ranking import (
    auroc,
    average_precision,
    macro,
    over_folds,
    rank_correlation,
    roc_curve,
    spearman,
)
from pellucid.statistics.regression import explained_variance_share, mean_absolute_error


@st.composite
def weighted_samples(draw):
    """Labels of two classes, scores with or without ties, whole weights of several replicates."""
    n = draw(st.integers(4, 40))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    labels = rng.integers(0, 2, n)
    labels[:2] = 0, 1
    scores = rng.random(n).round(draw(st.sampled_from([1, 2, 12])))
    weights = rng.poisson(1.0, (5, n)).astype(float)
    weights[:, :2] += 1
    return labels, scores, weights


def reference(metric, labels, predictions, replicates, **options):
    """A scikit-learn metric replicate by replicate."""
    return np.array([metric(labels, predictions, sample_weight=w, **options) for w in replicates])


@given(weighted_samples())
@settings(max_examples=60, deadline=None)
def test_areas_and_rates_are_those_of_scikit_learn(data):
    labels, scores, weights = data
    assert auroc(labels, scores, weights) == pytest.approx(reference(metrics.roc_auc_score, labels, scores, weights))
    expected = reference(metrics.average_precision_score, labels, scores, weights)
    assert average_precision(labels, scores, weights) == pytest.approx(expected)
    assert brier(labels, scores, weights) == pytest.approx(reference(metrics.brier_score_loss, labels, scores, weights))
    yes = (scores >= 0.4).astype(int)
    assert accuracy(labels, yes, weights) == pytest.approx(reference(metrics.accuracy_score, labels, yes, weights))
    assert sensitivity(labels, yes, weights) == pytest.approx(reference(metrics.recall_score, labels, yes, weights))
    expected = reference(metrics.recall_score, labels, yes, weights, pos_label=0)
    assert specificity(labels, yes, weights) == pytest.approx(expected)


@given(st.integers(0, 10_000), st.integers(5, 40), st.sampled_from([0, 1, 8]))
@settings(max_examples=60, deadline=None)
def test_rank_correlation_error_and_explained_variance_are_those_of_the_repeated_samples(seed, n, digits):
    rng = np.random.default_rng(seed)
    truth = (100 + rng.normal(size=n)).round(digits)
    predicted = (truth + rng.normal(size=n)).round(digits)
    weights = rng.poisson(2.0, (4, n)) + (np.arange(n) < 3)
    truth[:2], predicted[:2] = (99.0, 101.0), (98.0, 102.0)
    ranks = spearman(truth, predicted, weights)
    for w, rank, mae, share in zip(
        weights,
        ranks,
        mean_absolute_error(truth, predicted, weights),
        explained_variance_share(truth, predicted, weights),
        strict=True,
    ):
        x, y = np.repeat(truth, w), np.repeat(predicted, w)
        assert rank == pytest.approx(stats.spearmanr(x, y).statistic)
        assert mae == pytest.approx(metrics.mean_absolute_error(x, y))
        assert share == pytest.approx(metrics.r2_score(x, y), abs=1e-9)


@given(st.integers(0, 10_000), st.integers(5, 40))
@settings(max_examples=40, deadline=None)
def test_kappa_is_that_of_scikit_learn(seed, n):
    rng = np.random.default_rng(seed)
    labels, decisions = rng.integers(0, 4, n), rng.integers(0, 4, n)
    labels[:2], decisions[:2] = (0, 3), (0, 2)
    weights = rng.random((3, n)) + 0.1
    kappa = partial(metrics.cohen_kappa_score, labels=[0, 1, 2, 3], weights="quadratic")
    expected = [kappa(labels, decisions, sample_weight=w) for w in weights]
    assert quadratic_kappa(labels, decisions, weights) == pytest.approx(expected)


@given(weighted_samples(), st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_ranking_is_blind_to_monotone_changes_and_reverses_with_the_scores(data, seed):
    labels, scores, weights = data
    area = auroc(labels, scores, weights)
    assert auroc(labels, np.exp(3 * scores), weights) == pytest.approx(area)
    assert auroc(labels, -scores, weights) == pytest.approx(1 - area)
    assert auroc(1 - labels, scores, weights) == pytest.approx(1 - area)
    order = np.random.default_rng(seed).permutation(len(labels))
    assert auroc(labels[order], scores[order], weights[:, order]) == pytest.approx(area)


def test_several_classes_are_each_set_against_the_rest():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    scores = rng.dirichlet(np.ones(3), 90)
    scores[np.arange(90), labels] += 0.3
    scores /= scores.sum(1, keepdims=True)
    of_class = np.eye(3)[labels]
    expected = metrics.roc_auc_score(labels, scores, multi_class="ovr", average="macro")
    assert macro(auroc, of_class, scores, np.ones(90)) == pytest.approx(expected)
    squares = metrics.brier_score_loss(labels, scores, scale_by_half=False) if _has_brier_of_classes() else None
    found = brier(of_class, scores, np.ones(90))
    assert found == pytest.approx(((of_class - scores) ** 2).sum() / 90)
    assert squares is None or found == pytest.approx(squares)


def _has_brier_of_classes():
    import inspect

    return "scale_by_half" in inspect.signature(metrics.brier_score_loss).parameters


def test_a_label_without_both_classes_is_left_out_of_the_mean_and_a_hopeless_one_gives_nan():
    labels = np.array([[0, 1], [1, 1], [1, 1], [0, 1]])
    scores = np.array([[0.1, 0.3], [0.4, 0.9], [0.2, 0.1], [0.3, 0.2]])
    assert macro(auroc, labels, scores, np.ones(4)) == pytest.approx(0.75)
    assert np.isnan(auroc(labels[:, 1], scores[:, 1], np.ones(4)))
    assert np.isnan(average_precision(np.zeros(4), scores[:, 1], np.ones(4)))
    # Every order of ones alone would be perfect.
    assert np.isnan(average_precision(np.ones(4), scores[:, 1], np.ones(4)))
    assert np.isnan(sensitivity(np.zeros(4), np.ones(4), np.ones(4)))
    assert np.isnan(specificity(np.ones(4), np.ones(4), np.ones(4)))
    assert np.isnan(quadratic_kappa(np.ones(4), np.ones(4), np.ones(4)))
    assert np.isnan(explained_variance_share(np.full(4, 7.1), np.arange(4), np.ones(4)))
    assert np.isnan(spearman(np.ones(4), np.arange(4), np.ones(4)))


def test_folds_are_averaged_by_their_test_samples_and_left_out_with_one_class():
    rng = np.random.default_rng(3)
    labels, scores = rng.integers(0, 2, 60), rng.random(60)
    folds = np.repeat([0, 1, 2], [10, 20, 30])
    labels[folds == 1] = 1
    labels[:10] = [1] + [0] * 9
    weights = subject_weights(np.arange(60), folds, replicates=200)
    found = over_folds(auroc, labels, scores, folds, weights)
    left_out = 0
    for w, value in zip(weights, found, strict=True):
        areas = {}
        for fold in (0, 2):
            drawn = (folds == fold) & (w > 0)
            if len(np.unique(labels[drawn])) == 2:
                areas[fold] = metrics.roc_auc_score(labels[drawn], scores[drawn], sample_weight=w[drawn])
        left_out += 0 not in areas
        samples = [(10, 30)[fold == 2] for fold in areas]
        assert value == pytest.approx(np.average(list(areas.values()), weights=samples))
    assert 0 < left_out < 200
    assert np.isnan(over_folds(auroc, np.ones(60), scores, folds, np.ones(60)))


def test_pooling_the_scores_of_folds_is_biased_under_random_labels_and_averaging_is_not():
    # Each fold's model says the training rate of yes and a little noise, as a model does that found nothing.
    rng = np.random.default_rng(0)
    pooled, averaged = [], []
    for _ in range(200):
        labels = rng.integers(0, 2, 100)
        folds = rng.integers(0, 5, 100)
        rate = np.array([labels[folds != f].mean() for f in range(5)])
        scores = rate[folds] + 1e-3 * rng.normal(size=100)
        pooled.append(auroc(labels, scores, np.ones(100)))
        averaged.append(over_folds(auroc, labels, scores, folds, np.ones(100)))
    assert np.mean(pooled) < 0.45
    assert np.mean(averaged) == pytest.approx(0.5, abs=0.02)


@given(weighted_samples())
@settings(max_examples=60, deadline=None)
def test_the_threshold_is_as_good_as_any_that_an_exhaustive_search_finds(data):
    labels, scores, _ = data

    def youden(threshold):
        yes = (scores >= threshold).astype(int)
        return sensitivity(labels, yes, np.ones(len(yes))) + specificity(labels, yes, np.ones(len(yes))) - 1

    chosen = choose_threshold(labels, scores)
    best = max(youden(t) for t in np.unique(scores))
    assert youden(chosen) == pytest.approx(best) if best > 0 else chosen == 0.5


def test_of_equal_thresholds_the_one_nearest_to_a_half_is_taken():
    labels = np.array([0, 1, 0, 1])
    assert choose_threshold(labels, np.array([0.1, 0.2, 0.6, 0.7])) == pytest.approx(0.65)
    assert choose_threshold(labels, np.array([0.1, 0.5, 0.91, 0.95])) == pytest.approx(0.3)
    assert choose_threshold(labels, np.array([0.9, 0.5, 0.2, 0.1])) == 0.5
    assert choose_threshold(labels, np.full(4, 0.2)) == 0.5
    assert choose_threshold(labels, np.array([0.1, 0.3, 0.1, 0.3])) == pytest.approx(0.2)


def test_a_threshold_needs_two_classes_and_numbers():
    with pytest.raises(DataError, match="all 3 are of one"):
        choose_threshold(np.ones(3), np.arange(3) / 3)
    with pytest.raises(DataError, match="all 2 are of one"):
        choose_threshold(np.zeros(2), np.arange(2) / 3)
    with pytest.raises(DataError, match="1 probabilities are not numbers"):
        choose_threshold(np.array([0, 1]), np.array([0.1, np.nan]))


def test_the_roc_curve_is_that_of_scikit_learn_and_encloses_the_area():
    rng = np.random.default_rng(1)
    labels, scores = rng.integers(0, 2, 80), rng.random(80).round(1)
    false_rate, true_rate = roc_curve(labels, scores)
    expected = metrics.roc_curve(labels, scores, drop_intermediate=False)
    assert false_rate == pytest.approx(expected[0])
    assert true_rate == pytest.approx(expected[1])
    assert np.trapezoid(true_rate, false_rate) == pytest.approx(auroc(labels, scores, np.ones(80)))


@given(st.integers(0, 10_000), st.integers(20, 200), st.sampled_from([1, 2, 12]))
@settings(max_examples=40, deadline=None)
def test_bins_hold_about_equal_masses_and_never_part_equal_probabilities(seed, n, digits):
    probabilities = np.random.default_rng(seed).random(n).round(digits)
    number = equal_mass_bins(probabilities, 10)
    counts = np.bincount(number)
    assert len(counts) <= 10
    assert counts.min() > 0
    for value in np.unique(probabilities):
        assert len(np.unique(number[probabilities == value])) == 1
    assert (np.diff(number[np.argsort(probabilities)]) >= 0).all()
    if digits == 12:
        assert len(counts) == 10
        assert counts.max() - counts.min() <= 1


def test_the_calibration_error_is_a_loop_over_bins_in_every_replicate():
    rng = np.random.default_rng(4)
    probabilities = rng.random(120)
    labels = rng.random(120) < probabilities**2
    weights = subject_weights(np.arange(120), replicates=20)
    number = equal_mass_bins(probabilities, 5)
    for w, found in zip(weights, calibration_error(labels, probabilities, weights, bins=5), strict=True):
        slow = 0.0
        for at in range(5):
            inside = w * (number == at)
            said, seen = np.average(probabilities, weights=inside), np.average(labels, weights=inside)
            slow += inside.sum() / w.sum() * abs(said - seen)
        assert found == pytest.approx(slow)


def test_calibration_tells_planted_overconfidence_from_planted_truth():
    rng = np.random.default_rng(0)
    probabilities = rng.beta(1, 1, 20_000)
    labels = rng.random(20_000) < probabilities
    ones = np.ones(20_000)
    floor = error_if_calibrated(probabilities)
    assert calibration_error(labels, probabilities, ones) == pytest.approx(floor, abs=0.006)
    stretched = np.clip(2 * probabilities - 0.5, 0, 1)
    # |p - stretched| averages 1/8 over a uniform p.
    assert calibration_error(labels, stretched, ones) == pytest.approx(0.125, abs=0.01)
    # Dealt at random, a uniform probability is a quarter away from the rate of one half.
    assert error_if_shuffled(labels, probabilities) == pytest.approx(0.25, abs=0.01)
    shuffled = calibration_error(rng.permutation(labels), probabilities, ones)
    assert error_if_shuffled(labels, probabilities) == pytest.approx(shuffled, abs=0.01)


def test_the_floor_of_the_calibration_error_falls_with_the_square_root_of_samples():
    rng = np.random.default_rng(0)
    few, many = error_if_calibrated(rng.random(400)), error_if_calibrated(rng.random(6400))
    assert few / many == pytest.approx(4, rel=0.1)
    # Ten bins of 40 samples, mean sd of a bin's rate sqrt(E[p(1-p)] / 40), times sqrt(2 / pi) for the absolute value.
    middle = np.linspace(0.05, 0.95, 10)
    assert few == pytest.approx(np.sqrt(2 / np.pi) * np.sqrt(middle * (1 - middle) / 40).mean(), rel=0.1)


def test_the_reliability_curve_covers_the_planted_rate():
    rng = np.random.default_rng(2)
    subjects = np.arange(3000)
    probabilities = rng.random(3000)
    labels = rng.random(3000) < probabilities**2
    curve = reliability_curve(labels, probabilities, subject_weights(subjects, replicates=300))
    assert curve.samples.tolist() == [300] * 10
    assert curve.predicted == pytest.approx(np.arange(0.05, 1, 0.1), abs=0.02)
    truth = curve.predicted**2 + 1 / 1200
    assert ((curve.low <= truth) & (truth <= curve.high)).sum() >= 8
    assert curve.observed[0] == 0
    assert np.isnan(curve.low[0])
    assert np.isnan(curve.high[0])
    low, seen, high = curve.low[1:], curve.observed[1:], curve.high[1:]
    assert (low < seen).all()
    assert (seen < high).all()
    assert (high - low) / 2 == pytest.approx(1.96 * np.sqrt(seen * (1 - seen) / 300), rel=0.25)


def test_a_bin_that_few_replicates_reach_has_no_interval():
    probabilities = np.array([0.1] * 9 + [0.9])
    subjects = np.arange(10)
    weights = subject_weights(subjects, replicates=200)
    weights[:150, 9] = 0
    curve = reliability_curve(np.arange(10) % 2, probabilities, weights)
    assert np.isfinite(curve.low[0])
    assert np.isnan(curve.low[-1])
    assert np.isnan(curve.high[-1])


@pytest.mark.parametrize("seed", range(3))
def test_areas_of_several_labels_are_the_macro_average_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random((120, 7)) < rng.uniform(0.05, 0.7, 7)).astype(float)
    labels[:2] = [[1] * 7, [0] * 7]
    scores = (labels + rng.normal(0, 1, labels.shape)).round(1)
    assert macro(auroc, labels, scores, np.ones(120)) == pytest.approx(
        metrics.roc_auc_score(labels, scores, average="macro")
    )
    # A label that nobody has, or everybody, has no part in the mean.
    labels[:, [2, 5]] = [1, 0]
    rest = [0, 1, 3, 4, 6]
    expected = metrics.roc_auc_score(labels[:, rest], scores[:, rest], average="macro")
    assert macro(auroc, labels, scores, np.ones(120)) == pytest.approx(expected)


@pytest.mark.parametrize("digits", [1, 8])
def test_rank_correlation_of_rows_is_that_of_the_places_that_count(digits):
    rng = np.random.default_rng(digits)
    a, b = (rng.normal(size=(6, 12)).round(digits) for _ in range(2))
    known = rng.random((6, 12)) < 0.7
    a[5] = 2.0
    alone = [stats.spearmanr(x, y).statistic for x, y in zip(a[:5], b[:5], strict=True)]
    np.testing.assert_allclose(rank_correlation(a, b), [*alone, np.nan])
    among = [stats.spearmanr(x[k], y[k]).statistic for x, y, k in zip(a[:5], b[:5], known[:5], strict=True)]
    np.testing.assert_allclose(rank_correlation(a, b, known), [*among, np.nan])
    np.testing.assert_allclose(rank_correlation(a, b[0]), rank_correlation(a, np.tile(b[0], (6, 1))))
