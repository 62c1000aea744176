"""What is measured of each nodule, and how its readers rated it: LIDC-IDRI as a table, one row a nodule."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.measures.outlines import Floats, Integers, Outlines, hull_measures
from pellucid_ct.lidc.annotations.consensus import Consensus
from pellucid_ct.lidc.annotations.database import RATINGS, LidcDatabase

RATING_NAMES = tuple(name.replace("internalStructure", "internal structure") for name in RATINGS)
"""The eight ratings other than malignancy, as columns of the table; ``<name>:sd`` is the readers' disagreement."""

SIZES = ("area_mm2", "volume_mm3", "diameter_mm")
FORMS = ("circularity", "solidity", "convexity", "eccentricity")

Median = Literal["plain", "high"]
"""Median of an even number of ratings: the mean of the middle two, or the upper of them."""


def measure_nodules(
    database: LidcDatabase, nodule: Integers, consensus: Consensus, median: Median = "plain"
) -> tuple[pd.DataFrame, Outlines, Integers]:
    """Measure nodules on what their readers agreed on.

    Parameters
    ----------
    database : LidcDatabase
    nodule : ndarray of int, shape (annotation,)
        From :func:`~pellucid_ct.lidc.annotations.grouping.group_annotations`.
    consensus : Consensus
    median : {"plain", "high"}
        Of an even number of malignancy ratings.

    Returns
    -------
    table : DataFrame
        Its index is ``lidc-<scan>-<first annotation>``, which stays the same when other nodules are grouped differently.
        Its columns:

        ``patient``
            As the database names them. Like ``scan`` and the index, which are keys of that public database and lead
            back to the patient, it is replaced by a digest in each dataset: this table itself stays inside the package.
        ``scan``, ``n_readers``, ``n_slices``, ``slice_thickness_mm``, ``pixel_spacing_mm``, ``slice_spacing_mm``
        ``area_mm2``, ``diameter_mm``, ``volume_mm3``
            Of the consensus: area of the mid-slice (the slice where it is largest), diameter of a disc of that area,
            and area times slice spacing summed over slices. Counted in whole pixels.
        ``circularity``, ``solidity``, ``convexity``, ``eccentricity``
            Form of the mid-slice's outline: 4 pi area / perimeter^2, share of the convex hull's area, hull's
            perimeter by perimeter, eccentricity of the ellipse with the same moments. A disc has 1, 1, 1 and 0.
        ``<rating>``, ``<rating>:sd``
            Mean over readers, and population standard deviation: NaN where one reader alone drew the nodule.
        ``malignancy_readers``, ``malignancy_mean``, ``malignancy_median``
            The readers' ratings in the order of their annotations ("3 4 4"), mean and median.
        ``malignant-vs-benign``
            1 for a median above 3, 0 below 3, NaN at exactly 3. A median of 2.5 is benign and 3.5 malignant: the
            readers lean that way, and 1,712 nodules of LIDC-IDRI keep a label (556 malignant, 1,156 benign). With the
            high median (:func:`statistics.median_high`: the upper of two middle ratings, 3 of 2 and 3, 4 of 2 and 4)
            1,412 would: 591 and 821.
        ``malignant-vs-rest``
            1 for a median above 3, else 0.
        ``malignancy``
            The median as class 0 to 4; halves go up.
    outlines : Outlines
        Of the mid-slices.
    slices : ndarray of int, shape (nodule,)
        Numbers of the mid-slices in their scans.
    """
    owner, number, pixels = consensus.slices()
    mid = _largest_slices(owner, number, pixels)
    shapes = consensus.outlines(owner[mid], number[mid])

    scan = database.annotations["scan"].to_numpy()[np.unique(nodule, return_index=True)[1]]
    about = database.scans.loc[scan]
    spacing, between = about["pixel_spacing_mm"].to_numpy(), about["slice_spacing_mm"].to_numpy()
    area = pixels[mid] * spacing**2
    table = pd.DataFrame(
        {
            "patient": about["patient"].to_numpy(),
            "scan": scan,
            "n_readers": consensus.readers,
            "n_slices": np.bincount(owner, minlength=len(consensus)),
            "slice_thickness_mm": about["slice_thickness_mm"].to_numpy(),
            "pixel_spacing_mm": spacing,
            "slice_spacing_mm": between,
            "area_mm2": area,
            "diameter_mm": np.sqrt(4 * area / np.pi),
            "volume_mm3": np.bincount(owner, pixels) * spacing**2 * between,
            **_forms(shapes),
            **_ratings(database.annotations, nodule, median),
        },
        index=pd.Index(_sample_ids(database.annotations, nodule), name="nodule"),
    )
    return table, shapes, consensus.corner[:, 0] + number[mid]


def _largest_slices(owner: Integers, number: Integers, pixels: Integers) -> Integers:
    """Position of each nodule's largest slice; of equal ones the nearest to the middle, then the lower."""
    middle = np.bincount(owner, pixels * number) / np.bincount(owner, pixels)
    order = np.lexsort((number, np.abs(number - middle[owner]).round(9), -pixels, owner))
    return order[np.flatnonzero(np.diff(owner[order], prepend=-1))]


def _forms(shapes: Outlines) -> dict[str, Floats]:
    area, perimeter = shapes.areas(), shapes.perimeters()
    hull_area, hull_perimeter = hull_measures(shapes)
    return {
        "circularity": 4 * np.pi * area / perimeter**2,
        "solidity": area / hull_area,
        "convexity": hull_perimeter / perimeter,
        "eccentricity": shapes.eccentricities(),
    }


def _ratings(annotations: pd.DataFrame, nodule: Integers, middle: Median) -> dict[str, npt.NDArray[np.generic]]:
    columns: dict[str, npt.NDArray[np.generic]] = {}
    grouped = annotations.groupby(nodule)
    mean, deviation = grouped[list(RATINGS)].mean(), grouped[list(RATINGS)].std(ddof=0)
    alone = grouped.size().to_numpy() == 1
    for name, stored in zip(RATING_NAMES, RATINGS, strict=True):
        columns[name] = mean[stored].to_numpy()
        columns[f"{name}:sd"] = np.where(alone, np.nan, deviation[stored].to_numpy())
    malignancy = grouped["malignancy"]
    median = (malignancy.quantile(0.5, interpolation="higher") if middle == "high" else malignancy.median()).to_numpy()
    columns["malignancy_readers"] = malignancy.agg(lambda values: " ".join(f"{v:.0f}" for v in values)).to_numpy()
    columns["malignancy_mean"] = malignancy.mean().to_numpy()
    columns["malignancy_median"] = median
    columns["malignant-vs-benign"] = np.where(median == 3, np.nan, (median > 3).astype(np.float64))
    columns["malignant-vs-rest"] = (median > 3).astype(np.float64)
    columns["malignancy"] = np.floor(median + 0.5) - 1
    return columns


def _sample_ids(annotations: pd.DataFrame, nodule: Integers) -> list[str]:
    first = pd.Series(annotations.index.to_numpy()).groupby(nodule).min().to_numpy()
    scan = annotations["scan"].loc[first].to_numpy()
    return [f"lidc-{s:04d}-{a:04d}" for s, a in zip(scan, first, strict=True)]
