"""The parts of a divergence: against closed forms, the library, and each other."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from pellucid.encoders import kl_decomposition
from pellucid.encoders.kl_decomposition import (
    KlParts,
    active_units,
    exact_group_information,
    exact_parts,
    log_normal,
    minibatch_group_information,
    minibatch_log_density,
    minibatch_parts,
)
from pellucid.encoders.vae_gaussian import gaussian_divergence


def posteriors(count: int = 300, units: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(count, units, generator=generator)
    # Units that hang together, so that no part is zero.
    mean[:, 1] += mean[:, 0]
    return mean, torch.randn(count, units, generator=generator) * 0.5 - 2


def drawn(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    return mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=torch.Generator().manual_seed(1))


def test_parts_of_a_gaussian_aggregate_are_those_of_its_closed_form():
    # Samples spread as N(0, C), posteriors of variance s: the aggregate is N(0, C + s), whose parts are known.
    correlation, spread, noise = 0.8, torch.tensor([1.5, 1.0]), 0.25
    covariance = torch.diag(spread) @ torch.tensor([[1, correlation], [correlation, 1]]) @ torch.diag(spread)
    generator = torch.Generator().manual_seed(0)
    # Spread evenly and with exactly that covariance, so that few samples are as good as many.
    even = torch.quasirandom.SobolEngine(2, scramble=True, seed=0).draw(256).clamp(1e-4, 1 - 1e-4)
    mean = math.sqrt(2) * torch.erfinv(2 * even - 1)
    mean = mean - mean.mean(0)
    mean = torch.linalg.solve_triangular(torch.linalg.cholesky(mean.T.cov(correction=0)), mean.T, upper=False).T
    mean = mean @ torch.linalg.cholesky(covariance).T
    whole = covariance + noise * torch.eye(2)
    each = whole.diagonal()
    information = 0.5 * (torch.logdet(whole) - 2 * math.log(noise))
    correlated = 0.5 * (each.log().sum() - torch.logdet(whole))
    apart = 0.5 * (each - 1 - each.log()).sum()
    found = exact_parts(mean, torch.full_like(mean, math.log(noise)), draws=20, generator=generator).mean()
    assert found["information"] == pytest.approx(float(information), abs=0.03)
    assert found["total_correlation"] == pytest.approx(float(correlated), abs=0.03)
    assert found["dimension_wise"] == pytest.approx(float(apart), abs=0.03)
    between = exact_group_information(mean, torch.full_like(mean, math.log(noise)), 1, draws=20, generator=generator)
    assert float(between.mean()) == pytest.approx(float(correlated), abs=0.03)


def test_exact_mixture_is_that_of_the_library(monkeypatch):
    # A limit that cuts the draws into several pieces.
    monkeypatch.setattr(kl_decomposition, "PAIRS_AT_ONCE", 50 * 4 * 7)
    mean, log_variance = (part.double() for part in posteriors(50))
    found = exact_parts(mean, log_variance, draws=2, generator=torch.Generator().manual_seed(3))
    noise = torch.randn(100, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    deviation = (0.5 * log_variance).exp()
    z = mean.repeat_interleave(2, 0) + deviation.repeat_interleave(2, 0) * noise
    even = Categorical(torch.ones(50, dtype=torch.float64))
    joint = MixtureSameFamily(even, Independent(Normal(mean, deviation), 1)).log_prob(z)
    marginal = sum(
        MixtureSameFamily(even, Normal(mean[:, unit], deviation[:, unit])).log_prob(z[:, unit]) for unit in range(4)
    )
    own = Normal(mean.repeat_interleave(2, 0), deviation.repeat_interleave(2, 0)).log_prob(z).sum(1)
    prior = Normal(0.0, 1.0).log_prob(z).sum(1)
    assert torch.allclose(found.information, own - joint)
    assert torch.allclose(found.total_correlation, joint - marginal)
    assert torch.allclose(found.dimension_wise, marginal - prior)


def test_parts_add_up_to_the_divergence():
    mean, log_variance = posteriors(100)
    found = exact_parts(mean, log_variance, draws=100, generator=torch.Generator().manual_seed(0))
    assert float(found.total.mean()) == pytest.approx(float(gaussian_divergence(mean, log_variance).mean()), rel=0.01)


def test_a_batch_that_is_everything_is_off_by_what_is_said():
    mean, log_variance = (part.double() for part in posteriors())
    z = drawn(mean, log_variance)
    even = Categorical(torch.ones(300, dtype=torch.float64))
    exact = MixtureSameFamily(even, Independent(Normal(mean, (0.5 * log_variance).exp()), 1)).log_prob(z)
    assert torch.allclose(minibatch_log_density(z, mean, log_variance, 300), exact - math.log(300))


def test_three_parts_and_one_density_say_the_same():
    mean, log_variance = posteriors(64)
    z = drawn(mean, log_variance)
    parts, density = minibatch_parts(z, mean, log_variance, 1000), minibatch_log_density(z, mean, log_variance, 1000)
    rest = density - log_normal(z).sum(1)
    assert torch.allclose(parts.total_correlation + parts.dimension_wise, rest, atol=1e-4)
    assert torch.allclose(parts.information, log_normal(z, mean, log_variance).sum(1) - density, atol=1e-4)


def test_information_between_groups_is_total_correlation_where_each_has_one_unit():
    mean, log_variance = posteriors(64, units=2)
    z = drawn(mean, log_variance)
    between = minibatch_group_information(z, mean, log_variance, 1, 500)
    assert torch.allclose(between, minibatch_parts(z, mean, log_variance, 500).total_correlation, atol=1e-4)


def test_densities_hold_where_posteriors_are_as_narrow_as_allowed():
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(64, 10, generator=generator) * 3, torch.full((64, 10), -8.0)
    z = drawn(mean, log_variance)
    exact = minibatch_log_density(z.double(), mean.double(), log_variance.double(), 100)
    assert (minibatch_log_density(z, mean, log_variance, 100) - exact).abs().max() < 0.05


def test_units_are_active_whose_means_vary():
    mean = torch.randn(500, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 0.05, 0.2])
    assert active_units(mean).tolist() == [True, False, True]


def test_means_are_by_name():
    parts = KlParts(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 1.0]), torch.tensor([2.0, 2.0]))
    assert parts.mean() == {"information": 2.0, "total_correlation": 0.5, "dimension_wise": 2.0}
