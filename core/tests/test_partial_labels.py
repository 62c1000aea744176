"""Tables of many assays: labels that are unknown one by one are neither learnt from nor judged."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from pellucid.assembly import build_head
from pellucid.batch import Batch
from pellucid.data.arrays import ArrayDataset
from pellucid.data.spec import Binary, DataSpec, MultiLabel, Vector
from pellucid.encoders.identity import Identity, IdentityConfig
from pellucid.entries import HeadEntry
from pellucid.errors import StudyError
from pellucid.heads.base import target_loss
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.protocols.prediction.metrics import metrics_of
from pellucid.protocols.prediction.predictions import Predictions
from pellucid.protocols.splitting.subject_holdout import SubjectHoldout
from pellucid.training.fit import Sides, fit_model
from pellucid.training.settings import TrainingSettings

ASSAYS = MultiLabel(names=("first", "second", "third"), partial=True)


def made(count=300, seed=0):
    """Three labels, each the sign of a number; of each sample one to three are known, of the last ten none."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 3)).astype(np.float32)
    labels = (x > 0).astype(float)
    labels[rng.random((count, 3)) < 0.5] = np.nan
    none = np.isnan(labels).all(1)
    labels[none, 0] = x[none, 0] > 0
    labels[-10:] = np.nan
    frame = pd.DataFrame({"subject": [f"s{at}" for at in range(count)]}, index=[f"m{at}" for at in range(count)])
    frame[[f"assays:{name}" for name in ASSAYS.names]] = labels
    spec = DataSpec(
        name="made", inputs={"x": Vector(names=("a", "b", "c"))}, targets={"assays": ASSAYS}, namespace="made"
    )
    return ArrayDataset(spec, frame, {"x": x})


def test_a_sample_counts_where_any_of_its_labels_is_known():
    data = made()
    assert len(data.labelled("assays")) == 290
    whole = data.spec.targets["assays"].model_copy(update={"partial": False})
    data.spec = data.spec.model_copy(update={"targets": {"assays": whole}})
    assert len(data.labelled("assays")) == int((~data.frame.filter(like="assays").isna()).all(axis=1).sum())


def test_an_unknown_label_teaches_nothing():
    logits = torch.randn(4, 3, requires_grad=True)
    labels = torch.tensor([[1.0, torch.nan, 0.0], [torch.nan, torch.nan, 1.0], [0.0, 1.0, 1.0], [torch.nan] * 3])
    loss = target_loss(ASSAYS, logits, Batch({}, targets=labels))
    loss.backward()
    known = ~labels.isnan()
    assert (logits.grad[~known] == 0).all()
    assert (logits.grad[known] != 0).all()
    assert float(loss.detach()) == pytest.approx(
        float(torch.nn.functional.binary_cross_entropy_with_logits(logits.detach()[known], labels[known])), rel=1e-6
    )


@pytest.mark.parametrize("name", ["linear", "additive", "mlp"])
def test_heads_learn_each_label_from_those_that_have_it(name):
    data = made().labelled("assays")
    encoders = {"x": Identity(IdentityConfig(inputs=data.spec.inputs))}
    head = build_head(HeadEntry(name=name), encoders, data.spec, "assays", seed="0")
    (split,) = SubjectHoldout(SubjectHoldout.config_type()).splits(data, "assays", seed=0)
    sides = Sides(data.subset(split.train), data.subset(split.validation), "assays")
    settings = TrainingSettings(epochs=20, learning_rate=0.02, batch_size=32)
    encoders["x"].prepare([Batch({"x": torch.from_numpy(sides.train.read(np.arange(len(sides.train))).inputs["x"])})])
    model, _ = fit_model(encoders, head, sides, settings, name="head")
    test = data.subset(split.test)
    labels, said = test.target_values("assays"), model.predict(test).to_numpy()
    for at in range(3):
        known = ~np.isnan(labels[:, at])
        assert roc_auc_score(labels[known, at], said[known, at]) > 0.95


def test_metrics_are_those_of_the_known_labels():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, (80, 3)).astype(float)
    labels[rng.random((80, 3)) < 0.4] = np.nan
    labels[np.isnan(labels).all(1), 0] = 1.0
    said = rng.random((80, 3))
    p = Predictions(ASSAYS, labels, said, np.full(80, 0.5), np.zeros(80), np.array([f"s{at}" for at in range(80)]))
    found = {metric.name: float(metric.statistic(p)(np.ones(80))) for metric in metrics_of(ASSAYS)}
    areas = [roc_auc_score(y[~np.isnan(y)], s[~np.isnan(y)]) for y, s in zip(labels.T, said.T, strict=True)]
    assert found["auroc"] == pytest.approx(np.mean(areas))
    errors = [
        np.mean((y[~np.isnan(y)] - s[~np.isnan(y)]) ** 2)
        for y, s in zip(labels, said, strict=True)
        if not np.isnan(y).all()
    ]
    assert found["brier"] == pytest.approx(np.mean(errors))
    for metric in metrics_of(ASSAYS):
        assert np.isfinite(metric.chance(p))
        assert metric.words(p, found[metric.name], metric.chance(p), 0.5)


def test_the_trivial_baseline_learns_each_label_from_those_that_have_it():
    data = made().labelled("assays")
    rule = TrivialBaseline(data.spec, "assays").fit(data)
    assert np.allclose(rule.predict(data)[0], np.nanmean(data.target_values("assays"), axis=0), atol=0.02)


def test_heads_that_need_all_labels_are_refused_with_those_that_do_not():
    data = made()
    encoders = {"x": Identity(IdentityConfig(inputs=data.spec.inputs))}
    with pytest.raises(StudyError, match=r"in target .assays. single ones may be unknown.*core/linear"):
        build_head(HeadEntry(name="concept-bottleneck-sparse"), encoders, data.spec, "assays", seed="0")
    one = data.spec.model_copy(update={"targets": {"assays": Binary(names=("no", "yes"))}})
    assert build_head(HeadEntry(name="lda"), encoders, one, "assays", seed="0")
