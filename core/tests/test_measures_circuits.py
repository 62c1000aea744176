"""Scores of codes: the definitions, pair by pair, and what labels dealt anew say of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from pellucid.errors import DataError
from pellucid.measures.circuits import edge_scores, elbow, mean_difference, node_scores, permutation_null
from pellucid.measures.output_codes import (
    NONE_ACTIVE,
    centred_outputs,
    discretised,
    fit_autoencoder,
    strongest_latent,
)


def drawn(examples=24, heads=6, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(-1, 5, (examples, heads)), random.random(examples) < 0.4


def by_definition(column, positive):
    """Count, Jaccard and divergence of one head's codes, written out."""
    column = [tuple(np.atleast_1d(c)) for c in column]
    yes = Counter(c for c, p in zip(column, positive, strict=True) if p)
    no = Counter(c for c, p in zip(column, positive, strict=True) if not p)
    names = sorted(set(column))
    p, q = (np.array([one[c] / sum(one.values()) for c in names]) for one in (yes, no))
    only = len(set(yes) - set(no))
    return {"count": only, "jaccard": only / len(names), "js": jensenshannon(p, q, base=2) ** 2}


@pytest.mark.parametrize("kind", ["count", "jaccard", "js"])
def test_scores_are_their_definitions_for_heads_and_pairs_of_heads(kind):
    codes, positive = drawn()
    nodes, edges = node_scores(codes, positive, kind), edge_scores(codes, positive, kind)
    for h in range(6):
        assert nodes[h] == pytest.approx(by_definition(codes[:, h], positive)[kind], abs=1e-9)
        for g in range(6):
            if g == h:
                assert np.isnan(edges[h, h])
            else:
                assert edges[h, g] == pytest.approx(by_definition(codes[:, [h, g]], positive)[kind], abs=1e-9)


def test_blocks_change_nothing(monkeypatch):
    codes, positive = drawn()
    whole = permutation_null(codes, positive, permutations=30)
    monkeypatch.setattr("pellucid.measures.circuits.PAIRS", 100)
    np.testing.assert_array_equal(permutation_null(codes, positive, permutations=30).z, whole.z)


def test_the_null_deals_labels_and_leaves_their_number():
    codes = np.array([[0], [0], [1], [1]])
    found = permutation_null(codes, np.array([True, True, False, False]), permutations=30_000)
    # Of six dealings two part the codes (divergence 1), four do not (0): mean 1/3, deviation 0.4714.
    assert found.mean[0] == pytest.approx(1 / 3, abs=0.01)
    assert found.spread[0] == pytest.approx(2**0.5 / 3, abs=0.01)
    assert found.z[0] == pytest.approx(2**0.5, abs=0.05)
    assert found.p[0] == pytest.approx(1 / 3, abs=0.01)


def test_codes_all_different_score_one_and_mean_nothing():
    codes, positive = np.arange(20)[:, None].repeat(2, 1), np.arange(20) < 10
    codes[:, 1] = positive
    found = permutation_null(codes, positive, seed=1)
    np.testing.assert_allclose(found.scores, 1.0)
    assert found.z[0] == 0
    assert found.p[0] == 1
    assert found.z[1] > 4
    assert found.p[1] == pytest.approx(1 / 201)


def test_edges_have_a_null_too():
    random = np.random.default_rng(1)
    positive = np.arange(40) < 20
    one = random.integers(0, 2, 40)
    codes = np.stack([one, np.where(positive, one, 1 - one), random.integers(0, 2, 40)], axis=1)
    found = permutation_null(codes, positive, edges=True)
    assert found.z[0, 1] == found.z[1, 0] > 4
    assert found.z[0, 2] < 3
    assert np.isnan(found.z.diagonal()).all()
    assert np.isnan(found.p.diagonal()).all()
    assert found.scores[0, 1] == pytest.approx(1.0)


def test_nothing_active_has_a_code_of_its_own():
    features = torch.tensor([[0.0, 0.0], [0.2, 0.1], [0.0, 0.3]])
    assert strongest_latent(features).tolist() == [NONE_ACTIVE, 0, 1]


def test_outputs_are_centred_by_head_and_scaled_on_demand():
    outputs = (
        torch.randn(30, 3, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 5.0, 0.0])[:, None] + 7
    )
    centred = centred_outputs(outputs)
    assert centred.mean(0).abs().max() < 1e-5
    assert torch.allclose(centred - centred[0], outputs - outputs[0], atol=1e-5)
    sizes = centred_outputs(outputs, scaled=True).square().mean((0, 2))
    assert torch.allclose(sizes, torch.tensor([1.0, 1.0, 0.0]), atol=1e-5)


def test_the_autoencoder_learns_its_rows_is_sparser_under_a_penalty_and_repeats_itself():
    rows = torch.randn(60, 8, generator=torch.Generator().manual_seed(1))
    state = torch.random.get_rng_state()
    model, again, other = (fit_autoencoder(rows, latents=40, steps=200, seed=s) for s in (0, 0, 1))
    strict = fit_autoencoder(rows, latents=40, steps=200, penalty=1.0)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(model(rows)[0], again(rows)[0])
    assert not torch.equal(model(rows)[0], other(rows)[0])
    assert float((model(rows)[0] - rows).detach().square().mean()) < 0.1
    assert float(strict(rows)[1].detach().sum()) < 0.5 * float(model(rows)[1].detach().sum())
    assert float(model(rows)[1].detach().min()) >= 0
    # It is at a minimum of the summed loss: pulling all latents down gains as much as the error loses.
    rebuilt, found = strict(rows)
    loss = ((rebuilt - rows).square().sum(1) + found.sum(1)).mean()
    (slope,) = torch.autograd.grad(loss, strict.decoder.bias)
    assert float(slope.abs().max()) < 0.2


def test_codes_of_different_prototypes_differ():
    random = torch.Generator().manual_seed(2)
    prototypes = torch.randn(2, 16, generator=random)
    of = torch.arange(20) % 2
    outputs = (prototypes[of] + 0.1 * torch.randn(20, 16, generator=random))[:, None]
    codes = discretised(outputs, latents=20, steps=200)
    assert codes.shape == (20, 1)
    assert node_scores(codes, of.numpy()).item() == pytest.approx(1.0)
    assert np.array_equal(codes, discretised(outputs + 100, latents=20, steps=200))


def test_the_baseline_is_the_length_of_the_difference_of_means():
    outputs = np.zeros((4, 2, 2))
    outputs[:2, 0], outputs[2:, 0] = [3.0, 5.0], [0.0, 1.0]
    outputs[0, 1], outputs[1, 1] = [1.0, 1.0], [-1.0, -1.0]
    assert mean_difference(outputs, np.array([1, 1, 0, 0])).tolist() == [5.0, 0.0]


def test_the_elbow_keeps_what_stands_out():
    scores = np.concatenate([np.linspace(0.9, 1.0, 7), np.linspace(0.0, 0.2, 41)])
    assert (np.random.default_rng(0).permutation(scores) >= elbow(scores)).sum() == 7
    assert elbow(np.array([np.nan, 0.5, 0.0, 0.0, 0.01, np.nan])) == 0.5
    assert elbow(np.ones(5)) == 1.0
    assert elbow(np.array([0.3, 0.1])) == 0.3
    assert np.isnan(elbow(np.array([np.nan])))


def test_what_cannot_be_scored_is_refused_with_a_reason():
    codes, positive = drawn()
    for refused, told in (
        (lambda: node_scores(codes, positive[:3]), "not of the same examples"),
        (lambda: node_scores(codes[:, 0], positive), "not of the same examples"),
        (lambda: edge_scores(codes, np.ones(24)), "all are of one kind"),
        (lambda: node_scores(codes, np.zeros(24)), "all are of one kind"),
        (lambda: node_scores(codes, positive, "kl"), "no score 'kl'"),
        (lambda: centred_outputs(torch.zeros(3, 4)), "example, head, width"),
    ):
        with pytest.raises(DataError, match=told):
            refused()
