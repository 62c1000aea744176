"""Pictures of cells: atoms where they are, the cavity in its size, and marks that can be told apart."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from pellucid.regions import Subgraph
from pellucid.views import Marked, Shown, inches
from pellucid_molecules.crystals.crystal import Crystal, cell_of
from pellucid_molecules.crystals.store import Reading, crystal_input, graph_of
from pellucid_molecules.views.crystal import ATOM, METAL, crystal

SPEC = crystal_input()
PARAMETERS = np.array([9.0, 8.0, 5.0, 90, 90, 90], np.float32)
CAVITY = np.array([0.5, 0.25, 0.0, 2.0], np.float32)
ONE = Crystal(
    np.array([30, 8, 6]),
    np.array([[0.1, 0.2, 0.0], [0.6, 0.5, 0.9], [0.8, 0.9, 0.5]]),
    cell_of(PARAMETERS[:3], PARAMETERS[3:]),
)


def drawn(**shown):
    graph = graph_of(ONE, Reading(4.0, 0))
    beside = {"cell": PARAMETERS, "cavity": CAVITY} | shown.pop("beside", {})
    figure = Figure(figsize=inches(crystal, graph, SPEC, Shown()))
    FigureCanvasAgg(figure)
    ax = figure.add_subplot()
    crystal(ax, graph, SPEC, Shown(beside=beside, **shown))
    figure.canvas.draw()
    return ax


def circles(ax):
    return [patch for patch in ax.patches if isinstance(patch, Circle)]


def test_atoms_lie_where_they_are_across_the_shortest_edge():
    ax = drawn()
    centres = np.array([one.center for one in circles(ax)])
    wanted = ONE.positions[:, :2]
    assert all((np.abs(centres - place).sum(1) < 1e-5).any() for place in wanted)
    assert "seen along c" in ax.get_xlabel()


def test_the_cavity_is_drawn_to_scale_and_says_how_wide_it_is():
    ax = drawn()
    (rim,) = [one for one in circles(ax) if one.radius == pytest.approx(2.0) and not one.get_fill()]
    np.testing.assert_allclose(rim.center, (4.5, 2.0))
    assert "4.0 Å" in [text.get_text() for text in ax.texts]
    # It may reach over the cell's edge, and is seen as a whole.
    assert ax.get_xlim()[0] < 2.5
    assert ax.get_xlim()[1] > 9.0


def test_metals_are_named_and_rimmed():
    ax = drawn()
    assert "Zn" in [text.get_text() for text in ax.texts]
    from matplotlib.colors import to_hex

    rims = {
        to_hex(one.get_edgecolor(), keep_alpha=False)
        for one in circles(ax)
        if np.allclose(one.center, ONE.positions[0, :2])
    }
    assert METAL in rims


def test_atoms_before_and_behind_the_cavity_are_pale():
    by = {tuple(np.round(one.center, 3)): one.get_alpha() for one in circles(drawn()) if one.radius < 1}
    pale = by[tuple(np.round(ONE.positions[2, :2], 3))]
    assert pale < 1.0
    # 0.9 of an edge is a tenth of it away, in the next cell.
    assert by[tuple(np.round(ONE.positions[1, :2], 3))] == 1.0


def test_marks_of_places_that_raise_and_that_lower_differ_in_line():
    up = drawn(regions=(Marked(Subgraph((1,)), 1.0),))
    down = drawn(regions=(Marked(Subgraph((1,)), -1.0),))
    lines = [
        {one.get_linestyle() for one in circles(ax) if not one.get_fill() and one.radius < 1.5} for ax in (up, down)
    ]
    assert lines[0] != lines[1]


def test_what_atoms_add_colours_them():
    plain, told = drawn(), drawn(evidence=np.array([1.0, -1.0, 0.0], np.float32))
    at = tuple(np.round(ONE.positions[1, :2], 3))

    def colour(ax):
        (found,) = [
            one.get_facecolor()[:3] for one in circles(ax) if tuple(np.round(one.center, 3)) == at and one.radius < 1
        ]
        return found

    assert colour(plain) != colour(told)
    assert colour(told)[2] > colour(told)[0]


def test_without_its_cell_a_crystal_is_drawn_as_a_cube_and_says_so():
    graph = graph_of(ONE, Reading(4.0, 0))
    ax = Figure().add_subplot()
    crystal(ax, graph, SPEC, Shown())
    assert "a cube" in ax.get_xlabel()
    assert min(one.radius for one in circles(ax)) == pytest.approx(ATOM * 1.52)
