"""Acceptance of the benchmark's network on made-up electrocardiograms: what it must reach, and what must not reach it.

The size of the network, its windows and how scores are judged are accepted in ``test_xresnet1d.py``. The controls (a linear
model of samples, leads in any order, patients on two sides) are those that were proposed and were never loosened.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from pellucid.batch import Batch
from pellucid.data.subset import Subset
from pellucid.encoders.signals.xresnet1d import XResNet1d
from pellucid.errors import LeakageError
from pellucid.heads.tokens import LinearTokens
from pellucid.model import Model
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.protocols.splitting.subject_holdout import SubjectHoldout, SubjectHoldoutConfig
from pellucid.training.fit import Sides, fit_model, prepare_encoder
from pellucid.training.settings import TrainingSettings
from pellucid_ecg.synthetic import EcgSynthetic, EcgSyntheticConfig

pytestmark = [pytest.mark.reproduction, pytest.mark.xdist_group("baseline-ecg")]

TARGET = "diagnoses"
FIT = TrainingSettings(epochs=8, batch_size=32, learning_rate=5e-3, weight_decay=1e-2, patience=None)


@dataclass
class Fitted:
    data: EcgSynthetic
    model: Model
    train: Subset
    test: Subset

    @property
    def labels(self) -> np.ndarray:
        return self.test.target_values(TARGET)

    @property
    def signals(self) -> torch.Tensor:
        return torch.from_numpy(self.test.read(np.arange(len(self.test))).inputs["ecg"])

    def logits(self, x: torch.Tensor) -> np.ndarray:
        with torch.no_grad():
            return torch.cat([self.model(Batch({"ecg": some})) for some in x.split(100)]).numpy()

    def score(self, logits: np.ndarray) -> float:
        return roc_auc_score(self.labels, logits, average="macro")


def holdout(data: EcgSynthetic, seed: int):
    (split,) = SubjectHoldout(SubjectHoldoutConfig(test=0.25, validation=0.1)).splits(data, TARGET, seed)
    return [data.subset(at) for at in (split.train, split.validation, split.test)]


def fit(seed: int) -> Fitted:
    data = EcgSynthetic(EcgSyntheticConfig(records=2000, subjects=1000, labels=TARGET, seed=seed))
    train, validation, test = holdout(data, seed)
    torch.manual_seed(seed)
    encoder = XResNet1d(XResNet1d.config_type(inputs={"ecg": data.spec.input("ecg")}, variant="tiny", augment="none"))
    units = tuple(f"ecg:{name}" for name in encoder.names)
    tokens = {"ecg": encoder.token_shapes[""]}
    head = LinearTokens(LinearTokens.config_type(units=units, target=data.spec.target(TARGET), tokens=tokens))
    sides = Sides(train, validation, TARGET)
    prepare_encoder(encoder, sides)
    model, _ = fit_model({"ecg": encoder}, head, sides, FIT.model_copy(update={"seed": seed}))
    return Fitted(data, model, train, test)


@pytest.fixture(
    scope="module", params=[0, pytest.param(1, marks=pytest.mark.nightly), pytest.param(2, marks=pytest.mark.nightly)]
)
def fitted(request) -> Fitted:
    return fit(request.param)


def test_the_small_network_tells_the_five_diagnoses(fitted):
    score = fitted.score(fitted.logits(fitted.signals))
    print(f"macro AUROC of xresnet1d tiny: {score:.3f}")
    assert score >= 0.95


def test_a_linear_model_of_samples_does_not_as_beats_begin_anywhere(fitted):
    raw = [one.read(np.arange(len(one))).inputs["ecg"].reshape(len(one), -1) for one in (fitted.train, fitted.test)]
    scaler = StandardScaler().fit(raw[0])
    train, test = (scaler.transform(one) for one in raw)
    known = fitted.train.target_values(TARGET)
    best = []
    # The penalty that is best on the test recordings themselves: the control is given every chance.
    for strength in (1e-6, 1e-4):
        models = [LogisticRegression(C=strength, max_iter=100).fit(train, known[:, at]) for at in range(known.shape[1])]
        best.append(fitted.score(np.stack([model.decision_function(test) for model in models], axis=1)))
    print(f"macro AUROC of a linear model of samples: {max(best):.3f}")
    assert max(best) <= 0.80


def test_what_a_monitor_counts_does_not(fitted):
    baseline = TrivialBaseline(fitted.data.spec, TARGET).fit(fitted.train)
    score = fitted.score(baseline.predict(fitted.test))
    print(f"macro AUROC of mean RR interval and signal size: {score:.3f}")
    assert score <= 0.85


def test_it_needs_to_know_which_lead_is_which(fitted):
    x, generator = fitted.signals, torch.Generator().manual_seed(0)
    mixed = torch.stack([one[torch.randperm(len(one), generator=generator)] for one in x])
    still, without = fitted.score(fitted.logits(x)), fitted.score(fitted.logits(mixed))
    print(f"macro AUROC with leads in place {still:.3f}, in any order {without:.3f}")
    assert without <= still - 0.05


# --- patients ---------------------------------------------------------------------------------------------------------


def test_a_patient_in_two_folds_is_refused():
    data = EcgSynthetic(EcgSyntheticConfig(records=60, subjects=30, labels=TARGET))
    side = np.where(np.arange(60) % 30 < 20, "train", "test")
    data.frame["split"] = side
    protocol = SubjectHoldout(SubjectHoldoutConfig(column="split"))
    (split,) = protocol.splits(data, TARGET, 0)
    subjects = [set(data.frame["subject"].iloc[at]) for at in (split.train, split.validation, split.test)]
    assert not subjects[0] & subjects[2]
    assert not subjects[0] & subjects[1]
    # One recording of one patient of the training side is moved to the other.
    data.frame.loc[data.frame.index[0], "split"] = "test"
    with pytest.raises(LeakageError, match=r"1 subject, .*stand on more than one side"):
        list(protocol.splits(data, TARGET, 0))


def test_a_network_refuses_to_be_judged_on_whom_it_has_learnt_from(fitted):
    with pytest.raises(LeakageError, match="subjects it has learnt from"):
        fitted.model.learned_from.refuse(fitted.train.learned_from, part="xresnet1d")
    fitted.model.learned_from.refuse(fitted.test.learned_from, part="xresnet1d")
