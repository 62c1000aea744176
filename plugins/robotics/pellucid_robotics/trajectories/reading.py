"""Files of arrays and metadata, read within bounds; a broken one is refused with its name."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import DataError

LARGEST_BYTES = 4 << 30
"""Of the arrays of one file, unpacked."""

LARGEST_JSON = 16 << 20


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a ``.npz`` or ``.npy`` file; that of a ``.npy`` is called ``""``. Nothing in it is executed.

    Raises
    ------
    DataError
        If it is not there, broken, too large, or holds Python objects.
    """
    if not path.is_file():
        raise DataError(f"{path}: is not there")
    try:
        if path.suffix == ".npy":
            if path.stat().st_size > LARGEST_BYTES:
                raise DataError(f"{path.name}: holds more than {LARGEST_BYTES >> 30} GB")
            return {"": np.load(path, allow_pickle=False)}
        with zipfile.ZipFile(path) as packed:
            if sum(one.file_size for one in packed.infolist()) > LARGEST_BYTES:
                raise DataError(f"{path.name}: holds more than {LARGEST_BYTES >> 30} GB of arrays")
        with np.load(path, allow_pickle=False) as held:
            return {key: held[key] for key in held.files}
    except DataError:
        raise
    except (
        OSError,
        ValueError,
        EOFError,
        KeyError,
        SyntaxError,
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
    ) as error:
        why = "holds Python objects, which are not opened" if "allow_pickle" in str(error) else "is broken"
        raise DataError(f"{path.name}: {why}; write plain arrays of numbers with numpy.savez") from None


def json_of(path: Path) -> Any:
    """What a JSON file holds.

    Raises
    ------
    DataError
        If it is not there, too large, or no JSON.
    """
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise DataError(
                f"{path.name}: holds more than {LARGEST_JSON >> 20} MB; that is no description of a dataset"
            )
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path.name}: is no JSON in UTF-8; fetch it again") from None


def texts_of(array: np.ndarray, where: str) -> tuple[str, ...]:
    """An array of texts, such as names.

    Raises
    ------
    DataError
        If it holds something else.
    """
    if array.dtype.kind not in "US" or array.ndim > 1:
        raise DataError(f"{where}: holds {array.dtype} of shape {array.shape}, expected a list of texts")
    return tuple(one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in np.atleast_1d(array))
