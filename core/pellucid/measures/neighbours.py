"""Who is whose neighbour, as a sparse matrix of weights.

Places are whatever has neighbours: points in the plane or in space, cells of a grid, nodes of a graph, steps in time.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from pellucid.errors import DataError


def nearest_neighbours(coordinates: np.ndarray, k: int = 8) -> sparse.csr_array:
    """Each place's ``k`` nearest others, with equal weights that sum to one.

    Parameters
    ----------
    coordinates : ndarray, shape (place, axis)
        In one unit of length on all axes: degrees of longitude and latitude must be projected first.
    k : int

    Returns
    -------
    csr_array, shape (place, place)
        Not symmetric: the nearest place of an outlier has nearer ones itself.

    Raises
    ------
    DataError
        If there are not more than ``k`` places, or a coordinate is not a number.

    Warns
    -----
    UserWarning
        If more than ``k`` others lie at the very same place: which of them are neighbours is arbitrary.

    Examples
    --------
    >>> nearest_neighbours(np.array([[0.0], [1.0], [5.0]]), k=1).toarray().tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    coordinates = np.asarray(coordinates, np.float64)
    if coordinates.ndim != 2:
        raise DataError(f"coordinates need the shape (place, axis), got {coordinates.shape}")
    count = len(coordinates)
    if not 1 <= k < count:
        raise DataError(f"{k} nearest neighbours need k of 1 at least and more than k places, got {count} places")
    if not np.isfinite(coordinates).all():
        lost = int((~np.isfinite(coordinates).all(1)).sum())
        raise DataError(f"{lost} of {count} places have a coordinate that is not a number; leave them out")
    _, at_same_place = np.unique(coordinates, axis=0, return_counts=True)
    if at_same_place.max() > k + 1:
        warnings.warn(
            f"{int(at_same_place.max())} samples lie at one place; with k = {k} their neighbours are arbitrary. "
            "Average samples of one place first",
            UserWarning,
            stacklevel=2,
        )
    near = cKDTree(coordinates).query(coordinates, k + 1)[1]
    # A place is its own nearest, but not always the first of those at no distance, nor among them if they are many.
    itself = near == np.arange(count)[:, None]
    itself[~itself.any(1), -1] = True
    columns = near[~itself]
    return sparse.csr_array((np.full(count * k, 1.0 / k), columns, np.arange(count + 1) * k), shape=(count, count))


def linked_neighbours(links: np.ndarray, places: int, *, directed: bool = False) -> sparse.csr_array:
    """Neighbours are places joined by a link: bonds of a molecule, electrodes of a montage, edges of a mesh.

    Parameters
    ----------
    links : ndarray of int, shape (link, 2)
        A link given twice counts once; one from a place to itself is refused.
    places : int
    directed : bool
        Whether a link makes the second place a neighbour of the first only.

    Returns
    -------
    csr_array, shape (place, place)
        Rows sum to one; that of a place without links is empty.
    """
    links = np.asarray(links).reshape(-1, 2)
    if len(links) and (links.min() < 0 or links.max() >= places):
        raise DataError(f"links name places {links.min()} to {links.max()}, but there are 0 to {places - 1}")
    if not directed:
        links = np.concatenate([links, links[:, ::-1]])
    matrix = sparse.csr_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(places, places))
    matrix.data[:] = 1.0
    return row_standardised(matrix)


def grid_neighbours(shape: tuple[int, ...], *, diagonal: bool = False) -> sparse.csr_array:
    """Cells of a grid of any number of axes, in the order of ``ravel``, and the cells beside them.

    Parameters
    ----------
    shape : tuple of int
    diagonal : bool
        Whether cells that share no more than a corner are neighbours too.
    """
    number = np.arange(int(np.prod(shape))).reshape(shape)
    steps = np.array(np.meshgrid(*[[-1, 0, 1]] * len(shape), indexing="ij")).reshape(len(shape), -1).T
    taken = np.abs(steps).sum(1) >= 1 if diagonal else np.abs(steps).sum(1) == 1
    links = []
    for step in steps[taken]:
        here = tuple(slice(max(0, -s), n - max(0, s)) for s, n in zip(step, shape, strict=True))
        there = tuple(slice(max(0, s), n - max(0, -s)) for s, n in zip(step, shape, strict=True))
        links.append(np.stack([number[here].ravel(), number[there].ravel()], axis=1))
    return linked_neighbours(np.concatenate(links), number.size, directed=True)


def sequence_neighbours(sequences: np.ndarray, times: np.ndarray | None = None, *, reach: int = 1) -> sparse.csr_array:
    """Steps of a sequence and the ``reach`` steps before and after them; no step has a neighbour in another sequence.

    Parameters
    ----------
    sequences : ndarray, shape (step,)
        The sequence (recording, episode, sentence) that each step belongs to.
    times : ndarray, shape (step,), optional
        What the steps of a sequence are ordered by; without it, they stand in order.
    reach : int, 1 at least
    """
    if reach < 1:
        raise DataError(f"a reach of {reach} steps joins nothing; 1 is the least")
    sequences = np.unique(np.asarray(sequences).astype(str), return_inverse=True)[1]
    count = len(sequences)
    order = np.lexsort((np.arange(count) if times is None else np.asarray(times), sequences))
    links = [np.zeros((0, 2), np.int64)]
    for step in range(1, min(reach, count - 1) + 1):
        one, other = order[:-step], order[step:]
        same = sequences[one] == sequences[other]
        links.append(np.stack([one[same], other[same]], axis=1))
    return linked_neighbours(np.concatenate(links), count)


def row_standardised(weights: sparse.sparray | np.ndarray) -> sparse.csr_array:
    """Weights, each row divided by its sum: what neighbours say on average. Empty rows stay empty.

    Parameters
    ----------
    weights : sparse array or ndarray, shape (place, place)
        Not negative, nothing on the diagonal: an adjacency matrix will do.
    """
    matrix = checked_weights(weights)
    sums = matrix.sum(1)
    return sparse.csr_array(sparse.diags_array(np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)) @ matrix)


def checked_weights(weights: sparse.sparray | np.ndarray) -> sparse.csr_array:
    """Weights as a sparse matrix, shape (place, place), without the zeros that were stored.

    Raises
    ------
    DataError
        If it is not square, a weight is negative or NaN, or a place is its own neighbour.
    """
    matrix = sparse.csr_array(weights, dtype=np.float64)
    if matrix.shape[0] != matrix.shape[1]:
        raise DataError(f"weights need the shape (place, place), got {matrix.shape}")
    if len(matrix.data) and not matrix.data.min() >= 0:
        raise DataError("weights hold negative numbers or NaN; a neighbour counts by a positive number or not at all")
    if (matrix.diagonal() != 0).any():
        raise DataError("a place is its own neighbour: clear the diagonal of the weights")
    matrix.eliminate_zeros()
    return matrix
