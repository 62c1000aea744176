"""What a monitor would say of a recording without a cardiologist: the mean RR interval and the size of the signal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

REFRACTORY_S = 0.28
"""Two R peaks are at least so far apart."""


def r_peaks(signals: npt.NDArray[np.float32], rate_hz: float) -> npt.NDArray[np.int64]:
    """Find QRS complexes by how fast all leads change together.

    Parameters
    ----------
    signals : ndarray, shape (lead, time), mV
    rate_hz : float

    Returns
    -------
    ndarray of int64, shape (peak,)
        Samples, increasing; within 0.06 s of the R peaks.

    References
    ----------
    The steps of Pan and Tompkins (1985), doi:10.1109/TBME.1985.325532 (slope, square, moving window, refractory period), with
    all leads added up and one threshold for the recording in place of an adaptive one.

    Examples
    --------
    >>> spikes = np.zeros((1, 1000), np.float32)
    >>> spikes[0, [100, 200, 350]] = 1
    >>> r_peaks(spikes, 100.0).tolist()
    [100, 200, 350]
    """
    slope = np.gradient(signals.astype(np.float64), axis=1)
    window = max(round(0.08 * rate_hz) | 1, 3)
    energy = np.convolve((slope**2).sum(0), np.ones(window) / window, mode="same")
    apart = max(round(REFRACTORY_S * rate_hz), 1)
    high = energy > 0.3 * np.quantile(energy, 0.98)
    found: list[int] = []
    for peak in np.argsort(-energy, kind="stable"):
        if not high[peak]:
            break
        if all(abs(peak - other) >= apart for other in found):
            found.append(int(peak))
    # Where the window is flat on top, its middle is the complex.
    return np.array(sorted(_centre(energy, peak) for peak in found), np.int64)


def mean_rr_s(signals: npt.NDArray[np.float32], rate_hz: float) -> float:
    """Mean RR interval in seconds; NaN where fewer than two beats are found."""
    peaks = r_peaks(signals, rate_hz)
    return float(np.diff(peaks).mean() / rate_hz) if len(peaks) > 1 else float("nan")


def rms_mv(signals: npt.NDArray[np.float32]) -> float:
    """Root of the mean square of all leads, each less its mean."""
    return float(np.sqrt(np.square(signals - signals.mean(1, keepdims=True), dtype=np.float64).mean()))


def _centre(energy: npt.NDArray[np.float64], peak: int) -> int:
    stop = peak
    while stop + 1 < len(energy) and np.isclose(energy[stop + 1], energy[peak]):
        stop += 1
    return (peak + stop) // 2
