"""Cases of heads that compare with training samples: what is kept, what is marked, and what stands beside it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_runs import Reader, Weighted, context_of, fold_of, planted, run_folder

from pellucid.errors import ContractError
from pellucid.explanation import Evidence
from pellucid.gathering.explained import explanation_rows
from pellucid.gathering.gallery import REASONS, Gallery, collect
from pellucid.heads.base import HeadTags
from pellucid.regions import Box
from pellucid.report import build, looks
from pellucid.report.cases import cases
from pellucid.report.figures import Picture
from pellucid.report.folder import RunFolder
from pellucid.report.pictures import whole_models
from pellucid.report.sections import role

EMPTY = Picture("data:,", "nothing", 1)
HERE = Box((4, 4), (8, 8))
THERE = {"shape:z3": Box((0, 0), (2, 3)), "ratings:margin": Box((5, 1), (6, 2))}


class Resembling(Weighted):
    """Says of its last quarter and of the first rating that they look like a place in a training sample."""

    tags = HeadTags(family="prototype", remembers=True)
    source = "s2"

    def stale(self, encoders):
        return ""

    def explain(self, z, target):
        found = super().explain(z, target)
        # Weaker ones first: it is not for the head to sort.
        told = tuple(
            Evidence(unit, HERE, self.source, f"similarity of {unit}", THERE[unit], "shape")
            for unit in ("ratings:margin", "shape:z3")
        )
        return replace(found, evidence=(told,) * len(found))


class Remembering(Weighted):
    """Remembers training samples and points at none."""

    tags = HeadTags(family="function", remembers=True)

    def stale(self, encoders):
        return ""


class Looking(Resembling):
    source = "s0"
    """A test sample of the first fold."""


@pytest.fixture(scope="module")
def fold():
    return fold_of(*planted(), head=Resembling)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    dataset, target = planted()
    folder = run_folder(tmp_path_factory.mktemp("run"), head=Resembling, gallery=False)
    made = fold_of(dataset, target, head=Resembling)
    rows = explanation_rows(made)
    rows.to_parquet(folder / "explanations.parquet")
    collect(made, context_of(dataset, target, Resembling), rows).save(folder)
    return folder


def test_rows_keep_what_units_point_at_and_nothing_where_they_point_at_nothing(fold):
    rows = explanation_rows(fold)
    pointing = rows[rows["evidence"] != ""]
    assert set(pointing["unit"]) == {"shape:z3", "ratings:margin"}
    for unit, pointed in zip(pointing["unit"], pointing["evidence"], strict=True):
        one = json.loads(pointed)
        assert (one["unit"], one["source"], one["input"]) == (unit, "s2", "shape")
        assert one["source_region"]["kind"] == "Box"
        assert tuple(one["source_region"]["start"]) == THERE[unit].start
    assert not rows["comparable"].any(), "another fold's prototypes are other samples"
    dataset, _ = planted()
    last = rows[rows["unit"] == "shape:z3"].set_index("sample")["value"]
    images = dataset.read(dataset.frame.index.get_indexer(last.index)).inputs["shape"]
    np.testing.assert_allclose(last, images[:, 0, 4:, 4:].mean((1, 2)), rtol=1e-5)


def test_only_the_strongest_of_thousands_of_units_are_kept(fold, monkeypatch):
    monkeypatch.setattr("pellucid.gathering.explained.POINTING", 1)
    rows = explanation_rows(fold)
    for _, some in rows.groupby("sample"):
        (kept,) = some.index[some["evidence"] != ""]
        both = some[some["unit"].isin(["shape:z3", "ratings:margin"])]
        assert kept == both["contribution"].abs().idxmax()


def test_a_case_carries_its_reasons_strongest_first_with_the_training_sample_they_name(fold):
    dataset, _ = planted()
    rows = explanation_rows(fold)
    gallery = collect(fold, context_of(dataset, "y", Resembling), rows)
    assert len(gallery.cases) > 2
    label = dataset.spec.target("y").names[int(dataset.frame.loc["s2", "y"])]
    for case in gallery.cases:
        adds = [one["adds"] for one in case["reasons"]]
        assert len(adds) == min(2, REASONS)
        assert sorted(map(abs, adds), reverse=True) == [abs(one) for one in adds]
        own = rows[(rows["sample"] == case["sample"])].set_index("unit")["contribution"]
        assert adds == pytest.approx([own[one["unit"]] for one in case["reasons"]])
        assert {one["source_label"] for one in case["reasons"]} == {label}
    shown = gallery.arrays["source/s2/shape"]
    np.testing.assert_array_equal(shown, dataset.read(np.array([2])).inputs["shape"][0])


def test_a_head_that_points_at_a_sample_it_has_not_learnt_from_is_refused():
    dataset, target = planted()
    fold = fold_of(dataset, target, head=Looking)
    assert "s0" not in dataset.frame.index[fold.split.train]
    with pytest.raises(ContractError, match=r"'s0', which is none of the .* training samples"):
        collect(fold, context_of(dataset, target, Looking))


def test_a_joined_gallery_keeps_the_training_samples_of_the_cases_that_are_left(fold):
    dataset, target = planted()
    gallery = collect(fold, context_of(dataset, target, Resembling))
    other = replace(
        gallery,
        cases=tuple({**case, "lot": "z" + case["lot"], "sample": f"{case['sample']}b", "reasons": [
            {**one, "source": "s3"} for one in case["reasons"]]} for case in gallery.cases),
        arrays={"source/s3/shape": np.zeros((1, 8, 8)), "source/s20/shape": np.zeros((1, 8, 8))},
    )  # fmt: skip
    joined = Gallery.joined([gallery, other])
    named = {one["source"] for case in joined.cases for one in case["reasons"]}
    assert {name.split("/")[1] for name in joined.arrays if name.startswith("source/")} == named
    assert "s2" in named


def test_marks_stand_in_the_case_and_the_source_is_drawn_alone_at_its_own_place(run, monkeypatch):
    drawn = []
    monkeypatch.setattr(looks.figures, "view_picture", lambda *given: drawn.append(given) or EMPTY)
    shown = cases(RunFolder.read(run))["weighted"]
    kept = {case["sample"]: case for case in Gallery.load(run).cases}
    arrays = Gallery.load(run).arrays
    for case in shown:
        told = kept[case.sample]["reasons"]
        wholes = [given for given in drawn if given[3].only is None and given[2].kind == "image"]
        image = next(g for g in wholes if np.array_equal(g[1], arrays[f"case/{case.sample}/shape"]))
        assert image[3].evidence is None, "what the head itself goes by is not mixed with places found by filling"
        assert [one.region for one in image[3].regions] == [HERE, HERE]
        assert [one.weight for one in image[3].regions] == [one["adds"] for one in told]
        assert [one.label[0] for one in image[3].regions] == ["A", "B"]
        assert [look.letter for look in case.looks] == ["A", "B"]
    alone = [given for given in drawn if given[3].only is not None]
    sources = [given for given in alone if np.array_equal(given[1], arrays["source/s2/shape"])]
    assert len(alone) == 2 * len(sources) == 4 * len(shown)
    assert {given[3].only for given in sources} == set(THERE.values())
    assert {mark.weight for given in sources for mark in given[3].regions} == {0.0}


def test_the_page_says_what_looks_like_what_and_what_it_adds(run):
    case = Gallery.load(run).cases[0]
    first = case["reasons"][0]
    said = Reader(build(run).read_text("utf-8")).words
    start, stop = THERE[first["unit"]].start, THERE[first["unit"]].stop
    rows = f"rows {start[0] + 1} to {stop[0]}" if stop[0] - start[0] > 1 else f"row {stop[0]}"
    columns = f"columns {start[1] + 1} to {stop[1]}" if stop[1] - start[1] > 1 else f"column {stop[1]}"
    wanted = (
        f"A. This part (rows 5 to 8, columns 5 to 8) is compared with training sample s2, labelled {first['source_label']}, "
        f"{rows}, {columns}. Similarity of {first['unit']}. "
        f"It {'raises' if first['adds'] > 0 else 'lowers'} “{case['target']}”: {first['adds']:+.2f}"
    )
    assert wanted in said


def test_prototypes_are_bars_of_their_own_and_the_model_is_called_what_it_is(run):
    folder = RunFolder.read(run)
    assert role(folder, "weighted") == "interpretable: compares with training samples"
    said = Reader(build(run).read_text("utf-8")).words
    assert "From the first fold" in said
    assert not any("learnt code" in case.bars.alt for case in cases(folder)["weighted"])


def test_several_labels_of_a_training_sample_are_all_named():
    dataset, target = planted("multilabel")
    fold = fold_of(dataset, target, head=Resembling)
    gallery = collect(fold, context_of(dataset, target, Resembling))
    row = dataset.frame.loc["s2"]
    names = [name for name in ("cough", "fever") if row[f"y:{name}"] == 1]
    told = {one["source_label"] for case in gallery.cases for one in case["reasons"]}
    assert told == {" and ".join(names) or "none"}


def test_units_that_mean_the_same_in_every_fold_are_shown_of_every_fold_even_if_the_head_remembers(tmp_path):
    kept = run_folder(tmp_path, head=Remembering) / "explanations.parquet"
    rows = pd.read_parquet(kept)
    assert rows["fold"].nunique() == 2
    first = whole_models(RunFolder.read(tmp_path))[0]
    assert first.first_fold.startswith("From the first fold")
    rows.assign(comparable=True).to_parquet(kept)
    every = whole_models(RunFolder.read(tmp_path))[0]
    assert every.first_fold == ""
    assert every.importance.alt != first.importance.alt
    assert len(every.curves) == rows.loc[rows["contribution"] != 0, "unit"].nunique() > 1


def test_the_words_about_pictures_are_said_where_there_are_pictures(run):
    said = Reader(build(run).read_text("utf-8")).words
    assert "Rows and columns are counted from 1" in said
    assert "In a graph" not in said
