"""Contributions as bars: from what is said of a sample that nothing is known of, over what each unit adds, to the output."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pellucid.unit_names import measured, readable
from pellucid.views.drawing import INK, LOWERS, NEUTRAL, RAISES

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class ContributionBars:
    """What one case's bars show: names, what each unit was, what it added, and what stays.

    ``in_words`` is the output as people say it (``"83 %"``), where it is a logarithm.
    """

    labels: tuple[str, ...]
    contributions: np.ndarray
    baseline: float
    output: float
    gap: float
    target: str
    in_words: str = ""

    def strongest(self, top: int) -> ContributionBars:
        """The strongest first; where there are more than ``top``, or several that add nothing, these as one bar: nothing is left out."""
        order = np.argsort(-np.abs(self.contributions), kind="stable")
        top = max(1, min(top, int((self.contributions != 0).sum())))
        kept, others = order[:top], order[top:]
        if len(others) < 2:
            kept, others = order, order[:0]
        labels, parts = [self.labels[i] for i in kept], self.contributions[kept]
        if len(others):
            adds = (self.contributions[others] != 0).any()
            labels.append(f"{len(others)} weaker ones together" if adds else f"{len(others)} that add nothing")
            parts = np.append(parts, self.contributions[others].sum())
        return replace(self, labels=tuple(labels), contributions=parts)

    def words(self) -> str:
        """The same in words, for who cannot see the bars."""
        told = "; ".join(f"{name} {part:+.2f}" for name, part in zip(self.labels, self.contributions, strict=True))
        return f"Starting point {self.baseline:+.2f}; {told}; gap {self.gap:+.2g}; output {self.output:+.2f}."


def draw_bars(ax: Axes, bars: ContributionBars) -> Axes:
    """Bars from the starting point at the top to the output at the bottom; figures stand at their ends."""
    output = f"output ({bars.in_words})" if bars.in_words else "output"
    # A value stays on one line with its sign of equality.
    labels = [
        textwrap.fill(one.replace(" = ", " =\u00a0"), 30)
        for one in ("starting point", *bars.labels, "gap (unexplained)", output)
    ]
    lengths = np.array([bars.baseline, *bars.contributions, bars.gap, bars.output])
    rows = np.arange(len(labels))
    colours = [NEUTRAL, *(RAISES if part > 0 else LOWERS for part in bars.contributions), "white", INK]
    ax.barh(rows, lengths, color=colours, height=0.72)
    ax.patches[len(labels) - 2].set(hatch="////", edgecolor=INK, linewidth=0.8)
    span = max(float(np.abs(lengths).max()), 1e-9)
    for row, length in enumerate(lengths):
        text = f"{length:+.2f}" if abs(length) >= 0.005 else "0" if length == 0 else f"{length:+.0e}"
        ax.text(
            length + np.copysign(0.02 * span, length),
            row,
            text,
            va="center",
            ha="left" if length >= 0 else "right",
            fontsize=8,
        )
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.axhline(0.5, color="#c9cdd2", linewidth=0.8)
    ax.axhline(len(labels) - 1.5, color="#c9cdd2", linewidth=0.8)
    low, high = min(0.0, float(lengths.min())), max(0.0, float(lengths.max()))
    # Room for the figures at the ends of the bars.
    room = 0.24 * max(high - low, span)
    ax.set_xlim(low - (room if low < 0 else 0), high + (room if high > 0 else 0))
    ax.set_yticks(rows, labels, linespacing=0.95)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(f"← lowers   “{bars.target}”   raises →")
    return ax


def labelled(names: Iterable[str], values: Iterable[float]) -> tuple[str, ...]:
    """What stands beside each bar: the unit's name for people and what it was, where that is known.

    Examples
    --------
    >>> labelled(["covariates:n_readers", "ratings:margin"], [3.0, float("nan")])
    ('number of readers = 3', 'margin · ratings')
    """
    return tuple(
        readable(name) if np.isnan(value) else " = ".join(measured(name, value))
        for name, value in zip(names, values, strict=True)
    )
