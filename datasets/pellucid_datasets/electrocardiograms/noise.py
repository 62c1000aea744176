"""Noise: what reaches the electrodes beside the ventricles. Baseline wander, muscles, mains, and fibrillating atria."""

from __future__ import annotations

import numpy as np

from pellucid_datasets.electrocardiograms.leads import Floats

MAINS_HZ = 50.0

OFFSET_MV, WANDER_MV, MUSCLE_MV, MAINS_MV = 0.08, 0.05, 0.012, 0.01
"""Standard deviations (of the mains: largest height) of the noise of one electrode."""


def noise_of(electrodes: int, time_s: Floats, rate_hz: float, rng: np.random.Generator) -> Floats:
    """Noise of each electrode, shape (electrode, time), mV.

    An offset, slow waves of 0.05 to 0.4 Hz as from breathing and moving, white noise of muscles of a strength drawn for each
    recording, and mains where the sampling rate can carry it (at 100 Hz a recorder's filter has taken it away).
    """
    total = OFFSET_MV * rng.standard_normal((electrodes, 1)) + np.zeros(len(time_s))
    hz = rng.uniform(0.05, 0.4, 4)
    waves = np.sin(2 * np.pi * hz[:, None] * time_s + rng.uniform(0, 2 * np.pi, (4, 1)))
    total += WANDER_MV / np.sqrt(2) * rng.standard_normal((electrodes, 4)) @ waves
    total += MUSCLE_MV * rng.lognormal(0, 0.4) * rng.standard_normal((electrodes, len(time_s)))
    phase, height = rng.uniform(0, 2 * np.pi), MAINS_MV * rng.random((electrodes, 1))
    if rate_hz > 2 * MAINS_HZ:
        total += height * np.sin(2 * np.pi * MAINS_HZ * time_s + phase)
    return total


def fibrillation(time_s: Floats, rng: np.random.Generator) -> Floats:
    """Dipole of fibrillating atria, shape (3, time): waves of 4 to 8 Hz whose height comes and goes, largest in V1."""
    hz, phase = rng.uniform(4, 8, 3), rng.uniform(0, 2 * np.pi, 3)
    slow = 1 + 0.5 * np.sin(2 * np.pi * 0.3 * time_s + rng.uniform(0, 2 * np.pi))
    wave = slow * np.sin(2 * np.pi * hz[:, None] * time_s + phase[:, None]).mean(0) * np.sqrt(3)
    return np.outer(np.array([-0.2, 0.5, -0.9]), wave)
