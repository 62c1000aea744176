"""Samples over time as they follow each other in episodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pellucid.batch import Batch
from pellucid.data.blocks import index_blocks
from pellucid.data.dataset import Dataset
from pellucid.errors import NotMeasurable

AT_ONCE = 256


@dataclass(frozen=True)
class Followed:
    """Samples that are known throughout, of one input.

    Parameters
    ----------
    values : ndarray of float64, shape (sample, step, channel)
        In units of the input.
    rows : ndarray of int, shape (sample,)
        Their places in the dataset.
    episodes : list of ndarray of int
        Of each episode which samples are of it, by their place here, in the order of the dataset.
    channels, units : tuple of str
    rate_hz : float
    """

    values: np.ndarray
    rows: np.ndarray
    episodes: list[np.ndarray]
    channels: tuple[str, ...]
    units: tuple[str, ...]
    rate_hz: float

    @property
    def steps(self) -> int:
        """Of a sample."""
        return int(self.values.shape[1])

    def batches(self, name: str) -> Iterator[Batch]:
        """As an encoder reads them."""
        for at in index_blocks(len(self.values), AT_ONCE):
            yield Batch({name: torch.from_numpy(self.values[at].transpose(0, 2, 1).astype(np.float32))})


def followed(samples: Dataset, name: str) -> Followed:
    """Read all samples of which every value is known.

    Raises
    ------
    NotMeasurable
        If there is none.
    """
    found, kept = [], []
    for at in index_blocks(len(samples), AT_ONCE):
        arrays = samples.read(at)
        values, mask = arrays.inputs[name], arrays.masks.get(name)
        whole = np.isfinite(values).all((1, 2))
        if mask is not None:
            whole &= mask.reshape(len(mask), -1).all(1)
        found.append(values[whole].transpose(0, 2, 1).astype(np.float64))
        kept.append(at[whole])
    values, rows = np.concatenate(found), np.concatenate(kept)
    if not len(rows):
        raise NotMeasurable(
            f"none of {len(samples)} samples is known throughout", "fill gaps, or ask for shorter samples"
        )
    subjects = samples.subjects[rows]
    episodes = [np.flatnonzero(subjects == one) for one in dict.fromkeys(subjects)]
    spec: Any = samples.spec.input(name)
    return Followed(values, rows, episodes, tuple(spec.channels), tuple(spec.channel_units), float(spec.rate_hz))
