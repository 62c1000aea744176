"""The table that comes with a dataset, one row a sample: read as numbers, and refused where it breaks the contract."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from pellucid.data.spec import DataSpec
from pellucid.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def numbers(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Columns as float64, shape (sample, column); NaN where a value is missing."""
    return frame[list(columns)].to_numpy(np.float64, na_value=np.nan)


def check_frame(frame: pd.DataFrame, spec: DataSpec) -> None:
    """Refuse a frame that is not what the spec says.

    Raises
    ------
    DataError
        Names the column, and the first sample concerned.
    """
    labels = {column: target for name, target in spec.targets.items() for column in target.columns(name)}
    apart = spec.concepts.spread_columns if spec.concepts else ()
    said = [column for name, text in spec.texts.items() for column in text.columns(name)]
    missing = [c for c in (*spec.columns, *said) if c not in frame.columns]
    if missing:
        raise DataError(f"dataset {spec.name!r}: the frame lacks column(s) {', '.join(map(repr, missing))}")
    if not frame.index.is_unique:
        twice = frame.index[frame.index.duplicated()][0]
        raise DataError(f"dataset {spec.name!r}: sample id {twice!r} stands more than once")
    for column in spec.groups:
        if frame[column].isna().any():
            sample = frame.index[frame[column].isna()][0]
            raise DataError(
                f"dataset {spec.name!r}: sample {sample!r} has no {column!r}; without it no split is honest"
            )
    for column in (c for c in spec.columns if c not in spec.groups):
        _refuse(frame, spec, column, ~_numeric(frame[column]), "expected a number, or nothing where it is missing")
    for column in said:
        written = frame[column].map(lambda value: isinstance(value, str) and bool(value.strip())).to_numpy(bool)
        _refuse(frame, spec, column, ~written, "expected words; leave samples without a text out")
    for column in apart:
        _refuse(frame, spec, column, numbers(frame, [column])[:, 0] < 0, "a standard deviation is not negative")
    for column, target in labels.items():
        if target.classes is None:
            continue
        values = numbers(frame, [column])[:, 0]
        range_said = "0 and 1" if target.classes == 2 else f"0 to {target.classes - 1}"
        known = np.isnan(values) | np.isin(values, np.arange(target.classes))
        _refuse(frame, spec, column, ~known, f"its labels are {range_said}")


def _refuse(frame: pd.DataFrame, spec: DataSpec, column: str, bad: np.ndarray, why: str) -> None:
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"dataset {spec.name!r}, column {column!r}: sample {frame.index[at]!r} has "
            f"{frame[column].iloc[at]!r}; {why} ({int(bad.sum())} such samples)"
        )


def _numeric(column: pd.Series) -> np.ndarray:
    """Where a column holds a finite number or nothing."""
    import pandas as pd

    missing = column.isna().to_numpy(bool)
    if not pd.api.types.is_numeric_dtype(column.dtype):
        # An object column may hold numbers; digits as text are not numbers, and would not be read as such either.
        return missing | column.map(lambda v: isinstance(v, Real) and bool(np.isfinite(float(v)))).to_numpy(bool)
    return missing | np.isfinite(column.to_numpy(np.float64, na_value=np.nan))
