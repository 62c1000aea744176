"""What a head learns from decides how it is fitted and what it is called, whatever it explains by."""

from __future__ import annotations

from dataclasses import asdict
from types import SimpleNamespace

import pytest
import torch
from small_training import planted
from torch import nn

from pellucid import plugins
from pellucid.explanation import Explanation
from pellucid.heads.base import Head, HeadConfig, HeadTags
from pellucid.heads.dictionaries.base import Dictionary
from pellucid.report.sections import role
from pellucid.running import folds
from pellucid.studies import Study
from pellucid.training.fit import Sides
from pellucid.training.loop import Watcher


class Difference(Head):
    """Learns the difference of two of the inputs' numbers, from the inputs alone."""

    tags = HeadTags(family="function", learns="inputs")
    config_type = HeadConfig
    outputs = ("difference",)

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self.config = config
        self.linear = nn.Linear(len(config.units), 1)

    def forward(self, z):
        return self.linear(z.values)

    def loss(self, z, batch):
        x = batch.inputs["x"]
        return (self(z)[:, 0] - (x[:, 1] - x[:, 2])).square().mean()

    def explain(self, z, target):
        parts = z.values * self.linear.weight[0]
        return Explanation("function", target, z.names, parts, self.linear.bias.expand(len(z.values)), self(z)[:, 0])


@pytest.fixture
def study(monkeypatch):
    load = plugins.load
    monkeypatch.setattr(plugins, "load", lambda kind, name: Difference if name == "difference" else load(kind, name))
    return Study.from_mapping(
        {
            "title": "of inputs",
            "dataset": "planted",
            "encoder": [{"input": "x", "name": "identity"}],
            "head": [{"name": "difference"}, {"name": "sae-topk", "features": 8, "k": 2}],
            "protocols": ["subject-holdout"],
            "training": {"epochs": 60, "learning_rate": 0.05, "batch_size": 32},
        }
    )


def test_a_head_of_inputs_is_fitted_to_them_beside_a_dictionary(study, tmp_path):
    data = planted()
    sides = Sides(data.subset(range(80)), data.subset(range(80, 100)))
    task = SimpleNamespace(study=study, dataset=data, watcher=Watcher())
    models, _ = folds._fitted(task, sides, "fold 1 of 1", tmp_path / "checkpoints")
    assert list(models) == ["difference", "sae-topk"]
    assert isinstance(models["sae-topk"].head, Dictionary)
    test = data.subset(range(100, 120))
    x = torch.as_tensor(test.read(range(20)).inputs["x"])
    assert (models["difference"].logits(test)[:, 0] - (x[:, 1] - x[:, 2])).abs().max() < 0.1
    assert models["difference"].learned_from


def test_what_learns_from_rows_alone_is_said_to_give_codes():
    tags = {part: HeadTags(family="function", learns=part) for part in ("rows", "inputs", "texts")}
    run = SimpleNamespace(document={"baseline_name": "p"}, black_box=None, tags=tags)
    assert [role(run, part) for part in tags] == [
        "gives codes, learnt without labels",
        "learnt from the inputs themselves, without labels",
        "answers in words",
    ]


def test_what_learns_no_labels_predicts_no_target():
    assert HeadTags(family="function").predicts
    assert HeadTags(family="function").targets
    for learns in ("rows", "inputs", "texts"):
        tags = HeadTags(family="function", learns=learns)
        assert not tags.predicts
        assert tags.targets == ()
        assert HeadTags.of_json(asdict(tags)) == tags


@pytest.mark.parametrize(
    ("before", "learns"),
    [
        ({"family": "function", "targets": ["binary"], "needs_texts": False}, "labels"),
        ({"family": "function", "targets": [], "needs_texts": True}, "texts"),
        ({"family": "dictionary", "targets": [], "needs_texts": False}, "rows"),
    ],
)
def test_folders_of_earlier_versions_are_read(before, learns):
    assert HeadTags.of_json(before).learns == learns
