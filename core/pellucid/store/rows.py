"""Arrays on disk of which rows are read when they are asked for."""

from __future__ import annotations

import os
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

__all__ = ["Rows", "RowsWriter"]


class Rows:
    """An array in a ``.npy`` file, of which rows are read when they are asked for.

    Rows are read into the result itself. Nothing stays open or mapped in between: a mapped file counts among those that a
    process may have open, and a cohort has more scans than that. (Shuffled batches of one large array come faster from a map:
    :class:`~pellucid.store.prepared.Prepared` keeps one.)

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
        self._row_bytes = int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize
        self.bytes = self._offset + self.shape[0] * self._row_bytes
        if turned or path.stat().st_size != self.bytes:
            raise ValueError("in another order, or cut short")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | slice | npt.NDArray[np.integer]) -> npt.NDArray[Any]:
        """One row, or several in the order asked for.

        Raises
        ------
        IndexError
            For a row that is not there.
        DataError
            If the file was removed or cut short since it was opened.
        """
        if isinstance(rows, int | np.integer):
            return self._read(np.array([rows]))[0]
        if isinstance(rows, slice):
            return self._read(np.arange(*rows.indices(len(self))))
        asked = np.asarray(rows)
        return self._read(np.flatnonzero(asked) if asked.dtype == bool else asked)

    def _read(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[Any]:
        rows = rows.astype(np.int64)
        if rows.size and not -len(self) <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)} in {self.path.name}")
        rows = rows % max(len(self), 1)
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        if not out.size:
            return out
        into = out.reshape(-1).view(np.uint8).data
        # Neighbours are read in one go.
        starts = [0, *(np.flatnonzero(np.diff(rows) != 1) + 1).tolist()]
        try:
            with open(self.path, "rb", buffering=0) as file:
                for first, last in zip(starts, [*starts[1:], len(rows)], strict=True):
                    file.seek(self._offset + int(rows[first]) * self._row_bytes)
                    self._fill(file, into[first * self._row_bytes : last * self._row_bytes])
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot be read ({error.strerror or error}); open the data again, so that it is made again"
            ) from None
        return out

    def _fill(self, file: FileIO, into: memoryview) -> None:
        while len(into):  # a system reads 2 GiB at most in one go
            count = file.readinto(into)
            if not count:
                raise DataError(f"{self.path}: became shorter; open the data again, so that it is made again")
            into = into[count:]


class RowsWriter:
    """Writes a ``.npy`` file row after row; how many there are is known at the end.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        Of one row.
    dtype : dtype
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        if dtype.hasobject:
            raise DataError(f"{path.stem}: values of type {dtype} cannot be kept; give numbers")
        self.shape, self.dtype, self.count = shape, dtype, 0
        self._file = path.open("wb")
        self._header()
        self._offset = self._file.tell()

    def extend(self, values: npt.NDArray[Any]) -> None:
        """Append rows, shape ``(row, *shape)``."""
        if values.shape[1:] != self.shape or values.dtype != self.dtype:
            raise DataError(
                f"a row of {Path(self._file.name).stem} has shape {values.shape[1:]} and type {values.dtype}, but those before "
                f"it {self.shape} and {self.dtype}; all rows need the same"
            )
        self._file.write(np.ascontiguousarray(values).data)
        self.count += len(values)

    def finish(self) -> None:
        """Write the number of rows, and see to it that all is on the disk."""
        self._file.seek(0)
        self._header()
        if self._file.tell() != self._offset:
            raise RuntimeError("numpy leaves no room in its header for the number of rows")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()

    def close(self) -> None:
        """Close the file, finished or not; what was not written by :meth:`finish` may be lost."""
        # What still waits to be written cannot be where the disk is full: whoever gives up has said so already.
        with suppress(OSError):
            self._file.close()

    def _header(self) -> None:
        # numpy pads the header so that the number of rows may grow.
        facts = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.count, *self.shape),
        }
        np.lib.format.write_array_header_1_0(self._file, facts)
