"""What is asked for of a record, and whether it is there: which samples, which leads under which names, in one unit."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pellucid.errors import DataError, nearest
from pellucid_ecg.recordings.leads import shown
from pellucid_ecg.recordings.units import shown_unit

__all__ = ["chosen", "lead_names", "one_unit", "span"]


def span(path: str, length: int, start: int | None, stop: int | None) -> tuple[int, int]:
    """First sample and the one after the last.

    Raises
    ------
    DataError
        If the record has no such samples.
    """
    begin, end = 0 if start is None else int(start), length if stop is None else int(stop)
    if not 0 <= begin < end <= length:
        raise DataError(
            f"{os.path.basename(path)}: samples {begin:,} to {end:,} are asked for, but the record has {length:,}; ask for a part of it"
        )
    return begin, end


def lead_names(descriptions: Sequence[str | None]) -> tuple[str, ...]:
    """The header's descriptions; ``signal 1`` and so on for those that it does not describe."""
    return tuple([name or f"signal {number}" for number, name in enumerate(descriptions, 1)])


def chosen(path: str, names: Sequence[str], leads: Sequence[str]) -> list[int]:
    """Rows of the leads asked for.

    Raises
    ------
    DataError
        If a lead is not there, or is there twice.
    """
    rows = []
    for lead in leads:
        at = [row for row, name in enumerate(names) if name == lead]
        if len(at) != 1:
            what = f"has no lead {lead!r}{nearest(lead, names)}" if not at else f"has {len(at)} leads {lead!r}"
            raise DataError(f"{os.path.basename(path)}: the record {what}; its leads are {shown(names)}")
        rows.append(at[0])
    return rows


def one_unit(path: str, names: Sequence[str], units: Sequence[str]) -> str:
    """The unit that all leads share.

    Raises
    ------
    DataError
        If they do not.
    """
    if len(set(units)) > 1:
        listed = ", ".join(f"{shown([name])} in {shown_unit(unit)}" for name, unit in zip(names, units, strict=True))
        raise DataError(
            f"{os.path.basename(path)}: the signals have different units ({listed}); name the leads that you want"
        )
    return units[0]
