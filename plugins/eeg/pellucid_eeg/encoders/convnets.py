"""The two convolutional networks of Schirrmeister et al.: one for band power, one with four blocks for anything."""

from __future__ import annotations

import itertools

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid_eeg.encoders.network import EegNetwork, EegNetworkConfig, limit_norms, seen_by
from pellucid_eeg.examples import example

SHALLOW_FILTERS, SHALLOW_KERNEL, SHALLOW_POOL = 40, 25, (75, 15)

DEEP_WIDTHS, DEEP_KERNEL, DEEP_POOL = (25, 50, 100, 200), 10, 3

LEAST_POWER, MOST_POWER = 1e-6, 1e6
"""Limits of a mean power before its logarithm is taken; the lower one is the published one."""


class ConvNetConfig(EegNetworkConfig):
    """Settings of :class:`ShallowConvNet` and :class:`Deep4`.

    Parameters
    ----------
    dropout : float
        Share of values that are silent in a training step.
    max_norm : float, optional
        Longest filter, kept after each step; None: no limit.
    """

    dropout: float = Field(default=0.5, ge=0, lt=1)
    max_norm: float | None = Field(default=2.0, gt=0)


class _Filters(nn.Module):
    """Temporal filters of each channel, then spatial ones over all of them and all channels, and a BatchNorm."""

    def __init__(self, channels: int, filters: int, kernel: int) -> None:
        super().__init__()
        self.temporal = nn.Conv2d(1, filters, (1, kernel))
        self.spatial = nn.Conv2d(filters, filters, (channels, 1), bias=False)
        self.norm = nn.BatchNorm2d(filters)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (sample, channel, time) to (sample, filter, 1, time)."""
        found: Tensor = self.norm(self.spatial(self.temporal(x[:, None])))
        return found


class ShallowConvNet(EegNetwork):
    """Filters, squares, means and logarithms: what filter-bank common spatial patterns do, learnt as one.

    A cell is the log power of each filter over 75 samples. With the head ``linear`` it is the published network: for 22
    channels, 1000 samples and four classes, 36,320 parameters here and 9,764 there.

    References
    ----------
    Schirrmeister et al. (2017), arXiv 1703.05051. Deviations: trained on whole trials, not on crops; the limit of norms,
    which their experiments had, is not put on the head.
    """

    config_type = ConvNetConfig
    config: ConvNetConfig
    features = SHALLOW_FILTERS

    def __init__(self, config: ConvNetConfig) -> None:
        super().__init__(config)
        self.windows = seen_by("shallow-convnet", self.spec.length, [(SHALLOW_KERNEL, 1), SHALLOW_POOL])
        self.filters = _Filters(len(self.spec.channels), SHALLOW_FILTERS, SHALLOW_KERNEL)
        self.dropout = nn.Dropout(config.dropout)

    @classmethod
    def example_data(cls) -> Dataset:
        """A few made-up trials."""
        return example()

    def settle(self) -> None:
        """Keep filters within their norm."""
        for layer in (self.filters.temporal, self.filters.spatial):
            limit_norms(layer, self.config.max_norm)

    def cells(self, batch: Batch) -> Tensor:
        """Shape (sample, feature, cell)."""
        power = functional.avg_pool2d(
            self.filters(self.signal(batch)).square(), (1, SHALLOW_POOL[0]), (1, SHALLOW_POOL[1])
        )
        found: Tensor = self.dropout(power.clamp(LEAST_POWER, MOST_POWER).log())[:, :, 0]
        return found


class Deep4(EegNetwork):
    """Four blocks of a convolution and a pool, the first with temporal and spatial filters; cells overlap.

    With the head ``linear`` it is the published network: for 22 channels, 1000 samples and four classes, 277,275 parameters
    here and 5,604 there.

    References
    ----------
    Schirrmeister et al. (2017), arXiv 1703.05051. Deviations as of :class:`ShallowConvNet`.
    """

    config_type = ConvNetConfig
    config: ConvNetConfig
    features = DEEP_WIDTHS[-1]

    def __init__(self, config: ConvNetConfig) -> None:
        super().__init__(config)
        block = [(DEEP_KERNEL, 1), (DEEP_POOL, DEEP_POOL)]
        self.windows = seen_by("deep4", self.spec.length, block * len(DEEP_WIDTHS))
        self.filters = _Filters(len(self.spec.channels), DEEP_WIDTHS[0], DEEP_KERNEL)
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        for before, after in itertools.pairwise(DEEP_WIDTHS):
            self.convolutions.append(nn.Conv2d(before, after, (1, DEEP_KERNEL), bias=False))
            self.norms.append(nn.BatchNorm2d(after))
        self.dropout = nn.Dropout(config.dropout)

    @classmethod
    def example_data(cls) -> Dataset:
        """A few made-up trials."""
        return example()

    def settle(self) -> None:
        """Keep filters within their norm."""
        for layer in (self.filters.temporal, self.filters.spatial, *self.convolutions):
            assert isinstance(layer, nn.Conv2d)
            limit_norms(layer, self.config.max_norm)

    def cells(self, batch: Batch) -> Tensor:
        """Shape (sample, feature, cell)."""
        x = _pooled(self.filters(self.signal(batch)))
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = _pooled(norm(convolution(self.dropout(x))))
        return x[:, :, 0]


def _pooled(x: Tensor) -> Tensor:
    return functional.max_pool2d(functional.elu(x), (1, DEEP_POOL))
