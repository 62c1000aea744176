"""Beats: when the heart beats, and the waves that each beat draws with the dipole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid_datasets.electrocardiograms.leads import Floats

SHORTEST_RR_S = 0.33
"""Closer beats than this (180 a minute) do not occur here: their T and P waves would be one."""


@dataclass(frozen=True)
class Beats:
    """When a heart beats.

    Parameters
    ----------
    r_s : ndarray, shape (beat,)
        Times of the R peaks; the first and last ones lie outside the recording, so that no wave is missing at its ends.
    rr_s : ndarray, shape (beat,)
        Time from the beat before.
    """

    r_s: Floats
    rr_s: Floats

    @property
    def stretch(self) -> Floats:
        """How far P and T move away from R: with the root of the RR interval, as in Bazett's formula."""
        return np.sqrt(self.rr_s)


def beats(rate_bpm: float, irregularity: float, length_s: float, rng: np.random.Generator) -> Beats:
    """Draw the beats of one recording; where in a beat it begins is left to chance.

    Parameters
    ----------
    rate_bpm : float
        Beats a minute, on average.
    irregularity : float
        Standard deviation of the RR interval as a share of its mean. Up to 0.06 it is sinus rhythm: intervals follow
        breathing (0.25 Hz) and a little noise. Above, each interval is drawn by itself.
    length_s : float
    rng : Generator

    Returns
    -------
    Beats
    """
    mean = 60.0 / rate_bpm
    count = int(np.ceil(length_s / SHORTEST_RR_S)) + 4
    noise, start, phase = rng.standard_normal(count), rng.uniform(), rng.uniform(0, 2 * np.pi)
    if irregularity > 0.06:
        # Log-normal: intervals are positive, and long ones are farther from the mean than short ones.
        spread = np.sqrt(np.log1p(irregularity**2))
        rr = mean * np.exp(spread * noise - spread**2 / 2)
    else:
        breathing = np.sin(2 * np.pi * 0.25 * mean * np.arange(count) + phase)
        rr = mean * (1 + irregularity * (np.sqrt(1.5) * breathing + 0.5 * noise))
    rr = np.maximum(rr, SHORTEST_RR_S)
    at = np.cumsum(rr) - rr[0] - (0.5 + start) * mean
    kept = at < length_s + 0.5
    return Beats(at[kept], rr[kept])


@dataclass(frozen=True)
class Wave:
    """One Gaussian of the dipole in every beat.

    Parameters
    ----------
    vector : ndarray, shape (3,)
        Height of the Gaussian along x, y and z, mV.
    at_s : float
        Its centre, from the R peak.
    width_s : float
        Its standard deviation.
    stretches : bool
        Whether it moves away from R in slow beats (P and T do, QRS does not).
    """

    vector: Floats
    at_s: float
    width_s: float
    stretches: bool = False


def dipole(time_s: Floats, found: Beats, waves: list[Wave], strength: Floats | None = None) -> Floats:
    """The dipole over time, shape (3, time), mV.

    Parameters
    ----------
    time_s : ndarray, shape (time,)
    found : Beats
    waves : list of Wave
    strength : ndarray, optional, shape (beat,)
        Factor of each beat's waves (breathing moves the heart a little).
    """
    total = np.zeros((3, len(time_s)))
    factor = np.ones(len(found.r_s)) if strength is None else strength
    for wave in waves:
        by = found.stretch if wave.stretches else np.ones(len(found.r_s))
        away = (time_s - (found.r_s + wave.at_s * by)[:, None]) / (wave.width_s * by)[:, None]
        total += np.outer(wave.vector, factor @ np.exp(-0.5 * away**2))
    return total


def plateau(time_s: Floats, start_s: float, stop_s: float) -> Floats:
    """1 between two times and exactly 0 outside, with edges of a quarter of the span each (half a cosine).

    Examples
    --------
    >>> plateau(np.array([0.0, 0.1, 0.5, 0.9, 1.0, 2.0]), 0.0, 1.0).round(3).tolist()
    [0.0, 0.345, 1.0, 0.345, 0.0, 0.0]
    """
    edge = (stop_s - start_s) / 4
    inside = np.clip(np.minimum(time_s - start_s, stop_s - time_s) / edge, 0, 1)
    return 0.5 - 0.5 * np.cos(np.pi * inside)
