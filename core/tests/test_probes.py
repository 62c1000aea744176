"""Probes: the same as an independent regression, blind to what they are scored on, and fair to what tells nothing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from pellucid.faithfulness.leakage import beyond_ratings
from pellucid.faithfulness.probes import bits, dealt, log_odds, numbers


def drawn(count=120, features=6, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(2.0, 3.0, (count, features))
    yes = (x[:, 0] - 2 + x[:, 1] - 2 + 3 * random.normal(size=count) > 0).astype(float)
    return x, yes, dealt(np.arange(count) // 2, yes, 5, seed)


def test_probes_are_the_regressions_of_another_library():
    x, yes, fold_of = drawn()
    odds, values = log_odds(x, yes, fold_of), numbers(x, x[:, :2] @ [[1.0, 0.5], [2.0, 0.0]] + 1, fold_of)
    for fold in range(5):
        train, test = fold_of != fold, fold_of == fold
        scaled = (x - x[train].mean(0)) / x[train].std(0)
        peer = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(scaled[train], yes[train])
        np.testing.assert_allclose(odds[test], peer.decision_function(scaled[test]), atol=1e-4)
        line = Ridge(alpha=1.0).fit(scaled[train], x[train][:, :2] @ [[1.0, 0.5], [2.0, 0.0]] + 1)
        np.testing.assert_allclose(values[test], line.predict(scaled[test]), atol=1e-8)


def test_several_sets_of_features_are_probed_at_once_and_apart():
    x, yes, fold_of = drawn()
    both = log_odds(np.stack([x, -2 * x[:, ::-1]]), yes, fold_of)
    np.testing.assert_allclose(both[0], log_odds(x, yes, fold_of), atol=1e-6)
    np.testing.assert_allclose(both[1], both[0], atol=1e-6)


def test_a_probe_does_not_see_whom_it_answers_for():
    x, yes, fold_of = drawn()
    turned = np.where(fold_of == 2, 1 - yes, yes)
    np.testing.assert_array_equal(log_odds(x, yes, fold_of)[fold_of == 2], log_odds(x, turned, fold_of)[fold_of == 2])
    assert not np.allclose(log_odds(x, yes, fold_of)[fold_of == 1], log_odds(x, turned, fold_of)[fold_of == 1])


def test_samples_of_a_subject_are_answered_for_together():
    sets = np.repeat(np.arange(30), 4)
    fold_of = dealt(sets, np.zeros(120), 5, 0)
    assert len(np.unique(fold_of)) == 5
    assert all(len(np.unique(fold_of[sets == one])) == 1 for one in range(30))
    assert dealt(np.zeros(7), np.zeros(7), 5, 0).tolist() == [0] * 7
    assert len(np.unique(dealt(np.arange(9) // 3, np.zeros(9), 5, 0))) == 3


def test_where_there_is_nothing_to_learn_the_rate_is_answered():
    x, _, fold_of = drawn()
    assert (log_odds(x, np.ones(120), fold_of) > 4).all()
    assert (log_odds(x, np.zeros(120), fold_of) < -4).all()
    assert (log_odds(x, np.ones(120), np.zeros(120, int)) == 0).all()  # nobody else to learn from
    # Features that separate the classes, or do not vary, do no harm.
    yes = (x[:, 0] > 2).astype(float)
    sure = log_odds(np.column_stack([1e6 * (yes - 0.5), np.full(120, 7.0)]), yes, fold_of)
    assert np.isfinite(sure).all()
    assert ((sure > 0) == (yes > 0)).all()


def test_bits_are_what_an_answer_costs():
    np.testing.assert_allclose(
        bits(np.array([0.0, np.log(3), -np.log(3)]), np.array([1, 1, 1])), [1, np.log2(4 / 3), 2]
    )
    np.testing.assert_allclose(bits(np.array([0.0, np.log(3)]), np.array([0, 0])), [1, 2])


def leak(soft, whole, ratings, yes, seed=0):
    """Bits beyond the ratings and beyond chance, as handed on and in whole steps."""
    found = beyond_ratings(soft, whole, ratings, yes, np.arange(len(yes)) // 2, seed=seed)
    return [
        bits(getattr(found, f"{probe}_control"), yes).mean() - bits(getattr(found, probe), yes).mean()
        for probe in ("soft", "whole")
    ]


@pytest.mark.parametrize("seed", range(3))
def test_an_answer_written_into_decimals_is_found_and_rounding_takes_it_away(seed):
    random = np.random.default_rng(seed)
    ratings = random.integers(1, 6, (500, 3)) + random.choice([0, 1 / 3, 2 / 3], (500, 3))
    yes = (random.random(500) < 1 / (1 + np.exp(3 - ratings[:, 0]))).astype(float)
    whole = np.clip(np.rint(ratings + random.normal(size=ratings.shape)), 1, 5)
    noise = 0.01 * random.normal(size=ratings.shape)
    honest = leak(whole + noise, whole, ratings, yes, seed)
    assert np.abs(honest).max() < 0.03
    # What is not told by the ratings alone: nearly all of the rest is found in the second decimal.
    written = leak(whole + noise + 0.04 * yes[:, None], whole, ratings, yes, seed)
    assert written[0] > 0.5
    assert abs(written[1]) < 0.03


def test_ratings_that_are_copied_or_bent_hold_nothing_beyond_themselves():
    random = np.random.default_rng(0)
    ratings = random.uniform(1, 5, (400, 3))
    yes = (random.random(400) < 1 / (1 + np.exp(4 * (ratings[:, 0] - 3) ** 2 - 2))).astype(float)
    # A target that goes by how far a rating is from its middle is told by the ratings, and by their squares too.
    bent = (ratings - 3) ** 2
    assert leak(ratings, ratings, ratings, yes) == pytest.approx([0, 0], abs=1e-12)
    assert leak(bent, ratings, ratings, yes)[0] == pytest.approx(0, abs=1e-9)
