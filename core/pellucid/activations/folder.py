"""Folders of collected rows, read: a document, and shards that are mapped into memory and compared with their digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import DataError
from pellucid.files import sha256

FORMAT = 1
"""Version of the folder. Another one is refused."""

DOCUMENT = "activations.json"


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

    Parameters
    ----------
    folder : Path
    name : str
        Of the file.
    document : mapping
        As :func:`read_document` gives it.

    Raises
    ------
    DataError
        If it is another file; names it.
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
