"""Comma-separated tables: read as text within bounds, and refused by file, line and column.

Cells are not quoted in messages, but for the numbers among them: a row whose cells have slipped, or the first row of a table
that has no header, may hold a person's name.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError, nearest

MAX_ROWS = 1_000_000
MAX_CELL = 100_000
"""Characters of a cell; a quotation mark that is not closed would swallow the rest of a file."""


@dataclass(frozen=True)
class CsvTable:
    """Some columns of a table, as text.

    Parameters
    ----------
    path : Path
    lines : tuple of int
        Line of the file that each row ends on, from 1; the header is line 1.
    columns : dict of str to tuple of str
        Cells without space around them.
    """

    path: Path
    lines: tuple[int, ...]
    columns: dict[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, column: str) -> tuple[str, ...]:
        return self.columns[column]

    def has(self, column: str) -> bool:
        """Whether there is such a column."""
        return column in self.columns

    def need(self, columns: Iterable[str], asked_by: Mapping[str, str] | None = None) -> None:
        """Refuse a table that lacks a column.

        Parameters
        ----------
        columns : iterable of str
        asked_by : mapping of str to str, optional
            By column, what names it and can name another one.

        Raises
        ------
        DataError
            Names the file, the column and the nearest one that is there.
        """
        for column in columns:
            if column not in self.columns:
                mend = parted(self.columns) or nearest(column, self.columns)
                asked = f"; {asked_by[column]} names it" if asked_by else ""
                raise DataError(f"{self.path}, line 1: there is no column {column!r}{mend}{asked}")

    def where(self, row: int, column: str) -> str:
        """``"labels.csv, line 7, column 'age'"``, for messages."""
        return f"{self.path}, line {self.lines[row]}, column {column!r}"

    def numbers(
        self, column: str, allowed: Sequence[float] | None = None, *, blank: bool = True
    ) -> npt.NDArray[np.float64]:
        """A column as numbers, NaN where a cell is empty.

        Parameters
        ----------
        column : str
        allowed : sequence of float, optional
            The values that may stand there.
        blank : bool
            Whether a cell may be empty.

        Raises
        ------
        DataError
            Names the line of a cell that holds something else.
        """
        found = np.empty(len(self))
        said = "a number" if allowed is None else " or ".join(f"{one:g}" for one in allowed)
        mend = f"write {said}, or nothing where it is not known" if blank else f"write {said}"
        for row, cell in enumerate(self[column] if blank else self.full(column)):
            value = number(cell)
            if cell and (not math.isfinite(value) or (allowed is not None and value not in allowed)):
                told = f"is {value:g}" if math.isfinite(value) else "is no number"
                raise DataError(f"{self.where(row, column)}: {told}; {mend}")
            found[row] = value
        return found

    def full(self, column: str) -> tuple[str, ...]:
        """A column of which no cell may be empty.

        Raises
        ------
        DataError
            Names the first line where nothing stands.
        """
        for row, cell in enumerate(self[column]):
            if not cell:
                raise DataError(f"{self.where(row, column)}: is empty")
        return self[column]


def read_csv(path: Path, needed: Iterable[str] = (), *, delimiter: str = ",") -> CsvTable:
    """Read a table in UTF-8 whose cells are parted by commas, or by something else.

    Parameters
    ----------
    path : Path
    needed : iterable of str
        Columns that must be there.
    delimiter : str
        What parts the cells: a tab in ``.tsv`` files.

    Raises
    ------
    DataError
        Names the file, the line and what is wrong.
    """
    header: list[str] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    before = csv.field_size_limit(MAX_CELL)
    kind = "tab-separated" if delimiter == "\t" else "comma-separated"
    try:
        # Spreadsheets write a byte order mark.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True, delimiter=delimiter)
            header = [name.strip() for name in next(reader, [])]
            for row in reader:
                if not any(cell.strip() for cell in row):
                    continue
                if len(row) != len(header):
                    raise DataError(
                        f"{path}, line {reader.line_num}: {len(row)} cells, but the header has {len(header)} columns"
                    )
                rows.append([cell.strip() for cell in row])
                lines.append(reader.line_num)
                if len(rows) > MAX_ROWS:
                    raise DataError(f"{path}: more than {MAX_ROWS:,} rows")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: is no text in UTF-8; save it as a {kind} table in UTF-8") from None
    except csv.Error:
        raise DataError(
            f"{path}, line {reader.line_num}: is no row of a {kind} table; is a quotation mark not closed?"
        ) from None
    finally:
        csv.field_size_limit(before)
    for name in header:
        if name and header.count(name) > 1:
            raise DataError(f"{path}, line 1: column {name!r} stands more than once")
    columns = {name: tuple(row[at] for row in rows) for at, name in enumerate(header)}
    table = CsvTable(path, tuple(lines), columns)
    if not header:
        raise DataError(f"{path}: is empty")
    table.need(needed)
    if not rows:
        raise DataError(f"{path}: has a header and no rows")
    return table


def number(cell: str) -> float:
    """A cell as a number; NaN for what is none.

    Examples
    --------
    >>> number("1e2"), number("1_0"), number("")
    (100.0, nan, nan)
    """
    try:
        # Python would take 0_1 for one.
        return math.nan if "_" in cell else float(cell)
    except ValueError:
        return math.nan


def parted(header: Iterable[str]) -> str:
    """What to do with a table whose one column holds all names, for messages: some spreadsheets write semicolons; else nothing."""
    names = list(header)
    for mark, told, mend in ((";", "semicolons", "commas"), ("\t", "tabs", "commas"), (",", "commas", "tabs")):
        if len(names) == 1 and mark in names[0]:
            return f", as {told} part its columns; save it with {mend}"
    return ""
