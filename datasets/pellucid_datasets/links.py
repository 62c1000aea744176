"""Made-up links between two kinds of node, in planted blocks or at random: how much there is to find is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field

from pellucid.data.made_up import refuse_folder
from pellucid.data.pairs import Attributes, Pairs
from pellucid.data.spec import Frozen

NAME = "links-synthetic"

SHARES = ((2, 2, 1, 1), (1, 1, 1))
"""Relative sizes of the blocks of drugs and of microbes."""

DENSE = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]], bool)
"""Which block of drugs is linked densely with which block of microbes. With these sizes all nodes of a kind have as many links."""


class LinksSyntheticConfig(Frozen):
    """Settings of :class:`LinksSynthetic`.

    Parameters
    ----------
    drugs, microbes : int
    inside, outside : float
        Chance of a link in a block that is dense, and in one that is not.
    noise : float
        Standard deviation of what is added to the attributes that say which block a node is of.
    random : bool
        Links are drawn with one chance everywhere, as many as there would be, and attributes say nothing: whatever scores above
        one half on hidden links has seen them.
    attributes : bool
        Whether nodes have attributes at all.
    seed : int
    """

    drugs: int = Field(120, ge=8)
    microbes: int = Field(60, ge=6)
    inside: float = Field(0.25, ge=0, le=1)
    outside: float = Field(0.02, ge=0, le=1)
    noise: float = Field(1.0, ge=0)
    random: bool = False
    attributes: bool = True
    seed: int = Field(0, ge=0)


class LinksSynthetic(Pairs):
    """Drugs in four blocks, microbes in three; each block of drugs is linked densely with one block of microbes.

    All nodes of a kind have about as many links, so that degrees say little and blocks say all. Attributes are the block, one
    number each, with noise, and as many numbers of noise alone.

    Raises
    ------
    DataError
        If a folder is given: nothing is read, and numbers must not pass for those of the folder's data.

    References
    ----------
    Stochastic block models: Holland, Laskey and Leinhardt (1983), doi:10.1016/0378-8733(83)90021-7.
    """

    config_type = LinksSyntheticConfig

    def __init__(self, config: LinksSyntheticConfig | None = None, data: Path | None = None) -> None:
        refuse_folder(NAME, data)
        config = config or LinksSyntheticConfig()
        self.config = config
        rng = np.random.default_rng(config.seed)
        counts = (config.drugs, config.microbes)
        self.blocks = tuple(_dealt(n, shares, rng) for n, shares in zip(counts, SHARES, strict=True))
        chances = np.where(DENSE, config.inside, config.outside)[self.blocks[0][:, None], self.blocks[1][None]]
        if config.random:
            chances = np.full_like(chances, chances.mean())
        attributes = {
            role: _attributes(of, len(shares), config, rng)
            for role, of, shares in zip(("drug", "microbe"), self.blocks, SHARES, strict=True)
        }
        links = np.argwhere(rng.random(chances.shape) < chances)
        super().__init__(
            name=NAME,
            namespace=NAME,
            about="Made up: no drug and no microbe stands behind it. Pairs that are not linked are really not linked.",
            roles=("drug", "microbe"),
            names=tuple([f"{kind} {at + 1}" for at in range(n)] for kind, n in zip(("drug", "microbe"), counts, strict=True)),  # type: ignore[arg-type]
            links=links,
            attributes=attributes if config.attributes else {},
        )  # fmt: skip


def _dealt(count: int, shares: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """The block of each node, shape (node,)."""
    each = np.repeat(np.arange(len(shares)), shares)
    return rng.permutation(each[np.arange(count) * len(each) // count])


def _attributes(of: np.ndarray, blocks: int, config: LinksSyntheticConfig, rng: np.random.Generator) -> Attributes:
    said = np.zeros((len(of), blocks)) if config.random else np.eye(blocks)[of]
    values = np.concatenate([said, np.zeros((len(of), blocks))], axis=1)
    values = values + rng.normal(0, config.noise, values.shape)
    names = tuple(f"{kind} {at + 1}" for kind in ("block", "noise") for at in range(blocks))
    return Attributes(values.astype(np.float32), names)
