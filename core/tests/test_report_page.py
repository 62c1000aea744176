"""The page, from run folders with planted data: what it must say, and what it must not do."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from made_runs import RESULTS, TARGETS, Reader, result, run_folder

from pellucid.errors import RunError
from pellucid.report import build, words
from pellucid.wording import interval, number


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


def test_each_protocol_stands_under_the_heading_that_it_speaks_of(tmp_path):
    made = [
        result("weighted", "AUROC", 0.9),
        result("weighted", "unique_sources", 0.75, protocol="prototype-audit"),
        result("weighted", "source_cosine", 1.0, protocol="prototype-audit", passed=True, sentence="It is the sample."),
        result("weighted", "silhouette", 0.2, protocol="latent-clusters", sentence="Classes lie apart."),
        result("weighted", "mnar_gap", 0.125, protocol="missingness", passed=False, sentence="It goes by absence."),
    ]
    said = Reader(build(run_folder(tmp_path, results=made, gallery=False)).read_text("utf-8")).words
    headings = [
        "Whether prototypes are what they are shown as",
        "What the learnt code holds",
        "What else was examined",
        "What the words mean",
    ]
    prototypes, code, other = (said[said.index(start) : said.index(stop)] for start, stop in pairwise(headings))
    for needed in (
        "✓ passed Prototypes are the samples they are shown as",
        "Prototypes that differ from each other",
        "0.750",
    ):
        assert needed in prototypes, needed
    assert "Classes lie apart." in code
    assert "✗ not passed Fall of AUROC when the rule turns round It goes by absence." in other


def test_scores_of_whom_is_said_of_all_of_them_only_where_it_is_true_of_all():
    from pellucid.command.tables import whose
    from pellucid.data.spec import DataSpec
    from pellucid.report.page import _judged_on

    spec = DataSpec(name="x", inputs={}, targets={}, namespace="x", groups=("pair",), group_word=("pair", "pairs"))
    plain = result("forest", "auroc", 0.9)
    new, own = plain.labelled(spec.judged_on), plain.labelled("seen pairs").labelled(spec.judged_on)
    assert (new.judged_on, own.judged_on) == ("unseen pairs", "seen pairs")
    assert _judged_on(spec, [new]) == ["All scores are of unseen pairs."]
    assert _judged_on(spec, [new, own]) == ["Scores are of unseen pairs where they do not say otherwise."]
    assert whose([new, new]) == "All scores are of unseen pairs."
    assert whose([new, own]) == "Scores are of unseen pairs, some of seen pairs: the report says which."
    assert whose([plain]) == ""
