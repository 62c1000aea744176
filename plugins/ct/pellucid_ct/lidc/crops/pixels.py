"""The array inside ``slices.npz``: its header is checked before anything is unpacked, and its bytes are counted."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

ARRAY = "pixels"
"""Name of the array."""

_PIXEL_BYTES = 2**30
_SIDES = (8, 512)

_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    OSError,
    EOFError,
    ValueError,
    SyntaxError,
    TypeError,
    KeyError,
    RuntimeError,
    MemoryError,
)
"""What the standard library and numpy raise on damaged archives; ``RuntimeError`` stands for encrypted ones and for
unknown ways of compression."""


def stored_shape(path: Path) -> tuple[int, int, int]:
    """Shape of the array, from its header; nothing else is unpacked.

    Raises
    ------
    DataError
        If the file is damaged, holds another kind of array, or promises more than there is or than memory should hold.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{ARRAY}.npy") as stream:
            shape, header = _header(path, stream)
            declared = archive.getinfo(f"{ARRAY}.npy").file_size
    except _DAMAGED as error:
        raise DataError(f"{path}: {_told(error)}") from None
    if declared != header + int(np.prod(shape)):
        raise DataError(
            f"{path}: array {ARRAY!r} says that it holds {shape[0]} slices, which does not agree with its {declared} bytes"
        )
    return shape


def read_pixels(path: Path, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """All slices of an array of a known shape.

    Raises
    ------
    DataError
        If the array is cut short, has another shape by now, or does not agree with its checksum.
    """
    count = int(np.prod(shape))
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{ARRAY}.npy") as stream:
            found, _ = _header(path, stream)
            # One byte more is asked for than there should be: at the end of an entry its checksum is compared.
            content = stream.read(count + 1)
    except _DAMAGED as error:
        raise DataError(f"{path}: {_told(error)}") from None
    if found != shape or len(content) != count:
        raise DataError(f"{path}: array {ARRAY!r} is cut short or has changed since it was opened; get the file again")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _header(path: Path, stream: IO[bytes]) -> tuple[tuple[int, int, int], int]:
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise DataError(f"{path}: array {ARRAY!r} is stored in a format newer than this software knows")
    shape, by_columns, kind = read(stream)
    if kind != np.uint8 or by_columns:
        raise DataError(f"{path}: array {ARRAY!r} holds {kind}, expected uint8 in the order of rows")
    if len(shape) != 3 or not all(_SIDES[0] <= side <= _SIDES[1] for side in shape[1:]) or shape[0] < 1:
        raise DataError(
            f"{path}: array {ARRAY!r} has shape {shape}, expected slices of {_SIDES[0]} to {_SIDES[1]} rows and columns"
        )
    if int(np.prod([int(side) for side in shape], dtype=object)) > _PIXEL_BYTES:
        raise DataError(f"{path}: array {ARRAY!r} of shape {shape} would fill more than {_PIXEL_BYTES >> 30} GiB")
    return shape, stream.tell()


def _told(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"holds no array {ARRAY!r}"
    if isinstance(error, PermissionError):
        return "cannot be read: permission denied"
    return "is damaged, or no archive of numpy arrays (.npz); get the file again"
