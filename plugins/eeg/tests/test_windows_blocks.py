"""A long recording in blocks is the same as prepared whole; what is missing or was interrupted is in no window."""

from __future__ import annotations

import numpy as np
import pytest
from written_trees import NAMES, RATE, noise

from pellucid_eeg.preparing.applying import prepare
from pellucid_eeg.preparing.record import Preparation
from pellucid_eeg.recordings.recording import EegRecording, Segment
from pellucid_eeg.windows import blocks
from pellucid_eeg.windows.blocks import prepared_windows, rates_of
from pellucid_eeg.windows.places import one_after_the_other
from pellucid_eeg.windows.scanning import scanned

PREPARATIONS = {
    "nothing": Preparation(),
    "filters": Preparation(high_pass_hz=0.5, low_pass_hz=20),
    "line": Preparation(line_hz=15, reference="average"),
    "slower": Preparation(high_pass_hz=1, rate_hz=50),
    "faster": Preparation(rate_hz=100, low_pass_hz=30),
}


def all_windows(recording, preparation, length_s=2.0, step_s=1.5):
    rate_hz, ratio = rates_of(recording, preparation)
    length = round(length_s * rate_hz)
    cut = one_after_the_other(recording.segments, ratio, rate_hz, length, round(step_s * rate_hz))
    parts = list(prepared_windows(recording, NAMES, recording.segments, cut, length, preparation, NAMES))
    assert np.array_equal(np.concatenate([part.rows for part in parts]), np.arange(len(cut)))
    return cut, np.concatenate([part.windows_uv for part in parts]), len(parts)


@pytest.mark.parametrize("name", PREPARATIONS)
def test_windows_of_blocks_are_those_of_the_whole_recording(name, monkeypatch):
    preparation = PREPARATIONS[name]
    # An offset of a tenth of a volt, as amplifiers without a high-pass have; half an hour.
    offset = 1e5 if preparation.high_pass_hz else 0.0
    signals = (noise(5, 1800, sd_uv=20) + 30 * np.sin(np.arange(1800 * RATE) / RATE * 2 * np.pi * 15) + offset).astype(
        np.float32
    )
    recording = EegRecording(signals, NAMES, float(RATE))
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 5 * 64 * 60)
    cut, windows, count = all_windows(recording, preparation)
    assert count > 10
    whole = prepare(signals, NAMES, RATE, preparation, NAMES).signals_uv
    length = windows.shape[-1]
    expected = np.stack([whole[:, start : start + length] for start in cut.start])
    if preparation.rate_hz:
        # Where the recording itself begins and ends, resampling leans on a straight line through the piece that it was given.
        assert np.abs(windows - expected)[[0, -1]].max() < 0.05
        windows, expected = windows[1:-1], expected[1:-1]
    # float32 holds the offset itself to 0.008 uV; without one, what filters threw away leaves less than a thousandth of a microvolt.
    assert np.abs(windows - expected).max() < (0.02 if offset else 1e-3)


def test_windows_cross_neither_an_interruption_nor_a_missing_sample():
    signals = np.arange(5 * 3840, dtype=np.float32).reshape(5, 3840)
    signals[1, 700:760] = np.nan
    signals[3, 2000] = np.nan
    signals[4] = np.nan
    recording = EegRecording(signals, NAMES, float(RATE), segments=(Segment(0, 1280, 0.0), Segment(1280, 3840, 30.0)))
    seen = scanned(recording)
    assert seen.empty.tolist() == [False, False, False, False, True]
    assert [(one.start, one.stop) for one in seen.segments] == [(0, 700), (760, 1280), (1280, 2000), (2001, 3840)]
    assert [one.onset_s for one in seen.segments] == [0.0, 760 / 64, 30.0, 30 + 721 / 64]


def test_the_digest_is_of_samples_and_of_nothing_else():
    signals = noise(5, 10).astype(np.float32)
    one = scanned(EegRecording(signals, NAMES, 64.0, name="a")).digest
    assert scanned(EegRecording(signals.copy(), NAMES[::-1], 64.0, name="b")).digest == one
    signals[0, 5] += 0.01
    assert scanned(EegRecording(signals, NAMES, 64.0)).digest != one
