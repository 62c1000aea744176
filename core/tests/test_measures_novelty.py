"""Scores of novelty: other libraries' numbers, planted novelty of three kinds, and what each is blind to."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import EmpiricalCovariance
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from sklearn.naive_bayes import BernoulliNB
from sklearn.neighbors import NearestNeighbors

from pellucid.errors import DataError
from pellucid.measures.novelty import (
    ActiveSets,
    Mahalanobis,
    Neighbours,
    detection,
    doubt,
    energy,
    reconstruction_error,
)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_reconstruction_errors_are_shares_and_blind_within_the_span():
    x = normal(200, 10)
    assert reconstruction_error(x, x).tolist() == [0.0] * 200
    assert reconstruction_error(x, 0 * x) == pytest.approx(1.0)
    assert reconstruction_error(x, 0.5 * x) == pytest.approx(0.25)
    basis = np.eye(10)[:4]
    known, within, beyond = (
        normal(300, 4) @ basis + 0.1 * normal(300, 10, seed=1),
        5 * normal(300, 4, seed=2) @ basis,
        x,
    )
    errors = [reconstruction_error(some, some @ basis.T @ basis) for some in (known, within, beyond)]
    assert detection(errors[0], errors[2]).auroc > 0.95
    assert detection(errors[0], errors[1]).auroc < 0.05


def test_doubt_and_energy_are_their_formulas_without_overflow():
    logits = normal(50, 4) * 3
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(doubt(logits), 1 - probabilities.max(1), atol=1e-12)
    np.testing.assert_allclose(energy(logits), -np.log(np.exp(logits).sum(1)), atol=1e-12)
    np.testing.assert_allclose(energy(logits, 2.0), -2 * np.log(np.exp(logits / 2).sum(1)), atol=1e-12)
    assert energy(np.array([[1000.0, 0.0]])).tolist() == [-1000.0]
    assert doubt(np.array([[1000.0, 0.0]])).tolist() == [0.0]


def test_likelihoods_of_active_sets_are_those_of_independent_coins():
    random = np.random.default_rng(3)
    known = (random.random((400, 12)) < np.linspace(0, 1, 12)) * random.random((400, 12))
    other = (random.random((50, 12)) < 0.5) * random.random((50, 12))
    found = ActiveSets.fit(known)
    peer = BernoulliNB(alpha=0.5, fit_prior=False).fit(known > 0, np.zeros(400))
    np.testing.assert_allclose(found.score(other), -peer._joint_log_likelihood(other > 0)[:, 0], atol=1e-9)
    assert np.isfinite(found.score(np.ones((1, 12)))).all()
    assert detection(found.score(known), found.score(other)).auroc > 0.95


def test_mahalanobis_is_the_distance_of_another_library():
    x, other = normal(300, 6) @ normal(6, 6, seed=1) + 3, normal(40, 6, seed=2)
    peer = EmpiricalCovariance().fit(x)
    np.testing.assert_allclose(Mahalanobis.fit(x, shrinkage=0.0).score(other), peer.mahalanobis(other), rtol=1e-6)
    shrunk = 0.9 * peer.covariance_ + 0.1 * np.trace(peer.covariance_) / 6 * np.eye(6)
    apart = other - x.mean(0)
    expected = np.einsum("nd,de,ne->n", apart, np.linalg.inv(shrunk), apart)
    np.testing.assert_allclose(Mahalanobis.fit(x, shrinkage=0.1).score(other), expected, rtol=1e-6)


def test_with_labels_the_distance_is_from_the_nearest_class_in_deviations_within_classes():
    labels = np.array(["a", "b"])[np.arange(600) % 2]
    centre = np.array([[-10.0, 0.0], [10.0, 0.0]])
    x = centre[np.arange(600) % 2] + normal(600, 2)
    found, between = Mahalanobis.fit(x, labels), np.array([[0.0, 0.0]])
    assert found.score(x).mean() == pytest.approx(2.0, abs=0.1)
    assert found.score(between)[0] > 80
    assert Mahalanobis.fit(x).score(between)[0] < 0.1


def test_directions_without_variance_do_no_harm():
    x = np.concatenate([normal(200, 3), np.zeros((200, 2))], axis=1)
    for shrinkage in (0.0, 1e-3):
        found = Mahalanobis.fit(x, shrinkage=shrinkage)
        assert found.score(x).mean() == pytest.approx(3.0, abs=0.05)
    assert found.score(np.array([[0, 0, 0, 5.0, 0]]))[0] > 1000
    for unit in (1e-8, 1e8):
        assert Mahalanobis.fit(unit * x, shrinkage=0.0).score(unit * x).mean() == pytest.approx(3.0, abs=0.05)


@pytest.mark.parametrize("width", [3, 30])
def test_neighbours_are_those_of_another_library(width):
    known, other = normal(300, width), normal(700, width, seed=1)
    peer = NearestNeighbors(n_neighbors=7).fit(known).kneighbors(other)[0][:, 6]
    np.testing.assert_allclose(Neighbours(known, 7).score(other), peer, atol=1e-6)
    assert Neighbours(known, 1).score(known[:5]) == pytest.approx(0.0, abs=1e-6)


def test_areas_and_rates_are_those_of_another_library_ties_included():
    known, new = normal(157).round(1), (normal(90, seed=1) + 1).round(1)
    found = detection(known, new)
    labels, scores = np.repeat([0, 1], [157, 90]), np.concatenate([known, new])
    assert found.auroc == pytest.approx(roc_auc_score(labels, scores))
    assert found.average_precision == pytest.approx(average_precision_score(labels, scores))
    # Known ones as the positive class: they score low.
    false_rate, true_rate, _ = roc_curve(1 - labels, -scores, drop_intermediate=False)
    assert found.false_rate == pytest.approx(false_rate[true_rate >= 0.95][0])
    assert found.prevalence == pytest.approx(90 / 247)


def test_rates_of_scores_that_tell_all_or_nothing():
    all_of_it = detection(np.arange(100.0), np.arange(100.0) + 1000)
    assert (all_of_it.auroc, all_of_it.average_precision, all_of_it.false_rate) == (1.0, 1.0, 0.0)
    nothing = detection(np.arange(100.0), np.arange(100.0))
    assert nothing.auroc == pytest.approx(0.5)
    assert nothing.false_rate == pytest.approx(0.95)


def test_what_cannot_be_judged_is_refused_with_a_reason():
    for refused, told in (
        (lambda: reconstruction_error(np.zeros((3, 2)), np.zeros((3, 1))), "not of each other"),
        (lambda: Neighbours(np.zeros((5, 2)), 6).score(np.zeros((1, 2))), "6th nearest of 5"),
        (lambda: Neighbours(np.zeros((5, 2)), 0).score(np.zeros((1, 2))), "0th nearest of 5"),
        (lambda: detection(np.zeros(0), np.zeros(3)), "got 0 and 3"),
        (lambda: detection(np.zeros(3), np.zeros(0)), "got 3 and 0"),
        (lambda: detection(np.zeros(3), np.array([np.nan])), "1 scores are not numbers"),
    ):
        with pytest.raises(DataError, match=told):
            refused()
