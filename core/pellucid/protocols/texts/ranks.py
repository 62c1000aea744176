"""Ranks among sentences, and scores of them with intervals, chance and the verdict on a control."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pellucid.protocols import controls
from pellucid.statistics.bootstrap import Interval, interval, subject_weights, weighted_mean

if TYPE_CHECKING:
    import pandas as pd

EQUAL = 1e-6
"""Cosines that differ by less are ties: the order of sentences that are said to be equally like is a lot."""

CONTROL_LEVEL = 0.99
"""Of the interval in which chance must lie for a control to pass: one control in a hundred fails by accident."""


def cosines(first: Tensor, second: Tensor) -> np.ndarray:
    """Cosines of all pairs, float64, shape (row of first, row of second).

    Parameters
    ----------
    first, second : Tensor, shape (row, width)
        A row of zeros, or one that is no number, is like nothing: its cosines are 0.
    """
    found = (
        functional.normalize(first.detach().double(), dim=1) @ functional.normalize(second.detach().double(), dim=1).T
    )
    return np.asarray(torch.nan_to_num(found).numpy())


def placed(likeness: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many others are more like a sample than its own sentence, and how many equally; int64, shape (sample,) each.

    Parameters
    ----------
    likeness : ndarray, shape (sample, sentence)
    own : ndarray of int, shape (sample,)
        Column of each sample's own sentence.

    Examples
    --------
    >>> placed(np.array([[0.9, 0.1, 0.9], [0.2, 0.5, 0.4]]), np.array([0, 2]))
    (array([0, 1]), array([1, 0]))
    """
    of_own = likeness[np.arange(len(own)), own][:, None]
    above = (likeness > of_own + EQUAL).sum(1)
    ties = (np.abs(likeness - of_own) <= EQUAL).sum(1) - 1
    return above.astype(np.int64), ties.astype(np.int64)


def hits(rows: pd.DataFrame, rank: int) -> np.ndarray:
    """Chance that a sample's own sentence is among the first ``rank``, ties in an order drawn by lot; shape (row,).

    Parameters
    ----------
    rows : DataFrame
        ``above`` and ``ties``, see :func:`placed`.
    rank : int

    Returns
    -------
    ndarray of float64, shape (row,)
        From 0 to 1.
    """
    above, ties = rows["above"].to_numpy(np.float64), rows["ties"].to_numpy(np.float64)
    return np.clip((rank - above) / (ties + 1), 0.0, 1.0)


def estimated(values: np.ndarray, rows: pd.DataFrame, seed: int, level: float = 0.95) -> Interval:
    """Mean of numbers of rows with its interval over what is kept apart.

    Parameters
    ----------
    values : ndarray, shape (row,)
    rows : DataFrame
        ``subject`` and ``fold``.
    seed : int
        Of the resampling.
    level : float
        Of the interval.
    """
    weights = subject_weights(rows["subject"].to_numpy(str), rows["fold"].to_numpy(), seed=seed)
    return interval(lambda w: weighted_mean(values, w), weights, level=level)


def at_chance(values: np.ndarray, rows: pd.DataFrame, chance: float, seed: int, *, one_sided: bool = False) -> bool:
    """Whether a control is where it should be: chance lies in its interval, or with ``one_sided`` not below it.

    The interval of 99 % over what is kept apart, or three standard errors of as many throws of a coin, whichever is wider:
    resampling two subjects gives next to no interval, and would call honest controls false.

    Parameters
    ----------
    values : ndarray, shape (row,)
        Chance that each sample of noise finds its own sentence.
    rows : DataFrame
        ``subject`` and ``fold``.
    chance : float
        What noise must be at.
    seed : int
        Of the resampling.
    one_sided : bool
        Whether it may be below it too.
    """
    found = estimated(values, rows, seed, CONTROL_LEVEL)
    error = 3 * (max(chance * (1 - chance), 0.0) / max(len(values), 1)) ** 0.5
    return bool(controls.at_chance(found, chance, error=error, one_sided=one_sided))
