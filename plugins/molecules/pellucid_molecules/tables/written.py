"""What a file says of its structures: read as text, before any structure is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError, nearest
from pellucid.loading.csv_tables import CsvTable, number, parted, read_csv
from pellucid_molecules.featurising.structures import Format

SMILES_COLUMNS = ("smiles", "canonical_smiles", "isosmiles", "structure", "molecule", "mol")
"""What columns of SMILES are called, in any case, the likeliest first."""


@dataclass(frozen=True, eq=False)
class Written:
    """Structures as a file has them, with their labels.

    Parameters
    ----------
    texts : tuple of str
    format : {"smiles", "block"}
    samples : tuple of str
        Their ids.
    where : tuple of str
        The line of each, for messages.
    labels : mapping of str to ndarray of float64
        By frame column, NaN where nothing is known.
    split : tuple of str, optional
        The side of an official split that each is on.
    """

    texts: tuple[str, ...]
    format: Format
    samples: tuple[str, ...]
    where: tuple[str, ...]
    labels: Mapping[str, npt.NDArray[np.float64]]
    split: tuple[str, ...] | None = None


def table_at(data: Path, names: Sequence[str], mend: str) -> Path:
    """The table that ``--data`` names: a file itself, or the first of some names in a folder, in any case.

    Raises
    ------
    DataError
        If it is not there; other tables there are named.
    """
    if data.is_file():
        return data
    if not data.is_dir():
        raise DataError(
            f"{data} is neither a file nor a folder; --data names the table, or the folder that holds {names[0]}"
        )
    here = {path.name.lower(): path for path in sorted(data.iterdir()) if path.is_file()}
    for name in names:
        if name.lower() in here:
            return here[name.lower()]
    others = [path.name for path in here.values() if path.suffix.lower() in (".csv", ".tsv", ".parquet", ".sdf")]
    told = f"; tables here: {', '.join(others[:5])}" if others else ""
    raise DataError(f"{data}: there is no table {names[0]!r}{nearest(names[0], others)}{told}; {mend}")


def read_table(path: Path) -> CsvTable:
    """A table of text: comma-separated, tab-separated by its name ``.tsv``, or Parquet.

    Raises
    ------
    DataError
        Names the file, the line and what is wrong.
    """
    if path.suffix.lower() != ".parquet":
        return read_csv(path, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    import pandas as pd
    from pyarrow import ArrowException

    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError, ArrowException):
        raise DataError(f"{path}: cannot be read as Parquet") from None
    if not len(frame):
        raise DataError(f"{path}: has no rows")
    columns = {str(name): tuple(map(_cell, frame[name].tolist())) for name in frame.columns}
    return CsvTable(path, tuple(range(1, len(frame) + 1)), columns)


def _cell(value: object) -> str:
    missing = value is None or value != value  # NaN and NaT alone differ from themselves
    return "" if missing else str(int(value) if isinstance(value, bool) else value).strip()


def smiles_column(table: CsvTable, named: str) -> str:
    """The column that holds SMILES: the one named, or the likeliest by what it is called.

    Raises
    ------
    DataError
        If there is none.
    """
    if named:
        table.need([named], {named: "the option smiles"})
        return named
    here = {name.lower(): name for name in reversed(table.columns)}
    for name in SMILES_COLUMNS:
        if name in here:
            return here[name]
    if mend := parted(table.columns):
        raise DataError(f"{table.path}, line 1: no column of SMILES is found{mend}")
    raise DataError(
        f"{table.path}, line 1: no column is called like one of SMILES ({', '.join(SMILES_COLUMNS)}); name it with the option "
        f"smiles; columns here: {', '.join(table.columns)}"
    )


def samples_of(table: CsvTable, identity: str) -> tuple[str, ...]:
    """Ids: those of a column, or the numbers of the rows.

    Raises
    ------
    DataError
        If one is empty or stands twice.
    """
    if not identity:
        return tuple(f"row {row + 1}" for row in range(len(table)))
    table.need([identity], {identity: "the option identity"})
    names = table.full(identity)
    seen: dict[str, int] = {}
    for row, name in enumerate(names):
        if (first := seen.setdefault(name, row)) != row:
            raise DataError(
                f"{table.where(row, identity)}: the same name stands in line {table.lines[first]} already; name another column with "
                'the option identity, or none (identity = "") to count rows'
            )
    return names


def written(
    table: CsvTable, smiles: str, identity: str, labels: Mapping[str, npt.NDArray[np.float64]], split: str = ""
) -> Written:
    """What a table says."""
    if split:
        table.need([split], {split: "the option split"})
    sides = tuple(table[split]) if split else None
    name = table.path.name
    where = tuple(f"{name}, line {line}" for line in table.lines)
    return Written(tuple(table[smiles]), "smiles", samples_of(table, identity), where, labels, sides)


def numeric_columns(table: CsvTable, but: Iterable[str], option: str) -> list[str]:
    """Columns that hold numbers and empty cells only, and at least one number.

    Parameters
    ----------
    table : CsvTable
    but : iterable of str
        Columns that are not meant, whatever they hold.
    option : str
        Which option names columns instead, for messages.

    Raises
    ------
    DataError
        If most cells of a column are numbers and one is none: a slip of the pen must not take the column out unseen.
    """
    found = []
    for name in table.columns:
        if not name or name in set(but):
            continue
        filled = [(row, np.isfinite(number(cell))) for row, cell in enumerate(table[name]) if cell]
        others = [row for row, is_number in filled if not is_number]
        numbers = len(filled) - len(others)
        if numbers > len(others) > 0:
            raise DataError(
                f"{table.where(others[0], name)}: is no number, and {numbers} of {len(filled)} cells of this column are numbers; mend or "
                f"empty it, or say which columns are meant with the option {option}"
            )
        if numbers and not others:
            found.append(name)
    return found
