"""How chunks of actions become what is done, and what an episode is worth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.errors import ContractError, DataError

Floats = npt.NDArray[np.float64]


def executed(chunks: Floats, every: int) -> Floats:
    """What is done where the first steps of a chunk are executed before another one is asked for.

    Parameters
    ----------
    chunks : ndarray, shape (step, horizon, action)
        What a policy says at each step for that step and those after it.
    every : int
        Steps of a chunk that are executed.

    Returns
    -------
    ndarray, shape (step, action)

    Raises
    ------
    ContractError
        If the shape is another, or more steps are to be executed than a chunk has.
    """
    chunks = _of_chunks(chunks)
    steps, horizon = chunks.shape[:2]
    if not 1 <= every <= horizon:
        raise ContractError(f"{every} steps of a chunk are to be executed, and it has {horizon}")
    now = np.arange(steps)
    return chunks[now - now % every, now % every]


def ensembled(chunks: Floats, decay: float = 0.01) -> Floats:
    """What is done where all chunks that speak of a step are averaged, with weights exp(-decay * i), i = 0 the oldest.

    Parameters
    ----------
    chunks : ndarray, shape (step, horizon, action)
        As in :func:`executed`.
    decay : float
        The smaller, the sooner a new chunk counts.

    Returns
    -------
    ndarray, shape (step, action)

    Raises
    ------
    ContractError
        If the shape is another, or ``decay`` is below 0.

    References
    ----------
    Zhao et al. (2023), arXiv 2304.13705.

    Examples
    --------
    >>> ensembled(np.array([[[0.0], [2.0]], [[4.0], [6.0]]])).round(3).tolist()
    [[0.0], [2.995]]
    """
    chunks = _of_chunks(chunks)
    if not 0 <= decay < np.inf:
        raise ContractError(f"decay is {decay:g}, expected 0 or more: the oldest chunk has most weight")
    steps, horizon = chunks.shape[:2]
    found = np.empty((steps, chunks.shape[2]))
    for now in range(steps):
        said = np.arange(max(0, now - horizon + 1), now + 1)
        weights = np.exp(-decay * np.arange(len(said)))
        found[now] = weights @ chunks[said, now - said] / weights.sum()
    return found


def episode_score(coverage: Floats, enough: float = 0.95) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Score and success of episodes of Push-T from how much of the goal is covered at each step; two figures that are often mixed up.

    Parameters
    ----------
    coverage : ndarray, shape (episode, step)
    enough : float

    Returns
    -------
    score : ndarray, shape (episode,)
        The largest of coverage over ``enough``, at most 1: what published tables call success.
    success : ndarray of bool, shape (episode,)
        Whether coverage was ever above ``enough``.

    Raises
    ------
    ContractError
        If the shape is another, or ``enough`` is no share.
    DataError
        If coverage is NaN or infinite.

    References
    ----------
    Chi et al. (2023), arXiv 2303.04137.

    Examples
    --------
    >>> [one.tolist() for one in episode_score(np.array([[0.0, 0.475]]))]
    [[0.5], [False]]
    """
    coverage = np.asarray(coverage, np.float64)
    if coverage.ndim != 2 or not coverage.shape[1]:
        raise ContractError(f"coverage has shape {coverage.shape}, expected (episode, step) with one step at least")
    if not np.isfinite(coverage).all():
        raise DataError("coverage holds NaN or infinite numbers: an episode that was not seen to its end has no score")
    if not 0 < enough <= 1:
        raise ContractError(f"enough is {enough:g}, expected a share above 0")
    return np.clip(coverage / enough, 0, 1).max(1), np.asarray((coverage > enough).any(1))


def _of_chunks(chunks: npt.ArrayLike) -> Floats:
    found = np.asarray(chunks, np.float64)
    if found.ndim != 3 or not found.shape[1]:
        raise ContractError(
            f"chunks have shape {found.shape}, expected (step, horizon, action) with a horizon of 1 at least"
        )
    return found
