"""Crops of one scan, kept between runs: rows are read when they are asked for, so that a cohort need not fit in memory.

Nobody is named in a kept folder: its name is a digest, and its table holds what the caller's frame may hold.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

FORMAT = 1
"""To be raised whenever crops come out differently: older folders are then not found."""


class OnDisk:
    """An array in a ``.npy`` file, of which rows are read when they are asked for.

    Nothing stays open or mapped: a mapped file counts among those that a process may have open, and a cohort has more
    scans than that.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ValueError
        If the file is no such array, is in Fortran order, or is cut short.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError("another version of the format")
            self.shape, turned, self.dtype = np.lib.format.read_array_header_1_0(file)
            self._offset = file.tell()
        self._row = int(np.prod(self.shape[1:], dtype=np.int64))
        if turned or path.stat().st_size != self._offset + self.shape[0] * self._row * self.dtype.itemsize:
            raise ValueError("in another order, or cut short")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | npt.NDArray[np.integer]) -> npt.NDArray[Any]:
        """One row, or several in the order asked for."""
        if isinstance(rows, int | np.integer):
            at = self._offset + int(rows) * self._row * self.dtype.itemsize
            return np.fromfile(self.path, self.dtype, self._row, offset=at).reshape(self.shape[1:])
        return np.stack([self[int(row)] for row in rows])


@dataclass(frozen=True, eq=False)
class Crops:
    """Crops of one scan.

    Parameters
    ----------
    pixels : ndarray or OnDisk of int16, shape (crop, channel, ...)
        Hounsfield units, rounded.
    mask : ndarray or OnDisk of uint8, shape (crop, channel, ...)
        Share of each pixel or voxel that the lesion covers, in 1/255.
    table : DataFrame
        One row a crop: pseudonyms and numbers alone.
    """

    pixels: npt.NDArray[np.int16] | OnDisk
    mask: npt.NDArray[np.uint8] | OnDisk
    table: pd.DataFrame

    @classmethod
    def of(cls, hu: npt.NDArray[np.floating], covered: npt.NDArray[np.floating], table: pd.DataFrame) -> Crops:
        """From Hounsfield units and shares from 0 to 1; both are rounded to what is kept."""
        limits = np.iinfo(np.int16)
        pixels = np.rint(np.clip(hu, limits.min, limits.max)).astype(np.int16)
        return cls(pixels, np.rint(255 * np.clip(covered, 0, 1)).astype(np.uint8), table)


def kept(key: str, make: Callable[[], Crops], folder: Path | None) -> Crops:
    """Crops from the folder where it has them, else made and kept there.

    Parameters
    ----------
    key : str
        See :func:`key_of`.
    make : callable
    folder : Path, optional
        Without it nothing is kept. A folder that cannot be written costs a warning; what is damaged is made again.
    """
    if folder is None:
        return make()
    place = folder / f"ct-crops-{key}"
    found = _read(place)
    if found is not None:
        return found
    crops = make()
    try:
        _write(place, crops)
    except OSError as error:
        warnings.warn(
            f"{place.name} was not kept ({error.strerror}); the next run will make it again",
            RuntimeWarning,
            stacklevel=2,
        )
        return crops
    return _read(place) or crops


def key_of(files: Sequence[Path], options: Mapping[str, Any], pseudonym: Callable[[str], str]) -> str:
    """Names what crops are made from: the files' places, sizes and times, the options, and the salt.

    Contents are not read for it: a tree of scans would take hours. A file that is replaced has another time.
    """
    total = hashlib.blake2b(digest_size=12)
    facts = {"format": FORMAT, "options": dict(options), "salt": pseudonym("which salt is this?")}
    total.update(json.dumps(facts, sort_keys=True).encode())
    for file in files:
        stat = file.stat()
        total.update(f"\x1f{file.resolve()}\x1f{stat.st_size}\x1f{stat.st_mtime_ns}".encode())
    return total.hexdigest()


def _write(place: Path, crops: Crops) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        np.save(temporary / "pixels.npy", np.ascontiguousarray(crops.pixels), allow_pickle=False)
        np.save(temporary / "mask.npy", np.ascontiguousarray(crops.mask), allow_pickle=False)
        crops.table.to_parquet(temporary / "table.parquet")
        if place.exists():
            shutil.rmtree(place)
        os.replace(temporary, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _read(place: Path) -> Crops | None:
    try:
        pixels, mask = OnDisk(place / "pixels.npy"), OnDisk(place / "mask.npy")
        table = pd.read_parquet(place / "table.parquet")
    except (OSError, ValueError, EOFError):
        return None
    fits = pixels.dtype == np.int16 and mask.dtype == np.uint8 and pixels.shape == mask.shape
    return Crops(pixels, mask, table) if fits and len(table) == len(pixels) else None
