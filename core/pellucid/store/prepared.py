"""The prepared store: samples that were read once, kept as one array an input and one table, from which training reads."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.errors import DataError, RunError
from pellucid.files import sha256
from pellucid.store.preparing import FORMAT, Preparing, digest_of, not_written
from pellucid.store.rows import Rows

__all__ = ["Prepared", "Preparing", "made_from", "prepared"]

ABANDONED_S = 24 * 3600
"""A half-written folder in which nothing was written for so long belongs to a process that was killed."""

_verified: set[tuple[Path, int, int, int, str]] = set()
"""Arrays that this process has compared with their digests: place, file number, size, time and digest."""


class Prepared:
    """Samples in a folder: ``NAME.npy`` for each array, ``table.parquet``, and ``prepared.json`` that says what belongs to it.

    Parameters
    ----------
    folder : Path

    Of the arrays only the sizes are looked at here; :meth:`verify` reads them.

    Raises
    ------
    OSError, ValueError
        If the folder is not whole. :func:`prepared` makes it again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        document = json.loads((folder / "prepared.json").read_text("utf-8"))
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError("another format")
        if digest_of(document) != document["digest"]:
            raise ValueError("prepared.json is not what was written")
        self.notes: dict[str, Any] = document["notes"]
        """What the maker noted beside samples and table, as JSON holds it."""
        self.arrays = {name: Rows(folder / f"{name}.npy") for name in document["arrays"]}
        """The arrays by name, for whoever wants some rows without keeping a file mapped."""
        self._maps: dict[str, npt.NDArray[Any]] = {}
        for name, array in self.arrays.items():
            if [str(array.dtype), *array.shape] != document["arrays"][name]["is"]:
                raise ValueError(f"{name} is not the array that was written")
        if sha256(folder / "table.parquet") != document["table"]:
            raise ValueError("the table is not the one that was written")
        self.table: pd.DataFrame = pd.read_parquet(folder / "table.parquet")
        """One row a sample, in the order of the arrays."""
        self._digests = {name: one["digest"] for name, one in document["arrays"].items()}

    def __len__(self) -> int:
        return len(self.table)

    def __reduce__(self) -> tuple[type[Prepared], tuple[Path]]:
        # By its place: a map that is sent to another process would be sent with all its bytes.
        return Prepared, (self.folder,)

    def read(self, rows: npt.NDArray[np.integer], names: Sequence[str] | None = None) -> dict[str, npt.NDArray[Any]]:
        """Some samples of all arrays, or of those named, in the order asked for.

        The files are mapped at the first read and stay so.

        Raises
        ------
        DataError
            If a file was removed or cut short in between.
        """
        return {name: self._mapped(name)[rows] for name in (self.arrays if names is None else names)}

    def _mapped(self, name: str) -> npt.NDArray[Any]:
        array = self.arrays[name]
        try:
            # To read where a mapped file has ended would end the process.
            if array.path.stat().st_size != array.bytes:
                raise DataError(f"{array.path}: became shorter; open the data again, so that it is made again")
            if name not in self._maps:
                self._maps[name] = np.load(array.path, mmap_mode="r").view(np.ndarray)
        except OSError as error:
            raise DataError(
                f"{array.path}: cannot be read ({error.strerror or error}); open the data again, so that it is made again"
            ) from None
        return self._maps[name]

    def verify(self) -> None:
        """Compare every byte of the arrays with the digests that were kept, once in a process.

        At 1.5 GB a second. A disk that loses bits changes neither size nor time of a file.

        Raises
        ------
        OSError, ValueError
            If an array cannot be read, or is not what was written.
        """
        for name, array in self.arrays.items():
            status = array.path.stat()
            seen = (array.path, status.st_ino, status.st_size, status.st_mtime_ns, self._digests[name])
            if seen in _verified:
                continue
            # From the file and not from a map: what a disk cannot read is an error there and the end of the process here.
            if sha256(array.path) != self._digests[name]:
                raise ValueError(f"{array.path.name} is not what was written")
            _verified.add(seen)


def prepared(place: Path, key: str, make: Callable[[Preparing], pd.DataFrame]) -> Prepared:
    """The store ``place-key`` where it is there and whole to the last byte, else made; of a damaged one a warning says so.

    It is written beside its place and moved there when it is whole, so that nobody ever sees half of it. Where two processes
    make the same one, the first to end wins, and both read that.

    Parameters
    ----------
    place : Path
        Folder and first part of the store's name: ``cache_folder() / "recordings"``.
    key : str
        See :func:`made_from`.
    make : callable
        Gets a :class:`Preparing`, adds the samples to it and returns the table, one row a sample in the same order. What it
        raises is passed on, and nothing is kept.

    Returns
    -------
    Prepared

    Raises
    ------
    RunError
        If the folder cannot be written, or the disk is full.
    """
    folder = place.with_name(f"{place.name}-{key}")
    found = _opened(folder, say=True)
    if found is not None:
        return found
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise not_written(folder, error) from error
    preparing = Preparing(temporary)
    try:
        table = make(preparing)
        try:
            preparing.finish(table, key)
            _move(temporary, folder)
        except OSError as error:
            raise not_written(folder, error) from error
    finally:
        preparing.close()
        shutil.rmtree(temporary, ignore_errors=True)
    found = _opened(folder)
    if found is None:
        raise RunError(f"{folder} is not what was written there a moment ago; remove it and run the same command again")
    return found


def made_from(facts: Mapping[str, Any], files: Sequence[Path] = ()) -> str:
    """A key that names what a store is made from: options and other facts, and the places, sizes and times of files.

    Contents are not read for it: a tree of records would take hours. A file that is replaced has another time.

    Parameters
    ----------
    facts : mapping
        What JSON holds. A version of the code that makes the samples belongs among them: raise it when they come out
        differently.
    files : sequence of Path
    """
    total = hashlib.blake2b(digest_size=12)
    total.update(json.dumps(dict(facts), sort_keys=True).encode())
    for file in files:
        status = file.stat()
        total.update(f"\x1f{file.resolve()}\x1f{status.st_size}\x1f{status.st_mtime_ns}".encode())
    return total.hexdigest()


def _opened(folder: Path, say: bool = False) -> Prepared | None:
    try:
        store = Prepared(folder)
        store.verify()
    except (OSError, ValueError, EOFError, KeyError, TypeError, RecursionError) as error:
        if say and folder.exists():
            warnings.warn(f"{folder} cannot be used ({error}); it is made again from its source", stacklevel=3)
        return None
    return store


def _move(temporary: Path, folder: Path) -> None:
    """Put a whole store in its place, unless another process has put one there in the meantime."""
    for _ in range(3):
        try:
            os.rename(temporary, folder)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
        if _opened(folder) is not None:
            return
        # Damaged. It is moved away first, as a removal is not done at once: others would see half of it.
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        with suppress(FileNotFoundError):
            os.rename(folder, aside / "damaged")
        shutil.rmtree(aside, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    for other in folder.parent.glob(f".{folder.name}.*"):
        with suppress(OSError):
            written = max(path.stat().st_mtime for path in (other, *other.iterdir()))
            if time.time() - written > ABANDONED_S:
                shutil.rmtree(other, ignore_errors=True)
