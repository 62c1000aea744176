"""What the report gathers inside a fold: rows of explanations, cases drawn by lot, evidence in their inputs."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from made_runs import GAP, Reader, Weighted, context_of, fold_of, planted, run_folder

from pellucid.data.spec import DataSpec, Image
from pellucid.data.targets import explained_label
from pellucid.errors import LeakageError
from pellucid.explanation import Evidence
from pellucid.gathering.explained import explanation_rows
from pellucid.gathering.gallery import Gallery, collect
from pellucid.gathering.latent import STEPS_SD, traversals
from pellucid.gathering.lots import EACH, drawn, kind_of, lot
from pellucid.gathering.places import from_json, to_json
from pellucid.heads.base import HeadTags
from pellucid.protocols.base import Context
from pellucid.regions import Box, Steps, TimeSpan, region_to_json
from pellucid.report import build, feature_cards, figures
from pellucid.report.cases import cases
from pellucid.report.figures import Picture
from pellucid.report.folder import RunFolder
from pellucid.wording import number

EMPTY = Picture("data:,", "nothing", 1)


@pytest.mark.parametrize(("share", "shown"), [(1.0, True), (1e-8, False)])
def test_what_rounding_changes_is_no_place_that_an_output_rests_on(monkeypatch, share, shown):
    from pellucid import attribution

    real = attribution.place_map

    def scaled(*args, **options):
        found = real(*args, **options)
        return replace(found, falls=found.falls * share)

    monkeypatch.setattr(attribution, "place_map", scaled)
    dataset, target = planted()
    fold = fold_of(dataset, target)
    gallery = collect(fold, context_of(dataset, target))
    assert any(case["evidence"] for case in gallery.cases) is shown
    maps = [one for name, one in gallery.arrays.items() if name.startswith("evidence/")]
    assert maps
    assert any(one.any() for one in maps) is shown


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


@pytest.mark.parametrize("shift", [-1.0, 0.0, 1.0])
def test_of_several_labels_the_worst_error_is_explained_and_else_the_strongest_label(shift):
    dataset, target = planted("multilabel")
    fold = fold_of(dataset, target)
    model = fold.models["weighted"]
    # Other outputs are then the strongest, and other labels wrong.
    model.threshold = replace(model.threshold, value=0.5)
    forward = Weighted.forward
    model.head.forward = lambda z: forward(model.head, z) - 2.5 + torch.tensor([0.0, shift])
    rows = explanation_rows(fold).drop_duplicates("sample").set_index("sample")
    chances = model.predict(dataset)
    seen = set()
    for sample, row in rows.iterrows():
        true = {name: dataset.frame.loc[sample, f"y:{name}"] for name in ("cough", "fever")}
        chance = dict(chances.loc[sample])
        wrong = {name: abs(chance[name] - true[name]) for name in true if (chance[name] >= 0.5) != (true[name] == 1)}
        best = max(wrong or chance, key=(wrong or chance).get)
        assert row["target"] == best
        assert row["label"] == true[best]
        assert row["probability"] == pytest.approx(chance[best], abs=1e-6)
        assert row["predicted"] == (chance[best] >= 0.5)
        seen.add((best, bool(wrong)))
    assert {False, True} <= {wrong for _, wrong in seen}
    assert len({best for best, _ in seen}) == 2 or shift


def test_a_label_that_is_not_known_is_explained_only_where_none_is():
    chances = np.array([[0.9, 0.2], [0.9, 0.2], [0.1, 0.7]])
    labels = np.array([[np.nan, 0], [np.nan, np.nan], [1, np.nan]])
    assert explained_label(chances, labels, 0.5).tolist() == [1, 0, 0]
    several = planted("multilabel")[0].spec.target("y")
    assert kind_of(several, np.nan, 1, "fever") == "of unknown label"


def test_cases_of_several_labels_are_of_as_many_labels_as_there_are_whatever_the_order_of_folds():
    rng = np.random.default_rng(0)
    cases = [
        {"part": "a", "kind": f"rightly called {label}", "group": "rightly called it", "target": label, "lot": f"{number:04}",
         "sample": f"s{number}", "fold": number % 3}
        for number, label in enumerate(rng.choice(["MI", "CD", "HYP"], 60, p=[0.9, 0.07, 0.03]))
    ]  # fmt: skip
    folds = [Gallery(tuple(drawn([c for c in cases if c["fold"] == fold]))) for fold in range(3)]
    first = {label: next(c for c in cases if c["target"] == label) for label in ("MI", "CD", "HYP")}
    wanted = sorted(case["sample"] for case in sorted(first.values(), key=lambda c: c["lot"])[:EACH])
    for order in (folds, folds[::-1]):
        assert sorted(case["sample"] for case in Gallery.joined(order).cases) == wanted
    assert len({case["target"] for case in drawn(cases)}) == EACH


def test_a_case_of_several_labels_says_which_is_explained_and_what_all_are(tmp_path):
    run = run_folder(tmp_path, "multilabel")
    kept = Gallery.load(run).cases
    made = {(one.sample, one.kind.lower()): one for one in cases(RunFolder.read(run))["weighted"]}
    frame = planted("multilabel")[0].frame
    assert {case["target"] for case in kept} == {"cough", "fever"}
    assert max(sum(case["group"] == group for case in kept) for group in {case["group"] for case in kept}) <= EACH
    for case in kept:
        one = made[case["sample"], case["kind"]]
        why = "it says most strongly" if case["kind"].startswith("rightly") else "the model is most wrong about"
        assert one.kind.endswith(f"called {case['target']}") or one.kind.endswith(f"called not {case['target']}")
        assert one.bars.caption.startswith(f"Explained: “{case['target']}”, the label that ")
        assert one.bars.caption.endswith(f"{why}.")
        assert one.facts[0] == ("Explained", f"“{case['target']}”, the label that {why}")
        assert one.bars.alt.startswith(one.bars.caption)
        assert f"the output “{case['target']}” " in next(p.caption for p in one.inputs if p.caption)
        has = [name for name in ("cough", "fever") if frame.loc[case["sample"], f"y:{name}"] == 1]
        assert one.label == (" and ".join(has) or "none of cough and fever")
        assert f"% {case['target']}" in one.model_says
        (other,) = {"cough", "fever"} - {case["target"]}
        assert (f"% {other}" in one.model_says) == (case["said"][other] >= case["threshold"])
    said = Reader(build(run).read_text("utf-8")).words
    assert "A case may have several labels. One of them is explained" in said
    rows = pd.read_parquet(run / "explanations.parquet").drop_duplicates(["fold", "sample"])
    common = rows["target"].value_counts()
    assert f"over {common.iloc[0]} of {len(rows)} cases: those in which it is the output explained" in said


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
    assert region.in_words() == said
    evidence = Evidence("shape", region, source="s1", text=said, source_region=region, input="shape")
    assert from_json(json.loads(json.dumps(to_json(evidence)))) == evidence


def test_the_strongest_place_is_framed_by_its_sign_and_told_below_the_picture(tmp_path, monkeypatch):
    run = run_folder(tmp_path)
    drawn = []
    monkeypatch.setattr("pellucid.report.cases.figures.view_picture", lambda *given: drawn.append(given) or EMPTY)
    made = cases(RunFolder.read(run))["weighted"]
    kept = {case["sample"]: case for case in Gallery.load(run).cases}
    assert len(made) == len(kept)
    # In the order of the cases: of each its image, which alone has places.
    pictures = [(shown, caption) for _, _, spec, shown, _, caption in drawn if spec.kind == "image"]
    for one, (shown, caption) in zip(made, pictures, strict=True):
        strongest = kept[one.sample]["evidence"][0]
        assert caption == f"Strongest region: {strongest['text']}."
        (marked,) = shown.regions
        assert marked.region == from_json(strongest).region
        assert (marked.weight > 0) == ("the output falls" in strongest["text"])
        assert marked.weight == pytest.approx(strongest["adds"])


def test_a_folder_of_an_earlier_version_still_shows_its_cases(tmp_path):
    """Its evidence knows no input, no region of a source and no amount; its rows have no evidence."""
    run = run_folder(tmp_path)
    document = json.loads((run / "gallery.json").read_text())
    for case in document["cases"]:
        del case["reasons"]
        for one in case["evidence"]:
            for name in ("input", "source_region", "adds"):
                del one[name]
    (run / "gallery.json").write_text(json.dumps(document))
    pd.read_parquet(run / "explanations.parquet").drop(columns="evidence").to_parquet(run / "explanations.parquet")
    said = Reader(build(run).read_text("utf-8")).words
    assert f"Strongest region: {document['cases'][0]['evidence'][0]['text']}." in said


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


def test_a_feature_is_shown_once_in_what_its_layer_reads_framed_in_the_whole_picture(monkeypatch):
    pixels = Image(channels=("p",), size=(8, 8), units="grey")
    spec = DataSpec(name="crops", namespace="crops", inputs={"pixels": pixels, "mask": pixels}, targets={})
    kept = {f"feature-source/a/{name}": np.full((1, 8, 8), at) for at, name in enumerate(("pixels", "mask"))}
    drawn = []
    monkeypatch.setattr(figures, "view_picture", lambda view, values, spec, shown, *_: drawn.append((values, shown)))
    region = Box((0, 4), (2, 6))
    facts = {
        "feature": 3,
        "source": spec.model_dump(mode="json"),
        "input": "pixels",
        "strongest": [{"sample": "a", "code": 1.0, "said": [], "region": region_to_json(region)}],
    }
    feature_cards._pictures(SimpleNamespace(gallery=SimpleNamespace(arrays=kept)), facts)
    ((values, shown),) = drawn
    assert (values == 0).all()
    assert list(shown.beside) == ["mask"]
    assert [one.region for one in shown.regions] == [region]
    assert shown.only is None
