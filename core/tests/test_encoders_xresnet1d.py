"""The benchmark's network: written out by hand, and the windows that it looks at."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.data.spec import Signal
from pellucid.encoders.signals.xresnet1d import XResNet1d, XResNet1dConfig, windows
from pellucid.errors import StudyError


def xresnet(length: int = 1000, rate_hz: float = 100.0, **options) -> XResNet1d:
    torch.manual_seed(0)
    spec = Signal(channels=("a", "b", "c"), length=length, rate_hz=rate_hz, units="mV")
    return XResNet1d(XResNet1dConfig(inputs={"x": spec}, **options)).eval()


def noise(samples: int = 3, length: int = 1000) -> Batch:
    return Batch({"x": torch.randn(samples, 3, length, generator=torch.Generator().manual_seed(1))})


def normed(norm, x):
    return functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)


def test_units_are_those_of_the_same_network_written_out():
    encoder, batch = xresnet(crop_s=None), noise()
    with torch.no_grad():
        for name, value in encoder.state_dict().items():
            if name.endswith(("weight", "bias", "running_mean")) and "end.2" not in name:
                value.add_(0.1 * torch.randn_like(value))
    layers = list(encoder.body)
    x = batch.inputs["x"]
    for at, stride in ((0, 2), (2, 1), (4, 1)):
        convolution, norm = layers[at]
        x = normed(norm, functional.conv1d(x, convolution.weight, stride=stride, padding=2)).relu()
    x = functional.max_pool1d(x, 3, 2, 1)
    for stage, block in enumerate(layers[7:]):
        stride = 2 if stage else 1
        inner = normed(block.first[1], functional.conv1d(x, block.first[0].weight)).relu()
        inner = normed(
            block.middle[1], functional.conv1d(inner, block.middle[0].weight, stride=stride, padding=2)
        ).relu()
        inner = normed(block.last[1], functional.conv1d(inner, block.last[0].weight))
        short = functional.avg_pool1d(x, 2, ceil_mode=True) if stage else x
        if stage == 0:
            (projected,) = block.short
            short = normed(projected[1], functional.conv1d(short, projected[0].weight))
        x = (short + inner).relu()
    x = torch.cat([x.max(2).values, x.mean(2)], dim=1)
    x = normed(encoder.end[0], x)
    x = normed(encoder.end[4], functional.linear(x, encoder.end[2].weight, encoder.end[2].bias).relu())
    assert torch.allclose(encoder(batch).values, x, atol=1e-3)


def test_bottlenecks_begin_as_their_short_cuts():
    encoder, batch = xresnet(), noise()
    before = encoder(batch).values
    with torch.no_grad():
        for block in encoder.body[7:]:
            block.middle[0].weight.normal_()
    assert torch.equal(encoder(batch).values, before)


def test_tokens_are_what_the_network_says_of_each_window_and_units_their_mean():
    encoder, batch = xresnet(), noise()
    z = encoder(batch)
    alone = xresnet(length=250, crop_s=None)
    alone.load_state_dict(encoder.state_dict())
    for number, span in enumerate(z.tokens[""].regions):
        part = batch.inputs["x"][:, :, round(span.start_s * 100) : round(span.stop_s * 100)]
        assert torch.allclose(z.tokens[""].values[:, number], alone(Batch({"x": part})).values, atol=1e-5)
    assert torch.allclose(z.values, z.tokens[""].values.mean(1), atol=1e-6)


@pytest.mark.parametrize(
    ("length", "starts"), [(250, [0]), (300, [0, 50]), (375, [0, 125]), (400, [0, 125, 150]), (500, [0, 125, 250])]
)
def test_windows_reach_the_end_of_signals_of_any_length(length, starts):
    encoder = xresnet(length)
    assert [round(span.start_s * 100) for span in encoder.regions()] == starts
    assert encoder.regions()[-1].stop_s == pytest.approx(length / 100)
    assert encoder(noise(1, length)).tokens[""].values.shape[1] == len(starts)


def test_a_window_longer_than_the_signal_is_refused_with_both_lengths():
    with pytest.raises(StudyError, match=r"windows of 2.5 s, but input 'x' is 2 s long at 100 Hz"):
        xresnet(200)


def test_windows_are_cut_where_they_are_asked_for():
    x = torch.arange(24.0).view(2, 1, 12)
    found = windows(x, torch.tensor([[0, 5], [9, 1]]), 3)
    assert found.tolist() == [[[[0, 1, 2]], [[5, 6, 7]]], [[[21, 22, 23]], [[13, 14, 15]]]]


def test_norms_are_of_the_kind_asked_for():
    kinds = {kind: {c for m in xresnet(norm=kind).modules() for c in type(m).mro()} for kind in ("batch", "group")}
    assert nn.BatchNorm1d in kinds["batch"]
    assert nn.GroupNorm not in kinds["batch"]
    assert nn.GroupNorm in kinds["group"]
    assert nn.BatchNorm1d not in kinds["group"]


def test_units_have_their_size_before_anything_is_learnt():
    encoder = xresnet()
    batches = [Batch({"x": 3 + 2 * noise(64).inputs["x"]}) for _ in range(2)]
    before = encoder(batches[0]).tokens[""].values.flatten(0, 1)
    encoder.prepare(iter(batches))
    assert not encoder.training
    after = encoder(batches[0]).tokens[""].values.flatten(0, 1)
    # The network ends with a norm: in evaluation its units must have the deviation of 1 that they have in training.
    varying = before.std(0) > 0
    assert (after.std(0)[varying] - 1).abs().max() < 0.05
    assert after.mean(0).abs().max() < 0.05
    assert (before.std(0) < 0.5).all()
    norms = [m for m in encoder.modules() if isinstance(m, nn.BatchNorm1d)]
    assert all(norm.momentum == 0.1 for norm in norms)
    encoder.train()
    encoder.prepare(iter(batches))
    assert encoder.training


def test_where_norms_begin_is_told_by_the_data_alone_and_weights_stay():
    encoder, other = xresnet(), xresnet()
    weights = {name: value.clone() for name, value in encoder.named_parameters()}
    batches = [noise(70), noise(30)]
    torch.manual_seed(1)
    before = torch.get_rng_state()
    encoder.prepare(iter(batches))
    assert torch.equal(torch.get_rng_state(), before), "later seeds would depend on who prepared"
    torch.manual_seed(2)
    other.prepare(iter(batches))
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])
    assert all(torch.equal(value, weights[name]) for name, value in encoder.named_parameters())
    assert all(value.grad is None for value in encoder.parameters())


@pytest.mark.parametrize("standardise", ["all", "none"])
def test_norms_begin_with_all_of_the_data_and_not_with_the_first_of_it(standardise):
    """Recordings come person by person: the first thousand may be of people with small signals."""
    generator = torch.Generator().manual_seed(3)
    heights = [1.0] * 5 + [9.0] * 5
    batches = [Batch({"x": high * torch.randn(256, 3, 40, generator=generator)}) for high in heights]
    encoder = xresnet(40, crop_s=None, standardise=standardise)
    encoder.prepare(iter(batches))
    # The first layer by hand, of all samples at once.
    every = (torch.cat([one.inputs["x"] for one in batches]) - encoder.mean) / encoder.deviation
    seen = functional.conv1d(every, encoder.body[0][0].weight, stride=2, padding=2)
    assert encoder.body[0][1].running_var.numpy() == pytest.approx(seen.var((0, 2)).detach().numpy(), rel=0.1)


def test_a_last_batch_of_one_sample_neither_stops_the_training_nor_the_preparation():
    encoder = xresnet(crop_s=None)
    encoder.prepare([noise(1)])
    encoder = xresnet()
    encoder.prepare([noise(20)])
    usual = [norm.running_mean.clone() for norm in encoder.end if isinstance(norm, nn.BatchNorm1d)]
    encoder.train()
    encoder(noise(1)).values.sum().backward()
    assert torch.isfinite(encoder.body[0][0].weight.grad).all()
    after = [norm.running_mean for norm in encoder.end if isinstance(norm, nn.BatchNorm1d)]
    assert all(torch.equal(a, b) for a, b in zip(usual, after, strict=True))
    # Two samples are a batch as ever.
    encoder(noise(2))
    after = [norm.running_mean for norm in encoder.end if isinstance(norm, nn.BatchNorm1d)]
    assert not any(torch.equal(a, b) for a, b in zip(usual, after, strict=True))


def test_a_head_measures_units_as_the_prepared_encoder_says_them(monkeypatch):
    """Encoders are prepared before heads: in a fit the head's own statistics are of units of about their final size."""
    import pandas as pd

    from pellucid.data import ArrayDataset, Binary, DataSpec
    from pellucid.heads.functions.linear import Linear, LinearConfig
    from pellucid.training import fit
    from pellucid.training.checkpoint import Progress
    from pellucid.training.settings import TrainingSettings

    spec = DataSpec(
        name="noise", inputs={"x": xresnet().spec}, targets={"y": Binary(names=("no", "yes"))}, namespace="here"
    )
    rows = 96
    frame = pd.DataFrame(
        {"subject": [f"p{n}" for n in range(rows)], "y": [float(n % 2) for n in range(rows)]},
        index=pd.Index([f"s{n}" for n in range(rows)], name="sample"),
    )
    x = noise(rows).inputs["x"].numpy() * 7 + 30
    x[64:] *= 50
    whole = ArrayDataset(spec, frame, {"x": x})
    sides = fit.Sides(whole.subset(range(64)), whole.subset(range(64, 96)), "y")
    monkeypatch.setattr(fit, "train", lambda *_, **__: Progress())
    encoder = xresnet()
    fit.fit_encoder(encoder, sides, TrainingSettings())
    assert encoder.learned_from == sides.learned_from
    units = tuple(f"x:{name}" for name in encoder.names)
    head = Linear(LinearConfig(units=units, target=spec.target("y")))
    fit.fit_model({"x": encoder}, head, sides, TrainingSettings())
    values = encoder.eval()(Batch({"x": torch.from_numpy(x[:64])})).values
    assert head.unit_mean.numpy() == pytest.approx(values.mean(0).detach().numpy(), abs=1e-4)
    # By the training subjects alone: the others' signals are fifty times as high.
    tokens = encoder(Batch({"x": torch.from_numpy(x[:64])})).tokens[""].values.flatten(0, 1)
    varying = tokens.std(0) > 0.01
    assert varying.float().mean() > 0.5
    assert (tokens.std(0)[varying] - 1).abs().max() < 0.1
