"""Folders of collected rows, written: rows of layers shuffled over the whole, in shards, with one row of facts a sample."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pellucid.activations.folder import DOCUMENT, FORMAT, file_name
from pellucid.activations.shuffling import Shuffle
from pellucid.errors import DataError, RunError
from pellucid.files import sha256
from pellucid.store.rows import RowsWriter

if TYPE_CHECKING:
    import pandas as pd

SHARD_ROWS = 1 << 20
"""Rows of a file at most."""

Precision = Literal["float16", "float32"]

LARGEST_HALF = float(np.finfo(np.float16).max)


class Writer:
    """Writes rows of one or several layers of the same shape of positions, shuffled over the whole.

    Parameters
    ----------
    folder : Path
        Must not exist, or be empty. It is there when all of it is.
    widths : mapping of str to int
        Units of each array.
    expected : int
        About how many rows there will be.
    precision : {"float16", "float32"}
    buffer_bytes : int
        Memory for the shuffle.
    seed : int

    Raises
    ------
    RunError
        If the folder holds something, or cannot be written.
    """

    def __init__(
        self, folder: Path, widths: Mapping[str, int], expected: int, precision: Precision, buffer_bytes: int, seed: int
    ) -> None:
        check_place(folder)
        self.folder, self.precision, self.widths = folder, np.dtype(precision), dict(widths)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            self._temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        except OSError as error:
            raise RunError(
                f"cannot write {folder}: {error.strerror or error}; choose a place that you may write to"
            ) from error
        fields: list[Any] = [("source", "<i4"), ("position", "<i4")]
        self._record = np.dtype(fields + [(name, self.precision, (width,)) for name, width in self.widths.items()])
        self._shuffle = Shuffle(self._temporary, self._record, expected, buffer_bytes, seed)
        self.count = 0

    def add(self, arrays: Mapping[str, np.ndarray], sources: np.ndarray, positions: np.ndarray) -> None:
        """Append rows.

        Parameters
        ----------
        arrays : mapping of str to ndarray, shape (row, unit)
            One for each of ``widths``.
        sources, positions : ndarray of int, shape (row,)
            The number of each row's sample, and where in it the row lies.

        Raises
        ------
        DataError
            If a value is too large for the precision.
        """
        records = np.empty(len(sources), self._record)
        records["source"], records["position"] = sources, positions
        for name, values in arrays.items():
            if self.precision == np.float16 and len(values) and float(np.abs(values).max()) > LARGEST_HALF:
                raise DataError(
                    f"{name} reach {np.abs(values).max():.3g}, which float16 cannot hold: keep them as float32 (--dtype float32)"
                )
            records[name] = values
        try:
            self._shuffle.add(records)
        except OSError as error:
            raise _full(self.folder, error) from error
        self.count += len(sources)

    def finish(self, samples: pd.DataFrame, facts: Mapping[str, Any]) -> None:
        """Shuffle, write the shards and what belongs to them, and put the folder in its place.

        Parameters
        ----------
        samples : DataFrame
            One row a sample, in the order that ``sources`` count in.
        facts : mapping
            What the document says beside the shape of the files: layer, shape of positions, whom the model has learnt from,
            source.

        Raises
        ------
        RunError
            If the folder cannot be written.
        """
        try:
            shards = self._write()
            samples.to_parquet(self._temporary / "samples.parquet")
            files = {path.name: sha256(path) for path in sorted(self._temporary.iterdir())}
            document = {**facts, "format": FORMAT, "rows": self.count, "shards": shards, "widths": self.widths,
                        "precision": self.precision.name, "files_sha256": files}  # fmt: skip
            (self._temporary / DOCUMENT).write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", "utf-8")
            if self.folder.exists():
                self.folder.rmdir()
            self._temporary.rename(self.folder)
        except OSError as error:
            raise _full(self.folder, error) from error

    def _write(self) -> list[int]:
        """Shards of at most :data:`SHARD_ROWS` rows; gives how many rows each has."""
        sizes: list[int] = []
        with ExitStack() as stack:
            writers: dict[str, RowsWriter] = {}
            for records in self._shuffle.shuffled():
                while len(records):
                    if not writers or sizes[-1] == SHARD_ROWS:
                        for writer in writers.values():
                            writer.finish()
                        writers = self._writers(len(sizes))
                        for writer in writers.values():
                            stack.callback(writer.close)
                        sizes.append(0)
                    fitting = records[: SHARD_ROWS - sizes[-1]]
                    for name, writer in writers.items():
                        writer.extend(np.ascontiguousarray(fitting[name]))
                    sizes[-1] += len(fitting)
                    records = records[len(fitting) :]
            for writer in writers.values():
                writer.finish()
        return sizes

    def _writers(self, shard: int) -> dict[str, RowsWriter]:
        whole: np.dtype[Any] = np.dtype("<i4")
        kinds: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {"source": ((), whole), "position": ((), whole)}
        kinds |= {name: ((width,), self.precision) for name, width in self.widths.items()}
        return {
            name: RowsWriter(self._temporary / file_name(name, shard), shape, dtype)
            for name, (shape, dtype) in kinds.items()
        }

    def close(self) -> None:
        """Remove what was written, unless it was finished."""
        shutil.rmtree(self._temporary, ignore_errors=True)


def check_place(folder: Path) -> None:
    """Refuse a place that holds something, before anything is computed.

    Raises
    ------
    RunError
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise RunError(f"{folder} is there already: choose another --out, or remove it")


def _full(folder: Path, error: OSError) -> RunError:
    return RunError(f"cannot write {folder}: {error.strerror or error}; free some space, or choose another --out")
