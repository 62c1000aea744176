"""Convolutions over one, two or three axes, built from the shape of the input."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from pellucid.data.spec import Image, InputSpec, OverTime, Volume
from pellucid.errors import StudyError

GRIDS = ("signal", "trajectory", "image", "volume")
"""Kinds of input that lie on a grid of one, two or three axes."""

CONVOLUTION: dict[int, type[nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
"""The convolution over a number of axes."""

TRANSPOSED: dict[int, type[nn.Module]] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
"""The transposed convolution over a number of axes."""


class Grid(NamedTuple):
    """Channels over axes."""

    channels: int
    size: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Numbers in one sample."""
        total = self.channels
        for length in self.size:
            total *= length
        return total


def grid_of(spec: InputSpec) -> Grid:
    """Channels and axes of an input.

    Raises
    ------
    StudyError
        If it does not lie on a grid.
    """
    if not isinstance(spec, OverTime | Image | Volume):
        raise StudyError(f"an input of kind {spec.kind!r} does not lie on a grid; convolutions read {', '.join(GRIDS)}")
    return Grid(spec.shape[0], tuple(spec.shape[1:]))


def block(convolution: nn.Module, channels: int) -> nn.Sequential:
    """A convolution, GELU, and GroupNorm with eight channels a group.

    GroupNorm stands where papers of this family have BatchNorm: a sample must be encoded as if it were alone.
    """
    return nn.Sequential(convolution, nn.GELU(), nn.GroupNorm(max(1, channels // 8), channels))


class Downward(nn.Module):
    """Blocks that halve every axis until none is longer than ``smallest``.

    Parameters
    ----------
    grid : Grid
        Of the input.
    width : int
        The first block has twice as many channels, all later ones four times as many. There is no block at full
        resolution: two of them would take two thirds of the time of a small network.
    smallest : int
        Axes are halved while they are longer; a shorter one keeps its length.
    """

    def __init__(self, grid: Grid, width: int, smallest: int = 4) -> None:
        super().__init__()
        convolution = CONVOLUTION[len(grid.size)]
        self.grids = [grid]
        self.strides: list[tuple[int, ...]] = []
        blocks: list[nn.Module] = []
        while not blocks or max(self.grids[-1].size) > smallest:
            last = self.grids[-1]
            stride = tuple(2 if length > smallest else 1 for length in last.size)
            size = tuple(-(-length // step) for length, step in zip(last.size, stride, strict=True))
            channels = 4 * width if blocks else 2 * width
            blocks.append(
                block(convolution(last.channels, channels, kernel_size=3, stride=stride, padding=1), channels)
            )
            self.grids.append(Grid(channels, size))
            self.strides.append(stride)
        self.blocks = nn.Sequential(*blocks)

    @property
    def last(self) -> Grid:
        """Channels and axes of what comes out."""
        return self.grids[-1]

    def forward(self, x: Tensor) -> Tensor:
        """Shape (sample, channel, *size) to (sample, *last)."""
        return self.blocks(x)


class Upward(nn.Module):
    """The way back of a :class:`Downward`, by transposed convolutions.

    Where an axis doubles the kernel has four elements: a multiple of the step, so that it covers all places equally
    often and leaves no chequerboard.
    """

    def __init__(self, down: Downward) -> None:
        super().__init__()
        transposed = TRANSPOSED[len(down.last.size)]
        self.sizes = [grid.size for grid in reversed(down.grids[:-1])]
        steps = []
        for after, before, stride in reversed(list(zip(down.grids, down.grids[1:], down.strides, strict=False))):
            kernel = tuple(4 if step == 2 else 3 for step in stride)
            convolution = transposed(before.channels, after.channels, kernel_size=kernel, stride=stride, padding=1)
            steps.append(block(convolution, after.channels) if after is not down.grids[0] else convolution)
        self.steps = nn.ModuleList(steps)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (sample, *down.last) to (sample, channel, *size), any real number."""
        for size, step in zip(self.sizes, self.steps, strict=True):
            x = step(x)
            # Half of an odd length is rounded up on the way down, so doubling gives one element too many.
            for axis, length in enumerate(size, start=2):
                x = x.narrow(axis, 0, length)
        return x
