"""Whether the files of a card are here: what was looked for where, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pellucid import plugins
from pellucid.cards.files import CardFile, Content
from pellucid.cards.reading import Card, read_card
from pellucid.errors import PellucidError
from pellucid.files import sha256

Presence = Literal["here", "missing", "other size", "other content", "unreadable", "not checked"]


@dataclass(frozen=True)
class FileState:
    """Where one file of a card was looked for (``path``; None: nowhere), and what was found."""

    file: CardFile
    path: Path | None
    presence: Presence


def states(card: Card, data: Path | None = None, *, verify: bool = False) -> tuple[FileState, ...]:
    """Which files of a card are here and which are missing.

    Parameters
    ----------
    card : Card
    data : Path, optional
        The folder the files were put in, or one of them: files are then looked for there alone. Without it, files
        inside a package are found and others are not checked.
    verify : bool
        Read each file and compare its SHA-256. Without, only its size is compared.

    Raises
    ------
    PellucidError
        If ``data`` does not exist.
    """
    _refuse_missing(data)
    return tuple(_state(file, data, verify) for file in card.files)


def _refuse_missing(data: Path | None) -> None:
    if data is not None and not data.exists():
        raise PellucidError(f"{data} does not exist: --data names the folder or file that holds the data")


def _state(file: CardFile, data: Path | None, verify: bool) -> FileState:
    if data is None and file.package is None:
        return FileState(file, None, "not checked")
    path = _place(file, data)
    try:
        return FileState(file, path, "missing" if path is None else presence(file, path, verify=verify))
    except OSError:
        return FileState(file, path, "unreadable")


def presence(content: Content, path: Path, *, verify: bool = True) -> Presence:
    """Whether a file is what a card vouches for."""
    if not path.is_file():
        return "missing"
    if path.stat().st_size != content.bytes:
        return "other size"
    return "other content" if verify and sha256(path) != content.sha256 else "here"


def _place(file: CardFile, data: Path | None) -> Path | None:
    name = Path(file.path).name
    if data is None:
        folder = plugins.package_folder(file.package or "")
        return None if folder is None else folder / file.path
    if not data.is_dir():
        return data if data.name == name else None
    return data / (name if file.package else file.path)


def rows(data: Path | None = None, *, verify: bool = False) -> list[dict[str, Any]]:
    """One row a card, for the command ``pellucid data list``; a card that is wrong has a row with its error.

    Raises
    ------
    PellucidError
        If ``data`` does not exist.
    """
    _refuse_missing(data)
    found: list[dict[str, Any]] = []
    for qualified, component in plugins.components("card").items():
        try:
            one = read_card(plugins.resource(component.target))
        except PellucidError as error:
            found.append({"name": qualified, "error": str(error)})
            continue
        found.append({"name": qualified, "card": one, "states": states(one, data, verify=verify), "error": ""})
    return found
