"""What is wrong with samples travels with a run and with its evaluation."""

from __future__ import annotations

import json

import pellucid
from pellucid.data.samples import Finding
from pellucid.studies import Study
from pellucid.training.loop import Watcher

SETTINGS = {
    "name": "small",
    "title": "Can planted lesions be told apart?",
    "dataset": "planted-lesions",
    "target": "spiculated",
    "encoder": [{"name": "identity", "input": "covariates"}],
    "head": [{"name": "linear"}],
    "protocols": ["subject-holdout"],
    "options": {"planted-lesions": {"patients": 24, "slices": 2, "size": 16}},
    "training": {"epochs": 1},
}
FOUND = (
    Finding("lesion-1", "cannot be used", "the file is empty", "left out"),
    # Of one sample twice: samples are counted.
    Finding("lesion-1", "without a label", "", "left out"),
    Finding("lesion-2", "dark slice", "slice 3"),
)


class Told(Watcher):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


def test_findings_stand_in_run_json_and_in_an_evaluation(tmp_path, monkeypatch):
    whole = Study.open_dataset

    def opened(self, data=None, learnt=None):
        root = whole(self).source
        root.findings = FOUND
        # Other people than the run has learnt from, of the same kind.
        if data == "others":
            root.frame = root.frame.assign(subject="other-" + root.frame["subject"].astype(str))
            root.frame.index = [f"other-{name}" for name in root.frame.index]
        return root.labelled(self.target)

    monkeypatch.setattr(Study, "open_dataset", opened)
    watcher = Told()
    run = pellucid.study(SETTINGS).run(tmp_path / "run", watcher=watcher)
    expected = [
        {"sample": "lesion-1", "what": "cannot be used", "where": "the file is empty", "done": "left out"},
        {"sample": "lesion-1", "what": "without a label", "where": "", "done": "left out"},
        {"sample": "lesion-2", "what": "dark slice", "where": "slice 3", "done": "kept"},
    ]
    assert run.document["findings"] == expected
    assert any("(1 left out, each with its reason in the report)" in said for said in watcher.said)
    pellucid.evaluate(run.path, "others", tmp_path / "e.json")
    assert json.loads((tmp_path / "e.json").read_text())["findings"] == expected
