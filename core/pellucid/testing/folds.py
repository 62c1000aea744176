"""Folds that are fitted for a moment on planted data, for trying protocols on: whom models have not seen is known."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from pellucid.data.arrays import ArrayDataset
from pellucid.data.dataset import Dataset
from pellucid.data.splits import Split, inner_split
from pellucid.encoders.base import Encoder, EncoderTags
from pellucid.protocols.base import Context, FittedFold, Splitting
from pellucid.testing.planted import planted

TARGET = "binary"
"""Of the planted data that models which predict are fitted on."""


@lru_cache(maxsize=1)
def fitted_fold() -> tuple[FittedFold, Context]:
    """Models of four families fitted for a moment on planted images and numbers, and subjects they have not seen."""
    from pellucid.assembly import build_encoders, build_head, encoders_of
    from pellucid.protocols.baseline import TrivialBaseline
    from pellucid.studies import Study
    from pellucid.training.fit import Session, Sides, fit_encoder, fit_model

    data = planted(("image", "vector"), samples=160, subjects=50)
    study = Study.from_mapping(
        {
            "title": "contract",
            "dataset": "planted",
            "target": TARGET,
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
    )
    split = _split(data, TARGET, validation=0.25)
    sides = Sides(data.subset(split.train), data.subset(split.validation), TARGET)
    encoders = build_encoders(study, data.spec, seed="contract")
    for prefix, encoder in encoders.items():
        fit_encoder(encoder, sides, study.training, name=prefix, session=Session())
    models: dict[str, Any] = {}
    for entry in study.head:
        own = encoders_of(entry, encoders)
        head = build_head(entry, own, data.spec, TARGET, seed="contract")
        models[entry.part], _ = fit_model(own, head, sides, study.training, name=entry.part, session=Session())
    baseline = TrivialBaseline(data.spec, TARGET).fit(sides.train)
    tags = {part: model.head.tags for part, model in models.items()}
    trained = [f"encoder {prefix}" for prefix in encoders] + [f"head {part}" for part in models]
    fold = FittedFold(data, TARGET, split, models, baseline, 0, training={name: study.training for name in trained})
    return fold, Context(data.spec, TARGET, tags, baseline.name, 0, *_read(encoders))


POSITIONS = 3
"""Rows of each sample that the dictionary of :func:`dictionary_fold` sees."""


@lru_cache(maxsize=1)
def dictionary_fold() -> tuple[FittedFold, Context]:
    """A dictionary fitted for a moment on rows as they are collected from layers, several a sample, in a study without a target."""
    from pellucid.assembly import build_encoders, build_head, encoders_of
    from pellucid.protocols.dictionaries.pooled import POSITION, SOURCE
    from pellucid.studies import Study
    from pellucid.training.fit import Sides, fit_model

    whole = planted(("vector",), samples=300, subjects=150)
    source, position = np.divmod(np.arange(len(whole) * POSITIONS), POSITIONS)
    names = whole.frame.index.to_numpy()[source]
    frame = whole.frame.iloc[source].assign(**{SOURCE: names, POSITION: position})
    frame.index = frame[SOURCE] + "@" + frame[POSITION].astype(str)
    rows = whole.read(source).inputs["vector"]
    shaken = rows + np.random.default_rng(0).normal(0, 0.1, rows.shape)
    data = ArrayDataset(whole.spec, frame, {"vector": shaken.astype(np.float32)})
    study = Study.from_mapping(
        {
            "title": "contract of dictionaries",
            "dataset": "planted",
            "encoder": [{"input": "vector", "name": "identity"}],
            "head": [{"name": "sae-topk", "features": 8, "k": 2}],
            "training": {"epochs": 4, "batch_size": 64, "learning_rate": 0.01},
        }
    )
    split = _split(data, "", validation=0.2)
    encoders = build_encoders(study, data.spec, seed="contract")
    (entry,) = study.head
    head = build_head(entry, encoders_of(entry, encoders), data.spec, "", seed="contract")
    sides = Sides(data.subset(split.train), data.subset(split.validation))
    model, _ = fit_model(encoders, head, sides, study.training, name=entry.part)
    trained = [f"encoder {prefix}" for prefix in encoders] + [f"head {entry.part}"]
    fold = FittedFold(
        data, "", split, {entry.part: model}, None, 0, training={name: study.training for name in trained}
    )
    return fold, Context(data.spec, "", {entry.part: model.head.tags}, "", 0, *_read(encoders))


@lru_cache(maxsize=1)
def aligned_fold() -> tuple[FittedFold, Context]:
    """Signals aligned for a moment with their captions by a text model that can also write."""
    from pellucid.assembly import build_encoders, build_head
    from pellucid.studies import Study
    from pellucid.training.fit import Sides, fit_model

    data = planted(("image",), samples=120, subjects=40)
    study = Study.from_mapping(
        {
            "title": "contract of alignment",
            "dataset": "planted",
            "encoder": [{"input": "image", "name": "cnn", "tokens": True}],
            "head": [
                {
                    "name": "aligned-text",
                    "text": {"kind": "t5", "width": 16, "vocabulary": 64, "length": 12, "beams": 1},
                    "attention_heads": 2,
                }
            ],
            "training": {"epochs": 2, "batch_size": 8, "distinct": "text:caption"},
        }
    )
    split = _split(data, "", validation=0.25)
    encoders = build_encoders(study, data.spec, seed="contract")
    (entry,) = study.head
    head = build_head(entry, encoders, data.spec, "", seed="contract")
    sides = Sides(data.subset(split.train), data.subset(split.validation))
    model, _ = fit_model(encoders, head, sides, study.training, name=entry.part)
    fold = FittedFold(data, "", split, {entry.part: model}, None, 0)
    return fold, Context(data.spec, "", {entry.part: model.head.tags}, "", 0, *_read(encoders))


def _read(encoders: Mapping[str, Encoder]) -> tuple[dict[str, EncoderTags], tuple[str, ...]]:
    """What a context says of encoders: their tags, and what they read."""
    reads = dict.fromkeys(name for encoder in encoders.values() for name in encoder.config.inputs)
    return {prefix: encoder.tags for prefix, encoder in encoders.items()}, tuple(reads)


def _split(data: Dataset, target: str, *, validation: float) -> Split:
    """Two fifths of the subjects on the test side, a share of the others on the validation side."""
    sets, labels = Splitting.sets(data), Splitting.strata(data, target)
    rest, test = inner_split(sets, labels, validation=0.4, seed=0)
    learn, stop = inner_split(sets[rest], labels[rest], validation=validation, seed=1)
    return Split(0, rest[learn], rest[stop], test)
