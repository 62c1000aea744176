"""Power in bands of frequency: how strong each channel is between two frequencies, with units that anybody can name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.spec import Signal
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.errors import StudyError
from pellucid.moments import Moments
from pellucid.representation import Representation

OCTAVES = 5
"""Bands where none are asked for: octaves below half the rate."""

LEAST = 1e-12
"""Of the mean power, below which a power is not told from none."""


class BandPowerConfig(EncoderConfig):
    """Settings of :class:`BandPower`.

    Parameters
    ----------
    bands_hz : tuple of (float, float)
        From, and up to but without. Five octaves below half the rate where none are given.
    window_s : float, optional
        Length of the Hann-tapered stretches, each half over the next, whose spectra are averaged (Welch's method); by default
        one stretch, the whole signal.
    relative : {"none", "channel", "all"}
        Whether powers are shares of the sum over the bands of their channel, or over all channels and bands, so that a louder
        channel, or a louder recording, says nothing.
    """

    bands_hz: tuple[tuple[float, float], ...] = ()
    window_s: float | None = Field(default=None, gt=0)
    relative: Literal["none", "channel", "all"] = "none"


class BandPower(Encoder):
    """Logarithm of the power of each channel in each band; a unit is called after both (``"C3 8-13 Hz"``).

    Values are in standard deviations from the mean over the training samples; with a linear head its weights are a map over
    channels and bands. Stretches in which a sample of a channel is not known are left out of its spectrum; where nothing is left
    the value is 0, the mean.

    References
    ----------
    Welch (1967), doi:10.1109/TAU.1967.1161901. Each stretch is freed of its mean, as in ``scipy.signal.welch``, with which powers
    agree.
    """

    tags = EncoderTags(accepts=("signal",))
    config_type = BandPowerConfig
    config: BandPowerConfig
    mean: Tensor
    deviation: Tensor
    among: Tensor
    taper: Tensor

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings to try it with on a short signal."""
        return {"bands_hz": ((1.0, 4.0), (4.0, 12.0)), "window_s": 1.0}

    def __init__(self, config: BandPowerConfig) -> None:
        super().__init__()
        self.config = config
        (spec,) = config.inputs.values()
        assert isinstance(spec, Signal)
        self.spec, half = spec, spec.rate_hz / 2
        self.bands = config.bands_hz or tuple((half / 2 ** (n + 1), half / 2**n) for n in reversed(range(OCTAVES)))
        self.length = spec.length if config.window_s is None else round(config.window_s * spec.rate_hz)
        if not 2 <= self.length <= spec.length:
            raise StudyError(
                f"encoder 'band-power': window_s {config.window_s:g} is no stretch of a signal of {spec.length / spec.rate_hz:g} s"
            )
        hz = torch.arange(self.length // 2 + 1, dtype=torch.float64) * spec.rate_hz / self.length
        among = torch.stack([(hz >= low) & (hz < high) for low, high in self.bands]).float()
        for band, some in zip(self.bands, among, strict=True):
            if not 0 <= band[0] < band[1] <= half or not bool(some.any()):
                raise StudyError(
                    f"encoder 'band-power': nothing lies between {band[0]:g} and {band[1]:g} Hz for stretches of "
                    f"{self.length / spec.rate_hz:g} s at {spec.rate_hz:g} samples a second (steps of "
                    f"{spec.rate_hz / self.length:g} Hz up to {half:g} Hz); widen the band or lengthen window_s"
                )
        units = len(spec.channels) * len(self.bands)
        self.register_buffer("among", among, persistent=False)
        self.register_buffer("taper", torch.hann_window(self.length), persistent=False)
        self.register_buffer("mean", torch.zeros(units))
        self.register_buffer("deviation", torch.ones(units))

    @property
    def names(self) -> tuple[str, ...]:
        """Channel and band."""
        told = [f"{low:g}-{high:g} Hz" for low, high in self.bands]
        return tuple(f"{channel} {band}" for channel in self.spec.channels for band in told)

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn mean and deviation of each unit over the training samples."""
        moments = Moments()
        for batch in batches:
            values, there = self._logarithms(batch)
            moments.add(values.flatten(1), there[:, :, None].expand_as(values).flatten(1))
        self.mean.copy_(moments.mean)
        self.deviation.copy_(moments.deviation)

    def forward(self, batch: Batch) -> Representation:
        """Standardised logarithms, channel after channel."""
        values, there = self._logarithms(batch)
        units = (values.flatten(1) - self.mean) / self.deviation
        known = there[:, :, None].expand_as(values).flatten(1)
        return Representation(torch.where(known, units, torch.zeros_like(units)), self.names)

    def powers(self, x: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Power in each band, in the square of the signal's units, and of which channels there is any.

        Parameters
        ----------
        x : Tensor, shape (sample, channel, time)
        known : Tensor of bool of that shape, optional

        Returns
        -------
        Tensor, shape (sample, channel, band)
        Tensor of bool, shape (sample, channel)
        """
        step = max(self.length - self.length // 2, 1)
        stretches = x.unfold(-1, self.length, step)
        spectrum = torch.fft.rfft((stretches - stretches.mean(-1, keepdim=True)) * self.taper).abs().square()
        # One-sided: all but 0 Hz and half the rate stand for two.
        spectrum[..., 1 : (self.length + 1) // 2] *= 2
        density = spectrum / (self.length * self.taper.square().sum())
        bands = density @ self.among.T
        if known is None:
            return bands.mean(2), torch.ones(bands.shape[:2], dtype=torch.bool, device=x.device)
        whole = known.unfold(-1, self.length, step).all(-1)
        count = whole.sum(-1)
        kept = torch.where(whole[..., None], bands, torch.zeros_like(bands))
        return kept.sum(2) / count[..., None].clamp(min=1), count > 0

    def _logarithms(self, batch: Batch) -> tuple[Tensor, Tensor]:
        powers, there = self.powers(self.read(batch), self.known(batch))
        if self.config.relative != "none":
            axes = (2,) if self.config.relative == "channel" else (1, 2)
            powers = powers / powers.sum(axes, keepdim=True).clamp(min=LEAST)
        return powers.clamp(min=LEAST).log(), there
