"""Histograms of a grid's values: how much of a volume lies between two values, as a whole and block by block."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise, product
from typing import Any, cast

import torch
from pydantic import Field, field_validator
from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.spec import Image, Volume
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.representation import Representation, Tokens, TokenShape


class GridHistogramConfig(EncoderConfig):
    """Settings of :class:`GridHistogram`.

    Parameters
    ----------
    edges : tuple of float
        Increasing values, in the input's unit, at which one bin ends and the next begins; below the first and from the last on
        there is a bin too.
    blocks : int
        Into how many equal parts each axis is cut for tokens; 0: no tokens.
    """

    edges: tuple[float, ...] = Field(min_length=1)
    blocks: int = Field(default=0, ge=0)

    @field_validator("edges")
    @classmethod
    def _increasing(cls, edges: tuple[float, ...]) -> tuple[float, ...]:
        if any(one >= other for one, other in pairwise(edges)):
            raise ValueError("edges increase")
        return edges


class GridHistogram(Encoder):
    """Share of a picture's or volume's points in each of a few bins of values, channel by channel; nothing is learnt.

    A unit is called after its bin (``"surface_distance 1 to 2 angstrom"``). Tokens are the same shares within each of ``blocks`` parts
    of each axis. Shares are of the points that are known, and 0 where none is. Where a grid repeats (the cell of a crystal), shifting
    its origin changes blocks and not the whole.
    """

    tags = EncoderTags(accepts=("image", "volume"))
    config_type = GridHistogramConfig
    config: GridHistogramConfig
    edges: Tensor

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings to try it with on a small grid."""
        return {"edges": (-0.5, 0.0, 0.5), "blocks": 2}

    def __init__(self, config: GridHistogramConfig) -> None:
        super().__init__()
        self.config = config
        (spec,) = config.inputs.values()
        self.spec = cast("Image | Volume", spec)
        blocks = config.blocks
        cuts = [[round(size * at / max(1, blocks)) for at in range(blocks + 1)] for size in self.spec.size]
        pieces = [[(start, stop) for start, stop in pairwise(one) if stop > start] for one in cuts]
        self._parts = list(product(*pieces))
        self._regions = self.spec.regions(pieces)
        self.register_buffer("edges", torch.tensor(config.edges, dtype=torch.float32))

    @property
    def names(self) -> tuple[str, ...]:
        """Channel and bin."""
        unit, ends = self.spec.units, [f"{edge:g}" for edge in self.config.edges]
        told = "" if unit in ("", "1") else f" {unit}"
        bins = [
            f"below {ends[0]}{told}",
            *(f"{one} to {other}{told}" for one, other in pairwise(ends)),
            f"from {ends[-1]}{told}",
        ]
        return tuple(f"{channel} {one}" for channel in self.spec.channels for one in bins)

    @property
    def token_shapes(self) -> Mapping[str, TokenShape]:
        """One set, with ``blocks``: the blocks, in the order of their indices."""
        if not self.config.blocks:
            return {}
        return {"": TokenShape(count=len(self._parts), width=len(self.names), word=("block", "blocks"))}

    def forward(self, batch: Batch) -> Representation:
        """Shares, of the whole and of blocks."""
        x, known = self.read(batch), self.known(batch)
        there = torch.ones_like(x, dtype=torch.bool) if known is None else known
        bins = torch.bucketize(x.contiguous(), self.edges, right=True)
        whole = self._shares(bins, there)
        if not self.config.blocks:
            return Representation(whole, self.names)
        parts = []
        for part in self._parts:
            at = (slice(None), slice(None), *(slice(*ends) for ends in part))
            parts.append(self._shares(bins[at], there[at]))
        return Representation(
            whole, self.names, {"": Tokens(torch.stack(parts, 1), self._regions, input=self.input_name)}
        )

    def _shares(self, bins: Tensor, known: Tensor) -> Tensor:
        """Of each bin, shape (sample, channel x bin)."""
        bins, known = bins.flatten(2), known.flatten(2)
        counts = torch.zeros(*bins.shape[:2], len(self.config.edges) + 1, device=bins.device)
        counts.scatter_add_(2, bins, known.to(counts.dtype))
        return (counts / known.sum(2, keepdim=True).clamp(min=1)).flatten(1)
