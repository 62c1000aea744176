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
        {"baseline_s": (0.2, 0.1)},
        {"reference": ()},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match=r"once|nothing would be left|later stop|names electrodes"):
        Preparation(**settings)
