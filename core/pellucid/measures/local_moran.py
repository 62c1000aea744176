"""Where a feature is like its surroundings, and where it is not: local Moran's I, and how far such places are known regions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pellucid.measures.neighbours import checked_weights
from pellucid.measures.spatial import LEAST_ACTIVE, ROUNDING, centred_features, permutation_p_values
from pellucid.statistics.false_discovery import benjamini_hochberg

CLASSES = ("", "HH", "LH", "LL", "HL")
"""Local classes by number: high among high, low among high, low among low, high among low; 0 is none."""


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
        A place keeps its value, and the values of all others are dealt anew to its neighbours. See
        :class:`~pellucid.measures.spatial.Moran`.
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
        See :func:`~pellucid.measures.spatial.moran_test`.

    Returns
    -------
    LocalMoran

    Raises
    ------
    DataError
        See :func:`~pellucid.measures.spatial.morans_i`.

    References
    ----------
    Anselin (1995), doi:10.1111/j.1538-4632.1995.tb00338.x.
    """
    matrix = checked_weights(weights)
    centred, _ = centred_features(features, matrix, least_active)
    count = len(centred)
    lag = matrix @ centred
    own = (count - 1) * centred / (centred**2).sum(0)
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
    _, two_sided, folded = permutation_p_values(above, below, permutations, nothing)
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
