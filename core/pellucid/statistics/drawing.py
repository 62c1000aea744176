"""Samples drawn so that every subject speaks once: samples of one subject are no independent witnesses."""

from __future__ import annotations

import numpy as np


def one_a_subject(subjects: np.ndarray, seed: int, among: np.ndarray | None = None) -> np.ndarray:
    """Position of one sample of each subject, by lot.

    Parameters
    ----------
    subjects : ndarray, shape (sample,)
    seed : int
    among : ndarray of int, optional
        Positions to draw from; all without it. A subject with none of them is left out.

    Returns
    -------
    ndarray of int, shape (subject,)
        Increasing.

    Examples
    --------
    >>> one_a_subject(np.array(["a", "b", "a", "c"]), seed=0, among=np.array([0, 1])).tolist()
    [0, 1]
    """
    order = np.random.default_rng(seed).permutation(np.arange(len(subjects)) if among is None else among)
    return np.sort(order[np.unique(subjects[order], return_index=True)[1]])
