"""A residual network over channels and time, as ProtoECGNet sees a signal: a picture with one row a channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.encoders.signals.cells import cells, count_of
from pellucid.encoders.signals.reading import SignalNetwork, SignalNetworkConfig
from pellucid.encoders.signals.residual import Kernel, Norm, norm_of, stages
from pellucid.encoders.signals.resnet1d import HALVINGS
from pellucid.errors import StudyError
from pellucid.representation import Representation, Tokens, TokenShape

Stem = Literal["12x7", "7x7"]
"""The first convolution. ``"12x7"``: it covers all channels at once (twelve leads), so that one row is left; what the
paper's text implies. ``"7x7"``: seven neighbouring channels, as the released weights have it; rows are halved until one is
left. The second is several times slower."""

ROWS = 7
"""Channels that the stem ``"7x7"`` covers."""


class ResNet2dConfig(SignalNetworkConfig):
    """Settings of :class:`ResNet2d`.

    Parameters
    ----------
    stem : {"12x7", "7x7"}
        See :data:`Stem`.
    widths : tuple of four int
        Channels of the stages; ``[64, 128, 256, 512]`` is ResNet-18 as published.
    blocks : tuple of four int
        Blocks of each stage.
    kernel : int
        Length of the blocks' convolutions along time.
    dropout : float
        Share of channels that are silent in a training step.
    norm : {"group", "batch"}
        See :data:`~pellucid.encoders.signals.residual.Norm`.
    """

    stem: Stem = "12x7"
    widths: tuple[int, int, int, int] = (16, 32, 64, 128)
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)
    kernel: Kernel = 3
    dropout: float = Field(default=0.0, ge=0, lt=1)
    norm: Norm = "group"


class ResNet2d(SignalNetwork):
    """Residual blocks over a picture of channels by time, until one row of cells is left; units are means over the cells.

    A token is a cell: 32 samples of all channels, a third of a second at 100 Hz; ten seconds have 32 of them.

    References
    ----------
    He et al. (2016), arXiv 1512.03385, in the form of ProtoECGNet's branches for morphology and for the whole record
    (Sethi et al., PMLR 298, 2025). Deviations: no weights learnt from ImageNet, which cannot be shipped, so training starts
    from chance; a quarter of the channels by default; GroupNorm by default; blocks begin as their short cuts.
    """

    config_type = ResNet2dConfig
    config: ResNet2dConfig

    def __init__(self, config: ResNet2dConfig) -> None:
        super().__init__(config)
        self.trunk = Trunk2d(
            len(self.spec.channels), config.stem, config.widths, config.blocks, config.kernel, config.norm
        )
        self.dropout = nn.Dropout1d(config.dropout)
        self.cells = cells(self.spec, HALVINGS)

    @property
    def names(self) -> tuple[str, ...]:
        """``f0``, ``f1`` ..."""
        return tuple(f"f{unit}" for unit in range(self.config.widths[-1]))

    @property
    def token_shapes(self) -> Mapping[str, TokenShape]:
        """One set: the cells."""
        return {"": TokenShape(count=count_of(self.spec.length, HALVINGS), width=self.config.widths[-1])}

    def forward(self, batch: Batch) -> Representation:
        """Units, and those of each cell."""
        found = self.dropout(self.trunk(self.signal(batch)))
        return self.represented(
            found.mean(2), {"": Tokens(found.transpose(1, 2), self.cells, input=self.input_name)}, batch
        )


class Trunk2d(nn.Module):
    """Stem, pooling and four stages: shape (sample, channel, time) to (sample, width, cell).

    Raises
    ------
    StudyError
        If there are fewer channels than the stem ``"7x7"`` covers.
    """

    def __init__(
        self, channels: int, stem: Stem, widths: Sequence[int], blocks: Sequence[int], kernel: int, norm: Norm
    ) -> None:
        super().__init__()
        if stem == "7x7" and channels < ROWS:
            raise StudyError(
                f"stem = '7x7' covers seven neighbouring channels, but the input has {channels}; use stem = '12x7', which "
                "covers all at once"
            )
        rows = channels if stem == "12x7" else ROWS
        # Above a single row a kernel of three rows would meet padding twice and zeros alone.
        high = 1 if stem == "12x7" else 3
        self.first = nn.Conv2d(1, widths[0], (rows, 7), (1, 2), (0, 3), bias=False)
        self.first_norm = norm_of(norm, widths[0], 2)
        self.pool = nn.MaxPool2d((high, 3), (2, 2), (high // 2, 1))
        self.stages = stages(widths[0], widths, blocks, (high, kernel), norm)

    def forward(self, x: Tensor) -> Tensor:
        """Features of each cell."""
        # Channels last is half again as fast on a processor.
        x = x[:, None].contiguous(memory_format=torch.channels_last)
        x = functional.relu(self.first_norm(self.first(x)))
        return self.stages(self.pool(x)).mean(2)
