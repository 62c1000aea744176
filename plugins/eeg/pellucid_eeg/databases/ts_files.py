"""Files of time series for classification (``.ts``): a head of ``@`` lines, and a case a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

__all__ = ["TsCases", "read_ts"]


@dataclass(frozen=True)
class TsCases:
    """The cases of a file.

    Parameters
    ----------
    values : ndarray of float32, shape (case, channel, time)
        NaN where the file has ``?``.
    labels : tuple of str
        One a case.
    said_length : int, optional
        What the head says of their length.
    """

    values: npt.NDArray[np.float32]
    labels: tuple[str, ...]
    said_length: int | None


def read_ts(path: Path) -> TsCases:
    """Read a file whose cases all have the same channels and length.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        Names the line that is no case, has a label that the head does not name, or another shape than the first.
    """
    classes: tuple[str, ...] = ()
    said: int | None = None
    cases: list[npt.NDArray[np.float32]] = []
    labels: list[str] = []
    begun = False
    for number, line in _lines(path):
        if not begun:
            words = line.split()
            key = words[0].lower()
            if not key.startswith("@"):
                raise DataError(
                    f"{path.name}, line {number}: stands before @data and begins with no @; the file is of another kind"
                )
            if key == "@timestamps" and words[1:2] == ["true"]:
                raise DataError(f"{path.name}, line {number}: cases with times of their own are not read")
            if key == "@classlabel":
                classes = tuple(words[2:]) if words[1:2] == ["true"] else ()
            if key == "@serieslength" and words[1:2] and words[1].isdigit():
                said = int(words[1])
            begun = key == "@data"
            continue
        if not classes:
            raise DataError(f"{path.name}: its head names no classes (@classLabel true ...)")
        *channels, label = line.split(":")
        if label.strip() not in classes:
            raise DataError(
                f"{path.name}, line {number}: ends with no class that the head names; the file was cut short"
            )
        cases.append(_case(channels, f"{path.name}, line {number}"))
        labels.append(label.strip())
        if cases[-1].shape != cases[0].shape:
            raise DataError(
                f"{path.name}, line {number}: has {cases[-1].shape[0]} channels of {cases[-1].shape[1]} values, the first case "
                f"{cases[0].shape[0]} of {cases[0].shape[1]}; cases of different shapes are not read"
            )
    if not cases:
        raise DataError(f"{path.name}: holds no case; the file was cut short")
    return TsCases(np.stack(cases), tuple(labels), said)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        # Comments quote letters of all encodings; what counts is plain.
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                plain = line.strip()
                if plain and plain[0] not in "#%":
                    yield number, plain
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read ({error.strerror or error}); fetch it again") from None


def _case(channels: list[str], where: str) -> npt.NDArray[np.float32]:
    try:
        rows = [np.array(one.replace("?", "nan").split(","), np.float64) for one in channels]
    except ValueError:
        raise DataError(f"{where}: holds a value that is no number; fetch the file again") from None
    if not rows or len({len(row) for row in rows}) > 1:
        lengths = sorted({len(row) for row in rows})
        raise DataError(
            f"{where}: its channels have {' and '.join(map(str, lengths)) or 'no'} values; they need to be of one length"
        )
    if any(np.isinf(row).any() for row in rows):
        raise DataError(f"{where}: holds an infinite value; write ? where one is missing")
    return np.stack(rows).astype(np.float32)
