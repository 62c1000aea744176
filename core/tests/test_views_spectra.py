"""Places between two frequencies: spectra by hand, shades where they belong, words and JSON of the report."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from pellucid.data.spec import Signal
from pellucid.regions import FrequencyBand, TimeSpan, overlap, region_from_json, region_to_json
from pellucid.views import DEFAULT, Marked, Shown
from pellucid.views.spectra import about_bands, amplitudes

SPEC = Signal(channels=("a", "b"), length=200, rate_hz=100.0, units="uV")
LOW = FrequencyBand(("a",), 4.0, 8.0)


def values() -> np.ndarray:
    seconds = np.arange(200) / 100
    return np.stack([4 * np.sin(2 * np.pi * 6 * seconds), 9 + 2 * np.cos(2 * np.pi * 30 * seconds)])


def drawn(shown: Shown):
    ax = Figure().add_subplot()
    DEFAULT["signal"](ax, values(), SPEC, shown)
    return ax


def test_amplitudes_are_those_of_the_waves_and_a_gap_is_the_mean():
    hz, found = amplitudes(values(), SPEC)
    assert hz[found.argmax(1)].tolist() == [6.0, 30.0]
    assert found.max(1).tolist() == pytest.approx([4.0, 2.0])
    gap = values()
    gap[1, :100] = np.nan
    assert amplitudes(gap, SPEC)[1][1].max() == pytest.approx(1.0, rel=0.05)
    assert not amplitudes(np.full((2, 200), np.nan), SPEC)[1].any()


def test_a_marked_band_is_drawn_over_frequencies_with_its_channel_in_front():
    ax = drawn(Shown(regions=(Marked(LOW, -0.5, "A -0.50"),)))
    assert "Hz" in ax.get_xlabel()
    assert "uV" in ax.get_ylabel()
    edges = [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 2]
    assert edges == [4.0, 8.0]
    assert {line.get_linestyle() for line in ax.lines if len(line.get_xdata()) == 2} == {"--"}
    front, back = ax.lines[:2]
    assert front.get_linewidth() > back.get_linewidth()
    assert [text.get_text().strip() for text in ax.texts] == ["A -0.50"]


def test_a_band_drawn_alone_is_drawn_with_as_much_on_each_side():
    assert drawn(Shown(only=LOW)).get_xlim() == (0.0, 12.0)
    assert drawn(Shown(only=FrequencyBand(("a",), 20.0, 22.0))).get_xlim() == (18.0, 24.0)


def test_moments_are_still_drawn_over_time():
    assert "time" in drawn(Shown(regions=(Marked(TimeSpan(("a",), 0.5, 1.0), 1.0),))).get_xlabel()
    assert not about_bands(Shown(only=TimeSpan(("a",), 0.5, 1.0)))


def test_the_report_keeps_bands_says_them_and_knows_when_one_is_all():
    assert region_from_json(region_to_json(LOW)) == LOW
    assert FrequencyBand.kinds == ("signal",)
    assert FrequencyBand(("a", "b"), 0.5, 3.5).in_words() == "a and b between 0.5 Hz and 3.5 Hz"
    assert FrequencyBand(("a", "b"), 0.0, 48.0).covers(SPEC)
    assert not FrequencyBand(("a",), 0.0, 50.0).covers(SPEC)
    assert not FrequencyBand(("a", "b"), 0.0, 30.0).covers(SPEC)
    assert overlap(LOW, FrequencyBand(("b",), 7.0, 9.0))
    assert not overlap(LOW, FrequencyBand(("a",), 8.0, 9.0))
