"""What every table of PTB-XL says: records, whom they are of, and in which fold they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pellucid.data import MultiLabel
from pellucid.data.samples import Finding
from pellucid.errors import DataError, LeakageError
from pellucid.loading.csv_tables import CsvTable, number

NAMESPACE = "ptb-xl"


@dataclass(frozen=True, eq=False)
class PtbXlTable:
    """What a table says of its records, one entry a record.

    Parameters
    ----------
    path : Path
    version : str
        Of PTB-XL; empty where the table is no whole one.
    shown : tuple of str
        What an error calls each record.
    files : tuple of str
        Path of each record below the folder.
    samples : tuple of str
        Record numbers of PTB-XL.
    subjects, records : tuple of str
        Pseudonyms of the patient and of the record.
    split : tuple of str, optional
        ``train``, ``validation`` or ``test``, where the fold of every record is known.
    targets : mapping of str to MultiLabel
    labels : mapping of str to ndarray, shape (record, label)
        0 and 1; NaN where a record is not part of a target.
    covariates : mapping of str to ndarray
    findings : tuple of Finding
    about : tuple of str
        Sentences.
    """

    path: Path
    version: str
    shown: tuple[str, ...]
    files: tuple[str, ...]
    samples: tuple[str, ...]
    subjects: tuple[str, ...]
    records: tuple[str, ...]
    split: tuple[str, ...] | None
    targets: Mapping[str, MultiLabel]
    labels: Mapping[str, npt.NDArray[np.float64]]
    covariates: Mapping[str, npt.NDArray[np.float64]]
    findings: tuple[Finding, ...]
    about: tuple[str, ...]


def find_table(folder: Path, name: str, pattern: str) -> Path | None:
    """A table by its usual name, or the only file that is called nearly so.

    Raises
    ------
    DataError
        If several are.
    """
    if (folder / name).is_file():
        return folder / name
    alike = sorted(path for path in folder.glob(pattern) if path.is_file())
    if len(alike) > 1:
        raise DataError(
            f"{folder}: {', '.join(p.name for p in alike)} may each be meant by {name}; call the right one so"
        )
    return alike[0] if alike else None


def file_column(rate_hz: int) -> str:
    """The column that names the files of a rate."""
    return "filename_lr" if rate_hz == 100 else "filename_hr"


def whole_number(cell: str) -> str:
    """A number as it would be written without a decimal point, however a table stores it."""
    value = number(cell)
    return str(int(value)) if value.is_integer() else cell


def samples_of(table: CsvTable) -> tuple[str, ...]:
    """Numbers of the records, as PTB-XL's files write them.

    Raises
    ------
    DataError
        If one stands twice or nothing stands there.
    """
    samples = tuple(whole_number(cell) for cell in table.full("ecg_id"))
    seen: dict[str, int] = {}
    for row, sample in enumerate(samples):
        if seen.setdefault(sample, row) != row:
            raise DataError(
                f"{table.where(row, 'ecg_id')}: is the record of line {table.lines[seen[sample]]}; a record stands once"
            )
    return tuple(sample.zfill(5) for sample in samples)


def lines_of(table: CsvTable) -> tuple[str, ...]:
    """What an error calls each record."""
    return tuple(f"{table.path.name}, line {line}" for line in table.lines)


def split_of(table: CsvTable, patients: Sequence[str] | None) -> tuple[str, ...] | None:
    """The side that PTB-XL gives each fold: 1 to 8 to learn from, 9 to choose by, 10 to be judged on.

    Parameters
    ----------
    table : CsvTable
    patients : sequence of str, optional
        Who each record is of.

    Returns
    -------
    tuple of str, optional
        None where the fold of some record is not known.

    Raises
    ------
    DataError
        Names the line of what is no fold.
    LeakageError
        If a patient has records in several folds.
    """
    folds = [whole_number(cell) for cell in table["strat_fold"]]
    if patients is not None:
        _refuse_shared(table, folds, patients)
    sides = []
    for row, fold in enumerate(folds):
        if fold in ("", "1-8", *map(str, range(1, 11))):
            sides.append({"9": "validation", "10": "test", "": ""}.get(fold, "train"))
        else:
            raise DataError(
                f"{table.where(row, 'strat_fold')}: is no fold; PTB-XL has 1 to 10, a selection of some may say 1-8"
            )
    return None if "" in sides else tuple(sides)


def _refuse_shared(table: CsvTable, folds: Sequence[str], patients: Sequence[str]) -> None:
    first: dict[str, int] = {}
    apart: dict[str, tuple[int, int]] = {}
    for row, (fold, patient) in enumerate(zip(folds, patients, strict=True)):
        if not fold:
            continue
        other = first.setdefault(patient, row)
        if folds[other] != fold:
            apart.setdefault(patient, (table.lines[other], table.lines[row]))
    if apart:
        one, two = next(iter(apart.values()))
        raise LeakageError(
            f"{table.path}: {len(apart)} {'patient has' if len(apart) == 1 else 'patients have'} records in more than one fold, the "
            f"first in lines {one} and {two}: PTB-XL's split would learn from people it is judged on. Restore the table, or give all "
            "records of a patient one strat_fold"
        )
