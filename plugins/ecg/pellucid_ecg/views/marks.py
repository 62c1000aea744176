"""Places that a model goes by, on the paper: boxes on the leads concerned, bars under the rhythm strip, dense shading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.regions import TimeSpan
from pellucid.views import LOWERS, RAISES, Marked, mark_style
from pellucid_ecg.views.layout import LANE_MM, Paper, Strip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import PathPatch

    from pellucid.data import Signal

LETTER_MM = 1.35
"""Width of a letter of a bar's label."""

FINEST = 40
"""Pieces into which a strip's shading is divided at most."""

HATCH_MM = 2.0
"""Between the lines that hatch what lowers the output: colour is not the only sign."""


WHOLE = 0.9
"""Share of a recording from which a place on all leads counts as the whole of it."""


@dataclass(frozen=True)
class Mark:
    """A marked place that is a time span."""

    span: TimeSpan
    marked: Marked

    def leads(self, spec: Signal) -> list[str]:
        """Its leads, of those that there are."""
        return [name for name in spec.channels if name in self.span.channels]

    def whole(self, spec: Signal) -> bool:
        """Whether it is (nearly) all of the recording: a bar says so, and nothing is laid over every lead."""
        return len(self.leads(spec)) == len(spec.channels) and (
            self.span.stop_s - self.span.start_s >= WHOLE * spec.length / spec.rate_hz
        )

    def said(self, spec: Signal) -> str:
        """What stands beside its bar: its label and its leads."""
        if self.whole(spec):
            return f"{self.marked.label} whole recording".strip()
        leads = self.leads(spec)
        whose = "all leads" if len(leads) == len(spec.channels) > 1 else " ".join(leads)
        return f"{self.marked.label} {whose}".strip()


def marks_of(regions: Sequence[Marked]) -> tuple[Mark, ...]:
    """Those regions that are time spans."""
    return tuple(Mark(one.region, one) for one in regions if isinstance(one.region, TimeSpan))


def draw_marks(ax: Axes, paper: Paper, spec: Signal, marks: Sequence[Mark]) -> None:
    """A box around each marked span, on each of its leads that is printed at that time."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    for at, mark in enumerate(marks):
        colour, line = mark_style(mark.marked.weight)
        labelled = False
        if mark.whole(spec):
            continue
        for strip in printed(mark, paper, spec):
            left, right = _ends(mark, strip)
            box = Rectangle((left, strip.low_mm), right - left, strip.up_mm + strip.down_mm, zorder=1)
            share = 0.14 if mark.marked.weight else 0.0
            box.set(facecolor=to_rgba(colour, share), edgecolor=colour, linestyle=line, linewidth=1.1)
            box.set_gid(f"mark {strip.lead}")
            ax.add_patch(box)
            if mark.marked.weight < 0:
                ax.add_patch(_hatched((left, strip.low_mm), right - left, strip.up_mm + strip.down_mm, 0.35))
            if mark.marked.label and not labelled:
                x, alignment = (left + 0.5, "left") if left < strip.right_mm - 15 else (right - 0.5, "right")
                ax.text(
                    x, strip.low_mm + 2.6 + 2.6 * (at % 3), mark.marked.label, fontsize=7, weight="bold", color=colour, ha=alignment,
                    zorder=4, path_effects=_halo(),
                )  # fmt: skip
                labelled = True


def draw_bars(ax: Axes, paper: Paper, spec: Signal, marks: Sequence[Mark]) -> None:
    """A bar for each marked span under the rhythm strip, whichever leads it lies on: there all of the time is shown."""
    from matplotlib.patches import Rectangle

    for strip in paper.rhythm:
        for mark, lane, text_left in _lanes(marks, strip, spec):
            colour, line = mark_style(mark.marked.weight)
            left, right = _ends(mark, strip)
            y = strip.low_mm - 1 - LANE_MM * lane
            filled = colour if mark.marked.weight > 0 else "white"
            bar = Rectangle((left, y - 1.4), right - left, 1.4, facecolor=filled, edgecolor=colour, zorder=2)
            bar.set(linestyle=line, linewidth=1.0)
            bar.set_gid("bar")
            ax.add_patch(bar)
            if mark.marked.weight < 0:
                ax.add_patch(_hatched((left, y - 1.4), right - left, 1.4, 1.0))
            ax.text(
                text_left, y - 0.75, mark.said(spec), fontsize=6.5, color=colour, va="center", zorder=4,
                path_effects=_halo(), bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.3},
            )  # fmt: skip


def lanes_of(marks: Sequence[Mark], strip: Strip, spec: Signal) -> int:
    """Rows of bars that a rhythm strip needs, so that no label lies over another's bar."""
    return 1 + max((lane for _, lane, _ in _lanes(marks, strip, spec)), default=0)


def _lanes(marks: Sequence[Mark], strip: Strip, spec: Signal) -> list[tuple[Mark, int, float]]:
    """Each mark in the strip, its row of bars, and where its label begins: behind its bar, or before it at the edge."""
    taken: list[list[tuple[float, float]]] = []
    found = []
    for mark in marks:
        if not strip.shows(mark.span):
            continue
        left, right = _ends(mark, strip)
        wide = LETTER_MM * len(mark.said(spec)) + 1
        text = right + 1 if right + wide <= strip.right_mm else max(strip.left_mm, left - wide)
        over = (min(left, text), max(right, text + wide))
        lane = next((at for at, row in enumerate(taken) if all(over[1] < a or b < over[0] for a, b in row)), len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append(over)
        found.append((mark, lane, text))
    return found


def draw_evidence(ax: Axes, paper: Paper, spec: Signal, evidence: np.ndarray) -> None:
    """Shade what each stretch of each lead adds; under the rhythm strip, what the lead that says most there adds."""
    top = float(np.nanmax(np.abs(evidence))) if evidence.size else 0.0
    if not top > 0:
        return
    loudest = np.take_along_axis(evidence, np.abs(evidence).argmax(0)[None], 0)[0]
    for strip in paper.strips:
        _shade(ax, strip, spec, evidence[strip.row] / top, strip.low_mm, strip.up_mm + strip.down_mm)
        if strip.lanes_mm:
            _shade(ax, strip, spec, loudest / top, strip.low_mm - strip.lanes_mm + 0.5, 1.5)


def _shade(ax: Axes, strip: Strip, spec: Signal, weights: np.ndarray, low: float, height: float) -> None:
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    first, last = round(strip.start_s * spec.rate_hz), round(strip.stop_s * spec.rate_hz)
    part = weights[first:last]
    for start, stop in _runs(part):
        weight = float(part[start:stop].mean())
        if abs(weight) < 0.04:
            continue
        left = strip.x_mm((first + start) / spec.rate_hz)
        wide = 25.0 * (stop - start) / spec.rate_hz
        colour = to_rgba(RAISES if weight > 0 else LOWERS, 0.5 * abs(weight))
        ax.add_patch(Rectangle((left, low), wide, height, facecolor=colour, edgecolor="none", zorder=0.5))
        if weight < 0:
            ax.add_patch(_hatched((left, low), wide, height, 0.6 * abs(weight)))


def _runs(weights: np.ndarray) -> list[tuple[int, int]]:
    """Stretches of equal weight; where these are very many, pieces of equal length."""
    edges = [0, *(1 + np.flatnonzero(np.diff(weights))).tolist(), len(weights)]
    if len(edges) - 1 > FINEST:
        edges = np.unique(np.linspace(0, len(weights), FINEST + 1).round().astype(int)).tolist()
    return list(pairwise(edges))


def printed(mark: Mark, paper: Paper, spec: Signal) -> list[Strip]:
    """The strips of its leads that show something of a mark's time; a rhythm strip where its own lead is marked."""
    return [s for s in paper.strips if spec.channels[s.row] in mark.span.channels and s.shows(mark.span)]


def legend(marks: Sequence[Mark], evidence: np.ndarray | None) -> list[str]:
    """What the colours mean, if there are any."""
    signs = {bool(mark.marked.weight > 0) for mark in marks if mark.marked.weight}
    if evidence is not None and np.any(evidence):
        signs |= {bool(sign) for sign in (evidence[evidence != 0] > 0)}
    told = {True: "orange, solid: raises the output", False: "blue, broken and hatched: lowers it"}
    said = "; ".join(told[sign] for sign in (True, False) if sign in signs)
    return [f"{said[0].upper()}{said[1:]}."] if said else []


def not_printed(marks: Sequence[Mark], paper: Paper, spec: Signal) -> list[str]:
    """Of marks that stand on no lead of their own: where they are."""
    absent = [mark for mark in marks if not printed(mark, paper, spec)]
    barred = [mark for mark in absent if any(strip.shows(mark.span) for strip in paper.rhythm)]
    told = []
    for some, how in (
        (barred, "Their leads are not printed at that time; only a bar under the rhythm strip shows"),
        ([mark for mark in absent if mark not in barred], "Outside of what is printed"),
    ):
        if some:
            listed = ", ".join(f"{m.said(spec)} from {m.span.start_s:.3g} s to {m.span.stop_s:.3g} s" for m in some)
            told.append(f"{how}: {listed}.")
    return told


def _ends(mark: Mark, strip: Strip) -> tuple[float, float]:
    return strip.x_mm(max(mark.span.start_s, strip.start_s)), strip.x_mm(min(mark.span.stop_s, strip.stop_s))


def _hatched(corner: tuple[float, float], width: float, height: float, share: float) -> PathPatch:
    """Lines that slope through a rectangle, 2 mm apart on the sheet, whatever the size of the figure."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    (x, y), ends = corner, []
    for at in np.arange(HATCH_MM, width + height, HATCH_MM):
        # From the left or upper edge down to the lower or right one.
        ends += [(x + max(0.0, at - height), y + min(height, at)), (x + min(width, at), y + max(0.0, at - width))]
    lines = Path(ends or [(x, y)] * 2, [Path.MOVETO, Path.LINETO] * max(1, len(ends) // 2))
    return PathPatch(lines, fill=False, edgecolor=to_rgba(LOWERS, share), linewidth=0.6, zorder=1)


def _halo() -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.0, foreground="white")]
