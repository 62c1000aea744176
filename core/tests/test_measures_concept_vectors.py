"""Concept vectors: the regression is at its minimum, derivatives are differences, and random examples have no say."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import ttest_ind

from pellucid.errors import DataError
from pellucid.measures.concept_vectors import (
    directional_derivatives,
    logistic_vectors,
    mean_difference_vectors,
    tcav_scores,
    tcav_test,
)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def planted(seed: int = 0, samples: int = 600) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two concepts with directions of their own under noise that is not the same in all directions."""
    true = torch.linalg.qr(noise(8, 8, seed=seed))[0][:2]
    yes = noise(samples, 2, seed=seed + 1) > torch.tensor([0.0, 0.8])
    x = 2.0 * yes.float() @ true + noise(samples, 8, seed=seed + 2) * torch.linspace(0.5, 1.5, 8)
    return x, yes, true


def test_logistic_vectors_are_the_minimum_of_mean_loss_and_penalty():
    x, yes, _ = planted()
    known = noise(600, 2, seed=9) > -0.5
    for l2 in (1e-3, 0.1):
        found = logistic_vectors(x, yes, known, l2=l2)
        for at in range(2):
            rows = known[:, at].numpy()
            values, sign = x[rows].double().numpy(), np.where(yes[rows, at].numpy(), 1.0, -1.0)

            def cost(w, values=values, sign=sign, l2=l2):
                return np.logaddexp(0, -sign * (values @ w[:-1] + w[-1])).mean() + l2 / 2 * (w[:-1] ** 2).sum()

            weight = minimize(cost, np.zeros(values.shape[1] + 1), tol=1e-12).x[:-1]
            np.testing.assert_allclose(found[at].numpy(), weight / np.linalg.norm(weight), atol=1e-4)


def test_examples_that_a_plane_parts_have_a_vector():
    x = torch.tensor([[-3.0, 0.0], [-2.0, 0.1], [2.0, 0.0], [3.0, -0.1]])
    for vectors in (logistic_vectors, mean_difference_vectors):
        found = vectors(x, torch.tensor([[False], [False], [True], [True]]))
        assert float(found[0, 0]) > 0.99
        assert float(found.norm()) == pytest.approx(1)


def test_mean_differences_are_the_formula_and_leave_out_what_is_unknown():
    x, yes, true = planted()
    known = noise(600, 2, seed=9) > 0
    found = mean_difference_vectors(x, yes, known)
    for at in range(2):
        here, there = x[known[:, at] & yes[:, at]].mean(0), x[known[:, at] & ~yes[:, at]].mean(0)
        torch.testing.assert_close(found[at], (here - there) / (here - there).norm())
    assert float((mean_difference_vectors(x, yes) * true).sum(1).min()) > 0.95
    # Where noise differs between directions the regression turns away from those where there is much of it.
    assert float((logistic_vectors(x, yes) * true).sum(1).min()) < float((found * true).sum(1).min())


def test_derivatives_are_differences_of_outputs_and_scores_count_them():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1)).double()
    x, vectors = noise(40, 8, seed=3).double(), logistic_vectors(*planted()[:2]).double()

    def outcome(rows):
        return network(rows)[:, 0]

    found = directional_derivatives(outcome, x, vectors)
    step = 1e-5
    with torch.no_grad():
        for at, vector in enumerate(vectors):
            rise = (outcome(x + step * vector) - outcome(x - step * vector)) / (2 * step)
            torch.testing.assert_close(found[:, at], rise, atol=1e-7, rtol=1e-5)
            assert float(tcav_scores(found)[at]) == float((rise > 0).double().mean())
    assert all(one.grad is None for one in network.parameters())


def test_an_output_leans_on_what_it_is_made_of_and_not_on_another_concept():
    x, yes, true = planted(samples=2000)

    def outcome(rows):
        return torch.tanh(rows @ true[0])

    own, other = (tcav_test(outcome, x, x[yes[:, at]], x[~yes[:, at]], size=60, runs=40) for at in range(2))
    assert own.scores.min() == 1.0
    assert own.p < 1e-4
    # Along a direction at a right angle the output rises for all or for nobody, as chance in the examples has it.
    assert set(other.scores) == {0.0, 1.0}
    assert other.p > own.p
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert own.p == pytest.approx(ttest_ind(own.scores, own.random, equal_var=False).pvalue)
    assert len(own.scores) == len(own.random) == 40


def test_random_examples_are_found_as_rarely_as_the_level_says():
    # An output that bends, so that scores lie between 0 and 1.
    direction, others = noise(6, seed=5), noise(400, 6, seed=6)

    def outcome(rows):
        return ((rows - 0.5) * direction).square().sum(1)

    x = noise(100, 6, seed=7)
    ps = [tcav_test(outcome, x, noise(200, 6, seed=100 + at), others, runs=8, seed=at).p for at in range(40)]
    assert np.mean(np.array(ps) < 0.05) <= 0.2
    assert np.median(ps) > 0.2


def test_what_has_no_direction_is_refused_with_a_reason():
    x, yes, _ = planted()
    for refused, told in (
        (lambda: logistic_vectors(x, torch.stack([yes[:, 0], yes[:, 0] & False], 1)), r"concept\(s\) 1 lack either"),
        (lambda: mean_difference_vectors(x, yes | True), r"concept\(s\) 0, 1 lack either"),
        (lambda: mean_difference_vectors(torch.ones(4, 2), torch.tensor([[True], [False], [True], [False]])), "alike"),
        (lambda: logistic_vectors(x, yes[:5]), "do not fit"),
        (lambda: logistic_vectors(x, yes, l2=0.0), "above zero"),
        (lambda: tcav_test(lambda r: r[:, 0], x, x, x, runs=1), "two draws"),
        (lambda: tcav_test(lambda r: r[:, 0], x, x[:3], x, size=4), "draws of 4"),
    ):
        with pytest.raises(DataError, match=told):
            refused()
