"""Which samples are part of a target, and whether anything can be learnt of their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pellucid.errors import DataError

if TYPE_CHECKING:
    from pellucid.data.dataset import Dataset


def labelled_rows(dataset: Dataset, target: str) -> np.ndarray:
    """Positions of the samples that are part of a target, int64, shape (sample,).

    Raises
    ------
    DataError
        If nothing is labelled, all labels are of one class, or a number is beyond single precision.
    """
    values, name = dataset.target_values(target), dataset.spec.name
    unknown = np.isnan(values)
    keep = ~unknown.all(axis=1) if dataset.spec.target(target).is_partial else ~unknown.any(axis=1)
    if not keep.any():
        raise DataError(f"dataset {name!r}: no sample has a label in column {target!r}")
    if (beyond := np.argwhere(np.abs(values) > np.finfo(np.float32).max)).size:
        row, column = beyond[0]
        raise DataError(
            f"dataset {name!r}: sample {str(dataset.frame.index[row])!r} has {values[row, column]:g} in column "
            f"{dataset.target_columns(target)[column]!r}, which is too large to learn from; does it stand for what is not known?"
        )
    if dataset.spec.target(target).one_class_each and len(np.unique(values[keep])) < 2:
        only = values[keep][0, 0]
        raise DataError(
            f"dataset {name!r}: all {int(keep.sum())} labels in column {target!r} are {only:g}; a classifier needs at least two classes"
        )
    return np.flatnonzero(keep)
