"""A noise copy of a dataset: labels, people, names, masks and gaps as they are, values drawn by lot."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from pellucid.data.blocks import index_blocks
from pellucid.data.dataset import Dataset
from pellucid.data.samples import Arrays, Place
from pellucid.data.spec import COVARIATES
from pellucid.data.wrapped import Wrapped
from pellucid.moments import Moments
from pellucid.seeds import seed_of

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

KINDS = ("signal", "image", "volume", "vector", "trajectory")
"""Kinds of input that noise can stand for; text and graphs have no marginal mean."""

RECOGNISABLE = 64
"""Values from which on two samples that are equal are the same measurement and not two alike: a copy stays a copy then."""

CHUNK = 256


@dataclass(frozen=True)
class Marginal:
    """One input's channels, over samples to learn from; each of shape (channel,)."""

    mean: Floats
    deviation: Floats
    lowest: Floats
    highest: Floats

    def scaled(self, noise: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Standard normal noise in the units and within the range of the channels, shape (..., *input shape)."""
        by_channel = np.moveaxis(noise, 1, -1)
        found = np.clip(self.mean + self.deviation * by_channel, self.lowest, self.highest).astype(np.float32)
        return np.moveaxis(found, -1, 1)


@dataclass(frozen=True)
class Marginals:
    """Mean, standard deviation and range of each channel of each input, over samples to learn from.

    One of each for all samples: a sample's own could carry its label.

    Parameters
    ----------
    inputs : mapping of str to Marginal
        The covariates among them, where the dataset has some.
    """

    inputs: Mapping[str, Marginal]

    @classmethod
    def of(cls, train: Dataset) -> Marginals:
        """Learn them; values that are masked or absent are left out."""
        found: dict[str, _Seen] = {}
        for at in index_blocks(len(train), CHUNK):
            arrays = train.read(at)
            for name, values in arrays.inputs.items():
                mask = arrays.masks.get(name)
                known = np.ones(values.shape, bool) if mask is None else _over(mask, values)
                found.setdefault(name, _Seen()).add(_columns(values), _columns(known))
        if train.spec.covariates is not None:
            found[COVARIATES] = _Seen()
            found[COVARIATES].add(values := train.covariate_values(), np.isfinite(values))
        return cls({name: one.marginal() for name, one in found.items()})


class _Seen:
    def __init__(self) -> None:
        self.moments, self.ends = Moments(), [np.inf, -np.inf]

    def add(self, values: npt.NDArray[Any], known: npt.NDArray[np.bool_]) -> None:
        """Shape (value, channel)."""
        values = np.where(known, values, 0)
        self.moments.add(torch.from_numpy(values), torch.from_numpy(known))
        some = [np.where(known, values, empty) for empty in (np.inf, -np.inf)]
        self.ends = [np.minimum(self.ends[0], some[0].min(0)), np.maximum(self.ends[1], some[1].max(0))]

    def marginal(self) -> Marginal:
        unknown = ~np.isfinite(self.ends[0])
        low, high = (np.where(unknown, 0.0, end).astype(np.float64) for end in self.ends)
        return Marginal(self.moments.mean.numpy(), self.moments.deviation.numpy(), low, high)


class NoiseCopy(Wrapped):
    """Another dataset's samples with every value drawn anew; all else is as it is.

    Each value is drawn from the normal distribution with the mean and the deviation of its channel, independently of all
    others, and kept within the channel's range, as parts refuse values that cannot be. Samples of at least
    :data:`RECOGNISABLE` values that are equal to the last digit are given the same noise, whatever they are called: a
    measurement that stands on two sides of a split stays one that does. What else is left of the data is what a score must
    not come from: labels, groups, the order and the names of samples, masks, and which covariates are absent. Nothing is
    planted in it any more.

    Parameters
    ----------
    source : Dataset
    marginals : Marginals
        Of the samples to learn from.
    seed : str
    """

    def __init__(self, source: Dataset, marginals: Marginals, seed: str) -> None:
        super().__init__(source)
        self.marginals, self.seed = marginals, seed

    @cached_property
    def frame(self) -> pd.DataFrame:  # type: ignore[override]
        """The source's, with noise for covariates; those that are absent stay so."""
        if self.spec.covariates is None:
            return self.source.frame
        found = self.source.frame.copy()
        count = len(self.spec.covariates.names)
        noise = np.stack([self._drawn(COVARIATES, f"name {name}", (count,)) for name in found.index])
        scaled = self.marginals.inputs[COVARIATES].scaled(noise)
        for at, column in enumerate(self.spec.covariates.names):
            found[column] = np.where(found[column].isna(), np.nan, scaled[:, at])
        return found

    def read(self, indices: np.ndarray) -> Arrays:
        """Noise in the shapes of the source, and the source's masks."""
        arrays, names = self.source.read(indices), self.source.frame.index[indices]
        made = {}
        for name, values in arrays.inputs.items():
            mask = arrays.masks.get(name)
            known = values if mask is None else np.where(_over(mask, values), values, 0)
            noise = np.stack([self._drawn(name, _key(one, str(named)), one.shape)
                              for one, named in zip(known, names, strict=True)])  # fmt: skip
            made[name] = self.marginals.inputs[name].scaled(noise)
        return Arrays(made, arrays.masks)

    def places(self, input: str, index: int) -> Mapping[str, tuple[Place, ...]]:
        """None: noise was counted nowhere."""
        return {}

    def _drawn(self, input: str, key: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        chance = np.random.default_rng(seed_of(self.seed, f"{input}/{key}"))
        return chance.standard_normal(shape, np.float32)


def _key(values: npt.NDArray[Any], name: str) -> str:
    """What decides the noise of a sample: what it holds, or its name where that says too little or is one value throughout."""
    if values.size < RECOGNISABLE or (values == values.flat[0]).all():
        return f"name {name}"
    return hashlib.blake2b(np.ascontiguousarray(values).tobytes(), digest_size=16).hexdigest()


def _over(mask: npt.NDArray[np.bool_], values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    return np.broadcast_to(mask.reshape(mask.shape + (1,) * (values.ndim - mask.ndim)), values.shape)


def _columns(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Shape (value, channel)."""
    last = np.moveaxis(values, 1, -1)
    return np.ascontiguousarray(last.reshape(-1, last.shape[-1]))
