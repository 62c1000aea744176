"""A residual network over volumes: the black box of the field to compare with."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.data.spec import Volume
from pellucid.encoders.augment import Augment, mirrored, moved
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.encoders.window import Window, checked_window, windowed
from pellucid.representation import Representation

BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2)}
"""Residual blocks in each of the four stages, by the number of layers."""


class ResNet3dConfig(EncoderConfig):
    """Settings of :class:`ResNet3d`.

    Parameters
    ----------
    depth : {10, 18}
        Layers.
    width : int
        Channels of the first stage; each later one has twice as many.
    dropout : float
        Share of units that are silent in a training step. Heads of the core look at units in standard deviations from
        their mean, from where a silent unit is far away: leave it at 0 for them.
    window : pair of float, optional
        Bounds in units of the input: values are clipped to them and mapped to 0..1. Without it they are read as they are.
    augment : {"none", "flips", "turns"}
        How volumes may lie while the network learns: :data:`~pellucid.encoders.augment.Augment`.
    mirrors : bool
        Whether each unit is the mean over the eight mirror images of a volume when the network does not learn; eight
        times the work.
    """

    depth: Literal[10, 18] = 10
    width: int = Field(default=16, ge=4)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    window: Window | None = None
    augment: Augment = "turns"
    mirrors: bool = False


class ResNet3d(Encoder):
    """Residual blocks down to a few cells; units are means over the cells. It learns together with the head that reads it.

    Masked values are read as 0; a volume that is missing altogether gives units of 0.

    References
    ----------
    He et al. (2016), arXiv 1512.03385, with convolutions over three axes as in MedMNIST v2 (Yang et al. 2023,
    doi:10.1038/s41597-022-01721-8). Deviations: GroupNorm for BatchNorm, as a sample must be encoded as if it were alone;
    the first convolution has a kernel of 3 and a step of 2 and no pooling follows, as nodules are small; 16 channels in the
    first stage in place of 64; no dropout by default.
    """

    tags = EncoderTags(accepts=("volume",))
    config_type = ResNet3dConfig
    config: ResNet3dConfig

    def __init__(self, config: ResNet3dConfig) -> None:
        super().__init__()
        self.config = config
        (spec,) = config.inputs.values()
        assert isinstance(spec, Volume)
        if config.window is not None:
            checked_window(config.window, self.input_name)
        width = config.width
        self.first = nn.Conv3d(len(spec.channels), width, 3, stride=2, padding=1, bias=False)
        self.first_norm = _norm(width)
        blocks: list[nn.Module] = []
        before = width
        for stage, count in enumerate(BLOCKS[config.depth]):
            after = width * 2**stage
            for number in range(count):
                blocks.append(_Block(before, after, stride=2 if stage and not number else 1))
                before = after
        self.blocks = nn.Sequential(*blocks)
        self.units = before
        self.dropout = nn.Dropout(config.dropout)

    @property
    def names(self) -> tuple[str, ...]:
        """``f0``, ``f1`` ..."""
        return tuple(f"f{unit}" for unit in range(self.units))

    def forward(self, batch: Batch) -> Representation:
        """Units of each volume."""
        x, known, there = self.read(batch), self.known(batch), self.present(batch)
        if self.config.window is not None:
            x = windowed(x, self.config.window)
        if known is not None:
            x = torch.where(known, x, torch.zeros_like(x))
        if self.training:
            values = self.dropout(self._means(moved(x, self.config.augment)))
        elif self.config.mirrors:
            values = torch.stack([self._means(way) for way in mirrored(x)]).mean(0)
        else:
            values = self._means(x)
        if there is not None:
            values = values * there[:, None]
        return Representation(values, self.names)

    def _means(self, x: Tensor) -> Tensor:
        x = functional.relu(self.first_norm(self.first(x)))
        return self.blocks(x).flatten(2).mean(2)


class _Block(nn.Module):
    """Two convolutions beside a short cut."""

    def __init__(self, before: int, after: int, *, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(before, after, 3, stride=stride, padding=1, bias=False)
        self.first_norm = _norm(after)
        self.second = nn.Conv3d(after, after, 3, padding=1, bias=False)
        self.second_norm = _norm(after)
        self.short: nn.Module = nn.Identity()
        if before != after or stride != 1:
            self.short = nn.Sequential(nn.Conv3d(before, after, 1, stride=stride, bias=False), _norm(after))
        # A block begins as its short cut alone, and the network as a shallow one.
        nn.init.zeros_(self.second_norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(self.short(x) + self.second_norm(self.second(inner)))


def _norm(channels: int) -> nn.GroupNorm:
    groups = next(n for n in (8, 4, 2, 1) if channels % n == 0 and channels // n >= 2)
    return nn.GroupNorm(groups, channels)
