"""``cases.csv``: one row a lesion or a scan, read as text and checked before any image is opened.

Cells are not quoted in messages, but for the paths that cannot be found: a row whose cells have slipped may hold a
patient's name in any of them.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.errors import DataError, nearest

FILE = "cases.csv"

COLUMNS = ("image", "mask")
"""Columns that must be there."""

KNOWN = ("case", "subject", *COLUMNS, "lesion")
"""Columns with a meaning; all others may hold labels."""

MAX_ROWS = 1_000_000


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
    header, rows = _rows(path)
    for name in COLUMNS:
        if name not in header:
            raise DataError(f"{path}, line 1: column {name!r} is missing{_parted(header) or nearest(name, header)}")
    for name in labels:
        alike = [other for other in header if other.casefold() == name.casefold()]
        if alike and name not in header:
            raise DataError(f"{path}, line 1: column {alike[0]!r} is to be written {name!r}")
    for name in header:
        if header.count(name) > 1:
            raise DataError(f"{path}, line 1: column {name!r} stands more than once")
    found = tuple(_case(path, line, dict(zip(header, row, strict=True)), labels) for line, row in rows)
    if not found:
        raise DataError(f"{path}: has a header and no rows")
    _refuse_twice(path, found)
    return found


def _parted(header: Sequence[str]) -> str:
    """What to do with a table whose one column holds all names: spreadsheets of some countries write semicolons."""
    for mark, told in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and mark in header[0]:
            return f", as {told} part its columns; save it with commas"
    return ""


def _rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    rows: list[tuple[int, list[str]]] = []
    try:
        # Spreadsheets write a byte order mark.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            for row in reader:
                if not any(cell.strip() for cell in row):
                    continue
                if len(row) != len(header):
                    raise DataError(
                        f"{path}, line {reader.line_num}: {len(row)} cells, but the header has {len(header)} columns"
                    )
                rows.append((reader.line_num, [cell.strip() for cell in row]))
                if len(rows) > MAX_ROWS:
                    raise DataError(f"{path}: more than {MAX_ROWS:,} rows")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: is no text in UTF-8; save it as a comma-separated table in UTF-8") from None
    except csv.Error:
        raise DataError(
            f"{path}, line {reader.line_num}: is no row of a comma-separated table; is a quotation mark not closed?"
        ) from None
    return header, rows


def _case(path: Path, line: int, row: Mapping[str, str], labels: Mapping[str, Sequence[float] | None]) -> Case:
    places = {}
    for name in COLUMNS:
        place = path.parent / row[name]
        if not row[name]:
            raise DataError(f"{path}, line {line}, column {name!r}: is empty")
        # A path with a null byte, or one that is too long, is no path.
        try:
            there = place.exists()
        except PermissionError:
            raise DataError(
                f"{path}, line {line}, column {name!r}: {row[name]} lies where you may not read; ask for access"
            ) from None
        except (OSError, ValueError):
            there = False
        if not there:
            raise DataError(f"{path}, line {line}, column {name!r}: {row[name]} does not exist below {path.parent}")
        places[name] = place
    return Case(
        line,
        row.get("subject") or None,
        places["image"],
        places["mask"],
        _lesion(path, line, row.get("lesion", "")),
        {name: _label(path, line, name, row.get(name, ""), allowed) for name, allowed in labels.items()},
    )


def _lesion(path: Path, line: int, cell: str) -> int | None:
    if not cell:
        return None
    number = _number(cell)
    if not (number.is_integer() and 0 < number < 2**16):
        raise DataError(
            f"{path}, line {line}, column 'lesion': {_told(number)}, expected the number of a lesion: 1, 2 ... or nothing"
        )
    return int(number)


def _label(path: Path, line: int, name: str, cell: str, allowed: Sequence[float] | None) -> float:
    if not cell:
        return math.nan
    value = _number(cell)
    if not math.isfinite(value) or (allowed is not None and value not in allowed):
        said = "a number" if allowed is None else " or ".join(f"{one:g}" for one in allowed)
        raise DataError(
            f"{path}, line {line}, column {name!r}: {_told(value)}; write {said}, or nothing where it is not known"
        )
    return value


def _number(cell: str) -> float:
    try:
        # Python would take 0_1 for one.
        return math.nan if "_" in cell else float(cell)
    except ValueError:
        return math.nan


def _told(number: float) -> str:
    return f"is {number:g}" if math.isfinite(number) else "is no number"


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
