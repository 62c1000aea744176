"""Datasets of very many files: the server's own list of digests first, then every file on it, a few at a time."""

from __future__ import annotations

import hashlib
import http.client
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import quote

from pellucid.cards.files import Sums
from pellucid.cards.inside import place, shown, why_unsafe
from pellucid.errors import DataError, nearest
from pellucid.fetching.connection import Interrupted, ask
from pellucid.fetching.download import Patience, download
from pellucid.fetching.lock import held
from pellucid.fetching.progress import Watcher
from pellucid.fetching.target import refuse_unwritable
from pellucid.files import sha256, writing

AT_ONCE = 4
"""Connections: small files are a matter of waiting for answers, and a public archive serves others too."""

MOST_FILES = 2_000_000
LARGEST_LIST_BYTES = 1 << 28

SAY_EVERY_S = 5.0

_LINE = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(\S.*)")


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One line of a list: a file, its digest, and where it is served. Its size is known once it is here."""

    path: str
    sha256: str
    url: str
    bytes: int | None = None


class _WithPath(Protocol):
    @property
    def path(self) -> str: ...


Listed = TypeVar("Listed", bound=_WithPath)


def chosen(files: Sequence[Listed], only: Sequence[str]) -> tuple[Listed, ...]:
    """The files in some folders, and those that lie in no folder; all where no folder is named.

    Raises
    ------
    DataError
        If no file lies in one of the folders; the nearest folder is named.
    """
    wanted = [folder.strip("/") for folder in only]
    for folder in wanted:
        if not any(file.path.startswith(f"{folder}/") for file in files):
            folders = sorted({file.path.partition("/")[0] for file in files if "/" in file.path})
            raise DataError(
                f"no file lies in a folder {shown(folder)!r}{nearest(folder, folders)}; "
                f"folders: {', '.join(map(shown, folders[:20])) or 'none'}"
            )
    kept = [f for f in files if "/" not in f.path or any(f.path.startswith(f"{folder}/") for folder in wanted)]
    return tuple(kept if wanted else files)


def fetch_listed(
    sums: Sums, to: Path, only: Sequence[str], watcher: Watcher, patience: Patience
) -> tuple[tuple[ListedFile, ...], tuple[ListedFile, ...]]:
    """Fetch the list of a dataset, and what is on it and not here yet.

    Parameters
    ----------
    sums : Sums
    to : Path
        The data folder; made where it does not exist.
    only : sequence of str
        See :func:`chosen`.
    watcher : Watcher
    patience : Patience

    Returns
    -------
    new, here : tuple of ListedFile
        What was fetched, and what was here already; each has the digest of the list.

    Raises
    ------
    DataError
        If the folder cannot be written or somebody else is at work in it (said before the server is asked), the list cannot be
        had, is another one than the folder holds, or names a file outside the folder (nothing is fetched then), a file of a
        listed name holds something else, or a file cannot be had; what is here by then stays, and the next call goes on from
        there.
    """
    # A folder that is not there yet is made only once the list is here, and nobody else can be at work in it.
    with held(to) if to.is_dir() else nullcontext():
        kept = _kept(sums, to)
        if kept is None or not _all_there(kept, sums, to, only):
            refuse_unwritable([to])
        content = kept
        if kept is None or sums.sha256 is None:
            watcher.say(f"{sums.name}: asking {shown(sums.url)} for the list of files")
            content = _list(sums, patience)
            if kept not in (None, content):
                raise DataError(
                    f"{place(to, sums.name)} is another list than the server has now: the folder holds another version of the "
                    "data. Choose another --to"
                )
        assert content is not None
        files = chosen(read_list(content, sums), only)
        if kept is not None:
            return _completed(files, to, watcher, patience)
    to.mkdir(parents=True, exist_ok=True)
    with held(to):
        with writing(place(to, sums.name)) as temporary:
            temporary.write_bytes(content)
        return _completed(files, to, watcher, patience)


def _kept(sums: Sums, to: Path) -> bytes | None:
    """The list that an earlier download left in the folder."""
    path = place(to, sums.name)
    if not path.is_file():
        if path.is_symlink() or path.exists():
            raise DataError(f"{path} is there and is no plain file: move it away, or choose another --to")
        return None
    content = path.read_bytes()
    if sums.sha256 not in (None, hashlib.sha256(content).hexdigest()):
        raise DataError(
            f"{path} is another list than the card knows: the folder holds another version of the data. Choose another --to"
        )
    return content


def _all_there(kept: bytes, sums: Sums, to: Path, only: Sequence[str]) -> bool:
    try:
        return all(place(to, file.path).is_file() for file in chosen(read_list(kept, sums), only))
    except DataError:
        # Damaged, or of another version: where the server's is compared with it, that is said.
        return False


def _completed(
    files: Sequence[ListedFile], to: Path, watcher: Watcher, patience: Patience
) -> tuple[tuple[ListedFile, ...], tuple[ListedFile, ...]]:
    watcher.say(f"{len(files):,} files are listed; looking at what is in {to}")
    here, missing = _compare(files, to)
    refuse_unwritable({place(to, file.path).parent for file in missing})
    return tuple(_fetched(missing, to, watcher, patience)), here


def read_list(content: bytes, sums: Sums) -> tuple[ListedFile, ...]:
    """The files of a list, without the list itself.

    Raises
    ------
    DataError
        Names the line that is no digest and path, leads out of the folder, or stands twice.
    """
    try:
        lines = content.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise DataError(
            f"{sums.name}: what the server sends is no list of digests; tell whoever keeps the card"
        ) from None
    found: dict[str, ListedFile] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise DataError(
                f"{sums.name}, line {number}: is no SHA-256 and path; the server sends something else than a list of digests"
            )
        digest, path = match[1].lower(), match[2].removeprefix("./")
        if why := why_unsafe(path):
            raise DataError(f"{sums.name}, line {number}: {shown(path)}: {why}; nothing was fetched")
        if path == sums.name:
            continue
        # Some disks do not tell "A.dat" from "a.dat".
        if path.casefold() in found:
            raise DataError(f"{sums.name}, line {number}: {shown(path)} is listed twice")
        found[path.casefold()] = ListedFile(path, digest, sums.url + quote(path))
        if len(found) > MOST_FILES:
            raise DataError(f"{sums.name}: more than {MOST_FILES:,} files")
    if not found:
        raise DataError(f"{sums.name}: lists no file")
    return tuple(found.values())


def _list(sums: Sums, patience: Patience) -> bytes:
    url = sums.url + quote(sums.name)
    for trial in range(1, patience.tries + 1):
        try:
            content = _whole(url, patience.stall_s)
        except Interrupted as error:
            if trial == patience.tries:
                raise DataError(f"{shown(url)}: {error}, {trial} times in a row; try again later") from None
            time.sleep(min(max(patience.wait_s * 2 ** (trial - 1), error.wait_s or 0), patience.longest_wait_s))
        else:
            break
    found = hashlib.sha256(content).hexdigest()
    if sums.sha256 not in (None, found):
        raise DataError(
            f"{sums.name}: SHA-256 {found}, expected {sums.sha256}: the server has another list than the card knows, and nothing "
            "was fetched. Look for a newer card, or tell whoever keeps it"
        )
    return content


def _whole(url: str, stall_s: float) -> bytes:
    answer = ask(url, {}, stall_s)
    with answer.body:
        try:
            content = answer.body.read(LARGEST_LIST_BYTES + 1)
        except (OSError, http.client.HTTPException, ValueError):
            raise Interrupted("the connection was cut") from None
    stated = answer.header("Content-Length")
    # Cut short at the end of a line, it would be a list of fewer files.
    if stated.isascii() and stated.isdigit() and int(stated) != len(content):
        raise Interrupted("the connection ended too early")
    if len(content) > LARGEST_LIST_BYTES:
        raise DataError(f"{shown(url)}: is larger than any list of files; nothing was fetched")
    return bytes(content)


def _compare(files: Sequence[ListedFile], to: Path) -> tuple[tuple[ListedFile, ...], list[ListedFile]]:
    here, missing = [], []
    for file in files:
        path = place(to, file.path)
        if path.is_file():
            if sha256(path) != file.sha256:
                raise DataError(
                    f"{path} is there and has other content than the list says. It is not written over: move it away, or choose "
                    "another --to"
                )
            here.append(replace(file, bytes=path.stat().st_size))
        elif path.is_symlink() or path.exists():
            raise DataError(f"{path} is there and is no plain file: move it away, or choose another --to")
        else:
            missing.append(file)
    return tuple(here), missing


def _fetched(files: Sequence[ListedFile], to: Path, watcher: Watcher, patience: Patience) -> Iterator[ListedFile]:
    silent = Watcher()

    def one(file: ListedFile) -> ListedFile:
        path = place(to, file.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        download(file, path, patience, silent)
        return replace(file, bytes=path.stat().st_size)

    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        said, done, rest = time.monotonic(), 0, iter(files)
        # A few at a time are handed over, so that an error stops the others soon.
        running: set[Future[ListedFile]] = {pool.submit(one, file) for file in islice(rest, 2 * AT_ONCE)}
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
                done += 1
                running |= {pool.submit(one, file) for file in islice(rest, 1)}
            if time.monotonic() - said >= SAY_EVERY_S:
                said = time.monotonic()
                watcher.say(f"{done:,} of {len(files):,} files")
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
