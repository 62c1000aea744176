"""Marks on electrocardiogram paper: none is lost, alone or dense."""

from __future__ import annotations

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from drawn_paper import LEADS, bars, drawn, flat, marked_leads, mm, spec_of, texts, traces

from pellucid.data import Signal
from pellucid.regions import Box, TimeSpan
from pellucid.testing.real_data import real_data
from pellucid.views import LOWERS, PLAIN, RAISES, Marked, Shown, inches
from pellucid_ecg.views.paper import paper

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
