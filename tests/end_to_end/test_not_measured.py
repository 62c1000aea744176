"""A study asks for more than its data can carry: the run ends well, the rest stands, and every place says what is lacking and why."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import pellucid
from pellucid.command.tables import print_run
from pellucid.data import ArrayDataset, Binary, DataSpec, Vector
from pellucid.errors import StudyError
from pellucid.protocols.splitting.nested_subject_cv import NestedSubjectCv
from pellucid.report import build
from pellucid.run import Run
from pellucid.studies import Study
from pellucid.training.loop import Watcher

PEOPLE, POSITIONS, UNITS = 90, 4, 6
RESULT = {"protocol", "metric", "part", "value", "low", "high", "chance", "baseline", "baseline_name", "higher_is_better",
          "n_samples", "n_subjects", "passed", "sentence", "judged_on"}  # fmt: skip
SETTINGS = {
    "name": "small",
    "title": "What does it know?",
    "dataset": "planted-lesions",
    "encoder": [{"name": "identity", "input": "activations"}],
    "head": [{"name": "sae-topk", "features": 6, "k": 2}],
    "protocols": [
        "nested-subject-cv",
        "dictionary-metrics",
        "code-circuits",
        "spatial-autocorrelation",
        "sparse-probing",
    ],
    "options": {
        "nested-subject-cv": {"folds": 3},
        "code-circuits": {"label": "ill", "permutations": 50},
        # More than the people of a fold, fewer than all.
        "spatial-autocorrelation": {"coordinates": ["x_mm"], "neighbours": 40, "permutations": 99},
        "sparse-probing": {"labels": ["rare"], "ks": [1]},
    },
    "training": {"epochs": 1},
}


def rows(prefix: str = "p") -> ArrayDataset:
    """Rows as they are collected from a layer: at position 1 whoever is ill has another unit; of the rare there are six."""
    random = np.random.default_rng(0)
    ill, rare = (random.permutation(np.arange(PEOPLE) < count).astype(float) for count in (PEOPLE // 2, 6))
    unit = random.integers(4, size=(PEOPLE, POSITIONS))
    unit[:, 1] = np.where(ill == 1, 4, 5)
    values = np.eye(UNITS)[unit] + 0.05 * random.normal(size=(PEOPLE, POSITIONS, UNITS))
    source, position = np.divmod(np.arange(PEOPLE * POSITIONS), POSITIONS)
    frame = pd.DataFrame(
        {"subject": [f"{prefix}{at}" for at in source], "ill": ill[source], "rare": rare[source],
         "x_mm": random.random(PEOPLE)[source], "source": [f"{prefix}{at}" for at in source], "position": position},
        index=[f"{prefix}{a}@{b}" for a, b in zip(source, position, strict=True)],
    )  # fmt: skip
    spec = DataSpec(
        name="rows", namespace="r", inputs={"activations": Vector(names=tuple(f"u{at}" for at in range(UNITS)))},
        targets={name: Binary(names=("no", "yes")) for name in ("ill", "rare")}, covariates=Vector(names=("x_mm",)),
    )  # fmt: skip
    return ArrayDataset(spec, frame, {"activations": values.reshape(-1, UNITS).astype(np.float32)})


def data() -> ArrayDataset:
    """Nobody of the second fold's test side is ill."""
    found = rows()
    protocol = NestedSubjectCv(NestedSubjectCv.config_type(folds=3))
    split = list(protocol.splits(found, "", 0))[1]
    found.frame.iloc[split.test, found.frame.columns.get_loc("ill")] = 0.0
    return found


@pytest.fixture(scope="module")
def patched():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Study, "open_dataset", lambda self, folder=None, *_: data() if folder is None else others(folder))
        yield


def others(kind: str) -> ArrayDataset:
    """Strangers; of those who are called well nobody is ill."""
    found = rows("q")
    if str(kind) == "well":
        found.frame["ill"] = 0.0
    return found


@pytest.fixture(scope="module")
def run(patched, tmp_path_factory) -> Run:
    return pellucid.study(SETTINGS).run(tmp_path_factory.mktemp("runs") / "small", watcher=Watcher())


WHY = "examples with and without “is yes (ill)” are compared, but among the test samples there are 30, all without it"


def test_the_run_is_finished_and_its_record_says_what_could_not_be_measured(run):
    assert run.finished
    document = json.loads((run.path / "run.json").read_text())
    assert all(set(one) == RESULT for one in document["results"])
    assert all(None not in (one["value"], one["chance"], one["baseline"]) for one in document["results"])
    assert {one["protocol"] for one in document["results"]} == {"dictionary-metrics", "code-circuits"}
    found = {(one.protocol, one.folds): one for one in run.not_measured}
    circuits = found.pop(("code-circuits", (1,)))
    assert circuits.because == WHY.replace("all without", "none with")
    assert circuits.helps == "name another label in [options.code-circuits], or test on more"
    # In each fold with its own counts.
    assert {one.protocol for one in found.values()} == {"spatial-autocorrelation", "sparse-probing"}
    few = "30 places with x_mm among the test samples are too few for 40 nearest neighbours"
    assert few in [one.because for one in found.values()]
    assert sorted(path.stem for path in (run.path / "rows").iterdir()) == ["code-circuits", "dictionary-metrics"]
    assert {path.name for path in (run.path / "folds").rglob("*.json")} == {"done.json"}
    assert run.results.not_measured == run.not_measured


def test_results_are_of_the_folds_that_could_be_measured_and_say_so(run):
    found = run.results.get("code-circuits", "found", "sae-topk")
    assert set(run.rows("code-circuits")["fold"]) == {0, 2}
    assert found.n_subjects == found.n_samples == 60
    assert found.baseline == 1
    assert "Measured in 2 of 3 folds; in the other not: examples with and without “is yes (ill)”" in found.sentence
    assert all("Measured in" not in one.sentence for one in run.results if one.protocol == "dictionary-metrics")
    assert run.results.get("dictionary-metrics", "explained_variance", "sae-topk").n_subjects == PEOPLE


def test_the_report_and_the_terminal_say_it(run):
    page = build(run.path).read_text("utf-8")
    section = page[page.index('<h2 id="unmeasured">') :]
    section = section[: section.index("</section>")]
    for said in ("Code circuits of “sae-topk”", "fold 2 of 3", "none with it.", "Name another label in [options.code-circuits]",
                 "Sparse probing", "all 3 folds"):  # fmt: skip
        assert said in section
    out = Console(width=400, record=True, file=None, quiet=False, markup=False)
    with out.capture() as shown:
        print_run(out, run)
    assert "Not measured" in shown.get()
    assert "code-circuits of “sae-topk”, fold 2 of 3: examples with and without “is yes (ill)”" in shown.get()


@pytest.mark.parametrize("cut", ["third fold", "report"])
def test_a_run_that_was_cut_off_knows_still_what_could_not_be_measured(run, tmp_path, monkeypatch, cut):
    class Impatient(Watcher):
        def say(self, message: str) -> None:
            if cut == "third fold" and message.startswith("fold 3 of 3"):
                raise KeyboardInterrupt

    def broken(folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if cut == "report":
            patch.setattr("pellucid.report.build", broken)
        with pytest.raises(KeyboardInterrupt):
            pellucid.study(SETTINGS).run(tmp_path / "run", watcher=Impatient())
    again = pellucid.study(SETTINGS).run(tmp_path / "run", watcher=Watcher())
    assert again.not_measured == run.not_measured
    assert {one.folds for one in again.not_measured if one.protocol == "code-circuits"} == {(1,)}
    assert again.document["results"] == run.document["results"]


def test_an_evaluation_says_what_its_samples_cannot_carry_and_scores_the_rest(run, tmp_path):
    from pellucid.evaluation import evaluate

    every = evaluate(run.path, "others", tmp_path / "others.json")
    assert every.get("code-circuits", "found", "sae-topk").n_subjects == PEOPLE
    found = evaluate(run.path, "well", tmp_path / "well.json")
    written = json.loads((tmp_path / "well.json").read_text())
    assert [one["protocol"] for one in written["not_measured"]] == ["code-circuits"]
    assert "90, none with it" in written["not_measured"][0]["because"]
    assert written["not_assessed"] == ["dictionary-metrics", "sparse-probing"]
    assert {one["protocol"] for one in written["results"]} == {"spatial-autocorrelation"}
    assert [one.protocol for one in found] == ["spatial-autocorrelation"]
    assert {one.protocol for one in found.not_measured} == {"code-circuits", "dictionary-metrics", "sparse-probing"}
    assert "the training samples themselves" in found.not_measured[-1].because


def test_the_command_that_evaluates_says_it(run, capsys):
    from typer.testing import CliRunner

    from pellucid.command.commands import app

    said = CliRunner().invoke(app, ["evaluate", str(run.path), "--data", "well"])
    assert said.exit_code == 0
    assert "Not measured" in said.output
    assert "90, none with it" in said.output
    assert "name another label" in said.output


@pytest.mark.parametrize(
    ("protocol", "options", "said"),
    [
        ("code-circuits", {"label": "il l"}, "did you mean 'ill'"),
        (
            "spatial-autocorrelation",
            {"coordinates": ["x_mm"], "neighbours": 90},
            "90 places, too few for 90 neighbours",
        ),
        ("spatial-autocorrelation", {}, "name the covariates that say where samples lie"),
        ("sparse-probing", {"labels": ["rarely"]}, "did you mean 'rare'"),
    ],
)
def test_settings_that_no_data_could_mend_are_refused_before_anything_is_fitted(
    patched, tmp_path, protocol, options, said
):
    asked = {**SETTINGS, "options": {**SETTINGS["options"], protocol: options}}
    with pytest.raises(StudyError, match=said):
        pellucid.study(asked).run(tmp_path / "run", watcher=Watcher())
    assert not (tmp_path / "run").exists()


def test_rows_that_say_no_position_are_refused_before_anything_is_fitted(patched, tmp_path, monkeypatch):
    bare = data()
    bare.frame = bare.frame.drop(columns=["source", "position"])
    monkeypatch.setattr(Study, "open_dataset", lambda self, folder=None: bare)
    with pytest.raises(StudyError, match="which sample and position they are of"):
        pellucid.study(SETTINGS).run(tmp_path / "run", watcher=Watcher())
