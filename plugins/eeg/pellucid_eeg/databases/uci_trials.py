"""Trials of the UCI EEG Database: gzipped text, one file a trial, channel after channel."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

RATE_HZ = 256.0
SAMPLES = 256
LARGEST_BYTES = 8 << 20
"""A trial of 64 channels over a second takes half a megabyte of text; what unpacks to sixteen times that is none."""

_CONDITION = re.compile(r"^(S1 obj|S2 match|S2 nomatch)(?: err)?\s*,\s*trial (\d+)$")


@dataclass(frozen=True, eq=False)
class Trial:
    """One second after a picture came up.

    Parameters
    ----------
    condition : str
        ``"S1 obj"`` (first picture), ``"S2 match"`` (the second, the same) or ``"S2 nomatch"`` (another).
    error : bool
        Whether the person's answer was wrong.
    number : int
        Of the trial within the person's session.
    channels : tuple of str
        As the file writes them.
    signals_uv : ndarray, float32, shape (channel, time)
    """

    condition: str
    error: bool
    number: int
    channels: tuple[str, ...]
    signals_uv: npt.NDArray[np.float32]


def read_trial(path: Path) -> Trial:
    """Read one trial.

    Who was recorded stands in the first line and in every file's name; neither is looked at.

    Parameters
    ----------
    path : Path
        ``NAME.rd.NNN.gz``, or without ``.gz``.

    Raises
    ------
    DataError
        If the file is not whole, or something else; says which line.
    """
    lines = _text(path).split("\n")
    head = [line[1:].strip() for line in lines[:4] if line.startswith("#")]
    if len(head) < 4:
        raise DataError(f"{path.name}: line {len(head) + 1}: a trial begins with four lines of '#'")
    condition = _CONDITION.match(head[3])
    if condition is None:
        raise DataError(f"{path.name}: line 4: {head[3]!r} is no condition such as 'S1 obj , trial 0'")
    if "uV" not in head[2].split():
        raise DataError(f"{path.name}: line 3: {head[2]!r} does not give values in uV")
    channels, signals = _channels(path, lines)
    return Trial(condition[1], "err" in head[3].split(",")[0].split(), int(condition[2]), channels, signals)


def _channels(path: Path, lines: list[str]) -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
    names: list[str] = []
    found: list[npt.NDArray[np.float32]] = []
    at = 4
    while at < len(lines) and lines[at].strip():
        title = lines[at].split()
        if len(title) != 4 or title[0] != "#" or title[2] != "chan":
            raise DataError(f"{path.name}: line {at + 1}: {lines[at]!r} does not begin a channel ('# FP1 chan 0')")
        block = lines[at + 1 : at + 1 + SAMPLES]
        cells = " ".join(block).split()
        if len(block) < SAMPLES or len(cells) != 4 * SAMPLES:
            raise DataError(f"{path.name}: line {at + 1}: channel {title[1]!r} has no {SAMPLES} values")
        if cells[2::4] != _COUNT or set(cells[1::4]) != {title[1]}:
            raise DataError(f"{path.name}: line {at + 1}: the values of channel {title[1]!r} are not in order")
        try:
            values = np.array(cells[3::4], np.float32)
        except ValueError as error:
            raise DataError(f"{path.name}: channel {title[1]!r}: {error}") from None
        if not np.isfinite(values).all():
            raise DataError(
                f"{path.name}: channel {title[1]!r}: sample {int(np.isfinite(values).argmin())} is no number"
            )
        names.append(title[1])
        found.append(values)
        at += 1 + SAMPLES
    if not found:
        raise DataError(f"{path.name}: line 5: no channel follows")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path.name}: channel {twice!r} stands there twice")
    if any(line.strip() for line in lines[at:]):
        raise DataError(f"{path.name}: line {at + 1}: something follows an empty line")
    return tuple(names), np.stack(found)


_COUNT = [str(number) for number in range(SAMPLES)]


def _text(path: Path) -> str:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rb") as file:
                data = file.read(LARGEST_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(LARGEST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name}: cannot be read ({error}); get the file again") from None
    if len(data) > LARGEST_BYTES:
        raise DataError(f"{path.name}: holds more than {LARGEST_BYTES >> 20} MB of text; that is no trial")
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name}: byte {error.start} is not text") from None
