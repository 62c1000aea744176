"""Does a model have the rhythms of what it is a model of?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

Floats = npt.NDArray[np.float64]

SMOOTHING_BINS = 20.0
"""Standard deviation of the Gaussian that spectra are smoothed with."""


def spectral_distance(
    true: npt.NDArray[np.floating], generated: npt.NDArray[np.floating], *, smoothing_bins: float = SMOOTHING_BINS
) -> float:
    """Hellinger distance of smoothed power spectra, mean over variables.

    It says little of the places that are visited: see :func:`~pellucid.measures.dynamics.state_space.state_space_divergence`.

    Parameters
    ----------
    true, generated : ndarray, shape (step, variable) or (series, step, variable)
        Of several series the mean of their spectra is taken. Where one is longer, its end is left out, so that bins of frequency are
        the same.
    smoothing_bins : float
        In bins of frequency, of which there are half as many as steps; 0 for none.

    Returns
    -------
    float
        From 0 to 1. A variable that does not vary in one of the two has 1, and in both 0.

    Raises
    ------
    DataError
        If a series has less than four steps, holds what is no finite number, or they do not have the same variables.

    References
    ----------
    Mikhaeil et al. (2022), arXiv 2110.07238. Deviations: power at frequency 0, the mean, is left out before spectra are smoothed, so that
    none of it flows into others; several series may be given.

    Examples
    --------
    >>> t = np.arange(1000)
    >>> slow, quick = np.sin(0.1 * t)[:, None], np.sin(1.5 * t)[:, None]
    >>> spectral_distance(slow, slow), spectral_distance(slow, quick) > 0.98
    (0.0, True)
    """
    real, made = _series(true, "true"), _series(generated, "generated")
    if real.shape[2] != made.shape[2]:
        raise DataError(f"the true series have {real.shape[2]} variables and the generated ones {made.shape[2]}")
    steps = min(real.shape[1], made.shape[1])
    p, q = (_spectrum(one[:, :steps], smoothing_bins) for one in (real, made))
    # Rounding may bring what two equal spectra have in common above 1.
    common = np.clip(np.sqrt(p * q).sum(0), 0.0, 1.0)
    common = np.where((p == q).all(0), 1.0, common)
    return float(np.sqrt(1.0 - common).mean())


def _spectrum(series: Floats, smoothing_bins: float) -> Floats:
    """Power by frequency, shape (frequency, variable); each variable sums to 1, or to 0 where it does not vary."""
    from scipy.ndimage import gaussian_filter1d

    centred = series - series.mean(1, keepdims=True)
    # Of a constant only rounding is left, which has a spectrum too.
    constant = np.abs(centred).max((0, 1)) <= 1e-12 * np.maximum(np.abs(series).max((0, 1)), 1e-300)
    power = (np.abs(np.fft.rfft(centred, axis=1)) ** 2).mean(0)[1:]
    if smoothing_bins:
        power = gaussian_filter1d(power, smoothing_bins, axis=0)
    total = power.sum(0)
    return np.where(constant, 0.0, power / np.where(total > 0, total, 1.0))


def _series(series: npt.NDArray[np.floating], which: str) -> Floats:
    found = np.asarray(series, np.float64)
    found = found[None] if found.ndim == 2 else found
    if found.ndim != 3 or found.shape[1] < 4 or not found.size:
        raise DataError(f"the {which} series has shape {found.shape}; it needs variables and four steps at least")
    if not np.isfinite(found).all():
        raise DataError(f"the {which} series holds what is no finite number: leave out what is missing first")
    return found
