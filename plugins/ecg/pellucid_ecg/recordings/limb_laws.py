"""Limb leads are three electrodes seen from six sides: four of the six follow from the other two, and a mix-up shows."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import numpy as np
import numpy.typing as npt

from pellucid_ecg.recordings.leads import LIMB_LEADS, canonical
from pellucid_ecg.recordings.recording import EcgRecording

__all__ = ["limb_doubts"]

LARGEST_RESIDUAL = 0.1
"""Of the root mean square of the lead. Rounding, filters and separate converters leave less than 0.03 (739 recordings of four
sources, all but one)."""

LARGEST_SCALED_RESIDUAL = 0.3
"""The same where every lead was scaled by itself, of the lead's own root mean square: noise counts more in a small lead."""

LEAST_MV = 0.02
"""Leads quieter than this (root mean square) say nothing of their order."""

AGAINST = -0.6
"""Correlation of leads I and V6 below which the arm electrodes may be exchanged: both look at the heart from the left."""

_LAWS = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}


def limb_doubts(recording: EcgRecording, flat: Iterable[int] = ()) -> list[tuple[str, str]]:
    """What the limb leads say of their order and of the electrodes.

    In a voltage the laws hold exactly: III = II - I, aVR = -(I + II) / 2, aVL = I - II / 2, aVF = II - I / 2. Where every
    lead was scaled by itself (z-scores) the signs are left: some weights of these signs must fit.

    Parameters
    ----------
    recording : EcgRecording
    flat : iterable of int
        Rows to leave out.

    Returns
    -------
    list of (what, where)
    """
    out = set(flat)
    if recording.known is not None:
        out.update(np.flatnonzero(~recording.known.any(axis=1)).tolist())
    names = {canonical(name): row for row, name in enumerate(recording.leads) if row not in out}
    if not {"I", "II"} <= set(names):
        return []
    rows = [row for name, row in names.items() if name in (*LIMB_LEADS, "V6")]
    known = slice(None) if recording.known is None else recording.known[rows].all(axis=0)
    signals = recording.signals[:, known].astype(np.float64)
    if signals.shape[1] < 2:
        return []
    # Means follow the laws as samples do, medians do not. A constant offset says nothing.
    signals -= signals.mean(axis=1, keepdims=True)
    limbs = {name: signals[names[name]] for name in LIMB_LEADS if name in names}
    voltage = recording.units.lower() in ("mv", "uv", "µv", "v")
    broken = _broken(limbs, voltage, LEAST_MV if recording.units == "mV" else 0.0)
    found = []
    if broken:
        found.append(
            ("limb leads do not fit each other", f"{', '.join(broken)} against I and II{_mend(limbs, voltage)}")
        )
    elif "V6" in names and _correlation(limbs["I"], signals[names["V6"]]) < AGAINST:
        found.append(("electrodes may be exchanged", "lead I runs against V6"))
    return found


Limbs = dict[str, npt.NDArray[np.float64]]


def _broken(limbs: Limbs, voltage: bool, least: float) -> list[str]:
    from scipy.optimize import nnls

    one, two = limbs["I"], limbs["II"]
    size = {name: float(np.sqrt(np.mean(values**2))) for name, values in limbs.items()}
    broken = []
    for name, (a, b) in _LAWS.items():
        if name not in limbs or max(size["I"], size["II"], size[name]) <= max(least, 1e-12):
            continue
        if voltage:
            residual = limbs[name] - a * one - b * two
            if np.sqrt(np.mean(residual**2)) > LARGEST_RESIDUAL * max(size["I"], size["II"], size[name]):
                broken.append(name)
            continue
        sides = np.stack([np.sign(a) * one, np.sign(b) * two], axis=1)
        if nnls(sides, limbs[name])[1] > LARGEST_SCALED_RESIDUAL * np.linalg.norm(limbs[name]):
            broken.append(name)
    return broken


def _mend(limbs: Limbs, voltage: bool) -> str:
    """Which single exchange of names, or which lead upside down, would make all of it fit."""
    if len(limbs) < len(LIMB_LEADS):
        return ""
    ways = []
    for one, two in combinations(LIMB_LEADS, 2):
        if not _broken({**limbs, one: limbs[two], two: limbs[one]}, voltage, 0.0):
            ways.append(f"{one} and {two} exchanged")
    ways += [f"{one} upside down" for one in LIMB_LEADS if not _broken({**limbs, one: -limbs[one]}, voltage, 0.0)]
    return f"; it looks like {' or '.join(ways)}" if 0 < len(ways) <= 2 else ""


def _correlation(one: npt.NDArray[np.float64], two: npt.NDArray[np.float64]) -> float:
    size = np.linalg.norm(one - one.mean()) * np.linalg.norm(two - two.mean())
    return float((one - one.mean()) @ (two - two.mean()) / size) if size else 0.0
