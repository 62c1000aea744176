"""Pictures of readings: their own units, and the steps that are marked."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from pellucid.data.spec import Trajectory
from pellucid.regions import Steps
from pellucid.views import Marked, Shown
from pellucid_robotics.views.readings import readings

SPEC = Trajectory(names=("fx", "mx", "fy"), length=10, dt_s=0.5, units=("N", "N m", "N"))
VALUES = np.stack([np.arange(10.0), 100 + np.arange(10.0), -np.arange(10.0)])


def panels(shown=None):
    _, ax = plt.subplots()
    readings(ax, VALUES, SPEC, shown or Shown())
    found = ax.child_axes
    plt.close("all")
    return found


def test_names_of_one_unit_share_a_panel_and_show_their_values():
    forces, torques = panels()
    assert [one.get_ylabel() for one in (forces, torques)] == ["N", "N m"]
    drawn = {line.get_label(): line.get_xydata() for line in (*forces.lines, *torques.lines)}
    assert set(drawn) == {"fx", "fy", "mx"}
    for name, row in zip(SPEC.names, VALUES, strict=True):
        assert drawn[name] == pytest.approx(np.stack([0.5 * np.arange(10), row], 1))


def test_a_place_is_marked_in_the_panels_of_its_names_alone():
    before = [len(one.patches) for one in panels()]
    forces, torques = panels(Shown(regions=(Marked(Steps(("fy",), 2, 4), 1.0, "A"),)))
    assert [len(forces.patches), len(torques.patches)] == [before[0] + 1, before[1]]
    edges = forces.patches[-1].get_extents().transformed(forces.transData.inverted())
    # Around the steps 2 and 3, which lie at 1 and 1.5 s.
    assert (edges.x0, edges.x1) == pytest.approx((0.75, 1.75))


def test_evidence_is_summed_over_a_panel_on_one_scale():
    evidence = np.zeros((3, 10))
    evidence[0, 3], evidence[2, 3], evidence[1, 5] = 1.0, 1.0, -1.0
    forces, torques = panels(Shown(evidence=evidence))
    assert forces.patches[3].get_alpha() == pytest.approx(0.45)
    assert torques.patches[5].get_alpha() == pytest.approx(0.225)


def test_a_place_alone_is_drawn_with_its_names_and_a_little_around():
    (forces,) = panels(Shown(only=Steps(("fx", "fy"), 4, 8)))
    assert {line.get_label() for line in forces.lines} >= {"fx", "fy"}
    assert forces.get_xlim() == pytest.approx((1.25, 4.25))
