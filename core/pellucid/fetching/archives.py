"""Files out of a zip or tar archive: those that a card lists, as large as it says, and nothing anywhere else.

The whole archive is looked through before anything is written. A name that leads out of the folder, a link, a device or a
sparse file anywhere in it refuses all of it, also where the card does not ask for that member: who packs such things is not
trusted with the rest.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from rich.filesize import decimal

from pellucid.cards.files import CardFile
from pellucid.cards.inside import place, shown, why_unsafe
from pellucid.errors import DataError
from pellucid.fetching.download import CHUNK, settle, unwritable

UNLISTED_BYTES = 1 << 26
UNLISTED_MEMBERS = 10_000
"""How much an archive may hold beside what the card lists: a licence, a folder of thumbnails. Beyond that it is a bomb, or
another archive."""

_BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError, KeyError, IndexError,
    NotImplementedError, RuntimeError, OverflowError, MemoryError, AttributeError, TypeError, OSError,
)  # fmt: skip
"""What the standard library raises for archives that are damaged or made to break it."""


@dataclass(frozen=True)
class Member:
    """A file inside an archive: its name, its stated size, and how to read it."""

    name: str
    size: int
    content: IO[bytes] | None = None


def unpack(archive: Path, files: Sequence[CardFile], to: Path) -> None:
    """Unpack the files of a card; all are verified before the first gets its name.

    Parameters
    ----------
    archive : Path
    files : sequence of CardFile
        Those to unpack.
    to : Path
        The data folder.

    Raises
    ------
    DataError
        If the archive is damaged, holds something unsafe, lacks a file, or holds more or other bytes than the card says. Nothing
        is left then.
    """
    workshop = archive.with_name(f"{archive.name}.unpacking")
    wanted = {file.inside: file for file in files}
    _look_through(archive, wanted)
    try:
        # What a process that was killed has left.
        shutil.rmtree(workshop, ignore_errors=True)
        workshop.mkdir()
        for at, name in enumerate(wanted):
            place(to, wanted[name].path).parent.mkdir(parents=True, exist_ok=True)
            (workshop / str(at)).touch()
        numbers = {name: at for at, name in enumerate(wanted)}
        for member in _members(archive, sum(file.bytes for file in files), reading=True):
            if member.name in wanted and member.content is not None:
                _write(archive, member.content, wanted[member.name], workshop / str(numbers[member.name]))
        for name, at in numbers.items():
            settle(workshop / str(at), place(to, wanted[name].path))
    except OSError as error:
        raise unwritable(to, error) from None
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _look_through(archive: Path, wanted: dict[str, CardFile]) -> None:
    listed = sum(file.bytes for file in wanted.values())
    seen: dict[str, int] = {}
    total = 0
    for count, member in enumerate(_members(archive, listed), 1):
        total += member.size
        if count > len(wanted) + UNLISTED_MEMBERS:
            raise _refused(archive, f"it holds more than {count - 1:,} members, and the card lists {len(wanted)}")
        if total > listed + UNLISTED_BYTES:
            raise _refused(
                archive, f"it would unpack to more than {decimal(total)}, and the card lists {decimal(listed)}"
            )
        if member.name in wanted:
            if member.name in seen:
                raise _refused(archive, f"it holds {shown(member.name)} twice")
            seen[member.name] = member.size
    for name, file in wanted.items():
        if name not in seen:
            raise _refused(archive, f"it does not hold {shown(name)}")
        if seen[name] != file.bytes:
            raise _refused(archive, f"{shown(name)} would be {seen[name]:,} bytes, and the card says {file.bytes:,}")


def _write(archive: Path, content: IO[bytes], file: CardFile, path: Path) -> None:
    digest, left = hashlib.sha256(), file.bytes
    with path.open("wb") as out:
        # One byte more than there may be, so that more is noticed and not written.
        while chunk := _read(archive, content, min(CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise _refused(
                    archive, f"{shown(file.inside)} unpacks to more than the {file.bytes:,} bytes of the card"
                )
            digest.update(chunk)
            out.write(chunk)
    if digest.hexdigest() != file.sha256:
        raise _refused(
            archive, f"{shown(file.inside)} has SHA-256 {digest.hexdigest()}, and the card says {file.sha256}"
        )


def _read(archive: Path, content: IO[bytes], most: int) -> bytes:
    with _understood(archive):
        return content.read(most)


def _refused(archive: Path, why: str) -> DataError:
    return DataError(
        f"{shown(archive.name.removeprefix('.'))}: {why}. Nothing was unpacked; tell whoever keeps the card"
    )


@contextmanager
def _understood(archive: Path) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise _refused(archive, f"it is damaged, or no archive of this kind ({type(error).__name__})") from None


def _members(archive: Path, listed: int, *, reading: bool = False) -> Iterator[Member]:
    """All files of an archive in its order; with ``reading`` each with its content, to be read before the next is asked for."""
    found = _zipped(archive) if archive.name.lower().endswith(".zip") else _tarred(archive, listed)
    while True:
        with _understood(archive):
            member = next(found, None)
        if member is None:
            return
        yield member if reading else Member(member.name, member.size)


def _checked(archive: Path, name: str, why: str = "") -> str:
    """A member's name without what says nothing, unless it or what it names is unsafe."""
    plain = name.removeprefix("./").rstrip("/")
    why = why or (why_unsafe(plain) if plain not in ("", ".") or name.startswith("/") else "")
    if why:
        raise _refused(archive, f"{shown(name)} {why}")
    return plain


def _zipped(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            why = "is a link or a device" if kind not in (0, stat.S_IFREG, stat.S_IFDIR) else ""
            # zipfile cuts a name at a zero byte and turns other systems' separators into "/": judged is what was written.
            name = _checked(archive, info.orig_filename, why)
            if info.flag_bits & 1:
                raise _refused(archive, f"{shown(name)} is encrypted")
            if not info.is_dir():
                with opened.open(info) as content:
                    yield Member(name, info.file_size, content)


def _tarred(archive: Path, listed: int) -> Iterator[Member]:
    with (
        _decompressed(archive) as stream,
        tarfile.open(
            fileobj=cast(IO[bytes], _Bounded(stream, listed + 2 * UNLISTED_BYTES)), mode="r|", errors="surrogateescape"
        ) as opened,
    ):
        for info in opened:
            why = "" if info.isreg() or info.isdir() else "is a link or a device"
            name = _checked(archive, info.name, "is a sparse file" if info.issparse() else why)
            if info.isreg():
                yield Member(name, info.size, opened.extractfile(info))


def _decompressed(archive: Path) -> Any:
    name = archive.name.lower()
    for endings, opening in ((("gz", "tgz"), gzip.open), (("xz", "txz"), lzma.open), (("bz2", "tbz2"), bz2.open)):
        if name.endswith(endings):
            return opening(archive, "rb")
    return archive.open("rb")


class _Bounded:
    """A stream that may be read up to a number of bytes: whatever a header claims, no more is unpacked or held."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self.stream, self.left = stream, most

    def read(self, size: int) -> bytes:
        """Read some."""
        chunk = self.stream.read(min(size, self.left + 1))
        self.left -= len(chunk)
        if self.left < 0:
            raise tarfile.ReadError("more than the card lists")
        return chunk
