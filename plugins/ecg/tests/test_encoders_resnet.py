"""The residual networks: the same as when written out by hand, and tokens that say where they look."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.data.spec import Signal
from pellucid.encoders.signals.resnet1d import ResNet1d, ResNet1dConfig
from pellucid.errors import StudyError
from pellucid.representation import TokenShape
from pellucid_ecg.encoders.protoecgnet import ProtoEcgNet, ProtoEcgNetConfig
from pellucid_ecg.encoders.resnet2d import ResNet2d, ResNet2dConfig

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
SMALL = (8, 8, 16, 16)
MADE = {
    "resnet1d": (ResNet1d, ResNet1dConfig, {}),
    "12x7": (ResNet2d, ResNet2dConfig, {"stem": "12x7"}),
    "7x7": (ResNet2d, ResNet2dConfig, {"stem": "7x7"}),
}


def spec(length: int = 1000, channels: tuple[str, ...] = LEADS) -> Signal:
    return Signal(channels=channels, length=length, rate_hz=100.0, units="mV")


def network(kind: str = "resnet1d", length: int = 1000, channels: tuple[str, ...] = LEADS, **options):
    torch.manual_seed(0)
    made, config, own = MADE[kind]
    encoder = made(config(inputs={"ecg": spec(length, channels)}, **{"widths": SMALL, **own, **options})).eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return encoder


def noise(samples: int = 2, length: int = 1000, channels: int = 12) -> Batch:
    return Batch({"ecg": torch.randn(samples, channels, length, generator=torch.Generator().manual_seed(1))})


def normed(norm, x):
    if isinstance(norm, nn.GroupNorm):
        return functional.group_norm(x, norm.num_groups, norm.weight, norm.bias)
    return functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)


@pytest.mark.parametrize(("norm", "kernel"), [("group", 3), ("batch", 3), ("batch", 7)])
def test_the_network_along_time_is_the_same_written_out(norm, kernel):
    encoder, batch, middle = network(norm=norm, kernel=kernel), noise(), kernel // 2
    trunk = encoder.trunk
    x = normed(trunk.first_norm, functional.conv1d(batch.inputs["ecg"], trunk.first.weight, stride=2, padding=3)).relu()
    x = functional.max_pool1d(x, 3, 2, 1)
    for number, block in enumerate(trunk.stages):
        stride = 2 if number in (2, 4, 6) else 1
        inner = normed(block.first_norm, functional.conv1d(x, block.first.weight, stride=stride, padding=middle)).relu()
        inner = normed(block.second_norm, functional.conv1d(inner, block.second.weight, padding=middle))
        changes = isinstance(block.short, nn.Sequential)
        short = normed(block.short[1], functional.conv1d(x, block.short[0].weight, stride=stride)) if changes else x
        x = (inner + short).relu()
    z = encoder(batch)
    assert x.shape == (2, 16, 32)
    assert torch.allclose(z.values, x.mean(2), atol=1e-4)
    assert torch.allclose(z.tokens[""].values, x.transpose(1, 2), atol=1e-4)


def test_the_published_widths_give_the_published_network():
    encoder = network(widths=(64, 128, 256, 512), norm="batch")
    # ResNet-18 has 11,176,512 parameters below its last layer (torchvision). Along time a kernel of 9 becomes one of 3, and
    # the first convolution has 12 * 7 for 3 * 49 numbers a channel.
    kernels = sum(m.weight.numel() for m in encoder.modules() if isinstance(m, nn.Conv1d) and m.kernel_size == (3,))
    assert sum(p.numel() for p in encoder.parameters()) == 11_176_512 - 2 * kernels - 64 * (147 - 84)
    assert encoder.token_shapes[""].width == 512


@pytest.mark.parametrize("kind", MADE)
def test_units_are_those_of_the_last_stage_and_a_quarter_of_the_published_by_default(kind):
    made, config, own = MADE[kind]
    given = config(inputs={"ecg": spec(length=160)}, **own)
    assert (given.widths, given.blocks, given.dropout) == ((16, 32, 64, 128), (2, 2, 2, 2), 0)
    encoder = made(given).eval()
    assert encoder.token_shapes[""] == TokenShape(count=5, width=128)
    z = encoder(noise(1, length=160))
    assert z.names == tuple(f"f{unit}" for unit in range(128))
    assert z.tokens[""].values.shape == (1, 5, 128)


@pytest.mark.parametrize("kind", MADE)
def test_settings_that_leave_no_network_are_refused_and_the_least_are_not(kind):
    _, config, own = MADE[kind]
    for wrong in ({"dropout": 1}, {"dropout": -0.1}, *([{"kernel": 0}] if kind == "resnet1d" else [])):
        with pytest.raises(ValidationError):
            config(inputs={"ecg": spec()}, **own, **wrong)
    least = {"dropout": 0.99, **({"kernel": 1} if kind == "resnet1d" else {})}
    z = network(kind, length=160, **least)(noise(1, length=160))
    assert torch.isfinite(z.values).all()
    # Whole units are silent in a step, at all of their cells, and only while the network learns.
    encoder = network(kind, length=160, dropout=0.5, augment="none").train()
    silent = (encoder(noise(8, length=160)).tokens[""].values == 0).all(1).float().mean()
    assert 0.3 < silent < 0.8


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("length", [1000, 640, 333])
def test_cells_lie_side_by_side_over_the_whole_signal(kind, length):
    z = network(kind, length)(noise(1, length))
    spans = z.tokens[""].regions
    assert z.tokens[""].values.shape[1] == len(spans) == -(-length // 32)
    assert spans[0].start_s == 0
    assert spans[-1].stop_s == pytest.approx(length / 100)
    assert [a.stop_s for a in spans[:-1]] == [b.start_s for b in spans[1:]]
    assert all(span.channels == LEADS for span in spans)


@pytest.mark.parametrize("kernel", [3, 7])
@pytest.mark.parametrize("kind", MADE)
def test_a_cell_looks_at_the_middle_of_its_span(kind, kernel):
    # Without norms, which spread any change over all cells, the gradient of a cell is centred on where it looks.
    # A long kernel sees seconds to either side; fewer blocks keep that within the signal.
    encoder = network(kind, kernel=kernel, blocks=(2, 2, 2, 2) if kernel == 3 else (1, 1, 1, 1))
    for module in list(encoder.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.GroupNorm):
                setattr(module, name, nn.Identity())
    x = noise(24).inputs["ecg"].requires_grad_()
    z = encoder(Batch({"ecg": x}))
    for at in (9, 15, 22) if kernel > 3 else (8, 15, 24):
        (gradient,) = torch.autograd.grad(z.tokens[""].values[:, at].sum(), x, retain_graph=True)
        weight = gradient.abs().sum((0, 1))
        middle = float((weight * torch.arange(1000)).sum() / weight.sum()) / 100
        span = z.tokens[""].regions[at]
        assert span.start_s < middle < span.stop_s
        # What a random network sees of seconds lies less evenly than what it sees of tenths.
        assert middle == pytest.approx((span.start_s + span.stop_s) / 2, abs=0.1 if kernel == 3 else 0.16)


@pytest.mark.parametrize(("stem", "rows"), [("12x7", [1, 1, 1, 1, 1]), ("7x7", [6, 3, 2, 1, 1])])
def test_the_rows_of_the_picture_collapse_to_one(stem, rows):
    encoder = network(stem)
    seen = []
    for layer in (encoder.trunk.first, *[encoder.trunk.stages[at] for at in (1, 3, 5, 7)]):
        layer.register_forward_hook(lambda module, given, out: seen.append(tuple(out.shape[2:])))
    encoder(noise(1))
    assert [height for height, _ in seen] == rows
    assert [width for _, width in seen] == [500, 250, 125, 63, 32]


@pytest.mark.parametrize("config", [ResNet1dConfig, ResNet2dConfig, ProtoEcgNetConfig])
def test_a_kernel_without_a_middle_is_refused_before_it_meets_its_short_cut(config):
    with pytest.raises(ValueError, match="odd number of samples"):
        config(inputs={"ecg": spec()}, kernel=4)


def test_both_kinds_of_branches_have_the_kernel_that_is_asked_for():
    for trunk in branches(kernel=5).trunks.values():
        lengths = [m.kernel_size[-1] for m in trunk.stages.modules() if isinstance(m, nn.Conv1d | nn.Conv2d)]
        assert (lengths.count(5), lengths.count(1), len(lengths)) == (16, 3, 19)


@pytest.mark.parametrize("kernel", [3, 7])
def test_a_stem_over_all_channels_is_the_network_along_time(kernel):
    flat, along = network("12x7", kernel=kernel), network("resnet1d", kernel=kernel)
    with torch.no_grad():
        for one, other in zip(along.parameters(), flat.parameters(), strict=True):
            one.copy_(other.reshape(one.shape))
    assert torch.allclose(flat(noise()).values, along(noise()).values, atol=1e-4)


def test_a_stem_of_seven_rows_refuses_fewer_channels_and_says_what_to_do():
    with pytest.raises(StudyError, match=r"covers seven neighbouring channels, but the input has 2; use stem = '12x7'"):
        network("7x7", channels=("I", "II"))
    assert network("12x7", channels=("I", "II"))(noise(1, channels=2)).values.shape == (1, 16)


def branches(**options) -> ProtoEcgNet:
    torch.manual_seed(0)
    return ProtoEcgNet(ProtoEcgNetConfig(inputs={"ecg": spec()}, widths=SMALL, **options)).eval()


def test_each_branch_is_a_network_of_its_own():
    encoder, batch = branches(), noise()
    z = encoder(batch)
    assert {name: tuple(t.values.shape[1:]) for name, t in z.tokens.items()} == {
        "rhythm": (1, 16), "morphology": (32, 16), "global": (32, 16)
    }  # fmt: skip
    (whole,) = z.tokens["rhythm"].regions
    assert (whole.start_s, whole.stop_s) == (0.0, 10.0)
    alone, _ = MADE["resnet1d"][0](ResNet1dConfig(inputs={"ecg": spec()}, widths=SMALL)).eval(), None
    alone.trunk.load_state_dict(encoder.trunks["rhythm"].state_dict())
    assert torch.allclose(z.tokens["rhythm"].values[:, 0], alone(batch).values, atol=1e-5)
    assert torch.equal(z.values[:, :16], z.tokens["rhythm"].values[:, 0])
    before = {name: t.values.clone() for name, t in z.tokens.items()}
    with torch.no_grad():
        for parameter in encoder.trunks["global"].parameters():
            parameter.zero_()
    after = encoder(batch).tokens
    assert {name for name in before if not torch.equal(before[name], after[name].values)} == {"global"}


def test_branches_that_are_not_asked_for_do_not_exist():
    encoder = branches(branches=("morphology",))
    assert set(encoder.token_shapes) == set(encoder(noise()).tokens) == {"morphology"}
    assert encoder.names == tuple(f"morphology:f{unit}" for unit in range(16))


@pytest.mark.parametrize("kind", ["resnet1d", "12x7"])
def test_signals_are_standardised_by_training_values_that_are_known(kind):
    encoder = network(kind, augment="none", standardise="all")
    x = noise(6).inputs["ecg"] * torch.arange(1, 13)[:, None] + 3
    known = torch.rand(x.shape, generator=torch.Generator().manual_seed(2)) < 0.8
    spoiled = torch.where(known, x, torch.tensor(1e5))
    encoder.prepare([Batch({"ecg": spoiled[:4]}, {"ecg": known[:4]}), Batch({"ecg": spoiled[4:]}, {"ecg": known[4:]})])
    assert encoder.mean.unique().numel() == encoder.deviation.unique().numel() == 1
    assert encoder.mean[0, 0] == pytest.approx(float(x[known].mean()), rel=1e-4)
    assert encoder.deviation[0, 0] == pytest.approx(float(x[known].std()), rel=1e-3)
    seen = encoder.signal(Batch({"ecg": spoiled}, {"ecg": known}))
    assert (float(seen[known].mean()), float(seen[known].std())) == pytest.approx((0, 1), abs=1e-3)
    assert (seen[~known] == 0).all()
    other = network(kind, augment="none", standardise="channel")
    other.prepare([Batch({"ecg": x})])
    assert torch.allclose(other.deviation[:, 0], x.transpose(0, 1).flatten(1).std(1), rtol=1e-3)
    # Read in these units, a signal ten times as large is the same signal.
    tenfold = network(kind, augment="none")
    tenfold.prepare([Batch({"ecg": 10 * x})])
    same = network(kind, augment="none")
    same.prepare([Batch({"ecg": x})])
    assert torch.allclose(tenfold(Batch({"ecg": 10 * x})).values, same(Batch({"ecg": x})).values, atol=1e-4)


@pytest.mark.parametrize("kind", ["resnet1d", "12x7"])
def test_batch_norms_begin_at_the_plain_mean_of_the_training_samples_and_then_follow_slowly(kind):
    encoder = network(kind, norm="batch", standardise="none", augment="none", length=160)
    batches = [Batch({"ecg": noise(4, length=160).inputs["ecg"] * (at + 1) + at}) for at in range(6)]
    norm = encoder.trunk.first_norm
    encoder.prepare(iter(batches))
    with torch.no_grad():
        x = [one.inputs["ecg"] if kind == "resnet1d" else one.inputs["ecg"][:, None] for one in batches]
        found = [encoder.trunk.first(one).transpose(0, 1).flatten(1) for one in x]
    mean, variance = torch.cat(found, dim=1).mean(1), torch.cat(found, dim=1).var(1)
    assert torch.allclose(norm.running_mean, mean, rtol=1e-4, atol=1e-5)
    assert torch.allclose(norm.running_var, variance, rtol=1e-4)
    assert not encoder.training
    assert not any(module.training for module in encoder.modules())
    encoder.train()(batches[5])
    assert torch.allclose(norm.running_mean, 0.9 * mean + 0.1 * found[5].mean(1), rtol=1e-4, atol=1e-5)


def test_a_signal_that_is_missing_has_tokens_of_zero():
    z = network()(Batch(noise(3).inputs, {"ecg": torch.tensor([True, False, True])}))
    assert (z.values[1] == 0).all()
    assert (z.tokens[""].values[1] == 0).all()
    assert (z.tokens[""].values[0] != 0).any()
