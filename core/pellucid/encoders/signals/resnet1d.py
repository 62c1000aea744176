"""A residual network along time: the plain black box for signals, with tokens that prototypes can stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.encoders.base import EncoderTags
from pellucid.encoders.convolutions import CONVOLUTION
from pellucid.encoders.signals.cells import cells, count_of
from pellucid.encoders.signals.reading import SignalNetwork, SignalNetworkConfig
from pellucid.encoders.signals.residual import Kernel, Norm, norm_of, stages
from pellucid.encoders.signals.timed import OVER_TIME
from pellucid.representation import Representation, Tokens, TokenShape

HALVINGS = 5
"""By the first convolution, the pooling after it, and three of the four stages."""


class ResNet1dConfig(SignalNetworkConfig):
    """Settings of :class:`ResNet1d`.

    Parameters
    ----------
    widths : tuple of four int
        Channels of the stages; ``[64, 128, 256, 512]`` is ResNet-18 as published.
    blocks : tuple of four int
        Blocks of each stage.
    kernel : int
        Length of the blocks' convolutions.
    dropout : float
        Share of channels that are silent in a training step.
    norm : {"group", "batch"}
        See :data:`~pellucid.encoders.signals.residual.Norm`.
    """

    widths: tuple[int, int, int, int] = (16, 32, 64, 128)
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)
    kernel: Kernel = 3
    dropout: float = Field(default=0.0, ge=0, lt=1)
    norm: Norm = "group"


class ResNet1d(SignalNetwork):
    """Residual blocks along time; tokens are the last layer's cells, units are their means.

    A cell stands for 32 samples of the signal: a third of a second at 100 Hz.

    References
    ----------
    He et al. (2016), arXiv 1512.03385, with convolutions along time, as in the rhythm branch of ProtoECGNet (Sethi et al.,
    PMLR 298, 2025). Deviations: a quarter of the channels by default; blocks begin as their short cuts; GroupNorm by default,
    which was no worse on two random splits of recordings of twelve channels (923 to learn from; areas under the curve of
    validation recordings 0.923 and 0.900, with BatchNorm 0.914 and 0.901).
    """

    tags = EncoderTags(accepts=OVER_TIME)
    config_type = ResNet1dConfig
    config: ResNet1dConfig

    def __init__(self, config: ResNet1dConfig) -> None:
        super().__init__(config)
        self.trunk = Trunk1d(len(self.spec.channels), config.widths, config.blocks, config.kernel, config.norm)
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


class Trunk1d(nn.Module):
    """A convolution of seven samples, pooling and four stages: shape (sample, channel, time) to (sample, width, cell)."""

    def __init__(self, channels: int, widths: Sequence[int], blocks: Sequence[int], kernel: int, norm: Norm) -> None:
        super().__init__()
        self.first = CONVOLUTION[1](channels, widths[0], 7, 2, 3, bias=False)
        self.first_norm = norm_of(norm, widths[0], 1)
        self.stages = stages(widths[0], widths, blocks, (kernel,), norm)

    def forward(self, x: Tensor) -> Tensor:
        """Features of each cell."""
        x = functional.relu(self.first_norm(self.first(x)))
        return self.stages(functional.max_pool1d(x, 3, 2, 1))
