"""Activations: right rows in the right order, and no way round the guard through latents."""

import numpy as np
import pandas as pd
import pytest
import torch
from small_training import fitted, planted
from torch import nn

from pellucid.activations import ACTIVATIONS, collect
from pellucid.data import ArrayDataset, Binary, DataSpec, Image, LearnedFrom, Split
from pellucid.errors import ContractError, LeakageError
from pellucid.protocols.base import FittedFold
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.training.settings import TrainingSettings


def pictures() -> ArrayDataset:
    frame = pd.DataFrame(
        {"subject": list("aabbcc"), "y": [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]}, index=[f"s{i}" for i in range(6)]
    )
    spec = DataSpec(
        name="pictures",
        namespace="p",
        inputs={"x": Image(channels=("a",), size=(4, 4), units="1")},
        targets={"y": Binary(names=("no", "yes"))},
    )
    return ArrayDataset(spec, frame, {"x": np.arange(96, dtype=np.float32).reshape(6, 1, 4, 4)})


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 3, 2, stride=2)

    def forward(self, batch):
        return self.first(batch.inputs["x"])


def test_each_point_of_a_feature_map_is_a_row_with_its_sample_and_position():
    torch.manual_seed(0)
    model, dataset = Twice().train(), pictures()
    found = collect(model, "first", dataset, made_by=LearnedFrom())
    assert len(found) == 6 * 4
    assert found.frame.loc["s2@3", "position"] == 3
    row = found.frame.index.get_loc("s2@3")
    with torch.no_grad():
        expected = model.first(torch.from_numpy(dataset.read(np.array([2])).inputs["x"]))[0, :, 1, 1]
    np.testing.assert_allclose(found.read(np.array([row])).inputs[ACTIVATIONS][0], expected.numpy(), rtol=1e-6)
    assert found.frame.loc["s2@3", "subject"] == "b"
    assert model.training
    assert not model.first._forward_hooks


def test_padding_leaves_no_row():
    found = collect(
        Twice(),
        "first",
        pictures(),
        made_by=LearnedFrom(),
        keep=lambda batch: torch.tensor([True, False, True, False]).expand(len(batch), 4),
    )
    assert set(found.frame["position"]) == {0, 2}


def test_an_unknown_module_is_answered_with_the_nearest():
    with pytest.raises(ContractError, match="did you mean 'first'"):
        collect(Twice(), "frist", pictures(), made_by=LearnedFrom())


def test_latents_of_a_supervised_model_cannot_be_cross_validated_on_its_own_subjects():
    """The leak of the released lesion code: fine-tune on labels, take everybody's latents, split anew."""
    model, _ = fitted(TrainingSettings(epochs=1))
    dataset = planted()
    latents = collect(model, "head", dataset)
    split = Split(0, np.arange(60, 120), np.arange(40, 60), np.arange(0, 40))
    baseline = TrivialBaseline(latents.spec, "y").fit(latents.subset(split.train))
    fold = FittedFold(latents, "y", split, {}, baseline, 0)
    with pytest.raises(LeakageError, match="20 of 20"):
        fold.test(baseline.name)


def test_latents_of_a_model_that_saw_other_subjects_can():
    model, _ = fitted(TrainingSettings(epochs=1))
    latents = collect(model, "head", planted().subset(range(100, 120)))
    split = Split(0, np.arange(10), np.array([], int), np.arange(10, 20))
    baseline = TrivialBaseline(latents.spec, "y").fit(latents.subset(split.train))
    assert len(FittedFold(latents, "y", split, {}, baseline, 0).test(baseline.name)) == 10


def test_a_model_that_does_not_say_whom_it_has_learnt_from_is_not_taken_at_its_word():
    with pytest.raises(ContractError, match="made_by"):
        collect(Twice(), "first", pictures())
