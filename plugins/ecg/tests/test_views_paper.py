"""Electrocardiograms on paper: millimetres are true, and every lead is where a reader expects it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from drawn_paper import LEADS, RATE, bars, drawn, flat, marked_leads, mm, spec_of, texts, traces

from pellucid.regions import TimeSpan
from pellucid.views import Marked
from pellucid_ecg.views.paper import beat

COLUMN = {lead: at // 3 for at, lead in enumerate(LEADS)}


# --- scale ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("units", "size"), [("mV", 1.0), ("uV", 1000.0), ("µV", 1000.0), ("V", 0.001)])
def test_one_millivolt_is_10_mm_and_one_second_25_mm_on_the_printed_page(units, size):
    spec = spec_of(units=units)
    values = flat(spec)
    values[1, 500:] = size
    ax = drawn(values, spec)
    rhythm = traces(ax)[-1]
    assert np.ptp(rhythm[:, 1]) == pytest.approx(10.0, abs=1e-3)
    assert rhythm[500, 0] - rhythm[100, 0] == pytest.approx(4 * 25.0, abs=1e-3)
    assert "25 mm/s · 10 mm/mV · 100 samples/s" in texts(ax)


def test_the_grid_has_lines_every_millimetre_and_strong_ones_every_five_through_zero_and_whole_seconds():
    ax = drawn(flat(spec_of()), spec_of())
    paths = {}
    for patch in ax.patches:
        vertices = patch.get_path().vertices
        if type(patch).__name__ == "PathPatch" and len(vertices) > 20:
            ends = mm(ax, vertices).reshape(-1, 2, 2)
            upright = ends[np.isclose(ends[:, 0, 0], ends[:, 1, 0])]
            level = ends[np.isclose(ends[:, 0, 1], ends[:, 1, 1])]
            paths[round(float(np.diff(upright[:, 0, 0]).mean()))] = (upright[:, 0, 0], level[:, 0, 1])
    assert set(paths) == {1, 5}
    x, y = paths[5]
    for line in traces(ax):
        assert np.abs(y - line[0, 1]).min() < 1e-3, "zero lies on a strong line"
    assert np.abs(x[None] - traces(ax)[-1][::100, 0][:, None]).min(1).max() < 1e-3, "seconds lie on strong lines"


def test_the_calibration_pulse_is_10_mm_high_and_02_s_long_before_every_row():
    ax = drawn(flat(spec_of()), spec_of())
    pulses = [mm(ax, line.get_xydata()) for line in ax.lines if len(line.get_xdata()) == 6]
    assert len(pulses) == 4
    for pulse in pulses:
        assert np.ptp(pulse[:, 1]) == pytest.approx(10.0, abs=1e-3)
        assert np.ptp(pulse[2:4, 0]) == pytest.approx(5.0, abs=1e-3)


@pytest.mark.parametrize("units", ["normalised unit", "1"])
def test_of_other_units_it_is_said_that_amplitudes_cannot_be_read(units):
    ax = drawn(flat(spec_of(units=units)), spec_of(units=units))
    (said,) = [text for text in texts(ax) if "25 mm/s" in text]
    assert "amplitudes cannot be read as mV" in said
    assert "mm/mV" not in said


def test_a_beat_is_magnified_three_times_and_says_so():
    spec = spec_of(("MLII",), seconds=0.6, rate=360.0)
    values = flat(spec)
    values[0, 100:] = 1.0
    ax = drawn(values, spec, beat)
    (line,) = traces(ax)
    assert np.ptp(line[:, 1]) == pytest.approx(30.0, abs=1e-3)
    assert line[180, 0] - line[0, 0] == pytest.approx(0.5 * 75.0, abs=1e-3)
    assert any("75 mm/s" in text and "30 mm/mV" in text and "small square 0.04 s" in text for text in texts(ax))


# --- where leads are --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [LEADS, LEADS[::-1], tuple(name.upper() for name in LEADS)])
def test_leads_stand_in_three_rows_and_four_columns_over_a_rhythm_strip_whatever_their_order(order):
    spec = spec_of(order)
    values = np.zeros(spec.shape)
    for row, name in enumerate(order):
        values[row] = 0.01 * [lead.upper() for lead in LEADS].index(name.upper())
    ax = drawn(values, spec)
    names = {t.get_text(): mm(ax, t.get_position()) for t in ax.texts if t.get_text() in LEADS}
    assert set(names) == set(LEADS)
    found = traces(ax)
    assert len(found) == 13
    left = min(line[0, 0] for line in found)
    printed = [lead for row in range(3) for lead in LEADS[row::3]]
    height = [line[0, 1] for line in found]
    for lead, line in zip(printed, found, strict=False):
        assert line[0, 0] == pytest.approx(left + 62.5 * COLUMN[lead], abs=1e-3), lead
        assert np.ptp(line[:, 0]) == pytest.approx(62.5, abs=0.3)
        # Each lead has an offset of its own: which trace is drawn under which name?
        own = 0.1 * LEADS.index(lead)
        base = height[printed.index(LEADS[LEADS.index(lead) % 3])] - 0.1 * (LEADS.index(lead) % 3)
        assert line[0, 1] - base == pytest.approx(own, abs=1e-3), lead
    assert np.ptp(found[12][:, 0]) == pytest.approx(249.75, abs=1e-2), "the rhythm strip is ten seconds long"
    assert height[0] > height[4] > height[8] > height[12]


def test_one_or_two_leads_are_full_width_strips():
    spec = spec_of(("MLII", "V5"), rate=360.0)
    found = traces(drawn(flat(spec), spec))
    assert len(found) == 2
    assert all(np.ptp(line[:, 0]) == pytest.approx(250, abs=0.1) for line in found)


def test_a_long_record_of_one_lead_goes_on_in_the_next_line_and_nothing_is_left_out():
    spec = spec_of(("II",), seconds=23)
    values = np.arange(2300, dtype=float)[None] * 1e-4
    ax = drawn(values, spec)
    found = traces(ax)
    assert [round(np.ptp(line[:, 0])) for line in found] == [250, 250, 75]
    assert {"0 s", "11 s", "22 s"} <= set(texts(ax))


def test_a_long_record_of_twelve_leads_has_a_rhythm_strip_over_all_of_it():
    spec = spec_of(seconds=25)
    ax = drawn(flat(spec), spec)
    lengths = sorted(float(np.ptp(line[:, 0])) for line in traces(ax))
    assert lengths == pytest.approx([62.5] * 12 + [125, 250, 250], abs=0.3)
    late = TimeSpan(("V2",), 21.0, 21.4)
    ax = drawn(flat(spec), spec, regions=(Marked(late, 1.0, "A"),))
    assert len(bars(ax)) == 1


def test_the_page_of_a_longer_record_is_turned_to_the_first_marked_place():
    spec = spec_of(seconds=60)
    values = np.tile(np.arange(spec.length) * 1e-4, (12, 1))
    late = TimeSpan(LEADS, 41.0, 42.0)
    ax = drawn(values, spec, regions=(Marked(late, 1.0, "A"), Marked(TimeSpan(("I",), 1.0, 2.0), 1.0, "B")))
    # The middle of a page of ten seconds is the middle of the first mark, but for less than a second.
    shown = [t.get_text() for t in ax.texts if t.get_text().endswith(" s")]
    assert "36 s" in shown
    assert set(marked_leads(ax)) == {"V1", "V2", "V3", "II"}
    assert any("Outside of what is printed: B I from 1 s to 2 s" in text for text in texts(ax))
    early = drawn(values, spec, regions=(Marked(TimeSpan(("I",), 1.0, 2.0), 1.0, "B"),))
    assert "I" in marked_leads(early)


@pytest.mark.parametrize("spec", [spec_of(), spec_of(("V1", "V2", "V3")), spec_of(seconds=2.5)])
def test_every_row_has_room_for_its_trace_and_no_row_lies_over_another(spec):
    rng = np.random.default_rng(0)
    values = rng.uniform(-0.9, 2.1, spec.shape)
    values[:, ::50], values[:, 1::50] = 2.1, -0.9
    found = [(round(float(line[0, 0])), line[:, 1].min(), line[:, 1].max()) for line in traces(drawn(values, spec))]
    for left in {left for left, _, _ in found}:
        rows = sorted((low, high) for at, low, high in found if at == left)
        assert all(below[1] < above[0] for below, above in pairwise(rows))
        assert all(high - low == pytest.approx(30, abs=1e-2) for low, high in rows), "nothing is cut off"


@pytest.mark.parametrize(("seconds", "lines"), [(5.0, 13), (2.5, 12), (0.8, 12)])
def test_a_short_record_is_drawn_whole(seconds, lines):
    spec = spec_of(seconds=seconds)
    found = traces(drawn(flat(spec), spec))
    assert len(found) == lines
    assert max(np.ptp(line[:, 0]) for line in found) == pytest.approx(25 * (seconds - 1 / RATE), abs=0.3)


# --- what is no clean signal ------------------------------------------------------------------------------------------


def test_missing_samples_leave_a_gap_and_a_missing_lead_says_so():
    spec = spec_of()
    values = flat(spec)
    values[1, 120:180] = np.nan
    values[6] = np.nan
    ax = drawn(values, spec)
    rhythm = traces(ax)[-1]
    assert np.isnan(rhythm[120:180, 1]).all()
    assert np.isfinite(rhythm[180:, 1]).all()
    assert texts(ax).count("not recorded") == 1


def test_a_trace_beyond_its_strip_is_cut_off_marked_and_its_height_written():
    spec = spec_of()
    values = flat(spec)
    values[LEADS.index("V3"), 550:553] = [6.0, 7.25, 6.0]
    values[LEADS.index("V3"), 650] = -5.5
    ax = drawn(values, spec)
    assert {"7.25", "-5.5"} <= set(texts(ax))
    marks = [line for line in ax.lines if line.get_marker() in ("^", "v")]
    assert sorted(line.get_marker() for line in marks) == ["^", "v"]
    assert any("cut off" in text and "(mV)" in text for text in texts(ax))
    lowest = min(line[:, 1].min() for line in traces(ax))
    for line in traces(ax):
        assert np.ptp(line[:, 1]) <= 70.001
    assert lowest >= mm(ax, (0, 0))[1]
    assert "cut off" not in " ".join(texts(drawn(flat(spec), spec)))
