"""Pictures of what moves: phase portraits by region, and roll-outs beside what happened."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from pellucid.data.spec import Signal, Trajectory
from pellucid.errors import DataError
from pellucid.regions import Steps, TimeSpan
from pellucid.views import LOWERS, RAISES, Marked, Shown, inches
from pellucid.views.phase_portrait import phase_portrait, portrait_of, regions_of_steps
from pellucid.views.roll_out import MOST, SAID, roll_out

PATH = Trajectory(names=("hip", "knee", "speed"), length=40, dt_s=0.05, units=("rad", "rad", "m/s"))
WAVES = Signal(channels=("C3", "C4", "Cz"), length=40, rate_hz=20.0, units="uV")
VALUES = np.stack([np.sin(np.arange(40) / 5), np.cos(np.arange(40) / 5), np.arange(40) / 10])


def panels(view, values=VALUES, spec=PATH, **shown):
    asked = Shown(**shown)
    figure = Figure(figsize=inches(view, values, spec, asked))
    ax = figure.add_axes((0, 0, 1, 1))
    view(ax, values, spec, asked)
    return ax.child_axes


def lines(panel):
    """Of each label the points that are drawn."""
    return {line.get_label(): line.get_xydata() for line in panel.lines}


def test_steps_of_a_region_are_drawn_under_its_name_at_their_places():
    codes = np.repeat([0, 2, -1, 0], 10)
    marked = regions_of_steps(codes, ("--", "-+", "+-"), PATH)
    assert [one.region for one in marked] == [Steps(PATH.names, at, at + 10) for at in (0, 10, 30)]
    (panel,) = panels(portrait_of("speed", "knee"), regions=marked)
    drawn = lines(panel)
    for name, code in (("--", 0), ("+-", 2)):
        assert drawn[name] == pytest.approx(VALUES[[2, 1]][:, codes == code].T)
    assert "-+" not in drawn
    assert drawn["start"] == pytest.approx(VALUES[[2, 1], :1].T)
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("speed (m/s)", "knee (rad)")
    looks = {line.get_label(): (line.get_marker(), line.get_color()) for line in panel.lines}
    assert looks["--"][0] != looks["+-"][0]
    assert looks["--"][1] != looks["+-"][1]


def test_names_are_those_that_places_are_about_or_the_first_two_states():
    def named(**shown):
        (panel,) = panels(phase_portrait, **shown)
        return panel.get_xlabel()[:4], panel.get_ylabel()[:4]

    assert named() == ("hip ", "knee")
    assert named(regions=(Marked(Steps(("knee", "speed"), 3, 5)),)) == ("knee", "spee")
    assert named(only=Steps(("speed",), 3, 5)) == ("spee", "hip ")
    assert named(regions=(Marked(Steps(PATH.names, 3, 5)),)) == ("hip ", "knee")
    steered = PATH.model_copy(update={"actions": ("hip",)})
    (panel,) = panels(phase_portrait, spec=steered)
    assert panel.get_xlabel() == "knee (rad)"


def test_what_raises_and_what_lowers_is_said_in_words_too():
    regions = (Marked(TimeSpan(("C3",), 0.5, 1.0), 1.0, "A"), Marked(TimeSpan(("C3",), 1.5, 2.0), -1.0, "B"))
    (panel,) = panels(phase_portrait, spec=WAVES, regions=regions)
    colours = {line.get_label(): line.get_color() for line in panel.lines}
    assert colours["A: raises"] == RAISES
    assert colours["B: lowers"] == LOWERS
    assert lines(panel)["A: raises"] == pytest.approx(VALUES[:2, 10:20].T)
    evidence = np.zeros_like(VALUES)
    evidence[0, 5], evidence[1, 9] = 2.0, -1.0
    (panel,) = panels(phase_portrait, evidence=evidence)
    found = {one.get_label(): one for one in panel.collections}
    assert found["raises"].get_offsets().data == pytest.approx(VALUES[:2, 5][None])
    assert found["lowers"].get_offsets().data == pytest.approx(VALUES[:2, 9][None])
    (panel,) = panels(phase_portrait, evidence=evidence, regions=(Marked(Steps(PATH.names, 2, 4), -1.0),))
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["raises", "lowers", "start"]
    assert found["raises"].get_sizes()[0] == pytest.approx(2 * found["lowers"].get_sizes()[0])


def test_a_roll_out_has_a_row_for_each_name_with_both_lines_in_its_unit():
    said = np.concatenate([np.full((3, 10), np.nan), VALUES[:, 10:] + 0.1], axis=1)
    rows = panels(roll_out, beside={SAID: said}, regions=(Marked(Steps((), 25, 40), label="lost"),))
    assert [row.get_ylabel() for row in rows] == ["hip\n(rad)", "knee\n(rad)", "speed\n(m/s)"]
    for row, real, other in zip(rows, VALUES, said, strict=True):
        drawn = lines(row)
        assert drawn["real"][:, 0] == pytest.approx(np.arange(40) * 0.05)
        assert drawn["real"][:, 1] == pytest.approx(real)
        assert drawn["predicted"][10:, 1] == pytest.approx(other[10:])
        assert 25 * 0.05 in [pytest.approx(line.get_xdata()[0]) for line in row.lines]
    assert [text.get_text().strip() for text in rows[0].texts] == ["lost"]
    assert not any(row.texts for row in rows[1:])
    assert rows[0].get_legend() is not None
    assert panels(roll_out)[0].get_legend() is None


def test_a_prediction_that_runs_away_does_not_flatten_what_happened():
    said = VALUES * 1e6
    low, high = panels(roll_out, beside={SAID: said})[0].get_ylim()
    assert high - low < 4 * np.ptp(VALUES[0])
    assert low < VALUES[0].min() < VALUES[0].max() < high


def test_a_place_alone_is_drawn_with_its_names_and_around_its_steps():
    (row,) = panels(roll_out, only=Steps(("knee",), 20, 30))
    assert row.get_ylabel() == "knee\n(rad)"
    assert row.get_xlim() == pytest.approx((20 * 0.05 - 0.125, 30 * 0.05 + 0.125))
    evidence = np.zeros_like(VALUES)
    evidence[1, 3] = -1.0
    assert [len(one.patches) for one in panels(roll_out, evidence=evidence)] == [0, 1, 0]


def test_more_names_than_rows_are_said():
    many = Signal(channels=tuple(f"c{at}" for at in range(9)), length=40, rate_hz=20.0, units="uV")
    figure = Figure(figsize=(4, 4))
    ax = figure.add_axes((0, 0, 1, 1))
    roll_out(ax, np.zeros((9, 40)), many, Shown(caption="a"))
    assert len(ax.child_axes) == MOST
    assert ax.texts[0].get_text() == "a (3 more names)"


def test_a_portrait_of_a_name_that_is_not_there_names_the_nearest():
    with pytest.raises(DataError, match="no 'sped'; did you mean 'speed'"):
        panels(portrait_of("sped", "knee"))
