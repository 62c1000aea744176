"""Similarity of nodes by whom they are linked with, and whether a similarity that somebody hands over was made of hidden links."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.errors import LeakageError

Floats = npt.NDArray[np.float64]

GAMMAS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Widths that are tried when a kernel is to be rebuilt; published ones use 1."""

CLOSE = 1e-5
"""Largest difference at which two kernels are the same: published tables have six digits or more."""


def interaction_profile_kernel(links: np.ndarray, gamma: float = 1.0) -> Floats:
    """Gaussian interaction-profile kernel of the nodes that are rows.

    ``K[i, j] = exp(-gamma |y_i - y_j|^2 / mean_k |y_k|^2)`` for rows ``y`` of the links. Nodes without a link are alike.

    Parameters
    ----------
    links : ndarray, shape (node, other)
        0 and 1. For the nodes of the other type give its transpose.
    gamma : float

    Returns
    -------
    ndarray, shape (node, node)
        All ones where there is no link.

    References
    ----------
    van Laarhoven, Nabuurs and Marchiori (2011), doi:10.1093/bioinformatics/btr500.

    Examples
    --------
    >>> interaction_profile_kernel(np.array([[1, 0], [1, 0], [0, 1]])).round(3).tolist()
    [[1.0, 1.0, 0.135], [1.0, 1.0, 0.135], [0.135, 0.135, 1.0]]
    """
    return _gaussian(_squared_distances(links), float(np.asarray(links, np.float64).sum(1).mean()), gamma)


@dataclass(frozen=True)
class Leak:
    """What a kernel was rebuilt from.

    Parameters
    ----------
    found : bool
        Whether it holds links that training must not see.
    how : str
        Half a sentence, for messages; empty where nothing was found.
    gamma : float, optional
        At which the Gaussian interaction-profile kernel of all links is this one.
    difference : float
        Largest difference to the nearest kernel of all links, of those that were tried.
    agreement, agreement_training : float
        Rank correlation of its values with the profile distances of all links, and with those of the training links alone; 1: it
        is a function of them.
    """

    found: bool
    how: str
    gamma: float | None
    difference: float
    agreement: float
    agreement_training: float


def kernel_leak(kernel: np.ndarray, labels: np.ndarray, train: np.ndarray | None = None) -> Leak:
    """Whether a similarity of nodes can be rebuilt from all links, though training must know some of them only.

    Three ways are tried: a Gaussian interaction-profile kernel at several widths, value by value; any falling function of the
    distance of profiles; and the same of a kernel whose nodes stand in another order, of which the sorted values alone are
    compared. The training links alone must not explain it as well.

    Parameters
    ----------
    kernel : ndarray, shape (node, node)
    labels : ndarray, shape (node, other)
        All links, 0 and 1, with the nodes of the kernel as rows.
    train : ndarray of bool, shape (node, other), optional
        Which entries training may know. Left out: none is known to be hidden, and every kernel of the links leaks.

    Returns
    -------
    Leak

    References
    ----------
    Ours. The similarity tables that are published with MDAD, aBiofilm and DrugVirus are such kernels of all links.
    """
    kernel = np.asarray(kernel, np.float64)
    labels = np.asarray(labels, np.float64)
    known = labels if train is None else labels * np.asarray(train, bool)
    hidden = train is None or bool((known != labels).any())
    upper = np.triu_indices(len(labels), 1)
    given, whole, partly = kernel[upper], _squared_distances(labels)[upper], _squared_distances(known)[upper]
    close: dict[str, tuple[float, float]] = {}
    for order, value in (("", given), ("sorted", np.sort(given))):
        for gamma in GAMMAS:
            made = _gaussian(whole, float(labels.sum(1).mean()), gamma)
            rest = np.abs(value - (np.sort(made) if order else made)).max(initial=0.0)
            if order not in close or rest < close[order][0]:
                close[order] = (float(rest), gamma)
    both = _agreement(given, whole), _agreement(given, partly)
    difference, gamma = close[""]
    how = ""
    if hidden and difference <= CLOSE:
        how = f"it is the Gaussian interaction-profile kernel of all links (gamma {gamma:g}, to {difference:.0e})"
    elif hidden and close["sorted"][0] <= CLOSE and len(np.unique(given)) > 2:
        how = f"its values are those of the kernel of all links (gamma {close['sorted'][1]:g}), its nodes in another order"
    elif hidden and both[0] >= 1 - CLOSE and (train is None or both[1] < 1 - CLOSE):
        how = "it is a function of the distance of the profiles of all links"
    return Leak(bool(how), how, gamma if difference <= CLOSE else None, difference, *both)


def refuse_leak(kernel: np.ndarray, labels: np.ndarray, named: str, train: np.ndarray | None = None) -> None:
    """Raise where a kernel can be rebuilt from links that training must not see.

    Raises
    ------
    LeakageError
        Says how, and what to give instead.
    """
    leak = kernel_leak(kernel, labels, train)
    if leak.found:
        raise LeakageError(
            f"{named}: {leak.how}, so a model would read the links it is tested on. Leave it out (kernels are computed from "
            "training links alone, in each fold), or give a similarity that comes from something else than links"
        )


def _squared_distances(links: np.ndarray) -> Floats:
    y = np.asarray(links, np.float64)
    squares = (y**2).sum(1)
    return np.maximum(squares[:, None] + squares[None] - 2 * y @ y.T, 0.0)


def _gaussian(distances: Floats, mean: float, gamma: float) -> Floats:
    return np.exp(-gamma * distances / mean) if mean > 0 else np.ones_like(distances)


def _agreement(kernel: Floats, distances: Floats) -> float:
    """1 where equal distances have one value and greater ones never a greater one; else the rank correlation, sign turned."""
    from scipy.stats import spearmanr

    if not len(kernel) or np.ptp(kernel) == 0 or np.ptp(distances) == 0:
        return 0.0
    order = np.argsort(distances, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(distances[order]) > 0]))
    low = np.minimum.reduceat(kernel[order], starts)
    high = np.maximum.reduceat(kernel[order], starts)
    same = bool((high - low <= CLOSE).all() and (high[1:] <= low[:-1] + CLOSE).all())
    # A kernel of three or four values falls with nearly anything.
    return 1.0 if same and len(starts) > 2 else min(float(-spearmanr(kernel, distances)[0]), 1 - 2 * CLOSE)
