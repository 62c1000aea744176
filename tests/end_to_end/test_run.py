"""A study from its settings to the report: resumed, refused, tampered with, out of disk."""

from __future__ import annotations

import html
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import pellucid
from pellucid import plugins
from pellucid.assembly import context_of
from pellucid.errors import DataError, LeakageError, RunError, StudyError, UnknownComponent
from pellucid.report import build
from pellucid.report.folder import RunFolder
from pellucid.run import Run
from pellucid.training.loop import Watcher

SETTINGS = {
    "name": "small",
    "title": "Can planted lesions be told apart?",
    "dataset": "planted-lesions",
    "target": "spiculated",
    "encoder": [
        {"name": "vae-gaussian", "input": "image", "latent": 4, "width": 4, "training": {"epochs": 2}},
    ],
    "head": [{"name": "additive"}, {"name": "mlp"}],
    "protocols": ["nested-subject-cv"],
    "options": {"planted-lesions": {"patients": 24, "slices": 2, "size": 16}, "nested-subject-cv": {"folds": 2}},
    "training": {"epochs": 3},
}


def changed(**values: object) -> pellucid.Study:
    """The small study with some settings changed."""
    return pellucid.study(SETTINGS).with_settings({k.replace("__", "."): v for k, v in values.items()})


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return changed().run(tmp_path_factory.mktemp("runs") / "small", watcher=Watcher())


@pytest.fixture
def copy(finished: Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished.path, tmp_path / "copy"))


def test_a_run_leaves_what_it_promises(finished):
    for name in ("run.json", "weights.safetensors", "explanations.parquet", "report.html", "log.txt"):
        assert (finished.path / name).stat().st_size > 0, name
    document = json.loads((finished.path / "run.json").read_text())
    keys = {
        "protocol", "metric", "part", "value", "low", "high", "chance", "baseline", "baseline_name", "higher_is_better",
        "n_samples", "n_subjects",
    }  # fmt: skip
    assert document["results"]
    assert all(keys <= set(result) for result in document["results"])
    assert not (finished.path / "checkpoints").exists()
    sides = document["subjects"]["0"]
    assert not set(sides["train"]["subject"]) & set(sides["test"]["subject"])
    assert len(sides["train"]["subject"]) + len(sides["validation"]["subject"]) + len(sides["test"]["subject"]) == 24


def test_a_report_knows_of_a_run_what_its_assessments_knew(finished, copy):
    study = changed()
    asked = context_of(study, study.open_dataset().labelled("spiculated").spec)
    read = RunFolder.read(finished.path).context
    assert (read.encoders, read.reads, read.spec, list(read.parts)) == (
        asked.encoders, asked.reads, asked.spec, list(asked.parts)
    )  # fmt: skip
    assert asked.encoders["image"].decodes
    # A run of a version that wrote nothing of its encoders says that nobody knows, and its report is drawn.
    document = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({k: v for k, v in document.items() if k not in ("encoders", "reads")}))
    old = RunFolder.read(copy).context
    assert old.encoders is None
    assert list(old.inputs) == ["image"]
    assert build(copy).stat().st_size > 0


def test_every_sample_is_tested_once_and_by_a_model_that_has_not_seen_its_subject(finished):
    rows = finished.rows("prediction")
    assert (rows.groupby("part")["sample"].count() == 48).all()
    assert (rows.groupby(["part", "sample"]).size() == 1).all()
    dataset = finished.study.open_dataset()
    for fold, some in rows[rows["part"] == "additive"].groupby("fold"):
        model = pellucid.load(finished.path, head="additive", fold=int(fold))
        tested = dataset.subset(dataset.frame.index.get_indexer(some["sample"]))
        model.learned_from.refuse(tested.learned_from, part="additive")
        found = model.predict(tested).iloc[:, 0].to_numpy()
        assert abs(found - some.filter(like="probability").iloc[:, 0].to_numpy()).max() < 1e-5


@pytest.mark.parametrize(("share", "count"), [(0.2, 10), (0.4, 20)])
def test_the_models_that_a_user_loads_stop_by_as_large_a_share_of_subjects_as_those_of_the_folds(
    tmp_path, monkeypatch, share, count
):
    found = []

    def fitted(task, sides, where, checkpoints):
        found.append(sides)
        raise KeyboardInterrupt

    monkeypatch.setattr("pellucid.running.fit_and_examine", lambda *_: None)
    monkeypatch.setattr("pellucid.running.folds._fitted", fitted)
    with pytest.raises(KeyboardInterrupt):
        changed(**{"options__nested-subject-cv__validation": share}).run(tmp_path / "run", watcher=Watcher())
    assert len(found[0].validation) == pytest.approx(count, abs=2)
    assert len(found[0].train) == 48 - len(found[0].validation)


def test_a_finished_run_is_not_run_again(finished):
    before = (finished.path / "run.json").stat().st_mtime_ns
    assert changed().run(finished.path, watcher=Watcher()).finished
    assert (finished.path / "run.json").stat().st_mtime_ns == before


def test_the_explanation_of_a_loaded_model_adds_up(finished):
    model = pellucid.load(finished.path, head="additive")
    dataset = finished.study.open_dataset()
    explanation = model.explain(dataset[3], target="spiculated and large")
    assert abs(float(explanation.gap)) < 1e-4
    assert float(explanation.output) == pytest.approx(float(model.logits(dataset[3])), abs=1e-5)
    assert set(explanation.frame()["unit"]) == set(model.head.config.units)


def test_scoring_a_run_on_its_own_subjects_is_refused(finished, tmp_path):
    with pytest.raises(LeakageError, match="24 of 24"):
        pellucid.evaluate(finished.path, out=tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


class Stop(Watcher):
    """Breaks the run off in the middle of a training."""

    def __init__(self, word: str) -> None:
        self.word, self.at = word, ""

    def start(self, what: str, epochs: int) -> None:
        self.at = what

    def epoch(self, done: int, training: float, validation: float) -> None:
        if self.word in self.at and done == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("where", ["fold 1 of 2 encoder", "fold 2 of 2 head mlp", "all subjects encoder"])
def test_a_run_that_was_cut_off_ends_with_the_figures_and_weights_of_one_that_was_not(finished, tmp_path, where):
    with pytest.raises(KeyboardInterrupt):
        changed().run(tmp_path / "run", watcher=Stop(where))
    assert not Run(tmp_path / "run").finished
    resumed = changed().run(tmp_path / "run", watcher=Watcher())
    assert resumed.document["results"] == finished.document["results"]
    assert resumed.document["weights_sha256"] == finished.document["weights_sha256"]


def test_a_killed_run_goes_on(finished, tmp_path):
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(SETTINGS))
    code = (
        "import json, sys, pellucid\n"
        f"pellucid.study(json.load(open({str(settings)!r}))).run({str(tmp_path / 'run')!r})"
    )  # fmt: skip
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "fold 2 of 2 encoder" in line:
            break
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    resumed = changed().run(tmp_path / "run", watcher=Watcher())
    assert resumed.document["results"] == finished.document["results"]
    assert resumed.document["weights_sha256"] == finished.document["weights_sha256"]


def test_folds_side_by_side_give_the_same_results(finished, tmp_path):
    together = changed().run(tmp_path / "run", jobs=2)
    for one, other in zip(together.results, finished.results, strict=True):
        assert (one.metric, one.part) == (other.metric, other.part)
        assert one.value == pytest.approx(other.value, abs=1e-4)


def test_a_refusal_inside_a_process_of_its_own_arrives_as_it_is(tmp_path):
    study = changed(training__learning_rate=1e30, training__clip_norm=None)
    with pytest.raises(DataError, match="epoch"):
        study.run(tmp_path / "run", jobs=2)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_that_diverges_says_so_in_its_folder_and_is_tried_again_with_the_same_settings(tmp_path, jobs):
    from pellucid.activations.of_run import collect_run
    from pellucid.report import build

    folder, settings = tmp_path / "run", {"training__learning_rate": 1e30, "training__clip_norm": None}
    for _ in range(2):
        with pytest.raises(DataError, match="in epoch"):
            changed(**settings).run(folder, watcher=Watcher(), jobs=jobs)
        left = Run(folder)
        assert (left.finished, left.document["state"]) == (False, "stopped")
        assert "in epoch" in left.document["stopped"]
        assert not len(left.results)
    for reading in (pellucid.evaluate, lambda run: collect_run(run, "head", tmp_path / "out")):
        with pytest.raises(RunError, match=r"has stopped and is not finished: .*in epoch .*another --out"):
            reading(folder)
    assert "This run is not finished. It has stopped: " in re.sub("<[^>]*>", "", build(folder).read_text())
    with pytest.raises(RunError, match=r"other settings \(which has stopped: .*in epoch"):
        changed().run(folder, watcher=Watcher())


def test_a_run_that_had_stopped_ends_as_any_other_once_it_can(finished, tmp_path, monkeypatch):
    def odd(*_: object) -> None:
        raise DataError("Mr Doe is odd")

    with monkeypatch.context() as broken:
        broken.setattr("pellucid.running.folds._examine", odd)
        with pytest.raises(DataError, match="Mr Doe"):
            changed().run(tmp_path / "run", watcher=Watcher())
    # Only the kind: a message may quote data.
    assert Run(tmp_path / "run").document["stopped"] == "DataError, as the command said"
    resumed = changed().run(tmp_path / "run", watcher=Watcher())
    assert resumed.finished
    assert "stopped" not in resumed.document
    assert resumed.document["results"] == finished.document["results"]


def test_two_processes_train_one_run_and_one_of_them_speaks(finished, tmp_path):
    settings = tmp_path / "settings.json"
    # Parts without noise or dropout, which each process would draw for itself.
    plain = {"encoder": [{"name": "identity", "input": "covariates"}], "head": [{"name": "linear"}]}
    settings.write_text(json.dumps({**SETTINGS, **plain}))
    script = tmp_path / "run.py"
    script.write_text(
        f"import json, pellucid\npellucid.study(json.load(open({str(settings)!r}))).run({str(tmp_path / 'two')!r})\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone", str(script)]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr.count("2 processes on cpu") == 1
    one = pellucid.study(json.loads(settings.read_text())).run(tmp_path / "one", watcher=Watcher())
    two = Run(tmp_path / "two")
    assert two.document["processes"] == 2
    rows = [run.rows("prediction").set_index(["part", "sample"])["probability"] for run in (one, two)]
    assert (rows[0] - rows[1]).abs().max() < 1e-4


def test_a_folder_of_another_study_is_left_alone(copy):
    before = sorted((p.name, p.stat().st_mtime_ns) for p in copy.iterdir())
    with pytest.raises(RunError, match="another study"):
        changed(training__epochs=4).run(copy, watcher=Watcher())
    assert sorted((p.name, p.stat().st_mtime_ns) for p in copy.iterdir()) == before


def test_a_folder_that_is_no_run_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear reader")
    with pytest.raises(RunError, match=r"run\.json"):
        changed().run(tmp_path, watcher=Watcher())
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]


def test_a_run_of_another_version_is_refused(copy):
    document = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**document, "format": 99}))
    with pytest.raises(RunError, match="format 99"):
        pellucid.load(copy, head="mlp")


def test_tampered_weights_are_refused(copy):
    raw = bytearray((copy / "weights.safetensors").read_bytes())
    raw[-5] ^= 1
    (copy / "weights.safetensors").write_bytes(raw)
    with pytest.raises(RunError, match="SHA-256"):
        pellucid.load(copy, head="mlp")


def test_weights_that_are_no_weights_and_weights_of_another_format_are_refused(copy):
    from safetensors.torch import save
    from torch import zeros

    from pellucid.weights import load_models

    (copy / "weights.safetensors").write_bytes(b"no weights")
    with pytest.raises(RunError, match="cannot be read as weights"):
        load_models(copy / "weights.safetensors")
    (copy / "weights.safetensors").write_bytes(save({"a": zeros(1)}, {"pellucid": '{"format": 2}'}))
    with pytest.raises(RunError, match="format 2; this pellucid reads 1"):
        load_models(copy / "weights.safetensors")


def test_a_missing_part_is_answered_with_the_nearest(finished):
    with pytest.raises(RunError, match="did you mean 'additive'"):
        pellucid.load(finished.path, head="aditive")


def test_two_runs_in_one_folder_do_not_disturb_each_other(tmp_path):
    class Second(Watcher):
        """Starts another run in the middle of the first."""

        tried = False

        def start(self, what: str, epochs: int) -> None:
            if not self.tried:
                self.tried = True
                with pytest.raises(RunError, match=f"id {os.getpid()}"):
                    changed().run(tmp_path / "run", watcher=Watcher())

    watcher = Second()
    assert changed().run(tmp_path / "run", watcher=watcher).finished
    assert watcher.tried
    assert not (tmp_path / "run" / ".lock").exists()


@pytest.mark.parametrize("name", ["explanations.parquet", "rows/prediction.parquet"])
def test_changed_rows_are_refused(copy, name):
    raw = bytearray((copy / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (copy / name).write_bytes(raw)
    with pytest.raises(RunError, match="changed or damaged"):
        Run(copy).explanations() if name.startswith("expl") else Run(copy).rows("prediction")


CHANGES = {
    "results": lambda document: document["results"][0].update(value=0.999),
    "cohort": lambda document: document["cohort"][0].update(subjects=1000),
    "subjects": lambda document: document["subjects"]["0"]["train"]["subject"].pop(),
    "not_measured": lambda document: document["not_measured"].append({}),
}


@pytest.mark.parametrize("section", CHANGES)
def test_figures_and_subjects_that_were_changed_by_hand_are_refused_by_name(copy, section):
    from pellucid.report import build

    path, out = copy / "run.json", copy.parent / "scores.json"
    document, before = json.loads(path.read_text()), (copy / "report.html").read_bytes()
    CHANGES[section](document)
    path.write_text(json.dumps(document))
    for reading in (Run, build, pellucid.load, lambda folder: pellucid.evaluate(folder, out=out)):
        with pytest.raises(RunError, match=rf"run\.json: '{section}' is not what the run wrote"):
            reading(copy)
    assert (copy / "report.html").read_bytes() == before
    assert not out.exists()
    with pytest.raises(RunError, match=section):
        changed().run(copy, watcher=Watcher())


def test_a_document_that_was_laid_out_anew_is_the_same_and_one_without_digests_is_read(copy):
    path = copy / "run.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document, indent=4, sort_keys=True, ensure_ascii=False))
    assert Run(copy).finished
    # As folders of before.
    del document["sections_sha256"]
    path.write_text(json.dumps(document))
    assert Run(copy).finished


def test_a_cohort_that_was_changed_while_a_run_was_broken_off_is_not_gone_on_with(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        changed().run(tmp_path / "run", watcher=Stop("fold 1 of 2 head"))
    path = tmp_path / "run" / "run.json"
    document = json.loads(path.read_text())
    document["cohort"][0]["subjects"] = 1000
    path.write_text(json.dumps(document))
    with pytest.raises(RunError, match="'cohort' is not what the run wrote"):
        changed().run(tmp_path / "run", watcher=Watcher())


def test_a_report_is_not_built_from_changed_pictures(copy):
    from pellucid.report import build

    (copy / "gallery.npz").write_bytes(b"")
    before = (copy / "report.html").stat().st_mtime_ns
    with pytest.raises(RunError, match=r"gallery\.npz .* changed or damaged"):
        build(copy)
    assert (copy / "report.html").stat().st_mtime_ns == before


@pytest.mark.parametrize("key", ["state", "results", "weights_sha256", "parts"])
def test_a_document_that_lacks_something_is_refused_by_name(copy, key):
    document = json.loads((copy / "run.json").read_text())
    del document[key]
    (copy / "run.json").write_text(json.dumps(document))
    with pytest.raises(RunError, match=key):
        Run(copy)


def test_a_run_is_evaluated_on_others_with_its_audit(finished, tmp_path):
    """The other subjects are those of another seed; the run's own are refused above."""
    protocols = ["subject-holdout", "explanation-audit", "traversal-monotonicity"]
    options = {"planted-lesions": SETTINGS["options"]["planted-lesions"]}
    run = pellucid.study({**SETTINGS, "protocols": protocols, "options": options}).run(
        tmp_path / "run", watcher=Watcher()
    )
    document = json.loads((run.path / "run.json").read_text())
    document["study"]["options"]["planted-lesions"]["seed"] = 1
    (run.path / "run.json").write_text(json.dumps(document))
    out = tmp_path / "scores.json"
    results = pellucid.evaluate(run.path, out=out)
    written = json.loads(out.read_text())
    assert written["n_subjects"] == 24
    assert written["not_assessed"] == ["traversal-monotonicity"]
    assert len(written["results"]) == len(results)
    assert {r.protocol for r in results} == {"prediction", "explanation-audit"}
    assert results.get("explanation-audit", "completeness_gap", "additive").passed
    from sklearn.metrics import roc_auc_score

    others = run.study.with_settings({"options.planted-lesions.seed": 1}).open_dataset()
    chances = pellucid.load(run.path, head="mlp").predict(others).iloc[:, 0]
    expected = roc_auc_score(others.frame["spiculated"], chances)
    assert results.get("prediction", "auroc", "mlp").value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("place", ["a-file", "a-file/inside"])
def test_a_run_folder_that_cannot_be_is_said(tmp_path, place):
    (tmp_path / "a-file").write_text("x")
    with pytest.raises(RunError, match="a-file"):
        changed().run(tmp_path / place, watcher=Watcher())


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"trianing": {}}, StudyError, "did you mean 'training'"),
        ({"training.epoch": 3}, StudyError, "did you mean 'epochs'"),
        ({"training.epochs": "many"}, StudyError, "training.epochs"),
        ({"target": "spiculate"}, StudyError, "did you mean 'spiculated'"),
        ({"encoder.0.input": "imge"}, StudyError, "did you mean 'image'"),
        ({"encoder.0.latnet": 3}, StudyError, "did you mean 'latent'"),
        ({"encoder.0.name": "vae-gausian"}, UnknownComponent, "did you mean"),
        ({"encoder.0": {"name": "identity", "input": "image"}}, StudyError, "is of kind image"),
        ({"head.0.name": "addditive"}, UnknownComponent, "did you mean"),
        ({"head.0.reads": ["picture"]}, StudyError, "encoders here: image"),
        ({"protocols": ["explanation-audit"], "options": {}}, StudyError, "one protocol that splits"),
        ({"protocols": ["nested-subject-cv", "nested-subject-cv"]}, StudyError, "more than once"),
        ({"head.0.label": "area px alone"}, StudyError, "trivial baseline"),
        ({"training.learning_rate": float("inf")}, StudyError, "learning_rate"),
        ({"training.epochs.x": 3}, StudyError, "nothing inside"),
        ({"encoder.5.latent": 3}, StudyError, "list of 1"),
        ({"encoder.0.latent": 10**11}, StudyError, "cannot be built"),
        ({"name": "../evil"}, StudyError, "name"),
        ({"protocols": ["nested-subject-cv", "subject-holdout"]}, StudyError, "one protocol that splits"),
        ({"options.nested-subject-cv.folds": 400}, DataError, "400 folds"),
        ({"options.planted-lesion": {"patients": 3}}, StudyError, "did you mean 'planted-lesions'"),
    ],
)  # fmt: skip
def test_a_study_that_cannot_run_says_why_and_writes_nothing(tmp_path, settings, error, message):
    with pytest.raises(error, match=message):
        pellucid.study(SETTINGS).with_settings(settings).run(tmp_path / "run", watcher=Watcher())
    assert not (tmp_path / "run").exists()


def test_options_of_what_is_no_longer_asked_for_go_and_those_that_are_set_for_it_are_told_of():
    other = changed(dataset="planted-nodules", protocols__0="subject-holdout", options__prediction__replicates=100)
    assert other.options == {"prediction": {"replicates": 100}}
    assert changed(protocols=["nested-subject-cv", "explanation-audit"]).options == pellucid.study(SETTINGS).options
    for assignments in ({"options__planted-lesions__size": 8}, {"options__nested-subject-cv__folds": 3}):
        with pytest.raises(StudyError, match="fits nothing in this study"):
            changed(dataset="planted-nodules", protocols=["subject-holdout"], **assignments)
    with pytest.raises(UnknownComponent, match="planted-nodule'; did you mean"):
        changed(dataset="planted-nodule").open_dataset()


def test_a_study_file_with_an_unknown_key_names_file_and_key(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('title = "t"\ndatset = "planted-lesions"\n')
    with pytest.raises(StudyError, match=r"mine\.toml: .*'datset'; did you mean 'dataset'"):
        pellucid.study(path)


def test_a_run_says_how_it_is_repeated_and_its_folder_has_the_settings(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'title = "t"\ndataset = "planted-lesions"\ntarget = "spiculated"\nprotocols = ["subject-holdout"]\n'
        '[[encoder]]\nname = "identity"\ninput = "covariates"\n[[head]]\nname = "linear"\n[training]\nepochs = 1\n'
        "[options.planted-lesions]\npatients = 40\nslices = 1\nsize = 16\n"
    )
    asked = pellucid.study(path).with_settings({"training.epochs": 2})
    first = asked.run(tmp_path / "first one", watcher=Watcher())
    command = shlex.split(first.document["command"])
    assert command == ["pellucid", "run", "./first one", "--out", "first one-again"]
    assert "pellucid run './first one' --out 'first one-again', beside this run folder" in html.unescape(
        first.report.read_text()
    )
    again = pellucid.study(tmp_path / command[2]).run(tmp_path / command[4], watcher=Watcher())
    assert again.study.training.epochs == 2
    assert again.document["results"] == first.document["results"]
    assert again.document["weights_sha256"] == first.document["weights_sha256"]


def test_an_installed_study_is_repeated_by_its_name_unless_its_settings_were_changed(finished, tmp_path, monkeypatch):
    from pellucid.running.repeating import repeated_by

    def said(study: pellucid.Study, data: str | None = None) -> str:
        return repeated_by(SimpleNamespace(study=study, folder=tmp_path / "run", data=data))

    installed = next(one.name for one in plugins.components("study").values())
    study = pellucid.study(installed)
    assert said(study) == f"pellucid run {study.name}"
    assert said(study, "/home/somebody/data") == f"pellucid run {study.name} --data DIR"
    changed_study = study.with_settings({"training.seed": 77})
    assert said(changed_study) == "pellucid run ./run --out run-again"
    # A folder that has the name of an installed study is not taken for it.
    (tmp_path / installed).mkdir(parents=True)
    shutil.copy(finished.path / "run.json", tmp_path / installed)
    monkeypatch.chdir(tmp_path)
    assert pellucid.study(f"./{installed}") == finished.study
    assert pellucid.study(installed) == study


def test_a_folder_in_place_of_a_study_is_told_what_to_give(tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text("")
    with pytest.raises(StudyError, match=r"is a folder: give the TOML file of a study \(mine\.toml in it\)"):
        pellucid.study(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match=r"\. is a folder: give the TOML file"):
        pellucid.study(".")
    # One that happens to have the name of an installed study hides nothing.
    installed = next(one.name for one in plugins.components("study").values())
    (tmp_path / installed).mkdir(parents=True)
    assert pellucid.study(installed).name


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_said_and_the_run_goes_on_once_there_is_room(finished, tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)], check=False).returncode:
        pytest.skip("this machine does not let tests mount a file system")
    try:
        with pytest.raises(RunError, match="no space left"):
            changed().run(place / "run", watcher=Watcher())
        assert not list(place.rglob("*.tmp"))
        subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)
        resumed = changed().run(place / "run", watcher=Watcher())
        assert resumed.document["results"] == finished.document["results"]
    finally:
        subprocess.run(["umount", str(place)], check=True)
