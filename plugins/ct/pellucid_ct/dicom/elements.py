"""The elements of a DICOM file, walked in its bytes: those asked for are kept as bytes, the others are stepped over.

A general DICOM library decodes each element of a file; here a dozen of them are wanted, from hundreds of files. Encodings
are those of DICOM PS3.5 (chapter 7 and annex A) and PS3.10 (chapter 7).
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

from pellucid.errors import DataError
from pellucid_ct.dicom.syntaxes import META, SYNTAXES, UNKNOWN

FIRST_READ = 1 << 14
"""Bytes read at first: what stands before the pixels of most CT images fits."""

LONGEST_HEADER = 1 << 24
"""Bytes of all elements before the pixels at most; real ones are some kilobytes, rarely a megabyte."""

DEEPEST = 16
"""Sequences within sequences at most."""

PIXEL_DATA = 0x7FE00010
UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())


class Broken(Exception):
    """From here on the bytes are no DICOM; says why, without any value of the file."""


class _More(Exception):
    """The walk ran out of bytes in the element that begins at the given place."""


class DicomFile:
    """The elements of one file, as far as they were asked for.

    Attributes
    ----------
    path : Path
    size : int
        Bytes of the file.
    found : dict of int to bytes
        Values of the wanted elements met so far, by tag (group * 65536 + element).
    syntax : Syntax
    """

    __slots__ = ("_at", "_data", "_start", "found", "path", "size", "syntax")

    def __init__(self, path: Path, size: int, data: bytes, wanted: frozenset[int]) -> None:
        self.path, self.size, self._data = path, size, data
        self.found: dict[int, bytes] = {}
        self.syntax = META
        self._at = self._start = 132
        self.walk(0x00030000, wanted)
        uid = self.found.get(0x00020010)
        if uid is None:
            raise Broken("TransferSyntaxUID (0002,0010) is absent; export the series again, as DICOM files (Part 10)")
        self.syntax, self._start = SYNTAXES.get(uid.rstrip(b"\0 "), UNKNOWN), self._at
        if self.syntax.deflated:
            self._data = self.read(FIRST_READ)

    def walk(self, until: int, wanted: frozenset[int]) -> None:
        """Go on to the first element whose tag is ``until`` or above, and keep those wanted.

        Raises
        ------
        Broken
            If the file ends before, or what comes is no element.
        """
        step = _explicit if self.syntax.explicit else _implicit
        order = ">" if self.syntax.big else "<"
        while True:
            try:
                self._at = step(self._data, self._at, until, wanted, self.found, order)
                return
            except _More as stopped:
                (self._at,) = stopped.args
            have = len(self._data)
            if have >= LONGEST_HEADER:
                raise Broken(f"its header is longer than {LONGEST_HEADER >> 20} MiB; export the series again")
            self._data = self.read(min(have * 8, LONGEST_HEADER))
            if len(self._data) == have:
                raise Broken("the file ends inside its header: it is truncated; copy or export it again")

    def pixels(self) -> tuple[int, int]:
        """Place and length of the pixels in bytes, after a walk to :data:`PIXEL_DATA`; length -1 for fragments.

        Raises
        ------
        Broken
            If no pixels come next.
        """
        explicit, order = self.syntax.explicit, ">" if self.syntax.big else "<"
        width = 12 if explicit else 8
        if len(self._data) < self._at + width:
            self._data = self.read(self._at + width)
        head = self._data[self._at : self._at + width]
        if len(head) < width or struct.unpack_from(f"{order}HH", head) != (0x7FE0, 0x0010):
            raise Broken("PixelData (7FE0,0010) is absent: the file is truncated, or holds no picture")
        if explicit and head[4:6] not in (b"OW", b"OB"):
            raise Broken("PixelData (7FE0,0010) is of a type that pixels do not have; export the series again")
        (length,) = struct.unpack_from(f"{order}I", head, 8 if explicit else 4)
        return self._at + width, -1 if length == UNDEFINED else length

    def read(self, count: int) -> bytes:
        """The first bytes of the file, at most so many; those of a deflate stream unpacked."""
        with open(self.path, "rb", buffering=0) as file:
            if not self.syntax.deflated:
                return file.read(count)
            head, packed = file.read(self._start), file.read()
        try:
            return head + zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, max(count - len(head), 1))
        except zlib.error:
            raise Broken("its deflate stream is damaged; copy or export it again") from None


def open_dicom(path: Path, wanted: frozenset[int]) -> DicomFile | None:
    """Begin to read a file: its own group is walked. None where it is not DICOM.

    Raises
    ------
    DataError
        If it cannot be read (gone, no permission, a folder), names the file.
    Broken
        See :meth:`DicomFile.walk`.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            size, data = os.fstat(file.fileno()).st_size, file.read(FIRST_READ)
    except OSError as error:
        raise DataError(unreadable(path, error)) from None
    return DicomFile(path, size, data, wanted) if data[128:132] == b"DICM" else None


def unreadable(path: Path, error: OSError) -> str:
    """What to say of a file or folder that the system would not give."""
    return f"{path}: cannot be read ({error.strerror or type(error).__name__}); see that it is there and yours to read"


_HEAD = {order: struct.Struct(f"{order}HH2sH").unpack_from for order in "<>"}
_HEAD_IMPLICIT = struct.Struct("<HHI").unpack_from
_WORD = {order: struct.Struct(f"{order}I").unpack_from for order in "<>"}


def _explicit(data: bytes, at: int, until: int, wanted: frozenset[int], found: dict[int, bytes], order: str) -> int:
    head, word, end = _HEAD[order], _WORD[order], len(data)
    try:
        while True:
            group, element, kind, length = head(data, at)
            tag = group << 16 | element
            if tag >= until:
                return at
            value = at + 8
            if kind not in _SHORT:
                if kind not in _LONG:
                    raise Broken(_damaged(at))
                (length,) = word(data, value)
                value += 4
                if length == UNDEFINED:
                    at = _past_items(data, at, value, kind, order, 0)
                    continue
            stop = value + length
            if tag in wanted:
                if stop > end:
                    raise _More(at)
                found[tag] = data[value:stop]
            at = stop
    except struct.error:
        raise _More(at) from None


def _implicit(data: bytes, at: int, until: int, wanted: frozenset[int], found: dict[int, bytes], order: str) -> int:
    end = len(data)
    try:
        while True:
            group, element, length = _HEAD_IMPLICIT(data, at)
            tag = group << 16 | element
            if tag >= until:
                return at
            if length == UNDEFINED:
                at = _past_items(data, at, at + 8, b"", order, 0)
                continue
            stop = at + 8 + length
            if tag in wanted:
                if stop > end:
                    raise _More(at)
                found[tag] = data[at + 8 : stop]
            at = stop
    except struct.error:
        raise _More(at) from None


def _past_items(data: bytes, begin: int, at: int, kind: bytes, order: str, depth: int) -> int:
    """The place after a sequence of undefined length whose first item is at ``at``; ``begin`` is where to resume."""
    if depth > DEEPEST:
        raise Broken(f"sequences lie more than {DEEPEST} deep in each other: the file is damaged; export it again")
    if kind not in (b"", b"SQ", b"UN"):
        raise Broken("an element of undefined length is no sequence: the file is damaged; copy or export it again")
    if kind == b"UN":  # its items are written in implicit little endian, whatever the file's syntax (PS3.5, 6.2.2)
        kind, order = b"", "<"
    item, head, word = struct.Struct(f"{order}HHI").unpack_from, _HEAD[order], _WORD[order]
    try:
        while True:
            group, element, length = item(data, at)
            tag, at = group << 16 | element, at + 8
            if tag == _SEQUENCE_END:
                return at
            if tag != _ITEM:
                raise Broken("a sequence holds something that is no item: the file is damaged; copy or export it again")
            if length != UNDEFINED:
                at += length
                continue
            while True:
                group, element, inner, length = head(data, at)
                tag, value = group << 16 | element, at + 8
                if tag == _ITEM_END:
                    at = value
                    break
                if not kind or inner not in _SHORT:
                    if kind and inner not in _LONG:
                        raise Broken(_damaged(at))
                    (length,) = word(data, value if kind else at + 4)
                    value += 4 if kind else 0
                    if length == UNDEFINED:
                        at = _past_items(data, begin, value, inner if kind else b"", order, depth + 1)
                        continue
                at = value + length
    except struct.error:
        raise _More(begin) from None


def _damaged(at: int) -> str:
    # The place alone: what stands there may be part of a name.
    return (
        f"no valid element begins at byte {at}: the file is damaged, or not in the transfer syntax that it names; copy or "
        "export it again"
    )
