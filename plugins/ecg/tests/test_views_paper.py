"""Electrocardiograms on paper: millimetres are true, every lead is where a reader expects it, no mark is lost."""

from __future__ import annotations

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pellucid.data import Signal
from pellucid.regions import Box, TimeSpan
from pellucid.testing.real_data import real_data
from pellucid.views import LOWERS, PLAIN, RAISES, Marked, Shown, inches
from pellucid_ecg.views.paper import beat, paper

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
COLUMN = {lead: at // 3 for at, lead in enumerate(LEADS)}
RATE = 100.0


def spec_of(leads=LEADS, seconds=10.0, units="mV", rate=RATE) -> Signal:
    return Signal(channels=tuple(leads), length=round(seconds * rate), rate_hz=rate, units=units)


def flat(spec: Signal) -> np.ndarray:
    return np.zeros(spec.shape, np.float32)


def drawn(values, spec, view=paper, **shown):
    given = Shown(**shown)
    figure = Figure(figsize=inches(view, values, spec, given))
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    view(ax, values, spec, given)
    figure.canvas.draw()
    return ax


def mm(ax, points) -> np.ndarray:
    """Places on the printed figure in millimetres from its lower left corner."""
    return ax.transData.transform(np.asarray(points, float)) / ax.figure.dpi * 25.4


def traces(ax) -> list[np.ndarray]:
    """Lines of many points in the order of reading, in millimetres: by height of their middle, then from the left."""
    lines = [line.get_xydata() for line in ax.lines if len(line.get_xdata()) > 6]
    return [mm(ax, line) for line in lines]


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def marked_leads(ax) -> dict[str, list]:
    found: dict[str, list] = {}
    for patch in ax.patches:
        if str(patch.get_gid()).startswith("mark "):
            found.setdefault(patch.get_gid().removeprefix("mark "), []).append(patch)
    return found


def bars(ax) -> list:
    return [patch for patch in ax.patches if patch.get_gid() == "bar"]


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


# --- marks ------------------------------------------------------------------------------------------------------------


def test_a_marked_span_is_boxed_on_its_lead_where_its_column_shows_that_time_and_barred_under_the_rhythm_strip():
    spec = spec_of()
    ax = drawn(flat(spec), spec, regions=(Marked(TimeSpan(("aVL",), 2.6, 3.0), 0.8, "A +0.80"),))
    ((lead, (box,)),) = marked_leads(ax).items()
    assert lead == "aVL"
    line = next(t for t in traces(ax) if t[0, 0] == pytest.approx(72.5, abs=1e-3))
    (x0, y0), (x1, y1) = mm(ax, [box.get_xy(), (box.get_x() + box.get_width(), box.get_y() + box.get_height())])
    assert x0 == pytest.approx(line[0, 0] + 0.1 * 25, abs=1e-3)
    assert x1 - x0 == pytest.approx(10.0, abs=1e-3)
    rows = sorted({round(t[0, 1], 3) for t in traces(ax)}, reverse=True)
    assert y0 < rows[1] < y1, "the second row"
    assert not y0 < rows[0] < y1
    assert not y0 < rows[2] < y1
    (bar,) = bars(ax)
    rhythm = traces(ax)[-1]
    left, low = mm(ax, bar.get_xy())
    assert left == pytest.approx(rhythm[0, 0] + 2.6 * 25, abs=1e-3)
    assert low < rhythm[0, 1]
    assert "A +0.80 aVL" in texts(ax)


def test_a_span_that_its_column_does_not_show_has_a_bar_and_is_said():
    spec = spec_of()
    ax = drawn(flat(spec), spec, regions=(Marked(TimeSpan(("V2",), 2.6, 3.0), 0.8, "A"),))
    assert not marked_leads(ax)
    assert len(bars(ax)) == 1
    assert any("not printed at that time" in text and "A V2 from 2.6 s to 3 s" in text for text in texts(ax))
    at_once = drawn(flat(spec), spec, regions=(Marked(TimeSpan(("V2",), 5.6, 6.0), 0.8, "A"),))
    assert list(marked_leads(at_once)) == ["V2"]
    assert not any("not printed" in text for text in texts(at_once))


def test_a_span_of_all_leads_is_cut_to_the_columns_that_show_it():
    spec = spec_of()
    ax = drawn(flat(spec), spec, regions=(Marked(TimeSpan(LEADS, 2.0, 3.0), -0.8, "A"),))
    widths = {lead: sorted(round(box.get_width(), 3) for box in some) for lead, some in marked_leads(ax).items()}
    assert widths == {"I": [12.5], "II": [12.5, 25.0], "III": [12.5], "aVR": [12.5], "aVL": [12.5], "aVF": [12.5]}
    assert "A all leads" in texts(ax)


def test_a_span_outside_of_the_record_is_said_to_be_outside():
    spec = spec_of(("II",))
    ax = drawn(flat(spec), spec, regions=(Marked(TimeSpan(("II",), 12.0, 12.4), 0.8, "A"),))
    assert any("Outside of what is printed: A II from 12 s to 12.4 s" in text for text in texts(ax))


def test_bars_at_one_time_lie_below_each_other_and_not_over_each_others_words():
    spec = spec_of()
    spans = [Marked(TimeSpan((lead,), 4.0, 4.4), 1.0, f"{lead} mark") for lead in ("V1", "V2", "V3")]
    ax = drawn(flat(spec), spec, regions=tuple(spans))
    heights = [mm(ax, bar.get_xy())[1] for bar in bars(ax)]
    assert len(set(np.round(heights, 2))) == 3
    lowest = mm(ax, (0, 0))[1]
    assert min(heights) > lowest, "inside of the grid"
    apart = [Marked(TimeSpan(("V1",), at, at + 0.3), 1.0, "A") for at in (1.0, 4.0, 8.0)]
    ax = drawn(flat(spec), spec, regions=tuple(apart))
    assert len({round(mm(ax, bar.get_xy())[1], 2) for bar in bars(ax)}) == 1


def test_what_raises_and_what_lowers_differ_in_line_and_hatching_and_not_in_colour_alone():
    spec = spec_of()
    span = TimeSpan(("I",), 1.0, 1.5)
    up, down = (drawn(flat(spec), spec, regions=(Marked(span, sign, "A"),)) for sign in (1.0, -1.0))
    (raised,), (lowered,) = marked_leads(up)["I"], marked_leads(down)["I"]
    assert mpl.colors.to_hex(raised.get_edgecolor()) == RAISES
    assert mpl.colors.to_hex(lowered.get_edgecolor()) == LOWERS
    assert raised.get_linestyle() != lowered.get_linestyle()
    assert len(down.patches) > len(up.patches), "hatching"
    assert any("Orange, solid: raises the output." in text for text in texts(up))
    assert any("Blue, broken and hatched: lowers it." in text for text in texts(down))


@pytest.mark.parametrize("start_s", [7.6, 9.6])
def test_labels_of_boxes_keep_to_their_lead_and_do_not_lie_over_each_other(start_s):
    spec = spec_of()
    spans = [TimeSpan(("V6",), start_s + 0.1 * at, start_s + 0.3) for at in range(3)]
    ax = drawn(
        flat(spec), spec, regions=tuple(Marked(span, 1.0, f"label {at} +0.{at}0") for at, span in enumerate(spans))
    )
    left = next(line for line in traces(ax) if line[0, 0] == pytest.approx(10 + 3 * 62.5, abs=1e-3))[0, 0]
    extents = [
        mm(ax, ax.transData.inverted().transform(text.get_window_extent().get_points()))
        for text in ax.texts
        if text.get_text().startswith("label ") and "V6" not in text.get_text()
    ]
    assert len(extents) == 3
    for (x0, _), (x1, _) in extents:
        assert left < x0 < x1 < left + 62.5
    for below, above in pairwise(extents):
        assert below[1, 1] < above[0, 1] + 0.5, "of the room above letters, a part may be shared"


def test_hatching_goes_from_edge_to_edge_of_the_box_and_of_the_bar_of_what_lowers():
    spec = spec_of()
    ax = drawn(flat(spec), spec, regions=(Marked(TimeSpan(("I",), 1.0, 1.5), -1.0, "A"),))
    rectangles = [*marked_leads(ax)["I"], *bars(ax)]
    hatchings = [
        p
        for p in ax.patches
        if type(p).__name__ == "PathPatch" and mpl.colors.same_color(p.get_edgecolor()[:3], LOWERS)
    ]
    assert len(rectangles) == len(hatchings) == 2
    for rectangle, hatching in zip(rectangles, hatchings, strict=True):
        wide, high = rectangle.get_width(), rectangle.get_height()
        ends = (hatching.get_path().vertices - rectangle.get_xy()).reshape(-1, 2, 2)
        # A line of the family x + y = 2, 4, 6 ... millimetres enters by the left or upper edge and leaves by the lower or right.
        assert ends.sum(-1) == pytest.approx(np.repeat(np.arange(2.0, wide + high, 2.0), 2).reshape(-1, 2))
        for (x0, y0), (x1, y1) in ends:
            assert x0 == pytest.approx(0) or y0 == pytest.approx(high)
            assert y1 == pytest.approx(0) or x1 == pytest.approx(wide)
            assert min(x0, y0, x1, y1) >= 0
            assert max(x0, x1) <= wide + 1e-9
            assert max(y0, y1) <= high + 1e-9


def test_places_that_are_no_time_are_left_to_words():
    spec = spec_of()
    ax = drawn(flat(spec), spec, regions=(Marked(Box((0,), (1,)), 1.0, "A"),))
    assert not marked_leads(ax)
    assert not bars(ax)


# --- one place alone --------------------------------------------------------------------------------------------------


def test_a_place_alone_is_drawn_with_02_s_around_it_at_the_same_scale():
    spec = spec_of()
    values = flat(spec)
    values[7, 280:] = 1.0
    ax = drawn(values, spec, only=TimeSpan(("V2",), 2.6, 3.0))
    (line,) = traces(ax)
    assert np.ptp(line[:, 0]) == pytest.approx(0.8 * 25, abs=0.3)
    assert np.ptp(line[:, 1]) == pytest.approx(10.0, abs=1e-3)
    (box,) = marked_leads(ax)["V2"]
    left, right = (mm(ax, (box.get_x() + at, box.get_y()))[0] for at in (0.0, box.get_width()))
    assert left - line[0, 0] == pytest.approx(5.0, abs=1e-3)
    assert right - left == pytest.approx(10.0, abs=1e-3)
    assert not any("samples/s" in text for text in texts(ax))


def test_a_place_at_the_edge_is_not_drawn_beyond_the_record():
    spec = spec_of()
    (line,) = traces(drawn(flat(spec), spec, only=TimeSpan(("V2",), 0.1, 0.5)))
    assert np.ptp(line[:, 0]) == pytest.approx(0.7 * 25, abs=0.3)


def test_a_place_on_all_leads_shows_all_twelve_in_rows_that_go_beside_another_on_a_page():
    spec = spec_of()
    span = TimeSpan(LEADS, 1.0, 1.94)
    ax = drawn(flat(spec), spec, only=span)
    assert set(marked_leads(ax)) == set(LEADS)
    assert len(traces(ax)) == 12
    width, _ = inches(paper, flat(spec), spec, Shown(only=span))
    assert 2 * width <= inches(paper, flat(spec), spec, PLAIN)[0]


def test_a_place_as_long_as_the_record_is_drawn_on_the_page():
    spec = spec_of()
    ax = drawn(flat(spec), spec, only=TimeSpan(LEADS, 0.0, 10.0))
    assert len(traces(ax)) == 13


# --- dense evidence ---------------------------------------------------------------------------------------------------


def shades(ax, colour) -> list:
    faces = [(p, p.get_facecolor()) for p in ax.patches if type(p).__name__ == "Rectangle" and p.get_gid() is None]
    return [p for p, face in faces if 0 < face[3] < 1 and mpl.colors.to_hex(face[:3]) == colour]


def test_dense_evidence_is_shaded_on_its_lead_by_its_size_and_never_lost():
    spec = spec_of()
    evidence = flat(spec)
    evidence[LEADS.index("V2"), 550:650] = 1.0
    evidence[LEADS.index("V6"), 0:100] = -0.5
    ax = drawn(flat(spec), spec, evidence=evidence)
    raised, lowered = shades(ax, RAISES), shades(ax, LOWERS)
    (box,) = marked_leads(drawn(flat(spec), spec, regions=(Marked(TimeSpan(("V2",), 5.5, 6.5), 1.0, ""),)))["V2"]
    assert any(patch.get_bbox().bounds == pytest.approx(box.get_bbox().bounds) for patch in raised), (
        "over all of its lead"
    )
    # On the lead, and in the row under the rhythm strip; V6 is not printed in the first second, the row alone shows it.
    assert sorted(round(p.get_width(), 3) for p in raised) == [25.0, 25.0]
    assert [round(p.get_width(), 3) for p in lowered] == [25.0]
    assert raised[0].get_facecolor()[3] == pytest.approx(2 * lowered[0].get_facecolor()[3])
    rhythm = traces(ax)[-1]
    assert mm(ax, lowered[0].get_xy())[0] == pytest.approx(rhythm[0, 0], abs=1e-3)
    assert mm(ax, lowered[0].get_xy())[1] < rhythm[0, 1]
    assert not shades(drawn(flat(spec), spec, evidence=flat(spec)), RAISES)


@pytest.mark.parametrize("rows", [1, 4])
def test_the_row_of_evidence_lies_under_all_bars_of_its_rhythm_strip_and_on_the_sheet(rows):
    spec = spec_of()
    evidence = flat(spec)
    evidence[LEADS.index("V6"), 0:100] = -0.5
    at_once = tuple(Marked(TimeSpan((lead,), 4.0, 4.4), 1.0, f"{lead} mark") for lead in LEADS[6 : 6 + rows])
    ax = drawn(flat(spec), spec, evidence=evidence, regions=at_once)
    assert len({bar.get_y() for bar in bars(ax)}) == rows
    (row,) = shades(ax, LOWERS)
    assert 0 < row.get_y() < row.get_y() + row.get_height() < min(bar.get_y() for bar in bars(ax))


def test_evidence_of_up_to_40_stretches_is_shaded_stretch_by_stretch_and_of_more_in_40_pieces_by_its_mean():
    spec = spec_of(("MLII",), seconds=8.2)
    for stretches in (40, 41):
        evidence = np.tile(np.repeat([1.0, 0.2], 10), 21)[None, : 10 * stretches]
        evidence = np.concatenate([evidence, np.full((1, spec.length - evidence.shape[1]), evidence[0, -1])], axis=1)
        found = shades(drawn(flat(spec), spec, evidence=evidence), RAISES)
        assert len(found) == 40
        assert sum(p.get_width() for p in found) == pytest.approx(8.2 * 25)
        if stretches == 40:
            assert [p.get_facecolor()[3] for p in found] == pytest.approx([0.5, 0.1] * 20)
        for patch in found:
            first = round(patch.get_x() * 4 - found[0].get_x() * 4)
            mean = evidence[0, first : first + round(patch.get_width() * 4)].mean()
            assert patch.get_facecolor()[3] == pytest.approx(0.5 * mean)


def test_real_recordings_are_drawn_and_read_back(tmp_path):
    wfdb = pytest.importorskip("wfdb")
    folder = real_data("ecg", "cinc2021-sample")
    record = wfdb.rdrecord(str(folder / "HR06001"))
    spec = Signal(channels=tuple(record.sig_name), length=record.sig_len, rate_hz=record.fs, units="mV")
    values = record.p_signal.T.astype(np.float32)
    ax = drawn(values, spec)
    rhythm = traces(ax)[-1]
    back = (rhythm[:, 1] - rhythm[0, 1]) / 10
    row = record.sig_name.index("II")
    np.testing.assert_allclose(back, values[row][: len(back)] - values[row][0], atol=1e-4)
    ax.figure.savefig(tmp_path / "page.png", dpi=50)
    assert (tmp_path / "page.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("leads", "stop_s", "shaded"), [(LEADS, 10.0, False), (LEADS, 8.0, True), (LEADS[1:], 10.0, True)]
)
def test_a_mark_on_the_whole_recording_is_a_bar_and_leaves_the_traces_clear(leads, stop_s, shaded):
    spec = spec_of()
    ax = drawn(flat(spec), spec, regions=(Marked(TimeSpan(leads, 0.0, stop_s), 0.7, "A +0.70"),))
    assert bool(marked_leads(ax)) == shaded
    assert len(bars(ax)) == 1
    assert ("A +0.70 whole recording" in texts(ax)) != shaded
