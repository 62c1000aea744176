"""Folds for assessments that need more than planted data of one kind: codes, links, relations, events, prototypes, collected layers."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pellucid.data.arrays import ArrayDataset
from pellucid.data.graphs import Graphs
from pellucid.data.pairs import Pairs
from pellucid.data.spec import Binary, DataSpec, Graph, Nodes, Regression, Signal
from pellucid.data.splits import Split
from pellucid.protocols.base import Context, FittedFold
from pellucid.testing.folds import TARGET, fitted
from pellucid.testing.planted import planted
from pellucid.testing.telling_encoders import CountsRelations, Degrees, Levels, MeanRates

if TYPE_CHECKING:
    from pellucid.encoders.base import Encoder

QUICK = {"epochs": 4, "batch_size": 32, "learning_rate": 0.01}

Example = tuple[FittedFold, Context]


def _made(kind: Any, data: Any, *inputs: str) -> Encoder:
    found: Encoder = kind(kind.config_type(inputs={name: data.spec.input(name) for name in inputs}))
    return found


@lru_cache(maxsize=1)
def coded_fold() -> Example:
    """Signals as codes of their level, and a model that counts them."""
    data = planted(("signal",), samples=160, subjects=50)
    study = {
        "encoder": [{"input": "signal", "name": "levels"}],
        "head": [{"name": "ngram-naive-bayes", "fewest": 2}],
        "training": QUICK,
    }
    return fitted(study, data, TARGET, made={"signal": _made(Levels, data, "signal")})


@lru_cache(maxsize=1)
def prototype_fold() -> Example:
    """Pictures in places, and models that compare these with places of training samples."""
    study = {
        "encoder": [{"input": "image", "name": "cnn", "tokens": True}],
        "head": [{"name": "prototypes"}, {"name": "linear"}],
        "training": QUICK,
    }
    return fitted(study, planted(("image",), samples=160, subjects=50), TARGET)


@lru_cache(maxsize=1)
def modality_fold() -> Example:
    """Three inputs that one encoder reads one after the other, and a head that follows it."""
    inputs = ("vector", "image", "covariates")
    study = {
        "encoder": [{"inputs": list(inputs), "name": "sequential-fusion", "state": 6}],
        "head": [{"name": "cumulative"}],
        "training": QUICK,
    }
    return fitted(study, planted(inputs[:2], samples=160, subjects=50), TARGET)


@lru_cache(maxsize=1)
def linked_fold() -> Example:
    """Pairs of nodes of two types that are linked the likelier the more links both have."""
    rng = np.random.default_rng(0)
    counts = (14, 12)
    chance = np.outer(rng.uniform(0.1, 1, counts[0]), rng.uniform(0.1, 1, counts[1]))
    links = np.argwhere(rng.random(counts) < chance)
    things, places = (
        [f"{word} {at}" for at in range(count)] for word, count in zip(("thing", "place"), counts, strict=True)
    )
    data = Pairs(
        name="planted-links",
        namespace="planted-links",
        about="Made up.",
        roles=("thing", "place"),
        names=(things, places),
        links=links,
    )
    data.spec = data.spec.model_copy(update={"groups": ("pair",), "group_word": ("pair", "pairs")})
    study = {"encoder": [{"input": "pair", "name": "degrees"}], "head": [{"name": "linear"}], "training": QUICK}
    return fitted(study, data, next(iter(data.spec.targets)), made={"pair": _made(Degrees, data, "pair")})


@lru_cache(maxsize=1)
def related_fold() -> Example:
    """Graphs with edges of three relations, of which the first decides."""
    rng, samples = np.random.default_rng(0), 160
    relations = tuple(("node", name, "node") for name in ("decides", "hints", "is there"))
    counts = rng.integers(0, 9, (samples, len(relations)))
    score = counts @ (1.0, 0.5, 0.0) + rng.normal(size=samples)
    graphs = [
        Graphs.of(
            [[0.0]] * 4, rng.integers(0, 4, (some.sum(), 2)), None, [0] * 4, np.repeat(range(len(relations)), some)
        )
        for some in counts
    ]
    frame = pd.DataFrame(
        {"subject": [f"p{at // 4}" for at in range(samples)], "many": (score > np.median(score)).astype(float)},
        index=[f"s{at}" for at in range(samples)],
    )
    spec = DataSpec(
        name="planted-relations",
        namespace="planted-relations",
        inputs={"graph": Graph(node_features=("x",), node_types=("node",), relations=relations)},
        targets={"many": Binary(names=("few", "many"))},
    )
    data = ArrayDataset(spec, frame, {"graph": Graphs.joined(graphs)})
    study = {
        "encoder": [{"input": "graph", "name": "counts"}],
        "head": [{"name": "linear"}],
        "training": {**QUICK, "epochs": 20},
    }
    return fitted(study, data, "many", made={"graph": _made(CountsRelations, data, "graph")})


@lru_cache(maxsize=1)
def meeting_fold() -> Example:
    """Pairs of nodes that meet the more often the smaller their numbers, and of whom the last bins are hidden from learning."""
    nodes, bins, hidden = 12, 10, 2
    pairs = np.column_stack(np.triu_indices(nodes, 1))
    counts = np.random.default_rng(0).poisson(3 / (1 + pairs.sum(1))[:, None] ** 0.5, (len(pairs), bins))
    events = np.stack([counts, counts / 2, counts / 3], axis=1).astype(np.float32)
    known = np.broadcast_to(np.arange(bins) < bins - hidden, events.shape).copy()
    ids = [f"{a} + {b}" for a, b in pairs]
    frame = pd.DataFrame({"pair": ids, "met": counts.sum(1).astype(float)}, index=ids)
    names = {"node": tuple(map(str, range(nodes)))}
    spec = DataSpec(
        name="planted-meetings",
        namespace="planted-meetings",
        inputs={
            "pair": Nodes(roles=("one", "other"), types=("node", "node"), names=names),
            "events": Signal(channels=("events", "time", "squared time"), length=bins, rate_hz=bins, units="1"),
        },
        groups=("pair",),
        group_word=("pair", "pairs"),
        targets={"met": Regression(names=("met",), units=("1",))},
    )
    data = ArrayDataset(spec, frame, {"pair": pairs, "events": events}, {"events": known})
    study = {
        "encoder": [{"inputs": ["pair", "events"], "name": "rates"}],
        "head": [{"name": "linear"}],
        "training": QUICK,
    }
    prefix = "pair+events"
    return fitted(study, data, "met", made={prefix: _made(MeanRates, data, "pair", "events")})


@lru_cache(maxsize=1)
def moving_fold() -> Example:
    """Things on springs, and a model of how they move."""
    study = {
        "encoder": [{"input": "trajectory", "name": "alrnn", "latent": 6, "rectified": 1}],
        "head": [{"name": "linear"}],
        "training": QUICK,
    }
    return fitted(study, planted(("trajectory",), samples=120, subjects=40), TARGET)


@lru_cache(maxsize=1)
def layer_run() -> tuple[Path, Path, Any]:
    """A run on collected rows, and what a layer of its model says of them; the folders go when this process does."""
    from pellucid.activations.example import example_folder
    from pellucid.activations.of_run import collect_run
    from pellucid.studies import Study
    from pellucid.training.loop import Watcher

    source: Any = example_folder()
    place = tempfile.TemporaryDirectory(prefix="pellucid-example-")
    run, rows = Path(place.name) / "run", Path(place.name) / "rows"
    study = Study.from_mapping(
        {
            "title": "contract of layers",
            "dataset": "activations",
            "target": TARGET,
            "encoder": [{"input": "activations", "name": "identity"}],
            "head": [{"name": "mlp"}],
            "protocols": ["subject-holdout"],
            "training": {**QUICK, "epochs": 2},
        }
    )
    study.run(run, source.folder, watcher=Watcher())
    collect_run(run, "head.layers.0", rows, data=source.folder)
    return run, rows, (source, place)


@lru_cache(maxsize=1)
def layer_fold() -> Example:
    """A dictionary of what a layer of :func:`layer_run` says."""
    from pellucid.activations.dataset import SIDE, ActivationsConfig, ActivationsFolder

    data = ActivationsFolder(ActivationsConfig(), layer_run()[1])
    study = {
        "encoder": [{"input": "activations", "name": "identity"}],
        "head": [{"name": "sae-topk", "features": 8, "k": 2}],
        "training": QUICK,
    }
    side = data.frame[SIDE].astype(str).to_numpy()
    train, validation, test = (np.flatnonzero(side == name) for name in ("train", "validation", "test"))
    return fitted(study, data, split=Split(0, train, validation, test))
