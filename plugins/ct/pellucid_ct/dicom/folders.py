"""The files of a folder and of the folders in it, each once; what no DICOM ever is stays out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pellucid.errors import DataError
from pellucid_ct.dicom.elements import unreadable

MOST_FILES = 20_000
"""Files of a folder that is read as a series at most: a scan has some hundreds, a study a few thousand."""


def walk_files(folder: Path) -> Iterator[Path]:
    """Files under a folder, by folder in the order of their names. Links are followed, each folder is entered once.

    Hidden names (such as those a Mac writes beside each file of a USB stick) and what is no file or folder (a pipe would
    never end) are left out.

    Raises
    ------
    DataError
        If the folder is missing, a file, or one in it may not be read, or a link in it leads nowhere: names it.
    """
    try:
        is_folder, is_there = folder.is_dir(), folder.exists()
    except OSError as error:
        raise DataError(unreadable(folder, error)) from None
    if not is_folder:
        told = "is a file" if is_there else "there is no such folder"
        raise DataError(f"{folder}: {told}; give the folder that holds all files of the series")
    waiting, entered = [folder], set()
    while waiting:
        here = waiting.pop()
        below = []
        try:
            state = here.stat()
            if (state.st_dev, state.st_ino) in entered:
                continue
            entered.add((state.st_dev, state.st_ino))
            with os.scandir(here) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if entry.name.startswith((".", "__MACOSX")):
                        continue
                    if entry.is_dir():
                        below.append(Path(entry.path))
                    elif entry.is_file():
                        yield Path(entry.path)
                    elif entry.is_symlink():
                        raise DataError(f"{entry.path}: is a link to nothing; mend or remove it")
        except OSError as error:
            raise DataError(unreadable(here, error)) from None
        waiting.extend(reversed(below))
