"""Small walks to try the bottlenecked transformer on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pellucid.data.arrays import ArrayDataset
from pellucid.data.dataset import Dataset
from pellucid.data.spec import Binary, DataSpec, Trajectory


def around(samples: int = 24, length: int = 12) -> Dataset:
    """Walks around a ring of five rooms of three colours; which way the next step leads is known."""
    looks, rng = np.array([0, 1, 0, 2, 1]), np.random.default_rng(0)
    moves = rng.integers(0, 2, (samples, length))
    rooms = (rng.integers(0, len(looks), (samples, 1)) + np.cumsum(2 * moves - 1, 1) - (2 * moves - 1)) % len(looks)
    walks = np.stack([looks[rooms], moves], axis=1).astype(np.float32)
    spec = Trajectory(
        names=("colour", "move"),
        actions=("move",),
        length=length,
        dt_s=1.0,
        units=("1", "1"),
        levels={"colour": ("red", "green", "blue"), "move": ("back", "on")},
    )
    ids = [f"walk {at}" for at in range(samples)]
    frame = pd.DataFrame({"walk": ids, "ends in red": (looks[rooms[:, -1]] == 0).astype(float)}, index=ids)
    told = DataSpec(
        name="walks-around",
        namespace="walks-around",
        inputs={"walk": spec},
        targets={"ends in red": Binary(names=("another", "red"))},
        groups=("walk",),
        group_word=("walk", "walks"),
    )
    return ArrayDataset(told, frame, {"walk": walks})
