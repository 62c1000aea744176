"""Acceptance of EEGFormer: spectra as codes, and naive Bayes over n-grams of them, on discharges whose place is known.

800 windows of 40 made-up people, eight channels, four seconds at 128 Hz: 3 Hz spike-and-wave on three channels or 10 Hz alpha on
the two at the back, of equal power. A transformer of two layers, 32 wide, 64 codes, 400 steps; 24 people to learn from, 4 to stop
by, 12 to be judged on. Patches are of 64 bins, as proposed: 16 Hz here, where they are 5.3 Hz in windows of twelve seconds. Seed 0 runs
with the other reproductions, the seeds 1 and 2 nightly.

How strong discharges are was not proposed. Where the spectrum is to be reconstructed they are twice the noise: the mean spectrum
of each class, which knows the label, leaves 0.58 of the error of the mean of all at a strength of 1 and 0.41 at 2. Where the learnt
encoder is to beat an untrained one they are 0.4, as both are perfect from 1 on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pellucid.batch import Batch, collate
from pellucid.data.subset import Subset
from pellucid.encoders.quantiser import perplexity
from pellucid.errors import LeakageError
from pellucid.heads.codes.naive_bayes import NGramNaiveBayes, NGramNaiveBayesConfig
from pellucid.model import Model
from pellucid.ngrams import NGrams
from pellucid.regions import FrequencyBand, around
from pellucid.representation import Representation
from pellucid.training.fit import Sides, fit_encoder, fit_model
from pellucid.training.settings import TrainingSettings
from pellucid_datasets.electroencephalograms.discharges import PEAKS_HZ, PLACES
from pellucid_datasets.electroencephalograms.scalp import DISCHARGES
from pellucid_eeg.encoders.eegformer import EegFormer
from pellucid_eeg.encoders.spectra import standardised
from pellucid_eeg.synthetic import EegSynthetic, EegSyntheticConfig

pytestmark = [pytest.mark.reproduction, pytest.mark.xdist_group("eegformer")]

TARGET = "spike-wave"
STRONG, WEAK = 2.0, 0.4
STEPS = TrainingSettings(epochs=40, batch_size=48, learning_rate=1e-3, patience=None)
"""480 windows: 10 steps an epoch, 400 in all."""

SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in (1, 2))]


def seeds_but_for(seed: int, measured: str) -> list:
    """All seeds, of which one is known to miss a threshold."""
    missed = pytest.param(seed, marks=[pytest.mark.nightly, pytest.mark.xfail(strict=True, reason=measured)])
    return [one for one in SEEDS if one == 0 or one.values != (seed,)] + [missed]


TOP = 5


@dataclass(frozen=True)
class Learnt:
    """An encoder fitted on 24 people, and the three sides."""

    encoder: EegFormer
    train: Subset
    validation: Subset
    test: Subset


def sides(seed: int, strength: float) -> tuple[Subset, Subset, Subset]:
    data = EegSynthetic(
        EegSyntheticConfig(task="spike-wave", subjects=40, train_trials=20, test_trials=0, strength=strength, seed=seed)
    )
    subjects = data.frame["subject"].to_numpy()
    order = np.random.default_rng(seed).permutation(np.unique(subjects))
    train, validation, test = (
        data.subset(np.flatnonzero(np.isin(subjects, some))) for some in np.split(order, [24, 28])
    )
    return train, validation, test


def built(data: Subset, seed: int, patch: int = 64, **options) -> EegFormer:
    torch.manual_seed(seed)
    settings = {"width": 32, "depth": 2, "heads": 4, "feed_forward": 128, "codes": 64, "restart_steps": 100} | options
    inputs = {"eeg": data.spec.input("eeg")}
    return EegFormer(EegFormer.config_type(inputs=inputs, patch=patch, stride=patch, **settings))


@lru_cache(maxsize=4)
def learnt(seed: int, strength: float, patch: int = 64) -> Learnt:
    train, validation, test = sides(seed, strength)
    encoder = built(train, seed, patch)
    fit_encoder(encoder, Sides(train, validation), STEPS.model_copy(update={"seed": seed}))
    return Learnt(encoder.eval(), train, validation, test)


def batch_of(data: Subset) -> Batch:
    return collate(data, np.arange(len(data)), TARGET)


def labels(data: Subset) -> np.ndarray:
    return data.target_values(TARGET)[:, 0].astype(int)


@torch.no_grad()
def represented(encoder: EegFormer, data: Subset) -> Representation:
    return encoder.eval()(batch_of(data))


def probed(encoder: EegFormer, train: Subset, test: Subset) -> float:
    """AUROC of logistic regression on the mean vector of the codes."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    probe.fit(represented(encoder, train).values.numpy(), labels(train))
    return float(roc_auc_score(labels(test), probe.decision_function(represented(encoder, test).values.numpy())))


@lru_cache(maxsize=4)
def read(seed: int, strength: float, patch: int = 64) -> Model:
    found = learnt(seed, strength, patch)
    units = tuple(f"eeg:{name}" for name in found.encoder.names)
    config = NGramNaiveBayesConfig(
        units=units, target=found.train.spec.target(TARGET), tokens={"eeg": found.encoder.token_shapes[""]}, most=4096
    )
    learning = Sides(found.train, found.validation, TARGET)
    return fit_model({"eeg": found.encoder}, NGramNaiveBayes(config), learning, STEPS)[0]


@dataclass(frozen=True)
class Placed:
    """An n-gram and where it stands among the test windows: its commonest band, and the share on the channels of discharges."""

    band: FrequencyBand
    on_channels: float
    times: int

    @property
    def holds_a_peak(self) -> bool:
        return any(self.band.low_hz <= hz <= self.band.high_hz for hz in PEAKS_HZ["spike-wave"])


def strongest(seed: int, strength: float, patch: int = 64) -> list[Placed]:
    """The n-grams of the highest odds for discharges."""
    found, model = learnt(seed, strength, patch), read(seed, strength, patch)
    head = model.head
    assert isinstance(head, NGramNaiveBayes)
    codes = represented(found.encoder, found.test).tokens[""].codes
    grams: NGrams = head.grams
    keys, regions = grams.keys(codes), found.encoder.regions()
    placed = []
    for unit in head.weight[0, : len(head.vocabulary)].argsort(descending=True)[:TOP].tolist():
        where = torch.nonzero(keys == head.vocabulary[unit])[:, 1].tolist()
        bands = [grams.occurrences[at] for at in where]
        start = np.bincount([one.start for one in bands]).argmax()
        band = around(regions[start : start + bands[0].length])
        on = np.isin([DISCHARGES[one.line] for one in bands], PLACES["spike-wave"]).mean()
        placed.append(Placed(band, float(on), len(where)))
    return placed


# --- 1. reconstruction ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", seeds_but_for(2, "0.553 of the error of the mean"))
def test_spectra_are_reconstructed_better_than_by_their_mean_and_codes_do_not_collapse(seed):
    found = learnt(seed, STRONG)
    with torch.no_grad():
        quantised, spectrum, _ = found.encoder.quantised(batch_of(found.test))
        again = found.encoder.reconstructed(quantised.values)
    x, _, _ = standardised(batch_of(found.train).inputs["eeg"])
    mean = found.encoder.spectrum(x).mean((0, 1))
    share = float((again - spectrum).square().mean() / (mean - spectrum).square().mean())
    used = float(perplexity(torch.bincount(quantised.codes.flatten(), minlength=64)))
    print(f"\nseed {seed}: error {share:.3f} of that of the mean, perplexity {used:.1f} of 64")
    assert share <= 0.5
    assert used >= 8


# --- 2. the linear probe ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", seeds_but_for(2, "AUROC 0.935"))
def test_a_linear_probe_on_codes_finds_the_class_and_one_on_an_untrained_encoder_does_so_less(seed):
    found = learnt(seed, WEAK)
    trained = probed(found.encoder, found.train, found.test)
    untrained = probed(built(found.train, seed), found.train, found.test)
    begun = built(found.train, seed)
    begun.prepare([batch_of(found.train)])
    drawn = probed(begun, found.train, found.test)
    print(
        f"\nseed {seed}: learnt {trained:.3f}, untrained {untrained:.3f}, untrained with codes drawn from latents {drawn:.3f}"
    )
    assert trained >= 0.95
    assert untrained <= trained - 0.05


# --- 3. n-grams -------------------------------------------------------------------------------------------------------


def auroc(seed: int, strength: float, patch: int = 64) -> float:
    test = learnt(seed, strength, patch).test
    return float(roc_auc_score(labels(test), read(seed, strength, patch).logits(test)[:, 0].numpy()))


@pytest.mark.parametrize("seed", SEEDS)
def test_naive_bayes_over_n_grams_finds_the_class_strong_or_weak(seed):
    strong, weak = auroc(seed, STRONG), auroc(seed, WEAK)
    print(f"\nseed {seed}: n-grams {strong:.3f}, where discharges are weak {weak:.3f}")
    assert strong >= 0.85
    assert weak >= 0.85


@pytest.mark.parametrize("seed", SEEDS)
def test_n_grams_of_the_highest_odds_stand_on_the_channels_of_discharges(seed):
    placed = strongest(seed, STRONG)
    on = sum(one.on_channels * one.times for one in placed) / sum(one.times for one in placed)
    print(f"\nseed {seed}: {on:.1%} on the channels; {placed}")
    assert on >= 0.8


@pytest.mark.xfail(strict=True, reason="1, 2 and 2 of 5: codes above 16 Hz tell what is below")
@pytest.mark.parametrize("seed", SEEDS)
def test_n_grams_of_the_highest_odds_stand_in_bands_of_discharges(seed):
    assert sum(one.holds_a_peak for one in strongest(seed, STRONG)) >= 4


@pytest.mark.parametrize("seed", SEEDS)
def test_with_patches_of_4_hz_they_stand_in_bands_of_discharges_too(seed):
    placed = strongest(seed, STRONG, 16)
    assert sum(one.holds_a_peak for one in placed) >= 4
    assert sum(one.on_channels * one.times for one in placed) / sum(one.times for one in placed) >= 0.8


def test_a_code_tells_of_bands_that_are_not_its_own():
    found = learnt(0, STRONG)
    x, _, _ = standardised(batch_of(found.test).inputs["eeg"])
    spectrum = found.encoder.spectrum(x)
    other = spectrum.clone()
    # From 0 to 16 Hz that of another window.
    other[..., :64] = spectrum.roll(1, 0)[..., :64]
    with torch.no_grad():
        before, after = (found.encoder.quantiser(found.encoder.latents(one)).codes for one in (spectrum, other))
    changed = (before != after).double().mean((0, 1))
    print(f"\ncodes that change, band by band: {changed.tolist()}")
    assert changed[1:].max() >= 0.3


# --- 4. gradients -----------------------------------------------------------------------------------------------------


def gradients(**options) -> EegFormer:
    train, _, _ = sides(0, STRONG)
    encoder = built(train, 0, **options)
    encoder.prepare([collate(train, np.arange(64))])
    encoder.train()
    encoder.loss(collate(train, np.arange(16))).backward()
    return encoder


def test_gradients_pass_straight_through_codes_and_the_codebook_learns_from_the_second_term_alone():
    encoder = gradients(commitment=0.0)
    assert encoder.inward.weight.grad.abs().sum() > 0
    assert all(
        p.grad.abs().sum() > 0 for name, p in encoder.encoder.named_parameters() if "self_attn.in_proj_bias" not in name
    )
    assert encoder.quantiser.codebook.grad.abs().sum() > 0
    without = gradients(codebook_weight=0.0)
    assert without.inward.weight.grad.abs().sum() > 0
    assert not without.quantiser.codebook.grad.any()


# --- 5. channels ------------------------------------------------------------------------------------------------------


def test_permuted_channels_give_permuted_codes_and_the_same_units():
    train, _, test = sides(0, STRONG)
    encoder, batch = built(train, 0), batch_of(test)
    encoder.prepare([batch_of(train)])
    order = torch.tensor([3, 0, 7, 5, 1, 6, 2, 4])
    with torch.no_grad():
        plain, turned = encoder.eval()(batch), encoder(batch.with_input("eeg", batch.inputs["eeg"][:, order]))
    shape = (len(DISCHARGES), encoder.count)
    expected = plain.tokens[""].codes.unflatten(1, shape)[:, order]
    assert torch.equal(turned.tokens[""].codes.unflatten(1, shape), expected)
    assert torch.equal(
        turned.tokens[""].values.unflatten(1, shape), plain.tokens[""].values.unflatten(1, shape)[:, order]
    )
    # A sum in another order.
    assert torch.allclose(turned.values, plain.values, atol=1e-5)


# --- nobody is judged who was learnt from -----------------------------------------------------------------------------


def test_the_encoder_says_whom_it_has_learnt_from_though_it_saw_no_label():
    found = learnt(0, STRONG)
    found.encoder.learned_from.refuse(found.test.learned_from, part="encoder")
    for side in (found.train, found.validation):
        with pytest.raises(LeakageError):
            found.encoder.learned_from.refuse(side.learned_from, part="encoder")
