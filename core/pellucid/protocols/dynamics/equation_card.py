"""A card for each equation: how it is typeset, its coefficients with their range, and what each term adds in one sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.heads.equations.written import equation, latex
from pellucid.views import INK, LOWERS, NEUTRAL, RAISES
from pellucid.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 12
"""Terms of an equation that are drawn: those that are true or were kept first, then those that some members keep."""

ON_A_LINE = 90
"""Letters of a typeset equation, with the output's name and each term's coefficient, sign and spaces."""

BESIDE = 11
"""Letters of a coefficient with its sign and spaces."""

WIDE, EACH, AROUND, LINE = 6.6, 0.27, 0.62, 0.24
"""Inches: the picture, each term, the scales of a card, and each line of its typeset equation."""


def drawn(facts: Mapping[str, Any]) -> Figure:
    """One card an equation, below each other.

    Parameters
    ----------
    facts : mapping
        ``terms``, ``outputs``, and ``found``, ``low``, ``high``, ``inclusion`` of shape (output, term); ``true`` too, where it is known.
        Where ``sample`` names one and ``values``, shape (term,), has what its terms are worth, what each adds there is drawn as well.
    """
    from matplotlib.figure import Figure

    outputs = facts["outputs"]
    chosen = [_shown(facts, at) for at in range(len(outputs))]
    titles = [_typeset(facts, at) for at in range(len(outputs))]
    heights = [AROUND + EACH * len(terms) + LINE * len(title) for terms, title in zip(chosen, titles, strict=True)]
    figure = Figure(figsize=(WIDE, sum(heights)))
    top = whole = sum(heights)
    for at, (terms, title, height) in enumerate(zip(chosen, titles, heights, strict=True)):
        for line, text in enumerate(title):
            figure.text(0.02, (top - LINE * (line + 0.6)) / whole, text, fontsize=10, va="center", color=INK)
        bottom, tall = (top - height + 0.42) / whole, EACH * len(terms) / whole
        # An equation without terms is its title.
        if len(terms):
            wide = 0.36 if "sample" in facts else 0.72
            _coefficients(figure.add_axes((0.16, bottom, wide, tall)), facts, at, terms)
        if len(terms) and "sample" in facts:
            _adds(figure.add_axes((0.62, bottom, 0.3, tall)), facts, at, terms)
        top -= height
    return figure


def _coefficients(panel: Axes, facts: Mapping[str, Any], at: int, terms: np.ndarray) -> None:
    place = np.arange(len(terms))[::-1]
    low, high, found = (facts[name][at][terms] for name in ("low", "high", "found"))
    panel.hlines(place, low, high, color="0.6", lw=2)
    panel.plot(found, place, "o", ms=4, color="C0")
    if "true" in facts:
        panel.plot(facts["true"][at][terms], place, "o", ms=9, mfc="none", color="C1")
    panel.axvline(0, color="0.8", lw=0.8, zorder=0)
    panel.margins(x=0.12)
    for where, sure in zip(place, facts["inclusion"][at][terms], strict=True):
        panel.annotate(
            f"{sure:.2f}", (1.0, where), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
            ha="left", va="center", fontsize=7, color="0.4",
        )  # fmt: skip
    _plain(panel, place, "coefficient")
    panel.set_yticks(place, [facts["terms"][term] for term in terms])


def _adds(panel: Axes, facts: Mapping[str, Any], at: int, terms: np.ndarray) -> None:
    """What a term is worth in the sample, times its coefficient; to the right where it raises the output."""
    place = np.arange(len(terms))[::-1]
    adds = facts["found"][at][terms] * np.asarray(facts["values"], float)[terms]
    panel.barh(place, adds, height=0.6, color=[RAISES if one > 0 else LOWERS for one in adds])
    panel.axvline(0, color=INK, lw=0.8)
    for where, one in zip(place, adds, strict=True):
        panel.annotate(
            f"{number(one, 3)}" if one else "0", (1.0, where), xycoords=("axes fraction", "data"), xytext=(4, 0),
            textcoords="offset points", ha="left", va="center", fontsize=7, color=INK if one else NEUTRAL,
        )  # fmt: skip
    total = float(facts["found"][at] @ np.nan_to_num(np.asarray(facts["values"], float)))
    _plain(panel, place, f"adds in {facts['sample']}; together {number(total, 3)}")
    panel.set_yticks([])


def _plain(panel: Axes, place: np.ndarray, label: str) -> None:
    panel.set_ylim(-0.7, len(place) - 0.3)
    panel.set_xlabel(label, fontsize=7.5, labelpad=1.5)
    panel.tick_params(labelsize=7.5)
    for side in ("right", "top"):
        panel.spines[side].set_visible(False)


def _typeset(facts: Mapping[str, Any], at: int) -> list[str]:
    """The equation in lines of a few terms, for matplotlib to set; in plain letters where it cannot set a name."""
    names, found, output = facts["terms"], np.asarray(facts["found"][at], float), facts["outputs"][at]
    kept = np.flatnonzero(found)
    parts, letters = [list[int]()], len(output) + 3
    for term in kept:
        own = BESIDE + len(names[term])
        if parts[-1] and letters + own > ON_A_LINE:
            parts.append([])
            letters = 0
        parts[-1].append(int(term))
        letters += own
    sums = [([names[term] for term in part], [float(found[term]) for term in part]) for part in parts]
    for written, sign, quoted in ((latex, r"\quad ", "$"), (_plainly, "    ", "")):
        whole = [written(output, *one) for one in sums]
        more = [one.partition(" = ")[2] for one in whole[1:]]
        lines = [whole[0], *(sign + (one if one.startswith("-") else f"+ {one}") for one in more)]
        if not quoted or all(map(_can_be_set, lines)):
            return [f"{quoted}{line}{quoted}" for line in lines]
    return []


def _plainly(output: str, terms: Sequence[str], coefficients: Sequence[float]) -> str:
    return equation(output, "", terms, coefficients).replace("$", r"\$")


def _can_be_set(line: str) -> bool:
    from matplotlib.mathtext import MathTextParser

    try:
        MathTextParser("path").parse(f"${line}$")
    except ValueError:
        return False
    return True


def _shown(facts: Mapping[str, Any], at: int) -> np.ndarray:
    """Positions of the terms of one equation that are drawn, at least one where there are any."""
    surely = facts["found"][at] != 0
    if "true" in facts:
        surely = surely | (facts["true"][at] != 0)
    order = np.lexsort((-facts["inclusion"][at], ~surely))
    count = int((surely | (facts["inclusion"][at] > 0)).sum())
    return np.sort(order[: max(1, min(count, MOST))])
