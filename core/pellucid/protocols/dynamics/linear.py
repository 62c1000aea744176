"""What a model of dynamics must beat: an affine map from each step to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from pellucid.encoders.free_running import run_on


class LinearRun(NamedTuple):
    """Runs of a map without data: values, shape (run, step, channel), and how many steps each lasted before it diverged."""

    values: np.ndarray
    lasted: np.ndarray


@dataclass(frozen=True)
class LinearMap:
    """``x' = B x + c`` by least squares, of standardised channels.

    Parameters
    ----------
    mean, deviation : ndarray, shape (channel,)
    matrix : ndarray, shape (channel, channel)
    shift : ndarray, shape (channel,)
    """

    mean: np.ndarray
    deviation: np.ndarray
    matrix: np.ndarray
    shift: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> LinearMap:
        """Fit it to samples, shape (sample, step, channel); no pair of steps is taken across two of them."""
        mean, deviation = values.mean((0, 1)), values.std((0, 1))
        deviation = np.where(deviation > 1e-6 * np.maximum(np.abs(mean), 1e-30), deviation, 1.0)
        x = (values - mean) / deviation
        before, after = x[:, :-1].reshape(-1, x.shape[2]), x[:, 1:].reshape(-1, x.shape[2])
        with_one = np.column_stack([before, np.ones(len(before))])
        found = np.linalg.lstsq(with_one, after, rcond=None)[0]
        return cls(mean, deviation, found[:-1].T, found[-1])

    def standardised(self, values: np.ndarray) -> np.ndarray:
        """In standard deviations of the samples it was fitted to."""
        return np.asarray((values - self.mean) / self.deviation)

    def raw(self, values: np.ndarray) -> np.ndarray:
        """Inverse of :meth:`standardised`."""
        return np.asarray(values * self.deviation + self.mean)

    def run(self, start: np.ndarray, steps: int) -> LinearRun:
        """Go on from some points, shape (run, channel), in units of the input."""
        matrix, shift = torch.from_numpy(self.matrix), torch.from_numpy(self.shift)
        states, lasted = run_on(lambda z: z @ matrix.T + shift, torch.from_numpy(self.standardised(start)), steps)
        return LinearRun(self.raw(states.numpy()), lasted.numpy())
