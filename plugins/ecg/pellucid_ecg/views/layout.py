"""Where each lead stands on the paper: millimetres and seconds, before anything is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pellucid.regions import TimeSpan

if TYPE_CHECKING:
    from pellucid.data import Signal

MM_PER_S = 25.0
PAGE_S = 10.0
"""Seconds across a page."""

COLUMNS = (("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6"))
"""The twelve leads as they are printed, column by column."""

RHYTHM = "II"
LEFT_MM, RIGHT_MM = 10.0, 3.0
"""Margins; the calibration pulse stands in the left one."""

GAP_MM = 5.0
"""Between the columns of a strip."""

AROUND_S = 0.2
"""What is drawn on each side of a place that is drawn alone."""

STRIP_MM = 120.0
"""Width that the columns of a strip may take: two strips then stand side by side on a page."""

UP_MM, DOWN_MM = (10.0, 40.0), (5.0, 30.0)
"""Least and most room of a trace above and below its zero line."""

SHORTEST_S = 5.0
"""A shorter record is not divided into four columns."""

MOST_ROWS = 12
LONGEST_RHYTHM = 3
"""Rows of the rhythm strip at most."""

LANE_MM = 3.5
"""Height of a bar under the rhythm strip."""


@dataclass(frozen=True)
class Strip:
    """One lead over one stretch of time.

    Parameters
    ----------
    lead : str
        As it is printed.
    row : int
        Of the values.
    start_s, stop_s : float
    left_mm, base_mm : float
        Where ``start_s`` and zero are.
    up_mm, down_mm : float
        Room above and below zero.
    lanes : float
        Millimetres below the strip that are kept free for bars; above 0 for a rhythm strip.
    """

    lead: str
    row: int
    start_s: float
    stop_s: float
    left_mm: float
    base_mm: float
    up_mm: float
    down_mm: float
    lanes_mm: float = 0.0

    def x_mm(self, seconds: float) -> float:
        """Where a moment is."""
        return self.left_mm + MM_PER_S * (seconds - self.start_s)

    @property
    def right_mm(self) -> float:
        """Where it ends."""
        return self.x_mm(self.stop_s)

    @property
    def low_mm(self) -> float:
        """Its lower edge."""
        return self.base_mm - self.down_mm

    @property
    def high_mm(self) -> float:
        """Its upper edge."""
        return self.base_mm + self.up_mm

    def shows(self, span: TimeSpan) -> bool:
        """Whether a moment of a time span is in it, whatever the lead."""
        return span.start_s < self.stop_s and span.stop_s > self.start_s


@dataclass(frozen=True)
class Paper:
    """A sheet: its strips, and how large its grid is. Zero lines and edges lie on the grid's strong lines."""

    width_mm: float
    height_mm: float
    strips: tuple[Strip, ...]

    @property
    def rhythm(self) -> tuple[Strip, ...]:
        """The strips with room for bars."""
        return tuple(strip for strip in self.strips if strip.lanes_mm > 0)


def laid_out(
    values: np.ndarray, spec: Signal, gain: float, only: TimeSpan | None, marked: Sequence[TimeSpan], lanes: int
) -> Paper:
    """Choose a sheet: the page of twelve leads, full-width strips, or one place alone.

    Parameters
    ----------
    values : ndarray, shape (lead, time)
    spec : Signal
    gain : float
        Millimetres a unit.
    only : TimeSpan, optional
        The place that is drawn alone.
    marked : sequence of TimeSpan
        Of a record of more than ten seconds, the page shows those around the first of them.
    lanes : int
        Rows of bars under a rhythm strip.
    """
    rows = _rows(spec)
    twelve = all(lead in rows for column in COLUMNS for lead in column)
    duration = spec.length / spec.rate_hz
    if only is not None:
        start, stop = max(0.0, only.start_s - AROUND_S), min(duration, only.stop_s + AROUND_S)
        leads = [lead for lead, row in rows.items() if spec.channels[row] in only.channels] or list(rows)
        # A place nearly as long as the page is read on the page.
        if stop > start and not (twelve and len(leads) > 3 and stop - start > SHORTEST_S):
            return _alone(values, spec, gain, [(lead, rows[lead]) for lead in leads], start, stop)
    if twelve and duration >= SHORTEST_S:
        return _page(values, spec, gain, rows, marked or ((only,) if only else ()), lanes)
    return _full_width(values, spec, gain, list(rows.items()))


def _rows(spec: Signal) -> dict[str, int]:
    """Row of each lead by the name it is printed under."""
    known = {lead.casefold(): lead for column in COLUMNS for lead in column}
    found = {known.get(name.casefold(), name): row for row, name in enumerate(spec.channels)}
    standard = [lead for column in COLUMNS for lead in column if lead in found]
    return {lead: found[lead] for lead in [*standard, *(lead for lead in found if lead not in standard)]}


def _page(
    values: np.ndarray, spec: Signal, gain: float, rows: dict[str, int], marked: Sequence[TimeSpan], lanes: int
) -> Paper:
    whole = spec.length / spec.rate_hz
    shown = min(whole, PAGE_S)
    quarter = shown / len(COLUMNS)
    begin = _begin(marked, whole, shown)
    first = 0.0 if whole <= LONGEST_RHYTHM * PAGE_S else begin
    count = min(LONGEST_RHYTHM, math.ceil(round((whole - first) / PAGE_S, 6)))
    lanes_mm = _up5(LANE_MM * max(lanes, 1) + 1)
    strips: list[Strip] = []
    y = 5.0
    for at in reversed(range(count)):
        start, stop = first + at * PAGE_S, min(whole, first + (at + 1) * PAGE_S)
        row = rows[RHYTHM]
        up, down = _room(_part(values[row], spec, start, stop), gain)
        y += lanes_mm
        strips.insert(0, Strip(RHYTHM, row, start, stop, LEFT_MM, y + down, up, down, lanes_mm))
        y += up + down
    for line in reversed(range(3)):
        leads = [column[line] for column in COLUMNS]
        starts = [begin + at * quarter for at in range(len(COLUMNS))]
        parts = [_part(values[rows[lead]], spec, s, s + quarter) for lead, s in zip(leads, starts, strict=True)]
        up, down = _room(np.concatenate(parts), gain)
        strips[0:0] = [
            Strip(lead, rows[lead], s, s + quarter, LEFT_MM + MM_PER_S * at * quarter, y + down, up, down)
            for at, (lead, s) in enumerate(zip(leads, starts, strict=True))
        ]
        y += up + down
    return Paper(LEFT_MM + MM_PER_S * shown + RIGHT_MM, y, tuple(strips))


def _begin(marked: Sequence[TimeSpan], whole: float, shown: float) -> float:
    """Where a page of a longer record begins: at 0, or so that the first marked place is in its middle."""
    if not marked or marked[0].start_s < shown:
        return 0.0
    wanted = (marked[0].start_s + marked[0].stop_s - shown) / 2
    return min(max(0.0, math.floor(wanted)), whole - shown)


def _full_width(values: np.ndarray, spec: Signal, gain: float, leads: list[tuple[str, int]]) -> Paper:
    whole = spec.length / spec.rate_hz
    pieces = math.ceil(round(whole / PAGE_S, 6))
    cut = [(at * PAGE_S, min(whole, (at + 1) * PAGE_S)) for at in range(pieces)]
    lines = [(lead, row, start, stop) for start, stop in cut for lead, row in leads]
    return _stacked(values, spec, gain, [[line] for line in lines[: max(MOST_ROWS, len(leads))]])


def _alone(
    values: np.ndarray, spec: Signal, gain: float, leads: list[tuple[str, int]], start: float, stop: float
) -> Paper:
    wide = _up5(MM_PER_S * (stop - start)) + GAP_MM
    columns = max(1, min(len(COLUMNS), int((STRIP_MM + GAP_MM) // wide), math.ceil(len(leads) / 3)))
    lines = math.ceil(len(leads) / columns)
    grid = [[(*one, start, stop) for one in leads[line::lines]] for line in range(lines)]
    return _stacked(values, spec, gain, grid)


def _stacked(values: np.ndarray, spec: Signal, gain: float, lines: list[list[tuple[str, int, float, float]]]) -> Paper:
    """Lines of strips below each other; strips of a line share their room."""
    strips: list[Strip] = []
    y, right = 5.0, 0.0
    for line in reversed(lines):
        up, down = _room(np.concatenate([_part(values[row], spec, start, stop) for _, row, start, stop in line]), gain)
        x = LEFT_MM
        placed = []
        for lead, row, start, stop in line:
            placed.append(Strip(lead, row, start, stop, x, y + down, up, down))
            right = max(right, placed[-1].right_mm)
            x += _up5(MM_PER_S * (stop - start)) + GAP_MM
        strips[0:0] = placed
        y += up + down
    return Paper(right + RIGHT_MM, y, tuple(strips))


def _part(trace: np.ndarray, spec: Signal, start: float, stop: float) -> np.ndarray:
    return trace[max(0, math.floor(start * spec.rate_hz)) : math.ceil(stop * spec.rate_hz)]


def _room(trace: np.ndarray, gain: float) -> tuple[float, float]:
    known = trace[np.isfinite(trace)] * gain
    high, low = (float(known.max()), float(known.min())) if len(known) else (0.0, 0.0)
    return float(np.clip(_up5(high + 1), *UP_MM)), float(np.clip(_up5(1 - low), *DOWN_MM))


def _up5(length_mm: float) -> float:
    """The next strong line of the grid."""
    return 5.0 * math.ceil(round(length_mm / 5, 6))
