"""The three networks of ProtoECGNet side by side: one a way in which a cardiologist recognises something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import nn

from pellucid.batch import Batch
from pellucid.encoders.signals.cells import cells, count_of, whole
from pellucid.encoders.signals.reading import SignalNetwork, SignalNetworkConfig
from pellucid.encoders.signals.residual import Kernel, Norm
from pellucid.encoders.signals.resnet1d import HALVINGS, Trunk1d
from pellucid.representation import Representation, Tokens, TokenShape
from pellucid_ecg.encoders.resnet2d import Stem, Trunk2d

Branch = Literal["rhythm", "morphology", "global"]


class ProtoEcgNetConfig(SignalNetworkConfig):
    """Settings of :class:`ProtoEcgNet`.

    Parameters
    ----------
    branches : tuple of {"rhythm", "morphology", "global"}
        The networks there are. A branch for which no label is meant costs time and nothing else.
    stem : {"12x7", "7x7"}
        Of the branches over channels and time: :data:`~pellucid_ecg.encoders.resnet2d.Stem`.
    widths : tuple of four int
        Channels of the stages of each branch; ``[64, 128, 256, 512]`` as published.
    blocks : tuple of four int
        Blocks of each stage.
    kernel : int
        Length of the blocks' convolutions along time; 3 as published.
    dropout : float
        Share of channels that are silent in a training step; 0.35 as published.
    norm : {"group", "batch"}
        See :data:`~pellucid.encoders.signals.residual.Norm`.
    shared : bool
        Whether morphology and whole recordings are seen by one network, as both are of one form; as published each has its
        own.
    """

    branches: tuple[Branch, ...] = Field(default=("rhythm", "morphology", "global"), min_length=1)
    stem: Stem = "12x7"
    widths: tuple[int, int, int, int] = (16, 32, 64, 128)
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)
    kernel: Kernel = 3
    dropout: float = Field(default=0.0, ge=0, lt=1)
    norm: Norm = "group"
    shared: bool = False


class ProtoEcgNet(SignalNetwork):
    """Three networks over one signal; each hands on tokens of its own, for prototypes of its own.

    ``rhythm``: a network along time, whose mean over the whole signal is one token. ``morphology`` and ``global``: networks
    over a picture of channels by time, whose 32 cells (of ten seconds at 100 Hz) are tokens. Units are the means of each.

    References
    ----------
    Sethi et al. (2025), ProtoECGNet, PMLR 298. Deviations: no weights learnt from ImageNet, which cannot be shipped; the
    three networks learn together where the paper's learn one after another; cells are said to lie around the sample they
    are centred on (the paper has them begin there); those of ``resnet1d`` and ``resnet2d-ecg``.
    """

    config_type = ProtoEcgNetConfig
    config: ProtoEcgNetConfig

    def __init__(self, config: ProtoEcgNetConfig) -> None:
        super().__init__(config)
        channels = len(self.spec.channels)
        self.trunks = nn.ModuleDict()
        for branch in dict.fromkeys(map(self._network_of, config.branches)):
            self.trunks[branch] = (
                Trunk1d(channels, config.widths, config.blocks, config.kernel, config.norm)
                if branch == "rhythm"
                else Trunk2d(channels, config.stem, config.widths, config.blocks, config.kernel, config.norm)
            )
        self.dropout = nn.Dropout1d(config.dropout)
        self.cells, self.whole = cells(self.spec, HALVINGS), (whole(self.spec),)

    def _network_of(self, branch: Branch) -> Branch:
        return "morphology" if branch == "global" and self.config.shared else branch

    @property
    def names(self) -> tuple[str, ...]:
        """``rhythm:f0`` ... ``morphology:f0`` ... ``global:f0`` ..., once for each network."""
        return tuple(f"{network}:f{unit}" for network in self.trunks for unit in range(self.config.widths[-1]))

    @property
    def token_shapes(self) -> Mapping[str, TokenShape]:
        """One set a branch: one token of rhythm, all cells of the others."""
        count, width = count_of(self.spec.length, HALVINGS), self.config.widths[-1]
        return {
            branch: TokenShape(count=1 if branch == "rhythm" else count, width=width) for branch in self.config.branches
        }

    def forward(self, batch: Batch) -> Representation:
        """Units of each network and tokens of each branch."""
        x = self.signal(batch)
        found = {network: self.dropout(trunk(x)).transpose(1, 2) for network, trunk in self.trunks.items()}
        tokens: dict[str, Tokens] = {}
        for branch in self.config.branches:
            own = found[self._network_of(branch)]
            tokens[branch] = (
                Tokens(own.mean(1, keepdim=True), self.whole, input=self.input_name)
                if branch == "rhythm"
                else Tokens(own, self.cells, input=self.input_name)
            )
        return self.represented(torch.cat([own.mean(1) for own in found.values()], dim=1), tokens, batch)
