"""The twelve leads: their names, their order, and what the limb leads say of each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError, nearest
from pellucid_ecg.recordings.recording import EcgRecording

__all__ = [
    "LIMB_LEADS",
    "PRECORDIAL_LEADS",
    "TWELVE_LEADS",
    "canonical",
    "in_order",
    "is_lead",
    "limb_leads_from",
    "shown",
]

LIMB_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF")
PRECORDIAL_LEADS = ("V1", "V2", "V3", "V4", "V5", "V6")
TWELVE_LEADS = LIMB_LEADS + PRECORDIAL_LEADS
"""Names and order of the standard electrocardiogram, as PTB-XL and the CinC challenges have it."""

_FROM_I_AND_II = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}
"""Weights of leads I and II in the four other limb leads (Einthoven: I + III = II; Goldberger: means of two)."""

_ALIASES = {
    **{name.lower(): name for name in TWELVE_LEADS},
    **{f"lead {name}".lower(): name for name in TWELVE_LEADS},
    **{f"ml{name}".lower(): f"ML{name}" for name in ("I", "II", "III")},
    **{f"mcl{number}": f"MCL{number}" for number in range(1, 7)},
    "d1": "I", "d2": "II", "d3": "III", "di": "I", "dii": "II", "diii": "III",
    "vr": "aVR", "vl": "aVL", "vf": "aVF", "-avr": "-aVR",
    "c1": "V1", "c2": "V2", "c3": "V3", "c4": "V4", "c5": "V5", "c6": "V6",
}  # fmt: skip


_KNOWN = frozenset(_ALIASES.values())


def canonical(name: str) -> str:
    """The usual spelling of a lead's name; unchanged where it is none that is known.

    A modified lead (``MLII``: electrodes on the chest) keeps a name of its own. It is not lead II.

    Examples
    --------
    >>> [canonical(name) for name in ("AVR", "avf", "v1", "Lead II", "mlii", "ECG")]
    ['aVR', 'aVF', 'V1', 'II', 'MLII', 'ECG']
    """
    return _ALIASES.get(" ".join(name.lower().replace("_", " ").split()), name)


def is_lead(name: str) -> bool:
    """Whether this is the name of a lead that is known; a header may call a signal anything.

    Examples
    --------
    >>> is_lead("mlii"), is_lead("Mr Doe")
    (True, False)
    """
    return canonical(name) in _KNOWN


def shown(names: Sequence[str]) -> str:
    """Names of leads for a message: what is no known lead stands in quotation marks, since it is a header's own word."""
    return ", ".join(name if is_lead(name) or name.startswith("signal ") else repr(name) for name in names)


def in_order(recording: EcgRecording, leads: Sequence[str] = TWELVE_LEADS, *, derive: bool = False) -> EcgRecording:
    """The leads asked for, in the order asked for, under their canonical names.

    Parameters
    ----------
    recording : EcgRecording
        Names may be spelt as :func:`canonical` knows.
    leads : sequence of str
    derive : bool
        Whether III, aVR, aVL and aVF are computed from I and II where they are not there.

    Raises
    ------
    DataError
        If a lead is not there or is there twice; names it.
    """
    names = [canonical(name) for name in recording.leads]
    asked = [canonical(name) for name in leads]
    twice = sorted({name for name in asked if names.count(name) > 1})
    if twice:
        raise DataError(
            f"{recording.name}: lead {twice[0]} is there {names.count(twice[0])} times; choose one by its place"
        )
    missing = [name for name in asked if name not in names]
    computed = {}
    if derive and missing and {"I", "II"} <= set(names):
        computed = {name: row for name, row in limb_leads_from(recording).items() if name in missing}
        missing = [name for name in missing if name not in computed]
    if missing:
        spelling = nearest(missing[0], recording.leads)
        raise DataError(
            f"{recording.name}: no lead {', '.join(missing)}{spelling}; the recording has {shown(recording.leads)}. Leave it "
            "out, or ask for leads that all recordings have"
        )
    if not computed and list(recording.leads) == asked:
        return recording
    full = np.ones_like(recording.signals, dtype=bool) if recording.known is None else recording.known
    rows = [
        computed[name] if name in computed else (recording.signals[i := names.index(name)], full[i]) for name in asked
    ]
    signals, known = np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows])
    return EcgRecording(
        signals, tuple(asked), recording.rate_hz, recording.units, None if known.all() else known, recording.name
    )


def limb_leads_from(
    recording: EcgRecording,
) -> dict[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]]:
    """III, aVR, aVL and aVF from leads I and II: values and where both are known.

    References
    ----------
    Einthoven's law (I + III = II) and Goldberger's augmented leads: aVR = -(I + II) / 2, aVL = I - II / 2, aVF = II - I / 2.

    Raises
    ------
    DataError
        If I or II is not there.
    """
    names = [canonical(name) for name in recording.leads]
    if not {"I", "II"} <= set(names):
        raise DataError(f"{recording.name}: leads I and II are needed to compute the other limb leads")
    one, two = (recording.signals[names.index(name)] for name in ("I", "II"))
    known = np.ones(recording.length, bool)
    if recording.known is not None:
        known = recording.known[names.index("I")] & recording.known[names.index("II")]
    return {
        name: (np.where(known, a * one + b * two, 0).astype(recording.signals.dtype), known)
        for name, (a, b) in _FROM_I_AND_II.items()
    }
