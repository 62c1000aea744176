"""Do features vary smoothly over places? Moran's I of all features at once, with permutation tests.

Who is whose neighbour stands in a sparse matrix of weights (:mod:`pellucid.measures.neighbours`); all else follows from it.
Where a feature is like its surroundings says :mod:`pellucid.measures.local_moran`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pellucid.errors import DataError
from pellucid.measures.neighbours import checked_weights
from pellucid.statistics.false_discovery import benjamini_hochberg

LEAST_ACTIVE = 20
"""Places at which a feature must differ from zero: I of fewer moves with each of them."""

BLOCK = 1 << 21
"""Numbers permuted at once, 16 megabytes."""

ROUNDING = 1e-12
"""Permuted values so near the observed one are equal to it: features of few values have many ties."""


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
    dealt_p_two_sided : ndarray, shape (dealing, feature)
        What ``p_two_sided`` would be had the values been dealt anew to places before.
    """

    values: np.ndarray
    expected: float
    z: np.ndarray
    p_greater: np.ndarray
    p_two_sided: np.ndarray
    p_folded: np.ndarray
    active: np.ndarray
    dealt_p_two_sided: np.ndarray

    @property
    def q_two_sided(self) -> np.ndarray:
        """False discovery rate over features of the two-sided test."""
        return benjamini_hochberg(self.p_two_sided)


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
    >>> from pellucid.measures.neighbours import linked_neighbours
    >>> ring = linked_neighbours([[i, (i + 1) % 30] for i in range(30)], 30)
    >>> alternating = np.resize([1.0, -1.0], 30)[:, None]
    >>> morans_i(alternating, ring).round(6).tolist()
    [-1.0]
    """
    matrix = checked_weights(weights)
    centred, _ = centred_features(features, matrix, least_active)
    return _scale(matrix, centred) * _products(matrix, centred)


def moran_test(
    features: np.ndarray,
    weights: sparse.sparray | np.ndarray,
    *,
    permutations: int = 999,
    seed: int = 0,
    least_active: int = LEAST_ACTIVE,
    dealings: int = 0,
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
    dealings : int
        How often values are dealt anew to places and tested likewise, to see what chance finds.

    Returns
    -------
    Moran

    Raises
    ------
    DataError
        See :func:`morans_i`.
    """
    matrix = checked_weights(weights)
    centred, active = centred_features(features, matrix, least_active)
    count, width = centred.shape
    scale = _scale(matrix, centred)
    observed = scale * _products(matrix, centred)
    # Another stream than that of the permutations: the tests stay the same, however often chance is looked at.
    dealing = np.random.default_rng([seed, 1])
    by_chance = [scale * _products(matrix, centred[dealing.permutation(count)]) for _ in range(dealings)]
    tested = np.stack([observed, *by_chance])
    rng = np.random.default_rng(seed)
    above, below = np.zeros(tested.shape, np.int64), np.zeros(tested.shape, np.int64)
    total, squares = np.zeros(width), np.zeros(width)
    slack = ROUNDING * np.maximum(1.0, np.abs(tested))
    at_once = max(1, BLOCK // max(1, count * width))
    for start in range(0, permutations, at_once):
        blocks = min(at_once, permutations - start)
        orders = np.stack([rng.permutation(count) for _ in range(blocks)], axis=1)
        dealt = centred[orders].reshape(count, blocks * width)
        found = scale * _products(matrix, dealt).reshape(blocks, width)
        above += (found[:, None] >= tested - slack).sum(0)
        below += (found[:, None] <= tested + slack).sum(0)
        total += (found - observed).sum(0)
        squares += ((found - observed) ** 2).sum(0)
    greater, two_sided, folded = permutation_p_values(above, below, permutations, np.isnan(observed))
    mean = total / permutations
    with np.errstate(invalid="ignore", divide="ignore"):
        z = -mean / np.sqrt(squares / permutations - mean**2)
    return Moran(observed, -1.0 / (count - 1), z, greater[0], two_sided[0], folded[0], active, two_sided[1:])


def centred_features(
    features: np.ndarray, matrix: sparse.csr_array, least_active: int
) -> tuple[np.ndarray, np.ndarray]:
    """Features less their mean, shape (place, feature), and at how many places each is active, shape (feature,).

    Parameters
    ----------
    features : ndarray, shape (place, feature)
    matrix : csr_array, shape (place, place)
    least_active : int
        Features that are not zero at fewer places become NaN, as do constant ones; a warning says how many.

    Raises
    ------
    DataError
        If a value is not a number, shapes do not fit, or nobody has a neighbour.
    """
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


def permutation_p_values(
    above: np.ndarray, below: np.ndarray, permutations: int, nothing: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One-sided, two-sided and folded p (see :class:`Moran`), from how many permutations are above and below what was found.

    Parameters
    ----------
    above, below : ndarray of int, any shape
        Permutations that reach the value, and those that stay at or below it; one that equals it counts as both.
    permutations : int
    nothing : ndarray of bool, of a shape that broadcasts to it
        Where nothing was measured, so that p is NaN.
    """
    greater, less = (above + 1) / (permutations + 1), (below + 1) / (permutations + 1)
    two_sided = np.minimum(1.0, 2 * np.minimum(greater, less))
    folded = (np.minimum(above, permutations - above) + 1) / (permutations + 1)
    return (
        np.where(nothing, np.nan, greater),
        np.where(nothing, np.nan, two_sided),
        np.where(nothing, np.nan, folded),
    )


def _scale(matrix: sparse.csr_array, centred: np.ndarray) -> np.ndarray:
    return len(centred) / matrix.sum() / (centred**2).sum(0)


def _products(matrix: sparse.csr_array, centred: np.ndarray) -> np.ndarray:
    return np.einsum("nm,nm->m", centred, matrix @ centred)
