"""The picture of a walk: each step where it was, marked by what was seen, with a rim where evidence lies."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from pellucid.regions import Steps
from pellucid.views import LOWERS, RAISES, Marked, Shown, view_for
from pellucid_robotics.maps.walks import AliasedRoom, AliasedRoomConfig
from pellucid_robotics.views.walk import walk

DATA = AliasedRoom(AliasedRoomConfig(walks=3, steps=30))
SPEC = DATA.spec.input("walk")


def drawn(values=None, **shown):
    sample = DATA[0]
    ax = Figure().subplots()
    walk(ax, sample.with_gaps("walk") if values is None else values, SPEC, Shown(**shown))
    FigureCanvasAgg(ax.figure).draw()
    return ax, sample


def points(ax):
    """Where a mark is, by its label."""
    return {one.get_label(): np.asarray(one.get_offsets()) for one in ax.collections}


def test_the_dataset_names_it():
    assert view_for(DATA.spec, "walk") is walk


def test_steps_stand_where_they_were_by_what_was_seen():
    place = DATA[0].inputs["place"]
    ax, sample = drawn(beside={"place": place})
    for level, name in enumerate(SPEC.levels["observation"]):
        here = sample.inputs["walk"][0] == level
        if here.any():
            assert np.allclose(points(ax)[name], place[:, here].T)
    assert np.allclose(ax.lines[0].get_xydata(), place.T)
    low, high = ax.get_ylim()
    assert low > high, "rows are counted downwards"


def test_without_places_what_was_seen_stands_over_steps():
    ax, sample = drawn()
    assert ax.get_xlabel() == "step"
    assert np.allclose(ax.lines[0].get_xydata(), np.column_stack([np.arange(30), sample.inputs["walk"][0]]))


def test_evidence_rims_its_steps_and_marked_steps_are_a_line():
    evidence = np.zeros((2, 30))
    evidence[0, 4], evidence[1, 9], evidence[0, 20] = 1.0, -0.5, 0.05
    region = Steps(SPEC.names, 12, 16)
    place = DATA[0].inputs["place"]
    ax, _ = drawn(evidence=evidence, beside={"place": place}, regions=(Marked(region, 1.0, "here"),))
    rims = [to_hex(colour) for one in ax.collections for colour in one.get_edgecolors()]
    assert rims.count(RAISES) == rims.count(LOWERS) == 1
    assert np.allclose(ax.lines[1].get_xydata(), place.T[12:16])
    assert " here" in [one.get_text() for one in ax.texts]


@pytest.mark.parametrize("beside", [{}, {"place": DATA[0].inputs["place"]}], ids=["plain", "placed"])
def test_steps_that_are_not_known_have_no_mark_and_a_place_alone_has_few(beside):
    values = DATA[0].with_gaps("walk").copy()
    values[:, 5:] = np.nan
    ax, _ = drawn(values, beside=beside)
    assert sum(map(len, points(ax).values())) == 5
    ax, _ = drawn(only=Steps(SPEC.names, 10, 18), beside=beside)
    assert sum(map(len, points(ax).values())) == 8 + 2 * 2
