"""Imagined movements: rhythms over the motor cortex, of which one becomes weaker on the side that does not move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid_datasets.electroencephalograms.noise import band_noise, pink_noise
from pellucid_datasets.electroencephalograms.scalp import IMAGERY, Floats, dipole_potential, jittered, positions

PLACES: dict[str, tuple[str, ...]] = {"right hand": ("C3",), "left hand": ("C4",), "feet": ("Cz",), "rest": ()}
"""Where rhythms become weaker, by class."""

SOURCES = ("C3", "C4", "Cz")

BANDS_HZ = ((8.0, 13.0), (18.0, 26.0))
"""Mu and beta."""

BETA = 0.6
"""Height of beta, for mu of 1."""

RHYTHM_UV, BACKGROUND_UV, ALPHA_UV, ELECTRODE_UV = 8.0, 8.0, 7.0, 3.0
"""Roots of mean squares at the electrode that sees most: of a motor rhythm, of each background dipole, of the alpha of the
first of them, and of the noise of an electrode."""

RHYTHM_DEPTH, BACKGROUND_DEPTH = 0.85, 0.7
"""Distance of dipoles from the middle of the head."""

ALPHA_HZ = (8.5, 11.5)

DRIFT = 0.15
"""Largest change of a channel's gain from one session to the next."""


@dataclass(frozen=True, eq=False)
class Brain:
    """Sources of one made-up person.

    Parameters
    ----------
    rhythms : ndarray, shape (source, electrode), uV
        What electrodes see of the rhythms over C3, C4 and Cz.
    background : ndarray, shape (dipole, electrode), uV
        Three dipoles; the first one also has an alpha rhythm, from the back of the head.
    """

    rhythms: Floats
    background: Floats


def drawn_brain(rng: np.random.Generator) -> Brain:
    """Draw a person: where the sources lie and how they are turned, near where they are in everybody."""
    electrodes = positions(IMAGERY)
    rhythms = []
    for place in positions(SOURCES):
        where = RHYTHM_DEPTH * jittered(place, 3.0, rng)
        rhythms.append(
            RHYTHM_UV * rng.lognormal(0, 0.15) * dipole_potential(electrodes, where, jittered(where, 8.0, rng))
        )
    background = []
    for number in range(3):
        towards = positions(["POz"])[0] if number == 0 else np.abs(rng.standard_normal(3)) * [rng.choice([-1, 1]), 1, 1]
        where = BACKGROUND_DEPTH * jittered(towards, 12.0, rng)
        background.append(BACKGROUND_UV * dipole_potential(electrodes, where, jittered(where, 40.0, rng)))
    return Brain(np.array(rhythms), np.array(background))


def session(
    brain: Brain,
    classes: npt.NDArray[np.int64],
    rng: np.random.Generator,
    *,
    drifted: bool = False,
    rate_hz: float = 250.0,
    length_s: float = 4.0,
    depth: float = 0.35,
    noise: float = 1.0,
) -> npt.NDArray[np.float32]:
    """Trials of one session, shape (trial, channel, time), uV.

    Parameters
    ----------
    brain : Brain
    classes : ndarray of int64, shape (trial,)
        Positions in :data:`PLACES`.
    rng : Generator
    drifted : bool
        Whether the gain of each channel is another than it was, by up to :data:`DRIFT`.
    rate_hz, length_s : float
    depth : float
        By how much of its height a rhythm becomes weaker.
    noise : float
        Factor of all that is not a motor rhythm.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> session(drawn_brain(rng), np.arange(4), rng).shape
    (4, 22, 1000)
    """
    trials, times = len(classes), round(length_s * rate_hz)
    height = rng.lognormal(0, 0.08, (trials, len(SOURCES)))
    for at, places in enumerate(PLACES.values()):
        for place in places:
            height[classes == at, SOURCES.index(place)] *= 1 - depth
    shape = (trials, len(SOURCES), times)
    mu, beta = (band_noise(shape, rate_hz, *hz, rng) for hz in BANDS_HZ)
    moments = height[:, :, None] * (mu + BETA * beta) / np.hypot(1, BETA)
    x = np.einsum("nst,se->net", moments, brain.rhythms, optimize=True)
    behind = pink_noise((trials, len(brain.background), times), rate_hz, rng)
    behind[:, 0] += (
        ALPHA_UV
        / BACKGROUND_UV
        * rng.lognormal(0, 0.4, (trials, 1))
        * band_noise((trials, times), rate_hz, *ALPHA_HZ, rng)
    )
    x += noise * np.einsum("nst,se->net", behind, brain.background, optimize=True)
    x += noise * ELECTRODE_UV * pink_noise((trials, len(IMAGERY), times), rate_hz, rng)
    if drifted:
        x *= 1 + rng.uniform(-DRIFT, DRIFT, (len(IMAGERY), 1))
    return x.astype(np.float32)
