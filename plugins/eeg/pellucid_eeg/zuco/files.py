"""Files of ZuCo: for each sentence that somebody read its words and the raw signals, from Matlab 7.3 (HDF5) or older files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

if TYPE_CHECKING:
    import h5py

RATE_HZ = 500.0
ROWS = 105
"""Of a sentence's signals. The last one is the reference, zero throughout."""

STRUCT, WORDS, SIGNALS = "sentenceData", "content", "rawData"


@dataclass(frozen=True, eq=False)
class Reading:
    """What somebody read, and what was recorded meanwhile.

    Parameters
    ----------
    text : str
        Empty where the file has none.
    signals_uv : ndarray of float32, shape (channel, time), optional
        At 500 Hz; None where nothing was recorded.
    why : str
        Why there are no signals.
    """

    text: str
    signals_uv: npt.NDArray[np.float32] | None
    why: str = ""


def read_readings(path: Path) -> Iterator[Reading]:
    """The sentences of one file, in its order, each read when it is asked for (all at once from files older than 7.3).

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If it is no Matlab file, has no struct ``sentenceData`` with ``content`` and ``rawData``, or the signals have another
        number of rows than 105 (or 104 without the reference).
    """
    import h5py

    try:
        new = h5py.is_hdf5(path)
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read ({error})") from None
    yield from _from_hdf5(path) if new else _from_older(path)


def _from_hdf5(path: Path) -> Iterator[Reading]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if STRUCT not in file:
                raise DataError(f"{path.name}: has no {STRUCT!r}, but {', '.join(sorted(file)) or 'nothing'}")
            fields = file[STRUCT]
            for name in (WORDS, SIGNALS):
                if name not in fields:
                    raise DataError(f"{path.name}: {STRUCT} has no field {name!r}; it has {', '.join(sorted(fields))}")
            words, signals = _elements(file, fields[WORDS]), _elements(file, fields[SIGNALS])
            if len(words) != len(signals):
                raise DataError(f"{path.name}: {len(words)} sentences have words and {len(signals)} have signals")
            for number, (said, recorded) in enumerate(zip(words, signals, strict=True)):
                # Matlab stores a matrix column by column, so its rows are the last axis here.
                values = None if recorded is None else np.asarray(recorded[()]).T
                yield _reading(path, number, _characters(said), values)
    except (OSError, RuntimeError, KeyError, AttributeError) as error:
        raise DataError(f"{path.name}: was damaged, it cannot be read as HDF5 ({error})") from None


def _elements(file: h5py.File, field: Any) -> list[Any]:
    """Values of one field of a struct array: by references, or itself where the struct stands alone."""
    import h5py

    if h5py.check_ref_dtype(field.dtype) is None:
        return [_filled(field)]
    return [_filled(file[reference]) if reference else None for reference in np.asarray(field[()]).ravel()]


def _filled(stored: Any) -> Any:
    """A stored array, or None for what Matlab says is empty: the file then holds its size in place of values."""
    return None if stored.attrs.get("MATLAB_empty", 0) else stored


def _characters(stored: Any) -> str:
    """A row of characters, which are kept as whole numbers."""
    if stored is None or stored.dtype.kind not in "ui":
        return ""
    # UTF-16: a sign outside of the basic plane takes two numbers.
    return np.asarray(stored[()]).ravel().astype("<u2").tobytes().decode("utf-16-le", errors="replace")


def _from_older(path: Path) -> Iterator[Reading]:
    from scipy.io import loadmat

    try:
        found = loadmat(path, squeeze_me=True, struct_as_record=False, variable_names=[STRUCT])
    except Exception as error:  # noqa: BLE001 - whatever the reader of a damaged file raises
        raise DataError(f"{path.name}: is no Matlab file, or was damaged ({type(error).__name__}: {error})") from None
    if STRUCT not in found:
        raise DataError(f"{path.name}: has no {STRUCT!r}")
    for number, one in enumerate(np.atleast_1d(found[STRUCT])):
        for name in (WORDS, SIGNALS):
            if not hasattr(one, name):
                raise DataError(f"{path.name}: {STRUCT} has no field {name!r}")
        text, values = getattr(one, WORDS), np.asarray(getattr(one, SIGNALS))
        yield _reading(path, number, text if isinstance(text, str) else "", values if values.size else None)


def _reading(path: Path, number: int, text: str, values: npt.NDArray[Any] | None) -> Reading:
    said = " ".join(text.split())
    # A sentence that was not recorded has one NaN in place of signals.
    if values is None or values.size <= 1:
        return Reading(said, None, "nothing was recorded")
    if values.dtype.kind not in "fiu" or values.ndim != 2 or values.shape[0] not in (ROWS, ROWS - 1):
        raise DataError(
            f"{path.name}: signals of sentence {number + 1} have shape {values.shape}; expected {ROWS} rows of numbers"
        )
    if values.shape[0] == ROWS:
        if np.any(values[-1]):
            raise DataError(
                f"{path.name}: row {ROWS} of sentence {number + 1} is not zero; it should be the reference, so the rows may be in "
                "another order"
            )
        values = values[:-1]
    if not np.isfinite(values).all():
        return Reading(said, None, "holds values that are no numbers")
    return Reading(said, values.astype(np.float32))
