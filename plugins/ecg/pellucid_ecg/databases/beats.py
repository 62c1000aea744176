"""Heart beats as annotators named them: the classes of AAMI, files of annotations, and the times between beats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid.loading.csv_tables import read_csv

AAMI = ("N", "S", "V", "F", "Q")
"""Normal or conducted, supraventricular ectopic, ventricular ectopic, fusion of both, unknown or paced (ANSI/AAMI EC57)."""

CLASS_OF = {
    **dict.fromkeys(("N", "L", "R", "B", "e", "j", "n"), "N"),
    **dict.fromkeys(("A", "a", "J", "S"), "S"),
    **dict.fromkeys(("V", "E", "r"), "V"),
    "F": "F",
    **dict.fromkeys(("/", "f", "Q", "?"), "Q"),
}
"""Symbols of beats in annotation files of PhysioNet, and their class. Other symbols are no beats."""

PVC = "V"
"""Premature ventricular contraction. Class V holds ventricular escape beats (E) too."""

AROUND = 10
"""Intervals whose mean is what is usual around a beat."""

LARGEST_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class Beats:
    """The beats of one recording.

    Parameters
    ----------
    at : ndarray of int, shape (beat,)
        Sample of each R wave, increasing.
    aami : ndarray of float, shape (beat,)
        Position in :data:`AAMI`; NaN where it is not known.
    pvc : ndarray of float, shape (beat,)
        1 for premature ventricular contractions, else 0.
    """

    at: npt.NDArray[np.int64]
    aami: npt.NDArray[np.float64]
    pvc: npt.NDArray[np.float64]


def read_annotations(path: Path) -> Beats:
    """The beats of an annotation file (``.atr``).

    Raises
    ------
    DataError
        If it cannot be read, holds no beat, or its beats are not in order.
    """
    import wfdb

    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read: {error.strerror or error}") from None
    if size > LARGEST_BYTES:
        raise DataError(f"{path.name}: has {size >> 20:,} MiB, more than annotations of any recording")
    try:
        found = wfdb.rdann(str(path.with_suffix("")), path.suffix.removeprefix("."))
        symbols, at = list(found.symbol), np.asarray(found.sample, np.int64)
    # A damaged file makes the reader raise errors of very many kinds.
    except Exception:  # noqa: BLE001
        raise DataError(f"{path.name}: is no annotation file of WFDB; fetch it again") from None
    beat = np.array([symbol in CLASS_OF for symbol in symbols], bool)
    named = [symbol for symbol in symbols if symbol in CLASS_OF]
    classes = np.array([AAMI.index(CLASS_OF[symbol]) for symbol in named], np.float64)
    pvc = np.array([symbol == PVC for symbol in named], np.float64)
    return _checked(Beats(at[beat], classes, pvc), path)


def read_beats_table(path: Path) -> Beats:
    """The beats of a table with the columns ``sample`` and ``pvc`` (0 or 1). Of which class others are it does not say.

    Raises
    ------
    DataError
        Names the line of what is no beat.
    """
    table = read_csv(path, ("sample", "pvc"))
    at, pvc = table.numbers("sample"), table.numbers("pvc", (0, 1))
    for row, value in enumerate(at.tolist()):
        if not (value >= 0 and value.is_integer() and value < 2**53):
            raise DataError(f"{table.where(row, 'sample')}: is no position of a sample: 0, 1, 2 ...")
    for row in np.flatnonzero(np.isnan(pvc)).tolist():
        raise DataError(f"{table.where(row, 'pvc')}: is empty; write 0 or 1")
    # Not even those that are known to be ventricular are given a class: in a recording where only these have one, a model would
    # learn to know the recording.
    return _checked(Beats(at.astype(np.int64), np.full(len(at), np.nan), pvc), path)


def _checked(beats: Beats, path: Path) -> Beats:
    if not len(beats.at):
        raise DataError(f"{path.name}: holds no beat")
    back = np.flatnonzero(np.diff(beats.at) <= 0)
    if len(back):
        raise DataError(f"{path.name}: beats {back[0] + 1} and {back[0] + 2} are not one after the other")
    if beats.at[0] < 0:
        raise DataError(f"{path.name}: the first beat lies before the recording")
    return beats


def intervals(at: npt.NDArray[np.int64], rate_hz: float) -> dict[str, npt.NDArray[np.float64]]:
    """Times between beats.

    Parameters
    ----------
    at : ndarray of int, shape (beat,)
    rate_hz : float

    Returns
    -------
    dict of str to ndarray, shape (beat,)
        ``rr_before_s`` and ``rr_after_s``, and ``rr_ratio``: the time before a beat in terms of the mean of the ten intervals
        around it, those before the beat and after, its own included. NaN at the ends.

    Examples
    --------
    >>> intervals(np.array([0, 100, 160, 300]), 100.0)["rr_before_s"].tolist()
    [nan, 1.0, 0.6, 1.4]
    """
    gaps = np.diff(at) / rate_hz
    before = np.concatenate([[np.nan], gaps])
    after = np.concatenate([gaps, [np.nan]])
    total = np.concatenate([[0.0], np.cumsum(gaps)])
    # Interval i - 1 ends at beat i: half of those around lie before it, half after.
    beat = np.arange(len(at))
    first = np.clip(beat - AROUND // 2, 0, len(gaps))
    last = np.clip(beat + AROUND // 2, 0, len(gaps))
    usual = (total[last] - total[first]) / np.maximum(last - first, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(usual > 0, before / usual, np.nan)
    return {"rr_before_s": before, "rr_after_s": after, "rr_ratio": ratio}
