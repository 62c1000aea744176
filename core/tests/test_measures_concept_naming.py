"""Names of latents: the tests behind them, whom they are tried on, and that names by chance do not hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact
from sklearn.metrics import precision_recall_fscore_support

from pellucid.errors import DataError, LeakageError
from pellucid.measures.concept_naming import UNNAMED, enrichment, name_latents, rule_scores


def planted(samples=1200, concepts=12, noise=40, seed=0):
    """Each concept has a latent that fires for most who have it; others fire by chance. Two samples a user."""
    random = np.random.default_rng(seed)
    has = random.random((samples, concepts)) < np.linspace(0.05, 0.4, concepts)
    own = has & (random.random(has.shape) < 0.9) | (random.random(has.shape) < 0.01)
    by_chance = random.random((samples, noise)) < 0.1
    activations = np.concatenate([own, by_chance], axis=1) * random.random((samples, concepts + noise))
    groups = np.arange(samples) // 2
    return activations, has, groups % 2 == 0, groups % 2 == 1, groups


def test_planted_concepts_are_named_and_hold_and_chance_is_not_named():
    activations, has, naming, held_out, groups = planted()
    found = name_latents(activations, has, naming, held_out, groups)
    assert found.concepts[:12].tolist() == list(range(12))
    assert (found.held_out.f1[:12] > 0.7).all()
    assert (found.held_out.f1[:12] > found.held_out.chance_f1[:12] + 0.4).all()
    assert (found.concepts[12:] != UNNAMED).sum() <= 2
    assert np.isnan(found.held_out.f1[found.concepts == UNNAMED]).all()
    assert np.isnan(found.lift[found.concepts == UNNAMED]).all()
    assert found.recovered(13).tolist() == [True] * 12 + [False]
    assert not found.recovered(12, least_f1=0.999).any()


def test_a_name_that_does_not_hold_elsewhere_has_no_confidence():
    activations, has, naming, held_out, groups = planted()
    has = has.copy()
    has[held_out] = has[held_out][:, ::-1]
    found = name_latents(activations, has, naming, held_out, groups)
    assert found.concepts[:12].tolist() == list(range(12))
    assert (found.held_out.f1[:5] < 0.4).all()


def test_tests_are_fishers_and_rates_are_those_of_all_pairs():
    activations, has, *_ = planted(200, 4, 3)
    found = enrichment(activations, has, top=15)
    for latent in range(7):
        strength = activations[:, latent]
        firing = np.flatnonzero(strength > 0)
        top = firing[np.argsort(-strength[firing])][:15]
        silent = np.flatnonzero(strength <= 0)
        assert found.top[latent] == len(top)
        for concept in range(4):
            a, b = has[top, concept].sum(), has[silent, concept].sum()
            table = [[a, len(top) - a], [b, len(silent) - b]]
            assert found.p[latent, concept] == pytest.approx(
                fisher_exact(table, alternative="greater").pvalue, abs=1e-9
            )
            assert found.lift[latent, concept] == pytest.approx(a / len(top) / has[:, concept].mean())
    assert (found.q >= found.p).all()


def test_rule_scores_are_those_of_another_library():
    random = np.random.default_rng(3)
    has, fires = random.random((90, 3)) < 0.3, random.random((90, 4)) < 0.5
    found = rule_scores(has, fires)
    for latent in range(4):
        for concept in range(3):
            peer = precision_recall_fscore_support(fires[:, latent], has[:, concept], average="binary")[:3]
            here = [n[latent, concept] for n in (found.precision, found.recall, found.f1)]
            np.testing.assert_allclose(here, peer)
    # Averaged over many latents that know nothing of the concept, F1 is the one by chance.
    many = rule_scores(has, random.random((90, 3000)) < 0.5)
    np.testing.assert_allclose(many.f1.mean(0), many.chance_f1.mean(0), atol=0.01)
    assert np.isnan(rule_scores(np.zeros((5, 1)), np.zeros((5, 1))).f1[0, 0])


def test_the_name_is_the_concept_of_highest_lift_among_the_significant():
    # The latent fires for a rare concept, all of whose owners have a frequent one too; a third is too rare to tell.
    samples = np.arange(400)
    rare, frequent, once = samples < 40, samples < 160, samples == 0
    has = np.stack([frequent, rare, once], axis=1)
    activations = np.where(rare, 1.0 + (samples == 0), 0.0)[:, None]
    groups, naming = samples, samples % 2 == 0
    found = name_latents(activations, has, naming, ~naming, groups, top=10)
    details = enrichment(activations[naming], has[naming], top=10)
    assert found.concepts.tolist() == [1]
    assert details.lift[0].tolist() == pytest.approx([2.5, 10.0, 20.0])
    assert details.q[0, 2] > 0.04
    assert found.lift[0] == pytest.approx(10.0)
    assert found.q[0] == details.q[0, 1]
    assert found.p[0] == details.p[0, 1]
    assert found.held_out.precision[0] == found.held_out.recall[0] == 1.0


def test_numbers_of_both_signs_need_a_rule_for_firing_and_a_dense_latent_is_not_named():
    activations, has, naming, held_out, groups = planted(600, 3, 0)
    shifted = activations - 5
    assert (name_latents(shifted, has, naming, held_out, groups).concepts == UNNAMED).all()
    found = name_latents(shifted, has, naming, held_out, groups, fires=activations > 0)
    assert found.concepts.tolist() == [0, 1, 2]
    dense = name_latents(activations + 5, has, naming, held_out, groups)
    assert (dense.concepts == UNNAMED).all()
    never = enrichment(np.zeros((600, 1)), has)
    assert (enrichment(activations + 5, has).p == 1).all()
    assert (never.p == 1).all()
    assert np.isnan(never.lift).all()
    assert never.top.tolist() == [0]


def test_a_single_firing_or_silent_sample_is_tested_too():
    has, activations = np.array([[1], [0], [0], [0]]), np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    found = enrichment(activations, has)
    assert found.p[:, 0].tolist() == pytest.approx([0.25, 1.0])
    assert enrichment(activations, 1 - has).p[:, 0].tolist() == pytest.approx([1.0, 0.25])


def test_nobody_is_judged_who_was_named_on():
    activations, has, naming, held_out, groups = planted(100, 3, 0)
    with pytest.raises(LeakageError, match="the same 1 groups"):
        name_latents(activations, has, naming, held_out, np.where(groups == 1, 0, groups))
    for refused, told in (
        (lambda: name_latents(activations, has, naming, naming & False, groups), "one side is empty"),
        (lambda: name_latents(activations, has, naming & False, held_out, groups), "one side is empty"),
        (lambda: enrichment(activations[:5], has), "sample, latent"),
        (lambda: enrichment(activations, has * 2), "0 and 1"),
        (lambda: enrichment(activations, has, fires=activations[:, :1] > 0), "whether they fire"),
    ):
        with pytest.raises(DataError, match=told):
            refused()
