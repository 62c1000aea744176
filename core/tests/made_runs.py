"""Run folders with planted data, as a finished run leaves them, and a reader of the page made from them."""

from __future__ import annotations

import json
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from pellucid.data import ArrayDataset, Binary, DataSpec, Image, MultiClass, MultiLabel, Ordinal, Regression, Vector
from pellucid.data.spec import Concepts
from pellucid.data.splits import Split
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.explanation import Explanation
from pellucid.gathering.explained import explanation_rows
from pellucid.gathering.gallery import Gallery, collect
from pellucid.heads.base import HeadTags, Predictor, PredictorConfig
from pellucid.model import Model, Threshold
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.representation import Representation
from pellucid.result import Result

GAP = 0.25
BASE = 1.2
TARGETS = {
    "binary": Binary(names=("benign", "malignant"), about="are lesions suspicious"),
    "multiclass": MultiClass(names=("red", "green", "blue")),
    "multilabel": MultiLabel(names=("cough", "fever")),
    "ordinal": Ordinal(names=("low", "middle", "high")),
    "regression": Regression(names=("age",), units=("years",)),
}


class Quadrants(Encoder):
    """Means of an image's quarters; counts as learnt, and decodes into flat quarters."""

    tags = EncoderTags(accepts=("image",), decodes=True)

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.dummy = torch.nn.Parameter(torch.zeros(1))

    @property
    def names(self) -> tuple[str, ...]:
        return ("z0", "z1", "z2", "z3")

    def forward(self, batch):
        image = self.read(batch)
        values = image.reshape(len(image), 2, 4, 2, 4).mean((2, 4)).flatten(1)
        return Representation(values, self.names)

    def decode(self, values):
        quarters = values.reshape(-1, 1, 2, 2)
        return quarters.repeat_interleave(4, 2).repeat_interleave(4, 3)


class Plain(Encoder):
    """A vector, standardised."""

    tags = EncoderTags(accepts=("vector",))

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config

    @property
    def names(self) -> tuple[str, ...]:
        return self.config.inputs[self.input_name].names

    def forward(self, batch):
        return Representation((self.read(batch) - 3) / 2, self.names)


class Weighted(Predictor):
    """A weighted sum with given weights, whose explanation leaves a known gap."""

    tags = HeadTags(family="function")

    def __init__(self, config: PredictorConfig, weights: torch.Tensor) -> None:
        super().__init__()
        self.config, self.weights = config, torch.nn.Parameter(weights)

    def forward(self, z):
        return z.values @ self.weights + GAP + BASE + 0.4 * torch.arange(len(self.outputs))

    def explain(self, z, target):
        at = self.output_index(target)
        baseline = torch.full((len(z.values),), BASE + 0.4 * at)
        return Explanation(
            "function", target, z.names, z.values * self.weights[:, at], baseline, self(z)[:, at], z.values
        )


def planted(kind: str = "binary", samples: int = 60) -> tuple[ArrayDataset, str]:
    """Images and ratings; the label follows the ratings' first name."""
    rng = np.random.default_rng(0)
    images = rng.random((samples, 1, 8, 8)).astype(np.float32)
    ratings = rng.normal(3, 1, (samples, 2)).astype(np.float32)
    score = ratings[:, 0] - 3 + 0.5 * rng.normal(size=samples)
    frame = pd.DataFrame(
        {
            "subject": [f"p{i // 2}" for i in range(samples)],
            "log_area": rng.normal(5, 1, samples),
            "concept:margin": ratings[:, 0],
        },
        index=pd.Index([f"s{i}" for i in range(samples)], name="sample"),
    )
    labels = {
        "binary": {"y": (score > 0).astype(float)},
        "multiclass": {"y": np.digitize(score, [-0.5, 0.5]).astype(float)},
        "multilabel": {"y:cough": (score > 0).astype(float), "y:fever": (score > 1).astype(float)},
        "ordinal": {"y": np.digitize(score, [-0.5, 0.5]).astype(float)},
        "regression": {"y": 40 + 10 * score},
    }[kind]
    spec = DataSpec(
        name="planted-lesions",
        inputs={
            "shape": Image(channels=("mask",), size=(8, 8), spacing_mm=(2.0, 2.0), units="1"),
            "ratings": Vector(names=("margin", "margin:sd"), units="rating"),
        },
        targets={"y": TARGETS[kind]},
        namespace="here",
        covariates=Vector(names=("log_area",), units=("ln mm2",)),
        trivial=("log_area",),
        concepts=Concepts(names=("margin",), low=(1,), high=(5,)),
        about="The label is an opinion & not <pathology>.",
    )
    masks = {"ratings": np.column_stack([np.ones(samples, bool), np.arange(samples) % 2 == 0])}
    return ArrayDataset(spec, frame.assign(**labels), {"shape": images, "ratings": ratings}, masks), "y"


def fold_of(
    dataset: ArrayDataset, target: str, number: int = 0, folds: int = 3, head: type[Weighted] = Weighted
) -> FittedFold:
    """One fold with a model of known weights: quarter 3 and the first rating raise every output but the first unit's."""
    subjects = dataset.frame["subject"].str[1:].astype(int).to_numpy()
    test = subjects % folds == number
    split = Split(number, np.flatnonzero(~test), np.flatnonzero(~test)[:4], np.flatnonzero(test))
    encoders = {
        "shape": Quadrants(EncoderConfig(inputs={"shape": dataset.spec.inputs["shape"]})),
        "ratings": Plain(EncoderConfig(inputs={"ratings": dataset.spec.inputs["ratings"]})),
    }
    spec = dataset.spec.target(target)
    units = tuple(f"{name}:{unit}" for name, encoder in encoders.items() for unit in encoder.names)
    weights = (
        torch.tensor([0.0, 0.0, 0.0, 3.0, 2.0, -0.2])[:, None] * torch.linspace(1, 0.5, len(spec.outputs))
        - torch.tensor([0, 0, 0, 0, 1.2, 0])[:, None]
    )
    model = Model(encoders, head(PredictorConfig(units=units, target=spec), weights))
    learned = dataset.subset(split.train).learned_from
    model.head.learned_from = learned
    model.threshold = Threshold(0.9, learned)
    baseline = TrivialBaseline(dataset.spec, target).fit(dataset.subset(split.train))
    return FittedFold(dataset, target, split, {"weighted": model}, baseline, seed=0)


def context_of(dataset: ArrayDataset, target: str, head: type[Weighted] = Weighted) -> Context:
    return Context(dataset.spec, target, {"weighted": head.tags}, "area alone", seed=5)


def result(part: str, metric: str, value: float, **changes) -> Result:
    facts = {
        "protocol": "prediction",
        "low": value - 0.02,
        "high": value + 0.02,
        "chance": 0.5,
        "baseline": 0.875,
        "baseline_name": "area alone",
        "higher_is_better": True,
        "n_samples": 60,
        "n_subjects": 30,
    }
    return Result(part=part, metric=metric, value=value, **{**facts, **changes})


RESULTS = [
    result("weighted", "Brier score", 0.11, higher_is_better=False, chance=0.25),
    result("weighted", "AUROC", 0.9412),
    result("box", "AUROC", 0.9442),
    result("area alone", "AUROC", 0.875),
    result("weighted", "AUROC per subject", 0.931),
    result(
        "weighted",
        "completeness gap",
        2.5e-5,
        protocol="explanation-audit",
        higher_is_better=False,
        passed=True,
        sentence="The parts add up to the whole.",
    ),
    result(
        "weighted",
        "deletion",
        0.31,
        protocol="explanation-audit",
        passed=False,
        sentence="Taking <away> the top hurts no more than chance.",
    ),
    result("weighted", "effective_number", 16.0, protocol="explanation-audit", sentence="It rests on 16 values."),
    result("weighted", "silhouette", 0.2, protocol="latent-clusters", sentence="Classes lie apart."),
]


def run_folder(
    path: Path,
    kind: str = "binary",
    results: list[Result] | None = None,
    *,
    gallery: bool = True,
    head: type[Weighted] = Weighted,
    **facts: Any,
) -> Path:
    """A run folder as a finished run leaves it, of two folds; ``facts`` go into its document."""
    dataset, target = planted(kind)
    context = context_of(dataset, target, head)
    document = {
        "format": 1,
        "weights_sha256": {},
        "state": "finished",
        "study": {
            "title": "Lesions <script>alert(1)</script>",
            "target": target,
            "dataset": "planted-lesions",
            "protocols": ["prediction"],
            "encoder": [{"name": "quadrants", "input": "shape"}, {"name": "plain", "input": "ratings"}],
        },
        "dataset": {
            "name": "planted-lesions",
            "digest": "d1g35t",
            "about": dataset.spec.about,
            "spec": dataset.spec.model_dump(mode="json"),
            "card": {
                "title": "Planted lesions",
                "licence": "CC0",
                "citations": ["Nobody (2020)"],
                "papers": ["10.1000/x"],
            },
        },
        "target": dataset.spec.target(target).model_dump(mode="json"),
        "versions": {"python": "3.11", "torch": "2.13.0"},
        "seed": 5,
        "command": "pellucid run planted",
        "device": "cpu",
        "processes": 1,
        "duration_s": 61.0,
        "started": "2024-02-03",
        "cohort": [
            {"fold": f, "side": side, "subjects": 10, "samples": 20, "benign": 9, "malignant": 11}
            for f in (0, 1)
            for side in ("train", "validation", "test")
        ],
        "parts": {
            "weighted": {
                "head": "additive",
                "encoders": ["shape", "ratings"],
                "tags": asdict(head.tags),
                "parameters": 12,
                "epochs": 3,
            },
            "box": {
                "head": "mlp",
                "encoders": ["shape"],
                "tags": asdict(HeadTags(family="attribution", stage="post_hoc")),
                "parameters": 1234,
                "epochs": 3,
            },
        },
        "baseline_name": "area alone",
        "black_box": "box",
        "results": [r.to_json() for r in (RESULTS if results is None else results)],
        "notes": ["traversal-monotonicity was skipped: no measure."],
    }
    path.mkdir(parents=True, exist_ok=True)
    (path / "run.json").write_text(json.dumps(document | facts))
    if gallery:
        folds = [fold_of(dataset, target, number, head=head) for number in (0, 1)]
        rows = [explanation_rows(fold) for fold in folds]
        pd.concat(rows).to_parquet(path / "explanations.parquet")
        Gallery.joined(collect(fold, context, some) for fold, some in zip(folds, rows, strict=True)).save(path)
    return path


class Reader(HTMLParser):
    """What a browser would find: text, tags, what it would load; refuses tags that do not close."""

    VOID = frozenset({"img", "meta", "link", "br", "hr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(page)
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another tag"

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += f" {data}"

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    def of(self, tag: str) -> list[dict]:
        return [attrs for name, attrs in self.tags if name == tag]
