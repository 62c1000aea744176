"""EEG Conformer: filters make patches of time, attention relates them, and two layers read all of them."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.representation import Representation, Tokens, TokenShape
from pellucid_eeg.encoders.network import EegNetwork, EegNetworkConfig, seen_by
from pellucid_eeg.examples import example

WIDTH, KERNEL, POOL = 40, 25, (75, 15)

READ = (256, 32)
"""Units of the two layers that read all patches."""

READ_DROPOUT = 0.3
"""After the second of them."""


class EegConformerConfig(EegNetworkConfig):
    """Settings of :class:`EegConformer`.

    Parameters
    ----------
    depth : int
        Layers of attention.
    heads : int
        Of each, a divisor of 40.
    dropout : float
        Share of values that are silent in a training step.
    """

    depth: int = Field(default=6, ge=1)
    heads: int = Field(default=10, ge=1)
    dropout: float = Field(default=0.5, ge=0, lt=1)


class EegConformer(EegNetwork):
    """Patches of 75 samples, six layers of attention over them, and two layers that read all; units are the last 32.

    Tokens are the patches as attention leaves them; each has looked at all others. With the head ``linear`` it is the
    published network: for 22 channels, 1000 samples and four classes, 789,440 parameters here and 132 there.

    References
    ----------
    Song et al. (2023), doi:10.1109/TNSRE.2022.3230250. Deviation: products of queries and keys are divided by the root of
    the width of a head, as the paper writes, where their programme takes that of all heads together.
    """

    config_type = EegConformerConfig
    config: EegConformerConfig
    features = WIDTH

    def __init__(self, config: EegConformerConfig) -> None:
        super().__init__(config)
        self.windows = seen_by("eegconformer", self.spec.length, [(KERNEL, 1), POOL])
        self.temporal = nn.Conv2d(1, WIDTH, (1, KERNEL))
        self.spatial = nn.Conv2d(WIDTH, WIDTH, (len(self.spec.channels), 1))
        self.norm = nn.BatchNorm2d(WIDTH)
        self.mixed = nn.Conv2d(WIDTH, WIDTH, 1)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, config.heads, 4 * WIDTH, config.dropout, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(config.depth)
        )
        self.first = nn.Linear(WIDTH * len(self.windows), READ[0])
        self.second = nn.Linear(*READ)
        self.dropout, self.last_dropout = nn.Dropout(config.dropout), nn.Dropout(READ_DROPOUT)

    @classmethod
    def example_data(cls) -> Dataset:
        """A few made-up trials."""
        return example()

    @property
    def names(self) -> tuple[str, ...]:
        """``f0`` to ``f31``."""
        return tuple(f"f{unit}" for unit in range(READ[1]))

    @property
    def token_shapes(self) -> Mapping[str, TokenShape]:
        """One set: the patches."""
        return {"": TokenShape(count=len(self.windows), width=WIDTH)}

    def cells(self, batch: Batch) -> Tensor:
        """Patches as attention leaves them, shape (sample, feature, patch)."""
        x = functional.elu(self.norm(self.spatial(self.temporal(self.signal(batch)[:, None]))))
        x = self.mixed(self.dropout(functional.avg_pool2d(x, (1, POOL[0]), (1, POOL[1]))))[:, :, 0].transpose(1, 2)
        for layer in self.layers:
            x = layer(x)
        return x.transpose(1, 2)

    def forward(self, batch: Batch) -> Representation:
        """Units, and the patches."""
        patches = self.cells(batch).transpose(1, 2)
        x = self.dropout(functional.elu(self.first(patches.flatten(1))))
        units = self.last_dropout(functional.elu(self.second(x)))
        return self.represented(units, {"": Tokens(patches, self.spans(), input=self.input_name)}, batch)
