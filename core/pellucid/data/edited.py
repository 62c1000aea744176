"""Data that know what would be true of a sample if something of it were otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class KnowsEdits(Protocol):
    """A dataset whose targets are made by a known rule, reached by :meth:`pellucid.data.dataset.Dataset.ability`."""

    def edited_targets(
        self, target: str, samples: Sequence[str], names: Sequence[str], values: np.ndarray
    ) -> np.ndarray | None:
        """What the target would be of some samples if quantities of them had other values.

        Parameters
        ----------
        target : str
        samples : sequence of str
            Their names.
        names : sequence of str
            Quantities, in the order of the columns of ``values``.
        values : ndarray, shape (sample, quantity)

        Returns
        -------
        ndarray, shape (sample, output), optional
            One column an output; None where these quantities are none of the rule's.
        """
