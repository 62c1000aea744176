"""One file over HTTP: resumed where it was cut off, bounded by its card, and in its place only when its bytes are right."""

from __future__ import annotations

import errno
import http.client
import os
import re
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from rich.filesize import decimal

from pellucid.cards.inside import shown
from pellucid.errors import DataError
from pellucid.fetching.connection import Answer, Interrupted, RangeRefused, ask
from pellucid.fetching.progress import Watcher
from pellucid.files import sha256

CHUNK = 1 << 18
"""Bytes read at once."""

LARGEST_BYTES = 1 << 36
"""Of a file whose size only the server states."""

WORTH_SAYING_S = 2.0
"""A pause from which on a person is told why nothing happens."""


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    Parameters
    ----------
    stall_s : float
        Seconds in which nothing arrives that end a connection.
    tries : int
        Connections in a row that bring nothing new before it is given up.
    wait_s : float
        Seconds before the second of them; doubled each time.
    longest_wait_s : float
        The most that is waited, whatever a server asks for.
    """

    stall_s: float = 30.0
    tries: int = 6
    wait_s: float = 1.0
    longest_wait_s: float = 60.0


def part_of(path: Path) -> Path:
    """Where a file grows until it is whole: beside its place, hidden."""
    return path.with_name(f".{path.name}.part")


class Vouched(Protocol):
    """What is known of a file before it is here: where it is served, its digest, and perhaps its size."""

    @property
    def sha256(self) -> str:
        """64 hexadecimal digits."""

    @property
    def url(self) -> str | None:
        """Where it is served."""

    @property
    def bytes(self) -> int | None:
        """Its size; None where the server is to be asked."""


def download(content: Vouched, path: Path, patience: Patience, watcher: Watcher) -> None:
    """Download what a card vouches for.

    What arrived stays in :func:`part_of` the path when the connection, the process or the disk gives out, and the next call
    goes on from there. Lengths that a server states are not believed: what counts are the card's size, beyond which nothing
    is read, and its SHA-256, of the file as it stands on the disk. Where no size is known the server's bounds what is read,
    and the SHA-256 alone decides.

    Between connections of one call an ETag says whether the file was changed meanwhile. It is not kept between calls: the
    digest finds that out as well, and then the file is fetched once more from its beginning.

    Parameters
    ----------
    content : Vouched
        With a ``url``.
    path : Path
        In a folder that exists.
    patience : Patience
    watcher : Watcher

    Raises
    ------
    DataError
        If the server refuses, gives out, or has other bytes (both digests are named, and the part is removed); if the disk is
        full or cannot be written.
    """
    part = part_of(path)
    transfer = _Transfer(content, part, patience, watcher)
    watcher.start(shown(path.name), transfer.here(), content.bytes or 0)
    try:
        if content.bytes is None and transfer.here() and sha256(part) == content.sha256:
            # Whole already: a server that is asked for what follows has nothing to send.
            settle(part, path)
            return
        for last in (False, True):
            transfer.complete()
            found = sha256(part)
            if found == content.sha256:
                settle(part, path)
                return
            part.unlink()
            # Put together from several answers, it may be parts of two files. From one it is what the server has.
            if last or not transfer.pieced:
                raise _other_bytes(content, path, found, transfer.stated)
            watcher.say(f"{shown(path.name)}: the parts do not fit together; it is fetched again from its beginning")
            transfer = _Transfer(content, part, patience, watcher)
    except OSError as error:
        raise unwritable(part, error) from None
    finally:
        watcher.stop()


def settle(part: Path, path: Path) -> None:
    """Give a whole file its name. Its bytes are on the disk first: after a power cut a name may outlive what it names."""
    with part.open("r+b") as file:
        os.fsync(file.fileno())
    os.replace(part, path)


def _other_bytes(content: Vouched, path: Path, found: str, stated: str) -> DataError:
    return DataError(
        f"{shown(path.name)}: what {shown(content.url or '')} sends is not what the card describes: SHA-256 {found}, expected "
        f"{content.sha256}{stated}. It was removed. The file was changed, or somebody stands between: tell whoever keeps the card"
    )


def unwritable(path: Path, error: OSError) -> DataError:
    """What to say where the disk does not take a file."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DataError(
            f"no space left on the disk while writing {path}: free some and run the same command again, it goes on from what is here"
        )
    return DataError(f"cannot write {path}: {error.strerror or error}; choose a place that you may write to")


class _Transfer:
    """A part that grows over as many connections as it takes."""

    def __init__(self, content: Vouched, part: Path, patience: Patience, watcher: Watcher) -> None:
        self.content, self.part, self.patience, self.watcher = content, part, patience, watcher
        self.size = content.bytes
        self.name = shown(part.name.removeprefix(".").removesuffix(".part"))
        self.etag, self.stated = "", ""
        self.from_start = False
        self.pieced = self.here() > 0
        """Whether the part comes from more than one answer."""

    def here(self) -> int:
        """Bytes that are here. A part that cannot be of this file is none."""
        try:
            found = self.part.lstat()
        except FileNotFoundError:
            return 0
        if not stat.S_ISREG(found.st_mode):
            raise DataError(f"{self.part} is not a plain file, so nothing is written to it: remove it")
        return found.st_size if self.size is None or found.st_size <= self.size else 0

    def complete(self) -> None:
        """Fetch until all bytes are here."""
        most, barren = self.here(), 0
        while (have := self.here()) < (LARGEST_BYTES if self.size is None else self.size):
            reason, wait_s = self._try(have)
            have = self.here()
            # A server that always begins anew and breaks off brings bytes, but nothing new.
            barren = 0 if have > most else barren + 1
            most = max(most, have)
            if have == self.size:
                return
            if barren == self.patience.tries:
                whole = "an unknown size" if self.size is None else decimal(self.size)
                raise DataError(
                    f"{shown(self.content.url or '')}: {reason}, {barren} times in a row; {decimal(have)} of "
                    f"{whole} are here{self.stated}. The same command goes on from there"
                )
            usual = self.patience.wait_s * 2 ** max(barren - 1, 0)
            pause_s = min(max(usual, wait_s), self.patience.longest_wait_s)
            if pause_s >= WORTH_SAYING_S:
                self.watcher.say(f"{self.name}: {reason}; asking again in {pause_s:.0f} s")
            time.sleep(pause_s)

    def _try(self, have: int) -> tuple[str, float]:
        """Fetch what one connection gives; why it ended, and how long the server asks to wait."""
        try:
            self._receive(0 if self.from_start else have)
        except RangeRefused as error:
            self.from_start = True
            return str(error), 0.0
        except Interrupted as error:
            return str(error), error.wait_s or 0.0
        return "the connection ended too early", 0.0

    def _receive(self, have: int) -> None:
        assert self.content.url is not None
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and self.etag:
            headers["If-Range"] = self.etag
        answer = ask(self.content.url, headers, self.patience.stall_s)
        with answer.body:
            start = self._start(answer, have)
            self.pieced |= start > 0
            kind, length = answer.header("Content-Type").partition(";")[0], answer.header("Content-Length")
            self.stated = f" (the server calls it {shown(kind) or 'nothing'}, {shown(length) or 'unknown'} bytes)"
            if self.size is None:
                self.size = self._size(answer)
            etag = answer.header("ETag")
            # A weak one says that the meaning is the same, not the bytes.
            self.etag = etag if etag.startswith('"') and etag.isprintable() else ""
            with _opened(self.part) as file:
                file.truncate(start)
                file.seek(start)
                self._copy(answer, file, start)

    def _size(self, answer: Answer) -> int:
        """What the server says of the size of the whole file."""
        ranged = answer.status == 206
        said = answer.header("Content-Range").rpartition("/")[2] if ranged else answer.header("Content-Length")
        if not (said.isascii() and said.isdigit()) or int(said) > LARGEST_BYTES:
            raise DataError(
                f"{shown(self.content.url or '')}: the server does not say how large the file is, or calls it larger than "
                f"{decimal(LARGEST_BYTES)}; nothing of it was fetched"
            )
        return int(said)

    def _start(self, answer: Answer, have: int) -> int:
        """Byte that an answer begins with."""
        if answer.status == 200:
            return 0
        range_ = re.match(r"bytes (\d+)-", answer.header("Content-Range"))
        if not have or range_ is None or int(range_[1]) != have:
            self.from_start = True
            raise Interrupted("the server sends another range than it was asked for")
        if self.etag and answer.header("ETag") not in ("", self.etag):
            self.from_start = True
            raise Interrupted("the file was changed while it was fetched")
        return have

    def _copy(self, answer: Answer, file: IO[bytes], at: int) -> None:
        self.from_start = False
        assert self.size is not None
        while at < self.size:
            try:
                chunk = answer.body.read1(min(CHUNK, self.size - at))
            except TimeoutError:
                raise Interrupted(f"nothing came for {self.patience.stall_s:g} s") from None
            except (OSError, http.client.HTTPException, ValueError):
                raise Interrupted("the connection was cut") from None
            if not chunk:
                return
            file.write(chunk)
            at += len(chunk)
            self.watcher.moved(at)


def _opened(part: Path) -> IO[bytes]:
    # Never through a link, which would be written to wherever it points; also not through one put there since it was looked at.
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(part, flags, 0o666), "r+b")
