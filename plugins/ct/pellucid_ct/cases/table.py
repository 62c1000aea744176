"""``cases.csv``: one row a lesion or a scan, read as text and checked before any image is opened.

Cells are not quoted in messages, but for the paths that cannot be found: a row whose cells have slipped may hold a
patient's name in any of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.errors import DataError
from pellucid.loading.csv_tables import CsvTable, number, read_csv

FILE = "cases.csv"

COLUMNS = ("image", "mask")
"""Columns that must be there."""


@dataclass(frozen=True)
class Case:
    """One row.

    Parameters
    ----------
    line : int
        Of the file, from 1; the header is line 1.
    subject : str, optional
        As the file names the patient, for the caller to replace at once.
    image, mask : Path
    lesion : int, optional
        Its number in the mask; None stands for every lesion there.
    labels : mapping of str to float
        NaN where the cell is empty.
    """

    line: int
    subject: str | None
    image: Path
    mask: Path
    lesion: int | None
    labels: Mapping[str, float]


def read_cases(folder: Path, labels: Mapping[str, Sequence[float] | None]) -> tuple[Case, ...]:
    """Read and check the table of a folder.

    Parameters
    ----------
    folder : Path
        Holds ``cases.csv``: columns ``image`` (a folder of DICOM files, or a NIfTI file) and ``mask`` (NIfTI, or a DICOM
        segmentation), as paths below the folder or absolute ones; ``subject``, which may be left out where every image
        is DICOM and says itself who it is of; ``lesion``, the number in the mask, empty for all lesions there; ``case``,
        a name for the user's eyes alone, which is not read; and columns of labels.
    labels : mapping of str to sequence of float or None
        Columns of labels, with the values that are allowed (None: any number). A column that the table lacks is empty.

    Raises
    ------
    DataError
        Names the file, the line and the column.
    """
    path = folder / FILE if folder.is_dir() else folder
    if path.name != FILE or not path.is_file():
        raise DataError(
            f"{folder}: no {FILE} here. It has one row a lesion or a scan, with the columns {', '.join(COLUMNS)} (paths), "
            "subject, lesion (number in the mask) and any labels"
        )
    table = read_csv(path, COLUMNS)
    for name in labels:
        alike = [other for other in table.columns if other.casefold() == name.casefold()]
        if alike and not table.has(name):
            raise DataError(f"{path}, line 1: column {alike[0]!r} is to be written {name!r}")
    values = {name: table.numbers(name, allowed) for name, allowed in labels.items() if table.has(name)}
    found = tuple(
        _case(table, row, {name: float(values[name][row]) if name in values else math.nan for name in labels})
        for row in range(len(table))
    )
    _refuse_twice(path, found)
    return found


def _case(table: CsvTable, row: int, labels: Mapping[str, float]) -> Case:
    places = {}
    for name in COLUMNS:
        said, where = table[name][row], table.where(row, name)
        place = table.path.parent / said
        if not said:
            raise DataError(f"{where}: is empty")
        # A path with a null byte, or one that is too long, is no path.
        try:
            there = place.exists()
        except PermissionError:
            raise DataError(f"{where}: {said} lies where you may not read; ask for access") from None
        except (OSError, ValueError):
            there = False
        if not there:
            raise DataError(f"{where}: {said} does not exist below {table.path.parent}")
        places[name] = place
    subject = table["subject"][row] if table.has("subject") else ""
    return Case(table.lines[row], subject or None, places["image"], places["mask"], _lesion(table, row), labels)


def _lesion(table: CsvTable, row: int) -> int | None:
    cell = table["lesion"][row] if table.has("lesion") else ""
    if not cell:
        return None
    value = number(cell)
    if not (value.is_integer() and 0 < value < 2**16):
        told = f"is {value:g}" if math.isfinite(value) else "is no number"
        raise DataError(f"{table.where(row, 'lesion')}: {told}, expected the number of a lesion: 1, 2 ... or nothing")
    return int(value)


def _refuse_twice(path: Path, cases: Sequence[Case]) -> None:
    seen: dict[tuple[Path, Path], dict[int | None, int]] = {}
    owner: dict[Path, tuple[str | None, int]] = {}
    for case in cases:
        lesions = seen.setdefault((case.image, case.mask), {})
        both = lesions and (case.lesion is None or None in lesions)
        if case.lesion in lesions or both:
            other = lesions[case.lesion] if case.lesion in lesions else next(iter(lesions.values()))
            raise DataError(
                f"{path}, line {case.line}: names lesions that line {other} names too; a lesion has one row"
            )
        lesions[case.lesion] = case.line
        whose, first = owner.setdefault(case.image, (case.subject, case.line))
        if whose != case.subject:
            raise DataError(
                f"{path}, line {case.line}: the image of line {first}, but another subject; one scan is of one patient"
            )
