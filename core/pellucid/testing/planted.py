"""Small data with a planted truth: every kind of input and target that a component may ask for, made in a moment.

Two numbers are drawn for each subject and sample, ``size`` and ``rhythm``. Every input shows both in its own way, beside
noise; every target follows from ``size`` (and for several labels from ``rhythm``). A component that reads its input at
all can find them; one that reads another sample's input, or a masked value, is found out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from pellucid.data.arrays import ArrayDataset
from pellucid.data.graphs import Graphs
from pellucid.data.spec import (
    Binary,
    Concepts,
    DataSpec,
    Graph,
    Image,
    MultiClass,
    MultiLabel,
    Nodes,
    Ordinal,
    Regression,
    Sentences,
    Signal,
    Text,
    Trajectory,
    Vector,
    Volume,
)
from pellucid.data.subjects import pseudonym

NAMESPACE = "planted"

SIZES = ("tiny", "small", "middling", "large", "huge")
PACES = ("dead slow", "slow", "calm", "lively", "quick", "rushing")
"""Words for sizes and rhythms, lowest first."""

INPUTS: dict[str, Any] = {
    "signal": Signal(channels=("left", "right"), length=64, rate_hz=32.0, units="uV"),
    "image": Image(channels=("mask",), size=(16, 16), spacing_mm=(1.0, 1.0), units="1"),
    "volume": Volume(channels=("mask",), size=(8, 8, 8), spacing_mm=(2.0, 2.0, 2.0), units="1"),
    "vector": Vector(names=("size", "rhythm", "noise a", "noise b"), units=("mm", "Hz", "1", "1")),
    "trajectory": Trajectory(
        names=("position", "speed", "push"), actions=("push",), length=48, dt_s=0.04, units=("m", "m/s", "m/s2")
    ),
    "text": Text(vocabulary=12, length=10),
    "graph": Graph(node_features=("size", "noise"), edge_features=("length_mm",)),
    "nodes": Nodes(
        roles=("one", "other"),
        types=("thing", "place"),
        names={"thing": tuple(f"thing {at}" for at in range(6)), "place": ("here", "there", "nowhere")},
    ),
}
"""One input of every kind, by its name."""

KINDS = tuple(kind for kind in INPUTS if kind not in ("graph", "nodes"))
"""Those of a fixed shape."""

TARGETS: dict[str, Any] = {
    "binary": Binary(names=("small", "large"), about="whether size is above its middle"),
    "multiclass": MultiClass(names=("low", "middle", "high"), about="thirds of size"),
    "multilabel": MultiLabel(names=("large", "fast"), about="whether size and rhythm are above their middle"),
    "ordinal": Ordinal(names=("low", "middle", "high"), about="thirds of size, in order"),
    "regression": Regression(names=("size",), units=("mm",), about="size itself"),
}
"""One target of every kind, by the name of its kind."""

TEXTS = {"caption": Sentences(variants=1, about="size and rhythm in words, twice")}
"""What each sample is in plain words."""

CONCEPTS = Concepts(names=("roundness", "pace"), low=(1.0, 1.0), high=(5.0, 5.0))


def planted(kinds: tuple[str, ...] = KINDS, *, samples: int = 48, subjects: int = 16, seed: int = 0) -> ArrayDataset:
    """Draw a dataset with some kinds of input, all kinds of target, concepts and covariates.

    Parameters
    ----------
    kinds : tuple of str
        Keys of :data:`INPUTS`.
    samples, subjects : int
        Samples are dealt to subjects in turn.
    seed : int

    Examples
    --------
    >>> data = planted(("vector",))
    >>> len(data), data.frame["subject"].nunique(), data[0].inputs["vector"].shape
    (48, 16, (4,))
    """
    rng = np.random.default_rng(seed)
    size, rhythm = rng.uniform(2, 7, samples), rng.uniform(1, 4, samples)
    frame = _frame(size, rhythm, subjects, rng)
    spec = DataSpec(
        name="planted",
        inputs={kind: INPUTS[kind] for kind in kinds},
        targets=TARGETS,
        namespace=NAMESPACE,
        covariates=Vector(names=("age", "rough size"), units=("years", "mm")),
        trivial=("rough size",),
        concepts=CONCEPTS,
        texts=TEXTS,
        about="Made up: no subject stands behind it.",
    )
    drawn: dict[str, Callable[..., Any]] = {
        "signal": _signal,
        "image": _image,
        "volume": _image,
        "vector": _vector,
        "trajectory": _trajectory,
        "text": _text,
        "graph": _graphs,
        "nodes": _nodes,
    }
    inputs = {kind: drawn[kind](size, rhythm, INPUTS[kind].shape, rng) for kind in kinds}
    return ArrayDataset(spec, frame, inputs)


def _frame(size: np.ndarray, rhythm: np.ndarray, subjects: int, rng: np.random.Generator) -> pd.DataFrame:
    count = len(size)
    thirds = np.searchsorted(np.quantile(size, [1 / 3, 2 / 3]), size).astype(float)
    large, fast = (size > np.median(size)).astype(float), (rhythm > np.median(rhythm)).astype(float)
    words = [
        (SIZES[int(a)], PACES[int(b)])
        for a, b in zip(np.clip(size - 2, 0, 4), np.clip(2 * rhythm - 2, 0, 5), strict=True)
    ]
    return pd.DataFrame(
        {
            "subject": [pseudonym(at % subjects, NAMESPACE) for at in range(count)],
            "binary": large,
            "multiclass": thirds,
            "multilabel:large": large,
            "multilabel:fast": fast,
            "ordinal": thirds,
            "regression": size,
            "age": rng.uniform(20, 90, count),
            "rough size": size + rng.normal(0, 1.5, count),
            "concept:roundness": np.interp(size, [2, 7], [1, 5]),
            "concept:pace": np.interp(rhythm, [1, 4], [1, 5]),
            "text:caption": [f"a {a} thing, {b} in its beat" for a, b in words],
            "text:caption:1": [f"it beats {b} and is {a}" for a, b in words],
        },
        index=pd.Index([f"planted-{at:03d}" for at in range(count)], name="sample"),
    )


def _signal(size: np.ndarray, rhythm: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    seconds = np.arange(shape[1]) / INPUTS["signal"].rate_hz
    wave = size[:, None] * np.sin(2 * np.pi * rhythm[:, None] * seconds)
    both = np.stack([wave, np.zeros_like(wave)], axis=1)
    return (both + rng.normal(0, 0.3, both.shape)).astype(np.float32)


def _image(size: np.ndarray, rhythm: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    axes = list(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape[1:]), indexing="ij"))
    # Rhythm stretches the last axis, so that two samples of one size differ.
    axes[-1] = axes[-1] / 1.5
    radius = np.sqrt(sum(a**2 for a in axes))
    reach = size.reshape(-1, *[1] * radius.ndim) * shape[1] / 16
    soft = 1 / (1 + np.exp(2 * (radius - reach)))
    return (soft * rhythm.reshape(-1, *[1] * radius.ndim) / 4)[:, None].astype(np.float32)


def _vector(size: np.ndarray, rhythm: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return np.column_stack([size, rhythm, rng.normal(size=(len(size), shape[0] - 2))]).astype(np.float32)


def _trajectory(size: np.ndarray, rhythm: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A thing on a spring: where it is, how fast, and what pushes it."""
    seconds = np.arange(shape[1]) * INPUTS["trajectory"].dt_s
    position = size[:, None] * np.cos(rhythm[:, None] * seconds)
    speed = -(size * rhythm)[:, None] * np.sin(rhythm[:, None] * seconds)
    every = np.stack([position, speed, -((rhythm**2)[:, None]) * position], axis=1)
    return (every + rng.normal(0, 0.05, every.shape)).astype(np.float32)


def _text(size: np.ndarray, rhythm: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    first = np.clip(np.rint(size), 0, 11)[:, None]
    rest = rng.integers(0, 12, (len(size), shape[0] - 2))
    return np.concatenate([first, np.rint(rhythm)[:, None], rest], axis=1).astype(np.int64)


def _graphs(size: np.ndarray, rhythm: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> Graphs:
    """A ring of three to eight nodes that show the size, with edges as long as the rhythm, and a node that has none."""
    found = []
    for large, beat in zip(size, rhythm, strict=True):
        count = int(rng.integers(3, 9))
        around = [(at, (at + 1) % count) for at in range(count)]
        edges = around + [(b, a) for a, b in around]
        nodes = np.column_stack([np.append(large + rng.normal(0, 0.2, count), 0.0), rng.normal(size=count + 1)])
        found.append(Graphs.of(nodes, edges, np.full((len(edges), 1), beat) + rng.normal(0, 0.05, (len(edges), 1))))
    return Graphs.joined(found)


def _nodes(size: np.ndarray, rhythm: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A thing for the size and a place for the rhythm."""
    return np.column_stack([np.clip(size - 2, 0, 5), np.clip(rhythm - 1, 0, 2)]).astype(np.int64)
