"""Spike-and-wave discharges over some channels, against alpha at the back of the head, both of the same power."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid_datasets.electroencephalograms.noise import pink_noise
from pellucid_datasets.electroencephalograms.scalp import DISCHARGES, Floats

PLACES: dict[str, tuple[str, ...]] = {"alpha": ("O1", "O2"), "spike-wave": ("F3", "F4", "C3")}
"""Channels of each class."""

PEAKS_HZ: dict[str, tuple[float, ...]] = {"alpha": (10.0,), "spike-wave": (3.0, 6.0, 9.0)}
"""Frequencies of each class: the discharge, and the two overtones that make its spike."""

OVERTONES = (1.0, 0.6, 0.4)

NOISE_UV = 10.0
"""Root of the mean square of the noise of a channel."""


def windows(
    classes: npt.NDArray[np.int64],
    rng: np.random.Generator,
    *,
    rate_hz: float = 128.0,
    length_s: float = 4.0,
    strength: float = 1.0,
) -> npt.NDArray[np.float32]:
    """Windows of one person, shape (window, channel, time), uV.

    The person has gains and a shape of discharge of their own; frequencies are the same in everybody, phases differ between
    windows.

    Parameters
    ----------
    classes : ndarray of int64, shape (window,)
        Positions in :data:`PLACES`.
    rng : Generator
    rate_hz, length_s : float
    strength : float
        Root of the mean square of the discharge in one of its channels, for noise of 1.

    Examples
    --------
    >>> windows(np.array([0, 1, 1]), np.random.default_rng(0)).shape
    (3, 8, 512)
    """
    time_s = np.arange(round(length_s * rate_hz)) / rate_hz
    x = NOISE_UV * pink_noise((len(classes), len(DISCHARGES), len(time_s)), rate_hz, rng)
    gains = rng.lognormal(0, 0.15, len(DISCHARGES))
    overtones = np.array(OVERTONES) * rng.lognormal(0, 0.15, len(OVERTONES))
    most = len(PLACES["spike-wave"])
    for at, (name, places) in enumerate(PLACES.items()):
        near = np.array([DISCHARGES.index(place) for place in places])
        phases = rng.uniform(0, 2 * np.pi, len(classes))
        heights = overtones if name == "spike-wave" else np.ones(1)
        # The total over channels is that of the discharge: alpha, in fewer channels, is higher in each.
        scale = NOISE_UV * strength * np.sqrt(most / len(places))
        wave = scale * _sum(np.array(PEAKS_HZ[name]), heights, phases, time_s)
        x[np.ix_(np.flatnonzero(classes == at), near)] += wave[classes == at][:, None]
    found: npt.NDArray[np.float32] = (gains[:, None] * x).astype(np.float32)
    return found


def _sum(hz: Floats, heights: Floats, phases: Floats, time_s: Floats) -> Floats:
    """Overtones in step with each other, of mean square 1, shape (window, time)."""
    angle = 2 * np.pi * hz[0] * time_s + phases[:, None]
    total = sum(h * np.cos(f / hz[0] * angle) for h, f in zip(heights, hz, strict=True))
    found: Floats = total / np.sqrt((heights**2).sum() / 2)
    return found
