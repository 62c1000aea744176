"""Annotations of the TUH EEG Seizure Corpus: ``.csv``, ``.csv_bi`` and the older ``.tse`` and ``.tse_bi``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from pellucid.errors import DataError
from pellucid.loading.csv_tables import number
from pellucid_eeg.recordings.recording import event_table

__all__ = ["BACKGROUND", "ENDINGS", "annotation_file", "read_annotations"]

ENDINGS = (".csv_bi", ".tse_bi", ".csv", ".tse")
"""Of annotation files, the one that is preferred first: ``_bi`` files say of the whole head whether there is a seizure."""

BACKGROUND = "bckg"
SEIZURES = ("seiz", "fnsz", "gnsz", "spsz", "cpsz", "absz", "tnsz", "cnsz", "tcsz", "atsz", "mysz", "nesz")
OTHER = ("artf", "eybl", "chew", "shiv", "musc", "elpp", "elst", "eyem", "calb", "intr", "slow", "spsw", "gped", "pled")

LARGEST_BYTES = 16 << 20


def annotation_file(recording: Path) -> Path | None:
    """The annotations beside a recording."""
    for ending in ENDINGS:
        if (found := recording.with_suffix(ending)).is_file():
            return found
    return None


def read_annotations(path: Path) -> pd.DataFrame:
    """Read annotations as events called ``seizure`` and ``background``; artefacts are left out.

    Of files that say it channel by channel, a seizure in any channel is one, and background is where all channels that are
    told of have it.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        Names file and line of what is none.
    """
    rows = list(_rows(path))
    seizures = [(start, stop) for start, stop, word in rows if word in SEIZURES]
    plain = [(start, stop) for start, stop, word in rows if word == BACKGROUND]
    strange = sorted({word for *_, word in rows} - {*SEIZURES, *OTHER, BACKGROUND})
    if strange:
        raise DataError(
            f"{path.name}: {len(strange)} labels are none of the corpus's ({BACKGROUND}, {', '.join(SEIZURES[:4])} ...); the file "
            "is of another kind, or damaged"
        )
    plain = _less(plain, seizures)
    spans = [(*one, "seizure") for one in seizures] + [(*one, "background") for one in plain]
    return event_table([one[0] for one in spans], [one[1] - one[0] for one in spans], [one[2] for one in spans])


def _rows(path: Path) -> Iterator[tuple[float, float, str]]:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise DataError(f"{path.name}: more than {LARGEST_BYTES >> 20} MB; that is no file of annotations")
        lines = path.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read ({error.strerror or error}); fetch it again") from None
    except UnicodeDecodeError:
        raise DataError(f"{path.name}: is no text; fetch it again") from None
    found = False
    for number_, line in enumerate(lines, 1):
        plain = line.strip()
        if not plain or plain.startswith(("#", "version", "channel,")):
            continue
        cells = plain.split(",")[1:] if path.suffix in (".csv", ".csv_bi") else plain.split()
        start, stop = (number(cells[0]), number(cells[1])) if len(cells) >= 3 else (math.nan, math.nan)
        if not (math.isfinite(start) and math.isfinite(stop) and 0 <= start <= stop):
            raise DataError(
                f"{path.name}, line {number_}: is no annotation (start, stop, label, confidence); fetch the file again"
            )
        found = True
        yield start, stop, cells[2].strip().lower()
    if not found:
        raise DataError(f"{path.name}: says nothing of any stretch of time; fetch it again")


def _less(spans: list[tuple[float, float]], others: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Stretches without what others cover."""
    for begun, ended in others:
        spans = [
            part
            for start, stop in spans
            for part in ((start, min(stop, begun)), (max(start, ended), stop))
            if part[1] > part[0]
        ]
    return list(dict.fromkeys(spans))
