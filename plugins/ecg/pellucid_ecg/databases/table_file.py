"""The table that says what is in a folder of recordings: found, or said to be missing."""

from __future__ import annotations

from pathlib import Path

from pellucid.cards.inside import place as inside
from pellucid.cards.inside import shown
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
