"""Noise by its spectrum: power that falls with frequency, and bands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid_datasets.electroencephalograms.scalp import Floats

LOWEST_HZ = 0.5
"""Below it the noise has the power that it has there: amplifiers have a high-pass filter."""


def pink_noise(shape: Sequence[int], rate_hz: float, rng: np.random.Generator, exponent: float = 1.0) -> Floats:
    """Noise whose power falls as one over frequency, of mean square 1 on average.

    Parameters
    ----------
    shape : sequence of int
        Of the array, time last.
    rate_hz : float
    rng : Generator
    exponent : float
        Power falls as frequency to minus this; 1 is pink.
    """
    hz = np.fft.rfftfreq(shape[-1], 1 / rate_hz)
    return _drawn(shape, np.maximum(hz, LOWEST_HZ) ** (-exponent / 2) * (hz > 0), rng)


def band_noise(shape: Sequence[int], rate_hz: float, low_hz: float, high_hz: float, rng: np.random.Generator) -> Floats:
    """Noise between two frequencies, of mean square 1 on average; phases are random, its height comes and goes.

    Parameters
    ----------
    shape : sequence of int
        Of the array, time last.
    rate_hz, low_hz, high_hz : float
    rng : Generator

    Examples
    --------
    >>> x = band_noise((2, 400), 100.0, 8.0, 13.0, np.random.default_rng(0))
    >>> power = np.abs(np.fft.rfft(x)) ** 2
    >>> bool(power[:, 32:53].sum() > 0.999 * power.sum())
    True
    """
    hz = np.fft.rfftfreq(shape[-1], 1 / rate_hz)
    return _drawn(shape, ((hz >= low_hz) & (hz <= high_hz)).astype(float), rng)


def _drawn(shape: Sequence[int], height: Floats, rng: np.random.Generator) -> Floats:
    spectrum = rng.standard_normal((*shape[:-1], len(height), 2)).view(np.complex128)[..., 0] * height
    spectrum[..., 0] = 0
    if shape[-1] % 2 == 0:
        spectrum[..., -1] = 0
    # By Parseval, so that the mean square is 1 on average over draws and not in each one: strength varies as it does.
    mean_square = 4 * (height[1 : (shape[-1] + 1) // 2] ** 2).sum() / shape[-1] ** 2
    found: Floats = np.fft.irfft(spectrum, shape[-1]) / np.sqrt(mean_square)
    return found
