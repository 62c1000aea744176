"""Nothing that is learnt knows the test side: with other labels and other inputs there, every head learns the same to the bit."""

import numpy as np
import pytest
import torch

from pellucid import plugins
from pellucid.builtin import PLUGIN
from pellucid.data.arrays import ArrayDataset
from pellucid.data.splits import Split
from pellucid.encoders.base import EncoderConfig
from pellucid.heads.one_pass import OnePass
from pellucid.running.folds import threshold_of
from pellucid.testing.folds import TARGET, fitted
from pellucid.testing.instances import options_of
from pellucid.testing.planted import planted
from pellucid.testing.telling_encoders import Levels
from pellucid.training.fit import Sides

# Dealt at random, so that a position on one side is another sample than the same position among all.
SPLIT = Split(0, *map(np.sort, np.split(np.random.default_rng(0).permutation(120), [70, 95])))
PREDICTING = [name for name in PLUGIN.heads if plugins.load("head", f"core/{name}").tags.predicts]
ONE_PASS = [name for name in PREDICTING if issubclass(plugins.load("head", f"core/{name}"), OnePass)]


def data(*kinds):
    return planted(kinds, samples=120, subjects=120)


def turned(whole, at, *, inputs):
    """The same with every label and rating turned round in some samples; their inputs, too, are noise where that is asked."""
    frame = whole.frame.copy()
    for column in frame.columns.difference([*whole.spec.groups]):
        if frame[column].dtype.kind == "f":
            values = frame[column].to_numpy().copy()
            values[at] = np.nanmax(values) + np.nanmin(values) - values[at]
            frame[column] = values
    read = whole.read(np.arange(len(whole)))
    values = {name: np.array(one) for name, one in read.inputs.items()}
    if inputs:
        for one in values.values():
            one[at] = np.random.default_rng(1).normal(size=one[at].shape)
    return ArrayDataset(whole.spec, frame, values, dict(read.masks))


def target_of(name):
    """A yes or no, which has a threshold, or the first kind that a head can predict."""
    kinds = plugins.load("head", f"core/{name}").tags.targets
    return TARGET if TARGET in kinds else kinds[0]


def learnt(name, whole):
    """The state of a head and of its encoders, its threshold and the trivial baseline."""
    kind = plugins.load("head", f"core/{name}")
    made, encoder = None, {"input": "vector", "name": "identity"}
    if name == "ngram-naive-bayes":
        signal = {"signal": whole.spec.inputs["signal"]}
        made, encoder = {"signal": Levels(EncoderConfig(inputs=signal))}, {"input": "signal", "name": "window-means"}
    elif name == "latent-traversal":
        encoder = {"input": "image", "name": "vae-gaussian", "latent": 3}
    elif kind.tags.needs_tokens:
        encoder = {"input": "image", "name": "cnn", "tokens": True}
    study = {
        "encoder": [encoder],
        "head": [{"name": name, **options_of(kind)}],
        "training": {"epochs": 2, "batch_size": 32, "learning_rate": 0.01},
    }
    target = target_of(name)
    fold, _ = fitted(study, whole, target, made=made, split=SPLIT)
    (model,) = fold.models.values()
    sides = Sides(fold.train, whole.subset(SPLIT.validation), target)
    rule = fold.trivial.to_json()["rule"]
    return {key: one.clone() for key, one in model.state_dict().items()}, threshold_of(model, sides).value, rule


def same(one, other):
    return one.keys() == other.keys() and all(
        one[key].shape == other[key].shape and torch.equal(one[key].nan_to_num(-7), other[key].nan_to_num(-7))
        for key in one
    )


def kinds_of(name):
    return ("signal", "image", "vector") if name == "ngram-naive-bayes" else ("image", "vector")


@pytest.mark.parametrize("name", PREDICTING)
def test_what_stands_on_the_test_side_changes_nothing_that_is_learnt(name):
    whole = data(*kinds_of(name))
    state, threshold, rule = learnt(name, whole)
    other, at, beside = learnt(name, turned(whole, SPLIT.test, inputs=True))
    assert same(state, other)
    assert (threshold, rule) == (at, beside)
    # The comparison can tell: labels of the training side do change what is learnt.
    changed, _, _ = learnt(name, turned(whole, SPLIT.train, inputs=False))
    assert not same(state, changed)


@pytest.mark.parametrize("name", ONE_PASS)
def test_a_head_of_one_pass_learns_nothing_but_its_threshold_from_the_validation_side(name):
    whole = data(*kinds_of(name))
    state, threshold, _ = learnt(name, whole)
    other, at, _ = learnt(name, turned(whole, SPLIT.validation, inputs=False))
    assert same(state, other)
    # Numbers have no threshold; and where the nearest sample says nothing of a class, as of what an untrained network says, one
    # threshold is as good as another.
    assert (threshold != at) == (target_of(name) == TARGET and name != "dtw-neighbours")
