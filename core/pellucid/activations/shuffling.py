"""A global shuffle of more rows than fit in memory: dealt by lot into parts, each part shuffled by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

SPREAD = 1.25
"""Parts are filled by lot, so some get more rows than others: how much smaller than the buffer they are meant to be."""

SHARE = 3
"""A part stands in memory once as it is read and once in its new order, and its fields beside each other."""


class Shuffle:
    """Takes in records in any order and gives all of them back in a random one, every order being as likely.

    Each record goes to one of some files, drawn by lot; at the end each file is read whole and given back in a random
    order. In memory are a little of every file while it takes in, and one file when it gives back.

    Parameters
    ----------
    folder : Path
        For the files; they are removed as they are given back.
    record : dtype
        A numpy dtype with fields.
    expected : int
        About how many records there will be.
    buffer_bytes : int
        Memory that may be used.
    seed : int
    """

    def __init__(self, folder: Path, record: np.dtype, expected: int, buffer_bytes: int, seed: int) -> None:
        self._folder, self._record = folder, record
        self._chance = np.random.default_rng(seed)
        self._parts = max(1, int(np.ceil(expected * record.itemsize * SPREAD * SHARE / buffer_bytes)))
        # Small writes are gathered first: half of the buffer is shared by all files.
        self._gathered = max(64, buffer_bytes // (2 * SHARE * record.itemsize))
        self._waiting: list[np.ndarray] = []
        self._count = 0

    @property
    def files(self) -> int:
        """Into how many files records are dealt."""
        return self._parts

    def add(self, records: np.ndarray) -> None:
        """Take in records of the dtype."""
        self._waiting.append(records)
        self._count += len(records)
        if self._count >= self._gathered:
            self._deal()

    def _deal(self) -> None:
        if not self._waiting:
            return
        records = self._waiting[0] if len(self._waiting) == 1 else np.concatenate(self._waiting)
        self._waiting, self._count = [], 0
        part = self._chance.integers(self._parts, size=len(records))
        order = np.argsort(part, kind="stable")
        ends = np.cumsum(np.bincount(part, minlength=self._parts))
        for at, (start, stop) in enumerate(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)):
            if start < stop:
                with self._file(at).open("ab") as file:
                    file.write(records[order[start:stop]].data)

    def shuffled(self) -> Iterator[np.ndarray]:
        """All records, a file at a time."""
        self._deal()
        for at in range(self._parts):
            path = self._file(at)
            if path.exists():
                records = np.fromfile(path, self._record)
                path.unlink()
                yield records[self._chance.permutation(len(records))]

    def _file(self, at: int) -> Path:
        return self._folder / f"part-{at:05}"
