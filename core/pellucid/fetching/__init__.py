"""Getting the files of a dataset: what its card lists, verified, inside one folder, and nothing else."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from rich.filesize import decimal

from pellucid.cards import Card, presence
from pellucid.cards.files import CardArchive, CardFile, Content
from pellucid.cards.inside import place, shown
from pellucid.errors import DataError
from pellucid.fetching.archives import unpack
from pellucid.fetching.download import Patience, download, part_of, unwritable
from pellucid.fetching.listed import ListedFile, chosen, fetch_listed
from pellucid.fetching.lock import held
from pellucid.fetching.progress import Watcher
from pellucid.fetching.target import nearest_existing, refuse_no_folder, refuse_unwritable

__all__ = ["Fetched", "Patience", "Watcher", "fetch", "why_not"]


@dataclass(frozen=True)
class Fetched:
    """Files that were fetched and files that were here already; all are what the card says."""

    new: tuple[CardFile | ListedFile, ...]
    here: tuple[CardFile | ListedFile, ...]
    vouched_by: str = "the card"


@dataclass(frozen=True)
class _Plan:
    here: tuple[CardFile, ...]
    plain: tuple[CardFile, ...]
    archives: tuple[CardArchive, ...]
    packed: tuple[CardFile, ...]


NOT_OFFERED = {
    "registered": "its owner hands it out, free, to those who register there",
    "credentialed": "its owner grants it to people who say who they are and sign an agreement; nobody else can pass it on",
    "request": "it may be passed on, but no server offers these files; they come from who holds them",
    "own": "it is your own data",
    "embedded": "it is inside an installed package",
    "generated": "this software makes it",
}
"""Why data of each way of access are not downloaded."""


def why_not(card: Card) -> str:
    """Why nothing of a dataset can be downloaded here, as the rest of a sentence; empty where it can."""
    if card.access != "open":
        return NOT_OFFERED[card.access]
    if card.retriever:
        size = f"; it is about {decimal(card.about_bytes)}" if card.about_bytes else ""
        return f"anybody may have it, but it is handed out by {card.retriever} and not file by file{size}"
    if card.sums is None and not all(file.url or file.archive for file in card.files):
        return "anybody may have it, but its card knows no address that serves its files"
    return ""


def fetch(
    card: Card,
    to: Path,
    *,
    watcher: Watcher | None = None,
    patience: Patience | None = None,
    only: tuple[str, ...] = (),
) -> Fetched:
    """Fetch the files of a dataset that are not here yet.

    Parameters
    ----------
    card : Card
    to : Path
        The data folder; made where it does not exist. Nothing is written outside it.
    watcher : Watcher, optional
        Told what goes on.
    patience : Patience, optional
    only : tuple of str
        Folders of the dataset: files in other folders are left out. Files that lie in no folder always come.

    Returns
    -------
    Fetched

    Raises
    ------
    DataError
        If nothing can be downloaded (says whom to ask), the folder cannot be written or has not enough room, a file of a card's
        name holds something else, another process is at work in the folder (all of it said before any server is asked), or a
        file cannot be had; what is here by then stays, and the next call goes on from there.
    """
    reason = why_not(card)
    if reason:
        raise DataError(f"{card.name}: nothing was downloaded: {reason}. {card.how}")
    watcher, patience = watcher or Watcher(), patience or Patience()
    try:
        refuse_no_folder(to)
        if card.sums is not None:
            new, here = fetch_listed(card.sums, to, only, watcher, patience)
            return Fetched(new, here, card.sums.name)
        plan = _plan(card, chosen(card.files, only), to, watcher)
        _refuse_too_little_room(plan, to)
        if not (plan.plain or plan.packed):
            return Fetched((), plan.here)
        refuse_unwritable([to, *(place(to, file.path).parent for file in (*plan.plain, *plan.packed))])
        to.mkdir(parents=True, exist_ok=True)
        with held(to):
            for file in plan.plain:
                path = place(to, file.path)
                path.parent.mkdir(parents=True, exist_ok=True)
                download(file, path, patience, watcher)
            for archive in plan.archives:
                _fetch_archive(archive, plan, to, watcher, patience)
    except OSError as error:
        raise unwritable(to, error) from None
    return Fetched((*plan.plain, *plan.packed), plan.here)


def _plan(card: Card, files: tuple[CardFile, ...], to: Path, watcher: Watcher) -> _Plan:
    here: list[CardFile] = []
    missing: list[CardFile] = []
    if to.is_dir() and any(to.iterdir()):
        watcher.say(f"Looking at what is in {to}")
    for file in files:
        path = place(to, file.path)
        found = presence(file, path)
        # Also a dangling link or a folder is something: it is not written over.
        if found == "missing" and (path.is_symlink() or path.exists()):
            raise DataError(f"{path} is there and is no plain file: move it away, or choose another --to")
        if found not in ("here", "missing"):
            raise DataError(
                f"{path} is there and has {found} than the card says. It is not written over: move it away, or choose another --to"
            )
        (here if found == "here" else missing).append(file)
    plain = tuple(file for file in missing if file.archive is None)
    packed = tuple(file for file in missing if file.archive is not None)
    needed = {file.archive for file in packed}
    return _Plan(tuple(here), plain, tuple(a for a in card.archives if a.name in needed), packed)


def _archive_path(to: Path, archive: CardArchive) -> Path:
    # Hidden, so that it is never a file that the user put there: it is removed once it is unpacked.
    return to / f".{archive.name}"


def _refuse_too_little_room(plan: _Plan, to: Path) -> None:
    incoming: list[tuple[Content, Path]] = [(file, place(to, file.path)) for file in plan.plain]
    incoming += [(archive, _archive_path(to, archive)) for archive in plan.archives]
    download_bytes = sum(max(content.bytes - _begun(path), 0) for content, path in incoming)
    unpacked = sum(file.bytes for file in plan.packed)
    free = shutil.disk_usage(nearest_existing(to)).free
    if download_bytes + unpacked > free:
        parts = f"{decimal(download_bytes)} to download" + (f" and {decimal(unpacked)} unpacked" if unpacked else "")
        raise DataError(
            f"not enough room in {to}: {parts} are needed, {decimal(free)} are free. Free some, or choose another --to"
        )


def _begun(path: Path) -> int:
    """Bytes that are here of a file on its way."""
    return next((p.stat().st_size for p in (path, part_of(path)) if p.is_file()), 0)


def _fetch_archive(archive: CardArchive, plan: _Plan, to: Path, watcher: Watcher, patience: Patience) -> None:
    path = _archive_path(to, archive)
    if presence(archive, path) != "here":
        path.unlink(missing_ok=True)
        download(archive, path, patience, watcher)
    watcher.say(f"Unpacking {shown(archive.name)}")
    unpack(path, [file for file in plan.packed if file.archive == archive.name], to)
    path.unlink()
