"""A molecule's structural formula, with what its atoms and bonds add to an output, and places marked on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.data.graphs import Graphs
from pellucid.regions import Subgraph
from pellucid.views import INK, NEUTRAL, Marked, Shown, evidence_colours, mark_style, sized
from pellucid_molecules.views.structure import BOND, LETTER, Layout, draw_structure, laid_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.data import Graph

INCH = 0.3
"""Of a unit of the layout: a bond is 0.45 inch long, half as long again as in journals, as marks must fit beside atoms."""

LINE = 0.24
"""Inches that a line of text takes."""

SMALLEST, LARGEST = (1.9, 1.5), (7.5, 7.0)
"""Inches of a picture; what is larger is drawn smaller."""

HALO = 0.55
"""Radius of the disc behind an atom."""

SHADE = 0.7
"""Of the strongest colour: letters in ink on it still have a contrast of 5 to 1."""


def _size(values: Any, spec: Any, shown: Shown) -> tuple[float, float]:
    left, right, bottom, top = _limits(laid_out(values), shown)
    extra = LINE * (bool(shown.caption) + 1.6 * (shown.evidence is not None))
    width, height = (right - left) * INCH, (top - bottom) * INCH
    shrink = min(1.0, LARGEST[0] / max(width, 1e-6), LARGEST[1] / max(height, 1e-6))
    width, height = min(LARGEST[0], width * shrink), min(LARGEST[1], height * shrink)
    return max(SMALLEST[0], width), max(SMALLEST[1], height + extra)


@sized(_size)
def depiction(ax: Axes, values: Graphs, spec: Graph, shown: Shown) -> None:
    """Structural formula of a molecule, made from its graph: elements, charges, hydrogens and bonds, no stereo marks.

    Evidence is a disc behind each atom and a band behind each bond: orange and rimmed by a solid line where it raises the output, blue
    and rimmed by a broken one where it lowers it, the darker the stronger; a bar below says how strong. Marked places are rings around
    their atoms and bands along their bonds. A place alone is drawn with two bonds around it, these in grey.

    Parameters
    ----------
    ax : Axes
    values : Graphs
        One graph with the features of :mod:`~pellucid_molecules.featurising.codes`.
    spec : Graph
    shown : Shown
        Its evidence has shape ``(atom,)`` or ``(atom, feature)``, or is a ``Graphs`` like ``values`` whose numbers are what the features
        of each atom, and of both edges of each bond, add; evidence of another shape is left out.
    """
    ax.set_axis_off()
    layout = laid_out(values)
    below = 0.0
    if not len(layout.places):
        ax.text(0.5, 0.5, "no atoms", ha="center", va="center", fontsize=8, color=NEUTRAL, transform=ax.transAxes)
        ax.text(0.5, 0.99, shown.caption, ha="center", va="top", fontsize=8, color=INK, transform=ax.transAxes)
        return
    atoms, bonds = _strengths(shown.evidence, layout)
    high = _inches_high(ax)
    if atoms is not None:
        below = min(0.35, 1.6 * LINE / high)
    above = min(0.25, LINE / high) if shown.caption else 0.0
    inside = ax.inset_axes((0.0, below, 1.0, 1.0 - below - above))
    inside.set_axis_off()
    left, right, bottom, top = _limits(layout, shown)
    inside.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    points = _points(ax, (right - left, top - bottom), 1.0 - below - above)
    if atoms is not None:
        strongest = max(float(np.abs(atoms).max()), float(np.abs(list(bonds.values()) or [0.0]).max()))
        _draw_evidence(inside, layout, atoms, bonds, strongest, points)
        if strongest > 0:
            _draw_bar(ax, strongest, below)
    for marked in shown.regions:
        _mark(inside, layout, marked, points)
    faded: frozenset[int] = frozenset()
    if isinstance(shown.only, Subgraph) and _known(shown.only, layout):
        faded = frozenset(range(len(layout.places))) - set(_known(shown.only, layout))
    draw_structure(inside, layout, points, faded)
    if shown.caption:
        ax.text(0.5, 0.995, shown.caption, ha="center", va="top", fontsize=8, color=INK, transform=ax.transAxes)


def _limits(layout: Layout, shown: Shown) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of what is drawn."""
    if not len(layout.places):
        return 0.0, 1.0, 0.0, 1.0
    chosen = layout.places
    around = 2 * LETTER
    if isinstance(shown.only, Subgraph) and (atoms := _known(shown.only, layout)):
        chosen, around = layout.places[atoms], 2 * BOND
    low, high = chosen.min(0) - around, chosen.max(0) + around
    # Labels of marks stand above their atoms.
    room = 0.5 if any(marked.label for marked in shown.regions) else 0.0
    # Of a small molecule, letters would become larger than those of the page.
    spare = np.maximum(0.0, np.array(SMALLEST) / INCH - (high - low)) / 2
    low, high = low - spare, high + spare
    return float(low[0]), float(high[0]), float(low[1]), float(high[1]) + room


def _known(region: Subgraph, layout: Layout) -> list[int]:
    """The atoms of a place that this molecule has."""
    return [atom for atom in region.nodes if 0 <= atom < len(layout.places)]


def _strengths(evidence: Any, layout: Layout) -> tuple[npt.NDArray[np.float64] | None, dict[tuple[int, int], float]]:
    """What each atom adds and what each bond adds, summed over features; None where evidence is none of this molecule."""
    bonds: dict[tuple[int, int], float] = {}
    count = len(layout.places)
    if isinstance(evidence, Graphs):
        if evidence.edge_values is not None:
            for (begin, end), said in zip(evidence.edges.tolist(), evidence.edge_values.sum(1).tolist(), strict=True):
                pair = (min(begin, end), max(begin, end))
                bonds[pair] = bonds.get(pair, 0.0) + float(said)
        evidence = evidence.nodes
    if evidence is None or np.shape(evidence)[:1] != (count,) or np.ndim(evidence) > 2:
        return None, {}
    values = np.nan_to_num(np.asarray(evidence, np.float64))
    bonds = {pair: said for pair, said in bonds.items() if max(pair) < count and said}
    return (values if values.ndim == 1 else values.sum(1)), bonds


def _draw_evidence(
    ax: Axes,
    layout: Layout,
    atoms: npt.NDArray[np.float64],
    bonds: dict[tuple[int, int], float],
    strongest: float,
    points: float,
) -> None:
    from matplotlib.patches import Circle

    if strongest <= 0:
        return
    rim = max(0.5, 0.03 * points)
    for (begin, end), value in bonds.items():
        ends = layout.places[[begin, end]]
        shade = _shade(value / strongest)
        ax.plot(*ends.T, color=shade, linewidth=0.6 * points * HALO, solid_capstyle="butt", zorder=1)
    for (x, y), value in zip(layout.places, atoms, strict=True):
        if abs(value) < 0.02 * strongest:
            continue
        colour, line = mark_style(float(value))
        shade = _shade(value / strongest)
        ax.add_patch(Circle((x, y), HALO, facecolor=shade, edgecolor=colour, linestyle=line, linewidth=rim, zorder=1.5))


def _shade(share: float | npt.NDArray[np.float64]) -> Any:
    """The colour of what adds a share of the strongest, -1 to 1."""
    return evidence_colours()(0.5 + 0.5 * SHADE * np.asarray(share))


def _draw_bar(ax: Axes, strongest: float, below: float) -> None:
    """A bar of colours that says how much the darkest add, in units of the output."""
    bar = ax.inset_axes((0.2, below * 0.62, 0.6, below * 0.22))
    bar.imshow(_shade(np.linspace(-1, 1, 256))[None], aspect="auto", extent=(-1, 1, 0, 1))
    bar.set_yticks([])
    bar.set_xticks([-1, 0, 1], [f"{-strongest:.2g}", "0", f"+{strongest:.2g}"], fontsize=6.5)
    bar.tick_params(length=2, pad=1, colors=INK)
    for text, x, side in (("lowers ", -1, "right"), (" raises", 1, "left")):
        bar.text(x, 0.5, text, fontsize=6.5, ha=side, va="center", color=INK)
    for edge in bar.spines.values():
        edge.set(color=NEUTRAL, linewidth=0.5)


def _mark(ax: Axes, layout: Layout, marked: Marked, points: float) -> None:
    """Rings around the atoms of a place and lines beside its bonds; solid where it raises, broken where it lowers."""
    from matplotlib.patches import Circle

    if not isinstance(marked.region, Subgraph):
        return
    atoms = _known(marked.region, layout)
    colour, line = mark_style(marked.weight)
    width = max(0.8, 0.055 * points)
    for begin, end in marked.region.edges:
        if not (0 <= begin < len(layout.places) and 0 <= end < len(layout.places)) or begin == end:
            continue
        first, second = layout.places[[begin, end]]
        along = (second - first) / max(float(np.hypot(*(second - first))), 1e-6)
        across = 0.3 * np.array([-along[1], along[0]])
        for side in (across, -across):
            ends = np.stack([first + HALO * along * 0.85 + side, second - HALO * along * 0.85 + side])
            ax.plot(*ends.T, color=colour, linestyle=line, linewidth=width, zorder=2)
    for atom in atoms:
        ring = Circle(
            tuple(layout.places[atom]), HALO, fill=False, edgecolor=colour, linestyle=line, linewidth=width, zorder=2
        )
        ax.add_patch(ring)
    if marked.label and atoms:
        x, y = layout.places[max(atoms, key=lambda atom: layout.places[atom][1])]
        ax.text(x, y + HALO + 0.1, marked.label, fontsize=7, color=colour, ha="center", va="bottom", zorder=5)


def _inches_high(ax: Axes) -> float:
    figure: Any = ax.figure
    return max(0.1, float(ax.get_window_extent().height / figure.dpi))


def _points(ax: Axes, size: tuple[float, float], share: float) -> float:
    """How many points a unit takes, where a layout of a size fills an axis, or a share of its height."""
    extent, figure = ax.get_window_extent(), ax.figure
    scale = min(extent.width / size[0], extent.height * share / size[1])
    dpi: float = figure.dpi  # type: ignore[union-attr]
    return float(scale * 72 / dpi)
