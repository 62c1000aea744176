"""Are the same places of the state space visited as often by a model as by what it is a model of?"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

Floats = npt.NDArray[np.float64]

BINS = 30
"""Along each variable."""

LAPLACE = 1e-5
"""Count that is added to every bin, so that one which the model never visits costs much and not without end."""

MOST_BINNED = 10
"""Variables up to which places are bins; of more, they are Gaussians around visited points."""

MOST_SMOOTHED = 0.1
"""What is added to all bins together, as a share of the steps, up to which bins say something."""

DRAWN = 1000
"""Points at which mixtures are compared."""

BLOCK = 1 << 22
"""Distances that are held at once."""


def state_space_divergence(
    true: npt.NDArray[np.floating],
    generated: npt.NDArray[np.floating],
    *,
    bins: int = BINS,
    laplace: float = LAPLACE,
    method: Literal["auto", "bins", "mixture"] = "auto",
    width: float = 1.0,
    seed: int = 0,
) -> float:
    """Divergence (Kullback-Leibler) of the places that a model visits from those that were really visited.

    Order in time has no part in it: a series with its steps shuffled has the same value. What two series of the same system have,
    a floor that falls with their length, is to be measured beside it.

    Parameters
    ----------
    true, generated : ndarray, shape (..., variable)
        All other axes are taken together as steps; there may be more of the one than of the other.
    bins : int
        Along each variable, from the lowest of the true values to the highest.
    laplace : float
        Added to the count of every bin. With 30 bins and six variables it is more than 7,000 steps altogether: of shorter series,
        whatever they are, all would seem alike.
    method : {"auto", "bins", "mixture"}
        By default bins for up to :data:`MOST_BINNED` variables, where what is added to them is no more than :data:`MOST_SMOOTHED` of
        the true steps; else mixtures: a Gaussian around each point, compared at :data:`DRAWN` points drawn from that of the true ones.
        The two are on other scales: compare what was measured in one way.
    width : float
        Standard deviation of the Gaussians, in units of the series: for standardised ones, 1.
    seed : int
        Of the drawn points.

    Returns
    -------
    float
        Nats, from 0; a mixture's is an estimate and may be a little below. With 30 bins and three variables, a model that ends in a
        fixed point has 13 to 15.

    Raises
    ------
    DataError
        If a series is empty, holds what is no finite number, or they do not have the same variables.

    References
    ----------
    Brenner et al. (2022), arXiv 2207.02542; Koppe et al. (2019), doi:10.1371/journal.pcbi.1007263 (mixtures). Deviations: mixtures for
    five to ten variables too, where series are too short for so many bins; points of the model outside the range of the true ones
    count among its points, though they lie in no bin. Leaving them out would praise a model that is away half of the time.

    Examples
    --------
    >>> walk = np.random.default_rng(0).normal(size=(500, 2))
    >>> state_space_divergence(walk, walk), state_space_divergence(walk, np.zeros_like(walk)) > 5
    (0.0, True)
    """
    real, made = _points(true, "true"), _points(generated, "generated")
    if real.shape[1] != made.shape[1]:
        raise DataError(f"the true series have {real.shape[1]} variables and the generated ones {made.shape[1]}")
    smoothed = laplace * float(bins) ** real.shape[1] > MOST_SMOOTHED * len(real)
    if method == "mixture" or (method == "auto" and (real.shape[1] > MOST_BINNED or smoothed)):
        return _mixtures(real, made, width, seed)
    return _binned(real, made, bins, laplace)


def _binned(real: Floats, made: Floats, bins: int, laplace: float) -> float:
    low, high = real.min(0), real.max(0)
    span = np.where(high > low, high - low, 1.0)
    places = []
    for points in (real, made):
        inside = ((points >= low) & (points <= high)).all(1)
        at = np.minimum(((points[inside] - low) / span * bins).astype(np.int64), bins - 1)
        places.append(at)
    # Bins that nobody visits, nearly all of them where there are many variables, are alike: they are counted and not kept.
    _, of = np.unique(np.concatenate(places), axis=0, return_inverse=True)
    of = of.ravel()
    visited, every = int(of.max()) + 1, float(bins) ** real.shape[1]
    first, second = (np.bincount(part, minlength=visited) for part in np.split(of, [len(places[0])]))
    p = (first + laplace) / (len(real) + laplace * every)
    q = (second + laplace) / (len(made) + laplace * every)
    empty_p, empty_q = laplace / (len(real) + laplace * every), laplace / (len(made) + laplace * every)
    return float((p * np.log(p / q)).sum() + (every - visited) * empty_p * np.log(empty_p / empty_q))


def _mixtures(real: Floats, made: Floats, width: float, seed: int) -> float:
    rng = np.random.default_rng(seed)
    at = real[rng.integers(len(real), size=DRAWN)] + width * rng.standard_normal((DRAWN, real.shape[1]))
    return float((_log_density(at, real, width) - _log_density(at, made, width)).mean())


def _log_density(at: Floats, centres: Floats, width: float) -> Floats:
    """Up to a constant that is the same for all mixtures."""
    from scipy.spatial.distance import cdist
    from scipy.special import logsumexp

    rows = max(1, BLOCK // len(centres))
    parts = [
        logsumexp(-cdist(at[start : start + rows], centres, "sqeuclidean") / (2 * width**2), axis=1)
        for start in range(0, len(at), rows)
    ]
    return np.asarray(np.concatenate(parts) - np.log(len(centres)))


def _points(series: npt.NDArray[np.floating], which: str) -> Floats:
    found = np.asarray(series, np.float64)
    if found.ndim < 2 or not found.size:
        raise DataError(f"the {which} series has shape {found.shape}; it needs steps and variables")
    found = found.reshape(-1, found.shape[-1])
    if not np.isfinite(found).all():
        step = int(np.flatnonzero(~np.isfinite(found).all(1))[0])
        raise DataError(f"the {which} series is no finite number at step {step}: leave out what is missing first")
    return found
