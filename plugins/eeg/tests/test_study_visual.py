"""The study of two pictures: what its readable models are worth on people that they have not learnt from."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import pellucid
from pellucid.assembly import build_encoders, build_head, encoders_of
from pellucid.data.dataset import Dataset
from pellucid.model import Model
from pellucid.protocols.splitting.nested_subject_cv import NestedSubjectCv, NestedSubjectCvConfig
from pellucid.testing.real_data import real_data
from pellucid.training.fit import Sides, fit_model, prepare_encoder

TARGET = "picture"
FOLDS = 4
"""Not sixteen as in the study: a quarter of the time, with twelve people to learn from in place of fifteen."""


@pytest.fixture(scope="module")
def left_out(tmp_path_factory) -> tuple[Dataset, dict[str, np.ndarray], tuple[Model, Dataset, Dataset]]:
    """The data, each readable model's outputs for people left out, and one fold's first model with its sides."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PELLUCID_CACHE", str(tmp_path_factory.mktemp("cache")))
        study = pellucid.study("eeg-visual")
        data = study.open_dataset(real_data("eeg/uci-eeg-alcoholism"))
    outputs, kept = {}, None
    for split in NestedSubjectCv(NestedSubjectCvConfig(folds=FOLDS, validation=0.13)).splits(data, TARGET, seed=0):
        train, test = data.subset(split.train), data.subset(split.test)
        sides = Sides(train, data.subset(split.validation), TARGET)
        encoders = build_encoders(study, data.spec, seed=f"fold {split.fold}")
        for entry in study.head:
            if "eegnet" in entry.reads:
                continue
            own = encoders_of(entry, encoders)
            for encoder in own.values():
                prepare_encoder(encoder, sides)
            head = build_head(entry, own, data.spec, TARGET, seed=f"fold {split.fold}")
            model, _ = fit_model(own, head, sides, study.training_of(entry))
            outputs.setdefault(entry.part, np.full(len(data), np.nan))[split.test] = model.logits(test)[:, 0].numpy()
            kept = kept or (model, train, test)
    assert kept is not None
    return data, outputs, kept


def within_people(data: Dataset, outputs: np.ndarray) -> float:
    labels, people = data.target_values(TARGET)[:, 0], data.frame["subject"].to_numpy()
    return float(np.mean([roc_auc_score(labels[people == one], outputs[people == one]) for one in np.unique(people)]))


def test_people_left_out_are_told_by_means_and_better_with_rhythms_beside(left_out):
    data, outputs, _ = left_out
    means, both = (within_people(data, outputs[part]) for part in ("means", "means and rhythms"))
    print(f"\nAUROC within people left out: means {means:.3f}, with rhythms {both:.3f}")
    assert means > 0.80
    assert both > 0.86
    assert both > means + 0.02


def test_the_readable_model_is_the_logistic_regression_of_scikit_learn(left_out):
    _, _, (model, train, test) = left_out
    x, unseen = (model.head.standardised(model.representation(side)).numpy() for side in (train, test))
    peer = LogisticRegression(C=1 / (model.head.config.l2 * len(train)), max_iter=2000)
    peer.fit(x, train.target_values(TARGET)[:, 0])
    ours = model.logits(test)[:, 0].numpy()
    assert np.corrcoef(ours, peer.decision_function(unseen))[0, 1] > 0.99
