"""The ensemble Kalman filter: beside the exact one where that is known, and where few members need localisation."""

import numpy as np
import pytest

from pellucid.assimilation import EnsembleKalman, gaspari_cohn, increments, normal_draws
from pellucid.errors import DataError

KEEP, MODEL_SD, NOISE_SD = 0.9, 0.5, 1.0


def kalman(observations, mean=0.0, variance=2.0):
    """Mean and variance after each observation of a scalar that decays and is shaken, by the formulas."""
    means, variances = [], []
    for y in observations:
        mean, variance = KEEP * mean, KEEP**2 * variance + MODEL_SD**2
        gain = variance / (variance + NOISE_SD**2)
        mean, variance = mean + gain * (y - mean), (1 - gain) * variance
        means.append(mean)
        variances.append(variance)
    return np.array(means), np.array(variances)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_of_a_linear_model_it_is_the_exact_filter_within_chance(seed):
    rng = np.random.default_rng(seed)
    x, truth = 1.0, []
    for _ in range(40):
        x = KEEP * x + MODEL_SD * rng.normal()
        truth.append(x)
    observed = np.array(truth) + NOISE_SD * rng.normal(size=40)
    found = EnsembleKalman(noise_sd=NOISE_SD).filtered(
        normal_draws(np.array([[2.0]]), 5000, rng), observed[:, None], lambda members: KEEP * members, rng,
        model_noise=np.array([[MODEL_SD**2]]),
    )  # fmt: skip
    mean, variance = kalman(observed)
    # Measured: means 1.4 to 1.6 % of a standard deviation off (root mean square), variances 1.5 to 1.8 % (mean).
    assert np.sqrt(np.mean((found.mean[:, 0] - mean) ** 2)) < 0.03 * np.sqrt(variance.mean())
    assert np.mean(np.abs(found.variance[:, 0] / variance - 1)) < 0.03


def test_a_part_that_is_observed_tells_of_the_rest():
    rng = np.random.default_rng(0)
    covariance = np.array([[1.0, 0.8], [0.8, 1.0]])
    found = EnsembleKalman(noise_sd=0.5, observing=np.array([[1.0, 0.0]])).analysed(
        normal_draws(covariance, 20_000, rng), np.array([2.0]), rng
    )
    # K = (1, 0.8) / 1.25.
    assert found.gain[:, 0] == pytest.approx([0.8, 0.64], abs=0.02)
    assert found.mean == pytest.approx([1.6, 1.28], abs=0.05)
    assert found.members.var(0) == pytest.approx([0.2, 1 - 0.8**2 / 1.25], abs=0.02)


def test_few_members_need_localisation():
    rng = np.random.default_rng(0)
    at = np.arange(100)
    apart = np.minimum(np.abs(at[:, None] - at), 100 - np.abs(at[:, None] - at)).astype(float)
    covariance = np.exp(-((apart / 3) ** 2) / 2)
    error = {}
    for name, taper in (("all", None), ("near", gaspari_cohn(apart, 8.0))):
        filtering = EnsembleKalman(noise_sd=0.3, taper=taper)
        errors = []
        for _ in range(20):
            truth = normal_draws(covariance, 1, rng)[0]
            seen = truth + 0.3 * rng.normal(size=100)
            errors.append(np.mean((filtering.analysed(normal_draws(covariance, 20, rng), seen, rng).mean - truth) ** 2))
        error[name] = np.sqrt(np.mean(errors))
    # Measured 0.47 and 0.17; the noise is 0.3.
    assert error["near"] < 0.3 < error["all"]


def test_the_taper_is_a_correlation_that_ends():
    distance = np.linspace(0, 30, 301)
    taper = gaspari_cohn(distance, 10.0)
    assert taper[0] == 1
    assert (np.diff(taper) <= 1e-12).all()
    assert (taper[distance >= 20] == 0).all()
    # The two pieces meet, with their slopes.
    left, right = gaspari_cohn(np.array([10 - 1e-6, 10 + 1e-6]), 10.0)
    assert left == pytest.approx(right, abs=1e-6)
    at = np.minimum(np.abs(np.arange(50)[:, None] - np.arange(50)), 50 - np.abs(np.arange(50)[:, None] - np.arange(50)))
    assert np.linalg.eigvalsh(gaspari_cohn(at.astype(float), 6.0)).min() > -1e-9


def test_inflation_widens_before_it_draws_together():
    rng = np.random.default_rng(0)
    members = rng.normal(size=(4000, 1))
    plain, wide = (
        EnsembleKalman(noise_sd=1.0, inflation=by)
        .analysed(members, np.array([1.0]), np.random.default_rng(1))
        .gain[0, 0]
        for by in (1.0, 2.0)
    )
    assert plain == pytest.approx(0.5, abs=0.02)
    assert wide == pytest.approx(0.8, abs=0.02)


def test_what_a_model_lacks_is_seen_through_noise():
    rng = np.random.default_rng(0)
    at = np.arange(60)
    apart = np.minimum(np.abs(at[:, None] - at), 60 - np.abs(at[:, None] - at)).astype(float)
    covariance = np.exp(-((apart / 4) ** 2) / 2)
    before = normal_draws(covariance, 200, rng)
    lacking = 0.5 * np.square(before)
    found = increments(
        before + 0.1 * rng.normal(size=before.shape), before + 0.2 * lacking + 0.1 * rng.normal(size=before.shape), lambda u: u,
        filtering=EnsembleKalman(noise_sd=0.1, taper=gaspari_cohn(apart, 12.0)), background=covariance, members=120, spread=0.3,
        rng=rng,
    )  # fmt: skip
    terms = np.stack([np.square(found.state), found.state, found.state**3], -1).reshape(-1, 3)
    weights = np.linalg.lstsq(found.seen(terms), found.change.ravel() / 0.2, rcond=None)[0]
    # Measured 0.523, -0.017, -0.039.
    assert weights == pytest.approx([0.5, 0, 0], abs=0.05)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"noise_sd": 0.0}, "need no filter"),
        ({"inflation": 0.5}, "1 or more"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(change, told):
    with pytest.raises(DataError, match=told):
        EnsembleKalman(**({"noise_sd": 1.0} | change))


def test_what_does_not_fit_is_refused_with_its_shape():
    rng, members = np.random.default_rng(0), np.zeros((3, 2))
    filtering = EnsembleKalman(noise_sd=1.0)
    for given, seen, told in (
        (members[:1], np.zeros(2), "no spread"),
        (members, np.zeros(3), r"shape \(3,\), expected \(2,\)"),
        (members * np.nan, np.zeros(2), "ran away"),
    ):
        with pytest.raises(DataError, match=told):
            filtering.analysed(given, seen, rng)
    with pytest.raises(DataError, match="taper"):
        EnsembleKalman(noise_sd=1.0, taper=np.eye(3)).analysed(members, np.zeros(2), rng)
    with pytest.raises(DataError, match="whole state"):
        increments(members, members, lambda u: u, filtering=EnsembleKalman(noise_sd=1.0, observing=np.eye(2)), background=np.eye(2),
                   members=3, spread=1.0, rng=rng)  # fmt: skip
    with pytest.raises(DataError, match="pairs of states"):
        increments(
            members, members[:2], lambda u: u, filtering=filtering, background=np.eye(2), members=3, spread=1.0, rng=rng
        )


def test_what_a_filter_follows_is_known_and_has_one_shape():
    found, rng = EnsembleKalman(noise_sd=0.1), np.random.default_rng(0)
    members, seen = rng.normal(size=(5, 3)), np.zeros((4, 3))
    gap = seen.copy()
    gap[2, 1] = np.nan
    with pytest.raises(DataError, match="step 2: the observation holds NaN"):
        found.filtered(members, gap, lambda states: states, rng)
    with pytest.raises(DataError, match=r"step 0: the model's forecast has shape \(5, 2\)"):
        found.filtered(members, seen, lambda states: states[:, :2], rng)
    with pytest.raises(DataError, match="no observations"):
        found.filtered(members, seen[:0], lambda states: states, rng)
    for noise in (np.eye(2), np.full((3, 3), np.nan)):
        with pytest.raises(DataError, match="model_noise"):
            found.filtered(members, seen, lambda states: states, rng, model_noise=noise)
    with pytest.raises(DataError, match=r"\(member, state\)"):
        found.analysed(members[0], seen[0], rng)
    with pytest.raises(DataError, match="3 columns"):
        EnsembleKalman(noise_sd=0.1, observing=np.eye(2)).analysed(members, seen[0, :2], rng)
    for wrong in (
        {"noise_sd": np.inf},
        {"inflation": np.inf},
        {"taper": np.full((3, 3), np.nan)},
        {"observing": np.zeros(3)},
    ):
        with pytest.raises(DataError, match=next(iter(wrong))):
            EnsembleKalman(**{"noise_sd": 0.1} | wrong)
