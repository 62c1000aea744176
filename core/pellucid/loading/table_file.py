"""The table that says what is in a folder of recordings, and what it names: found, or said to be missing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pellucid.cards.inside import place as inside
from pellucid.cards.inside import shown, why_unsafe
from pellucid.errors import DataError, nearest

NAMED = 5
"""Tables of other names that are told."""


def table_file(folder: Path, name: str, mend: str) -> Path:
    """A table below a folder.

    Parameters
    ----------
    folder : Path
    name : str
    mend : str
        What to do where it is not there, as the rest of a sentence.

    Raises
    ------
    DataError
        If the folder is none, the name leads out of it, or the table is not there; other tables there are named.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: --data names the one that holds {name}")
    path = inside(folder, name)
    if path.is_file():
        return path
    others = sorted(one.name for one in folder.glob("*.csv") if one.name != name)
    here = f"; tables here: {', '.join(map(shown, others[:NAMED]))}" if others else ""
    more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
    raise DataError(f"{folder}: there is no table {name!r}{nearest(name, others)}{here}{more}; {mend}")


def below(folder: Path, names: Iterable[str]) -> list[Path]:
    """Where names of a table stand below a folder; looks once a folder whether it leads out.

    Raises
    ------
    DataError
        If one leads out of the folder.
    """
    safe: set[Path] = set()
    found = []
    for name in names:
        path = folder / name
        if why := why_unsafe(name):
            raise DataError(f"{shown(name)}: {why}; a table names records below its own folder, {folder}")
        if path.parent not in safe:
            path = inside(folder, name)
            safe.add(path.parent)
        found.append(path)
    return found
