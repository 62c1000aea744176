"""The folder that a download goes to: looked at before any server is asked."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from pellucid.errors import DataError
from pellucid.fetching.download import unwritable


def refuse_no_folder(to: Path) -> None:
    """Refuse a place where no folder is or can be made, as a file stands in the way.

    Raises
    ------
    DataError
        Names the file.
    """
    standing = nearest_existing(to)
    if standing.is_dir():
        return
    if standing == to.absolute():
        raise DataError(f"{to} is {_what(standing)}: --to names a folder")
    raise DataError(f"{to} cannot be made: {standing} is {_what(standing)}. Choose another --to")


def refuse_unwritable(folders: Iterable[Path]) -> None:
    """Refuse folders in which nothing can be made; leaves nothing behind.

    Parameters
    ----------
    folders : iterable of Path
        Of those that are not there the nearest one above is tried.

    Raises
    ------
    DataError
    """
    for folder in dict.fromkeys(map(nearest_existing, folders)):
        try:
            # Only trying tells: permissions do not know of a disk that cannot be written to, nor of a user who may do all.
            with tempfile.TemporaryFile(dir=folder, prefix=".pellucid-"):
                pass
        except OSError as error:
            raise unwritable(folder, error) from None


def nearest_existing(path: Path) -> Path:
    """The path itself, absolute, or the first above it that is there; a link that leads nowhere is there."""
    path = path.absolute()
    return next(one for one in (path, *path.parents) if one.is_symlink() or one.exists())


def _what(path: Path) -> str:
    if path.is_file():
        return "a file"
    return "a link that leads nowhere" if path.is_symlink() else "no folder"
