"""What assessments by two labels share: that a study names two, and samples of all four combinations."""

from __future__ import annotations

import numpy as np

from pellucid.protocols.base import Context
from pellucid.protocols.dictionaries.codes import label_called


def two_labels(protocol: str, context: Context, **named: str) -> str:
    """Why a study does not name two different labels, or an empty string."""
    for option, label in named.items():
        if not label:
            return f'name its label in the study: [options.{protocol}] {option} = "..."'
    first, second = named.values()
    if label_called(first, context.spec) == label_called(second, context.spec):
        return f"{' and '.join(named)} are both {first!r}: name two labels"
    return ""


def dealt_combinations(quadrants: np.ndarray, seed: int) -> list[np.ndarray]:
    """Positions of the samples of each of the four combinations, in random order.

    Parameters
    ----------
    quadrants : ndarray of int, shape (sample,)
        See :meth:`pellucid.protocols.dictionaries.by_labels.labelled.Side.quadrants`.
    seed : int
    """
    random = np.random.default_rng(seed)
    return [random.permutation(np.flatnonzero(quadrants == at)) for at in range(4)]
