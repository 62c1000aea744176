"""Scoring a run on a folder where some subjects are known and some are not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid.data.dataset import Dataset
from pellucid.errors import DataError, LeakageError, RunError
from pellucid.run import Run
from pellucid.studies import Study
from pellucid.training.loop import Watcher

SETTINGS = {
    "name": "small",
    "title": "Can planted lesions be told apart?",
    "dataset": "planted-lesions",
    "target": "spiculated",
    "encoder": [{"name": "identity", "input": "covariates"}],
    "head": [{"name": "additive"}, {"name": "mlp"}],
    "protocols": ["subject-holdout", "explanation-audit"],
    "options": {"planted-lesions": {"patients": 24, "slices": 2, "size": 16}},
    "training": {"epochs": 3},
}
LEARNERS = ("baseline", "usual", "additive", "mlp")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return pellucid.study(SETTINGS).run(tmp_path_factory.mktemp("runs") / "small", watcher=Watcher())


def everybody(seed: int) -> Dataset:
    return pellucid.study(SETTINGS).with_settings({"options.planted-lesions.seed": seed}).open_dataset()


class Mixed(Dataset):
    """Samples of the run's own subjects first, then others."""

    def __init__(self, known: Dataset, others: Dataset) -> None:
        import pandas as pd

        self.parts, self.spec = (known, others), known.spec
        # Another seed makes other lesions for patients of the same names; here they are other people.
        frames = [known.frame, others.frame.assign(subject="other-" + others.frame["subject"].astype(str))]
        frames[1].index = [f"other-{name}" for name in frames[1].index]
        self.frame = pd.concat(frames)

    def read(self, indices: np.ndarray):
        from pellucid.data.samples import Arrays

        first = len(self.parts[0])
        read = [self.parts[int(i >= first)].read(np.array([i - first * int(i >= first)])) for i in indices]
        names = read[0].inputs
        masks = read[0].masks
        return Arrays(
            {n: np.concatenate([r.inputs[n] for r in read]) for n in names},
            {n: np.concatenate([r.masks[n] for r in read]) for n in masks},
        )


@pytest.fixture
def mixed(monkeypatch):
    """A folder with 5 known patients (10 samples) and 24 others (48 samples)."""
    data = Mixed(everybody(0).subset(np.arange(10)), everybody(1))
    monkeypatch.setattr(Study, "open_dataset", lambda self, data_=None, learnt=None: data)
    return data


def test_a_folder_with_known_subjects_is_refused_with_counts_and_the_way_out(run, mixed, tmp_path):
    with pytest.raises(LeakageError) as caught:
        pellucid.evaluate(run.path, "some/folder", tmp_path / "out.json")
    said = str(caught.value)
    assert "has learnt from 5 of 29 patients (10 of 58 samples) in some/folder" in said
    for part in ("“additive”", "“mlp”", "its trivial baseline, ", "what it keeps of what is usual"):
        assert part in said.partition("of its parts, ")[2]
    assert "what its data were made by" not in said
    assert "--skip-known" in said
    assert not any(str(name) in said for name in mixed.frame["subject"])
    assert not (tmp_path / "out.json").exists()


def test_the_rest_is_scored_as_if_nobody_else_were_there(run, mixed, tmp_path, monkeypatch):
    results = pellucid.evaluate(run.path, "f", tmp_path / "out.json", skip_known=True)
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["skipped"] == {"subjects": 5, "samples": 10}
    assert (written["n_subjects"], written["n_samples"]) == (24, 48)
    assert {results.get("prediction", "auroc", part).n_samples for part in ("additive", "mlp")} == {48}
    alone = mixed.subset(np.arange(10, 58))
    monkeypatch.setattr(Study, "open_dataset", lambda self, data=None, learnt=None: alone)
    again = pellucid.evaluate(run.path, "f", tmp_path / "alone.json")
    assert [r.to_json() for r in results] == [r.to_json() for r in again]
    document = json.loads((tmp_path / "alone.json").read_text())
    assert document["skipped"] == {"subjects": 0, "samples": 0}
    assert {**document, "skipped": 0} == {**written, "skipped": 0}


@pytest.mark.parametrize("learner", LEARNERS)
def test_each_part_that_has_learnt_counts(run, mixed, tmp_path, monkeypatch, learner):
    """All parts but one are made to know nobody."""
    from pellucid.data.subjects import LearnedFrom
    from pellucid.protocols.baseline import TrivialBaseline
    from pellucid.protocols.usual import Usual

    nobody = LearnedFrom()
    for kind, name in ((TrivialBaseline, "baseline"), (Usual, "usual")):
        if learner != name:
            made = kind.from_json

            def ignorant(*arguments, made=made):
                found = made(*arguments)
                object.__setattr__(found, "learned_from", nobody)
                return found

            monkeypatch.setattr(kind, "from_json", ignorant)
    models = run.models()
    for name, model in models.items():
        if learner != name:
            model.head.learned_from = nobody
            model.threshold = type(model.threshold)(model.threshold.value)
            for _, encoder in model.named_encoders():
                encoder.learned_from = nobody
    monkeypatch.setattr(Run, "models", lambda self, fold=None: models)
    with pytest.raises(LeakageError, match="5 of 29 patients"):
        pellucid.evaluate(run.path, "f")
    assert len(pellucid.evaluate(run.path, "f", skip_known=True))


def test_whoever_made_the_samples_counts_too(run, mixed):
    mixed.made_by = mixed.subset(np.arange(10, 14)).learned_from
    with pytest.raises(LeakageError, match=r"7 of 29 patients \(14 of 58 samples\)"):
        pellucid.evaluate(run.path, "f")


def test_where_everybody_is_known_nobody_is_left(run, tmp_path):
    for skip in (False, True):
        with pytest.raises(LeakageError, match=r"24 of 24 patients .* nobody is left to score it on"):
            pellucid.evaluate(run.path, out=tmp_path / "out.json", skip_known=skip)
    assert not (tmp_path / "out.json").exists()


def test_a_rest_that_cannot_be_scored_is_said(run, mixed):
    mixed.frame.loc[mixed.frame.index[10:], "spiculated"] = 1.0
    with pytest.raises(DataError, match=r"what is left without them cannot be scored: .* two classes"):
        pellucid.evaluate(run.path, "f", skip_known=True)


@pytest.mark.parametrize("skip", [False, True])
def test_another_salt_is_refused_as_nobody_can_tell(run, monkeypatch, skip):
    monkeypatch.setenv("PELLUCID_SALT", "another")
    with pytest.raises(RunError, match="another salt"):
        pellucid.evaluate(run.path, skip_known=skip)


def test_the_command_says_how_many_were_skipped(run, mixed, tmp_path, capsys):
    from pellucid.command.commands import app

    arguments = ["evaluate", str(run.path), "--data", "f", "--out", str(tmp_path / "out.json")]
    with pytest.raises(LeakageError):
        app(arguments, standalone_mode=False)
    app([*arguments, "--skip-known"], standalone_mode=False)
    printed = " ".join(capsys.readouterr().out.split())
    assert (
        "Skipped, as the run has learnt from them: 5 patients with 10 samples. Scored: 24 patients, 48 samples."
        in printed
    )
    assert (tmp_path / "out.json").exists()


def test_a_run_folder_is_not_written_into(run, tmp_path):
    copy = Path(shutil.copytree(run.path, tmp_path / "copy"))
    with pytest.raises(RunError, match="lies inside the run"):
        pellucid.evaluate(copy, out=copy / "out.json", skip_known=True)


def test_names_of_another_namespace_are_refused_as_nobody_can_tell(run, monkeypatch):
    """As after an edit of run.json: the same people under other names would pass for unknown."""
    data = everybody(0)
    monkeypatch.setattr(data, "spec", data.spec.model_copy(update={"namespace": "elsewhere"}))
    monkeypatch.setattr(Study, "open_dataset", lambda *_: data)
    with pytest.raises(RunError, match="namespace"):
        pellucid.evaluate(run.path)


@pytest.mark.parametrize("damage", [{}, {"spec": []}])
def test_a_run_that_no_longer_says_what_it_was_trained_on_is_refused(run, tmp_path, damage):
    copy = Path(shutil.copytree(run.path, tmp_path / "copy"))
    document = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps(document | {"dataset": damage}))
    with pytest.raises(RunError, match="dataset"):
        pellucid.evaluate(copy)


def test_made_up_data_are_judged_from_another_seed(tmp_path):
    from typer.testing import CliRunner

    from pellucid.command.commands import app

    study = {
        "title": "Which equations?", "dataset": "dynamics-synthetic", "target": "rate", "protocols": ["subject-holdout"],
        "encoder": [{"name": "polynomial-library", "input": "state"}], "head": [{"name": "sindy-ensemble"}],
        "options": {"dynamics-synthetic": {"episodes": 6, "steps": 60}}, "training": {"epochs": 1},
    }  # fmt: skip
    run = pellucid.study(study).run(tmp_path / "run", watcher=Watcher())
    out = tmp_path / "out.json"
    with pytest.raises(LeakageError, match="6 of 6 episodes"):
        pellucid.evaluate(run.path, options={"episodes": 6})
    command = ["evaluate", str(run.path), "--option", "seed=7", "--option", "episodes=4", "--out", str(out)]
    assert CliRunner().invoke(app, command).exit_code == 0
    written = json.loads(out.read_text())
    assert (written["n_subjects"], written["dataset"]["options"]) == (4, {"seed": 7, "episodes": 4})
    for wrong, message in (
        ([], "name other data with --data DIR"),
        (["--option", "seed"], "write it as key=value"),
        (["--option", "sed=7"], "did you mean 'seed'"),
    ):
        assert message in str(CliRunner().invoke(app, ["evaluate", str(run.path), *wrong]).exception)
