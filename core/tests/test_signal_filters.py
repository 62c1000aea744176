"""Filters take out what they say, shift nothing, and refuse what they cannot do."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.errors import DataError
from pellucid.signals.filters import filtered, settling_s, without_line

RATE_HZ = 200.0
TIME_S = np.arange(2000) / RATE_HZ


def wave(hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hz * TIME_S)[None]


def share_left(found: np.ndarray, hz: float) -> float:
    """Amplitude at a frequency, of one that was 1."""
    return float(2 * np.abs((found[0] * np.exp(-2j * np.pi * hz * TIME_S)).mean()))


def test_a_band_is_kept_where_it_is_and_the_rest_is_taken_out():
    found = filtered(wave(1) + wave(10) + wave(60), RATE_HZ, high_pass_hz=4, low_pass_hz=30)
    inside = slice(200, -200)
    np.testing.assert_allclose(found[:, inside], wave(10)[:, inside], atol=0.02)
    assert share_left(found, 1) < 0.01
    assert share_left(found, 60) < 0.01


def test_at_an_edge_half_of_the_amplitude_is_left():
    assert share_left(filtered(wave(8), RATE_HZ, high_pass_hz=8), 8) == pytest.approx(0.5, abs=0.02)
    assert share_left(filtered(wave(20), RATE_HZ, low_pass_hz=20), 20) == pytest.approx(0.5, abs=0.02)


def test_a_slow_filter_does_not_swing_where_the_signal_begins():
    drift = 100 + 0 * TIME_S[None]
    assert np.abs(filtered(drift, RATE_HZ, high_pass_hz=0.5)).max() < 1e-6
    # What lies beyond the last sample is the signal turned round it: of a wave that is cut off elsewhere than at 0 that is a
    # step, and it is heard a period of the edge far.
    inside = slice(400, -400)
    found = filtered(wave(10) + drift, RATE_HZ, high_pass_hz=0.5)
    np.testing.assert_allclose(found[:, inside], wave(10)[:, inside], atol=0.05)


def test_hum_and_its_harmonics_go_and_what_is_beside_them_stays():
    found = without_line(wave(10) + wave(30) + wave(60) + wave(90), RATE_HZ, line_hz=30)
    assert share_left(found, 10) == pytest.approx(1, abs=0.02)
    for hz in (30, 60, 90):
        assert share_left(found, hz) < 0.1


@pytest.mark.parametrize(
    ("edges", "words"),
    [
        ({"low_pass_hz": 100}, "between 0 and 100 Hz"),
        ({"high_pass_hz": 0}, "between 0 and 100 Hz"),
        ({"high_pass_hz": 30, "low_pass_hz": 20}, "nothing would be left"),
        ({"high_pass_hz": 0.1}, "too short for a high-pass at 0.1 Hz"),
    ],
)
def test_edges_that_make_no_sense_are_refused(edges, words):
    with pytest.raises(DataError, match=words):
        filtered(wave(10), RATE_HZ, **edges)


def test_nothing_asked_for_is_nothing_done():
    signals = wave(10)
    assert filtered(signals, RATE_HZ) is signals


@pytest.mark.parametrize(
    "edges",
    [{"high_pass_hz": 0.5}, {"high_pass_hz": 1.0, "low_pass_hz": 40.0}, {"low_pass_hz": 60.0}, {"line_hz": 50.0}],
    ids=str,
)
def test_a_piece_with_margins_is_filtered_as_the_whole_and_with_half_of_them_it_is_not(edges):
    rng = np.random.default_rng(0)
    # A step far below, as an offset that comes and goes: what has to die away is large.
    whole = 1000 * np.sign(np.sin(np.arange(60_000) / 4000)) + rng.normal(0, 10, 60_000)

    def through(signals):
        if "line_hz" in edges:
            return without_line(signals, 128.0, edges["line_hz"])
        return filtered(signals, 128.0, **edges)

    expected = through(whole)[30_000:31_000]
    margin = round(settling_s(128.0, **edges) * 128)
    errors = [
        np.abs(through(whole[30_000 - some : 31_000 + some])[some : some + 1000] - expected).max()
        for some in (margin, margin // 4)
    ]
    assert errors[0] < 1e-4
    assert errors[1] > 10 * errors[0]
