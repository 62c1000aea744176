"""MEDIDA, Chaos 32, 061105 (2022): which terms a model of the Kuramoto-Sivashinsky equation lacks, as an equation.

Five cases without noise, as in the paper; the filter that noise would need is not here.
"""

import numpy as np
import pytest

from pellucid.data.spec import Regression
from pellucid.heads.equations.relevance_vector import RelevanceVector, RelevanceVectorConfig
from pellucid_datasets.dynamics.kuramoto_sivashinsky import Ring, model_step, snapshots

pytestmark = pytest.mark.reproduction

RING = Ring(length=100.0, points=256)
TERMS = ("u*u_x", "u_xx", "u_xxxx")
CASES = {
    "no advection": (0, 1, 1),
    "no diffusion": (1, 0, 1),
    "no hyperdiffusion": (1, 1, 0),
    "all halved": (0.5, 0.5, 0.5),
    "half the advection, no diffusion": (0.5, 0, 1),
}
"""What the model's coefficients are, where the truth has 1, 1, 1."""


@pytest.fixture(scope="module")
def pairs():
    return {step: snapshots(RING, count=5, step=step) for step in (0.01, 0.005)}


def missing(pairs, case, step=0.01, columns=None, names=None, noise=0.0):
    """The terms that are found to be missing, by name."""
    before, after = pairs[step]
    if noise:
        rng = np.random.default_rng(0)
        before, after = (one + noise * one.std() * rng.normal(size=one.shape) for one in (before, after))
    advection, diffusion, hyperdiffusion = case
    guess = model_step(RING, before, step, advection=advection, diffusion=diffusion, hyperdiffusion=hyperdiffusion)
    known, values = RING.library(before)
    names, values = names or known, values if columns is None else columns(known, values)
    head = RelevanceVector(RelevanceVectorConfig(units=names, target=Regression(names=("u_t",), units=("1",))))
    found = head.learn(values, ((after - guess) / step).reshape(-1, 1), [""] * len(values))
    return {name: one for name, one in zip(names, found["coefficients"][0], strict=True) if one}


@pytest.mark.parametrize("name", CASES)
def test_missing_terms_are_found_with_their_coefficients(pairs, name):
    found = missing(pairs, CASES[name])
    truth = {term: model - 1 for term, model in zip(TERMS, CASES[name], strict=True) if model != 1}
    assert set(found) == set(truth)
    for term, wanted in truth.items():
        # Measured: -0.948; -0.985; -1.015; -0.501, -0.500, -0.501; -0.448, -0.996. The worst is 10.5 % off.
        assert found[term] == pytest.approx(wanted, rel=0.15)


def test_half_the_step_has_about_half_the_error(pairs):
    error = {step: abs(missing(pairs, CASES["no advection"], step)["u*u_x"] + 1) for step in (0.01, 0.005)}
    # Measured 0.052 and 0.028.
    assert error[0.005] / error[0.01] < 0.7


def test_a_model_that_lacks_nothing_is_told_so(pairs):
    # Measured: at most 0.0044, the error of the model's own step.
    assert max(map(abs, missing(pairs, (1, 1, 1)).values())) < 0.02


def test_few_terms_are_kept_where_least_squares_keeps_all(pairs):
    before, after = pairs[0.01]
    _, values = RING.library(before)
    increment = (after - model_step(RING, before, 0.01, advection=0, diffusion=1, hyperdiffusion=1)) / 0.01
    dense = np.linalg.lstsq(values, increment.ravel(), rcond=None)[0]
    assert np.count_nonzero(dense) == 24
    assert len(missing(pairs, CASES["no advection"])) <= 3


def test_a_product_that_stands_twice_is_kept_at_most_once(pairs):
    names, _ = RING.library(pairs[0.01][0])

    def twice(known, values):
        return np.concatenate([values, values[:, [known.index("u*u_x")]]], 1)

    found = missing(pairs, CASES["no advection"], columns=twice, names=(*names, "again"))
    assert set(found) in ({"u*u_x"}, {"again"})


def test_noise_of_one_percent_hides_the_highest_derivative_where_nothing_filters_it(pairs):
    assert set(missing(pairs, CASES["no hyperdiffusion"], noise=0.01)) != {"u_xxxx"}


def test_the_true_motion_stays_bounded_to_time_300_and_keeps_its_mean():
    _, after = snapshots(RING, count=1, step=0.02, settle=300.0)
    assert 0.5 < after.std() < 3
    assert abs(after.mean()) < 1e-8


def test_derivatives_are_those_of_waves():
    x = np.arange(256) * 100 / 256
    wave = 2 * np.pi * 5 / 100
    u = np.sin(wave * x)[None]
    for order, wanted in ((1, wave * np.cos(wave * x)), (2, -(wave**2) * u[0]), (4, wave**4 * u[0])):
        assert RING.derivative(u, order)[0] == pytest.approx(wanted, abs=1e-9)
    names, values = RING.library(u)
    assert len(names) == values.shape[1] == 24
    assert values[:, names.index("u^2*u_x")] == pytest.approx(u[0] ** 2 * wave * np.cos(wave * x), abs=1e-9)
