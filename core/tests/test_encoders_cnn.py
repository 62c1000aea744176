"""The small convolutional network: what it can learn, and which part of the input each token stands for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pellucid.batch import Batch
from pellucid.data.spec import Image, Signal, Volume
from pellucid.encoders.cnn import Cnn, CnnConfig
from pellucid.regions import Box

SPECS = (
    Signal(channels=("a", "b"), length=37, rate_hz=10.0, units="mV"),
    Image(channels=("a",), size=(17, 9), units="1"),
    Volume(channels=("a",), size=(3, 12, 17), units="1"),
)


def cnn(spec, **options) -> Cnn:
    torch.manual_seed(0)
    return Cnn(CnnConfig(inputs={"x": spec}, **options))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_units_are_the_mean_of_the_tokens(spec):
    z = cnn(spec, tokens=True, features=5).eval()(Batch({"x": torch.rand(3, *spec.shape)}))
    assert torch.allclose(z.values, z.tokens[""].values.mean(1), atol=1e-6)
    assert len(z.tokens[""].regions) == z.tokens[""].values.shape[1]
    assert z.names == ("f0", "f1", "f2", "f3", "f4")


@pytest.mark.parametrize("spec", SPECS[1:], ids=lambda spec: spec.kind)
def test_regions_cover_every_element_once(spec):
    covered = np.zeros(spec.size, int)
    for box in cnn(spec).regions():
        assert isinstance(box, Box)
        covered[tuple(slice(a, b) for a, b in zip(box.start, box.stop, strict=True))] += 1
    assert (covered == 1).all()


def test_regions_of_a_signal_are_in_seconds_and_follow_each_other():
    spans = cnn(SPECS[0]).regions()
    assert spans[0].start_s == 0
    assert spans[-1].stop_s == pytest.approx(3.7)
    assert [a.stop_s for a in spans[:-1]] == [b.start_s for b in spans[1:]]
    assert spans[0].channels == ("a", "b")


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_the_token_that_changes_most_is_the_one_whose_region_was_touched(spec):
    encoder = cnn(spec, tokens=True, smallest=5, features=32).eval()
    x = torch.zeros(1, *spec.shape)
    before = encoder(Batch({"x": x}))
    for token in range(len(before.tokens[""].regions)):
        region = before.tokens[""].regions[token]
        touched = x.clone()
        if isinstance(region, Box):
            touched[(0, 0, *(slice(a, b) for a, b in zip(region.start, region.stop, strict=True)))] = 1
        else:
            touched[0, :, round(region.start_s * 10) : round(region.stop_s * 10)] = 1
        # Group norm spreads a little of any change over all tokens; the touched one stands out all the same.
        change = (encoder(Batch({"x": touched})).tokens[""].values - before.tokens[""].values).norm(dim=2)[0]
        assert change[token] >= change.median()
        assert change[token] >= 0.5 * change.max()


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_it_learns_to_tell_slow_waves_from_fast_ones(spec):
    random = np.random.default_rng(0)
    fast, phase = random.integers(0, 2, 160), random.uniform(0, 2 * np.pi, (160, 1))
    wave = np.sin(np.arange(spec.shape[-1]) * np.where(fast, 1.6, 0.7)[:, None] + phase)
    noise = random.normal(0, 0.5, (160, *spec.shape))
    x = torch.tensor(wave.reshape(160, *[1] * (len(spec.shape) - 1), -1) + noise, dtype=torch.float32)
    y = torch.tensor(fast, dtype=torch.float32)
    encoder, last = cnn(spec), nn.Linear(16, 1)
    optimizer = torch.optim.Adam([*encoder.parameters(), *last.parameters()], 5e-3)
    for _ in range(60):
        loss = nn.functional.binary_cross_entropy_with_logits(
            last(encoder(Batch({"x": x[:100]})).values)[:, 0], y[:100]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right = (last(encoder(Batch({"x": x[100:]})).values)[:, 0] > 0) == (y[100:] > 0.5)
    assert right.float().mean() > 0.9


def test_masked_values_do_not_count_and_a_missing_input_gives_zero():
    spec = SPECS[1]
    encoder = cnn(spec).eval()
    x = torch.rand(3, *spec.shape)
    known = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) < 0.7
    known[2] = False
    spoiled = torch.where(known, x, torch.tensor(1e6))
    values = encoder(Batch({"x": spoiled}, {"x": known})).values
    assert torch.allclose(values[:2], encoder(Batch({"x": (x * known)[:2]})).values)
    assert (values[2] == 0).all()
    assert (encoder(Batch({"x": x}, {"x": torch.tensor([True, True, False])})).values[2] == 0).all()
