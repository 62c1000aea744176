"""The core's views: values are where they are, marks are where they are said to be, and a place can be drawn alone."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from pellucid.data import Image, Signal, Trajectory, Vector, Volume
from pellucid.regions import Box, Steps, TimeSpan, Voxels
from pellucid.report.figures import scaled_picture, view_picture
from pellucid.views import (
    INK,
    LOWERS,
    PLAIN,
    RAISES,
    Marked,
    Shown,
    box_in_plane,
    image,
    inches,
    is_to_scale,
    middle,
    signal,
    sized,
    trajectory,
    vector,
    volume,
)

PLANE = Image(channels=("grey",), size=(20, 30), spacing_mm=(2.0, 1.0), units="1")
CUBE = Volume(channels=("grey",), size=(10, 20, 30), units="1")
WAVES = Signal(channels=("a", "b", "c"), length=100, rate_hz=50.0, units="mV")
PATH = Trajectory(names=("speed", "height"), length=40, dt_s=0.5, units=("m s-1", "m"))
SPAN = TimeSpan(("b",), 0.5, 0.9)


def drawn(view, values, spec, **shown):
    ax = Figure().add_subplot()
    view(ax, values, spec, Shown(**shown))
    return ax


def boxes(ax) -> list[tuple[float, float, float, float]]:
    return [(*patch.get_xy(), patch.get_width(), patch.get_height()) for patch in ax.patches]


def waves() -> np.ndarray:
    return np.sin(np.arange(300).reshape(3, 100))


@pytest.mark.parametrize(("weight", "colour", "line"), [(0.5, RAISES, "-"), (-0.5, LOWERS, "--"), (0.0, INK, ":")])
def test_a_marked_rectangle_is_framed_where_it_is_and_its_sign_is_told_by_colour_and_line(weight, colour, line):
    ax = drawn(image, np.zeros((1, 20, 30)), PLANE, regions=(Marked(Box((4, 10), (9, 12)), weight, "A"),))
    (frame,) = ax.patches
    assert boxes(ax) == [(9.5, 3.5, 2, 5)]
    assert mpl.colors.to_hex(frame.get_edgecolor()) == colour
    assert frame.get_linestyle() == line
    assert "A" in [text.get_text() for text in ax.texts]


def test_voxels_are_framed_by_the_rectangle_around_them():
    ax = drawn(image, np.zeros((1, 20, 30)), PLANE, regions=(Marked(Voxels(((3, 4), (6, 5)))),))
    assert boxes(ax) == [(3.5, 2.5, 2, 4)]


def test_a_rectangle_drawn_alone_has_half_its_length_around_it_and_never_more_than_the_picture():
    ax = drawn(image, np.zeros((1, 20, 30)), PLANE, only=Box((2, 10), (10, 14)))
    assert ax.get_xlim() == (5.5, 17.5)
    assert ax.get_ylim() == (13.5, -0.5)
    assert drawn(image, np.zeros((1, 20, 30)), PLANE).get_xlim() == (-0.5, 29.5)


def test_a_volume_is_cut_through_the_first_marked_place_and_framed_in_every_plane():
    values = np.arange(10 * 20 * 30, dtype=float).reshape(1, 10, 20, 30)
    region = Box((2, 4, 20), (4, 10, 26))
    panels = drawn(volume, values, CUBE, regions=(Marked(region, 1.0),)).child_axes
    for panel, (axis, at) in zip(panels, [(0, 3), (1, 7), (2, 23)], strict=True):
        np.testing.assert_array_equal(panel.images[0].get_array(), np.take(values[0], at, axis))
    assert [boxes(panel) for panel in panels] == [[(19.5, 3.5, 6, 6)], [(19.5, 1.5, 6, 2)], [(3.5, 1.5, 6, 2)]]
    plain = drawn(volume, values, CUBE).child_axes
    np.testing.assert_array_equal(plain[0].images[0].get_array(), values[0, 5])
    assert [middle(region, axis, 99) for axis in range(3)] == [3, 7, 23]
    assert box_in_plane(SPAN) is None


def test_a_time_span_is_a_box_on_its_own_channel_from_its_start_to_its_end():
    values = waves()
    ax = drawn(signal, values, WAVES, regions=(Marked(SPAN, -1.0, "B"),))
    ((x, y, width, height),) = boxes(ax)
    assert (x, width) == (0.5, pytest.approx(0.4))
    line = ax.lines[1]
    assert y < np.min(line.get_ydata()) + height
    assert y <= np.mean(line.get_ydata()) <= y + height
    assert not y <= np.mean(ax.lines[0].get_ydata()) <= y + height
    assert any(text.get_text().strip() == "B" for text in ax.texts)


def test_a_span_drawn_alone_shows_its_channels_and_a_little_around_it():
    ax = drawn(signal, waves(), WAVES, only=SPAN)
    assert ax.get_xlim() == pytest.approx((0.3, 1.1))
    (trace,) = [line for line in ax.lines if len(line.get_xdata()) == 100]
    np.testing.assert_allclose(trace.get_ydata(), waves()[1])
    edges = sorted(line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 2)
    assert edges == [0.5, 0.9]
    # A span whose channels are unknown here is drawn on all of them.
    other = drawn(signal, waves(), WAVES, only=TimeSpan(("z",), 0.5, 0.9))
    assert sum(len(line.get_xdata()) == 100 for line in other.lines) == 3


def test_missing_values_break_a_line_and_do_not_blow_up_its_scale():
    values = waves()
    values[0, 10:20] = np.nan
    ax = drawn(signal, values, WAVES)
    assert np.isnan(ax.lines[0].get_ydata()[10:20]).all()
    assert np.isfinite(ax.get_ylim()).all()


def test_steps_of_a_trajectory_are_marked_in_seconds():
    values = np.stack([np.linspace(0, 1, 40), np.linspace(1, 0, 40)])
    ax = drawn(trajectory, values, PATH, regions=(Marked(Steps(("height",), 10, 14), 1.0),))
    ((x, _, width, _),) = boxes(ax)
    assert (x, width) == (5.0, 2.0)
    assert drawn(trajectory, values, PATH, only=Steps(("height",), 10, 14)).get_xlim() == (4.0, 8.0)


def test_each_variable_of_a_trajectory_has_a_scale_of_its_own_and_actions_stand_below_states():
    path = Trajectory(
        names=("push", "speed", "height"), actions=("push",), length=40, dt_s=0.5, units=("N", "m s-1", "m")
    )
    rise = np.linspace(0, 1, 40)
    values = np.stack([1e-3 * rise, 1e3 * rise, np.where(rise < 0.5, 2.0, np.nan)])
    ax = drawn(trajectory, values, path)
    heights = [np.nanmax(line.get_ydata()) - np.nanmin(line.get_ydata()) for line in ax.lines]
    assert heights == pytest.approx([1.0, 0.0, 1.0])
    assert [text.get_text().strip() for text in ax.texts] == ["speed (m s⁻¹)", "height (m)", "push, action (N)"]
    # Each is drawn below the one before.
    starts = [line.get_ydata()[0] for line in ax.lines]
    assert starts == sorted(starts, reverse=True)


def test_a_vector_names_its_strongest_values_first():
    spec = Vector(names=("a", "b", "c"), units=("m", "1", "rating"))
    ax = drawn(vector, np.array([1.0, np.nan, 3.0]), spec, evidence=np.array([0.1, 0.0, -2.0]))
    assert [text.get_text() for text in ax.texts] == ["c", "3", "a", "1 m", "b", "missing"]
    assert ax.texts[1].get_color() == LOWERS


@sized(lambda values, spec, shown: (2.0 + len(shown.regions), 1.5))
def to_scale(ax, values, spec, shown):
    ax.plot(values.T)
    to_scale.positions.append((ax.get_position().bounds, ax.figure.get_size_inches().tolist()))


to_scale.positions = []


def test_a_view_with_a_size_of_its_own_fills_a_figure_of_that_size():
    assert is_to_scale(to_scale)
    assert not is_to_scale(signal)
    assert inches(to_scale, waves(), WAVES, Shown(regions=(Marked(SPAN),))) == (3.0, 1.5)
    assert inches(image, np.zeros((1, 20, 30)), PLANE, PLAIN) == (2.1, 2.3)
    to_scale.positions.clear()
    picture = view_picture(to_scale, waves(), WAVES, PLAIN, "alt")
    assert (picture.width, picture.to_scale) == (192, True)
    assert to_scale.positions == [((0.0, 0.0, 1.0, 1.0), [2.0, 1.5])]
    assert not view_picture(signal, waves(), WAVES, PLAIN, "alt").to_scale


def test_views_below_each_other_are_none_of_them_shrunk():
    to_scale.positions.clear()
    more = Shown(regions=(Marked(SPAN),))
    picture = scaled_picture([(to_scale, waves(), WAVES, PLAIN), (to_scale, waves(), WAVES, more)], "alt")
    assert picture.width == 288
    (first, size), (second, _) = to_scale.positions
    assert size == [3.0, 3.0]
    np.testing.assert_allclose(np.array(first) * 3, [0, 1.5, 2, 1.5])
    np.testing.assert_allclose(np.array(second) * 3, [0, 0, 3, 1.5])
