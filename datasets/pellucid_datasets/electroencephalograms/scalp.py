"""Where electrodes sit on a sphere, and what they see of a dipole inside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ROWS = {"Fp": 72.0, "AF": 54.0, "F": 36.0, "FC": 18.0, "C": 0.0, "CP": -18.0, "P": -36.0, "PO": -54.0, "O": -72.0}
"""Degrees from the vertex towards the nose along the midline, one row of the 10-10 system each."""

STEP = 18.0
"""Degrees from one electrode of a row to the next, away from the midline."""

OLD_NAMES = {"T3": "C7", "T4": "C8", "T7": "C7", "T8": "C8"}
"""Electrodes at the ends of the middle row, which have a name of their own."""

IMAGERY = (
    "Fz", "FC3", "FC1", "FCz", "FC2", "FC4", "C5", "C3", "C1", "Cz", "C2", "C4", "C6", "CP3", "CP1", "CPz", "CP2", "CP4",
    "P1", "Pz", "P2", "POz",
)  # fmt: skip
"""The 22 channels of data set 2a of the fourth BCI competition, in its order."""

DISCHARGES = ("F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2")
"""Eight channels of the 10-20 system."""


def positions(names: Sequence[str]) -> Floats:
    """Electrodes on a sphere of radius 1, shape (electrode, 3): x to the right ear, y to the nose, z to the vertex.

    Raises
    ------
    KeyError
        If a name is none of the 10-10 system.

    Examples
    --------
    >>> positions(["Cz", "C3"]).round(2).tolist()
    [[0.0, 0.0, 1.0], [-0.59, 0.0, 0.81]]
    """
    return np.array([_position(OLD_NAMES.get(name, name)) for name in names])


def _position(name: str) -> Floats:
    row = name.rstrip("z0123456789")
    end = name[len(row) :]
    number = 0 if end == "z" else int(end)
    # Odd numbers lie on the left, even ones on the right. Rows are circles that come closer towards both ends of the head.
    lateral = np.deg2rad(STEP * ((number + 1) // 2) * (-1 if number % 2 else 1))
    front = np.deg2rad(ROWS[row])
    return np.array([np.sin(lateral), np.cos(lateral) * np.sin(front), np.cos(lateral) * np.cos(front)])


def neighbours(name: str, names: Sequence[str], degrees: float = 22.0) -> tuple[str, ...]:
    """An electrode and those of some others that are so near, seen from the middle of the head.

    Examples
    --------
    >>> neighbours("C3", IMAGERY)
    ('FC3', 'C5', 'C3', 'C1', 'CP3')
    """
    near = positions(names) @ positions([name])[0] >= np.cos(np.deg2rad(degrees))
    return tuple(one for one, yes in zip(names, near, strict=True) if yes)


def dipole_potential(electrodes: Floats, place: Floats, moment: Floats) -> Floats:
    """What electrodes see of a dipole, shape (electrode,), 1 where it is largest in size.

    The medium is endless and the same everywhere; a skull would blur it.

    Parameters
    ----------
    electrodes : ndarray, shape (electrode, 3)
    place, moment : ndarray, shape (3,)
        Inside the sphere of radius 1.

    References
    ----------
    Nunez and Srinivasan (2006), Electric Fields of the Brain, doi:10.1093/acprof:oso/9780195050387.001.0001.
    """
    away = electrodes - place
    potential = away @ moment / np.linalg.norm(away, axis=1) ** 3
    found: Floats = potential / np.abs(potential).max()
    return found


def jittered(direction: Floats, degrees: float, rng: np.random.Generator) -> Floats:
    """A direction, moved at random by about so many degrees; shape (3,), of length 1."""
    moved = direction / np.linalg.norm(direction) + np.deg2rad(degrees) * rng.standard_normal(3)
    found: Floats = moved / np.linalg.norm(moved)
    return found
