"""A crystal's cell seen along one of its edges: atoms, metals, what they add to an output, and the largest cavity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.data.graphs import Graphs
from pellucid.regions import Subgraph
from pellucid.views import INK, NEUTRAL, Shown, evidence_colours, mark_style, sized
from pellucid_molecules.crystals.crystal import cell_of
from pellucid_molecules.crystals.elements import IS_METAL, RADII_ANGSTROM, SYMBOLS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.data import Graph

ATOM = 0.28
"""Of an atom's van der Waals radius, as it is drawn: bonds could not be seen between whole ones."""

VOLUME_ANGSTROM3 = 13.0
"""That an atom of a framework takes, about."""

METAL, CAVITY = "#7b3294", "#1b7837"
"""Colours of metals and of the largest cavity."""

FRACTIONS = ("fraction_a", "fraction_b", "fraction_c")
CORNERS = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]])


def _size(values: Any, spec: Any, shown: Shown) -> tuple[float, float]:
    return 3.4, 3.5


@sized(_size)
def crystal(ax: Axes, values: Graphs, spec: Graph, shown: Shown) -> None:
    """A cell, projected on the plane across the edge along which it is shortest; axes in angstrom.

    Atoms are grey discs, metals violet ones with their symbol. The circle is the largest ball that touches no atom (inputs ``cell``
    and ``cavity`` beside the values), at its place and in its size; atoms that lie before or behind it are pale. Evidence colours atoms
    orange where they raise the output, and blue where they lower it. Marked places are rings.

    Parameters
    ----------
    ax : Axes
    values : Graphs
        One crystal.
    spec : Graph
    shown : Shown
        Its evidence has shape ``(atom,)`` or ``(atom, feature)``.
    """
    cell, told = _cell(values, shown)
    numbers = values.nodes[:, spec.node_features.index("atomic_number")].round().astype(int)
    fractions = values.nodes[:, [spec.node_features.index(name) for name in FRACTIONS]].astype(float)
    chosen = _chosen(shown.only, len(numbers))
    axis, plane = _plane(cell)
    across = [at for at in range(3) if at != axis]
    places = fractions @ cell @ plane.T
    outline = np.zeros((len(CORNERS), 3))
    outline[:, across] = CORNERS
    corners = outline @ cell @ plane.T
    # Far ones first: what is nearer to the eye lies over them.
    order = np.argsort(fractions[:, axis], kind="stable")
    ax.plot(*corners.T, color=NEUTRAL, linewidth=0.8, zorder=1)
    _draw_cavity(ax, shown.beside.get("cavity"), cell, plane)
    colours = _colours(numbers, _strengths(shown.evidence, len(numbers)))
    beside = chosen & ~_away(fractions, shown.beside.get("cavity"), axis, float(_heights(cell)[axis]))
    _draw_atoms(ax, places, numbers, colours, order, beside)
    for marked in shown.regions:
        if isinstance(marked.region, Subgraph):
            _mark(ax, places, numbers, marked.region, marked.weight)
    low, high = corners.min(0), corners.max(0)
    if (cavity := shown.beside.get("cavity")) is not None and cavity[3] > 0:
        middle = np.asarray(cavity[:3], float) @ cell @ plane.T
        low, high = np.minimum(low, middle - cavity[3]), np.maximum(high, middle + cavity[3])
    if shown.only is not None and chosen.any():
        low, high = places[chosen].min(0) - 3, places[chosen].max(0) + 3
    ax.set(xlim=(low[0] - 1, high[0] + 1), ylim=(low[1] - 1, high[1] + 1), aspect="equal")
    ax.set_xlabel(f"angstrom, seen along {'abc'[axis]}{told}", fontsize=7, color=INK)
    ax.tick_params(labelsize=6.5, colors=INK, length=2)
    for edge in ax.spines.values():
        edge.set_visible(False)
    ax.set_title(shown.caption, fontsize=8, color=INK)


def _cell(values: Graphs, shown: Shown) -> tuple[npt.NDArray[np.float64], str]:
    """The cell, or where it is not at hand a cube of about the size that so many atoms take, and a word on it."""
    if "cell" in shown.beside:
        parameters = np.asarray(shown.beside["cell"], float)
        return cell_of(parameters[:3], parameters[3:]), ""
    edge = (VOLUME_ANGSTROM3 * max(1, len(values.nodes))) ** (1 / 3)
    return edge * np.eye(3), " (cell not at hand: a cube)"


def _plane(cell: npt.NDArray[np.float64]) -> tuple[int, npt.NDArray[np.float64]]:
    """Along which edge to look, and two directions across it, shape (2, 3)."""
    axis = int(np.linalg.norm(cell, axis=1).argmin())
    along = cell[axis] / np.linalg.norm(cell[axis])
    other = cell[(axis + 1) % 3]
    right = other - (other @ along) * along
    right /= np.linalg.norm(right)
    return axis, np.stack([right, np.cross(along, right)])


def _heights(cell: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(1 / np.linalg.norm(np.linalg.inv(cell), axis=0))


def _away(fractions: npt.NDArray[np.float64], cavity: Any, axis: int, height_angstrom: float) -> npt.NDArray[np.bool_]:
    """Which atoms lie before or behind the largest cavity, as it is looked at; none where there is no cavity."""
    if cavity is None or cavity[3] <= 0:
        return np.zeros(len(fractions), bool)
    gap = fractions[:, axis] - float(cavity[axis])
    return np.asarray(np.abs(gap - gap.round()) * height_angstrom > float(cavity[3]))


def _chosen(only: Any, count: int) -> npt.NDArray[np.bool_]:
    chosen = np.ones(count, bool)
    if isinstance(only, Subgraph) and (atoms := [atom for atom in only.nodes if 0 <= atom < count]):
        chosen[:] = False
        chosen[atoms] = True
    return chosen


def _strengths(evidence: Any, count: int) -> npt.NDArray[np.float64] | None:
    """What each atom adds, summed over features; None where evidence is none of this crystal."""
    if isinstance(evidence, Graphs):
        evidence = evidence.nodes
    if evidence is None or np.shape(evidence)[:1] != (count,) or np.ndim(evidence) > 2:
        return None
    values = np.nan_to_num(np.asarray(evidence, np.float64))
    return values if values.ndim == 1 else values.sum(1)


def _colours(numbers: npt.NDArray[np.int_], strengths: npt.NDArray[np.float64] | None) -> list[Any]:
    if strengths is None or not np.abs(strengths).max(initial=0.0):
        return [METAL if IS_METAL[number] else "#c8c8c8" if number > 1 else "#ececec" for number in numbers]
    return list(evidence_colours()(0.5 + 0.5 * strengths / np.abs(strengths).max()))


def _draw_cavity(ax: Axes, cavity: Any, cell: npt.NDArray[np.float64], plane: npt.NDArray[np.float64]) -> None:
    from matplotlib.patches import Circle

    if cavity is None or cavity[3] <= 0:
        return
    x, y = np.asarray(cavity[:3], float) @ cell @ plane.T
    radius = float(cavity[3])
    ax.add_patch(Circle((x, y), radius, facecolor=CAVITY, alpha=0.15, edgecolor="none", zorder=1.5))
    ax.add_patch(Circle((x, y), radius, fill=False, edgecolor=CAVITY, linewidth=1.4, zorder=3.5))
    ax.text(x, y, f"{2 * radius:.1f} Å", fontsize=7, color=CAVITY, ha="center", va="center", zorder=4)


def _draw_atoms(
    ax: Axes,
    places: npt.NDArray[np.float64],
    numbers: npt.NDArray[np.int_],
    colours: list[Any],
    order: npt.NDArray[np.int_],
    chosen: npt.NDArray[np.bool_],
) -> None:
    from matplotlib.patches import Circle
    from matplotlib.patheffects import withStroke

    named: set[int] = set()
    for atom in order.tolist():
        number = int(numbers[atom])
        metal = bool(IS_METAL[number])
        disc = Circle(
            tuple(places[atom]),
            ATOM * RADII_ANGSTROM[number] * (1.5 if metal else 1.0),
            facecolor=colours[atom],
            edgecolor=METAL if metal else INK,
            linewidth=1.2 if metal else 0.3,
            alpha=1.0 if chosen[atom] else 0.25,
            zorder=3 if metal else 2,
        )
        ax.add_patch(disc)
        if metal and number not in named:
            named.add(number)
            x, y = places[atom]
            said = ax.text(x, y + 0.9, SYMBOLS[number - 1], fontsize=8, color=METAL, ha="center", va="bottom", zorder=5)
            said.set_path_effects([withStroke(linewidth=2, foreground="white")])


def _mark(
    ax: Axes, places: npt.NDArray[np.float64], numbers: npt.NDArray[np.int_], region: Subgraph, weight: float
) -> None:
    from matplotlib.patches import Circle

    colour, line = mark_style(weight)
    for atom in region.nodes:
        if 0 <= atom < len(places):
            radius = 0.35 + ATOM * RADII_ANGSTROM[numbers[atom]] * 1.5
            ax.add_patch(
                Circle(
                    tuple(places[atom]), radius, fill=False, edgecolor=colour, linestyle=line, linewidth=1.4, zorder=4
                )
            )
