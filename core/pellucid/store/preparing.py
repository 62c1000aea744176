"""Writing of a prepared store: arrays sample by sample, then the table and the document that says what belongs together."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.errors import DataError, RunError
from pellucid.files import sha256
from pellucid.store.rows import RowsWriter

FORMAT = 2
"""Of the folder. Others are made again."""

NAMES = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


class Preparing:
    """What a maker writes to: samples one after the other, so that they never have to be in memory together."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: dict[str, Any] = {}
        """For facts beside samples and table (what was found wrong, what was left out); anything that JSON holds."""
        self._writers: dict[str, RowsWriter] = {}

    def add(self, **arrays: npt.ArrayLike) -> None:
        """Append one sample: one array for each input or mask.

        Raises
        ------
        DataError
            If names, shapes or types are not those of the samples before.
        RunError
            If the disk is full.
        """
        self.extend(**{name: np.asarray(values)[None] for name, values in arrays.items()})

    def extend(self, **arrays: npt.NDArray[Any]) -> None:
        """Append several samples; the first axis of each array counts them.

        Raises
        ------
        DataError
            As :meth:`add`.
        """
        if not self._writers:
            try:
                self._writers = {name: self._writer(name, values) for name, values in arrays.items()}
            except OSError as error:
                raise not_written(self.folder, error) from error
        if set(arrays) != set(self._writers):
            raise DataError(f"a sample has the arrays {sorted(arrays)}, those before it {sorted(self._writers)}")
        if len({len(values) for values in arrays.values()}) > 1:
            counts = ", ".join(f"{len(values)} of {name}" for name, values in arrays.items())
            raise DataError(f"arrays of different numbers of samples: {counts}")
        try:
            for name, values in arrays.items():
                self._writers[name].extend(values)
        except OSError as error:
            raise not_written(self.folder, error) from error

    def finish(self, table: pd.DataFrame, key: str) -> None:
        """Write the table and what belongs together.

        Raises
        ------
        DataError
            If the table has another number of rows than there are samples.
        """
        for name, writer in self._writers.items():
            writer.finish()
            if writer.count != len(table):
                raise DataError(f"{writer.count} samples of {name!r} were written, but the table has {len(table)} rows")
        table.to_parquet(self.folder / "table.parquet")
        document = {
            "format": FORMAT,
            "key": key,
            "arrays": {
                name: {
                    "is": [str(writer.dtype), writer.count, *writer.shape],
                    "digest": sha256(self.folder / f"{name}.npy"),
                }
                for name, writer in self._writers.items()
            },
            "table": sha256(self.folder / "table.parquet"),
            "notes": self.notes,
        }
        document["digest"] = digest_of(json.loads(json.dumps(document, allow_nan=False)))
        (self.folder / "prepared.json").write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", "utf-8")

    def close(self) -> None:
        """Close what is open."""
        for writer in self._writers.values():
            writer.close()

    def _writer(self, name: str, values: npt.NDArray[Any]) -> RowsWriter:
        if not name or not NAMES.issuperset(name):
            raise DataError(f"{name!r} cannot name an array; use letters, digits, - and _")
        return RowsWriter(self.folder / f"{name}.npy", values.shape[1:], values.dtype)


def digest_of(document: Mapping[str, Any]) -> str:
    """Digest of what a ``prepared.json`` says, less the digest itself."""
    rest = {key: value for key, value in document.items() if key != "digest"}
    return hashlib.blake2b(json.dumps(rest, sort_keys=True).encode(), digest_size=12).hexdigest()


def not_written(folder: Path, error: OSError) -> RunError:
    """What a user is told where a folder cannot be written: why, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunError(
            f"no space left on the disk while writing {folder}: free some, or name another place by PELLUCID_CACHE, and run "
            "the same command again"
        )
    return RunError(
        f"cannot write {folder}: {error.strerror or error}; name a place that you may write to by PELLUCID_CACHE"
    )
