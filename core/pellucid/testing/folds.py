"""Folds that are fitted for a moment on planted data, for trying protocols on: whom models have not seen is known."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.data.arrays import ArrayDataset
from pellucid.data.dataset import Dataset
from pellucid.data.splits import Split, inner_split
from pellucid.protocols.base import Context, FittedFold, Splitting
from pellucid.testing.planted import planted

if TYPE_CHECKING:
    from pellucid.encoders.base import Encoder

TARGET = "binary"
"""Of the planted data that models which predict are fitted on."""


def fitted(
    study: Mapping[str, Any],
    data: Dataset,
    target: str = "",
    *,
    made: Mapping[str, Encoder] | None = None,
    split: Split | None = None,
    validation: float = 0.25,
) -> tuple[FittedFold, Context]:
    """Models of a study fitted on planted data, with subjects that they have not seen, and what an assessment must know beside.

    Parameters
    ----------
    study : mapping
        Its encoders, heads and training settings.
    data : Dataset
    target : str
        Empty where nothing is predicted.
    made : mapping of str to Encoder, optional
        By prefix, encoders that no plugin registers; the others are built as the study says.
    split : Split, optional
        Who stands where; drawn by default.
    validation : float
        Share of the learning side to stop by.
    """
    from pellucid.assembly import build_encoders, build_head, encoders_of
    from pellucid.protocols.baseline import TrivialBaseline
    from pellucid.studies import Study
    from pellucid.training.fit import Session, Sides, fit_encoder, fit_model

    asked = Study.from_mapping({"title": "contract", "dataset": data.spec.name, "target": target, **study})
    split = split or _split(data, target, validation=validation)
    sides = Sides(data.subset(split.train), data.subset(split.validation), target)
    encoders = dict(made) if made is not None else build_encoders(asked, data.spec, seed="contract")
    for prefix, encoder in encoders.items():
        fit_encoder(encoder, sides, asked.training, name=prefix, session=Session())
    models: dict[str, Any] = {}
    for entry in asked.head:
        own = encoders_of(entry, encoders)
        head = build_head(entry, own, data.spec, target, seed="contract")
        models[entry.part], _ = fit_model(own, head, sides, asked.training, name=entry.part, session=Session())
    baseline = TrivialBaseline(data.spec, target).fit(sides.train) if target else None
    trained = [f"encoder {prefix}" for prefix in encoders] + [f"head {part}" for part in models]
    training = {name: asked.training for name in trained}
    fold = FittedFold(data, target, split, models, baseline, 0, training=training)
    heads = {part: model.head.tags for part, model in models.items()}
    known = {prefix: encoder.tags for prefix, encoder in encoders.items()}
    reads = dict.fromkeys(name for encoder in encoders.values() for name in encoder.config.inputs)
    name = "" if baseline is None else baseline.name
    return fold, Context(data.spec, target, heads, name, 0, known, tuple(reads))


@lru_cache(maxsize=1)
def fitted_fold() -> tuple[FittedFold, Context]:
    """Models of four families fitted for a moment on planted images and numbers, and subjects they have not seen."""
    study = {
        "encoder": [
            {"input": "image", "name": "vae-gaussian", "latent": 4},
            {"input": "vector", "name": "identity"},
        ],
        "head": [
            {"name": "latent-traversal", "reads": ["image"]},
            {"name": "linear"},
            {"name": "mlp"},
            {"name": "concept-bottleneck"},
        ],
        "training": {"epochs": 4, "batch_size": 32, "learning_rate": 0.01},
    }
    return fitted(study, planted(("image", "vector"), samples=160, subjects=50), TARGET)


POSITIONS = 3
"""Rows of each sample that the dictionary of :func:`dictionary_fold` sees."""


@lru_cache(maxsize=1)
def dictionary_fold() -> tuple[FittedFold, Context]:
    """A dictionary fitted for a moment on rows as they are collected from layers, several a sample, in a study without a target."""
    from pellucid.protocols.dictionaries.pooled import POSITION, SOURCE

    whole = planted(("vector",), samples=300, subjects=150)
    source, position = np.divmod(np.arange(len(whole) * POSITIONS), POSITIONS)
    names = whole.frame.index.to_numpy()[source]
    frame = whole.frame.iloc[source].assign(**{SOURCE: names, POSITION: position})
    frame.index = frame[SOURCE] + "@" + frame[POSITION].astype(str)
    rows = whole.read(source).inputs["vector"]
    shaken = rows + np.random.default_rng(0).normal(0, 0.1, rows.shape)
    data = ArrayDataset(whole.spec, frame, {"vector": shaken.astype(np.float32)})
    study = {
        "encoder": [{"input": "vector", "name": "identity"}],
        "head": [{"name": "sae-topk", "features": 8, "k": 2}],
        "training": {"epochs": 4, "batch_size": 64, "learning_rate": 0.01},
    }
    return fitted(study, data, validation=0.2)


@lru_cache(maxsize=1)
def aligned_fold() -> tuple[FittedFold, Context]:
    """Signals aligned for a moment with their captions by a text model that can also write."""
    text = {"kind": "t5", "width": 16, "vocabulary": 64, "length": 12, "beams": 1}
    study = {
        "encoder": [{"input": "image", "name": "cnn", "tokens": True}],
        "head": [{"name": "aligned-text", "text": text, "attention_heads": 2}],
        "training": {"epochs": 2, "batch_size": 8, "distinct": "text:caption"},
    }
    return fitted(study, planted(("image",), samples=120, subjects=40))


def _split(data: Dataset, target: str, *, validation: float) -> Split:
    """Two fifths of the subjects on the test side, a share of the others on the validation side."""
    sets, labels = Splitting.sets(data), Splitting.strata(data, target)
    rest, test = inner_split(sets, labels, validation=0.4, seed=0)
    learn, stop = inner_split(sets[rest], labels[rest], validation=validation, seed=1)
    return Split(0, rest[learn], rest[stop], test)
