"""A dataset whose truth is planted: pulse waves, slow or fast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from pellucid.data import ArrayDataset, Binary, DataSpec, Signal, Vector, pseudonym
from pellucid.data.spec import Frozen
from pellucid.errors import DataError

RATE_HZ = 32.0
LENGTH = 128
NAMESPACE = "example-pulse"


class PulseConfig(Frozen):
    """Settings of :class:`Pulse`.

    Parameters
    ----------
    subjects : int
        People, each with four recordings.
    noise : float
        Standard deviation of the noise; the wave itself has an amplitude of about 1.
    seed : int
    """

    subjects: int = Field(40, ge=2)
    noise: float = Field(0.5, ge=0)
    seed: int = Field(0, ge=0)


class Pulse(ArrayDataset):
    """Pulse waves of two sensors; the label is whether the planted rhythm is faster than 2 Hz."""

    config_type = PulseConfig

    def __init__(self, config: PulseConfig, data: Path | None = None) -> None:
        if data is not None:
            raise DataError(f"dataset 'pulse' is generated and reads nothing, but was given {data}; leave out --data")
        rng = np.random.default_rng(config.seed)
        count = 4 * config.subjects
        subject = np.arange(count) // 4
        # Every person has a rhythm, which recordings of that person share but for a little: the reason to split by person.
        rhythm = np.clip(rng.uniform(0.8, 3.2, config.subjects)[subject] + rng.normal(0, 0.1, count), 0.6, 3.4)
        seconds = np.arange(LENGTH) / RATE_HZ
        phase = rng.uniform(0, 2 * np.pi, (count, 1))
        wave = np.sin(2 * np.pi * rhythm[:, None] * seconds + phase)
        signal = np.stack([wave, 0.5 * wave], axis=1) + rng.normal(0, config.noise, (count, 2, LENGTH))
        frame = pd.DataFrame(
            {
                "subject": [pseudonym(one, NAMESPACE) for one in subject],
                "fast": (rhythm > 2).astype(float),
                "loudness": signal.std(axis=(1, 2)),
            },
            index=pd.Index([f"recording-{at:04d}" for at in range(count)], name="sample"),
        )
        spec = DataSpec(
            name="pulse",
            inputs={"wave": Signal(channels=("finger", "ear"), length=LENGTH, rate_hz=RATE_HZ, units="mV")},
            targets={"fast": Binary(names=("slow", "fast"), about="whether the planted rhythm is above 2 Hz")},
            namespace=NAMESPACE,
            covariates=Vector(names=("loudness",), units="mV"),
            trivial=("loudness",),
            views={"wave": "example/pulse-wave"},
            measures={"wave": ("example/loudness",)},
            about="Generated waves: no person stands behind them.",
        )
        super().__init__(spec, frame, {"wave": signal.astype(np.float32)})
