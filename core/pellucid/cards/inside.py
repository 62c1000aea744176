"""Names that stay inside a folder, whoever wrote them: a card, an archive, a disk."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from pellucid.errors import DataError

_DRIVE = re.compile(r"[A-Za-z]:")

LONGEST = 200
"""Characters of a foreign name that a message shows."""


def why_unsafe(name: str) -> str:
    """Why a relative name must not be written to, or an empty string.

    The rules are those of all systems at once: a name that is harmless here may leave its folder on another computer.

    Examples
    --------
    >>> why_unsafe("slices/0001.dcm"), why_unsafe("../x")
    ('', "has a part '..', which leads out of the folder")
    """
    if not name or name.strip() != name:
        return "is empty, or begins or ends with a space"
    if not name.isprintable():
        return "has characters that cannot be printed"
    if name.startswith("/") or _DRIVE.match(name):
        return "is an absolute path"
    if "\\" in name:
        return "has a backslash, which parts folders on some systems"
    parts = name.split("/")
    if ".." in parts:
        return "has a part '..', which leads out of the folder"
    if "" in parts or "." in parts:
        return "has an empty part"
    return ""


def place(folder: Path, name: str) -> Path:
    """Where a name stands below a folder.

    Raises
    ------
    DataError
        If the name, or a link on the way to it, leads out of the folder.
    """
    why = why_unsafe(name)
    if why:
        raise DataError(f"{shown(name)}: {why}; nothing is written outside {folder}")
    path = folder.joinpath(*PurePosixPath(name).parts)
    # A link that somebody put into the folder would take what is written to where it points.
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{path}: a link on the way leads out of {folder}; remove the link")
    return path


def shown(name: str | Path) -> str:
    """A foreign name for a message: nothing in it moves the cursor, and it ends.

    Examples
    --------
    >>> shown("a.csv"), shown("a\\x1b[2J")
    ('a.csv', "'a\\\\x1b[2J'")
    """
    text = str(name)
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."
