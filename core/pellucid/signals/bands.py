"""Bands of frequency: a Butterworth filter forwards and backwards, as one multiplication of a signal's spectrum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional


class Bands(nn.Module):
    """What lies within each of some bands of a signal, without delay.

    Parameters
    ----------
    bands_hz : sequence of (float, float)
        Each from a frequency above 0 to a higher one below half the rate.
    length : int
        Samples of the signal.
    rate_hz : float
    order : int
        Of the Butterworth filter, which is applied to the amplitude forwards and backwards.

    Examples
    --------
    >>> time_s = torch.arange(200) / 100
    >>> slow, fast = Bands([(2, 8), (8, 20)], length=200, rate_hz=100)(torch.sin(2 * torch.pi * 4 * time_s))
    >>> bool(slow.std() > 50 * fast.std())
    True
    """

    gain: Tensor

    def __init__(self, bands_hz: Sequence[tuple[float, float]], length: int, rate_hz: float, order: int = 4) -> None:
        super().__init__()
        from scipy.signal import butter, sosfreqz

        self.padding = min(length - 1, round(rate_hz))
        hz = np.fft.rfftfreq(length + 2 * self.padding, 1 / rate_hz)
        sections = [butter(order, band, "bandpass", fs=rate_hz, output="sos") for band in bands_hz]
        gain = np.stack([np.abs(sosfreqz(one, hz, fs=rate_hz)[1]) ** 2 for one in sections])
        self.register_buffer("gain", torch.tensor(gain, dtype=torch.float32), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (..., time) to (band, ..., time)."""
        length = x.shape[-1]
        rows = x.reshape(1, -1, length)
        # Mirrored at its ends through the first and the last value, as filters that run both ways do.
        before = 2 * rows[..., :1] - functional.pad(rows, (self.padding, 0), "reflect")[..., : self.padding]
        after = 2 * rows[..., -1:] - functional.pad(rows, (0, self.padding), "reflect")[..., length:]
        spectrum = torch.fft.rfft(torch.cat([before, rows, after], -1))
        passed = torch.fft.irfft(spectrum * self.gain[:, None], length + 2 * self.padding)
        return passed[..., self.padding : self.padding + length].reshape(len(self.gain), *x.shape)
