"""The report, from run folders with planted data: what it must say, and what it must not do."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pellucid.data import ArrayDataset, Binary, DataSpec, Image, MultiClass, MultiLabel, Ordinal, Regression, Vector
from pellucid.data.spec import Concepts
from pellucid.data.splits import Split
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.errors import LeakageError, RunError
from pellucid.explanation import Evidence, Explanation
from pellucid.heads.base import Head, HeadConfig, HeadTags
from pellucid.model import Model, Threshold
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.regions import Box, Steps, TimeSpan
from pellucid.report import build, words
from pellucid.report.figures import Bars, contribution_bars, importance, shape_function
from pellucid.report.folder import RunFolder
from pellucid.report.gallery import EACH, Gallery, collect, explanation_rows, kind_of, lot
from pellucid.report.latent import STEPS_SD, traversals
from pellucid.report.names import interval, number
from pellucid.report.pictures import whole_models
from pellucid.report.places import frame_place, from_json, place, to_json
from pellucid.report.sections import checks, summary
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


class Weighted(Head):
    """A weighted sum with given weights, whose explanation leaves a known gap."""

    tags = HeadTags(family="function")

    def __init__(self, config: HeadConfig, weights: torch.Tensor) -> None:
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


def fold_of(dataset: ArrayDataset, target: str, number: int = 0, folds: int = 3) -> FittedFold:
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
    model = Model(encoders, Weighted(HeadConfig(units=units, target=spec), weights))
    learned = dataset.subset(split.train).learned_from
    model.head.learned_from = learned
    model.threshold = Threshold(0.9, learned)
    baseline = TrivialBaseline(dataset.spec, target).fit(dataset.subset(split.train))
    return FittedFold(dataset, target, split, {"weighted": model}, baseline, seed=0)


def context_of(dataset: ArrayDataset, target: str) -> Context:
    return Context(dataset.spec, target, {"weighted": Weighted.tags}, "area alone", seed=5)


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


def run_folder(path: Path, kind: str = "binary", results: list[Result] | None = None, *, gallery: bool = True) -> Path:
    """A run folder as a finished run leaves it, of two folds."""
    dataset, target = planted(kind)
    context = context_of(dataset, target)
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
                "tags": asdict(Weighted.tags),
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
    (path / "run.json").write_text(json.dumps(document))
    if gallery:
        folds = [fold_of(dataset, target, number) for number in (0, 1)]
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


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Reader:
    return Reader(build(run_folder(tmp_path_factory.mktemp("run"))).read_text("utf-8"))


def test_the_page_runs_nothing_and_loads_nothing(page):
    assert not page.of("script")
    assert not page.of("link")
    assert not page.of("iframe")
    for tag, attrs in page.tags:
        assert not any(name.startswith("on") for name in attrs), (tag, attrs)
        assert attrs.get("src", "data:image/").startswith("data:image/")
    # Pictures are drawings of our own: they must not point outside either.
    import base64
    import re

    for attrs in page.of("img"):
        kind, _, drawn = attrs["src"].partition(";base64,")
        if kind == "data:image/svg+xml":
            svg = base64.b64decode(drawn).decode()
            assert "<script" not in svg
            assert not re.search(r'href="(?!#|data:)', svg)
    style = (Path(words.__file__).parent / "style.css").read_text()
    assert "url(" not in style
    assert "@import" not in style


def test_every_picture_is_told_in_words(page):
    assert len(page.of("img")) > 10
    assert all(len(attrs["alt"]) > 10 for attrs in page.of("img"))


def test_what_a_user_wrote_is_shown_and_not_obeyed(page):
    assert "Lesions <script>alert(1)</script>" in page.words
    assert "The label is an opinion & not <pathology>." in page.words
    assert "Taking <away> the top hurts no more than chance." in page.words


def test_every_score_stands_beside_chance_and_baseline(page):
    for r in RESULTS:
        row = " ".join(number(x) for x in (r.value, r.chance, r.baseline)) if r.passed is None else number(r.value)
        wanted = row if r.passed is not None else row.replace(number(r.value), f"{number(r.value)} {interval(r)}", 1)
        assert wanted in page.words, (r.metric, wanted)
    for said in (
        "completeness gap",
        "The parts add up to the whole.",
        "Classes lie apart.",
        "It rests on 16 values.",
        "traversal-monotonicity was skipped",
    ):
        assert said.lower() in page.words.lower()


def test_the_headline_metric_comes_before_others_and_subjects_apart(page):
    said = page.words
    assert (
        said.index("0.941 0.921 to 0.961")
        < said.index("Counted per subject")
        < said.index("0.931 0.911 to 0.951")
        < said.index("Brier score")
    )


def test_the_summary_gives_score_chance_baseline_black_box_and_verdict(page):
    said = page.words[page.words.index("In short") : page.words.index("Read this first")]
    for needed in (
        "60 samples of 30 subjects",
        "94.1 %",
        "AUROC 0.941",
        "0.921 to 0.961",
        "Chance is 0.500",
        "area alone, reaches 0.875",
        "0.066 better, a clear difference",
        "reaches 0.944: the interpretable model is 0.003 worse, no clear difference",
        "passed 1 of 2 checks and failed: deletion",
    ):
        assert needed in said, needed


def test_an_audit_is_passed_or_not_in_words_and_not_only_in_colour(page):
    assert page.words.count("✓ passed") == 1
    assert page.words.count("✗ not passed") == 1


def test_provenance_names_versions_seed_digest_licence_and_citation(page):
    for needed in (
        "torch 2.13.0",
        "Seed 5",
        "d1g35t",
        "CC0",
        "Nobody (2020)",
        "doi:10.1000/x",
        "pellucid run planted",
        "2024-02-03",
        "61 s",
        "shape (quadrants) and ratings (plain)",
    ):
        assert needed in page.words, needed


def test_cases_right_and_wrong_are_shown_with_what_the_model_said(page):
    kinds = [
        k
        for k in (
            "Rightly called malignant",
            "Wrongly called malignant",
            "Rightly called benign",
            "Wrongly called benign",
        )
        if k in page.words
    ]
    assert len(kinds) >= 3
    assert "called malignant from 90 %" in page.words
    assert "mm²" in page.words


@pytest.mark.parametrize("kind", TARGETS)
def test_every_kind_of_target_gets_a_report(tmp_path, kind):
    metric = "MAE" if kind == "regression" else "AUROC"
    results = [result("weighted", metric, 0.6, higher_is_better=kind != "regression")]
    said = Reader(build(run_folder(tmp_path, kind, results)).read_text("utf-8")).words
    assert "Cases, right and wrong" in said
    assert "was not audited" in said


def test_a_folder_without_gallery_and_results_still_reports(tmp_path):
    said = Reader(build(run_folder(tmp_path, results=[], gallery=False)).read_text("utf-8")).words
    assert "no score of an interpretable model" in said
    assert "Cases, right and wrong" not in said


def test_a_run_that_is_not_finished_says_so(tmp_path):
    path = run_folder(tmp_path, gallery=False)
    document = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**document, "state": "running"}))
    assert "This run is not finished" in Reader(build(path).read_text("utf-8")).words


@pytest.mark.parametrize(
    ("content", "named"),
    [(None, "no run folder"), ("{", "cannot be read"), ('{"format": 1, "state": "finished"}', "'study'")],
)
def test_a_folder_that_is_no_run_is_refused_by_name(tmp_path, content, named):
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunError, match=named):
        build(tmp_path)
    assert not (tmp_path / "report.html").exists()


# --- what is gathered inside a fold -----------------------------------------------------------------------------------


def test_explanation_rows_account_for_the_whole_output_and_cover_the_test_cases():
    dataset, target = planted()
    fold = fold_of(dataset, target)
    rows = explanation_rows(fold)
    assert set(rows["sample"]) == set(dataset.frame.index[fold.split.test])
    whole = rows.groupby("sample").agg({"baseline": "first", "contribution": "sum", "gap": "first", "output": "first"})
    np.testing.assert_allclose(whole["baseline"] + whole["contribution"] + whole["gap"], whole["output"], atol=1e-5)
    np.testing.assert_allclose(whole["gap"], GAP, atol=1e-5)
    np.testing.assert_allclose(rows["probability"], 1 / (1 + np.exp(-rows["output"])), atol=1e-5)
    one = rows[rows["unit"] == "ratings:margin"].set_index("sample")
    np.testing.assert_allclose(one["contribution"], 0.8 * (one["value"] - 3) / 2, atol=1e-5)
    assert (rows["predicted"] == (rows["probability"] >= 0.9)).all()
    labels = dataset.frame["y"]
    assert (rows["label"] == rows["sample"].map(labels)).all()


def test_values_are_those_measured_and_not_those_standardised():
    dataset, target = planted()
    rows = explanation_rows(fold_of(dataset, target))
    margin = rows[rows["unit"] == "ratings:margin"].set_index("sample")["value"]
    np.testing.assert_allclose(margin, dataset.frame.loc[margin.index, "concept:margin"], rtol=1e-6)
    spread = rows[rows["unit"] == "ratings:margin:sd"].set_index("sample")["value"]
    assert (spread.isna() == [int(sample[1:]) % 2 == 1 for sample in spread.index]).all()


def test_units_that_an_encoder_learnt_are_not_called_comparable():
    rows = explanation_rows(fold_of(*planted()))
    assert set(rows.loc[~rows["comparable"], "unit"]) == {f"shape:z{i}" for i in range(4)}


def test_several_classes_are_explained_by_the_predicted_one():
    dataset, target = planted("multiclass")
    rows = explanation_rows(fold_of(dataset, target))
    model = fold_of(dataset, target).models["weighted"]
    said = model.predict(dataset).idxmax(axis=1)
    assert rows["target"].nunique() > 1
    assert (rows["target"] == rows["sample"].map(said)).all()


def test_every_model_is_explained_and_cases_are_those_of_interpretable_ones_or_of_the_first():
    dataset, target = planted()
    fold, context = fold_of(dataset, target), context_of(dataset, target)
    model, after = fold.models["weighted"], HeadTags(family="function", stage="post_hoc")
    fold = replace(fold, models={"box": model, "weighted": model, "other": model})
    rows = explanation_rows(fold)
    assert list(rows["part"].unique()) == ["box", "weighted", "other"]
    for tags, shown in [
        ({"box": after, "weighted": Weighted.tags, "other": after}, "weighted"),
        ({"box": after, "weighted": after, "other": after}, "box"),
    ]:
        gallery = collect(fold, replace(context, parts=tags), rows)
        assert {case["part"] for case in gallery.cases} == {shown}
        assert {name.split("/")[1] for name in gallery.arrays if name.split("/")[0] != "case"} == {shown}


def test_a_model_that_learnt_from_a_test_subject_is_not_shown():
    dataset, target = planted()
    fold = fold_of(dataset, target)
    fold.models["weighted"].head.learned_from = dataset.learned_from
    with pytest.raises(LeakageError):
        explanation_rows(fold)
    with pytest.raises(LeakageError):
        collect(fold, context_of(dataset, target), explanation_rows(fold_of(dataset, target)))


def test_the_cases_shown_are_those_with_the_smallest_lots_whatever_the_order_of_folds():
    dataset, target = planted()
    context = context_of(dataset, target)
    folds = [collect(fold_of(dataset, target, number), context) for number in range(3)]
    rows = pd.concat(explanation_rows(fold_of(dataset, target, number)) for number in range(3)).drop_duplicates(
        "sample"
    )
    rows["kind"] = [
        kind_of(dataset.spec.target(target), a, b) for a, b in zip(rows["label"], rows["predicted"], strict=True)
    ]
    rows["lot"] = [lot(context.seed, "weighted", s) for s in rows["sample"]]
    wanted = set(rows.sort_values("lot").groupby("kind").head(EACH)["sample"])
    for order in (folds, folds[::-1]):
        joined = Gallery.joined(order)
        assert {case["sample"] for case in joined.cases} == wanted
        assert {name.split("/")[1] for name in joined.arrays if name.startswith("case/")} == wanted
    other = Context(context.spec, target, context.parts, context.baseline_name, seed=6)
    assert {
        c["sample"] for c in Gallery.joined(collect(fold_of(dataset, target, n), other) for n in range(3)).cases
    } != wanted


def test_a_gallery_comes_back_as_it_was_saved_and_masked_values_are_missing(tmp_path):
    dataset, target = planted()
    gallery = collect(fold_of(dataset, target), context_of(dataset, target))
    gallery.save(tmp_path)
    again = Gallery.load(tmp_path)
    assert json.dumps(again.cases) == json.dumps(gallery.cases)
    assert set(again.arrays) == set(gallery.arrays)
    for name, array in gallery.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
    for case in again.cases:
        missing = np.isnan(again.arrays[f"case/{case['sample']}/ratings"])
        assert missing.tolist() == [False, int(case["sample"][1:]) % 2 == 1]


def test_evidence_is_how_the_output_falls_when_a_place_is_filled_with_the_mean_of_the_training_samples():
    dataset, target = planted()
    fold = fold_of(dataset, target)
    gallery = collect(fold, context_of(dataset, target))
    every = dataset.read(np.arange(len(dataset))).inputs["shape"]
    mean = every[fold.split.train].mean(0)
    assert len(gallery.cases) >= 4
    for case in gallery.cases:
        # One pixel a place; the mean of the last quarter is over 16 pixels and weighs 3.
        wanted = np.zeros((1, 8, 8))
        image = every[dataset.frame.index.get_loc(case["sample"])]
        wanted[:, 4:, 4:] = (image - mean)[:, 4:, 4:] * 3 / 16
        found = gallery.arrays[f"evidence/weighted/{case['sample']}/shape"]
        np.testing.assert_allclose(found, wanted, atol=1e-5)
        first = from_json(case["evidence"][0])
        row, column = np.unravel_index(np.abs(wanted[0]).argmax(), (8, 8))
        assert (first.unit, first.region) == ("shape", Box((row, column), (row + 1, column + 1)))
        fall = wanted[0, row, column]
        told = f"row {row + 1}, column {column + 1}: filled with the training mean, the output "
        assert first.text == f"{told}{'falls' if fall > 0 else 'rises'} by {number(abs(fall), 2)}"
        assert len(case["evidence"]) == 3


@pytest.mark.parametrize(
    ("region", "said"),
    [
        (Box((9, 0), (14, 4)), "rows 10 to 14, columns 1 to 4"),
        (Box((2, 0, 7), (3, 4, 8)), "slice 3, rows 1 to 4, column 8"),
        (TimeSpan(("I", "II"), 0.5, 0.625), "I and II from 0.5 s to 0.625 s"),
        (Steps(("speed",), 0, 2), "speed, steps 1 to 2"),
    ],
)
def test_a_place_is_said_as_people_count_and_comes_back_from_json(region, said):
    assert place(region) == said
    evidence = Evidence("shape", region, text=said)
    assert from_json(json.loads(json.dumps(to_json(evidence)))) == evidence


def test_the_strongest_place_is_framed_in_its_picture_and_told_below_it(tmp_path):
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    ax.imshow(np.zeros((8, 8)))
    ax.set(xlim=(2.5, 5.5), ylim=(5.5, 2.5))
    frame_place(ax, Box((4, 1), (6, 3)))
    (around,) = ax.patches
    assert (around.get_xy(), around.get_width(), around.get_height()) == ((0.5, 3.5), 2, 2)
    assert (ax.get_xlim(), ax.get_ylim()) == ((0.5, 5.5), (5.5, 2.5))
    run = run_folder(tmp_path)
    said = Reader(build(run).read_text("utf-8")).words
    case = Gallery.load(run).cases[0]
    assert f"Strongest region: {case['evidence'][0]['text']}." in said


def test_a_traversal_starts_from_the_mean_and_moves_along_what_raises_the_output():
    dataset, target = planted()
    fold = fold_of(dataset, target)
    strip = traversals("weighted", fold.models["weighted"], fold)["traversal/weighted/shape"]
    code = fold.models["weighted"].representation(dataset.subset(fold.split.train)).values[:, :4]
    assert strip.shape == (len(STEPS_SD), 1, 8, 8)
    np.testing.assert_allclose(
        strip[:, 0, 6, 6], code[:, 3].mean().item() + np.array(STEPS_SD) * code[:, 3].std().item(), atol=1e-5
    )
    np.testing.assert_allclose(strip[:, 0, 1, 1], code[:, 0].mean(), atol=1e-5)


# --- figures ----------------------------------------------------------------------------------------------------------


def explanation(parts: list[float], baseline: float = -1.0, gap: float = 0.0) -> Explanation:
    made = torch.tensor([parts])
    names = tuple(f"ratings:u{i}" for i in range(len(parts)))
    return Explanation(
        "function",
        "malignant",
        names,
        made,
        torch.tensor([baseline]),
        torch.tensor([baseline + sum(parts) + gap]),
        made * 2,
    )


def test_bars_leave_nothing_out_and_show_the_gap():
    import matplotlib.pyplot as plt

    ax = contribution_bars(explanation([0.1, -2.0, 0.5, 0.2, -0.05], gap=0.3), top=2)
    lengths = [bar.get_width() for bar in ax.patches]
    np.testing.assert_allclose(lengths, [-1.0, -2.0, 0.5, 0.25, 0.3, -1.95], atol=1e-6)
    labels = [label.get_text().replace("\u00a0", " ") for label in ax.get_yticklabels()]
    assert labels == [
        "starting point",
        "u1 · ratings = -4",
        "u2 · ratings = 1",
        "3 weaker ones together",
        "gap (unexplained)",
        "output",
    ]
    assert sum(lengths[:-1]) == pytest.approx(lengths[-1])
    assert ax.patches[4].get_hatch()
    plt.close(ax.figure)


def test_units_that_nobody_can_read_singly_are_one_bar_with_their_sum():
    rows = explanation_rows(fold_of(*planted()))
    one = rows[rows["sample"] == rows["sample"].iloc[0]]
    bars = Bars.of_rows(one, {"ratings:margin": "rating"})
    assert bars.labels[-1] == "learnt code of shape (4 units)"
    assert bars.contributions[-1] == pytest.approx(one.loc[~one["comparable"], "contribution"].sum())
    assert bars.baseline + bars.contributions.sum() + bars.gap == pytest.approx(bars.output, abs=1e-5)


def test_a_shape_function_is_drawn_fold_by_fold_from_lowest_to_highest_value():
    from matplotlib.figure import Figure

    value = np.random.default_rng(0).normal(size=200)
    rows = pd.DataFrame({"fold": np.arange(200) % 2, "value": value, "contribution": value**2})
    ax = Figure().add_subplot()
    shape_function(ax, rows, is_function=True, limits=(-1, 9))
    curves = [line for line in ax.lines if len(line.get_xdata()) > 2]
    assert len(curves) == 2
    for fold, curve in enumerate(curves):
        x, y = np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata())
        assert (np.diff(x) > 0).all()
        np.testing.assert_allclose(y, x**2)
        assert (x[0], x[-1]) == (value[fold::2].min(), value[fold::2].max())


def test_importance_is_the_spread_between_cases_and_not_a_constant_offset(tmp_path):
    run = RunFolder.read(run_folder(tmp_path))
    (whole,) = whole_models(run)
    code = run.explanations[~run.explanations["comparable"]].groupby(["fold", "sample"])["contribution"].sum()
    spread = code.groupby("fold").std(ddof=0).mean()
    assert f"learnt code of shape {number(spread, 2)}" in whole.importance.alt
    assert whole.importance.alt.index("margin") < whole.importance.alt.index("disagreement on margin")


def test_importance_bars_are_as_long_as_told():
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    importance(ax, ["a", "b"], np.array([2.0, 1.0]))
    assert [bar.get_width() for bar in ax.patches] == [2.0, 1.0]


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "baseline", "higher", "said"),
    [
        (0.9, 0.8, True, "0.100 better, a clear difference"),
        (0.9, 0.89, True, "0.010 better, no clear difference"),
        (0.7, 0.8, True, "0.100 worse, a clear difference"),
        (0.1, 0.2, False, "0.100 better, a clear difference"),
        (0.3, 0.2, False, "0.100 worse, a clear difference"),
    ],
)
def test_a_model_is_called_better_in_the_metric_s_own_direction_and_clearly_only_outside_its_interval(
    value, baseline, higher, said
):
    made = result("weighted", "x", value, baseline=baseline, higher_is_better=higher)
    assert said in " ".join(words.answer(made, None, {"kind": "regression"}))


def test_two_models_that_tie_are_called_equal():
    made = result("weighted", "x", 0.87521, baseline=0.8749)
    told = words.answer(made, None, {"kind": "regression"})[-1]
    assert told.endswith("reaches 0.875: the two are equal.")


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("auroc_minus_baseline", "AUROC above the baseline"),
        ("auroc_per_subject_minus_ratings and size", "AUROC above “ratings and size”, per patient"),
        ("auprc_per_subject", "AUPRC, per patient"),
        ("monotonicity:outline-area", "Monotonicity of outline area"),
    ],
)
def test_a_metric_is_named_for_readers(metric, name):
    assert words.metric_name(metric, "patient") == name
    assert words.per_subject(metric) == ("patient" in name)


def test_the_page_calls_subjects_what_the_dataset_calls_them(tmp_path, page):
    path = run_folder(tmp_path, gallery=False)
    document = json.loads((path / "run.json").read_text())
    document["dataset"]["spec"]["group_word"] = ["mouse", "mice"]
    (path / "run.json").write_text(json.dumps(document))
    said = Reader(build(path).read_text("utf-8")).words
    for needed in (
        "60 samples of 30 mice",
        "Mice, samples and labels by fold",
        "Counted per mouse",
        "bootstrap over mice",
    ):
        assert needed in said, needed
    assert "subject" not in said.lower()
    assert "patient" not in page.words.lower()


def test_a_paired_difference_decides_where_it_was_measured():
    made, box = result("weighted", "auroc", 0.9), result("box", "auroc", 0.91)
    apart = result("weighted", "auroc_minus_box", -0.01, low=-0.015, high=-0.005)
    other = result("second", "auroc_minus_box", -0.01, low=-0.5, high=0.5)
    told = words.answer(made, box, TARGETS["binary"].model_dump(), [made, box, other, apart])[-1]
    assert "0.010 worse (interval of the difference -0.015 to -0.005), a clear difference" in told


def test_the_first_interpretable_model_speaks_and_not_the_best(tmp_path):
    path = run_folder(
        tmp_path, results=[result("weighted", "AUROC", 0.8), result("second", "AUROC", 0.95)], gallery=False
    )
    document = json.loads((path / "run.json").read_text())
    document["parts"]["second"] = document["parts"]["weighted"]
    (path / "run.json").write_text(json.dumps(document))
    found = summary(RunFolder.read(path))
    assert found["main"] == "weighted"
    assert found["chosen"]


def test_an_explanation_with_one_failed_check_has_not_passed_its_audit():
    assert words.verdict([RESULTS[5]], "weighted") == "Its explanation passed its audit (1 of 1 check)."
    assert "failed: deletion" in words.verdict(RESULTS, "weighted")
    assert words.verdict(RESULTS, "box") == "Its explanation was not audited."


def test_audits_are_grouped_by_model_and_keep_their_outcome(tmp_path):
    found = checks(RunFolder.read(run_folder(tmp_path, gallery=False)), "explanation-audit")
    assert {part: [check.passed for check in checks] for part, checks in found.items()} == {"weighted": [True, False]}
