"""A long recording in blocks is the same as prepared whole; what is missing or was interrupted is in no window."""

from __future__ import annotations

import numpy as np
import pytest
from written_trees import NAMES, RATE, noise

from pellucid_eeg.preparing.applying import prepare
from pellucid_eeg.preparing.record import Preparation
from pellucid_eeg.recordings.recording import EegRecording, Segment
from pellucid_eeg.windows import blocks, scanning
from pellucid_eeg.windows.blocks import prepared_windows, rates_of
from pellucid_eeg.windows.places import one_after_the_other
from pellucid_eeg.windows.scanning import scanned

PREPARATIONS = {
    "nothing": Preparation(),
    "filters": Preparation(high_pass_hz=0.5, low_pass_hz=20),
    "line": Preparation(line_hz=15, reference="average"),
    "slower": Preparation(high_pass_hz=1, rate_hz=50),
    "faster": Preparation(rate_hz=100, low_pass_hz=30),
    "slower alone": Preparation(rate_hz=50),
    "faster alone": Preparation(rate_hz=100),
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


@pytest.mark.parametrize("block", [1, 7, 64, 10_000])
def test_stretches_without_a_missing_sample_are_those_of_a_plain_loop_however_long_a_block_is(block, monkeypatch):
    rng = np.random.default_rng(block)
    signals = rng.normal(0, 20, (5, 400)).astype(np.float32)
    for channel, start, stop in (
        (0, 0, 3),
        (1, 60, 71),
        (3, 70, 90),
        (0, 149, 150),
        (1, 150, 151),
        (1, 200, 201),
        (3, 396, 400),
    ):
        signals[channel, start:stop] = np.nan
    signals[2] = np.nan
    # It moves by less than a tenth of a microvolt.
    signals[4] = 7 + rng.uniform(-0.04, 0.04, 400)
    segments = (Segment(0, 150, 2.0), Segment(150, 400, 50.0))
    monkeypatch.setattr(scanning, "BLOCK_VALUES", 5 * block)
    seen = scanned(EegRecording(signals, NAMES, 100.0, segments=segments))
    expected, begun = [], None
    for at in range(401):
        ends = at in (150, 400) or np.isnan(signals[[0, 1, 3, 4], at]).any()
        if begun is not None and ends:
            one = segments[begun >= 150]
            expected.append((begun, at, one.onset_s + (begun - one.start) / 100))
            begun = None
        if begun is None and at < 400 and not np.isnan(signals[[0, 1, 3, 4], at]).any():
            begun = at
    assert [(one.start, one.stop) for one in seen.segments] == [one[:2] for one in expected]
    assert [one.onset_s for one in seen.segments] == pytest.approx([one[2] for one in expected])
    assert len(expected) == 4
    assert seen.empty.tolist() == [False, False, True, False, False]
    assert seen.flat.tolist() == [False, False, False, False, True]


def test_the_digest_is_of_samples_and_of_nothing_else():
    signals = noise(5, 10).astype(np.float32)
    one = scanned(EegRecording(signals, NAMES, 64.0, name="a")).digest
    assert scanned(EegRecording(signals.copy(), NAMES[::-1], 64.0, name="b")).digest == one
    assert scanned(EegRecording(signals, NAMES, 128.0)).digest != one
    signals[0, 5] += 0.01
    assert scanned(EegRecording(signals, NAMES, 64.0)).digest != one
