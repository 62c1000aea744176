"""How near sparse equations are to those that are true: their terms, and their coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SupportScores:
    """Which terms were found, all equations together.

    Parameters
    ----------
    precision : float
        Share of the found terms that are true; 0 where none was found.
    recall : float
        Share of the true terms that were found.
    f1 : float
    """

    precision: float
    recall: float
    f1: float


def support_scores(found: Floats, truth: Floats) -> SupportScores:
    """Terms with a coefficient against terms that have one in truth.

    Parameters
    ----------
    found, truth : ndarray, shape (equation, term)

    Examples
    --------
    >>> support_scores(np.array([[1.0, 0.0, 0.5]]), np.array([[1.0, 2.0, 0.0]]))
    SupportScores(precision=0.5, recall=0.5, f1=0.5)
    """
    return _scores(float(((found != 0) & (truth != 0)).sum()), np.count_nonzero(found), np.count_nonzero(truth))


def chance_scores(found: Floats, truth: Floats, terms: int) -> SupportScores:
    """What as many terms drawn at random in each equation would have on average.

    Parameters
    ----------
    found, truth : ndarray, shape (equation, term)
        A true term that was never offered is a column too.
    terms : int
        How many the first columns are that were offered.

    Examples
    --------
    >>> chance_scores(np.array([[1.0, 0, 0, 0]]), np.array([[1.0, 1, 0, 0]]), 4).precision
    0.5
    """
    offered = (truth[:, :terms] != 0).sum(1)
    hits = float(((found != 0).sum(1) * offered / terms).sum())
    return _scores(hits, np.count_nonzero(found), np.count_nonzero(truth))


def coefficient_error(found: Floats, truth: Floats) -> float:
    """Length of the difference of coefficients over that of the true ones, mean over equations; 1 where nothing was found.

    Examples
    --------
    >>> coefficient_error(np.array([[3.0, 0.0]]), np.array([[3.0, 4.0]]))
    0.8
    """
    lengths = np.linalg.norm(truth, axis=1)
    known = lengths > 0
    return float((np.linalg.norm(found - truth, axis=1)[known] / lengths[known]).mean())


def _scores(hits: float, found: Any, true: Any) -> SupportScores:
    return SupportScores(float(hits / found) if found else 0.0, float(hits / true), float(2 * hits / (found + true)))
