"""Where recordings are: what a table names below a folder, and the files of a record."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pellucid.cards.inside import place as inside
from pellucid.cards.inside import shown, why_unsafe
from pellucid.errors import DataError
from pellucid_ecg.wfdb_files.headers import header_path, read_header


class Place(NamedTuple):
    """Where a recording is.

    Parameters
    ----------
    sample : str
        What it is called where people read, in reports too.
    path : Path
        Its file, or the record as WFDB names it.
    shown : str
        What an error calls it: the line of a table, say.
    """

    sample: str
    path: Path
    shown: str


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


def files_of(path: Path) -> list[Path]:
    """The files that a recording is made of, as far as they are there."""
    if path.suffix == ".mat":
        return [path] if os.path.isfile(path) else []
    header = Path(header_path(path))
    found = [one for end in (".hea", ".dat", ".mat") if os.path.isfile(one := header.with_suffix(end))]
    if len(found) == 1 and found[0] == header:
        # Data under another name than the record's.
        with suppress(DataError):
            named = {line.file for line in read_header(header).signals}
            found += [one for file in sorted(named) if os.path.isfile(one := header.parent / file)]
    return found
