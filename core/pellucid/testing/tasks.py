"""Planted data that can try what is predicted: a number is to lie near either of two."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.data.abilities import Act
from pellucid.data.arrays import ArrayDataset
from pellucid.data.spec import DataSpec, Regression, Vector
from pellucid.protocols.base import Context, FittedFold
from pellucid.testing.folds import fitted


class PlantedTask(ArrayDataset):
    """Of a number x, both x + 1 and x - 1 are right, within 0.3."""

    def attempted(self, target: str, rows: npt.NDArray[np.integer], act: Act) -> Mapping[str, np.ndarray]:
        """See :class:`pellucid.data.abilities.HasTask`."""
        x = self.read(rows).inputs["x"]
        off = act({"x": x})[:, 0] - x[:, 0]
        wrong = np.abs(np.abs(off) - 1)
        return {"score": np.clip(1 - wrong, 0, 1), "success": (wrong < 0.3).astype(float), "upper": off > 0}


def planted_task(*, samples: int = 300, seed: int = 0, episodes: int | None = None) -> PlantedTask:
    """Draw numbers, and for each one of the two answers; each is an episode of its own unless fewer are asked for."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, 1)).astype(np.float32)
    number = x[:, 0] + rng.choice([-1.0, 1.0], samples) + rng.normal(0, 0.05, samples)
    frame = pd.DataFrame(
        {"episode": [f"episode {at % (episodes or samples)}" for at in range(samples)], "y": number},
        index=pd.Index([f"try-{at:04d}" for at in range(samples)], name="sample"),
    )
    spec = DataSpec(
        name="planted-task",
        inputs={"x": Vector(names=("x",), units=("m",))},
        targets={"y": Regression(names=("y",), units=("m",))},
        groups=("episode",),
        group_word=("episode", "episodes"),
        namespace="planted-task",
        about="Made up.",
    )
    return PlantedTask(spec, frame, {"x": x})


@lru_cache(maxsize=1)
def task_fold() -> tuple[FittedFold, Context]:
    """A head that draws, one that draws a latent, a mean of neighbours and a regression."""
    study = {
        "encoder": [{"input": "x", "name": "identity"}],
        "head": [
            {"name": "diffusion", "hidden": [32, 32]},
            {"name": "conditional-vae", "hidden": [32], "latent": 2},
            {"name": "neighbour-mean"},
            {"name": "linear"},
        ],
        "training": {"epochs": 4, "batch_size": 64, "learning_rate": 0.01},
    }
    return fitted(study, planted_task(), "y")
