"""Pictures of the scalp: what stands where, without which a map is none."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from pellucid.data.spec import Signal
from pellucid.regions import TimeSpan
from pellucid.views import Marked, Shown
from pellucid_eeg.recordings.electrodes import TEN_TWENTY
from pellucid_eeg.views.butterfly import butterfly, peaks
from pellucid_eeg.views.scalp import draw_map, drawable


@pytest.fixture
def ax():
    figure = plt.figure(figsize=(7, 4.3))
    yield figure.add_axes((0, 0, 1, 1))
    plt.close(figure)


def spec(channels=TEN_TWENTY) -> Signal:
    return Signal(channels=tuple(channels), length=200, rate_hz=200, units="uV")


def waves(channels=TEN_TWENTY) -> np.ndarray:
    """Two bumps at 0.2 and 0.6 s, at the back of the head."""
    time_s = np.arange(200) / 200
    shape = np.exp(-(((time_s - 0.2) / 0.03) ** 2)) + 2 * np.exp(-(((time_s - 0.6) / 0.03) ** 2))
    back = np.array([name in ("O1", "O2", "Pz") for name in channels], float)
    return 10 * back[:, None] * shape


def titles(ax) -> list[str]:
    return [inside.get_title() for inside in ax.child_axes if inside.get_title()]


def test_maps_stand_at_the_peaks_of_the_field_with_a_bar_in_its_units(ax):
    butterfly(ax, waves(), spec(), Shown())
    assert titles(ax) == ["200 ms", "600 ms", "uV"]


def test_evidence_has_a_map_of_its_own_and_shades_its_time(ax):
    evidence = np.zeros((19, 200))
    evidence[3, 100:110] = 1
    butterfly(ax, waves(), spec(), Shown(evidence=evidence))
    (over_time,) = [inside for inside in ax.child_axes if inside.get_title() == "evidence"]
    # Nothing lowers the output here, so of the two ends of the colours that of what raises it alone is reached.
    image = over_time.images[0]
    assert image.get_clim() == (-10, 10)
    assert np.nanmax(image.get_array()) > 8
    assert np.nanmin(image.get_array()) > -0.1
    assert image.cmap(1.0)[0] > image.cmap(1.0)[2]
    assert [label.get_text() for label in ax.child_axes[-1].get_yticklabels()] == ["lowers", "0", "raises"]
    shaded = [patch for patch in ax.child_axes[0].patches if patch.get_alpha()]
    starts = sorted(patch.get_x() for patch in shaded)
    assert (starts[0], starts[-1], len(starts)) == (500, 545, 10)


def test_axes_say_milliseconds_and_which_way_is_positive_and_how_many_electrodes(ax):
    values = waves()
    values[0] = np.nan
    butterfly(ax, values, spec(), Shown())
    lines = ax.child_axes[0]
    assert (lines.get_xlabel(), lines.get_ylabel()) == ("time (ms)", "uV, positive up")
    assert lines.get_title(loc="left") == "18 electrodes, one line each; 1 not known"
    bottom, top = lines.get_ylim()
    assert bottom < 0 < 20 <= top


def test_a_place_alone_is_drawn_with_half_of_its_length_around(ax):
    only = TimeSpan(channels=("O1",), start_s=0.5, stop_s=0.7)
    butterfly(ax, waves(), spec(), Shown(only=only, regions=(Marked(only, 1.0, "x"),)))
    np.testing.assert_allclose(ax.child_axes[0].get_xlim(), (400, 800))
    assert titles(ax)[0] == "600 ms"


def test_signals_that_are_not_of_the_scalp_have_no_maps(ax):
    channels = ("left hand", "right hand", "EOG")
    butterfly(ax, waves(channels), spec(channels), Shown())
    assert drawable(channels) == ()
    assert titles(ax) == []


def test_an_unknown_electrode_is_left_out_of_a_map_not_drawn_as_zero(ax):
    values = np.full(19, 5.0)
    values[0] = np.nan
    image = draw_map(ax, values, TEN_TWENTY, 5.0)
    np.testing.assert_allclose(np.ma.compressed(np.ma.masked_invalid(image.get_array())), 5.0, atol=1e-6)


def test_peaks_of_one_wave_that_lie_close_count_once():
    field = np.array([0, 3, 2.5, 4, 0, 0, 0, 0, 0, 0, 1, 0.0])
    assert peaks(field, rate_hz=50, begin_s=0, end_s=1, most=3) == [3, 10]
