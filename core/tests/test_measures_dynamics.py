"""Measures of models that move by themselves: hand-made histograms, closed forms, and real against real."""

import numpy as np
import pytest
from scipy.signal import periodogram

from pellucid.errors import DataError
from pellucid.measures.dynamics.forecasts import n_step_errors
from pellucid.measures.dynamics.lyapunov import lyapunov_exponent, lyapunov_exponents
from pellucid.measures.dynamics.spectra import spectral_distance
from pellucid.measures.dynamics.state_space import state_space_divergence
from pellucid.testing.real_data import real_data


def by_hand(true, made, bins=30, laplace=1e-5):
    """The divergence over every bin there is, from numpy's own histogram."""
    ends = list(zip(true.min(0), true.max(0), strict=True))
    p, q = (np.histogramdd(one, bins, ends)[0] + laplace for one in (true, made))
    every = laplace * bins ** true.shape[1]
    p, q = p / (len(true) + every), q / (len(made) + every)
    return float((p * np.log(p / q)).sum())


@pytest.mark.parametrize("variables", [1, 2, 3])
def test_divergence_is_that_of_whole_histograms(variables):
    rng = np.random.default_rng(0)
    true, made = rng.normal(size=(4000, variables)), rng.normal(0.3, 1.2, (3000, variables))
    assert state_space_divergence(true, made) == pytest.approx(by_hand(true, made), rel=1e-9)
    assert state_space_divergence(made, true, bins=7) == pytest.approx(by_hand(made, true, 7), rel=1e-9)


def test_points_outside_the_range_are_points_all_the_same():
    true = np.linspace(0, 1, 1000)[:, None]
    made = np.concatenate([true, true + 5])
    # Half of the points are right: each bin has half of its share, whatever the smoothing.
    assert state_space_divergence(true, made) == pytest.approx(np.log(2), abs=1e-4)
    assert by_hand(true, made[: len(true)]) == pytest.approx(0.0)


def test_a_fixed_point_is_as_far_away_as_the_smoothing_lets_it():
    true = np.random.default_rng(0).normal(size=(40_000, 3))
    assert 13 < state_space_divergence(true, np.zeros_like(true)) < 17


def test_a_mixture_of_one_point_each_has_the_divergence_of_two_gaussians():
    one, other = np.zeros((5, 12)), np.zeros((5, 12))
    other[:, :3] = 2.0, 1.0, -1.0
    # |a - b|^2 / (2 width^2), to what a thousand drawn points leave open: a standard error of |a - b| / width / sqrt(1000).
    assert state_space_divergence(one, other) == pytest.approx(3.0, abs=4 * 6**0.5 / 1000**0.5)
    assert state_space_divergence(one, other, width=2.0) == pytest.approx(0.75, abs=4 * 6**0.5 / 2 / 1000**0.5)
    assert state_space_divergence(one, one) == 0.0


def test_a_mixture_is_what_kernel_densities_say():
    from sklearn.neighbors import KernelDensity

    rng = np.random.default_rng(1)
    true, made = rng.normal(size=(400, 4)), rng.normal(1.0, 1.0, (300, 4))
    # Both are estimates from points drawn from the same mixture; the reference has other and more of them.
    kernel, others = (KernelDensity(bandwidth=0.5).fit(one) for one in (true, made))
    at = kernel.sample(20_000, random_state=0)
    expected = float((kernel.score_samples(at) - others.score_samples(at)).mean())
    assert state_space_divergence(true, made, method="mixture", width=0.5) == pytest.approx(expected, rel=0.1)


def test_bins_that_nobody_could_fill_give_way_to_mixtures():
    rng = np.random.default_rng(0)
    true, other = rng.normal(size=(2, 2000, 8))
    rest = np.zeros_like(true)
    # 30^8 bins, each with its smoothing, hide that a model is at rest.
    assert state_space_divergence(true, rest, method="bins") < 0.02
    assert state_space_divergence(true, rest) == state_space_divergence(true, rest, method="mixture")
    assert state_space_divergence(true, rest) > 3 * state_space_divergence(true, other) > 0
    three = true[:, :3]
    assert state_space_divergence(three, rest[:, :3]) == state_space_divergence(three, rest[:, :3], method="bins")


def test_spectra_without_smoothing_are_those_of_a_periodogram():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(512, 2)), np.cumsum(rng.normal(size=(512, 2)), axis=0)
    p, q = (periodogram(x, axis=0, detrend="constant", scaling="spectrum")[1][1:] for x in (one, other))
    # A periodogram of one side doubles all bins but the last.
    p[-1], q[-1] = 2 * p[-1], 2 * q[-1]
    p, q = p / p.sum(0), q / q.sum(0)
    expected = np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum(0) / 2).mean()
    assert spectral_distance(one, other, smoothing_bins=0) == pytest.approx(expected, rel=1e-9)


def test_a_shift_in_time_or_of_the_mean_changes_no_rhythm_and_another_rhythm_does():
    t = np.arange(2000)
    wave = np.sin(2 * np.pi * t / 20)[:, None]
    assert spectral_distance(wave, np.roll(wave, 7) + 3) < 1e-6
    assert spectral_distance(wave, np.sin(2 * np.pi * t / 5)[:, None]) > 0.99
    assert spectral_distance(wave, np.zeros_like(wave)) == 1.0
    assert spectral_distance(np.ones_like(wave), np.zeros_like(wave)) == 0.0


def test_the_mean_spectrum_of_pieces_is_compared():
    rng = np.random.default_rng(0)
    pieces = rng.normal(size=(50, 200, 1))
    # Many pieces of white noise have a flatter mean spectrum than few.
    one = spectral_distance(pieces[:25], pieces[25:], smoothing_bins=0)
    assert one < 0.5 * spectral_distance(pieces[:1], pieces[25:26], smoothing_bins=0)


def test_exponents_of_a_linear_map_are_logarithms_of_its_eigenvalues():
    matrix = np.array([[0.9, 0.4, 0.0], [0.0, 1.2, 0.3], [0.0, 0.0, -0.5]])
    found = lyapunov_exponents(np.tile(matrix, (3000, 1, 1)), skip=200)
    assert found == pytest.approx(np.log([1.2, 0.9, 0.5]), abs=1e-3)
    assert lyapunov_exponent(np.tile(matrix, (3000, 1, 1)), step_s=0.01, skip=200) == pytest.approx(
        100 * np.log(1.2), abs=0.1
    )


def test_the_logistic_map_at_four_parts_neighbours_by_two_a_step():
    x, slopes = 0.3, []
    for _ in range(100_000):
        slopes.append([[4 * (1 - 2 * x)]])
        x = 4 * x * (1 - x)
    assert lyapunov_exponent(slopes) == pytest.approx(np.log(2), abs=0.005)


def test_exponents_of_the_lozi_map_add_up_to_its_contraction():
    a, b, x, y = 1.7, 0.5, 0.1, 0.1
    jacobians = []
    for _ in range(20_000):
        jacobians.append([[-a * np.sign(x), 1.0], [b, 0.0]])
        x, y = 1 - a * abs(x) + y, b * x
    found = lyapunov_exponents(jacobians, skip=100)
    # The determinant is -b at every step.
    assert found.sum() == pytest.approx(np.log(b), abs=1e-9)
    # Two orbits a hair apart, brought near each other again after each step, part as fast as that.
    first, second, grown = np.array([0.1, 0.1]), np.array([0.1 + 1e-8, 0.1]), []
    for _ in range(20_000):
        first, second = (np.array([1 - a * abs(z[0]) + z[1], b * z[0]]) for z in (first, second))
        far = np.linalg.norm(second - first)
        grown.append(np.log(far / 1e-8))
        second = first + (second - first) * 1e-8 / far
    assert found[0] == pytest.approx(np.mean(grown[100:]), abs=0.01)
    assert found[0] > 0.4


def test_the_order_of_steps_counts():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 3, 3))
    found = lyapunov_exponents(np.tile([a, b, c], (1000, 1, 1)), skip=300)
    assert found == pytest.approx(np.sort(np.log(np.abs(np.linalg.eigvals(c @ b @ a))) / 3)[::-1], abs=2e-3)
    turned = np.log(np.abs(np.linalg.eigvals(a @ b @ c))).max() / 3
    assert abs(turned - found[0]) > 0.02


def test_a_direction_that_is_wiped_out_has_no_end():
    assert lyapunov_exponents(np.tile(np.diag([1.0, 0.0]), (5, 1, 1)))[1] == -np.inf


def test_errors_of_a_drift_grow_with_the_square_of_the_steps():
    series = np.column_stack([np.arange(50.0), 2 * np.arange(50.0)])
    starts = [0, 10, 47]
    stays = np.repeat(series[starts][:, None], 4, axis=1)
    # Of the last start, two steps are left.
    assert n_step_errors(series, stays, starts).tolist() == [2.5 * n**2 for n in (1, 2, 3, 4)]
    last = n_step_errors(series, stays[2:], [47])
    assert last[:2].tolist() == [2.5, 10.0]
    assert np.isnan(last[2:]).all()


@pytest.mark.parametrize(
    ("measure", "true", "made", "said"),
    [
        (state_space_divergence, np.zeros((5, 2)), np.zeros((5, 3)), "2 variables and the generated ones 3"),
        (state_space_divergence, np.zeros((5, 2)), np.full((5, 2), np.nan), "no finite number at step 0"),
        (state_space_divergence, np.zeros((0, 2)), np.zeros((5, 2)), "needs steps and variables"),
        (spectral_distance, np.zeros((3, 2)), np.zeros((5, 2)), "four steps at least"),
        (spectral_distance, np.zeros((5, 2)), np.full((5, 2), np.inf), "no finite number"),
        (n_step_errors, np.zeros((5, 2)), np.zeros((1, 2, 3)), "none of a series of shape"),
    ],
)
def test_what_cannot_be_measured_is_refused(measure, true, made, said):
    more = ([0],) if measure is n_step_errors else ()
    with pytest.raises(DataError, match=said):
        measure(true, made, *more)


def test_a_path_without_steps_is_refused():
    with pytest.raises(DataError, match="after the 3 that are skipped"):
        lyapunov_exponents(np.ones((3, 1, 1)), skip=3)
    with pytest.raises(DataError, match="step 0"):
        lyapunov_exponents(np.ones((3, 1, 2)))


def test_two_stretches_of_lorenz_are_near_each_other_and_a_shuffled_one_has_no_rhythm():
    series = np.load(real_data("robotics", "alrnn_series") / "lorenz63.npy").astype(np.float64)
    first, second = series[:39_000], series[39_000:]
    # Measured: 0.083 and 0.201 in either direction, 0.314 with ten thousand steps for the model; rhythms 0.050.
    assert state_space_divergence(first, second) < 0.12
    assert state_space_divergence(second, first) < 0.3
    assert state_space_divergence(series[10_000:], series[:10_000]) < 0.54
    assert spectral_distance(first, second) < 0.075
    shuffled = np.random.default_rng(0).permutation(second)
    assert state_space_divergence(first, shuffled) == pytest.approx(state_space_divergence(first, second), rel=1e-12)
    assert spectral_distance(first, shuffled) > 0.3
    # Another system is far away in both.
    roessler = np.load(real_data("robotics", "alrnn_series") / "rossler.npy").astype(np.float64)[:39_000]
    assert state_space_divergence(first, roessler) > 3
    assert spectral_distance(first, roessler) > 0.3
