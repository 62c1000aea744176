"""Planted faults are found in the channels and seconds where they were planted, and nothing is found in healthy recordings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

from pellucid_eeg.recordings.quality import quality
from pellucid_eeg.recordings.recording import EegRecording, Segment

RATE = 200
NAMES = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "O1", "O2")


def healthy(seed: int = 0, seconds: int = 70) -> EegRecording:
    """Slow noise shared by neighbours, noise of their own, and an amplifier's: some 20 uV."""
    rng = np.random.default_rng(seed)
    white = rng.normal(size=(len(NAMES), seconds * RATE))
    slow = lfilter([1.0], [1, -0.95], white, axis=1)
    mixed = (np.eye(len(NAMES)) + 0.6 * np.ones((len(NAMES), len(NAMES)))) @ slow
    return EegRecording((8 * mixed / mixed.std() * 2 + rng.normal(0, 0.5, mixed.shape)).astype(np.float32), NAMES, RATE)


def changed(recording: EegRecording, **channels: object) -> EegRecording:
    signals = recording.signals_uv.copy()
    for name, change in channels.items():
        row = recording.channels.index(name)
        signals[row] = change(signals[row].copy()) if callable(change) else change
    return replace(recording, signals=signals)


def found(recording: EegRecording) -> dict[str, str]:
    findings = quality(recording)
    assert all(one.sample == recording.name and one.done == "kept" for one in findings)
    return {one.what: one.where for one in findings}


def between(begin: float, end: float, value: object):
    def put(values: np.ndarray) -> np.ndarray:
        values[round(begin * RATE) : round(end * RATE)] = value
        return values

    return put


@pytest.mark.parametrize("seed", range(4))
def test_a_healthy_recording_has_nothing(seed):
    assert found(healthy(seed)) == {}


def test_flat_channels_are_named():
    noise = np.random.default_rng(0).uniform(0, 0.09, 70 * RATE)
    assert found(changed(healthy(), F3=0.0, O1=7.5, C3=noise)) == {"flat channel": "F3, C3, O1"}


def test_a_channel_that_is_off_is_named_with_its_seconds_over_the_borders_of_blocks():
    got = changed(healthy(), F4=between(28, 33, 3.25), O2=between(1, 1.6, -2.0))
    assert found(got) == {"channel off or saturated": "F4 28.0-33.0 s, O2 1.0-1.6 s"}
    assert found(changed(healthy(), F4=between(5, 5.4, 3.25))) == {}


def test_missing_samples_are_named_with_their_seconds():
    got = changed(healthy(), Fp2=between(29, 31, np.nan), C4=between(10, 10.5, np.nan), O1=np.nan)
    assert found(got) == {"missing samples": "Fp2 29.0-31.0 s, C4 10.0-10.5 s, O1 0.0-70.0 s"}


def test_clipped_channels_are_named_with_their_side():
    def clip(values: np.ndarray) -> np.ndarray:
        values = lfilter([0.05], [1, -0.95], values).astype(np.float32)
        return np.minimum(values, np.float32(np.quantile(values, 0.9)))

    told = found(changed(healthy(), C3=clip))["clipped channel"]
    assert told.startswith("C3 above at ")
    assert "C3" in told
    assert "," in told
    assert "below" not in told


def at(value: float, length: int, *begins: float):
    """Plateaus of so many samples at a value."""

    def put(values: np.ndarray) -> np.ndarray:
        for begin in begins:
            values[round(begin * RATE) : round(begin * RATE) + length] = value
        return values

    return put


def test_a_clipped_channel_has_two_plateaus_of_20_ms_at_its_end():
    # Four samples are 20 ms; the second plateau lies in another block than the first.
    both = changed(healthy(), C3=at(300, 4, 5, 40), O1=at(-250, 4, 5, 6, 40))
    assert found(both) == {"clipped channel": "C3 above at 300 uV, 2 times, O1 below at -250 uV, 3 times"}
    assert found(changed(healthy(), C3=at(300, 4, 5), O1=at(-300, 3, 5, 6, 7))) == {}
    # Where it went further once, it did not end there.
    further = changed(
        changed(healthy(), C3=at(300, 4, 5, 6), O1=at(-300, 4, 5, 6)), C3=at(310, 1, 8), O1=at(-310, 1, 40)
    )
    assert found(further) == {}
    beyond = changed(changed(healthy(), C3=at(300, 4, 5, 6)), C3=at(310, 1, 40))
    assert found(beyond) == {}


def test_a_channel_is_flat_below_a_tenth_of_a_microvolt_and_off_after_half_a_second():
    rng = np.random.default_rng(0)
    assert "flat channel" not in found(changed(healthy(), F3=rng.uniform(0, 0.12, 70 * RATE)))
    # A hundred equal samples are half a second.
    assert found(changed(healthy(), F4=between(5, 5.5, 3.25))) == {"channel off or saturated": "F4 5.0-5.5 s"}
    assert found(changed(healthy(), F4=between(5, 5.5 - 1 / RATE, 3.25))) == {}
    many = healthy()
    for begin in (3, 9, 12, 35, 44):
        many = changed(many, F4=between(begin, begin + 1, 3.25))
    assert found(many) == {"channel off or saturated": "F4 3.0-4.0 s and 9.0-10.0 s and 12.0-13.0 s and 2 more"}


def test_a_channel_whose_range_is_large_for_long_is_noisy_without_being_rough():
    slow = 300 * np.sin(2 * np.pi * 0.3 * np.arange(70 * RATE) / RATE)
    told = found(changed(healthy(), F3=lambda values: values + slow))
    assert list(told) == ["channel noisier than the others"]
    assert told["channel noisier than the others"].startswith("F3 ")
    assert told["channel noisier than the others"].endswith("times the median in range")
    # Of three channels nobody can say which is the odd one, and of four one can.
    for count in (3, 4):
        some = healthy()
        few = EegRecording(some.signals_uv[:count].copy(), NAMES[:count], RATE)
        assert bool(found(changed(few, F3=lambda values: values + slow))) == (count == 4)


def test_a_bridge_is_less_than_half_a_microvolt_and_less_than_a_twentieth_of_the_quieter():
    base, rng = healthy(), np.random.default_rng(5)
    c3 = base.signals_uv[4]
    for spread, scale, told in ((0.4, 1.0, True), (0.6, 1.0, False), (0.4, 0.3, False)):
        # Scaled down, the same distance is more of what the channels hold.
        quiet = changed(base, C3=c3 * np.float32(scale))
        got = changed(quiet, C4=quiet.signals_uv[4] + rng.normal(0, spread, len(c3)))
        assert found(got) == ({"bridged electrodes": "C3 and C4"} if told else {}), (spread, scale)


def test_bridged_electrodes_are_named_and_close_ones_are_not():
    base = healthy()
    rng = np.random.default_rng(5)
    c3 = base.signals_uv[4]
    got = changed(base, C4=c3 + rng.normal(0, 0.2, len(c3)), O2=base.signals_uv[6] + rng.normal(0, 3, len(c3)))
    assert found(got) == {"bridged electrodes": "C3 and C4"}
    # For less than half of the time it is no bridge.
    short = changed(base, C4=lambda values: np.where(np.arange(len(values)) < 28 * RATE, c3, values))
    assert found(short) == {}
    # An EOG channel may well be the same as a frontal one.
    eog = replace(changed(base, C4=c3), channels=(*NAMES[:5], "EOG", *NAMES[6:]))
    assert found(eog) == {}


def test_a_noisy_channel_is_named():
    rng = np.random.default_rng(3)
    usual = np.median(np.abs(np.diff(healthy().signals_uv, axis=1)))
    for times, told in ((4.5, False), (5.5, True)):
        # The median of what is normal lies at 0.674 standard deviations; differences have the root of two more.
        noise = rng.normal(0, times * usual / 0.674 / 2**0.5, 70 * RATE)
        assert ("channel noisier than the others" in found(changed(healthy(), F3=noise))) == told
    noise = rng.normal(0, 120, 70 * RATE)
    told = found(changed(healthy(), F3=lambda values: values + noise))
    assert list(told) == ["channel noisier than the others"]
    assert told["channel noisier than the others"].startswith("F3 ")
    assert "F4" not in told["channel noisier than the others"]


@pytest.mark.parametrize(
    ("factor", "words"),
    [(1e-6, "as volts it would be"), (1e-3, "as millivolts"), (1e6, "a million twice"), (1e3, "a thousand twice")],
)
def test_values_in_another_unit_are_noticed_and_named(factor, words):
    base = healthy()
    told = found(replace(base, signals=(base.signals_uv * np.float64(factor)).astype(np.float32)))
    assert words in told["amplitudes cannot be microvolts"]


def test_a_single_channel_in_another_unit_is_named():
    told = found(changed(healthy(), O1=lambda values: values * np.float32(1e6)))
    assert told["amplitudes cannot be microvolts"].startswith("O1 moves by")
    told = found(changed(healthy(), O1=lambda values: values * np.float32(1e-6)))
    assert told["amplitudes cannot be microvolts"].startswith("O1 moves by")


def test_seconds_are_those_of_the_recordings_clock_and_interruptions_part_stretches():
    base = changed(healthy(), F4=between(19, 21, 3.25))
    half = 20 * RATE
    got = replace(base, segments=(Segment(0, half), Segment(half, base.length, 100.0)))
    assert found(got) == {"channel off or saturated": "F4 19.0-20.0 s and 100.0-101.0 s"}


def test_a_recording_of_one_channel_or_one_sample_is_judged():
    one = EegRecording(healthy().signals_uv[:1].copy(), ("Cz",), RATE)
    assert found(one) == {}
    assert found(EegRecording(np.full((2, 1), np.nan, np.float32), ("Cz", "Pz"), RATE)) == {
        "missing samples": "Cz 0.0-0.0 s, Pz 0.0-0.0 s"
    }
    assert found(EegRecording(np.zeros((2, 0), np.float32), ("Cz", "Pz"), RATE)) == {}
