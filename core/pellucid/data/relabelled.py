"""A dataset with other labels: a control that nothing can be learnt from."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pellucid.data.dataset import Dataset
from pellucid.data.wrapped import Wrapped
from pellucid.seeds import seed_of

if TYPE_CHECKING:
    import pandas as pd


class Relabelled(Wrapped):
    """Another dataset's samples, each with the labels of the sample at another position.

    Inputs, covariates, groups and names stay as they are. Nothing is planted in it any more, as the labels are not those of
    the samples.

    Parameters
    ----------
    source : Dataset
    target : str
        Whose labels are moved.
    order : ndarray of int, shape (sample,)
        From which sample each gets its labels.
    """

    def __init__(self, source: Dataset, target: str, order: np.ndarray) -> None:
        super().__init__(source)
        self.target, self.order = target, order

    @classmethod
    def shuffled(cls, source: Dataset, target: str, *, seed: str) -> Relabelled:
        """Labels dealt anew among all samples."""
        order = np.random.default_rng(seed_of(seed, f"labels of {target}")).permutation(len(source))
        return cls(source, target, order)

    @cached_property
    def frame(self) -> pd.DataFrame:  # type: ignore[override]
        """The source's, with the labels moved."""
        found = self.source.frame.copy()
        for column in self.source.target_columns(self.target):
            found[column] = self.source.frame[column].to_numpy()[self.order]
        return found
