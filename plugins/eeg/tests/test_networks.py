"""The networks: the same as when written out by hand, with the published numbers of parameters."""

from __future__ import annotations

import math

import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.data.arrays import ArrayDataset
from pellucid.data.spec import DataSpec, MultiClass, Signal
from pellucid.errors import StudyError
from pellucid.heads.functions.linear import Linear
from pellucid.model import Model
from pellucid_eeg.encoders.conformer import EegConformer
from pellucid_eeg.encoders.convnets import Deep4, ShallowConvNet
from pellucid_eeg.encoders.eegnet import EegNet
from pellucid_eeg.encoders.filters import moments
from pellucid_eeg.patterns import eegnet_bands_hz, eegnet_patterns, haufe

NETWORKS = {"eegnet": EegNet, "shallow-convnet": ShallowConvNet, "deep4": Deep4, "eegconformer": EegConformer}


def spec(channels: int = 22, length: int = 1000, rate_hz: float = 250.0) -> Signal:
    return Signal(channels=tuple(f"E{at}" for at in range(channels)), length=length, rate_hz=rate_hz, units="uV")


def network(kind, channels: int = 5, length: int = 512, **options):
    torch.manual_seed(0)
    encoder = kind(kind.config_type(inputs={"eeg": spec(channels, length)}, **options))
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        for module in encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 2.0)
    return encoder.eval()


def noise(samples: int = 3, channels: int = 5, length: int = 512) -> Batch:
    generator = torch.Generator().manual_seed(1)
    level = torch.rand(samples, channels, 1, generator=generator)
    return Batch({"eeg": 2 * torch.randn(samples, channels, length, generator=generator) + level})


def normed(norm, x, training=False):
    if training:
        return functional.batch_norm(x, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)
    return functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)


# --- size -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "length", "here", "there"),
    [
        ("eegnet", 512, 1_456, 1_028),
        ("shallow-convnet", 1000, 36_320, 9_764),
        ("deep4", 1000, 277_275, 5_604),
        ("eegconformer", 1000, 789_440, 132),
    ],
)
def test_network_and_head_share_the_published_number_of_parameters(kind, length, here, there):
    encoder = NETWORKS[kind](NETWORKS[kind].config_type(inputs={"eeg": spec(22, length)}))
    units = tuple(f"eeg:{name}" for name in encoder.names)
    head = Linear(Linear.config_type(units=units, target=MultiClass(names=("left", "right", "feet", "tongue"))))
    model = Model({"eeg": encoder}, head)
    published = {"eegnet": 2_484, "shallow-convnet": 46_084, "deep4": 282_879, "eegconformer": 789_572}[kind]
    assert sum(p.numel() for p in model.parameters()) == published
    assert (sum(p.numel() for p in encoder.parameters()), sum(p.numel() for p in head.parameters())) == (here, there)


# --- the same, written out --------------------------------------------------------------------------------------------


def eegnet_by_hand(encoder, x, training):
    # In the published order: every channel is filtered in time, normalised, and only then weighted.
    x = functional.pad(x[:, None], ((64 - 1) // 2, 64 - 1 - (64 - 1) // 2))
    x = normed(encoder.temporal_norm, functional.conv2d(x, encoder.temporal.weight), training)
    x = normed(encoder.spatial_norm, functional.conv2d(x, encoder.spatial.weight, groups=8), training)
    x = functional.avg_pool2d(functional.elu(x), (1, 4))
    x = functional.conv2d(functional.pad(x, (7, 8)), encoder.separable.weight, groups=16)
    x = normed(encoder.last_norm, functional.conv2d(x, encoder.pointwise.weight), training)
    return functional.avg_pool2d(functional.elu(x), (1, 8))[:, :, 0]


@pytest.mark.parametrize("training", [False, True])
def test_eegnet_is_the_same_written_out_in_the_published_order(training):
    encoder, batch = network(EegNet, dropout=0.0), noise(8)
    encoder.train(training)
    expected = eegnet_by_hand(encoder, batch.inputs["eeg"], training)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(2))
    wanted = torch.autograd.grad((expected * weights).sum(), list(encoder.parameters()))
    z = encoder(batch)
    assert z.values.shape == (8, 256)
    assert torch.allclose(z.values, expected.flatten(1), atol=1e-4)
    assert torch.allclose(z.tokens[""].values, expected.transpose(1, 2), atol=1e-4)
    found = torch.autograd.grad((z.values * weights.flatten(1)).sum(), list(encoder.parameters()))
    for (name, _), one, other in zip(encoder.named_parameters(), found, wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-4 * float(other.abs().max()) + 1e-4), name


def test_the_first_norm_keeps_the_statistics_that_it_would_have_kept_between_the_filters():
    encoder, batch = network(EegNet, kernel=9), noise(8)
    norm, between = encoder.temporal_norm, encoder.temporal(batch.inputs["eeg"][:, None])
    mean, variance = (one.clone() for one in (norm.running_mean, norm.running_var))
    encoder.train()(batch)
    assert torch.allclose(norm.running_mean, 0.99 * mean + 0.01 * between.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(norm.running_var, 0.99 * variance + 0.01 * between.var((0, 2, 3)), rtol=1e-5)
    # Where the network begins, it is the plain mean over the training samples, and after that as slow as published.
    encoder.prepare([batch])
    between = encoder.temporal(encoder.signal(batch)[:, None])
    assert torch.allclose(norm.running_mean, between.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(norm.running_var, between.var((0, 2, 3)), rtol=1e-4)
    assert norm.momentum == 0.01


@pytest.mark.parametrize("length", [1, 2, 5])
def test_moments_are_those_of_every_place_of_the_kernel(length):
    x = noise(2, length=23).inputs["eeg"].double()
    places = x.unfold(-1, length, 1).flatten(0, 2)
    means, products = moments(x, length)
    assert torch.allclose(means, places.mean(0))
    assert torch.allclose(products, places.T @ places / len(places))


def filters_by_hand(filters, x):
    # One convolution in time, and a sum over channels with a weight for each filter before and after.
    x = torch.stack(
        [functional.conv1d(one[:, None], filters.temporal.weight[:, :, 0], filters.temporal.bias) for one in x]
    )
    return normed(filters.norm, torch.einsum("ncft,gfc->ngt", x, filters.spatial.weight[..., 0])[:, :, None])


def test_the_shallow_network_is_the_same_written_out():
    encoder, batch = network(ShallowConvNet), noise()
    x = filters_by_hand(encoder.filters, batch.inputs["eeg"])[:, :, 0]
    power = torch.stack([x[..., at : at + 75].square().mean(-1) for at in range(0, x.shape[-1] - 74, 15)], dim=-1)
    z = encoder(batch)
    assert torch.allclose(z.values, power.log().flatten(1), atol=1e-4)
    assert z.names[1] == "f0@1"


def test_the_deep_network_is_the_same_written_out():
    encoder, batch = network(Deep4), noise()
    x = functional.elu(filters_by_hand(encoder.filters, batch.inputs["eeg"])[:, :, 0])
    for convolution, norm in zip(encoder.convolutions, encoder.norms, strict=True):
        x = x[..., : x.shape[-1] // 3 * 3].unflatten(-1, (-1, 3)).amax(-1)
        x = functional.elu(normed(norm, functional.conv1d(x, convolution.weight[:, :, 0])[:, :, None])[:, :, 0])
    x = x[..., : x.shape[-1] // 3 * 3].unflatten(-1, (-1, 3)).amax(-1)
    assert torch.allclose(encoder(batch).values, x.flatten(1), atol=1e-4)


def attended_by_hand(layer, x):
    seen, attention = layer.norm1(x), layer.self_attn
    query, key, value = functional.linear(seen, attention.in_proj_weight, attention.in_proj_bias).chunk(3, dim=-1)
    heads = []
    for at in range(10):
        q, k, v = (one[..., 4 * at : 4 * at + 4] for one in (query, key, value))
        heads.append((q @ k.transpose(1, 2) / math.sqrt(4)).softmax(-1) @ v)
    x = x + functional.linear(torch.cat(heads, -1), attention.out_proj.weight, attention.out_proj.bias)
    return x + layer.linear2(functional.gelu(layer.linear1(layer.norm2(x))))


def test_the_conformer_is_the_same_written_out():
    encoder, batch = network(EegConformer), noise()
    x = functional.conv1d(
        batch.inputs["eeg"].flatten(0, 1)[:, None], encoder.temporal.weight[:, :, 0], encoder.temporal.bias
    )
    x = torch.einsum("ncft,gfc->ngt", x.unflatten(0, (3, 5)), encoder.spatial.weight[..., 0])
    x = functional.elu(normed(encoder.norm, (x + encoder.spatial.bias[:, None])[:, :, None])[:, :, 0])
    x = torch.stack([x[..., at : at + 75].mean(-1) for at in range(0, x.shape[-1] - 74, 15)], dim=-1)
    x = functional.linear(x.transpose(1, 2), encoder.mixed.weight[:, :, 0, 0], encoder.mixed.bias)
    for layer in encoder.layers:
        x = attended_by_hand(layer, x)
    z = encoder(batch)
    assert torch.allclose(z.tokens[""].values, x, atol=1e-4)
    units = functional.elu(encoder.second(functional.elu(encoder.first(x.flatten(1)))))
    assert torch.allclose(z.values, units, atol=1e-4)


# --- cells ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["shallow-convnet", "deep4"])
def test_a_cell_has_seen_its_span_and_nothing_else(kind):
    encoder = network(NETWORKS[kind], length=700)
    x = noise(1, length=700).inputs["eeg"].requires_grad_()
    z = encoder(Batch({"eeg": x}))
    for at, span in enumerate(z.tokens[""].regions):
        (gradient,) = torch.autograd.grad(z.tokens[""].values[:, at].sum(), x, retain_graph=True)
        seen = gradient.abs().sum((0, 1)).nonzero()[:, 0]
        assert seen.min() >= round(250 * span.start_s)
        assert seen.max() < round(250 * span.stop_s)
        if kind == "shallow-convnet":
            assert (int(seen.min()), int(seen.max())) == (round(250 * span.start_s), round(250 * span.stop_s) - 1)


def test_eegnets_cells_lie_side_by_side():
    spans = network(EegNet).spans()
    samples = [(round(250 * span.start_s), round(250 * span.stop_s)) for span in spans]
    assert samples == [(32 * at, 32 * (at + 1)) for at in range(16)]


@pytest.mark.parametrize("kind", NETWORKS)
def test_signals_that_are_too_short_are_refused_with_the_length_that_is_needed(kind):
    least = {"eegnet": 32, "shallow-convnet": 99, "deep4": 441, "eegconformer": 99}[kind]
    assert network(NETWORKS[kind], length=least)(noise(length=least)).tokens[""].values.shape[1] == 1
    with pytest.raises(StudyError, match=f"at least {least} samples, got {least - 1}"):
        network(NETWORKS[kind], length=least - 1)


# --- norms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "limit"), [("eegnet", 1.0), ("shallow-convnet", 2.0), ("deep4", 2.0)])
def test_filters_are_kept_within_their_norm_after_each_step_and_short_ones_are_left_alone(kind, limit):
    encoder = network(NETWORKS[kind])
    limited = [encoder.spatial] if kind == "eegnet" else [encoder.filters.temporal, encoder.filters.spatial]
    limited += list(getattr(encoder, "convolutions", []))
    before = [layer.weight.detach().clone() for layer in limited]
    with torch.no_grad():
        for layer in limited:
            layer.weight.mul_(torch.linspace(0.01, 50, len(layer.weight))[:, None, None, None])
    long = [layer.weight.detach().clone() for layer in limited]
    encoder.settle()
    for layer, was, original in zip(limited, long, before, strict=True):
        norms, lengths = layer.weight.flatten(1).norm(dim=1), was.flatten(1).norm(dim=1)
        assert lengths.max() > limit > lengths.min()
        assert torch.allclose(norms, lengths.clamp(max=limit), rtol=1e-4)
        assert torch.allclose(
            functional.cosine_similarity(layer.weight.flatten(1), original.flatten(1)), torch.ones(1), atol=1e-5
        )
    free = network(NETWORKS[kind], max_norm=None)
    kept = {name: value.clone() for name, value in free.state_dict().items()}
    free.settle()
    assert all(torch.equal(value, kept[name]) for name, value in free.state_dict().items())


# --- patterns ---------------------------------------------------------------------------------------------------------


def test_patterns_of_true_filters_are_the_columns_of_the_mixing():
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    sources = torch.randn(3, 20_000, generator=generator, dtype=torch.float64) * torch.tensor([[1.0], [3.0], [0.5]])
    sources -= sources.mean(1, keepdim=True)
    # Sources that are quite uncorrelated, as those of the theorem.
    sources = torch.linalg.cholesky(torch.cov(sources)).inverse() @ sources
    x = mixing @ sources
    assert torch.allclose(haufe(torch.cov(x), torch.linalg.pinv(mixing)), mixing.T, atol=1e-8)


def test_the_pattern_of_eegnets_filter_is_what_its_band_is_like_and_not_what_the_filter_is_like():
    # A source at E1 of 10 Hz; noise of 30 Hz is everywhere, and a stronger rhythm of 10 Hz at E2 and E1 alike.
    generator = torch.Generator().manual_seed(0)
    time = torch.arange(512) / 250.0
    phase = 2 * math.pi * torch.rand(40, 3, generator=generator)[..., None]
    # Evenly apart, so that the two are uncorrelated over all samples.
    phase[:, 1] = phase[:, 0] + 2 * math.pi * torch.arange(40)[:, None] / 40
    source, other, fast = (
        torch.sin(2 * math.pi * hz * time + phase[:, at]) for at, hz in enumerate((10.0, 10.0, 30.0))
    )
    x = 9 * fast[:, None] + torch.stack([0 * source, source + 3 * other, 3 * other, 0 * source], dim=1)
    frame = pd.DataFrame(
        {"subject": "a" * 16, "which": 0.0}, index=pd.Index([f"s{at}" for at in range(40)], name="sample")
    )
    inputs = {"eeg": spec(4, 512)}
    targets = {"which": MultiClass(names=("one", "other"))}
    data = ArrayDataset(DataSpec(name="x", inputs=inputs, targets=targets, namespace="x"), frame, {"eeg": x.numpy()})
    encoder = network(EegNet, channels=4, filters=1, depth=1)
    with torch.no_grad():
        encoder.temporal.weight.copy_(torch.cos(2 * math.pi * 10 * torch.arange(64) / 250.0) * torch.hann_window(64))
        encoder.spatial.weight.copy_(torch.tensor([0.0, 1.0, -1.0, 0.0])[None, None, :, None])
    (pattern,) = eegnet_patterns(encoder, data)
    assert eegnet_bands_hz(encoder)[0] == pytest.approx(10, abs=1)
    assert pattern.abs().argmax() == 1
    assert (pattern[[0, 2, 3]].abs() < 0.1 * pattern[1]).all()
