"""Waves with planted factors: a frequency that is the class, an amplitude, and the gains of the device that recorded them."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from pellucid.data.arrays import ArrayDataset
from pellucid.data.spec import DataSpec, MultiClass, Signal, Vector
from pellucid.data.subjects import pseudonym

NAMESPACE = "planted waves"

CYCLES = (2, 3, 4, 5, 6)
"""Cycles in a window, one of them for each class."""

GAINS = tuple(itertools.permutations((1.0, 0.5, 0.2)))
"""Gain of each channel, one row a device; all rows are of one length, so that a device says nothing of the amplitude."""

LENGTH = 64
NOISE = 0.1
PHASE = np.pi / 4
"""Phases lie between minus and plus this, in radians."""

OFFSET = 0.4
"""Standard deviation of a device's offset in each channel, and of a subject's around it."""


def waves(samples: int = 4000, *, subjects: int = 1000, seed: int = 0) -> ArrayDataset:
    """Draw waves ``gain * amplitude * sin(2 pi f t + phase) + offset + noise``.

    The target ``frequency`` names ``f``. Covariates are what else was drawn: ``device`` (a row of :data:`GAINS`, the same for
    all samples of a subject), ``amplitude`` and ``phase``. A device has an offset for each channel, the same whatever the
    seed, and each of its subjects one around it. All else is independent of each other.

    Parameters
    ----------
    samples, subjects : int
        Subjects are dealt to devices in turn, samples to subjects at random.
    seed : int

    Examples
    --------
    >>> waves(10, subjects=6).read(np.arange(2)).inputs["wave"].shape
    (2, 3, 64)
    """
    rng = np.random.default_rng(seed)
    subject = rng.integers(subjects, size=samples)
    device, frequency = subject % len(GAINS), rng.integers(len(CYCLES), size=samples)
    amplitude, phase = rng.uniform(0.5, 1.5, samples), rng.uniform(-PHASE, PHASE, samples)
    of_device = np.random.default_rng(1).normal(0, OFFSET, (len(GAINS), 3))
    offsets = of_device[device] + rng.normal(0, OFFSET, (subjects, 3))[subject]
    cycles = np.asarray(CYCLES)[frequency]
    wave = amplitude[:, None] * np.sin(2 * np.pi * cycles[:, None] * np.arange(LENGTH) / LENGTH + phase[:, None])
    x = np.asarray(GAINS)[device][:, :, None] * wave[:, None] + offsets[:, :, None]
    x = (x + rng.normal(0, NOISE, x.shape)).astype(np.float32)
    frame = pd.DataFrame(
        {
            "subject": [pseudonym(one, NAMESPACE) for one in subject],
            "frequency": frequency.astype(float),
            "device": device.astype(float),
            "amplitude": amplitude,
            "phase": phase,
        },
        index=pd.Index([f"wave-{at:04d}" for at in range(samples)], name="sample"),
    )
    spec = DataSpec(
        name="planted-waves",
        inputs={"wave": Signal(channels=("first", "second", "third"), length=LENGTH, rate_hz=float(LENGTH), units="1")},
        targets={"frequency": MultiClass(names=tuple(f"{cycles} Hz" for cycles in CYCLES))},
        namespace=NAMESPACE,
        covariates=Vector(names=("device", "amplitude", "phase"), units=("1", "1", "rad")),
        about="Made up: no subject stands behind it.",
    )
    return ArrayDataset(spec, frame, {"wave": x})
