"""Power of rhythms over windows: what grows or fades without a fixed phase, with units that anybody can name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from pydantic import Field, model_validator
from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.spec import Signal
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.encoders.signals.windows import Windows
from pellucid.errors import StudyError
from pellucid.moments import Moments
from pellucid.representation import Representation
from pellucid.signals.bands import Bands

RESOLVED = 1e-10
"""Least share of a channel's power that is told from rounding."""

FLAT = 1e-6
"""A channel that deviates from its mean by no more than this share of it carries nothing."""


class WindowPowersConfig(EncoderConfig):
    """Settings of :class:`WindowPowers`.

    Parameters
    ----------
    bands_hz : mapping of str to (float, float)
        Names of the bands, and from where to where each reaches.
    window_s : float
        Length of the windows in seconds, rounded to whole samples; what is left at the end belongs to none.
    order : int
        Of the Butterworth filter, which is applied forwards and backwards.
    """

    bands_hz: Mapping[str, tuple[float, float]] = Field(min_length=1)
    window_s: float = Field(default=0.25, gt=0)
    order: int = Field(default=4, ge=1, le=10)

    @model_validator(mode="after")
    def _are_bands(self) -> WindowPowersConfig:
        for name, (low, high) in self.bands_hz.items():
            if not 0 < low < high < math.inf:
                raise ValueError(f"bands_hz.{name} = {[low, high]}: a band is from a frequency above 0 to a higher one")
        return self


class WindowPowers(Encoder):
    """Log power of each channel in each band over each window; a unit is called after the three (``"Pz alpha 0.250 s"``).

    Beside :class:`~pellucid.encoders.signals.window_means.WindowMeans`, which sees what keeps its phase from trial to trial,
    it sees what does not. A window in which a channel is flat or nothing is known says what is usual among the training
    samples. A band that is narrow for the window's length is seen with its surroundings: filters swing on for about one
    period of the band's width.

    References
    ----------
    Pfurtscheller and Lopes da Silva (1999), doi:10.1016/S1388-2457(99)00141-8, with logarithms in place of percentages of a
    baseline.
    """

    tags = EncoderTags(accepts=("signal",), measures="ln {}2")
    config_type = WindowPowersConfig
    config: WindowPowersConfig
    usual: Tensor

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings to try it with on a short signal."""
        return {"window_s": 0.1, "bands_hz": {"slow": (1.0, 3.0), "fast": (3.0, 6.0)}}

    def __init__(self, config: WindowPowersConfig) -> None:
        super().__init__()
        self.config = config
        (spec,) = config.inputs.values()
        assert isinstance(spec, Signal)
        self.spec = spec
        self.windows = Windows(spec, config.window_s, "window-powers")
        for name, (low, high) in config.bands_hz.items():
            if high >= spec.rate_hz / 2:
                raise StudyError(
                    f"encoder 'window-powers' looks at {low:g} to {high:g} Hz ({name}), but signals of {spec.rate_hz:g} "
                    f"samples a second end at {spec.rate_hz / 2:g} Hz"
                )
        self.bands = Bands(tuple(config.bands_hz.values()), spec.length, spec.rate_hz, config.order)
        self.register_buffer("usual", torch.zeros(len(self.names)))

    @property
    def names(self) -> tuple[str, ...]:
        """Channel, band, and when the window begins."""
        begins = self.windows.begins_s
        return tuple(
            f"{c} {band} {at:.3f} s" for c in self.spec.channels for band in self.config.bands_hz for at in begins
        )

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn what is usual of each unit."""
        moments = Moments()
        for batch in batches:
            moments.add(*self._powers(batch))
        self.usual.copy_(moments.mean)

    def forward(self, batch: Batch) -> Representation:
        """Log powers in the units of the signal squared, channel after channel."""
        values, known = self._powers(batch)
        return Representation(torch.where(known, values, self.usual), self.names)

    def _powers(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Log powers, and which of them are known, both of shape (sample, unit)."""
        x, known = self.read(batch), self.known(batch)
        there = torch.ones_like(x) if known is None else known.to(x.dtype)
        x = torch.where(there > 0, x, torch.zeros_like(x))
        count = there.sum(-1, keepdim=True).clamp(min=1)
        mean = x.sum(-1, keepdim=True) / count
        # No band holds the mean; without it, what is not known is no step.
        x = (x - mean) * there
        total = x.square().sum(-1, keepdim=True) / count
        moves = total > (FLAT * mean).square()
        within = self.windows.of(there)
        power = (self.windows.of(self.bands(x).square()) * within).sum(-1) / within.sum(-1).clamp(min=1)
        least = (RESOLVED * total).clamp(min=torch.finfo(x.dtype).tiny)
        values = torch.maximum(power, least).log()
        seen = (within.sum(-1) > 0) & moves
        # From (band, sample, channel, window).
        return values.permute(1, 2, 0, 3).flatten(1), seen[:, :, None].expand(-1, -1, len(values), -1).flatten(1)
