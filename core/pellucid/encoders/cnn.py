"""A small convolutional network over one, two or three axes; it learns together with the head that reads it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor

from pellucid.batch import Batch
from pellucid.encoders.augment import Augment, moved, refuse_unfit
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.encoders.convolutions import CONVOLUTION, GRIDS, Downward, Grid, grid_of
from pellucid.encoders.window import Window, checked_window, windowed
from pellucid.regions import Region
from pellucid.representation import Representation, Tokens, TokenShape


class CnnConfig(EncoderConfig):
    """Settings of :class:`Cnn`.

    Parameters
    ----------
    features : int
        Units, named ``f0``, ``f1`` ...
    width : int
        The first convolution has twice as many channels, all later ones four times as many.
    smallest : int
        Axes are halved while they are longer than this; it sets how many tokens there are.
    tokens : bool
        Whether to hand on the units of each cell, with the region it covers.
    window : pair of float, optional
        Bounds in units of the input (``(-1000, 400)`` for CT): values are clipped to them and mapped to 0..1. Without a
        window, numbers are read as they are.
    augment : {"none", "flips", "turns", "signals"}
        Whether inputs are shown in ways drawn at random while the network learns: ``"flips"`` and ``"turns"`` for images
        and volumes, ``"signals"`` for signals; see :data:`~pellucid.encoders.augment.Augment`.
    """

    features: int = Field(default=16, gt=0)
    width: int = Field(default=8, gt=0)
    smallest: int = Field(default=4, gt=0)
    tokens: bool = False
    window: Window | None = None
    augment: Augment = "none"


class Cnn(Encoder):
    """Convolutions, GELU and GroupNorm down to a few cells; each unit is its mean over the cells.

    No statistics are learnt from the data: bring values of another size near 0..1 with a window. Masked values are read as
    0; an input that is missing altogether gives units of 0. A token's region is the cell it stands for; it has seen some surroundings too.
    """

    tags = EncoderTags(accepts=GRIDS)
    config_type = CnnConfig
    config: CnnConfig

    def __init__(self, config: CnnConfig) -> None:
        super().__init__()
        self.config = config
        (self.spec,) = config.inputs.values()
        refuse_unfit(config.augment, self.spec)
        if config.window is not None:
            checked_window(config.window, self.input_name)
        self.grid: Grid = grid_of(self.spec)
        self.down = Downward(self.grid, config.width, config.smallest)
        self.last = CONVOLUTION[len(self.grid.size)](self.down.last.channels, config.features, kernel_size=1)
        self._regions = self.spec.regions(self._cells())

    @property
    def names(self) -> tuple[str, ...]:
        """``f0``, ``f1`` ..."""
        return tuple(f"f{unit}" for unit in range(self.config.features))

    @property
    def token_shapes(self) -> Mapping[str, TokenShape]:
        """One set, with ``tokens``: the cells."""
        if not self.config.tokens:
            return {}
        return {"": TokenShape(count=math.prod(self.down.last.size), width=self.config.features)}

    def forward(self, batch: Batch) -> Representation:
        """Units, and with ``tokens`` those of each cell."""
        x, known, there = self.read(batch), self.known(batch), self.present(batch)
        if self.config.window is not None:
            x = windowed(x, self.config.window)
        if known is not None:
            x = torch.where(known, x, torch.zeros_like(x))
        if self.training:
            x = moved(x, self.config.augment)
        cells: Tensor = self.last(self.down(x)).flatten(2).transpose(1, 2)
        values = cells.mean(1)
        if there is not None:
            values = values * there[:, None]
        if not self.config.tokens:
            return Representation(values, self.names)
        return Representation(values, self.names, {"": Tokens(cells, self.regions(), input=self.input_name)})

    def regions(self) -> tuple[Region, ...]:
        """The part of the input that each token stands for, in the order of the tokens."""
        return self._regions

    def _cells(self) -> list[list[tuple[int, int]]]:
        """Start and stop of the cells along each axis."""
        cells = []
        for length, count in zip(self.grid.size, self.down.last.size, strict=True):
            # Every halving rounds up, so a cell is the next power of two and the last may be cut short.
            side = 1
            while -(-length // side) > count:
                side *= 2
            cells.append([(at * side, min((at + 1) * side, length)) for at in range(count)])
        return cells
