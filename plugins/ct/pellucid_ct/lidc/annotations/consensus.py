"""What at least half of a nodule's readers marked: voxel masks, the slices in them, and their outlines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.errors import DataError
from pellucid.measures.outlines import Integers, Outlines, join_outlines, outlines
from pellucid_ct.lidc.annotations.database import LidcDatabase
from pellucid_ct.lidc.annotations.rasterise import interior_pixels, outline_pixels

_BUCKETS = (16, 32, 64, 128)


@dataclass(frozen=True)
class Consensus:
    """Consensus masks of all nodules, one after the other in one flat array.

    Parameters
    ----------
    voxels : ndarray of bool, shape (voxel,)
        The boxes of all nodules; a box is ordered by slice (lowest z first), row and column.
    offset : ndarray of int, shape (nodule + 1,)
        Where each box begins, and the number of voxels.
    corner, extent : ndarray of int, shape (nodule, 3)
        First slice, row and column of each box in its scan, and numbers of slices, rows and columns.
    readers : ndarray of int, shape (nodule,)
    needed : ndarray of int, shape (nodule,)
        How many readers had to mark a voxel. Half of them, or fewer where no voxel would be left.
    """

    voxels: npt.NDArray[np.bool_]
    offset: Integers
    corner: Integers
    extent: Integers
    readers: Integers
    needed: Integers

    def __len__(self) -> int:
        return len(self.readers)

    def mask(self, nodule: int) -> npt.NDArray[np.bool_]:
        """Mask of one nodule, shape (slice, row, column)."""
        return self.voxels[self.offset[nodule] : self.offset[nodule + 1]].reshape(self.extent[nodule])

    def slices(self) -> tuple[Integers, Integers, Integers]:
        """Slices that hold a part of a nodule.

        Returns
        -------
        nodule, slice, pixels : ndarray of int, shape (slice,)
            Number of the nodule, increasing; number of the slice in its box; how many pixels are inside.
        """
        nodule = np.repeat(np.arange(len(self)), self.extent[:, 0])
        number = np.arange(len(nodule)) - np.repeat(np.cumsum(self.extent[:, 0]) - self.extent[:, 0], self.extent[:, 0])
        begin = self.offset[nodule] + number * self.extent[nodule, 1] * self.extent[nodule, 2]
        pixels = np.add.reduceat(self.voxels, begin, dtype=np.int64)
        some = pixels > 0
        return nodule[some], number[some], pixels[some]

    def outlines(self, nodule: Integers, number: Integers) -> Outlines:
        """Smoothed outlines of some slices, in pixels of the scan, that enclose as much as the slices' pixels.

        Parameters
        ----------
        nodule, number : ndarray of int, shape (slice,)
            From :meth:`slices`.
        """
        parts, places = [], []
        for place, masks in self._batches(nodule, number):
            traced = outlines(masks)
            corner = self.corner[nodule[place], 1:].astype(np.float64)
            pixels = masks.sum((1, 2), dtype=np.float64)
            parts.append(traced.smoothed().with_areas(pixels).moved(corner, np.ones(len(place))))
            places.append(place)
        return join_outlines(parts, places, len(nodule))

    def _batches(self, nodule: Integers, number: Integers) -> Iterator[tuple[Integers, npt.NDArray[np.uint8]]]:
        rows, columns = self.extent[nodule, 1], self.extent[nodule, 2]
        begin = self.offset[nodule] + number * rows * columns
        bucket = np.searchsorted(_BUCKETS, np.maximum(rows, columns))
        for one in np.unique(bucket):
            place = np.flatnonzero(bucket == one)
            height, width = int(rows[place].max()), int(columns[place].max())
            for chunk in np.array_split(place, -(-len(place) * height * width // 2**22)):
                r, c = np.arange(height)[None, :, None], np.arange(width)[None, None, :]
                h, w = rows[chunk, None, None], columns[chunk, None, None]
                index = begin[chunk, None, None] + r * w + c
                inside = (r < h) & (c < w)
                yield chunk, (self.voxels[np.where(inside, index, 0)] & inside).astype(np.uint8)


def consensus_masks(database: LidcDatabase, nodule: Integers, agreement: float = 0.5) -> Consensus:
    """Masks of the voxels that at least a share of a nodule's readers marked.

    Parameters
    ----------
    database : LidcDatabase
    nodule : ndarray of int, shape (annotation,)
        From :func:`~pellucid_ct.lidc.annotations.grouping.group_annotations`.
    agreement : float
        Share of readers, above 0 and at most 1. At 0.5 two of three, two of four, and one of two.

    Returns
    -------
    Consensus
        A nodule whose readers agree on no voxel needs fewer of them, down to one. A contour that encloses no pixel
        (148 in LIDC-IDRI, one of them of two points only) marks none; it still says where its reader drew.

    Raises
    ------
    DataError
        If all that a reader drew of a nodule encloses no pixel: it has no area. Names the annotation's row id.
    """
    contours = database.contours
    annotation = database.annotations.index.get_indexer(pd.Index(contours["annotation"]))
    owner = nodule[annotation]
    count = int(nodule.max()) + 1
    readers = np.bincount(nodule, minlength=count)
    low = np.column_stack([contours["slice"], np.minimum.reduceat(database.points, database.first[:-1])])
    high = np.column_stack([contours["slice"], np.maximum.reduceat(database.points, database.first[:-1])])
    corner, far = np.full((count, 3), np.iinfo(np.int64).max), np.full((count, 3), -1)
    np.minimum.at(corner, owner, low)
    np.maximum.at(far, owner, high)
    extent = far - corner + 1
    offset = np.concatenate([[0], np.cumsum(extent.prod(1))])

    # Where the scan's pixel (0, 0) on each contour's slice would be, were it in the nodule's box.
    width = extent[owner, 2]
    above = contours["slice"].to_numpy() - corner[owner, 0]
    origin = offset[owner] + (above * extent[owner, 1] - corner[owner, 1]) * width - corner[owner, 2]

    def voxel_of(contour: Integers, row: Integers, column: Integers) -> Integers:
        return origin[contour] + row * width[contour] + column

    contour, row, column = interior_pixels(database.points, database.first)
    voxel = voxel_of(contour, row, column)
    outline_of, row, column = outline_pixels(database.points, database.first)
    outline = voxel_of(outline_of, row, column)
    hole = ~contours["inclusion"].to_numpy()
    number_of_reader = _rank_in_group(nodule)
    rank = number_of_reader[annotation]
    votes, marked = np.zeros(offset[-1], np.uint8), np.zeros(offset[-1], bool)
    # One reader of every nodule at a time: contours of one reader are united and holes taken out before votes are
    # counted.
    for reader in range(int(rank.max()) + 1):
        mine = rank == reader
        marked[:] = False
        marked[voxel[(mine & ~hole)[contour]]] = True
        marked[voxel[(mine & hole)[contour]]] = False
        marked[outline[(mine & hole)[outline_of]]] = False
        empty = np.isin(nodule, np.flatnonzero(~np.logical_or.reduceat(marked, offset[:-1])))
        _refuse_empty(database, (number_of_reader == reader) & empty)
        votes += marked

    most = np.maximum.reduceat(votes, offset[:-1])
    needed = np.minimum(np.ceil(agreement * readers - 1e-9).astype(np.int64), np.maximum(most, 1))
    return Consensus(votes >= np.repeat(needed, extent.prod(1)), offset, corner, extent, readers, needed)


def _refuse_empty(database: LidcDatabase, empty: npt.NDArray[np.bool_]) -> None:
    if empty.any():
        rows = database.annotations.index[empty]
        more = f" ({len(rows)} rows like it)" if len(rows) > 1 else ""
        raise DataError(
            f"{database.path}: table 'annotations', row id {rows[0]}: its contours in table 'contours' enclose no "
            f"pixel, expected a nodule with an area{more}"
        )


def _rank_in_group(group: Integers) -> Integers:
    order = np.argsort(group, kind="stable")
    begins = np.flatnonzero(np.diff(group[order], prepend=-1))
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(begins, np.diff(np.append(begins, len(group))))
    return rank
