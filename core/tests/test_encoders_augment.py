"""Signals as if recorded again: what may change while a network learns, by how much, and what must not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pellucid.batch import Batch
from pellucid.data.spec import Image, Signal
from pellucid.encoders import augment
from pellucid.encoders.augment import moved, shifted
from pellucid.encoders.cnn import Cnn, CnnConfig
from pellucid.errors import StudyError

CHANNELS = tuple("abcdef")
SIGNAL = Signal(channels=CHANNELS, length=200, rate_hz=100.0, units="mV")


def waves(samples: int = 400) -> torch.Tensor:
    """A bump in the middle of every channel, higher in later ones, on a level of 0."""
    time = torch.arange(200)
    bump = torch.exp(-0.5 * ((time - 100) / 6.0) ** 2)
    return (bump * torch.arange(1, 7)[:, None]).expand(samples, -1, -1).clone()


@pytest.fixture
def one_thing(monkeypatch):
    """Leave one of the changes and switch the others off."""

    def keep(name: str) -> torch.Tensor:
        off = {"SHIFT": 0.0, "LOUDER": 1.0, "CHANNEL_LOUDER": 1.0, "NOISE": 0.0, "SILENT": 0.0}
        for other, value in off.items():
            if other != name:
                monkeypatch.setattr(augment, other, value)
        torch.manual_seed(0)
        return moved(waves(), "signals")

    return keep


def test_shifting_is_rolling_with_zeros_coming_in():
    x = torch.randn(7, 3, 50)
    steps = torch.tensor([0, 1, -1, 10, -49, 50, -60])
    for one, step, out in zip(x.numpy(), steps.tolist(), shifted(x, steps).numpy(), strict=True):
        by_hand = np.roll(one, step, axis=1)
        if step > 0:
            by_hand[:, :step] = 0
        elif step < 0:
            by_hand[:, step:] = 0
        assert np.array_equal(out, by_hand)


def test_each_sample_is_moved_as_a_whole_and_by_a_tenth_at_most(one_thing):
    peak = one_thing("SHIFT").argmax(2)
    assert (peak == peak[:, :1]).all()
    assert peak.min() == 80
    assert peak.max() == 120
    assert len(peak[:, 0].unique()) > 35


def test_loudness_changes_a_sample_as_a_whole_and_softer_is_as_likely_as_louder(one_thing):
    factor = one_thing("LOUDER").amax(2) / waves().amax(2)
    assert torch.allclose(factor, factor[:, :1].expand_as(factor))
    assert 1 / 1.3 <= factor.min() < 0.8
    assert 1.27 < factor.max() <= 1.3
    assert (factor[:, 0] > 1).float().mean() == pytest.approx(0.5, abs=0.08)


def test_channels_change_their_sizes_to_each_other_a_little(one_thing):
    factor = one_thing("CHANNEL_LOUDER").amax(2) / waves().amax(2)
    assert factor.std(1).mean() > 0.04
    assert factor.min() >= 1 / 1.15
    assert factor.max() <= 1.15


def test_a_tenth_of_the_channels_falls_silent(one_thing):
    x = one_thing("SILENT")
    silent = (x == 0).all(2)
    assert torch.equal(x[~silent], waves()[~silent])
    assert silent.float().mean() == pytest.approx(0.1, abs=0.02)
    assert silent.float().mean(0).max() < 0.16


def test_noise_is_measured_by_the_sample_and_not_by_units(one_thing):
    apart = one_thing("NOISE") - waves()
    assert apart.std() == pytest.approx(0.05 * float(waves()[0].std()), rel=0.02)
    torch.manual_seed(0)
    thousandfold = moved(1000 * waves(), "signals")
    assert torch.allclose(thousandfold / 1000, waves() + apart, atol=1e-3)


def test_signals_are_changed_only_while_a_network_learns():
    torch.manual_seed(0)
    encoder = Cnn(CnnConfig(inputs={"x": SIGNAL}, augment="signals")).eval()
    batch = Batch({"x": waves(8)})
    still = encoder(batch).values
    assert torch.equal(still, encoder(batch).values)
    assert not torch.allclose(encoder.train()(batch).values, still, atol=1e-3)


def test_pictures_are_not_changed_like_signals_nor_signals_like_pictures():
    with pytest.raises(StudyError, match="augment = 'signals' changes signals; this input is of kind 'image'"):
        Cnn(CnnConfig(inputs={"x": Image(channels=("a",), size=(8, 8), units="1")}, augment="signals"))
    with pytest.raises(StudyError, match="an input of kind 'signal' has one way to lie"):
        Cnn(CnnConfig(inputs={"x": SIGNAL}, augment="flips"))
