"""A bottlenecked residual network over crops of a signal, as it leads benchmarks of twelve-channel recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.encoders.augment import Augment
from pellucid.encoders.base import EncoderTags
from pellucid.encoders.signals.reading import SignalNetwork, SignalNetworkConfig
from pellucid.encoders.signals.residual import Norm, norm_of, zero_weight
from pellucid.encoders.signals.timed import OVER_TIME
from pellucid.errors import StudyError
from pellucid.regions import Region
from pellucid.representation import Representation, Tokens, TokenShape

EXPANSION = 4
"""How many times wider a bottleneck's end is than its middle."""


class Size(NamedTuple):
    """Channels of the first three convolutions, of the middle of every bottleneck, and bottlenecks in each stage."""

    stem: tuple[int, int, int]
    width: int
    blocks: tuple[int, int, int, int]


SIZES: dict[str, Size] = {
    "101": Size((32, 32, 64), 64, (3, 4, 23, 3)),
    "50": Size((32, 32, 64), 64, (3, 4, 6, 3)),
    "tiny": Size((8, 8, 16), 16, (1, 1, 1, 1)),
}


class XResNet1dConfig(SignalNetworkConfig):
    """Settings of :class:`XResNet1d`.

    Parameters
    ----------
    variant : {"101", "50", "tiny"}
        The two of the benchmark, and one with a quarter of the channels and one block a stage for small data and machines.
    kernel : int
        Length of all convolutions but those of one sample.
    crop_s : float, optional
        Length of the windows that the network sees, one drawn at random from each signal in a training step. Without it
        the whole signal is one window.
    stride_s : float
        From one window to the next in evaluation; a last one ends with the signal.
    dropout : (float, float)
        Share of units that are silent in a training step, before each of the two layers at the end.
    norm : {"batch", "group"}
        See :data:`~pellucid.encoders.signals.residual.Norm`.
    """

    variant: Literal["101", "50", "tiny"] = "tiny"
    kernel: int = Field(default=5, ge=1)
    crop_s: float | None = Field(default=2.5, gt=0)
    stride_s: float = Field(default=1.25, gt=0)
    dropout: tuple[float, float] = (0.25, 0.5)
    norm: Norm = "batch"
    augment: Augment = "none"


class XResNet1d(SignalNetwork):
    """Bottlenecks along time, over windows of a signal; tokens are windows, units are their means over the windows.

    All but the last layer of the published network: with the head ``linear-tokens``, which scores each window and takes
    the largest of the scores, it is that network; with ``linear``, which reads the means, nearly.

    References
    ----------
    Strodthoff et al. (2021), arXiv 2004.13701 (xresnet1d101: 1,880,775 parameters with 71 outputs, 64 channels in the
    middle of all bottlenecks); He et al. (2019), arXiv 1812.01187, for the stem and the short cuts. Deviations: one rate of
    learning falls along a cosine where theirs rises first; norms and dropout are the published ones, as evaluation uses
    what was usual while it learnt.
    """

    tags = EncoderTags(accepts=OVER_TIME)
    config_type = XResNet1dConfig
    config: XResNet1dConfig

    def __init__(self, config: XResNet1dConfig) -> None:
        super().__init__(config)
        size, norm = SIZES[config.variant], config.norm
        self.window = self.spec.length if config.crop_s is None else round(config.crop_s * self.spec.rate_hz)
        self.step = max(1, round(config.stride_s * self.spec.rate_hz))
        if not 0 < self.window <= self.spec.length:
            raise StudyError(
                f"encoder 'xresnet1d' looks at windows of {config.crop_s:g} s, but input {self.input_name!r} is "
                f"{self.spec.length / self.spec.rate_hz:g} s long at {self.spec.rate_hz:g} Hz: choose a shorter crop_s"
            )
        self._regions = self.spec.regions([[(at, at + self.window) for at in self.starts]])
        before, layers = len(self.spec.channels), list[nn.Module]()
        for number, after in enumerate(size.stem):
            layers.append(_layer(before, after, config.kernel, norm, stride=1 if number else 2))
            layers.append(nn.ReLU())
            before = after
        layers.append(nn.MaxPool1d(3, 2, 1))
        for stage, count in enumerate(size.blocks):
            for number in range(count):
                layers.append(
                    Bottleneck(before, size.width, config.kernel, norm, stride=2 if stage and not number else 1)
                )
                before = EXPANSION * size.width
        self.body = nn.Sequential(*layers)
        self.end = nn.Sequential(
            norm_of(norm, 2 * before, 1), nn.Dropout(config.dropout[0]), nn.Linear(2 * before, UNITS), nn.ReLU(),
            norm_of(norm, UNITS, 1), nn.Dropout(config.dropout[1]),
        )  # fmt: skip

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Windows that fit in a short signal."""
        return {"crop_s": 1.0, "stride_s": 0.5}

    @property
    def names(self) -> tuple[str, ...]:
        """``f0`` to ``f127``."""
        return tuple(f"f{unit}" for unit in range(UNITS))

    @property
    def token_shapes(self) -> Mapping[str, TokenShape]:
        """One set: the windows."""
        return {"": TokenShape(count=len(self.starts), width=UNITS, learning=1)}

    @property
    def starts(self) -> tuple[int, ...]:
        """Where windows begin in evaluation, in samples of the signal."""
        last = self.spec.length - self.window
        regular = list(range(0, last + 1, self.step))
        return tuple(regular if regular[-1] == last else [*regular, last])

    def regions(self) -> tuple[Region, ...]:
        """The seconds of each window in evaluation."""
        return self._regions

    def forward(self, batch: Batch) -> Representation:
        """Units, and those of each window: one drawn at random while the network learns, else all."""
        x = self.signal(batch)
        if self.training:
            starts = torch.randint(self.spec.length - self.window + 1, (len(x), 1), device=x.device)
            regions: tuple[Region, ...] = ()
        else:
            starts = torch.tensor(self.starts, device=x.device).expand(len(x), -1)
            regions = self.regions()
        seen = self._units(windows(x, starts, self.window).flatten(0, 1)).unflatten(0, starts.shape)
        return self.represented(seen.mean(1), {"": Tokens(seen, regions, input=self.input_name)}, batch)

    def _units(self, x: Tensor) -> Tensor:
        x = self.body(x)
        return self.end(torch.cat([x.amax(2), x.mean(2)], dim=1))


UNITS = 128
"""Units at the end, in all variants."""


def windows(x: Tensor, starts: Tensor, length: int) -> Tensor:
    """Cut windows out of signals.

    Parameters
    ----------
    x : Tensor, shape (sample, channel, time)
    starts : Tensor of int64, shape (sample, window)
    length : int

    Returns
    -------
    Tensor, shape (sample, window, channel, length)
    """
    at = starts[:, :, None, None] + torch.arange(length, device=x.device)
    every = x[:, None].expand(-1, starts.shape[1], -1, -1)
    return every.gather(3, at.expand(-1, -1, x.shape[1], -1))


class Bottleneck(nn.Module):
    """Convolutions of one sample, of ``kernel`` samples and of one sample beside a short cut.

    Where time is halved the short cut takes means of two before it changes the number of channels.
    """

    def __init__(self, before: int, width: int, kernel: int, norm: Norm, stride: int) -> None:
        super().__init__()
        after = EXPANSION * width
        self.first = _layer(before, width, 1, norm)
        self.middle = _layer(width, width, kernel, norm, stride=stride)
        self.last = _layer(width, after, 1, norm)
        zero_weight(self.last[1])
        self.short = nn.Sequential()
        if stride > 1:
            self.short.append(nn.AvgPool1d(stride, ceil_mode=True))
        if before != after:
            self.short.append(_layer(before, after, 1, norm))

    def forward(self, x: Tensor) -> Tensor:
        """Shape (sample, before, time) to (sample, 4 width, time or half of it)."""
        inner = self.middle(self.first(x).relu()).relu()
        return functional.relu(self.short(x) + self.last(inner))


def _layer(before: int, after: int, kernel: int, norm: Norm, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv1d(before, after, kernel, stride, kernel // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight)
    return nn.Sequential(convolution, norm_of(norm, after, 1))
