"""HDF5 files, read within bounds: nothing outside a file is opened, and a broken one is refused with its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import DataError, nearest
from pellucid_robotics.trajectories.reading import LARGEST_BYTES

BROKEN = (OSError, KeyError, RuntimeError, ValueError, TypeError, OverflowError)
"""What h5py raises where a file is damaged."""


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A file, open for reading.

    Raises
    ------
    DataError
        If it is not there, no HDF5 file, or damaged.
    """
    import h5py

    if not path.is_file():
        raise DataError(f"{path}: is not there")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except DataError:
        raise
    except BROKEN as error:
        raise DataError(
            f"{path.name}: is no HDF5 file, or is damaged ({type(error).__name__}); fetch it again"
        ) from None


def group_of(parent: Any, name: str, where: str) -> Any:
    """A group below another.

    Raises
    ------
    DataError
        If it is not there, or no group.
    """
    import h5py

    found = _inside(parent, name, where)
    if not isinstance(found, h5py.Group):
        raise DataError(f"{where}: {name!r} is no group")
    return found


def lists_of(group: Any, where: str) -> tuple[list[str], list[str]]:
    """Names below a group: arrays of numbers with a list a step, and all else."""
    import h5py

    lists: list[str] = []
    others: list[str] = []
    for name in group:
        found = _inside(group, name, where)
        plain = isinstance(found, h5py.Dataset) and found.dtype.kind in "fiu" and found.ndim in (1, 2)
        (lists if plain else others).append(name)
    return lists, others


def numbers_of(group: Any, name: str, where: str) -> np.ndarray:
    """An array of shape (step, part); one number a step is one part.

    Raises
    ------
    DataError
        If it is not there, too large, lies in another file, or holds something else.
    """
    import h5py

    found = _inside(group, name, where)
    if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "fiu" or found.ndim not in (1, 2):
        raise DataError(f"{where}: {name!r} is no array of numbers of shape (step, part)")
    if found.external or found.is_virtual:
        raise DataError(f"{where}: {name!r} lies in another file; put it into this one")
    if found.nbytes > LARGEST_BYTES:
        raise DataError(f"{where}: {name!r} holds more than {LARGEST_BYTES >> 30} GB")
    values = np.asarray(found[()])
    return values if values.ndim == 2 else values[:, None]


def _inside(group: Any, name: str, where: str) -> Any:
    import h5py

    if name not in group:
        raise DataError(f"{where}: there is no {name!r}{nearest(name, list(group))}")
    if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
        raise DataError(f"{where}: {name!r} is a link to another file; put it into this one")
    return group[name]
