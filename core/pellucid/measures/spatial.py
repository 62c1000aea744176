"""Do features vary smoothly over places? Moran's I, global and local, for all features at once.

Places are whatever has neighbours: points in the plane or in space, cells of a grid, nodes of a graph, steps in time. Who
is whose neighbour stands in a sparse matrix of weights; everything else follows from it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from pellucid.errors import DataError
from pellucid.statistics.false_discovery import benjamini_hochberg

LEAST_ACTIVE = 20
"""Places at which a feature must differ from zero: I of fewer moves with each of them."""

BLOCK = 1 << 21
"""Numbers permuted at once, 16 megabytes."""

ROUNDING = 1e-12
"""Permuted values so near the observed one are equal to it: features of few values have many ties."""

CLASSES = ("", "HH", "LH", "LL", "HL")
"""Local classes by number: high among high, low among high, low among low, high among low; 0 is none."""


# --- who is whose neighbour -------------------------------------------------------------------------------------------


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
    matrix = _checked(weights)
    sums = matrix.sum(1)
    return sparse.csr_array(sparse.diags_array(np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)) @ matrix)


# --- Moran's I --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moran:
    """Moran's I of each feature and what dealing values anew to places gives.

    Parameters
    ----------
    values : ndarray, shape (feature,)
        NaN where a feature is constant or active at too few places, as are all others then.
    expected : float
        What I is on average without any pattern, ``-1 / (n - 1)``: a little below zero.
    z : ndarray, shape (feature,)
        Distance from the mean of the permutations in their standard deviations.
    p_greater : ndarray, shape (feature,)
        Of the directional test: are neighbours more alike than by chance?
    p_two_sided : ndarray, shape (feature,)
        Are they more or less alike than by chance? Twice the smaller of both tails.
    p_folded : ndarray, shape (feature,)
        As the esda library gives it: the tail in which the value happens to lie, not doubled. Without any pattern it is
        below 0.05 for one feature in ten; it is here for comparison and not for claims.
    active : ndarray of int, shape (feature,)
        Places at which the feature is not zero.
    """

    values: np.ndarray
    expected: float
    z: np.ndarray
    p_greater: np.ndarray
    p_two_sided: np.ndarray
    p_folded: np.ndarray
    active: np.ndarray

    @property
    def q_greater(self) -> np.ndarray:
        """False discovery rate over features of the directional test."""
        return benjamini_hochberg(self.p_greater)

    @property
    def q_two_sided(self) -> np.ndarray:
        """False discovery rate over features of the two-sided test."""
        return benjamini_hochberg(self.p_two_sided)


@dataclass(frozen=True)
class LocalMoran:
    """Where a feature is like its surroundings, and where it is not.

    Parameters
    ----------
    values : ndarray, shape (place, feature)
        Over places they sum to ``n - 1`` times the global I, for weights whose rows sum to one.
    quadrants : ndarray of int, shape (place, feature)
        Numbers of :data:`CLASSES`, whether significant or not.
    p_two_sided, p_folded : ndarray, shape (place, feature)
        A place keeps its value, and the values of all others are dealt anew to its neighbours. See :class:`Moran`.
    """

    values: np.ndarray
    quadrants: np.ndarray
    p_two_sided: np.ndarray
    p_folded: np.ndarray

    def classes(self, level: float = 0.05, *, corrected: bool = True) -> np.ndarray:
        """Numbers of :data:`CLASSES`, shape (place, feature); 0 where a place is not significant.

        Parameters
        ----------
        level : float
        corrected : bool
            Whether ``level`` is the false discovery rate over the places of a feature, or of each place alone.
        """
        p = self.p_two_sided
        if corrected:
            p = np.stack([benjamini_hochberg(column) for column in p.T], axis=1)
        return np.where(p <= level, self.quadrants, 0)


def morans_i(
    features: np.ndarray, weights: sparse.sparray | np.ndarray, *, least_active: int = LEAST_ACTIVE
) -> np.ndarray:
    """Moran's I: the correlation of a feature with the mean of its neighbours, in units of the feature's variance.

    Parameters
    ----------
    features : ndarray, shape (place, feature)
    weights : sparse array or ndarray, shape (place, place)
        Not negative; how much the second place says about the first.
    least_active : int
        Features that are not zero at fewer places get NaN.

    Returns
    -------
    ndarray, shape (feature,)
        1 where all neighbours agree, ``-1 / (n - 1)`` on average where there is no pattern; NaN, with a warning, for
        constant features and those active at few places.

    Raises
    ------
    DataError
        If a value is not a number, shapes do not fit, or nobody has a neighbour.

    References
    ----------
    Moran (1950), doi:10.1093/biomet/37.1-2.17; for features of a network: De Sabbata, Mizzaro and Roitero (2025),
    arXiv 2505.03368.

    Examples
    --------
    >>> ring = linked_neighbours([[i, (i + 1) % 30] for i in range(30)], 30)
    >>> alternating = np.resize([1.0, -1.0], 30)[:, None]
    >>> morans_i(alternating, ring).round(6).tolist()
    [-1.0]
    """
    matrix = _checked(weights)
    centred, _ = _centred(features, matrix, least_active)
    return _scale(matrix, centred) * _products(matrix, centred)


def moran(
    features: np.ndarray,
    weights: sparse.sparray | np.ndarray,
    *,
    permutations: int = 999,
    seed: int = 0,
    least_active: int = LEAST_ACTIVE,
) -> Moran:
    """Moran's I with permutation tests.

    Parameters
    ----------
    features, weights, least_active
        See :func:`morans_i`.
    permutations : int
        No p is below ``1 / (permutations + 1)``: for a single one of many features to survive the correction, there must
        be 20 times more permutations than features. All features share a permutation.
    seed : int

    Returns
    -------
    Moran
    """
    matrix = _checked(weights)
    centred, active = _centred(features, matrix, least_active)
    count, width = centred.shape
    scale = _scale(matrix, centred)
    observed = scale * _products(matrix, centred)
    rng = np.random.default_rng(seed)
    above, below = np.zeros(width, np.int64), np.zeros(width, np.int64)
    total, squares = np.zeros(width), np.zeros(width)
    slack = ROUNDING * np.maximum(1.0, np.abs(observed))
    at_once = max(1, BLOCK // max(1, count * width))
    for start in range(0, permutations, at_once):
        blocks = min(at_once, permutations - start)
        orders = np.stack([rng.permutation(count) for _ in range(blocks)], axis=1)
        dealt = centred[orders].reshape(count, blocks * width)
        found = scale * _products(matrix, dealt).reshape(blocks, width)
        above += (found >= observed - slack).sum(0)
        below += (found <= observed + slack).sum(0)
        total += (found - observed).sum(0)
        squares += ((found - observed) ** 2).sum(0)
    greater, two_sided, folded = _p_values(above, below, permutations, np.isnan(observed))
    mean = total / permutations
    with np.errstate(invalid="ignore", divide="ignore"):
        z = -mean / np.sqrt(squares / permutations - mean**2)
    return Moran(observed, -1.0 / (count - 1), z, greater, two_sided, folded, active)


def local_moran(
    features: np.ndarray,
    weights: sparse.sparray | np.ndarray,
    *,
    permutations: int = 999,
    seed: int = 0,
    least_active: int = LEAST_ACTIVE,
) -> LocalMoran:
    """Local Moran's I of each place and feature, with tests that keep the place's own value.

    Parameters
    ----------
    features, weights, permutations, seed, least_active
        See :func:`moran`.

    Returns
    -------
    LocalMoran

    References
    ----------
    Anselin (1995), doi:10.1111/j.1538-4632.1995.tb00338.x.
    """
    matrix = _checked(weights)
    centred, _ = _centred(features, matrix, least_active)
    count = len(centred)
    lag = matrix @ centred
    own = (count - 1) * centred / _sum_of_squares(centred)
    slack = ROUNDING * np.maximum(1.0, np.abs(lag))
    row = np.repeat(np.arange(count), np.diff(matrix.indptr))
    place = np.arange(len(row)) - matrix.indptr[row]
    rng = np.random.default_rng(seed)
    above, below = np.zeros(lag.shape, np.int64), np.zeros(lag.shape, np.int64)
    for _ in range(permutations):
        # The others in a new order, the place itself skipped: its neighbours are the first of them.
        order = rng.permutation(count - 1)[place]
        dealt = sparse.csr_array((matrix.data, order + (order >= row), matrix.indptr), shape=matrix.shape) @ centred
        above += dealt >= lag - slack
        below += dealt <= lag + slack
    # A local value is the lag times the place's own: where that is negative, tails change sides.
    turned = own < 0
    above, below = np.where(turned, below, above), np.where(turned, above, below)
    nothing = np.isnan(own) | (np.diff(matrix.indptr) == 0)[:, None]
    _, two_sided, folded = _p_values(above, below, permutations, nothing)
    quadrants = np.select([(centred > 0) & (lag > 0), centred > 0, lag > 0], [1, 4, 2], 3)
    return LocalMoran(own * lag, np.where(nothing, 0, quadrants), two_sided, folded)


def overlap(members: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """How far sets of places are known regions: shared places over places in either (Jaccard).

    Parameters
    ----------
    members : ndarray of bool, shape (place, feature)
        For instance the places of class HH.
    regions : ndarray of bool, shape (place, region)

    Returns
    -------
    ndarray, shape (feature, region)
        0 where both are empty.
    """
    one, other = np.asarray(members, np.float64), np.asarray(regions, np.float64)
    shared = one.T @ other
    either = one.sum(0)[:, None] + other.sum(0) - shared
    return shared / np.maximum(either, 1.0)


def _checked(weights: sparse.sparray | np.ndarray) -> sparse.csr_array:
    matrix = sparse.csr_array(weights, dtype=np.float64)
    if matrix.shape[0] != matrix.shape[1]:
        raise DataError(f"weights need the shape (place, place), got {matrix.shape}")
    if len(matrix.data) and not matrix.data.min() >= 0:
        raise DataError("weights hold negative numbers or NaN; a neighbour counts by a positive number or not at all")
    if (matrix.diagonal() != 0).any():
        raise DataError("a place is its own neighbour: clear the diagonal of the weights")
    matrix.eliminate_zeros()
    return matrix


def _centred(features: np.ndarray, matrix: sparse.csr_array, least_active: int) -> tuple[np.ndarray, np.ndarray]:
    """Features less their mean, NaN throughout for those that are not measured; and places at which they are active."""
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) != matrix.shape[0]:
        raise DataError(f"features need the shape ({matrix.shape[0]}, feature) of these weights, got {features.shape}")
    if not np.isfinite(features).all():
        lost = int((~np.isfinite(features).all(1)).sum())
        raise DataError(f"features of {lost} places are not numbers; leave these places out, weights included")
    if matrix.nnz == 0:
        raise DataError("no place has a neighbour: nothing can be alike")
    active = (features != 0).sum(0)
    constant = np.ptp(features, axis=0) <= 1e-12 * np.abs(features).max(0)
    few = ~constant & (active < least_active)
    if constant.any() or few.any():
        warnings.warn(
            f"of {features.shape[1]} features, {int(constant.sum())} are constant and {int(few.sum())} are active at "
            f"fewer than {least_active} places: their I is NaN",
            UserWarning,
            stacklevel=3,
        )
    centred = features - features.mean(0)
    centred[:, constant | few] = np.nan
    return centred, active


def _sum_of_squares(centred: np.ndarray) -> np.ndarray:
    return (centred**2).sum(0)


def _scale(matrix: sparse.csr_array, centred: np.ndarray) -> np.ndarray:
    return len(centred) / matrix.sum() / _sum_of_squares(centred)


def _products(matrix: sparse.csr_array, centred: np.ndarray) -> np.ndarray:
    return np.einsum("nm,nm->m", centred, matrix @ centred)


def _p_values(
    above: np.ndarray, below: np.ndarray, permutations: int, nothing: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    greater, less = (above + 1) / (permutations + 1), (below + 1) / (permutations + 1)
    two_sided = np.minimum(1.0, 2 * np.minimum(greater, less))
    folded = (np.minimum(above, permutations - above) + 1) / (permutations + 1)
    return (
        np.where(nothing, np.nan, greater),
        np.where(nothing, np.nan, two_sided),
        np.where(nothing, np.nan, folded),
    )
