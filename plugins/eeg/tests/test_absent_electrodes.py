"""Masked electrodes: never read, replaced by what the others tell, and of a source that is still seen little is lost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from pellucid import plugins
from pellucid.assembly import facts_of
from pellucid.batch import Batch
from pellucid.data import ArrayDataset, Binary, DataSpec, Signal
from pellucid.heads.functions.lda import Lda
from pellucid.training.fit import Sides, fit_encoder, fit_model
from pellucid.training.settings import TrainingSettings
from pellucid_datasets.electroencephalograms.noise import band_noise, pink_noise
from pellucid_datasets.electroencephalograms.scalp import dipole_potential
from pellucid_eeg.encoders.absent import Together, filled, untold
from pellucid_eeg.recordings.electrodes import TEN_TWENTY, positions

RATE_HZ, LENGTH = 128.0, 512
ENCODERS = ("csp", "eegnet", "shallow-convnet", "deep4", "eegconformer")


def spec(channels) -> Signal:
    return Signal(channels=tuple(channels), length=LENGTH, rate_hz=RATE_HZ, units="uV")


def mixed(count: int = 40, seed: int = 0) -> torch.Tensor:
    """Six channels with offsets; the last is nearly the mean of the first two."""
    rng = np.random.default_rng(seed)
    x = 10 * pink_noise((count, 6, LENGTH), RATE_HZ, rng)
    x[:, 5] = (x[:, 0] + x[:, 1]) / 2 + 0.1 * rng.normal(size=(count, LENGTH))
    return torch.from_numpy((x + 1000 * np.arange(6)[:, None]).astype(np.float32))


def batch(x, known=None) -> Batch:
    labels = (torch.arange(len(x)) % 2)[:, None].float()
    return Batch({"eeg": x}, {} if known is None else {"eeg": known}, labels)


def without(x, *channels: int) -> torch.Tensor:
    known = torch.ones_like(x, dtype=torch.bool)
    known[:, list(channels)] = False
    return known


# --- the expectation --------------------------------------------------------------------------------------------------


def test_covariances_are_those_of_numpy_whatever_the_offsets_and_gaps_count_for_no_pair():
    x = mixed()
    together, holed = Together(6), Together(6)
    for part in (x[:7], x[7:]):
        together.add(part, None)
        holed.add(part, torch.ones_like(part, dtype=torch.bool))
    flat = x.transpose(0, 1).flatten(1).double().numpy()
    np.testing.assert_allclose(together.covariance, np.cov(flat, bias=True), rtol=1e-3, atol=0.05)
    np.testing.assert_allclose(holed.covariance, together.covariance, rtol=1e-3, atol=0.05)
    gaps = Together(6)
    known = without(x, 3)
    known[:20] = True
    gaps.add(torch.where(known, x, torch.full_like(x, 9e4)), known)
    assert gaps.covariance[3, 3] == pytest.approx(np.cov(flat[3, : 20 * LENGTH], bias=True), rel=1e-3)


def test_means_and_covariances_of_what_has_gaps_are_those_of_masked_arrays():
    x, known = mixed(), torch.rand(40, 6, LENGTH, generator=torch.Generator().manual_seed(0)) < 0.7
    # Of one channel nothing is known at first, and two are never known together.
    known[:10, 4], known[:, 0], known[20:, 1] = False, known[:, 0] & (torch.arange(40) >= 20)[:, None], False
    together = Together(6)
    for rows in (slice(0, 10), slice(10, 25), slice(25, 40)):
        together.add(torch.where(known, x, torch.full_like(x, 9e4))[rows], known[rows])
    flat = np.ma.array(x.transpose(0, 1).flatten(1).double(), mask=~known.transpose(0, 1).flatten(1))
    np.testing.assert_allclose(together.means[:, 0], flat.mean(1), rtol=1e-5, atol=0.01)
    expected = np.ma.cov(flat, bias=True).filled(0)
    assert together.covariance[0, 1] == together.covariance[1, 0] == expected[0, 1] == 0
    np.testing.assert_allclose(together.covariance, expected, rtol=0.01, atol=0.3)


def test_what_is_untold_is_the_covariance_of_what_the_regression_leaves():
    x = mixed(200) - 1000 * torch.arange(6)[:, None]
    together = Together(6)
    together.add(x, None)
    known = without(x[:3], 5, 2)
    known[1], known[2] = True, False
    found = untold(known, together.covariance)
    assert untold(None, together.covariance) is None
    assert untold(torch.ones_like(known), together.covariance) is None
    left = x - filled(torch.where(without(x, 5, 2), x, 0.0), without(x, 5, 2), together.covariance)
    expected = np.cov(left.transpose(0, 1).flatten(1).double(), bias=True)
    # The ridge of a hundredth keeps a little of what others tell.
    np.testing.assert_allclose(found[0], expected, atol=0.02 * float(together.covariance.diagonal().mean()))
    assert expected[2, 2] > 0.9 * together.covariance[2, 2]
    assert 0 < expected[5, 5] < 0.05 * together.covariance[5, 5]
    # Where none is absent nothing is left; where all are, nothing is put in their place.
    assert not found[1].any()
    assert not found[2].any()


def test_an_absent_channel_is_the_regression_on_the_others():
    x = mixed() - 1000 * torch.arange(6)[:, None]
    together = Together(6)
    together.add(x, None)
    hidden = torch.where(without(x, 5, 2), x, torch.zeros_like(x))
    found = filled(hidden, without(x, 5, 2), together.covariance)
    left = (found[:, 5] - x[:, 5]).square().mean() / x[:, 5].square().mean()
    assert left < 0.01
    # Nothing tells of the third: it stays near 0.
    assert found[:, 2].square().mean() < 0.02 * x[:, 2].square().mean()
    np.testing.assert_array_equal(found[:, [0, 1, 3, 4]], x[:, [0, 1, 3, 4]])


def test_samples_lack_channels_each_for_itself():
    x = mixed(3) - 1000 * torch.arange(6)[:, None]
    together = Together(6)
    together.add(x, None)
    known = torch.ones_like(x, dtype=torch.bool)
    known[0, 5], known[1, 0], known[2] = False, False, False
    some = torch.where(known, x, torch.zeros_like(x))
    every = filled(some, known, together.covariance)
    for at in range(3):
        np.testing.assert_allclose(
            every[at : at + 1], filled(some[at : at + 1], known[at : at + 1], together.covariance), atol=1e-4
        )
    assert not every[2].any()


# --- encoders ---------------------------------------------------------------------------------------------------------


def encoder_of(name: str, channels, batches):
    kind = plugins.load("encoder", name)
    torch.manual_seed(0)
    options = {"components": 4} if name == "csp" else {"depth": 1} if name == "eegconformer" else {}
    made = kind(kind.config_type(inputs={"eeg": spec(channels)}, **options)).eval()
    made.prepare(batches)
    return made.eval()


@pytest.mark.parametrize("name", ENCODERS)
def test_what_a_masked_electrode_says_is_never_read_and_the_others_stand_in_for_it(name):
    x = mixed()
    encoder = encoder_of(name, "abcdef", [batch(x)])
    known = without(x, 5)
    with torch.no_grad():
        whole, hidden = encoder(batch(x)).values, encoder(batch(x, known)).values
        spoilt = encoder(batch(torch.where(known, x, torch.full_like(x, 1e5)), known)).values
        encoder.covariance.copy_(torch.eye(6))
        zeros = encoder(batch(x, known)).values
    np.testing.assert_array_equal(hidden, spoilt)
    # Patterns look for what is most unlike: here it is what the last channel alone has.
    share = 0.3 if name == "csp" else 0.2
    assert (hidden - whole).abs().mean() < share * (zeros - whole).abs().mean()


def test_weights_of_before_are_read_and_hide_by_zeros_as_they_did():
    x = mixed()
    encoder = encoder_of("eegnet", "abcdef", [batch(x)])
    state = {name: value for name, value in encoder.state_dict().items() if name != "covariance"}
    old = encoder_of("eegnet", "abcdef", [batch(x[:2])])
    old.covariance.copy_(torch.eye(6))
    old.load_state_dict(state)
    assert torch.equal(old.covariance, torch.eye(6))
    with torch.no_grad():
        assert torch.equal(old(batch(x)).values, encoder(batch(x)).values)


# --- a planted source -------------------------------------------------------------------------------------------------

SIXTY = (
    *TEN_TWENTY,
    "AF3", "AF4", "FC6", "FC5", "FC2", "FC1", "CP5", "CP6", "CP1", "CP2", "PO4", "PO3", "AF7", "AF8", "F5", "F6", "FT7",
    "FT8", "Fpz", "FC4", "FC3", "C6", "C5", "F2", "F1", "TP8", "TP7", "AFz", "CP3", "CP4", "P5", "P6", "C1", "C2", "PO7",
    "PO8", "FCz", "POz", "Oz", "P2", "P1", "CPz",
)  # fmt: skip


def movements(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A rhythm over C3 or C4 is weaker, behind four dipoles of which one has alpha; two seconds."""
    rng, fixed = np.random.default_rng(seed), np.random.default_rng(99)
    places, y = positions(SIXTY), rng.permutation(np.arange(count) % 2)
    shape = (count, 1, 256)
    x = 2 * pink_noise((count, len(SIXTY), 256), RATE_HZ, rng)
    for at, source in enumerate(positions(["C3", "C4"])):
        height = np.where(y == at, 1.0, 0.6) * rng.lognormal(0, 0.15, count)
        x += (
            6
            * height[:, None, None]
            * band_noise(shape, RATE_HZ, 8, 13, rng)
            * dipole_potential(places, 0.85 * source, source)[:, None]
        )
    for number in range(4):
        place = np.abs(fixed.standard_normal(3)) * [fixed.choice([-1, 1]), 1, 1]
        seen = dipole_potential(places, 0.7 * place / np.linalg.norm(place), fixed.standard_normal(3))[:, None]
        x += 6 * pink_noise(shape, RATE_HZ, rng) * seen
        if number == 0:
            x += 6 * rng.lognormal(0, 0.3, shape[:1])[:, None, None] * band_noise(shape, RATE_HZ, 8.5, 11.5, rng) * seen
    return x.astype(np.float32), y.astype(float)


def test_a_model_of_61_electrodes_loses_little_with_19_of_them_masked_and_not_with_zeros():
    def data(x, y, mask=None) -> ArrayDataset:
        signal = Signal(channels=SIXTY, length=256, rate_hz=RATE_HZ, units="uV")
        described = DataSpec(
            name="m", namespace="m", inputs={"eeg": signal}, targets={"y": Binary(names=("left", "right"))}
        )
        frame = pd.DataFrame(
            {"subject": [f"p{at}" for at in range(len(y))], "y": y}, index=[f"s{at}" for at in range(len(y))]
        )
        return ArrayDataset(described, frame, {"eeg": x}, {} if mask is None else {"eeg": mask})

    learnt, (x, y) = data(*movements(400, 0)), movements(200, 1)
    kind = plugins.load("encoder", "csp")
    encoders = {"eeg": kind(kind.config_type(inputs=dict(learnt.spec.inputs)))}
    sides = Sides(learnt.subset(range(350)), learnt.subset(range(350, 400)), "y")
    fit_encoder(encoders["eeg"], sides, TrainingSettings())
    head = Lda(Lda.config_type(target=learnt.spec.target("y"), **facts_of(encoders)))
    model = fit_model(encoders, head, sides, TrainingSettings(epochs=1))[0]
    mask = np.isin(SIXTY, TEN_TWENTY)[None, :, None] & np.ones(x.shape, bool)

    def judged(some) -> tuple[float, float]:
        said = model.predict(some).to_numpy()[:, -1]
        return roc_auc_score(y, said), ((said > 0.5) == y).mean()

    whole, masked = judged(data(x, y)), judged(data(np.where(mask, x, 0), y, mask))
    model.encoders["eeg"].covariance.copy_(torch.eye(len(SIXTY)))
    zeros = judged(data(np.where(mask, x, 0), y, mask))
    shuffled = judged(data(x[:, np.random.default_rng(0).permutation(len(SIXTY))], y))
    assert whole[0] > 0.9
    assert masked[0] > whole[0] - 0.03
    assert masked[1] > whole[1] - 0.05
    assert zeros[1] < masked[1] - 0.1
    assert shuffled[0] < masked[0] - 0.05
