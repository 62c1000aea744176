"""Labels of a table of molecules: yes or no, or numbers with a unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from pellucid.data import Binary, MultiLabel, Regression, Target
from pellucid.errors import DataError
from pellucid.loading.csv_tables import CsvTable

Kind = Literal["binary", "regression"]


def labels_of(
    table: CsvTable, columns: Sequence[str], kinds: Mapping[str, Kind], units: Mapping[str, str]
) -> tuple[dict[str, Target], dict[str, npt.NDArray[np.float64]]]:
    """Targets, one a column, and their values by frame column.

    A column is ``binary`` where it holds 0 and 1 alone, else ``regression``, unless ``kinds`` says which. Several binary columns are
    one target together too, named ``labels``, of which single ones may be blank.

    Raises
    ------
    DataError
        If a cell holds something else, or a column holds nothing.
    """
    targets: dict[str, Target] = {}
    values: dict[str, npt.NDArray[np.float64]] = {}
    for column in columns:
        found = table.numbers(column)
        known = found[~np.isnan(found)]
        if not len(known):
            raise DataError(f"{table.path}: column {column!r} holds no label")
        kind = kinds.get(column) or ("binary" if np.isin(known, (0, 1)).all() else "regression")
        if kind == "binary":
            found = table.numbers(column, (0, 1))
            targets[column] = Binary(names=(f"not {column}", column), about=f"column {column!r} of {table.path.name}")
        else:
            unit = units.get(column, "")
            about = f"column {column!r} of {table.path.name}" + ("" if unit else ", whose unit is not said")
            targets[column] = Regression(names=(column,), units=(unit,), about=about)
        values[column] = found
    together(targets, values, "labels", f"columns of {table.path.name}")
    return targets, values


def together(targets: dict[str, Target], values: dict[str, npt.NDArray[np.float64]], name: str, about: str) -> None:
    """Add one target of all binary ones, where there are several."""
    binary = [column for column, target in targets.items() if target.kind == "binary"]
    if len(binary) < 2:
        return
    targets[name] = MultiLabel(names=tuple(binary), partial=True, about=about)
    values |= {f"{name}:{column}": values[column] for column in binary}
