"""Samples as WFDB stores them: formats 16, 212 and 80."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["MISSING", "encode", "read_samples"]

MISSING = {16: -(2**15), 212: -(2**11), 80: -(2**7)}
"""The stored value by which each format says that a sample is not there: the lowest that it has."""


def read_samples(path: Path | str, fmt: int, offset: int, first: int, count: int) -> npt.NDArray[np.int16]:
    """Some samples of a file, channels interleaved as they are stored.

    Parameters
    ----------
    path : Path
    fmt : int
        16 (two bytes, low first), 212 (two samples of 12 bits in three bytes) or 80 (one byte, 128 is zero).
    offset : int
        Bytes before the first sample of the file.
    first, count : int
        Which samples, counted over all channels.

    Returns
    -------
    ndarray of int16, shape (sample,)
        Fewer than ``count`` where the file ends before.

    Raises
    ------
    OSError
    """
    if fmt == 16:
        raw = _bytes(path, offset + 2 * first, 2 * count)
        return np.frombuffer(raw, "<i2", len(raw) // 2)
    if fmt == 80:
        return np.frombuffer(_bytes(path, offset + first, count), np.uint8).astype(np.int16) - np.int16(128)
    # Two samples in three bytes: reading starts at a pair, and the last sample of an odd number takes two bytes.
    before = first % 2
    start = (first - before) // 2 * 3
    end = (3 * (first + count) + 1) // 2
    return _from_212(np.frombuffer(_bytes(path, offset + start, end - start), np.uint8))[before : before + count]


def encode(samples: npt.NDArray[np.int16]) -> bytes:
    """Samples in format 16."""
    return np.ascontiguousarray(samples, "<i2").tobytes()


def _from_212(raw: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
    """Bytes a, b, c hold the samples ``b's low half, a`` and ``b's high half, c`` (12 bits, two's complement)."""
    whole = len(raw) // 3
    rest = len(raw) - 3 * whole
    out = np.empty(2 * whole + (rest == 2), np.int16)
    low, middle, high = raw[: 3 * whole].reshape(whole, 3).T
    half = middle.astype(np.int16)
    # Shifted to the top and back the half byte brings its sign with it.
    out[: 2 * whole : 2] = ((half << 12) >> 4) | low
    out[1 : 2 * whole : 2] = (((half & 0xF0) << 8) >> 4) | high
    if rest == 2:
        half = raw[-1:].astype(np.int16)
        out[-1:] = ((half << 12) >> 4) | raw[-2:-1]
    return out


_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0)  # Windows would otherwise turn line ends into others


def _bytes(path: Path | str, start: int, count: int) -> bytes | bytearray:
    opened = os.open(path, _READ)
    try:
        os.lseek(opened, start, os.SEEK_SET)
        found = os.read(opened, count)
        if len(found) == count:
            return found
        # A system reads 2 GiB at most in one go.
        whole = bytearray(found)
        while found and len(whole) < count:
            found = os.read(opened, count - len(whole))
            whole += found
        return whole
    finally:
        os.close(opened)
