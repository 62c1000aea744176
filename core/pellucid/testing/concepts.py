"""Data with planted concepts: it is known what the target depends on, how noisy ratings are, and what the input hides."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from pellucid.data.arrays import ArrayDataset
from pellucid.data.spec import Binary, Concepts, DataSpec, MultiClass, Regression, Vector

NAMES = ("first", "second", "third", "fourth")
WEIGHTS = np.array([1.5, -1.2, 0.8, 0.5])

CLEARNESS = np.array([1.0, 0.8, 0.6, 0.3])
"""How well the input shows each concept: its noise is the inverse of what is here, times 0.5."""

RATERS = 3
RATER_NOISE = 0.5
SCALE = (1.0, 5.0)

Truth = Literal["concepts", "more", "nothing"]

TARGETS: dict[str, Any] = {
    "binary": Binary(names=("no", "yes")),
    "multiclass": MultiClass(names=("low", "middle", "high")),
    "regression": Regression(names=("score",), units=("1",)),
}


def planted_concepts(
    truth: Truth, kind: str = "binary", *, samples: int = 1200, seed: int = 0, lost: float = 0.0
) -> ArrayDataset:
    """Samples in pairs of one subject each, rated by three people, with a target ``y``.

    Parameters
    ----------
    truth : {"concepts", "more", "nothing"}
        What the target depends on: people's mean ratings and nothing else; these and a number that the input shows and
        nobody rated; nothing.
    kind : str
        Key of :data:`TARGETS`.
    samples, seed : int
    lost : float
        Share of ratings that nobody gave.
    """
    random = np.random.default_rng(seed)
    count = len(NAMES)
    real = random.normal(size=(samples, count))
    # Raters differ by more than half a step, and write down thirds of steps so that means lie between whole ones.
    said = 3 + real[:, None] + RATER_NOISE * random.normal(size=(samples, RATERS, count))
    said = np.clip(said.round(), *SCALE)
    ratings, apart = said.mean(1), said.std(1)
    alone = random.random(samples) < 0.2
    ratings = np.where(alone[:, None], said[:, 0], ratings)
    apart = np.where(alone[:, None], np.nan, apart)
    beside = random.normal(size=samples)
    shown = real + 0.5 / CLEARNESS * random.normal(size=real.shape)
    x = np.column_stack([shown, beside, random.normal(size=(samples, 5))]).astype(np.float32)
    score = {
        "concepts": (ratings - 3) @ WEIGHTS,
        "more": 0.7 * (ratings - 3) @ WEIGHTS + 2 * beside,
        "nothing": np.zeros(samples),
    }[truth]
    noisy = score + 0.5 * random.logistic(size=samples)
    y = {
        "binary": (noisy > 0).astype(float),
        "multiclass": np.digitize(noisy, [-1, 1]).astype(float),
        "regression": noisy,
    }[kind]
    gone = random.random(ratings.shape) < lost
    frame = pd.DataFrame(
        {
            "subject": [f"p{at // 2}" for at in range(samples)],
            "y": y,
            **{f"concept:{name}": np.where(gone[:, at], np.nan, ratings[:, at]) for at, name in enumerate(NAMES)},
            **{f"concept-sd:{name}": np.where(gone[:, at], np.nan, apart[:, at]) for at, name in enumerate(NAMES)},
        },
        index=pd.Index([f"s{at}" for at in range(samples)], name="sample"),
    )
    spec = DataSpec(
        name="planted-concepts",
        namespace="planted-concepts",
        inputs={"x": Vector(names=(*(f"{name} shown" for name in NAMES), "beside", *"abcde"))},
        targets={"y": TARGETS[kind]},
        concepts=Concepts(names=NAMES, low=(SCALE[0],) * count, high=(SCALE[1],) * count, disagreement=True),
        about="Made up: no subject stands behind it.",
    )
    return ArrayDataset(spec, frame, {"x": x})
