from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.data.spec import Volume
from pellucid.errors import DataError
from pellucid_ct.encoders.resnet3d import ResNet3d, ResNet3dConfig


def resnet(size: int = 16, **options) -> ResNet3d:
    torch.manual_seed(0)
    spec = Volume(channels=("pixels",), size=(size,) * 3, spacing_mm=(1.0,) * 3, units="HU")
    return ResNet3d(ResNet3dConfig(inputs={"pixels": spec}, **options)).eval()


def volumes(samples: int = 2, size: int = 16) -> Batch:
    return Batch({"pixels": torch.randn(samples, 1, size, size, size, generator=torch.Generator().manual_seed(1))})


@pytest.mark.parametrize(("depth", "blocks"), [(10, 4), (18, 8)])
def test_it_has_the_layers_that_its_name_counts(depth, blocks):
    encoder = resnet(depth=depth, width=8)
    weights = [m for m in encoder.modules() if isinstance(m, nn.Conv3d) and m.kernel_size == (3, 3, 3)]
    # One convolution at the start and two a block; the head's layer is the last one.
    assert len(weights) == 1 + 2 * blocks == depth - 1
    assert [m.out_channels for m in weights][-1] == 64
    assert encoder.names == tuple(f"f{n}" for n in range(64))


def test_stages_double_channels_and_halve_axes():
    encoder = resnet(32, width=16)
    seen = []
    for block in encoder.blocks:
        block.register_forward_hook(lambda module, given, out: seen.append(tuple(out.shape[1:])))
    encoder(volumes(1, 32))
    assert seen == [(16, 16, 16, 16), (32, 8, 8, 8), (64, 4, 4, 4), (128, 2, 2, 2)]


def test_units_are_those_of_the_same_network_written_out():
    encoder = resnet(width=8)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    batch = volumes()

    def norm(module, x):
        return functional.group_norm(x, module.num_groups, module.weight, module.bias)

    x = functional.conv3d(batch.inputs["pixels"], encoder.first.weight, stride=2, padding=1)
    x = norm(encoder.first_norm, x).relu()
    for number, block in enumerate(encoder.blocks):
        stride = 1 if number == 0 else 2
        inner = norm(block.first_norm, functional.conv3d(x, block.first.weight, stride=stride, padding=1)).relu()
        inner = norm(block.second_norm, functional.conv3d(inner, block.second.weight, padding=1))
        short = x if number == 0 else norm(block.short[1], functional.conv3d(x, block.short[0].weight, stride=stride))
        x = (inner + short).relu()
    assert torch.allclose(encoder(batch).values, x.mean((2, 3, 4)), atol=1e-5)


def test_blocks_begin_as_their_short_cuts():
    encoder = resnet(width=8)
    with torch.no_grad():
        before = encoder(volumes()).values
        for block in encoder.blocks:
            block.first.weight.normal_()
    assert torch.equal(encoder(volumes()).values, before)


def test_mirrors_make_units_blind_to_mirroring():
    plain, blind = resnet(width=8), resnet(width=8, mirrors=True)
    batch = volumes()
    flipped = Batch({"pixels": batch.inputs["pixels"].flip(2, 4)})
    assert not torch.allclose(plain(batch).values, plain(flipped).values, atol=1e-4)
    assert torch.allclose(blind(batch).values, blind(flipped).values, atol=1e-5)


def test_a_window_is_what_clipping_and_scaling_by_hand_is():
    x = 1000 * volumes().inputs["pixels"]
    by_hand = Batch({"pixels": (x.clamp(-1000, 400) + 1000) / 1400})
    found = resnet(width=8, window=(-1000.0, 400.0))(Batch({"pixels": x})).values
    assert torch.allclose(found, resnet(width=8)(by_hand).values, atol=1e-5)
    with pytest.raises(DataError, match="is empty"):
        resnet(window=(1.0, 0.0))


def test_units_are_silenced_only_while_it_learns():
    encoder, batch = resnet(width=8, dropout=0.3, augment="none"), volumes(8)
    still = encoder(batch).values
    assert torch.equal(still, encoder(batch).values)
    learning = encoder.train()(batch).values
    there = still > 1e-3
    silent = learning == 0
    assert silent[there].float().mean() == pytest.approx(0.3, abs=0.08)
    assert torch.allclose(learning[~silent], still[~silent] / 0.7, rtol=1e-4)


def test_volumes_are_turned_only_while_it_learns():
    encoder, batch = resnet(width=8), volumes(8)
    still = encoder(batch).values
    assert torch.equal(still, encoder(batch).values)
    assert not torch.allclose(encoder.train()(batch).values, still, atol=1e-3)
    assert torch.allclose(resnet(width=8, augment="none").train()(batch).values, still, atol=1e-6)
