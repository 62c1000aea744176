"""Which annotations show the same nodule: readers are not named in the data, so drawings are grouped by nearness.

Two annotations of a scan belong together when the nearest points of their contours are at most a tolerance apart, and
so do chains of them. Four readers read each scan, so a group of more than four holds neighbouring nodules: its
tolerance is tightened until no part of it has more than four, the other groups of the scan keep theirs. Where
neighbours touch, no tolerance parts them; they are then parted by the distance of their centres.

The idea is that of ``pylidc.Scan.cluster_annotations`` (Hancock and Magnan 2016, doi:10.1117/1.JMI.3.4.044504), with
three differences: distances are in millimetres (pylidc measures in voxels against a tolerance in millimetres), only
the group that is too large is tightened, and touching neighbours are parted instead of given up.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from pellucid.errors import DataError
from pellucid_ct.lidc.annotations.database import LidcDatabase

READERS = 4
"""Radiologists who read each scan of LIDC-IDRI."""

_TIGHTEN = 0.9
_TIGHTEST_MM = 0.1


def group_annotations(database: LidcDatabase, tolerance_mm: float = 1.0) -> npt.NDArray[np.int64]:
    """Number the nodules, and say which one each annotation shows.

    Parameters
    ----------
    database : LidcDatabase
    tolerance_mm : float
        Largest distance between nearest contour points of one nodule. At 1 mm about a pixel and a half apart; the
        number of nodules changes by less than 1 % from 0.5 to 3 mm.

    Returns
    -------
    ndarray of int64, shape (annotation,)
        Nodule of each row of ``database.annotations``, numbered from 0 in the order of their first annotations.

    Raises
    ------
    DataError
        If the tolerance is not positive.
    """
    contours, annotations = database.contours, database.annotations
    spacing = database.scans["pixel_spacing_mm"].loc[annotations["scan"].loc[contours["annotation"]]].to_numpy()
    length = np.diff(database.first)
    points = np.column_stack(
        [database.points * np.repeat(spacing, length)[:, None], np.repeat(contours["z_mm"], length)]
    )
    begins = np.flatnonzero(np.diff(contours["annotation"], prepend=-1))
    rows = annotations.index.get_indexer(pd.Index(contours["annotation"].iloc[begins]))
    label = np.empty(len(annotations), np.int64)
    label[rows] = group_points(
        points, database.first[np.append(begins, len(contours))], annotations["scan"].to_numpy()[rows], tolerance_mm
    )
    return _in_order(label)


def group_points(
    points_mm: npt.NDArray[np.float64], first: npt.NDArray[np.int64], scan: npt.NDArray[np.int64], tolerance_mm: float
) -> npt.NDArray[np.int64]:
    """Group sets of points.

    Parameters
    ----------
    points_mm : ndarray, shape (point, 3)
    first : ndarray of int, shape (set + 1,)
        Where each set begins, and the number of points.
    scan : ndarray of int, shape (set,)
        Sets of different scans are never grouped.
    tolerance_mm : float

    Returns
    -------
    ndarray of int64, shape (set,)
        Number of the group, at most :data:`READERS` sets in each, in order of first appearance.
    """
    if not tolerance_mm > 0:
        raise DataError(f"tolerance_mm is {tolerance_mm}, expected above 0")
    one, other, distance = _near_pairs(points_mm, first, scan, tolerance_mm)
    centre = np.add.reduceat(points_mm, first[:-1]) / np.diff(first)[:, None]
    label = _connected(one, other, len(scan))
    tolerance = tolerance_mm
    while (large := np.flatnonzero(np.bincount(label) > READERS)).size:
        tolerance *= _TIGHTEN
        inside = np.isin(label, large)
        if tolerance < _TIGHTEST_MM:
            for group in large:
                label = _part_by_centre(label, np.flatnonzero(label == group), centre)
            break
        # Pairs of groups that are small enough stay joined; the others must now be nearer.
        keep = (label[one] == label[other]) & (~inside[one] | (distance <= tolerance))
        label = _connected(one[keep], other[keep], len(scan))
    return _in_order(label)


def _near_pairs(
    points: npt.NDArray[np.float64], first: npt.NDArray[np.int64], scan: npt.NDArray[np.int64], tolerance: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    low, high = np.minimum.reduceat(points, first[:-1]) - tolerance, np.maximum.reduceat(points, first[:-1]) + tolerance
    pairs = []
    for number in np.unique(scan):
        sets = np.flatnonzero(scan == number)
        apart = (low[sets][:, None] > high[sets] - tolerance) | (low[sets] > high[sets][:, None] - tolerance)
        one, other = np.nonzero(np.triu(~apart.any(2), 1))
        pairs.append(np.stack([sets[one], sets[other]]))
    one, other = np.concatenate(pairs, axis=1) if pairs else np.zeros((2, 0), np.int64)
    distance = np.full(len(one), np.inf)
    trees: dict[int, cKDTree] = {}
    for index, (i, j) in enumerate(zip(one.tolist(), other.tolist(), strict=True)):
        tree = trees.get(i)
        if tree is None:
            tree = trees[i] = cKDTree(points[first[i] : first[i + 1]], balanced_tree=False, compact_nodes=False)
        candidates = points[first[j] : first[j + 1]]
        candidates = candidates[((candidates >= low[i]) & (candidates <= high[i])).all(1)]
        if len(candidates):
            distance[index] = tree.query(candidates, distance_upper_bound=tolerance * (1 + 1e-9))[0].min()
    near = distance <= tolerance
    return one[near], other[near], distance[near]


def _connected(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    graph = coo_matrix((np.ones(len(one), np.int8), (one, other)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _part_by_centre(
    label: npt.NDArray[np.int64], members: npt.NDArray[np.int64], centre: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    tree = linkage(centre[members], "average")
    for parts in range(2, len(members) + 1):
        part = cut_tree(tree, n_clusters=parts)[:, 0]
        if np.bincount(part).max() <= READERS:
            break
    label = label.copy()
    label[members] = label.max() + 1 + part
    return label


def _in_order(label: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)
