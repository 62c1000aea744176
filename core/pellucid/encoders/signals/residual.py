"""Residual blocks over one or two axes: what the networks of this family are stacked from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.encoders.convolutions import CONVOLUTION

Norm = Literal["group", "batch"]
"""``"group"``: each sample is normalised by itself, eight channels a group. ``"batch"``: by the batch while the network
learns, by what was usual then afterwards; so in evaluation a sample is encoded as if it were alone with either."""


class BatchNorm1d(nn.BatchNorm1d):
    """A BatchNorm that goes by what was usual where a batch has a single value of each channel.

    Such a batch has no deviation. Left alone, training would end in an error wherever one sample is left for the last batch.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Shape (sample, channel) or (sample, channel, time)."""
        if self.training and input.numel() == input.shape[1]:
            return functional.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(input)


BATCH_NORM: dict[int, type[nn.Module]] = {1: BatchNorm1d, 2: nn.BatchNorm2d}


def _odd(kernel: int) -> int:
    if kernel % 2 == 0:
        raise ValueError("a kernel is of an odd number of samples, so that it has a middle")
    return kernel


Kernel = Annotated[int, Field(ge=1), AfterValidator(_odd)]
"""Length of convolutions along time, in samples of what comes in."""

PER_GROUP = 8
"""Channels that are normalised together."""


def norm_of(kind: Norm, channels: int, axes: int) -> nn.Module:
    """A normalisation of some channels over one or two axes."""
    if kind == "batch":
        return BATCH_NORM[axes](channels)
    groups = channels // PER_GROUP if channels % PER_GROUP == 0 else 1
    return nn.GroupNorm(max(1, groups), channels)


def zero_weight(norm: nn.Module) -> nn.Module:
    """The norm with weights of 0: a block that ends with it begins as its short cut alone."""
    nn.init.zeros_(norm.weight)  # type: ignore[arg-type]
    return norm


class BasicBlock(nn.Module):
    """Two convolutions beside a short cut.

    Parameters
    ----------
    before, after : int
        Channels.
    kernel, stride : tuple of int
        One number an axis; padding keeps each cell in the middle of what it sees.
    norm : {"group", "batch"}
    """

    def __init__(self, before: int, after: int, kernel: Sequence[int], stride: Sequence[int], norm: Norm) -> None:
        super().__init__()
        axes = len(kernel)
        convolution = CONVOLUTION[axes]
        padding, ones = tuple(k // 2 for k in kernel), (1,) * axes
        self.first = convolution(before, after, tuple(kernel), tuple(stride), padding, bias=False)
        self.first_norm = norm_of(norm, after, axes)
        self.second = convolution(after, after, tuple(kernel), ones, padding, bias=False)
        self.second_norm = zero_weight(norm_of(norm, after, axes))
        self.short: nn.Module = nn.Identity()
        if before != after or max(stride) > 1:
            self.short = nn.Sequential(
                convolution(before, after, ones, tuple(stride), bias=False), norm_of(norm, after, axes)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Shape (sample, before, *size) to (sample, after, *smaller)."""
        inner = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(self.short(x) + self.second_norm(self.second(inner)))


def stages(
    before: int, widths: Sequence[int], blocks: Sequence[int], kernel: Sequence[int], norm: Norm
) -> nn.Sequential:
    """Stages of basic blocks; all but the first begin by halving every axis.

    Parameters
    ----------
    before : int
        Channels that come in.
    widths, blocks : sequence of int
        Channels and number of blocks of each stage.
    kernel : sequence of int
    norm : {"group", "batch"}
    """
    made: list[nn.Module] = []
    for stage, (after, count) in enumerate(zip(widths, blocks, strict=True)):
        for number in range(count):
            stride = (2 if stage and not number else 1,) * len(kernel)
            made.append(BasicBlock(before, after, kernel, stride, norm))
            before = after
    return nn.Sequential(*made)
