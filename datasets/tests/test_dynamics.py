"""Made-up motions: the table of terms is the motion, episodes are apart, and what is asked wrongly is refused."""

import numpy as np
import pytest

from pellucid.data.abilities import KnowsEquations
from pellucid.errors import DataError
from pellucid_datasets.dynamics.orbits import OrbitsSynthetic, OrbitsSyntheticConfig
from pellucid_datasets.dynamics.points import DynamicsSynthetic, DynamicsSyntheticConfig
from pellucid_datasets.dynamics.systems import SYSTEMS, simulated


def made(**options):
    return DynamicsSynthetic(DynamicsSyntheticConfig(**{"episodes": 4, "steps": 60} | options))


def states(data):
    return data.read(np.arange(len(data))).inputs["state"].astype(np.float64)


WRITTEN = {
    "lorenz63": lambda x, y, z: (10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z),
    "roessler": lambda x, y, z: (-y - z, x + 0.2 * y, 0.2 + z * (x - 5.7)),
    "lozi": lambda x, y: (1 - 1.7 * abs(x) + y, 0.5 * x),
    "van-der-pol": lambda x, v, u: (v, 2 * (1 - x**2) * v - x + u),
    "lorenz96": lambda *x: tuple(
        (x[(i + 1) % 6] - x[i - 2]) * x[i - 1] - x[i] + 8 for i in range(6)
    ),
}  # fmt: skip
"""The systems as textbooks write them."""


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_table_of_terms_is_what_textbooks_write(name):
    system = SYSTEMS[name]
    for row in np.random.default_rng(0).normal(size=(5, len(system.names))):
        assert system.change(row) == pytest.approx(np.array(WRITTEN[name](*row)))


def test_rates_from_neighbours_are_those_of_the_equations():
    for name in ("lorenz63", "roessler", "lorenz96"):
        found, exact = (made(system=name, derivatives=one).target_values("rate") for one in ("differences", "exact"))
        assert np.abs(found - exact).max() < 0.02 * np.abs(exact).max()
        assert np.abs(found - exact).max() > 0, "else nothing is differenced"


def test_half_the_step_is_sixteen_times_as_exact():
    system = SYSTEMS["lorenz63"]

    start = simulated(system, episodes=2, steps=1, dt=0.05, seed=0).values[:, 0]

    def moved(steps):
        now = start
        for _ in range(steps):
            now = system.step(now, 0.05 / steps, "rk4")
        return now

    truth = moved(512)
    assert np.abs(moved(4) - truth).max() / np.abs(moved(8) - truth).max() == pytest.approx(16, rel=0.3)


def test_eulers_map_is_the_next_state_and_that_of_runge_and_kutta_has_no_known_equation():
    data = made(system="van-der-pol", integrator="euler")
    truth = data.true_equations("next")
    x, v, u = states(data).T
    said = {
        name: sum(c * {"x": x, "v": v, "u": u, "x^2*v": x**2 * v}[term] for term, c in terms.items())
        for name, terms in truth.items()
    }
    assert data.target_values("next") == pytest.approx(np.stack([said["x"], said["v"]], 1), abs=1e-5)
    assert made(system="van-der-pol").true_equations("next") == {}
    assert isinstance(data, KnowsEquations)


def test_no_sample_looks_into_another_episode():
    data = made(system="lozi", steps=10)
    assert len(data) == 4 * 9
    first = data.frame["episode"].to_numpy()
    values, later = states(data), data.target_values("next")
    same = first[:-1] == first[1:]
    assert later[:-1][same] == pytest.approx(values[1:][same], abs=1e-6)
    assert np.abs(later[:-1][~same] - values[1:][~same]).max() > 1e-3
    starts = values[::9]
    assert len(np.unique(starts.round(6), axis=0)) == 4, "each starts somewhere else"


def test_more_episodes_leave_the_first_as_they_are_and_another_seed_has_none_of_them():
    few, many, other = (states(made(episodes=n, seed=seed)) for n, seed in ((2, 0), (5, 0), (5, 1)))
    assert np.array_equal(few, many[: len(few)])
    assert not (set(map(tuple, many)) & set(map(tuple, other)))


def test_noise_is_a_share_of_each_states_own_deviation_and_controls_are_known():
    clean, noisy = (states(made(system="van-der-pol", steps=400, noise=noise)) for noise in (0.0, 0.05))
    off = (noisy - clean).std(0) / clean.std(0)
    assert off[:2] == pytest.approx(0.05, rel=0.1)
    assert off[2] == 0


def test_broken_episodes_are_as_many_as_were_asked_for():
    broken = made(episodes=10, outliers=0.2).target_values("rate") - made(episodes=10).target_values("rate")
    by = np.abs(broken.reshape(10, -1)).max(1)
    assert (by > 1).sum() == 2
    assert (by[by <= 1] == 0).all()


def test_settings_that_cannot_work_are_refused(tmp_path):
    with pytest.raises(ValueError, match="window must be odd"):
        DynamicsSyntheticConfig(derivatives="smoothed", window=20)
    with pytest.raises(ValueError, match="lozi is a map"):
        DynamicsSyntheticConfig(system="lozi", dt=0.1)
    with pytest.raises(DataError, match=r"a motion grew without end: take a smaller step than 0\.5"):
        made(system="lorenz63", dt=0.5, integrator="euler")
    with pytest.raises(DataError, match="is made up and reads no file"):
        DynamicsSynthetic(DynamicsSyntheticConfig(), tmp_path)


def test_stretches_of_an_orbit_follow_each_other_and_targets_lie_behind_them():
    config = OrbitsSyntheticConfig(system="roessler", episodes=3, samples=4, length=30, ahead=7, dt=0.05, seed=2)
    data = OrbitsSynthetic(config)
    orbit = simulated(SYSTEMS["roessler"], episodes=3, steps=127, dt=0.05, seed=2).values
    found = data.read(np.arange(len(data))).inputs["orbit"].reshape(3, 4, 3, 30)
    middle = np.median(orbit[..., 0])
    for episode in range(3):
        whole = np.concatenate(list(found[episode]), axis=1)
        assert np.abs(whole.T - orbit[episode, :120]).max() < 1e-4
        for sample in range(4):
            row = 4 * episode + sample
            later = orbit[episode, 30 * (sample + 1) - 1 + 7]
            assert data.target_values("later")[row] == pytest.approx(later)
            assert data.target_values("side")[row] == (later[0] > middle)
    assert data.frame["episode"].nunique() == 3
    assert set(data.target_values("side").ravel()) == {0.0, 1.0}


def test_noise_lies_on_what_is_shown_and_not_on_what_is_asked():
    clean, noisy = (OrbitsSynthetic(OrbitsSyntheticConfig(episodes=3, noise=one)) for one in (0.0, 0.1))
    assert np.array_equal(clean.target_values("later"), noisy.target_values("later"))
    one, other = (data.read(np.arange(len(data))).inputs["orbit"] for data in (clean, noisy))
    share = (other - one).std((0, 2)) / one.std((0, 2))
    assert share == pytest.approx(np.full(3, 0.1), rel=0.1)


def test_orbits_asked_for_wrongly_are_refused(tmp_path):
    with pytest.raises(DataError, match="is made up and reads no file"):
        OrbitsSynthetic(None, tmp_path)
    with pytest.raises(ValueError, match="lozi is a map and has no time between steps"):
        OrbitsSyntheticConfig(system="lozi", dt=0.1)
    with pytest.raises(DataError, match=r"orbits-synthetic.*grew without end"):
        OrbitsSynthetic(OrbitsSyntheticConfig(system="lorenz63", dt=0.3))
