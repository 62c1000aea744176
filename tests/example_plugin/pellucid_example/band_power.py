"""An encoder whose every unit can be checked with a ruler: power in a frequency band of one channel."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor

from pellucid.batch import Batch
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.representation import Representation


class BandPowerConfig(EncoderConfig):
    """Settings of :class:`BandPower`.

    Parameters
    ----------
    edges_hz : tuple of float
        Where one band ends and the next begins, increasing.
    """

    edges_hz: tuple[float, ...] = Field((0.5, 1.25, 2.0, 2.75, 3.5), min_length=2)


class BandPower(Encoder):
    """Log power of each channel in each frequency band, in standard deviations from the training mean.

    References
    ----------
    The discrete Fourier transform, as in any textbook of signal processing.
    """

    tags = EncoderTags(accepts=("signal",))
    config_type = BandPowerConfig
    config: BandPowerConfig

    def __init__(self, config: BandPowerConfig) -> None:
        super().__init__()
        self.config = config
        (self.spec,) = config.inputs.values()
        self.register_buffer("mean", torch.zeros(len(self.names)))
        self.register_buffer("scale", torch.ones(len(self.names)))

    @property
    def names(self) -> tuple[str, ...]:
        """``finger 0.5-1.25 Hz`` ..."""
        bands = [f"{low:g}-{high:g} Hz" for low, high in pairwise(self.config.edges_hz)]
        return tuple(f"{channel} {band}" for channel in self.spec.channels for band in bands)

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn mean and deviation of each unit."""
        powers = torch.cat([self.power(batch) for batch in batches])
        self.mean.copy_(powers.mean(0))
        self.scale.copy_(powers.std(0).clamp_min(1e-6))

    def power(self, batch: Batch) -> Tensor:
        """Log of one plus the power, shape (sample, unit); masked samples count as 0."""
        x, known = self.read(batch), self.known(batch)
        if known is not None:
            x = torch.where(known, x, 0.0)
        spectrum = torch.fft.rfft(x, dim=-1).abs().square() / x.shape[-1]
        hz = torch.fft.rfftfreq(x.shape[-1], d=1 / self.spec.rate_hz)
        bands = [spectrum[..., (hz >= low) & (hz < high)].sum(-1) for low, high in pairwise(self.config.edges_hz)]
        return torch.stack(bands, dim=-1).log1p().flatten(1)

    def forward(self, batch: Batch) -> Representation:
        """Standardised band powers."""
        return Representation((self.power(batch) - self.mean) / self.scale, self.names)
