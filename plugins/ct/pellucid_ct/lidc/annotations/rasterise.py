"""Polygons to pixels: exact coverage of a grid in millimetres, and the lattice pixels strictly inside a contour.

Two rules, for two jobs.

:func:`polygon_coverage` and :func:`outline_coverage` say which share of each pixel an outline covers. The sum of the
image is the polygon's area, however small it is, as shares are computed from the edges and not by sampling.

:func:`interior_pixels` is the rule of the LIDC for its contours. Their vertices are whole pixels, and those pixels
are the first ones *outside* the nodule (McNitt-Gray et al. 2007, doi:10.1016/j.acra.2007.07.021; Armato et al. 2011).
A reader's nodule is therefore what lies strictly inside: every pixel the outline passes through is left out. The
outlines of holes are left out with the hole, as pylidc does. A contour that encloses no pixel marks nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid.measures.outlines import Floats, Integers, Outlines

_CHUNK = 50_000
_PIXELS_A_POINT = 64


def polygon_coverage(
    polygon_mm: npt.ArrayLike,
    *,
    shape: tuple[int, int],
    spacing_mm: float | tuple[float, float],
    origin_mm: tuple[float, float] = (0.0, 0.0),
    holes_mm: Sequence[npt.ArrayLike] = (),
) -> Floats:
    """Share of each pixel of a grid that a polygon covers.

    Parameters
    ----------
    polygon_mm : array_like, shape (vertex, 2), mm
        Row and column of the vertices in order, in either sense, closed or not. It must not cross itself.
    shape : (int, int)
        Rows and columns of the grid. What lies outside the grid is cut off.
    spacing_mm : float or (float, float)
        Height and width of a pixel.
    origin_mm : (float, float)
        Where the outer corner of pixel ``[0, 0]`` lies (its centre is half a pixel further).
    holes_mm : sequence of array_like
        Polygons inside the first one, subtracted.

    Returns
    -------
    ndarray of float64, shape ``shape``, from 0 to 1

    Raises
    ------
    DataError
        If a polygon has fewer than three vertices or a vertex that is not finite, or the spacing is not positive.

    Examples
    --------
    >>> image = polygon_coverage([(1, 1), (1, 3), (3, 3), (3, 1)], shape=(4, 4), spacing_mm=1.0)
    >>> float(image.sum()), float(image[1, 1])
    (4.0, 1.0)
    """
    spacing = np.broadcast_to(np.asarray(spacing_mm, np.float64), 2)
    if not (np.isfinite(spacing) & (spacing > 0)).all():
        raise DataError(f"spacing_mm is {spacing_mm}, expected above 0")
    image = np.zeros(shape)
    for number, vertices in enumerate((polygon_mm, *holes_mm)):
        points = np.asarray(vertices, np.float64)
        name = "the polygon" if number == 0 else f"hole {number}"
        if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3:
            raise DataError(f"{name} has shape {points.shape}, expected at least three vertices (row, column)")
        if not np.isfinite(points).all():
            raise DataError(
                f"{name} has a vertex that is not finite: vertex {int(np.argwhere(~np.isfinite(points))[0, 0])}"
            )
        pixels = (points - np.asarray(origin_mm)) / spacing
        one = _coverage(pixels, np.roll(pixels, -1, axis=0), np.zeros(len(pixels), np.int64), 1, shape)[0]
        # The sign is the sense in which the vertices were given.
        image += abs(one) if number == 0 else -abs(one)
    return np.clip(image, 0.0, 1.0)


def outline_coverage(shapes: Outlines, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Share of each pixel that each image's outline covers.

    Parameters
    ----------
    shapes : Outlines
        In pixels of the wanted frame; the centre of pixel ``[0, 0]`` is at (0, 0).
    shape : (int, int)
        Rows and columns.

    Returns
    -------
    ndarray of float32, shape (image, row, column), from 0 to 1
    """
    images = np.zeros((shapes.count, *shape), np.float32)
    chunk = max(1, 2**22 // (shape[0] * shape[1]))
    corner = shapes.points + 0.5
    for begin in range(0, shapes.count, chunk):
        end = min(begin + chunk, shapes.count)
        low, high = np.searchsorted(shapes.owner, [begin, end])
        start, stop = corner[low:high], corner[shapes.following[low:high]]
        covered = _coverage(stop, start, shapes.owner[low:high] - begin, end - begin, shape)
        images[begin:end] = np.clip(covered, 0.0, 1.0)
    return images


def _coverage(start: Floats, stop: Floats, owner: Integers, count: int, shape: tuple[int, int]) -> Floats:
    # Signed areas, as font renderers do it: an edge adds its height to every pixel on its right, and a part of it to
    # the pixel it crosses. Edges are first cut at the grid lines, so that each piece lies in one pixel.
    rows, columns = shape
    first, last = np.floor(np.minimum(start, stop)), np.floor(np.maximum(start, stop))
    cuts, edges = [np.zeros(len(start)), np.ones(len(start))], [np.arange(len(start))] * 2
    for axis in (0, 1):
        lines = (last - first)[:, axis].astype(np.int64)
        edge = np.repeat(np.arange(len(start)), lines)
        line = np.repeat(first[:, axis], lines) + 1 + _ranges(lines)
        cuts.append((line - start[edge, axis]) / (stop[edge, axis] - start[edge, axis]))
        edges.append(edge)
    cut, edge = np.concatenate(cuts), np.concatenate(edges)
    order = np.lexsort((cut, edge))
    cut, edge = np.clip(cut[order], 0.0, 1.0), edge[order]
    points = start[edge] + cut[:, None] * (stop - start)[edge]
    inside = edge[1:] == edge[:-1]
    before, after, edge = points[:-1][inside], points[1:][inside], edge[:-1][inside]

    middle = 0.5 * (before + after)
    row, column = np.floor(middle[:, 0]).astype(np.int64), np.floor(middle[:, 1]).astype(np.int64)
    height = after[:, 0] - before[:, 0]
    # An edge left of the frame still covers everything on its right; one right of the frame covers nothing.
    part = np.where(column < 0, 0.0, np.where(column >= columns, 1.0, middle[:, 1] - column))
    column = np.clip(column, 0, columns - 1)
    keep = (row >= 0) & (row < rows) & (height != 0)
    place = ((owner[edge] * rows + row) * (columns + 1) + column)[keep]
    height, part = height[keep], part[keep]
    total = count * rows * (columns + 1)
    sums = np.bincount(place, height * (1 - part), total) + np.bincount(place + 1, height * part, total)[:total]
    return np.cumsum(sums.reshape(count, rows, columns + 1), axis=2)[:, :, :columns]


def interior_pixels(points: Integers, first: Integers) -> tuple[Integers, Integers, Integers]:
    """Pixels strictly inside contours whose vertices are pixels.

    Parameters
    ----------
    points : ndarray of int, shape (point, 2)
        Row and column of the vertices of all contours, one contour after the other. Open contours are closed.
    first : ndarray of int, shape (contour + 1,)
        Where each contour begins, and the number of points.

    Returns
    -------
    contour, row, column : ndarray of int, shape (pixel,)
        Number of the contour, increasing, and the pixel. A contour that crosses itself is filled by the even-odd rule.

    Examples
    --------
    >>> _, row, column = interior_pixels(np.array([(0, 1), (1, 0), (2, 1), (1, 2)]), np.array([0, 4]))
    >>> row, column
    (array([1]), array([1]))
    """
    parts = [_fill(points[first[a] : first[b]], first[a : b + 1] - first[a], a) for a, b in _chunks(points, first)]
    contour, row, column = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return contour, row, column


def crossed(points: Integers, first: Integers) -> npt.NDArray[np.bool_]:
    """Which contours enclose pixels in both senses, or some more than once: what they enclose has no one meaning.

    A contour that touches itself, or crosses itself without enclosing a pixel by it (drawn by hand, many overshoot
    where they close), is none of them.

    Parameters
    ----------
    points, first
        See :func:`interior_pixels`.

    Returns
    -------
    ndarray of bool, shape (contour,)

    Examples
    --------
    >>> bow = [(0, 0), (0, 9), (9, 0), (9, 9)]
    >>> square = [(0, 0), (0, 9), (9, 9), (9, 0)]
    >>> crossed(np.array(bow + square), np.array([0, 4, 8]))
    array([ True, False])
    """
    wrong = []
    for begin, end in _chunks(points, first):
        low, high = first[begin], first[end]
        boxes = _boxes(points[low:high], first[begin : end + 1] - low)
        turns = np.cumsum(np.bincount(boxes.place, boxes.sense, boxes.offset[-1])).round()
        turns[boxes.outline] = 0
        most, least = (f.reduceat(turns, boxes.offset[:-1]) for f in (np.maximum, np.minimum))
        wrong.append((most > 1) | (least < -1) | ((most > 0) & (least < 0)))
    return np.concatenate(wrong)


def outline_pixels(points: Integers, first: Integers) -> tuple[Integers, Integers, Integers]:
    """Pixels that contours pass through: the vertices, and the pixels that edges between distant vertices run over.

    Parameters
    ----------
    points, first
        See :func:`interior_pixels`.

    Returns
    -------
    contour, row, column : ndarray of int, shape (pixel,)
        Number of the contour, increasing, and the pixel; one may stand more than once.
    """
    following = np.arange(len(points)) + 1
    following[first[1:] - 1] = first[:-1]
    edge, pixel = _along(points, points[following] - points)
    return np.searchsorted(first, edge, side="right") - 1, pixel[:, 0], pixel[:, 1]


def _along(start: Integers, run: Integers) -> tuple[Integers, Integers]:
    """Whole points on each edge, its start but not its end: number of the edge, and the point."""
    stride = np.maximum(np.gcd(run[:, 0], run[:, 1]), 1)
    edge = np.repeat(np.arange(len(start)), stride)
    return edge, start[edge] + _ranges(stride)[:, None] * (run // stride[:, None])[edge]


def _chunks(points: Integers, first: Integers) -> Iterator[tuple[int, int]]:
    # Some thousand contours at a time: arrays that fit in a processor's cache are filled several times faster.
    low, high = (f.reduceat(points, first[:-1]).astype(np.int64) for f in (np.minimum, np.maximum))
    cost = np.cumsum(np.maximum(np.diff(first), (high - low + 1).prod(1) // _PIXELS_A_POINT))
    bounds = np.unique(np.append(np.searchsorted(cost, np.arange(0, cost[-1], _CHUNK)), len(cost)))
    return itertools.pairwise(bounds.tolist())


@dataclass(frozen=True, eq=False)
class _Boxes:
    """Contours in boxes of their own, one after the other in one flat image.

    ``low`` and ``extent`` are first pixel and size of each box, ``offset`` where it begins. ``place`` holds the first
    pixel on or right of an edge, for each row that the edge crosses, and ``sense`` 1 where it runs down and -1 where up;
    ``outline`` the pixels on edges.
    """

    low: Integers
    extent: Integers
    offset: Integers
    place: Integers
    sense: Integers
    outline: Integers


def _boxes(points: Integers, first: Integers) -> _Boxes:
    low, high = np.minimum.reduceat(points, first[:-1]), np.maximum.reduceat(points, first[:-1])
    # One column to spare: an edge on the last column toggles there, and each row ends outside.
    extent = (high - low + 1 + np.array([0, 1])).astype(np.int64)
    offset = np.concatenate([[0], np.cumsum(extent.prod(1))])
    contour = np.repeat(np.arange(len(extent)), np.diff(first))
    following = np.arange(len(points)) + 1
    following[first[1:] - 1] = first[:-1]
    start = (points - low[contour]).astype(np.int64)
    stop = start[following]
    width, base = extent[contour, 1], offset[contour]

    run = stop - start
    down = (run[:, 0] > 0)[:, None]
    upper, lower = np.where(down, start, stop), np.where(down, stop, start)
    rise = lower[:, 0] - upper[:, 0]
    edge, step = np.repeat(np.arange(len(points)), rise), _ranges(rise)
    # First pixel on or right of the edge in each row that it crosses, in whole numbers so that nothing is rounded.
    crossing = upper[edge, 1] - (-step * (lower - upper)[edge, 1]) // rise[edge]
    place = base[edge] + (upper[edge, 0] + step) * width[edge] + crossing
    sense = np.where(down[edge, 0], 1, -1)

    edge, on_edge = _along(start, run)
    outline = base[edge] + on_edge[:, 0] * width[edge] + on_edge[:, 1]
    return _Boxes(low, extent, offset, place, sense, outline)


def _fill(points: Integers, first: Integers, number: int) -> tuple[Integers, Integers, Integers]:
    boxes = _boxes(points, first)
    inside = np.cumsum(np.bincount(boxes.place, minlength=boxes.offset[-1])) % 2 == 1
    inside[boxes.outline] = False
    pixel = np.flatnonzero(inside)
    which = np.searchsorted(boxes.offset, pixel, side="right") - 1
    row, column = np.divmod(pixel - boxes.offset[which], boxes.extent[which, 1])
    return which + number, row + boxes.low[which, 0], column + boxes.low[which, 1]


def _ranges(lengths: Integers) -> Integers:
    """``0 .. n - 1`` for each length, one after the other."""
    ends = np.cumsum(lengths)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)
