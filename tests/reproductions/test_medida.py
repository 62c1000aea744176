"""MEDIDA, Chaos 32, 061105 (2022): which terms a model of the Kuramoto-Sivashinsky equation lacks, as an equation.

Five cases without noise, terms of the truth that no model had, and the five again through 1 % of noise, by an ensemble Kalman filter.
"""

import numpy as np
import pytest

from pellucid.assimilation import EnsembleKalman, gaspari_cohn, increments, normal_draws
from pellucid.data.spec import Regression
from pellucid.heads.equations.evidence import ranked_terms
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
    return fitted(names, values, (after - guess) / step)


def fitted(names, values, target):
    """Terms with a coefficient, by name."""
    head = RelevanceVector(RelevanceVectorConfig(units=names, target=Regression(names=("u_t",), units=("1",))))
    found = head.learn(values, target.reshape(-1, 1), [""] * len(values))
    return {name: one for name, one in zip(names, found["coefficients"][0], strict=True) if one}


def wanted(case):
    """What a model lacks."""
    return {term: model - 1 for term, model in zip(TERMS, CASES[case], strict=True) if model != 1}


@pytest.mark.parametrize("name", CASES)
def test_missing_terms_are_found_with_their_coefficients(pairs, name):
    found = missing(pairs, CASES[name])
    # Measured: -0.948; -0.985; -1.015; -0.501, -0.500, -0.501; -0.448, -0.996. The worst is 10.5 % off.
    assert found == pytest.approx(wanted(name), rel=0.15)


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


EXTRA = {
    # Measured: -0.496; -0.097; -0.487 and -0.094, at a step of 0.0025. At 0.01 the term that is not linear is lost among others.
    "u_xxx": {"dispersion": 0.5},
    "u^2*u_x": {"cubic": 0.1},
    "both": {"dispersion": 0.5, "cubic": 0.1},
}


@pytest.mark.parametrize("name", EXTRA)
def test_terms_that_no_model_had_are_found_in_the_truth(name):
    step = 0.0025
    before, after = snapshots(RING, count=5, step=step, settle=50.0, apart=10.0, **EXTRA[name])
    guess = model_step(RING, before, step, advection=1, diffusion=1, hyperdiffusion=1)
    truth = {"dispersion": "u_xxx", "cubic": "u^2*u_x"}
    found = fitted(*RING.library(before), (after - guess) / step)
    assert found == pytest.approx({truth[term]: -value for term, value in EXTRA[name].items()}, rel=0.1)


def test_runners_up_are_worth_less_than_what_is_kept(pairs):
    before, after = pairs[0.01]
    names, values = RING.library(before)
    target = (after - model_step(RING, before, 0.01, advection=0.5, diffusion=0, hyperdiffusion=1)).ravel() / 0.01
    found = fitted(names, values, target)
    ranked = ranked_terms(values, target, np.array([found.get(name, 0.0) for name in names]), names)
    # The kept ones in the order of what they explain, and nobody left out comes near the second.
    assert [one.name for one in ranked if one.kept] == ["u_xx", "u*u_x"]
    # Measured 66,767 and 351.
    assert ranked[1].evidence > 100 * ranked[2].evidence


def test_the_filter_is_the_exact_one_on_a_linear_scalar():
    rng = np.random.default_rng(0)
    found = EnsembleKalman(noise_sd=1.0).analysed(
        2.0 + normal_draws(np.array([[3.0]]), 5000, rng), np.array([4.0]), rng
    )
    # Gain 3 / 4; measured 3.495 and 0.758.
    assert found.mean[0] == pytest.approx(3.5, rel=0.03)
    assert found.members.var(ddof=1) == pytest.approx(0.75, rel=0.03)


def filtered(noisy_pairs, case, *, seed, noise=0.01, between=1, members=200):
    """The terms that are found to be missing, through noise at both times."""
    before, after = noisy_pairs
    rng = np.random.default_rng(seed)
    sd, step = noise * before.std(), 0.01 * between
    seen = tuple(one + sd * rng.normal(size=one.shape) for one in (before, after))
    advection, diffusion, hyperdiffusion = CASES[case]

    def forecast(u):
        for _ in range(between):
            u = model_step(RING, u, 0.01, advection=advection, diffusion=diffusion, hyperdiffusion=hyperdiffusion)
        return u

    found = increments(
        *seen, forecast, filtering=EnsembleKalman(noise_sd=sd, taper=gaspari_cohn(RING.distances, 12.0)),
        background=before.var() * np.exp(-((RING.distances / 1.5) ** 2) / 2), members=members, spread=0.2, rng=rng,
    )  # fmt: skip
    names, values = RING.library(found.state)
    return fitted(names, found.seen(values), found.change / step), (names, values, found.change / step)


@pytest.fixture(scope="module")
def noisy():
    return snapshots(RING, count=40, step=0.01)


@pytest.mark.parametrize(
    "name", ["no advection", "no diffusion", "no hyperdiffusion", "half the advection, no diffusion"]
)
def test_through_one_percent_of_noise_the_filter_shows_what_is_missing(noisy, name):
    found, (names, values, change) = filtered(noisy, name, seed=0)
    assert found == pytest.approx(wanted(name), rel=0.15)
    if name == "no advection":
        # Terms that are not shown as the filter shows them are joined by others.
        assert set(fitted(names, values, change)) > {"u*u_x"}


ODD = pytest.param(
    3, marks=pytest.mark.xfail(strict=True, reason="half of all three is 14 % off, and one term is false")
)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [0, 1, 2, ODD, 4, 5])
def test_with_two_hundred_pairs_the_filter_shows_every_case(seed):
    pairs = snapshots(RING, count=200, step=0.01, seed=seed)
    for name in CASES:
        assert filtered(pairs, name, seed=seed)[0] == pytest.approx(wanted(name), rel=0.1), name
