"""EEGNet: a compact network of temporal filters, spatial filters of each, and separable convolutions."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.errors import StudyError
from pellucid_eeg.encoders.filters import temporal_then_spatial
from pellucid_eeg.encoders.network import EegNetwork, EegNetworkConfig, limit_norms
from pellucid_eeg.examples import example

POOLS = (4, 8)
"""Samples that the two pools take the mean of."""

SEPARABLE = 16
"""Length of the second convolution along time, in samples after the first pool."""

AROUND = ((SEPARABLE - 1) // 2, SEPARABLE // 2)
"""Zeros before and after, so that there are as many samples as before."""

MOMENTUM, EPSILON = 0.01, 1e-3
"""Of the BatchNorms, as published (there: 0.99 is kept)."""


class EegNetConfig(EegNetworkConfig):
    """Settings of :class:`EegNet`.

    Parameters
    ----------
    filters : int
        Temporal filters.
    depth : int
        Spatial filters of each temporal one; as many features as both together.
    kernel : int
        Length of the temporal filters in samples: half a second at the published 128 Hz.
    dropout : float
        Share of values that are silent in a training step; as published 0.5 within and 0.25 across subjects.
    max_norm : float, optional
        Longest spatial filter, kept after each step; None: no limit.
    """

    filters: int = Field(default=8, ge=1)
    depth: int = Field(default=2, ge=1)
    kernel: int = Field(default=64, ge=1)
    dropout: float = Field(default=0.25, ge=0, lt=1)
    max_norm: float | None = Field(default=1.0, gt=0)


class EegNet(EegNetwork):
    """Temporal filters, spatial filters of each, and separable convolutions; a cell is the mean over 32 samples.

    With the head ``linear`` it is EEGNet-8,2: 1,456 parameters here and, for 512 samples and four classes, 1,028 there.

    References
    ----------
    Lawhern et al. (2018), arXiv 1611.08024. Deviations: the last layer, which belongs to the head, has no limit to its norm
    (there 0.25) but a small penalty; ``standardise`` takes the place of their filter's scaling.
    """

    config_type = EegNetConfig
    config: EegNetConfig

    def __init__(self, config: EegNetConfig) -> None:
        super().__init__(config)
        channels, cell = len(self.spec.channels), POOLS[0] * POOLS[1]
        if self.spec.length < cell:
            raise StudyError(f"encoder 'eegnet' needs signals of at least {cell} samples, got {self.spec.length}")
        self.features = config.filters * config.depth
        self.windows = tuple((at * cell, (at + 1) * cell) for at in range(self.spec.length // POOLS[0] // POOLS[1]))
        few, many = config.filters, self.features
        self.temporal = nn.Conv2d(1, few, (1, config.kernel), padding="same", bias=False)
        self.temporal_norm = nn.BatchNorm2d(few, EPSILON, MOMENTUM)
        self.spatial = nn.Conv2d(few, many, (channels, 1), groups=few, bias=False)
        self.spatial_norm = nn.BatchNorm2d(many, EPSILON, MOMENTUM)
        self.separable = nn.Conv2d(many, many, (1, SEPARABLE), groups=many, bias=False)
        self.pointwise = nn.Conv2d(many, many, 1, bias=False)
        self.last_norm = nn.BatchNorm2d(many, EPSILON, MOMENTUM)
        self.dropout = nn.Dropout(config.dropout)

    @classmethod
    def example_data(cls) -> Dataset:
        """A few made-up trials."""
        return example()

    def settle(self) -> None:
        """Keep spatial filters within their norm."""
        limit_norms(self.spatial, self.config.max_norm)

    def cells(self, batch: Batch) -> Tensor:
        """Shape (sample, feature, cell)."""
        x = temporal_then_spatial(self.signal(batch), self.temporal, self.temporal_norm, self.spatial)[:, :, None]
        x = functional.elu(self.spatial_norm(x))
        x = self.dropout(functional.avg_pool2d(x, (1, POOLS[0])))
        x = functional.elu(self.last_norm(self.pointwise(self.separable(functional.pad(x, AROUND)))))
        found: Tensor = self.dropout(functional.avg_pool2d(x, (1, POOLS[1])))[:, :, 0]
        return found
