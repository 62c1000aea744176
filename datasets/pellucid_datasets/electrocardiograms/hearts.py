"""Hearts: what all recordings of one made-up person share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid_datasets.electrocardiograms.beats import Wave
from pellucid_datasets.electrocardiograms.leads import ELECTRODES, VECTORS, Floats


@dataclass(frozen=True)
class Heart:
    """Traits of one person.

    Parameters
    ----------
    rate_bpm : float
        Heart rate at rest.
    variability : float
        Of the RR interval in sinus rhythm, as a share of its mean.
    turn : ndarray, shape (3, 3)
        How the heart lies in the chest: turns every wave (the electrical axis).
    p, qrs, t : float
        Heights of the waves, 1 on average.
    qrs_width : float
        Width of the QRS complex, 1 on average.
    electrodes : ndarray, shape (electrode, 3)
        What each electrode sees of the dipole, with this person's build and where the electrodes are put.
    """

    rate_bpm: float
    variability: float
    turn: Floats
    p: float
    qrs: float
    t: float
    qrs_width: float
    electrodes: Floats


def drawn_heart(rng: np.random.Generator) -> Heart:
    """Draw a person at random."""
    frontal, horizontal = np.deg2rad(rng.normal(0, (15.0, 8.0)))
    voltage = rng.lognormal(0, 0.2)
    gain = rng.lognormal(0, 0.12, len(ELECTRODES))
    return Heart(
        rate_bpm=rng.uniform(55, 90),
        variability=rng.uniform(0.01, 0.05),
        turn=_about_z(frontal) @ _about_y(horizontal),
        p=voltage * rng.lognormal(0, 0.2),
        qrs=voltage * rng.lognormal(0, 0.12),
        t=voltage * rng.lognormal(0, 0.2),
        qrs_width=rng.uniform(0.88, 1.12),
        electrodes=VECTORS * gain[:, None] + rng.normal(0, 0.04, VECTORS.shape),
    )


# Heights along x (left), y (feet) and z (back) in mV; times from R in seconds at one beat a second. They give the usual picture:
# upright P, QRS and T in I, II and V4-V6, rS in V1, and a QRS complex of about 90 ms.
P = (Wave(np.array([0.07, 0.10, -0.01]), -0.165, 0.026, stretches=True),)
QRS = (
    Wave(np.array([-0.16, -0.06, -0.24]), -0.024, 0.009),
    Wave(np.array([0.95, 0.75, 0.18]), 0.0, 0.011),
    Wave(np.array([-0.05, -0.20, 0.55]), 0.026, 0.010),
)
T = (
    Wave(np.array([0.16, 0.12, -0.11]), 0.27, 0.055, stretches=True),
    Wave(np.array([0.12, 0.09, -0.08]), 0.32, 0.030, stretches=True),
)

QRS_S = (-0.051, 0.056)
"""Where the QRS complex begins and ends, three standard deviations from its outer waves, for a width of 1."""

T_END_S = 0.435
"""Where the T wave ends, at one beat a second."""


def _about_z(angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def _about_y(angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1.0, 0], [-s, 0, c]])
