"""The closed forms of PiVeM against quadrature, sums over events and dense matrices."""

from functools import partial

import numpy as np
import pytest
import torch

from pellucid_molecules.encoders.pivem_likelihood import Motion, integral
from pellucid_molecules.encoders.pivem_prior import log_density, time_covariance


def quadrature(apart, velocity, start, stop, points=20_000):
    nodes, weights = np.polynomial.legendre.leggauss(40)
    # Forty points in each of many pieces: exact to rounding where a whole way is long.
    edges = np.linspace(start, stop, points // 40 + 1)
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    time = (middle[:, None] + half[:, None] * nodes).ravel()
    distance = ((apart[None] + time[:, None] * velocity[None]) ** 2).sum(-1)
    return float((np.exp(-distance).reshape(len(half), -1) @ weights * half).sum())


def draws(count, seed):
    rng = np.random.default_rng(seed)
    speeds = np.concatenate([[0.0, 1e-8, 1e-6, 1e-4, 2e-3, 50.0], 10.0 ** rng.uniform(-8, 1.7, count - 6)])
    for speed in speeds:
        way = rng.normal(size=2)
        apart, start = rng.normal(size=2) * rng.uniform(0.1, 3), rng.uniform(0, 0.5)
        yield apart, speed * way / np.linalg.norm(way), start, start + rng.uniform(0.01, 0.5)


def test_the_closed_form_is_the_integral_at_all_speeds():
    worst = 0.0
    for apart, velocity, start, stop in draws(500, seed=0):
        found = float(integral(torch.tensor(apart), torch.tensor(velocity), start, stop))
        true = quadrature(apart, velocity, start, stop)
        assert np.isfinite(found)
        if true > 1e-290:
            worst = max(worst, abs(found - true) / true)
    assert worst < 1e-9


def test_the_integral_and_its_gradient_are_numbers_where_factors_would_overflow():
    apart = torch.tensor(
        [[40.0, 0.0], [-40.0, 0.0], [0.0, 0.0], [-40.0, 0.1], [3.0, 4.0], [-80.0, 0.0], [80.0, 0.0]],
        dtype=torch.float64,
    )
    velocity = torch.tensor(
        [[50.0, 0.0], [50.0, 0.0], [0.0, 0.0], [5000.0, 0.0], [1e-12, 0.0], [30.0, 0.0], [30.0, 0.0]],
        dtype=torch.float64,
    )
    apart.requires_grad_(True)
    velocity.requires_grad_(True)
    values = integral(apart, velocity, 0.0, 1.0)
    values.sum().backward()
    assert values.isfinite().all()
    assert (values >= 0).all()
    assert apart.grad.isfinite().all()
    assert velocity.grad.isfinite().all()
    assert float(values[1].detach()) == pytest.approx(np.sqrt(np.pi) / 50, rel=1e-9)


def test_the_gradient_of_the_integral_is_that_of_differences():
    for apart, velocity, start, stop in draws(40, seed=1):
        if 1e-6 < np.linalg.norm(velocity) < 20:
            ends = [torch.tensor(one, requires_grad=True) for one in (apart, velocity)]
            assert torch.autograd.gradcheck(partial(integral, start=start, stop=stop), ends, atol=1e-6, rtol=1e-4)


def test_sums_of_times_give_the_sum_over_events():
    rng = np.random.default_rng(3)
    pairs, bins = 6, 5
    motion = Motion(
        torch.tensor(rng.normal(size=pairs)),
        torch.tensor(rng.normal(size=(pairs, bins, 2))),
        torch.tensor(rng.normal(size=(pairs, bins, 2)) * 20),
    )
    sums, naive = np.zeros((3, pairs, bins)), 0.0
    for _ in range(3000):
        pair, at, time = rng.integers(pairs), rng.integers(bins), rng.uniform(0, 1 / bins)
        sums[:, pair, at] += (1, time, time**2)
        place = motion.apart[pair, at].numpy() + time * motion.velocity[pair, at].numpy()
        naive += float(motion.base[pair]) - place @ place
    found = float(motion.of_events(*torch.tensor(sums)).sum())
    assert found == pytest.approx(naive, rel=1e-8)


@pytest.mark.parametrize("kinds", [2, 4])
def test_the_density_of_the_prior_is_that_of_the_dense_normal(kinds):
    nodes, bins, dimensions = 4, 3, 2
    generator = torch.Generator().manual_seed(0)
    path = torch.randn(bins + 1, nodes, dimensions, generator=generator, dtype=torch.float64)
    scale, noise, length, start = (torch.tensor(one, dtype=torch.float64) for one in (1.7, 0.6, 0.3, 0.8))
    of = torch.randn(nodes, kinds, generator=generator, dtype=torch.float64).softmax(1)
    time = time_covariance(bins, length, start)
    assert time[0, 0] == pytest.approx(0.64)
    assert float(time[1, 2]) == pytest.approx(np.exp(-0.5 * (1 / 3 / 0.3) ** 2))
    whole = torch.kron(torch.kron(time, of @ of.T), torch.eye(dimensions, dtype=torch.float64))
    whole = scale**2 * (noise**2 * torch.eye(len(whole), dtype=torch.float64) + whole)
    dense = torch.distributions.MultivariateNormal(torch.zeros(len(whole), dtype=torch.float64), whole)
    found = log_density(path, time, of, scale, noise)
    assert float(found) == pytest.approx(float(dense.log_prob(path.reshape(-1))), abs=1e-8)
