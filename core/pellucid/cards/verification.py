"""Whether a folder holds what a dataset's card describes: every file compared, what is too much named."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pellucid.cards import Card, FileState, states
from pellucid.errors import DataError

_NOTE = re.compile(r"(readme|licen[cs]e|citation|changelog|notice)([._-].*)?", re.IGNORECASE)
"""Texts about the data that people put beside them, and that no loader reads."""

_SYSTEM = {"thumbs.db", "desktop.ini", "__macosx"}


@dataclass(frozen=True)
class Verification:
    """What was found.

    Parameters
    ----------
    states : tuple of FileState
        One for each file of the card.
    extra : tuple of str
        Files in the folder that the card does not list, by their path below it.
    beside : tuple of str
        Of these those that are no data: texts such as a README, and what operating systems leave.
    unfinished : tuple of str
        Files of a download that was cut off.
    """

    states: tuple[FileState, ...]
    extra: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()

    @property
    def wrong(self) -> tuple[FileState, ...]:
        """Files of the card that are missing, unreadable, or not what it says."""
        return tuple(state for state in self.states if state.presence != "here")

    @property
    def as_described(self) -> bool:
        """Whether the folder holds the card's files and no other data."""
        return not self.wrong and not self.extra

    @property
    def other_content_throughout(self) -> bool:
        """Whether all names are right and no content is: another dataset of the same layout, most likely."""
        return bool(self.states) and all(state.presence in ("other size", "other content") for state in self.states)


def verify(card: Card, data: Path | None = None) -> Verification:
    """Compare a folder with a card: size and SHA-256 of each file, read in pieces; nothing is written.

    Parameters
    ----------
    card : Card
    data : Path, optional
        The folder. Without it, files inside an installed package are looked for there.

    Raises
    ------
    DataError
        If the card lists no files to compare, or needs a folder that is not named.
    PellucidError
        If ``data`` does not exist.
    """
    if not card.files:
        why = {
            "generated": "is made by this software when it is asked for",
            "own": "is your own data",
        }.get(card.access, "has so many files that its card does not list them")
        if card.sums is not None:
            why += f" (in a complete folder, sha256sum -c {card.sums.name} compares it with the list beside them)"
        raise DataError(f"{card.name} {why}, so there is nothing to compare a folder with")
    if data is None and not all(file.package for file in card.files):
        raise DataError(f"{card.name}: --data names the folder that holds its files")
    found = states(card, data, verify=True)
    if data is None or not data.is_dir():
        return Verification(found)
    listed = {os.path.normpath(state.path) for state in found if state.path is not None}
    others = sorted(name for path, name in _files(data) if os.path.normpath(path) not in listed)
    unfinished = tuple(name for name in others if name.endswith(".part") and name.rpartition("/")[2].startswith("."))
    beside = tuple(name for name in others if name not in unfinished and _is_no_data(name))
    return Verification(found, tuple(n for n in others if n not in (*unfinished, *beside)), beside, unfinished)


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """Path, and path below the folder with ``/`` between its parts, of everything that is no folder."""

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: {error.strerror}; a folder that cannot be listed cannot be verified")

    # Links to folders are not followed: they may lead anywhere, and in circles.
    for where, folders, names in os.walk(folder, onerror=refuse):
        links = [name for name in folders if Path(where, name).is_symlink()]
        for name in (*names, *links):
            path = os.path.join(where, name)
            yield path, Path(path).relative_to(folder).as_posix()


def _is_no_data(name: str) -> bool:
    hidden = any(part.startswith(".") or part.casefold() in _SYSTEM for part in name.split("/"))
    # Of notes only those beside the data: the whole path is compared.
    return hidden or _NOTE.fullmatch(name) is not None
