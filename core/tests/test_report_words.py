"""Words of the report: what is called better, what has passed, and what subjects are called."""

from __future__ import annotations

import json

import pytest
from made_runs import RESULTS, TARGETS, result, run_folder

from pellucid.report import words
from pellucid.report.folder import RunFolder
from pellucid.report.sections import checks, summary


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
    assert words.metric_name(metric, group="patient") == name
    assert words.per_subject(metric) == ("patient" in name)


def test_a_metric_is_named_by_the_words_of_its_protocol():
    known = {
        "source_cosine": "Prototypes are the samples they are shown as",
        "localisation_and_channel:st-shift": "Points at the planted place and channel of st shift",
    }
    assert {metric: words.metric_name(metric, "prototype-audit") for metric in known} == known


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


def test_of_five_subjects_no_verdict_is_given():
    few = result("weighted", "x", 0.9, baseline=0.8, n_subjects=5)
    told = " ".join(words.answer(few, None, {"kind": "regression"}))
    assert "0.100 better; 5 subjects are too few for a verdict" in told
    others = " ".join(words.answer(few, None, {"kind": "regression"}, several="scaffolds"))
    assert "5 scaffolds are too few" in others
    enough = result("weighted", "x", 0.9, baseline=0.8, n_subjects=6)
    assert "too few" not in " ".join(words.answer(enough, None, {"kind": "regression"}))
