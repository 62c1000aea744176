"""Missingness made on purpose: data of which some samples lack an input, by masks alone."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pellucid.data.dataset import Dataset
from pellucid.data.samples import Arrays
from pellucid.data.spec import COVARIATES
from pellucid.data.wrapped import Wrapped
from pellucid.errors import DataError
from pellucid.regions import Region
from pellucid.seeds import seed_of

if TYPE_CHECKING:
    import pandas as pd


class WithMissing(Wrapped):
    """Another dataset's samples, of which some lack one input.

    Values stay as they are and masks say that they are not real; what was missing before stays so. Covariates are
    missing in the frame, as everywhere.

    Parameters
    ----------
    source : Dataset
    input : str
        Name of the input, which may be ``"covariates"``.
    missing : ndarray of bool, shape (sample,)
        Who lacks it.

    Raises
    ------
    StudyError
        If there is no such input.
    DataError
        If there is not one yes or no a sample.
    """

    def __init__(self, source: Dataset, input: str, missing: np.ndarray) -> None:
        source.spec.input(input)
        if missing.dtype != bool or missing.shape != (len(source),):
            raise DataError(
                f"who lacks {input!r} is said by {missing.dtype} of shape {missing.shape}; it needs bool of shape ({len(source)},)"
            )
        super().__init__(source)
        self.input, self.missing = input, missing

    @cached_property
    def frame(self) -> pd.DataFrame:  # type: ignore[override]
        """The source's; covariates are empty where they are the input that is missing."""
        if self.input != COVARIATES:
            return self.source.frame
        assert self.spec.covariates is not None
        found = self.source.frame.copy()
        for column in self.spec.covariates.names:
            found[column] = found[column].where(~self.missing)
        return found

    def planted(self, output: str) -> list[tuple[Region, ...]] | None:
        """Of the source."""
        return self.source.planted(output)

    def read(self, indices: np.ndarray) -> Arrays:
        """Read from the source, and mask the input of those who lack it."""
        arrays = self.source.read(indices)
        if self.input == COVARIATES:
            return arrays
        there, before = ~self.missing[indices], arrays.masks.get(self.input)
        if before is not None:
            there = before & there.reshape(-1, *[1] * (before.ndim - 1))
        return Arrays(arrays.inputs, {**arrays.masks, self.input: there})


def chosen(samples: Dataset, rates: np.ndarray, seed: str) -> np.ndarray:
    """Who is chosen, each with a chance of its own.

    The draw of a sample depends on the seed and its name alone: not on who else is there, nor in which order.

    Parameters
    ----------
    samples : Dataset
    rates : ndarray, shape (sample,)
        Chance of each.
    seed : str

    Returns
    -------
    ndarray of bool, shape (sample,)
    """
    draws = np.array([seed_of(seed, name) for name in samples.frame.index], np.float64) / 2.0**48
    return draws < rates
