"""Tables of a BIDS tree: events, channels, participants."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pellucid.errors import DataError
from pellucid.loading.csv_tables import CsvTable, number, read_csv
from pellucid_eeg.recordings.recording import event_table
from pellucid_eeg.recordings.units import microvolts_per

__all__ = ["NOTHING", "Channels", "participants", "read_channels", "read_events"]

NOTHING = ("n/a", "")
"""What stands in a cell of which nothing is known."""


@dataclass(frozen=True)
class Channels:
    """What ``channels.tsv`` says.

    Parameters
    ----------
    bad : tuple of str
        Names of channels whose status is ``bad``.
    unit : str
        Of all voltages, where they have one; empty where nothing is said.
    """

    bad: tuple[str, ...] = ()
    unit: str = ""


def read_events(path: Path, column: str) -> pd.DataFrame:
    """Read ``events.tsv``; a duration that is not known counts as 0.

    Parameters
    ----------
    path : Path
    column : str
        What an event is called: ``trial_type``, or another.

    Raises
    ------
    DataError
        Names file, line and column of what is no time.
    """
    table = _table(path, ("onset", "duration", column))
    onsets, durations = [], []
    for row in range(len(table)):
        onset = number(table["onset"][row])
        lasts = 0.0 if table["duration"][row] in NOTHING else number(table["duration"][row])
        for name, value in (("onset", onset), ("duration", lasts)):
            if not math.isfinite(value) or (name == "duration" and value < 0):
                raise DataError(f"{_where(table, row, name)}: is no time in seconds; mend it, or take the event out")
        onsets.append(onset)
        durations.append(lasts)
    return event_table(onsets, durations, list(table[column]))


def read_channels(path: Path) -> Channels:
    """Read ``channels.tsv``: which channels are bad, and in what unit they are.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If electrodes have different voltages, or a unit that is none.
    """
    table = _table(path, ("name",))
    bad = tuple(
        name for row, name in enumerate(table["name"]) if table.has("status") and table["status"][row].lower() == "bad"
    )
    if not table.has("units"):
        return Channels(bad)
    rows = [row for row in range(len(table)) if not table.has("type") or table["type"][row].upper() == "EEG"]
    units = {table["units"][row] for row in rows} - set(NOTHING)
    strange = next(
        (row for row in rows if table["units"][row] in units and microvolts_per(table["units"][row]) is None), None
    )
    if strange is not None:
        raise DataError(f"{_where(table, strange, 'units')}: is no voltage that is known; write µV, mV or V")
    # Different units in one file are a matter of its header, which says them for each channel.
    return Channels(bad, units.pop() if len(units) == 1 else "")


def participants(path: Path, columns: Sequence[str]) -> tuple[CsvTable, dict[str, int]]:
    """Read ``participants.tsv``, and which row is whose, by the label without ``sub-``.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        Those that must be there, beside ``participant_id``.

    Raises
    ------
    DataError
        If a column is not there, or somebody stands there twice.
    """
    table = _table(path, ("participant_id", *columns))
    rows: dict[str, int] = {}
    for row, name in enumerate(table["participant_id"]):
        label = name.removeprefix("sub-")
        if label in rows:
            raise DataError(
                f"{_where(table, row, 'participant_id')}: stands in line {table.lines[rows[label]]} already; a participant has one row"
            )
        rows[label] = row
    return table, rows


def _table(path: Path, columns: Sequence[str]) -> CsvTable:
    return read_csv(path, columns, delimiter="\t")


def _where(table: CsvTable, row: int, column: str) -> str:
    return f"{table.path.name}, line {table.lines[row]}, column {column!r}"
