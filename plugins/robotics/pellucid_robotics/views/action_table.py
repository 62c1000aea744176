"""Actions and states as a table: a row a slot, with its unit, in groups; what a robot does not have is said to be absent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pellucid.data.spec import Trajectory, Vector
from pellucid.views import INK, LOWERS, NEUTRAL, RAISES, Shown, sized
from pellucid.wording import number
from pellucid_robotics.actions.slots import NAMES, SLOTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Spec = Vector | Trajectory

LINE, MOST, STEPS = 0.19, 24, 6
"""Inches of a line; lines of numbers, and moments of a trajectory, that are drawn. The rest is counted."""


def _size(values: np.ndarray, spec: Spec, shown: Shown) -> tuple[float, float]:
    groups = {_group(name) for name in _names(spec)[:MOST]}
    return (3.4 if values.ndim == 1 else 5.2), 0.45 + LINE * (min(MOST, len(_names(spec))) + len(groups) + 1)


@sized(_size)
def action_table(ax: Axes, values: np.ndarray, spec: Spec, shown: Shown) -> None:
    """Write numbers with names and units, one line a slot, in the groups of the unified space.

    Parameters
    ----------
    ax : Axes
    values : ndarray, shape (name,) or (name, step)
        Of a trajectory up to six moments are written, evenly spread.
    spec : Vector or Trajectory
        Names that are no slots stand in a group of their own. Where an input ``mask`` goes along, slots that it leaves out read "absent".
    shown : Shown
        Evidence colours a line: orange raises the explained output, blue lowers it.
    """
    names = _names(spec)[:MOST]
    units = spec.units if isinstance(spec.units, tuple) else (spec.units,) * len(_names(spec))
    table = values[:, None] if values.ndim == 1 else values
    steps = np.unique(np.linspace(0, table.shape[1] - 1, min(STEPS, table.shape[1])).round().astype(int))
    absent = _absent(names, shown)
    weight = None if shown.evidence is None else np.nan_to_num(shown.evidence).reshape(len(table), -1).sum(1)
    strongest = 0.0 if weight is None else float(np.abs(weight[: len(names)]).max(initial=0))
    ax.set_axis_off()
    more = len(_names(spec)) - len(names)
    ax.set_title(shown.caption + (f" ({more} more)" if more else ""), fontsize=8)
    groups = list(dict.fromkeys(_group(name) for name in names))
    lines = len(names) + len(groups) + 1
    columns = np.linspace(0.62, 0.98, len(steps)) if len(steps) > 1 else np.array([0.88])

    def write(line: float, x: float, text: str, **style: object) -> None:
        ax.text(x, 1 - (line + 0.5) / lines, text, fontsize=7, va="center", transform=ax.transAxes, **style)  # type: ignore[arg-type]

    if isinstance(spec, Trajectory):
        for x, step in zip(columns, steps, strict=True):
            write(0, x, f"{step * spec.dt_s:.3g} s", ha="right", color=NEUTRAL)
    line = 1
    for group in groups:
        write(line, 0.0, group, fontweight="bold", color=INK)
        line += 1
        for at, name in enumerate(names):
            if _group(name) != group:
                continue
            colour = INK
            if weight is not None and strongest > 0 and weight[at]:
                colour = RAISES if weight[at] > 0 else LOWERS
            write(line, 0.02, _short(name), color=colour)
            write(line, 0.52, "" if units[at] == "1" else units[at], color=NEUTRAL, ha="right")
            if absent[at]:
                write(line, float(columns[-1]), "absent", ha="right", color=NEUTRAL, style="italic")
            else:
                for x, value in zip(columns, table[at, steps], strict=True):
                    said = number(float(value)) if np.isfinite(value) else "not known"
                    write(line, float(x), said, ha="right", color=colour)
            line += 1


def _names(spec: Spec) -> tuple[str, ...]:
    return spec.names


def _group(name: str) -> str:
    return (SLOTS[NAMES.index(name)].group or "reserved") if name in NAMES else "other numbers"


def _short(name: str) -> str:
    """Without the side, which the group says."""
    if name not in NAMES:
        return name
    return name.replace("right_", "").replace("left_", "").replace("_", " ")


def _absent(names: tuple[str, ...], shown: Shown) -> np.ndarray:
    """Which slots the mask that goes along leaves out; it lists the same names first, or nothing is known."""
    mask = shown.beside.get("mask")
    if mask is None or np.ndim(mask) != 1 or len(mask) < len(names):
        return np.zeros(len(names), bool)
    return np.asarray(mask[: len(names)] < 0.5)
