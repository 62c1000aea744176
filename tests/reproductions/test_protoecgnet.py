"""Acceptance of ProtoECGNet on made-up electrocardiograms: prototypes that are training recordings and point at what was planted.

Trained on recordings whose ST segment is shifted in some beats, judged on twins of unseen people in which it is shifted in one.
Normalisation by the batch, as released: a norm over a whole recording would tell every cell what is elsewhere, and prototypes
could then lie anywhere.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.data.subset import Subset
from pellucid.errors import ContractError
from pellucid.model import Model
from pellucid.protocols.splitting.subject_holdout import SubjectHoldout, SubjectHoldoutConfig
from pellucid.training.fit import Sides, fit_model, prepare_encoder
from pellucid.training.settings import TrainingSettings
from pellucid_ecg.encoders.protoecgnet import ProtoEcgNet
from pellucid_ecg.heads.protoecgnet import ProtoEcgNetHead
from pellucid_ecg.synthetic import EcgSynthetic, EcgSyntheticConfig

pytestmark = [pytest.mark.reproduction, pytest.mark.xdist_group("protoecgnet")]

TARGET, ST = "signs", "st-shift-v1-v3"
INJURED = {"V1", "V2", "V3"}
FIT = TrainingSettings(epochs=14, batch_size=16, learning_rate=5e-3, weight_decay=1e-4, patience=None)


@dataclass
class Fitted:
    data: EcgSynthetic
    model: Model
    train: Subset
    test: Subset
    one_beat: Subset
    """The test recordings with the shift, in one beat alone."""

    @property
    def head(self) -> ProtoEcgNetHead:
        assert isinstance(self.model.head, ProtoEcgNetHead)
        return self.model.head

    @property
    def own(self) -> torch.Tensor:
        """Prototypes of the ST shift."""
        return torch.nonzero(self.head.class_of == self.head.classes.index(ST))[:, 0]

    def score(self, model: Model) -> float:
        with torch.no_grad():
            logits = torch.cat([model.eval()(Batch({"ecg": some})) for some in signals(self.test).split(100)])
        return roc_auc_score(self.test.target_values(TARGET), logits, average="macro")


def signals(data) -> torch.Tensor:
    return torch.from_numpy(data.read(np.arange(len(data))).inputs["ecg"])


def fit(seed: int) -> Fitted:
    config = EcgSyntheticConfig(records=800, subjects=400, st_beats="some", seed=seed)
    data, twins = EcgSynthetic(config), EcgSynthetic(config.model_copy(update={"st_beats": "one"}))
    (split,) = SubjectHoldout(SubjectHoldoutConfig(test=0.25, validation=0.1)).splits(data, TARGET, seed)
    train, validation, test = (data.subset(at) for at in (split.train, split.validation, split.test))
    torch.manual_seed(seed)
    encoder = ProtoEcgNet(
        ProtoEcgNet.config_type(
            inputs={"ecg": data.spec.input("ecg")},
            widths=(16, 16, 16, 16),
            blocks=(1, 1, 2, 2),
            norm="batch",
            augment="none",
        )
    )
    head = ProtoEcgNetHead(
        ProtoEcgNetHead.config_type(
            units=tuple(f"ecg:{name}" for name in encoder.names),
            tokens={f"ecg:{name}": shape for name, shape in encoder.token_shapes.items()},
            target=data.spec.target(TARGET),
            rhythm_labels=("tachycardia", "irregular-rr"),
            global_labels=("digitalis-like",),
            rhythm_per_class=4,
            morphology_per_class=6,
            global_per_class=4,
            morphology_pool="max",
            addon_width=0,
            warm_up=1.0,
            joint=0.0,
        )
    )
    sides = Sides(train, validation, TARGET)
    prepare_encoder(encoder, sides)
    model, _ = fit_model({"ecg": encoder}, head, sides, FIT.model_copy(update={"seed": seed}))
    shifted = test.indices[[bool(places) for places in test.planted(ST)]]
    return Fitted(data, model, train, test, twins.subset(shifted))


@pytest.fixture(
    scope="module", params=[0, pytest.param(1, marks=pytest.mark.nightly), pytest.param(2, marks=pytest.mark.nightly)]
)
def fitted(request) -> Fitted:
    return fit(request.param)


# --- 1: every prototype is a window of a training recording of its class ----------------------------------------------


def cosines(fitted: Fitted, model: Model) -> np.ndarray:
    """Of each prototype and the latent of its source, which is made again by the data's own seed and read and encoded anew."""
    head, again = model.head, EcgSynthetic(fitted.data.config)
    assert isinstance(head, ProtoEcgNetHead)
    found = []
    for one, (name, window) in enumerate(zip(head.sources, head.source_window.tolist(), strict=True)):
        at = again.frame.index.get_loc(name)
        with torch.no_grad():
            z = model.eval().encode(Batch({"ecg": torch.from_numpy(again.read(np.array([at])).inputs["ecg"])}))
        set_index = int(head.set_of[one])
        length = head.sets[set_index].window
        latent = head.cells(z, set_index)[0, window : window + length].flatten()
        own = head.prototypes[set_index][one - head.span(set_index).start].detach()
        found.append(float(functional.cosine_similarity(own.double(), latent.double(), dim=0)))
    return np.array(found)


def test_every_prototype_is_a_window_of_a_training_recording_of_its_class(fitted):
    head = fitted.head
    # 4 of rhythm for each of two labels, 6 of morphology for each of two, 4 of whole recordings for one.
    assert len(head.sources) == 24
    labels = dict(zip(fitted.data.frame.index, fitted.data.target_values(TARGET), strict=True))
    learnt = set(fitted.train.frame.index)
    for name, one in zip(head.sources, head.class_of.tolist(), strict=True):
        assert name in learnt
        assert labels[name][one] == 1
    found = cosines(fitted, fitted.model)
    print(f"smallest cosine of a prototype and its source: 1 - {1 - found.min():.1e}")
    assert found.min() >= 1 - 1e-5
    fitted.model.check()


@pytest.mark.parametrize("trunk", ["rhythm", "morphology", "global"])
def test_one_weight_changed_and_the_prototypes_are_refused(fitted, trunk):
    other = copy.deepcopy(fitted.model)
    with torch.no_grad():
        next(p for n, p in other.named_parameters() if f"trunks.{trunk}" in n).view(-1)[3] += 0.5
    with pytest.raises(ContractError, match="encoder has changed since the prototypes"):
        other.check()
    with pytest.raises(ContractError, match="encoder has changed since the prototypes"):
        other.predict(fitted.test)
    moved = cosines(fitted, other)
    same = np.array(["rhythm", "morphology", "global"])[other.head.set_of] != trunk
    assert moved[same].min() >= 1 - 1e-5
    # Not each of them: a weight whose unit is silent in a prototype's window changes nothing there.
    assert moved[~same].min() < 1 - 1e-5


# --- 2: what projection costs -----------------------------------------------------------------------------------------


class Plain(torch.nn.Module):
    """The network with the plain linear layer that it learnt with, before there are prototypes."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> torch.Tensor:
        head, z = self.model.head, self.model.encode(batch)
        assert isinstance(head, ProtoEcgNetHead)
        return torch.stack([head.plain_scores(z, at).amax(1) for at in range(len(head.sets))]).sum(0)


def test_projection_and_refit_cost_little(fitted):
    before, after = fitted.score(Plain(fitted.model)), fitted.score(fitted.model)
    print(f"macro AUROC before prototypes {before:.3f}, after projection and refit {after:.3f}")
    assert after >= before - 0.03
    assert after >= 0.90


# --- 3: where the shift is --------------------------------------------------------------------------------------------


def test_the_best_window_lies_over_the_one_beat_with_the_shift(fitted):
    head, z = fitted.head, fitted.model.representation(fitted.one_beat)
    at = head.output_index(ST)
    with torch.no_grad():
        contributions = ((head.similarities(z) - head.centre) * head.weights[at])[:, fitted.own]
    best = head.best_windows(z)
    prototype_set = head.sets[int(head.set_of[fitted.own[0]])]
    hits, by_chance = [], []
    for sample, (place,) in enumerate(fitted.one_beat.planted(ST)):
        strongest = int(fitted.own[contributions[sample].argmax()])
        spans = [head.region(z, strongest, window) for window in range(prototype_set.windows)]
        over = np.array([span.start_s < place.stop_s and place.start_s < span.stop_s for span in spans])
        hits.append(over[int(best[sample, strongest])])
        by_chance.append(over.mean())
    print(f"best window over the beat in {np.mean(hits):.1%} of {len(hits)}, a random one in {np.mean(by_chance):.1%}")
    assert np.mean(hits) >= 0.80
    assert np.mean(by_chance) <= 0.40


def test_the_likeness_rests_on_the_leads_with_the_shift(fitted):
    """Each lead of the best window is covered in turn: the one without which the likeness falls most is an injured one."""
    head, model = fitted.head, fitted.model
    x, leads = signals(fitted.one_beat), fitted.data.spec.input("ecg").channels
    z = model.representation(fitted.one_beat)
    at, best = head.output_index(ST), head.best_windows(z)
    with torch.no_grad():
        strongest = fitted.own[((head.similarities(z) - head.centre) * head.weights[at])[:, fitted.own].argmax(1)]
        mean, right = signals(fitted.train).mean((0, 2)), []
        for sample, one in enumerate(strongest.tolist()):
            window, set_index = int(best[sample, one]), int(head.set_of[one])
            span = head.region(z, one, window)
            covered = x[sample].expand(len(leads), -1, -1).clone()
            each = torch.arange(len(leads))
            covered[each, each, round(span.start_s * 100) : round(span.stop_s * 100)] = mean[:, None]
            similarities = head.window_similarities(model.encode(Batch({"ecg": covered})), set_index)[
                :, window, one - head.span(set_index).start
            ]
            right.append(leads[int(similarities.argmin())] in INJURED)
    print(f"the lead that the likeness rests on is V1, V2 or V3 in {np.mean(right):.1%}; by chance in 25 %")
    assert np.mean(right) >= 0.80


# --- 5: the explanation is the output ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tachycardia", "irregular-rr", "wide-qrs", ST, "digitalis-like"])
def test_logits_are_contributions_and_bias(fitted, name):
    told = fitted.model.explain(fitted.test, name)
    logits = fitted.model.logits(fitted.test)[:, fitted.head.output_index(name)]
    total = told.baseline.double() + told.contributions.double().sum(1)
    assert told.contributions.shape == (len(fitted.test), 24)
    assert (total - logits.double()).abs().max() <= 1e-5 * max(1.0, float(logits.abs().max()))
    assert torch.equal(
        told.baseline, fitted.head.bias[fitted.head.output_index(name)].detach().expand(len(fitted.test))
    )
