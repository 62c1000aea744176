"""A pair of nodes and the known links of both, as a small bipartite graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.views.drawing import INK, NEUTRAL, mark_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.views.contract import Shown

LINES = 5
"""Known links of either node that are drawn, the strongest."""

LONGEST = 22
"""Letters of a name that fit beside a picture of the report's width."""


@dataclass(frozen=True)
class Neighbourhood:
    """A pair and the known links of its two nodes.

    Parameters
    ----------
    roles : (str, str)
    pair : (str, str)
        Names of the two nodes.
    links : tuple of (str, str, float)
        Names of the two ends of each known link, and by how much the output falls without it; NaN where that is not known.
    """

    roles: tuple[str, str]
    pair: tuple[str, str]
    links: tuple[tuple[str, str, float], ...]

    @classmethod
    def of(cls, values: np.ndarray, spec: Any, shown: Shown) -> Neighbourhood:
        """That of one sample of an input of kind ``nodes``, with what a model knows around it (``shown.network``)."""
        names = [spec.names[of] for of in spec.types[:2]]
        known = zip(shown.network.get("links", ()), shown.network.get("changes", ()), strict=True)
        return cls(
            tuple(spec.roles[:2]),
            (names[0][int(values[0])], names[1][int(values[1])]),
            tuple((names[0][int(a)], names[1][int(b)], float(change)) for (a, b), change in known),
        )

    def strongest(self, top: int = LINES) -> Neighbourhood:
        """With so many links of each node, those without which the output changes most."""
        order = sorted(self.links, key=lambda link: -abs(np.nan_to_num(link[2])))
        order = [link for link in order if link[:2] != self.pair]
        kept = [[link for link in order if link[at] == self.pair[at]][:top] for at in range(2)]
        return Neighbourhood(self.roles, self.pair, tuple(link for link in order if link in kept[0] or link in kept[1]))

    def side(self, at: int) -> list[tuple[str, float]]:
        """The nodes of one role that the other node of the pair is linked with, and what their links change."""
        mine, own = self.pair[1 - at], self.pair[at]
        ends = [((one, other)[at], (one, other)[1 - at], change) for one, other, change in self.links]
        return [(name, change) for name, of, change in ends if of == mine and name != own]

    def words(self) -> str:
        """The same in words, for who cannot see the picture."""
        told = "; ".join(
            f"{self.pair[1 - at]} with {', '.join(_said(*one) for one in self.side(at))}"
            for at in (1, 0)
            if self.side(at)
        )
        return f"{self.pair[0]} and {self.pair[1]}; known links that the output rests on: {told or 'none'}"


def neighbourhood(ax: Axes, values: np.ndarray, spec: Any, shown: Shown) -> None:
    """Draw a pair, the known links of both of its nodes, and by how much the output falls without each.

    Parameters
    ----------
    ax : Axes
    values : ndarray of int, shape (role,)
    spec : Nodes
        With two roles.
    shown : Shown
        ``network`` holds the known links; see :func:`pellucid.attribution.network.network_around`.
    """
    draw_neighbourhood(ax, Neighbourhood.of(values, spec, shown))
    ax.set_title(shown.caption, fontsize=8)


def rows_of(around: Neighbourhood, top: int = LINES) -> int:
    """How many names stand below each other on the longer side, the pair's own included."""
    few = around.strongest(top)
    return 1 + max(len(few.side(0)), len(few.side(1)))


def draw_neighbourhood(ax: Axes, around: Neighbourhood, top: int = LINES, longest: int = LONGEST) -> None:
    """Draw a pair (dotted line) over the known links of its two nodes: solid where they raise the output, broken where they lower it.

    Parameters
    ----------
    ax : Axes
    around : Neighbourhood
    top : int
        Links of each node that are drawn; how many more there are is said below.
    longest : int
        Letters of a name; longer ones are cut.
    """
    few = around.strongest(top)
    most = max((abs(np.nan_to_num(change)) for *_, change in few.links), default=0.0) or 1.0
    ax.plot([0, 1], [0, 0], color=INK, linestyle=":", linewidth=1.2)
    for at, align in ((0, "right"), (1, "left")):
        beside: dict[str, Any] = {
            "xytext": (6 if at else -6, 0),
            "textcoords": "offset points",
            "ha": align,
            "va": "center",
        }
        ax.annotate(around.roles[at], (at, 0.8), fontsize=7, color=NEUTRAL, **beside)
        ax.annotate(_cut(around.pair[at], longest), (at, 0), fontsize=8, fontweight="bold", **beside)
        ax.plot(at, 0, "o", color=INK, markersize=5)
        for row, (name, change) in enumerate(few.side(at), start=1):
            colour, line = mark_style(np.nan_to_num(change)) if np.nan_to_num(change) else (NEUTRAL, "-")
            width = 0.7 + 2.3 * abs(np.nan_to_num(change)) / most
            ax.plot([1 - at, at], [0, -row], color=colour, linestyle=line, linewidth=width, solid_capstyle="round")
            ax.plot(at, -row, "o", color="white", markeredgecolor=INK, markersize=4)
            ax.annotate(_said(_cut(name, longest), change), (at, -row), fontsize=7, color=INK, **beside)
    left = len(around.links) - len(few.links)
    told = f"and {left} known links that change less" if left else "" if around.links else "no known link of either"
    last = -rows_of(around, top)
    if told:
        ax.text(0.5, last, told, ha="center", va="center", fontsize=7, color=NEUTRAL)
    ax.set_xlim(-1.8, 2.8)
    ax.set_ylim(last - 0.4, 1.2)
    ax.axis("off")


def _said(name: str, change: float) -> str:
    return name if np.isnan(change) else f"{name}  {change:+.2g}"


def _cut(name: str, longest: int) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1].rstrip()}…"


def from_columns(roles: Sequence[str], pair: Sequence[str], links: dict[str, Any]) -> Neighbourhood:
    """From the columns of :func:`~pellucid.attribution.network.neighbour_attribution` as plain values."""
    one, other = roles
    return Neighbourhood(
        (one, other),
        (pair[0], pair[1]),
        tuple(zip(links.get(one, ()), links.get(other, ()), links["change"], strict=True)),
    )
