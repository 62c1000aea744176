"""Another rate is the same signal: against the formula of the signal, and against resampled real records."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.errors import DataError
from pellucid.testing.real_data import real_data
from pellucid_ecg.recordings.recording import EcgRecording
from pellucid_ecg.recordings.resampling import resampled
from pellucid_ecg.wfdb_files.reading import read_record


def waves(rate_hz: float, seconds: float = 4.0) -> np.ndarray:
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    return np.stack([np.sin(2 * np.pi * 3 * t) + 0.2 * t, 5 + np.cos(2 * np.pi * 11 * t)]).astype(np.float32)


@pytest.mark.parametrize(("rate", "new"), [(500, 100), (100, 500), (360, 100), (257, 500), (1000, 977), (250.0, 62.5)])
def test_the_new_samples_lie_on_the_same_curve(rate, new):
    some = resampled(EcgRecording(waves(rate), ("I", "II"), rate), new)
    expected = waves(new)
    assert some.rate_hz == new
    assert abs(some.length - expected.shape[1]) <= 1
    length = min(some.length, expected.shape[1])
    inner = slice(round(0.3 * new), length - round(0.3 * new))
    assert np.abs(some.signals[:, inner] - expected[:, inner]).max() < 0.02
    # An offset is no step at the ends.
    assert np.abs(some.signals[1, :length] - expected[1, :length]).max() < 1.2


def test_what_the_lower_rate_cannot_hold_is_not_folded_into_it():
    t = np.arange(2000) / 500
    some = resampled(EcgRecording(np.sin(2 * np.pi * 130 * t, dtype=np.float32)[None], ("I",), 500), 100)
    assert np.abs(some.signals[0, 30:-30]).max() < 0.02


def test_the_same_rate_is_the_same_recording():
    some = EcgRecording(waves(250), ("I", "II"), 250)
    assert resampled(some, 250) is some


@pytest.mark.parametrize(("rate", "new"), [(500, 100), (100, 500), (360, 250)])
def test_missing_stretches_stay_missing_and_do_not_ring(rate, new):
    signals, known = waves(rate), np.ones((2, 4 * rate), bool)
    known[1, rate : 2 * rate] = False
    signals[~known] = 0
    some = resampled(EcgRecording(signals, ("I", "II"), rate, known=known), new)
    assert some.known[0].all()
    assert abs((~some.known[1]).sum() - new) <= max(3, new / rate * 2)
    assert (some.signals[1, ~some.known[1]] == 0).all()
    expected = waves(new)
    near = np.flatnonzero(some.known[1])
    near = near[(near > 0.3 * new) & (near < 3.7 * new)]
    # A gap of zeros below an offset of 5 would ring by more than a tenth of it.
    assert np.abs(some.signals[1, near] - expected[1, near]).max() < 0.6
    far = near[np.abs(near / new - 1.5) > 0.6]
    assert np.abs(some.signals[1, far] - expected[1, far]).max() < 0.1


@pytest.mark.parametrize("times", [2, 10])
@pytest.mark.parametrize("missing", [0, 4, 9])
def test_a_new_sample_is_known_where_both_old_ones_beside_it_are(times, missing):
    known = np.ones((1, 10), bool)
    known[0, missing] = False
    some = resampled(EcgRecording(np.zeros((1, 10), np.float32), ("I",), 100, known=known), 100 * times)
    # Whatever is nearer to the missing one than its neighbours are; behind the last old sample there is that one alone.
    touched = [at for at in range(10 * times) if (missing - 1) * times < at < (missing + 1) * times]
    assert np.flatnonzero(~some.known[0]).tolist() == touched


def test_of_a_lead_of_which_nothing_is_known_nothing_is_known_at_another_rate():
    alone = resampled(EcgRecording(np.zeros((1, 10), np.float32), ("I",), 100, known=~np.ones((1, 10), bool)), 200)
    assert not alone.known.any()


def test_rates_without_a_ratio_of_whole_numbers_are_refused():
    some = EcgRecording(waves(250), ("I", "II"), 250)
    for rate in (250 * np.pi, 1e-9, 1e9, 0, -100, np.nan, np.inf):
        with pytest.raises(DataError, match="Hz"):
            resampled(some, rate)
    for rate, new, fits in ((4000, 3999, True), (3999, 4000, True), (4001, 4000, False), (4000, 4001, False)):
        some = EcgRecording(np.zeros((1, 20), np.float32), ("I",), rate)
        if fits:
            assert resampled(some, new).rate_hz == new
        else:
            with pytest.raises(DataError, match="have no ratio of whole numbers up to 4000"):
                resampled(some, new)


def test_a_real_record_at_a_fifth_of_its_rate_is_the_one_that_was_made_so():
    raw = read_record(real_data("ecg", "cinc2021-sample") / "HR06005")
    made = read_record(next(real_data("ecg", "ptbxl-subset").rglob("06005_lr.hea")))
    from scipy.signal import butter, filtfilt

    b, a = butter(4, [0.5, 40], "bandpass", fs=500)
    filtered = filtfilt(b, a, raw.signals.astype(np.float64), axis=1)
    filtered = (filtered - filtered.mean(axis=1, keepdims=True)) / filtered.std(axis=1, keepdims=True)
    some = resampled(EcgRecording(filtered.astype(np.float32), raw.leads, 500, "NU"), 100)
    assert some.signals.shape == made.signals.shape
    inner = slice(20, -20)
    assert np.abs(some.signals[:, inner] - made.signals[:, inner]).max() < 0.002
