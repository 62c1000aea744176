"""Planted data that know the equations behind them, and models that find them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pandas as pd

from pellucid.data.arrays import ArrayDataset
from pellucid.data.spec import DataSpec, Regression, Vector
from pellucid.protocols.base import Context, FittedFold
from pellucid.testing.folds import fitted

EQUATIONS: Mapping[str, Mapping[str, float]] = {"dx/dt": {"y": 2.0, "x*y": -1.0}, "dy/dt": {"1": 0.5, "x^2": 1.5}}
"""What the planted rates are made of."""


class PlantedEquations(ArrayDataset):
    """Points at random with rates of two known equations, and noise on these."""

    def true_equations(self, target: str) -> Mapping[str, Mapping[str, float]]:
        """See :class:`pellucid.data.abilities.KnowsEquations`."""
        return EQUATIONS if target == "rate" else {}


def planted_equations(
    *, samples: int = 400, episodes: int = 20, noise: float = 0.05, seed: int = 0
) -> PlantedEquations:
    """Draw points, dealt to episodes in turn."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, samples))
    frame = pd.DataFrame(
        {
            "episode": [f"walk {at % episodes}" for at in range(samples)],
            "rate:dx/dt": 2 * y - x * y + rng.normal(0, noise, samples),
            "rate:dy/dt": 0.5 + 1.5 * x**2 + rng.normal(0, noise, samples),
        },
        index=pd.Index([f"point-{at:04d}" for at in range(samples)], name="sample"),
    )
    spec = DataSpec(
        name="planted-equations",
        inputs={"state": Vector(names=("x", "y"), units=("m", "m"))},
        targets={"rate": Regression(names=("dx/dt", "dy/dt"), units=("m s-1", "m s-1"))},
        groups=("episode",),
        group_word=("episode", "episodes"),
        namespace="planted-equations",
        about="Made up.",
    )
    return PlantedEquations(spec, frame, {"state": np.stack([x, y], 1).astype(np.float32)})


@lru_cache(maxsize=1)
def equation_fold() -> tuple[FittedFold, Context]:
    """Sparse equations fitted to planted ones."""
    study = {
        "encoder": [{"input": "state", "name": "polynomial-library", "degree": 2}],
        "head": [{"name": "sindy-ensemble"}, {"name": "relevance-vector"}, {"name": "linear"}],
        "training": {"epochs": 1},
    }
    return fitted(study, planted_equations(), "rate")
