"""Folders of collected rows: shards that are mapped into memory, and one row of facts a sample."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pellucid.activations.shuffling import Shuffle
from pellucid.data.rows import RowsWriter
from pellucid.errors import DataError, RunError
from pellucid.files import sha256

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
"""Version of the folder. Another one is refused."""

DOCUMENT = "activations.json"

SHARD_ROWS = 1 << 20

Precision = Literal["float16", "float32"]

LARGEST_HALF = 65504.0


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
        """Shuffle, write the shards and what belongs to them, and put the folder in its place."""
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


class Shards:
    """Rows of a folder, read from maps of its shards.

    Opening looks at the files' headers and lengths alone. What is inside is compared with its digest when a shard is first read
    from in a process: opening ten million rows takes no longer for it, and nothing is computed from what is not as it was
    written.

    Parameters
    ----------
    folder : Path
    name : str
        Of the array.
    document : mapping
        As :func:`read_document` gives it.

    Raises
    ------
    DataError
        If a file cannot be read, or holds another number of rows, another width or another type; when rows are read, if it is not
        the file that was written.
    """

    def __init__(self, folder: Path, name: str, document: Mapping[str, Any]) -> None:
        sizes, width = list(document["shards"]), document["widths"].get(name)
        row, dtype = ((), np.dtype("<i4")) if width is None else ((int(width),), np.dtype(document["precision"]))
        self._maps = [_mapped(folder / file_name(name, at), (size, *row), dtype) for at, size in enumerate(sizes)]
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self._folder, self._name, self._document = folder, name, document
        self._unread = set(range(len(sizes)))

    def whole(self) -> np.ndarray:
        """All rows."""
        self._compare(range(len(self._maps)))
        return np.concatenate(self._maps)

    def _compare(self, shards: Iterable[int]) -> None:
        for at in self._unread.intersection(shards):
            check_digest(self._folder, file_name(self._name, at), self._document)
            self._unread.remove(at)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        if len(self._maps) == 1:
            self._compare([0])
            found: np.ndarray = self._maps[0][rows]
            return found
        shard = np.searchsorted(self._starts, rows, side="right") - 1
        touched = np.unique(shard).tolist()
        if self._unread:
            self._compare(touched)
        found = np.empty((len(rows), *self._maps[0].shape[1:]), self._maps[0].dtype)
        for at in touched:
            here = shard == at
            found[here] = self._maps[at][rows[here] - self._starts[at]]
        return found


def file_name(array: str, shard: int) -> str:
    """Name of a shard's file."""
    return f"{array}-{shard:05}.npy"


def _mapped(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    try:
        found = np.load(path, mmap_mode="r").view(np.ndarray)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read ({error}): it is damaged; collect the activations again") from None
    if (found.shape, found.dtype) != (shape, dtype):
        raise DataError(
            f"{path} has shape {found.shape} of {found.dtype}, not {shape} of {dtype} as it was written: collect the activations again"
        )
    return found


def check_digest(folder: Path, name: str, document: Mapping[str, Any]) -> Path:
    """Path of a file of the folder that is still what was written.

    Raises
    ------
    DataError
    """
    path = folder / name
    about = path.stat()
    if _sha256(path, about.st_size, about.st_mtime_ns) != document["files_sha256"][name]:
        raise DataError(f"{path} is not the file that was written: collect the activations again")
    return path


@lru_cache(maxsize=1 << 16)
def _sha256(path: Path, _size: int, _changed_ns: int) -> str:
    # A folder is opened once for each fold, and again for what is shown: a file that has not changed is read for this once.
    return sha256(path)


def read_document(folder: Path) -> dict[str, Any]:
    """``activations.json`` of a folder whose files are all there.

    Raises
    ------
    DataError
        If it is no such folder, of another version, or not whole.
    """
    path = folder / DOCUMENT
    try:
        document = json.loads(path.read_text("utf-8"))
        version = document["format"]
        if version != FORMAT:
            raise DataError(
                f"{path} has format {version!r}; this pellucid reads {FORMAT}: collect the activations again"
            )
        files, shards = document["files_sha256"], document["shards"]
        arrays = ["source", "position", *document["widths"]]
        _ = [
            np.dtype(document["precision"]),
            document["source"]["spec"],
            *(document[key] for key in ("made_by", "layer", "shape")),
        ]
    except FileNotFoundError:
        raise DataError(
            f"{folder} holds no {DOCUMENT}: pellucid activations RUN --layer ... --out {folder} makes one"
        ) from None
    except KeyError as error:
        raise DataError(f"{path} lacks {error}, so it is not what was written: collect the activations again") from None
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} cannot be read ({error}): collect the activations again") from None
    missing = [name for name in files if not (folder / name).is_file()]
    needed = (file_name(array, at) for array in arrays for at in range(len(shards)))
    missing += [name for name in needed if name not in files]
    if missing:
        raise DataError(
            f"{folder} lacks {', '.join(sorted(set(missing))[:4])}: it is not whole; collect the activations again"
        )
    assert isinstance(document, dict)
    return document


def digest_of(document: Mapping[str, Any]) -> str:
    """Digest of all that the folder held when it was written."""
    said = json.dumps(document, sort_keys=True).encode()
    return hashlib.blake2b(said, digest_size=16).hexdigest()


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
