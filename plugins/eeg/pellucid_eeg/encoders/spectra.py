"""Amplitude spectra of channels, cut into patches of frequency."""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.data.spec import Signal
from pellucid.errors import StudyError
from pellucid.regions import FrequencyBand

FLAT = 1e-6
"""Standard deviation, in units of the signal, up to which a channel is flat: its spectrum is 0."""


def standardised(x: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Channels of mean 0 and variance 1 over time, by themselves, their deviation, and which have any known value.

    Parameters
    ----------
    x : Tensor, shape (sample, channel, time)
    known : Tensor of bool, optional, of the same shape
        Values that are not known become 0: the mean.

    Returns
    -------
    x : Tensor, shape (sample, channel, time)
    deviation : Tensor, shape (sample, channel)
        In units of the signal; 0 where nothing is known.
    there : Tensor of bool, shape (sample, channel)
    """
    weights = torch.ones_like(x) if known is None else known.to(x.dtype)
    count = weights.sum(-1, keepdim=True).clamp(min=1)
    x = torch.where(weights > 0, x, torch.zeros_like(x))
    x = (x - x.sum(-1, keepdim=True) / count) * weights
    deviation = (x.square().sum(-1, keepdim=True) / count).sqrt()
    x = torch.where(deviation > FLAT, x / deviation.clamp(min=FLAT), torch.zeros_like(x))
    return x, deviation[..., 0], weights.any(-1)


def amplitudes(x: Tensor) -> Tensor:
    """One-sided amplitudes, shape (..., time // 2 + 1), scaled so that white noise of variance 1 has mean square 1.

    Parameters
    ----------
    x : Tensor, shape (..., time)

    Examples
    --------
    >>> x = torch.cos(2 * torch.pi * 3 * torch.arange(64) / 64)
    >>> amplitudes(x).argmax().item(), round(amplitudes(x).max().item(), 4)
    (3, 4.0)
    """
    found: Tensor = torch.fft.rfft(x, norm="ortho").abs()
    return found


def patches(spectrum: Tensor, length: int, stride: int) -> Tensor:
    """Patches of a spectrum, shape (..., patch, length); its last value goes on for one stride.

    Parameters
    ----------
    spectrum : Tensor, shape (..., bin)
    length, stride : int
        Of patches, in bins.

    Examples
    --------
    >>> patches(torch.arange(5.0), 2, 2).tolist()
    [[0.0, 1.0], [2.0, 3.0], [4.0, 4.0]]
    """
    padding = spectrum[..., -1:].expand(*spectrum.shape[:-1], stride)
    return torch.cat([spectrum, padding], -1).unfold(-1, length, stride)


def count_of(bins: int, length: int, stride: int) -> int:
    """How many patches there are of so many bins.

    Parameters
    ----------
    bins : int
        Of a spectrum.
    length, stride : int
        Of patches, in bins.

    Raises
    ------
    StudyError
        If a patch is longer than the spectrum.
    """
    if length > bins:
        raise StudyError(
            f"patches of {length} bins do not fit a spectrum of {bins}: give shorter patches or longer windows"
        )
    return (bins - length) // stride + 2


def bands(spec: Signal, length: int, stride: int) -> tuple[FrequencyBand, ...]:
    """The frequencies of each patch, channel by channel: a bin reaches half its width to both sides.

    A patch that lies behind the end of the spectrum holds its last value alone, and has the band of that.

    Parameters
    ----------
    spec : Signal
    length, stride : int
        Of patches, in bins; a bin is ``rate_hz / length of the signal`` wide.

    Raises
    ------
    StudyError
        If a patch is longer than the spectrum.

    Examples
    --------
    >>> spec = Signal(channels=("Cz",), length=8, rate_hz=8.0, units="uV")
    >>> [(band.low_hz, band.high_hz) for band in bands(spec, 2, 2)]
    [(0.0, 1.5), (1.5, 3.5), (3.5, 4.0)]
    """
    bins, width_hz = spec.length // 2 + 1, spec.rate_hz / spec.length
    edges = []
    for at in range(count_of(bins, length, stride)):
        first, last = min(at * stride, bins - 1), min(at * stride + length, bins)
        edges.append((max(0.0, (first - 0.5) * width_hz), min(spec.rate_hz / 2, (last - 0.5) * width_hz)))
    return tuple(FrequencyBand((channel,), *edge) for channel in spec.channels for edge in edges)
