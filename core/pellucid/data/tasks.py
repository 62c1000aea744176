"""Data in which what is predicted can be tried, and is judged by what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Act = Callable[[Mapping[str, np.ndarray]], np.ndarray]
"""From inputs by name, each of shape (sample, ...), to outputs, float64, shape (sample, output)."""


@runtime_checkable
class HasTask(Protocol):
    """A dataset that can try what a model says, reached by :meth:`pellucid.data.dataset.Dataset.ability`."""

    def attempted(self, target: str, rows: npt.NDArray[np.integer], act: Act) -> Mapping[str, np.ndarray]:
        """Try outputs, each from the situation of one sample; a task of many steps asks ``act`` again and again.

        Parameters
        ----------
        target : str
            What ``act`` says.
        rows : ndarray of int
            Samples of this dataset whose situations are begun with.
        act : callable
            What says the outputs. Inputs that are not the samples' own may be asked about.

        Returns
        -------
        mapping of str to ndarray, shape (sample,)
            ``"score"``, from 0 to 1: how far the task was done. ``"success"``, 0 or 1: whether it was. Further columns are shares that
            are told beside (which way was taken); NaN where there is nothing to tell.
        """
