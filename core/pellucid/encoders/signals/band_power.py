"""Power in bands of frequency: how strong each channel is between two frequencies, with units that anybody can name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from pellucid.batch import Batch
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.encoders.signals.timed import OVER_TIME, over_time
from pellucid.encoders.signals.windows import Windows
from pellucid.errors import StudyError
from pellucid.moments import Moments
from pellucid.representation import Representation
from pellucid.signals.bands import Bands
from pellucid.signals.welch import Welch

OCTAVES = 5
"""Bands where none are asked for: octaves below half the rate."""

RESOLVED = 1e-10
"""Least share of a channel's power that is told from rounding."""

FLAT = 1e-6
"""A channel that deviates from its mean by no more than this share of it carries nothing."""


class BandPowerConfig(EncoderConfig):
    """Settings of :class:`BandPower`.

    Parameters
    ----------
    bands_hz : mapping of str to (float, float), or tuple of (float, float)
        From where to where each band reaches, with a name or without. Five octaves below half the rate where none are given.
    window_s : float, optional
        Length of the windows that are read one by one, rounded to whole samples; what is left at the end belongs to none. By
        default there is one, the whole signal.
    method : {"welch", "butterworth"}
        ``"welch"`` takes the spectrum of each window by itself. Its edges are sharp, and it tells no frequencies apart that are
        closer than one period of a stretch: right for whole signals and narrow bands. ``"butterworth"`` filters the whole signal
        forwards and backwards and then looks at windows: right for windows of a few periods, which have no spectrum to speak of.
    stretch_s : float, optional
        For ``"welch"``: length of the tapered stretches, each half over the next, whose spectra are averaged within a window; by
        default one stretch, the window.
    order : int
        For ``"butterworth"``: of the filter.
    relative : {"none", "channel", "all"}
        Whether powers are shares of the sum, within a window, over the bands of their channel, or over all channels and bands, so
        that a louder channel, or a louder recording, says nothing.
    """

    bands_hz: Mapping[str, tuple[float, float]] | tuple[tuple[float, float], ...] = ()
    window_s: float | None = Field(default=None, gt=0)
    method: Literal["welch", "butterworth"] = "welch"
    stretch_s: float | None = Field(default=None, gt=0)
    order: int = Field(default=4, ge=1, le=10)
    relative: Literal["none", "channel", "all"] = "none"

    @model_validator(mode="after")
    def _fits_together(self) -> BandPowerConfig:
        for name, (low, high) in self.named_hz.items():
            if not 0 <= low < high < math.inf:
                raise ValueError(f"bands_hz: {name} = {[low, high]}: a band is from a frequency to a higher one")
        if len(self.named_hz) < len(self.bands_hz):
            raise ValueError(f"bands_hz = {self.bands_hz}: a band is there twice")
        if self.method != "welch" and self.stretch_s is not None:
            raise ValueError('stretch_s is for method = "welch" alone; windows have the length window_s')
        return self

    @property
    def named_hz(self) -> dict[str, tuple[float, float]]:
        """Bands by name; one without is called after its edges (``"8-13 Hz"``)."""
        if isinstance(self.bands_hz, Mapping):
            return dict(self.bands_hz)
        return _by_edges(self.bands_hz)


class BandPower(Encoder):
    """Logarithm of the power of each channel in each band, in the units of the signal squared.

    A unit is called after both (``"C3 8-13 Hz"``), and after where its window begins if there are several
    (``"Pz alpha 0.250 s"``). With a linear head its weights are a map over channels, bands and windows. Beside
    :class:`~pellucid.encoders.signals.window_means.WindowMeans`, which sees what keeps its phase from trial to trial, it sees
    what does not. Where a channel is flat or nothing is known, a unit says what is usual among the training samples.

    A band that is narrow for the window's length is seen with its surroundings: filters swing on for about one period of the
    band's width.

    References
    ----------
    Welch (1967), doi:10.1109/TAU.1967.1161901; Pfurtscheller and Lopes da Silva (1999), doi:10.1016/S1388-2457(99)00141-8, with
    logarithms in place of percentages of a baseline.
    """

    tags = EncoderTags(accepts=OVER_TIME)
    config_type = BandPowerConfig
    config: BandPowerConfig
    usual: Tensor

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings to try it with on a short signal."""
        return {"bands_hz": {"slow": (1.0, 4.0), "fast": (4.0, 12.0)}, "stretch_s": 1.0}

    @classmethod
    def unit(cls, options: Mapping[str, Any]) -> str:
        """The logarithm of that of the signal, squared; shares have none."""
        return "ln {}2" if options.get("relative", "none") == "none" else ""

    def __init__(self, config: BandPowerConfig) -> None:
        super().__init__()
        self.config = config
        self.spec = spec = over_time(config.inputs)
        self.windows = Windows(spec, config.window_s, "band-power")
        self.bands_hz = config.named_hz or _octaves(spec.rate_hz / 2)
        bands = tuple(self.bands_hz.values())
        self.through: Bands | None = None
        self.spectrum: Welch | None = None
        if config.method == "butterworth":
            _refuse_unfiltered(self.bands_hz, spec.rate_hz)
            self.through = Bands(bands, spec.length, spec.rate_hz, config.order)
        else:
            length = self.windows.width if config.stretch_s is None else round(config.stretch_s * spec.rate_hz)
            if not 2 <= length <= self.windows.width:
                raise StudyError(
                    f"encoder 'band-power': {length / spec.rate_hz:g} s is no stretch of a window of "
                    f"{self.windows.width / spec.rate_hz:g} s at {spec.rate_hz:g} samples a second"
                )
            self.spectrum = Welch(bands, length, spec.rate_hz)
            _refuse_empty(self.bands_hz, self.spectrum, spec.rate_hz)
        self.register_buffer("usual", torch.zeros(len(self.names)))

    @property
    def names(self) -> tuple[str, ...]:
        """Channel, band, and when the window begins."""
        begins = [""] if self.config.window_s is None else [f" {at:.3f} s" for at in self.windows.begins_s]
        return tuple(f"{c} {band}{begin}" for c in self.spec.channels for band in self.bands_hz for begin in begins)

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn what is usual of each unit."""
        moments = Moments()
        for batch in batches:
            moments.add(*self._logarithms(batch))
        self.usual.copy_(moments.mean)

    def forward(self, batch: Batch) -> Representation:
        """Log powers, channel after channel."""
        values, known = self._logarithms(batch)
        return Representation(torch.where(known, values, self.usual), self.names)

    def powers(self, x: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Power in each band over each window, in the square of the signal's units, and where there is any.

        Parameters
        ----------
        x : Tensor, shape (sample, channel, time)
        known : Tensor of bool of that shape, optional

        Returns
        -------
        Tensor, shape (sample, channel, band, window)
        Tensor of bool, shape (sample, channel, window)
        """
        there = torch.ones_like(x) if known is None else known.to(x.dtype)
        x = torch.where(there > 0, x, torch.zeros_like(x))
        count = there.sum(-1, keepdim=True).clamp(min=1)
        mean = x.sum(-1, keepdim=True) / count
        # No band holds the mean; without it, what is not known is no step.
        x = (x - mean) * there
        total = x.square().sum(-1, keepdim=True) / count
        within = self.windows.of(there)
        if self.through is not None:
            power = (self.windows.of(self.through(x).square()) * within).sum(-1) / within.sum(-1).clamp(min=1)
            power, seen = power.movedim(0, 2), within.sum(-1) > 0
        else:
            assert self.spectrum is not None
            power, seen = self.spectrum(self.windows.of(x), None if known is None else within > 0)
            power = power.movedim(-1, 2)
        least = (RESOLVED * total).clamp(min=torch.finfo(x.dtype).tiny)
        return torch.maximum(power, least[..., None]), seen & (total > (FLAT * mean).square())

    def _logarithms(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Log powers, and which of them are known, both of shape (sample, unit)."""
        powers, there = self.powers(self.read(batch), self.known(batch))
        if self.config.relative != "none":
            axes = (2,) if self.config.relative == "channel" else (1, 2)
            powers = powers / (powers * there[:, :, None]).sum(axes, keepdim=True).clamp(
                min=torch.finfo(powers.dtype).tiny
            )
        return powers.log().flatten(1), there[:, :, None].expand_as(powers).flatten(1)


def _octaves(half_hz: float) -> dict[str, tuple[float, float]]:
    return _by_edges(pairwise(half_hz / 2**n for n in range(OCTAVES, -1, -1)))


def _by_edges(bands_hz: Iterable[tuple[float, float]]) -> dict[str, tuple[float, float]]:
    return {f"{low:g}-{high:g} Hz": (low, high) for low, high in bands_hz}


def _refuse_unfiltered(bands_hz: Mapping[str, tuple[float, float]], rate_hz: float) -> None:
    for name, (low, high) in bands_hz.items():
        if not 0 < low < high < rate_hz / 2:
            raise StudyError(
                f"encoder 'band-power' looks at {low:g} to {high:g} Hz ({name}), but signals of {rate_hz:g} samples a second end "
                f'at {rate_hz / 2:g} Hz; name bands_hz above 0 and below that for method = "butterworth"'
            )


def _refuse_empty(bands_hz: Mapping[str, tuple[float, float]], spectrum: Welch, rate_hz: float) -> None:
    stretch_s = spectrum.length / rate_hz
    for (low, high), among in zip(bands_hz.values(), spectrum.among, strict=True):
        if high > rate_hz / 2 or not bool(among.any()):
            raise StudyError(
                f"encoder 'band-power': nothing lies between {low:g} and {high:g} Hz for stretches of {stretch_s:g} s at "
                f"{rate_hz:g} samples a second (steps of {1 / stretch_s:g} Hz up to {rate_hz / 2:g} Hz); widen the band, lengthen "
                'the stretches, or choose method = "butterworth"'
            )
