"""Recordings that are in a collection twice: the same ten seconds under two names would stand on both sides of a split."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pellucid.data.samples import Finding
from pellucid_ecg.recordings.recording import EcgRecording

__all__ = ["near_duplicates", "signature"]

BLOCKS = 200
"""Parts that a recording is boiled down to, 50 ms each of ten seconds: they survive another rate, rounding and filters."""

NUMBERS = 128
ALIKE = 0.95
"""Cosine of two signatures from which recordings count as the same. Hearts do not beat in step: among 1,480 recordings of
PTB-XL, Georgia and Chapman no two different ones came above 0.91; one as it was recorded and the same one band-passed,
z-scored and at a fifth of the rate came to 0.97."""

CHUNK = 2048


def signature(recording: EcgRecording) -> npt.NDArray[np.float32]:
    """A recording in 128 numbers, to be compared with those of recordings with the same leads in the same order.

    How much each lead moves within each part of the recording (standard deviations: a wandering baseline hardly counts), each
    lead scaled by itself, projected at random (with a fixed seed) to fewer numbers; shape (number,), of length 1, or all 0
    where nothing moves. The same recording shifted in time has another signature.
    """
    if recording.length < BLOCKS:
        return np.zeros(NUMBERS, np.float32)
    edges = np.linspace(0, recording.length, BLOCKS + 1).astype(int)
    counts = np.diff(edges)
    signals = recording.signals.astype(np.float64)
    mean, square = (np.add.reduceat(values, edges[:-1], axis=1) / counts for values in (signals, signals**2))
    moves = np.sqrt(np.maximum(square - mean**2, 0))
    moves -= moves.mean(axis=1, keepdims=True)
    spread = moves.std(axis=1, keepdims=True)
    moves = np.where(spread > 1e-9, moves / np.maximum(spread, 1e-9), 0)
    projected = moves.ravel() @ _projection(moves.size)
    length = np.linalg.norm(projected)
    return (projected / length if length else projected).astype(np.float32)


def near_duplicates(
    names: Sequence[str], signatures: npt.NDArray[np.float32], *, alike: float = ALIKE
) -> tuple[Finding, ...]:
    """Recordings whose signatures are nearly the same.

    Parameters
    ----------
    names : sequence of str
    signatures : ndarray of float32, shape (recording, number)
    alike : float
        Cosine from which two count as the same.

    Returns
    -------
    tuple of Finding
        One for each recording that is like an earlier one, naming the first of those.
    """
    found = []
    for start in range(0, len(names), CHUNK):
        here = signatures[start : start + CHUNK]
        like = here @ signatures[: start + len(here)].T >= alike
        like &= np.arange(like.shape[1]) < np.arange(start, start + len(here))[:, None]
        for row in np.flatnonzero(like.any(axis=1)).tolist():
            first = int(np.argmax(like[row]))
            found.append(Finding(names[start + row], "nearly the same as another recording", names[first]))
    return tuple(found)


@lru_cache(maxsize=4)
def _projection(size: int) -> npt.NDArray[np.float64]:
    return np.random.default_rng(size).normal(size=(size, NUMBERS))
