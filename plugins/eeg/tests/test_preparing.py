"""Preparation: references, absent electrodes and baselines, by values that are known."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.errors import DataError
from pellucid_eeg.preparing.applying import prepare, windows_of
from pellucid_eeg.preparing.record import Preparation
from pellucid_eeg.preparing.splines import spline_weights
from pellucid_eeg.recordings.electrodes import TEN_TWENTY, positions

RATE_HZ = 100.0


@pytest.fixture
def signals():
    return np.random.default_rng(1).normal(0, 10, (len(TEN_TWENTY), 300))


def done(signals, wanted=TEN_TWENTY, bad=(), names=TEN_TWENTY, **settings):
    return prepare(signals, names, RATE_HZ, Preparation(**settings), wanted, bad)


def test_nothing_asked_for_changes_nothing_but_the_order(signals):
    found = done(signals, wanted=("Cz", "O1"))
    at = [TEN_TWENTY.index("Cz"), TEN_TWENTY.index("O1")]
    np.testing.assert_array_equal(found.signals_uv, signals[at].astype(np.float32))
    assert found.known.all()
    assert found.done == ()


def test_an_average_reference_leaves_no_mean_and_one_by_name_leaves_these_at_zero(signals):
    assert np.abs(done(signals, reference="average").signals_uv.mean(0)).max() < 1e-4
    ears = done(signals, reference=("T7", "T8")).signals_uv
    assert np.abs(ears[[TEN_TWENTY.index("T7"), TEN_TWENTY.index("T8")]].mean(0)).max() < 1e-5


def test_a_bad_electrode_is_in_no_reference(signals):
    loud = signals.copy()
    loud[0] += 1e4
    settings = {"reference": "average", "absent": "masked", "bad": (TEN_TWENTY[0],)}
    np.testing.assert_array_equal(done(loud, **settings).signals_uv, done(signals, **settings).signals_uv)


def test_an_absent_electrode_is_refused_unless_it_is_said_what_stands_for_it(signals):
    with pytest.raises(DataError, match="electrodes CPz are not there"):
        done(signals, wanted=("Cz", "CPz"))
    with pytest.raises(DataError, match="reference 'A1'"):
        done(signals, reference=("A1",))


def test_splines_give_back_a_smooth_field_and_are_exact_for_a_constant():
    there, absent = tuple(name for name in TEN_TWENTY if name != "Cz"), ("Cz", "CPz", "FC3")
    weights = spline_weights(there, absent)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    slope = np.array([0.3, -0.5, 0.8])
    np.testing.assert_allclose(weights @ (positions(there) @ slope), positions(absent) @ slope, atol=0.06)


def test_a_bad_electrode_is_made_up_from_the_good_ones_or_masked(signals):
    bad, others = ("Cz", "T7"), tuple(name for name in TEN_TWENTY if name not in ("Cz", "T7"))
    rows = [TEN_TWENTY.index(name) for name in others]
    found = done(signals, bad=bad, absent="interpolated", reference="average")
    kept = signals[rows] - signals[rows].mean(0)
    np.testing.assert_allclose(found.signals_uv[rows], kept, atol=1e-4)
    lacking = tuple(name for name in TEN_TWENTY if name in bad)
    made_up = found.signals_uv[[TEN_TWENTY.index(name) for name in lacking]]
    np.testing.assert_allclose(made_up, spline_weights(others, lacking) @ kept, atol=1e-4)
    assert found.known.all()
    assert found.done == (f"{', '.join(lacking)} interpolated from 17 electrodes",)
    masked = done(signals, bad=bad, absent="masked")
    assert [name for name, there in zip(TEN_TWENTY, masked.known, strict=True) if not there] == list(lacking)
    assert (masked.signals_uv[~masked.known] == 0).all()
    np.testing.assert_allclose(masked.signals_uv[masked.known], signals[rows], atol=1e-4)
    assert masked.done == (f"{', '.join(lacking)} masked",)
    for count, told in ((6, "C5, C6, CP1, CP2, CPz, FC1 masked"), (7, "C5, C6, CP1, CP2, CPz, FC1 and 1 more masked")):
        absent = ("C5", "C6", "CP1", "CP2", "CPz", "FC1", "FC2")[:count]
        assert done(signals, wanted=(*TEN_TWENTY, *absent), absent="masked").done == (told,)


def test_four_electrodes_can_be_interpolated_from_and_three_cannot(signals):
    four = ("Fz", "C3", "C4", "Pz")
    found = done(signals[:4], wanted=(*four, "Cz"), names=four, absent="interpolated")
    np.testing.assert_allclose(found.signals_uv[4], (spline_weights(four, ("Cz",)) @ signals[:4])[0], atol=1e-4)
    with pytest.raises(DataError, match="3 good electrodes are too few to interpolate from; 4 are the least"):
        done(signals[:4], wanted=(*four, "Cz"), names=four, bad=("Fz",), absent="interpolated")


def test_filters_the_mains_and_the_rate_are_as_asked():
    rate, seconds = 500.0, np.arange(0, 20, 1 / 500.0)
    inside = slice(1000, -1000)

    def wave(hz):
        return np.sin(2 * np.pi * hz * seconds)

    def alone(made, **settings):
        return prepare(made[None], ("Cz",), rate, Preparation(**settings), ("Cz",))

    drift, alpha, hum = wave(0.2), wave(10), wave(50) + wave(100)
    for settings, expected in (
        ({"high_pass_hz": 1}, alpha + hum),
        ({"low_pass_hz": 30}, drift + alpha),
        ({"line_hz": 50}, drift + alpha),
        ({"high_pass_hz": 1, "low_pass_hz": 30}, alpha),
    ):
        found = alone(drift + alpha + hum, **settings)
        np.testing.assert_allclose(found.signals_uv[0, inside], expected[inside], atol=0.02, err_msg=str(settings))
        assert found.rate_hz == rate
    slower = alone(drift + alpha, rate_hz=125)
    assert slower.rate_hz == 125
    assert slower.signals_uv.shape == (1, 2500)
    np.testing.assert_allclose(slower.signals_uv[0, 250:-250], (drift + alpha)[::4][250:-250], atol=0.01)
    assert alone(drift, rate_hz=rate).rate_hz == rate


def test_a_window_that_moves_too_far_is_left_out():
    windows = np.zeros((4, 2, 100), np.float32)
    windows[:, 0, 40], windows[:, 0, 60] = 30, -20
    windows[1, 1, 50] = 80
    windows[2, 0, 40] = 31
    windows[3] += 500
    settings = Preparation(reject_uv=50)
    found, usable = windows_of(windows, RATE_HZ, settings)
    # A difference of 50 is no more than 50; what all samples of a window share does not count.
    assert usable.tolist() == [True, False, False, True]
    np.testing.assert_array_equal(found, windows)
    assert windows_of(windows, RATE_HZ, Preparation())[1].all()


def test_a_baseline_may_reach_to_both_ends_of_a_window_and_no_further():
    windows = np.arange(100, dtype=np.float32)[None, None]
    for baseline_s, mean in (((0, 1), 49.5), ((0.5, 1), 74.5), ((0, 0.01), 0)):
        found, _ = windows_of(windows, RATE_HZ, Preparation(baseline_s=baseline_s))
        np.testing.assert_allclose(found, windows - mean, atol=1e-5)
    for baseline_s in ((0, 1.01), (0.5, 0.504)):
        with pytest.raises(DataError, match="not within a window of 1 s"):
            windows_of(windows, RATE_HZ, Preparation(baseline_s=baseline_s))


def test_a_baseline_is_taken_from_its_time_alone():
    windows = np.zeros((1, 2, 100), np.float32)
    windows[0, 0, :20], windows[0, 0, 20:] = 3, 7
    found, usable = windows_of(windows, RATE_HZ, Preparation(baseline_s=(0, 0.2)))
    np.testing.assert_array_equal(found[0, 0, [0, 50]], [0, 4])
    assert usable.all()
    with pytest.raises(DataError, match="not within a window of 1 s"):
        windows_of(windows, RATE_HZ, Preparation(baseline_s=(0, 2)))


@pytest.mark.parametrize(
    "settings",
    [
        {"electrodes": ("Cz", "Cz")},
        {"high_pass_hz": 30, "low_pass_hz": 20},
        {"high_pass_hz": 20, "low_pass_hz": 20},
        {"baseline_s": (0.2, 0.1)},
        {"baseline_s": (0.2, 0.2)},
        {"baseline_s": (-0.1, 0.1)},
        {"reference": ()},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match=r"once|nothing would be left|later stop|names electrodes"):
        Preparation(**settings)


def test_an_edge_a_rate_or_a_limit_is_above_zero():
    for name in ("high_pass_hz", "low_pass_hz", "line_hz", "rate_hz", "reject_uv"):
        with pytest.raises(ValueError, match="greater than 0"):
            Preparation(**{name: 0})
        Preparation(**{name: 0.5})
    Preparation(rate_hz=20_000)
    with pytest.raises(ValueError, match="less than or equal to 20000"):
        Preparation(rate_hz=20_001)
