"""Crops of one scan, kept between runs: rows are read when they are asked for, so that a cohort need not fit in memory.

Nobody is named in a kept folder: its name is a digest, and its table holds what the caller's frame may hold.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.errors import RunError
from pellucid.store.prepared import Preparing, made_from, prepared
from pellucid.store.rows import Rows

FORMAT = 1
"""To be raised whenever crops come out differently: older folders are then not found."""


@dataclass(frozen=True, eq=False)
class Crops:
    """Crops of one scan.

    Parameters
    ----------
    pixels : ndarray or Rows of int16, shape (crop, channel, ...)
        Hounsfield units, rounded.
    mask : ndarray or Rows of uint8, shape (crop, channel, ...)
        Share of each pixel or voxel that the lesion covers, in 1/255.
    table : DataFrame
        One row a crop: pseudonyms and numbers alone.
    """

    pixels: npt.NDArray[np.int16] | Rows
    mask: npt.NDArray[np.uint8] | Rows
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
    made: list[Crops] = []

    def write(store: Preparing) -> pd.DataFrame:
        made.append(make())
        store.extend(pixels=np.asarray(made[0].pixels), mask=np.asarray(made[0].mask))
        return made[0].table

    try:
        store = prepared(folder / "ct-crops", key, write)
    except RunError as error:
        crops = made[0] if made else make()
        why = getattr(error.__cause__, "strerror", None) or error
        warnings.warn(
            f"ct-crops-{key} was not kept ({why}); the next run will make it again", RuntimeWarning, stacklevel=2
        )
        return crops
    return Crops(store.arrays["pixels"], store.arrays["mask"], store.table)


def key_of(files: Sequence[Path], options: Mapping[str, Any], pseudonym: Callable[[str], str]) -> str:
    """Names what crops are made from: the files' places, sizes and times, the options, and the salt.

    Contents are not read for it: a tree of scans would take hours. A file that is replaced has another time.
    """
    return made_from({"format": FORMAT, "options": dict(options), "salt": pseudonym("which salt is this?")}, files)
