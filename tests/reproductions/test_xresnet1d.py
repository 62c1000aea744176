"""Acceptance of the PTB-XL benchmark's network: its size, its windows, and how its scores are judged."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from pellucid.batch import Batch
from pellucid.data.spec import MultiLabel, Signal
from pellucid.encoders.signals.xresnet1d import XResNet1d, XResNet1dConfig
from pellucid.heads.functions.linear import Linear
from pellucid.heads.tokens import LinearTokens, LinearTokensConfig
from pellucid.model import Model
from pellucid.representation import Representation, Tokens
from pellucid.statistics.bootstrap import interval, subject_weights
from pellucid.statistics.ranking import auroc, macro

pytestmark = pytest.mark.reproduction

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
ECG = Signal(channels=LEADS, length=1000, rate_hz=100.0, units="mV")
LABELS = tuple(f"label {number}" for number in range(71))


def xresnet(**options) -> XResNet1d:
    torch.manual_seed(0)
    return XResNet1d(XResNet1dConfig(inputs={"ecg": ECG}, **options)).eval()


# --- size -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "labels", "parameters"),
    [("101", 71, 1_880_775), ("101", 5, 1_872_261), ("50", 71, 962_503), ("50", 5, 953_989)],
)
@pytest.mark.parametrize("head", [Linear, LinearTokens])
def test_it_has_the_parameters_of_the_released_network(variant, labels, parameters, head):
    encoder = xresnet(variant=variant)
    units = tuple(f"ecg:{name}" for name in encoder.names)
    tokens = {"ecg": encoder.token_shapes[""]}
    end = head(head.config_type(units=units, target=MultiLabel(names=LABELS[:labels]), tokens=tokens))
    assert sum(p.numel() for p in Model({"ecg": encoder}, end).parameters()) == parameters


# --- windows ----------------------------------------------------------------------------------------------------------


def test_ten_seconds_make_seven_windows_of_two_and_a_half_at_steps_of_one_and_a_quarter():
    z = xresnet()(Batch({"ecg": torch.randn(1, 12, 1000)}))
    spans = [(span.start_s, span.stop_s) for span in z.tokens[""].regions]
    assert spans == [(at * 1.25, at * 1.25 + 2.5) for at in range(7)]
    assert z.tokens[""].values.shape == (1, 7, 128)


def test_the_crop_is_random_while_it_learns_and_fixed_afterwards():
    # Each second of the signal stands on a level of its own, so that a crop's mean says where it begins.
    level = torch.arange(1000.0).expand(200, 12, -1).clone()
    seen = []
    encoder = xresnet(standardise="none")
    encoder.body.register_forward_hook(lambda module, given, out: seen.append(given[0]))
    encoder.train()(Batch({"ecg": level}))
    starts = seen[-1][:, 0, 0]
    assert seen[-1].shape == (200, 12, 250)
    assert (seen[-1] == starts[:, None, None] + torch.arange(250)).all()
    assert starts.min() < 40
    assert starts.max() > 710
    assert len(starts.unique()) > 150
    encoder.eval()
    first, second = encoder(Batch({"ecg": level[:3]})), encoder(Batch({"ecg": level[:3]}))
    assert torch.equal(first.values, second.values)
    assert sorted(set(seen[-1][:, 0, 0].tolist())) == [125.0 * at for at in range(7)]


def test_the_largest_of_the_windows_finds_an_event_of_a_second_and_a_half_that_their_mean_waters_down():
    rng = np.random.default_rng(0)
    length, window = 1000, 250
    x = rng.normal(0, 1, (400, length))
    has = rng.random(400) < 0.5
    for at in np.flatnonzero(has):
        start = rng.integers(0, length - 150)
        x[at, start : start + 150] += 0.5
    # The network's own windows, with their means as the one unit: what a perfect detector of this event would say.
    encoder = xresnet(standardise="none")
    spans = [round(span.start_s * 100) for span in encoder.regions()]
    means = torch.tensor(np.stack([x[:, at : at + window].mean(1) for at in spans], axis=1)[:, :, None]).float()
    z = Representation(means.mean(1), ("ecg:f0",), {"ecg": Tokens(means, encoder.regions(), input="ecg")})
    scores = {}
    for pool in ("max", "mean"):
        config = LinearTokensConfig(
            units=z.names, target=MultiLabel(names=("event",)), tokens={"ecg": {"count": 7, "width": 1}}, pool=pool
        )
        head = LinearTokens(config)
        with torch.no_grad():
            head.weight.fill_(1.0)
            scores[pool] = roc_auc_score(has, head(z)[:, 0])
    assert scores["max"] >= scores["mean"] + 0.02
    assert scores["max"] > 0.9


# --- scores -----------------------------------------------------------------------------------------------------------


def test_the_score_is_the_macro_average_of_scikit_learn_over_labels_with_both_classes():
    rng = np.random.default_rng(1)
    labels = (rng.random((300, 71)) < rng.uniform(0.02, 0.5, 71)).astype(float)
    labels[:, :4] = 0
    scores = labels + rng.normal(0, 1.5, labels.shape)
    both = (labels.mean(0) > 0) & (labels.mean(0) < 1)
    assert not both[:4].any()
    expected = roc_auc_score(labels[:, both], scores[:, both], average="macro")
    assert macro(auroc, labels, scores, np.ones(300)) == pytest.approx(expected)


def test_the_interval_of_nine_tenths_covers_the_true_score_in_nine_of_ten_cohorts():
    # Scores of a yes are normal around 1, of a no around 0: the true area is Phi(1 / sqrt(2)).
    truth, covered, cohorts = 0.76025, 0, 400
    rng = np.random.default_rng(2)
    for cohort in range(cohorts):
        labels = (rng.random((150, 3)) < 0.4).astype(float)
        scores = labels + rng.normal(size=labels.shape)
        weights = subject_weights(np.arange(150), replicates=200, seed=cohort)
        found = interval(lambda w, y=labels, s=scores: macro(auroc, y, s, w), weights, level=0.9)
        covered += found.low <= truth <= found.high
    assert 0.86 <= covered / cohorts <= 0.94
