"""What was found in the data, and published scores: shown when they are there, and only where they may stand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from made_runs import Reader, planted, run_folder

from pellucid.data import ArrayDataset
from pellucid.data.published import Published
from pellucid.report import build, findings
from pellucid.report.folder import RunFolder
from pellucid.report.published import beside


def finding(sample: str, what: str = "flat channel", where: str = "V2", done: str = "kept") -> dict[str, str]:
    return {"sample": sample, "what": what, "where": where, "done": done}


def test_findings_are_grouped_counted_and_those_left_out_come_first():
    told = [finding(f"k{at}") for at in range(5)] + [finding("k0", where="V3")]
    told += [finding("b1", "header and data disagree", "b1.dat", "left out"), finding("k9", "gap", "", "masked")]
    found = findings.grouped(told)
    assert [(one.what, one.done, one.samples) for one in found] == [
        ("Header and data disagree", "left out", 1),
        ("Flat channel", "kept", 5),
        ("Gap", "masked", 1),
    ]
    assert found[1].examples == "k0 (V2; V3), k1 (V2), k2 (V2) and 2 more"
    assert found[2].examples == "k9"


def test_a_sample_that_was_left_out_is_not_also_counted_as_used():
    told = [finding("a", done="left out"), finding("a"), finding("b"), finding("c")]
    assert findings.counted(told) == (
        "1 sample could not be used and was left out. 2 samples were used although something was found in them."
    )
    assert findings.counted([]) == ""


def test_the_page_lists_what_was_found_and_has_no_such_section_without(tmp_path):
    run = run_folder(tmp_path / "with", gallery=False, findings=[finding("<b>", done="left out"), finding("k")])
    said = Reader(build(run).read_text("utf-8")).words
    section = said[said.index("What was found in the data") : said.index("How well it predicts")]
    assert "1 sample could not be used and was left out." in section
    assert section.index("Flat channel left out 1 <b> (V2)") < section.index("Flat channel kept 1 k (V2)")
    without = run_folder(tmp_path / "without", gallery=False)
    assert "found in the data" not in Reader(build(without).read_text("utf-8")).words


# --- published scores -------------------------------------------------------------------------------------------------

SCORES = (
    Published(name="network", metric="auroc", value=0.955, uncertainty=0.005, source="Somebody (2020)", tag="verified"),
    Published(name="older", metric="AUROC", value=0.9, source="Nobody (2010)", tag="recalled", note="about"),
    Published(name="other metric", metric="f2", value=0.99, source="Somebody (2020)", tag="verified"),
)


def published(path, column: str | None = None, split: str = "split", scores=SCORES):
    kept = [one.model_copy(update={"split": split}).model_dump(mode="json") for one in scores]
    run = run_folder(path, gallery=False, published=kept)
    document = json.loads((run / "run.json").read_text())
    document["study"] |= {"protocols": ["subject-holdout", "prediction"]}
    if column:
        document["study"]["options"] = {"subject-holdout": {"column": column}}
    (run / "run.json").write_text(json.dumps(document))
    return run


def test_published_scores_stand_beside_the_runs_own_where_the_split_is_the_official_one(tmp_path):
    found = beside(RunFolder.read(published(tmp_path, "split")))
    assert found is not None
    # The run's models have 0.9442 and 0.9412; the trivial baseline is no model of the study.
    assert [row[0] for row in found.rows] == ["network", "box (this run)", "weighted (this run)", "older"]
    assert found.rows[0][1:] == ("0.955", "± 0.005", "Somebody (2020)")
    assert found.notes == ("older: about; recalled, not checked at its source.",)
    assert "network 0.955; box (this run) 0.944; weighted (this run) 0.941; older 0.900" in found.picture.alt
    said = Reader(build(tmp_path).read_text("utf-8")).words
    assert "Beside published scores" in said
    assert "other metric" not in said


@pytest.mark.parametrize("column", [None, "hospital"])
def test_scores_of_another_split_are_not_drawn_and_one_sentence_says_why(tmp_path, column):
    found = beside(RunFolder.read(published(tmp_path, column)))
    assert found is not None
    assert found.picture is None
    assert found.rows == ()
    said = Reader(build(tmp_path).read_text("utf-8")).words
    assert "2 published scores of this task are known, but measured on the official split (split)" in said
    assert "0.955" not in said


def test_scores_that_ask_for_no_split_are_always_drawn(tmp_path):
    found = beside(RunFolder.read(published(tmp_path, None, split="")))
    assert found is not None
    assert found.picture is not None


def test_nothing_is_said_where_no_score_of_the_metric_is_known(tmp_path):
    assert beside(RunFolder.read(published(tmp_path, "split", scores=SCORES[2:]))) is None
    assert "published" not in Reader(build(tmp_path).read_text("utf-8")).words


class Known(ArrayDataset):
    """Planted samples of which scores are published."""

    def published(self, target):
        return SCORES if target == "y" else ()


def test_a_dataset_opened_in_part_gives_no_published_scores():
    made, _ = planted()
    frame = made.frame.copy()
    frame.loc["s5", "y"] = np.nan
    data = Known(made.spec, frame, made.read(np.arange(60)).inputs)
    assert made.published("y") == ()
    assert data.published("other") == ()
    # Samples without a label are nobody's: leaving them out changes nothing.
    assert data.labelled("y").published("y") == SCORES
    assert data.subset(np.arange(59)).published("y") == ()
    assert data.labelled("y").subset(np.arange(3)).published("y") == ()
