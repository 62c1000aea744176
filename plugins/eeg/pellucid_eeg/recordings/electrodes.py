"""Electrodes: the names of the 10-20, 10-10 and 10-5 systems out of what files call channels, and where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError, abridged, nearest

__all__ = [
    "OLD_NAMES",
    "SCALP",
    "TEN_TWENTY",
    "Channel",
    "canonical",
    "channel_of",
    "positions",
    "shown",
    "template_montage",
    "unknown_doubt",
]

TEN_TWENTY = (
    "Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8", "P7", "P3", "Pz", "P4", "P8", "O1", "O2",
)  # fmt: skip
"""The nineteen electrodes of the 10-20 system, by their present names."""

OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
"""Names of the old 10-20 system (Jasper 1958) and what they are called since the 10-10 system."""

EARS = ("A1", "A2", "M1", "M2")
"""Ear lobes and mastoids: most often references."""


def _row(prefix: str, numbers: Iterable[int], middle: bool = True) -> list[str]:
    numbered = [f"{prefix}{number}" for number in numbers]
    return [*numbered, *([f"{prefix}z"] if middle else []), *[f"{name}h" for name in numbered]]


def _all() -> tuple[str, ...]:
    names: list[str] = []
    for prefix in ("Fp", "O", "OI", "I"):
        names += _row(prefix, (1, 2))
    for prefix in ("AFp", "AF", "AFF", "F", "P", "PPO", "PO", "POO"):
        names += _row(prefix, range(1, 11))
    for outer, inner in (
        ("FFT", "FFC"),
        ("FT", "FC"),
        ("FTT", "FCC"),
        ("T", "C"),
        ("TTP", "CCP"),
        ("TP", "CP"),
        ("TPP", "CPP"),
    ):
        names += [*_row(inner, range(1, 7)), *_row(outer, range(7, 11), middle=False)]
    return tuple(names)


SCALP = _all()
"""All places of the 10-5 system (Oostenveld and Praamstra 2001, doi:10.1016/S1388-2457(00)00527-7), the 10-10 and 10-20 among them."""

_BY_LOWER = {
    **{name.lower(): name for name in (*SCALP, *EARS)},
    **{old.lower(): new for old, new in OLD_NAMES.items()},
    **{f"{old.lower()}'": new for old, new in OLD_NAMES.items()},
    "o9": "I1", "o10": "I2", "mastoid l": "M1", "mastoid r": "M2",
}  # fmt: skip

_REFERENCE = r"ref|le|ar|av|avg|aavg|cavg|car|lap|org|a1\+a2|a1a2|m1m2|a12|linked ears|average|common"
_PREFIX = re.compile(r"(eeg|eog|ecg|ekg|emg|resp|seeg|ecog|dc|misc|pol)[\s_:]+", re.IGNORECASE)
_SUFFIX = re.compile(rf"\s*[-_/\s]\s*({_REFERENCE})\d?$", re.IGNORECASE)
_KINDS = {
    "eog": re.compile(
        r"(h|v)?eog\b.*|(h|v)?eog[lrud12]?|loc|roc|e1|e2|lo1|lo2|io1|io2|so1|so2|r?l?uoc|r?l?loc|nz", re.IGNORECASE
    ),
    "ecg": re.compile(r"(ecg|ekg)\b.*|(ecg|ekg)\d?[lr]?|ecgi{1,3}", re.IGNORECASE),
    "emg": re.compile(r"emg\b.*|emg\d?|chin\d?|chin .*|submental|tibialis|(l|r)?leg\d?|lat|rat", re.IGNORECASE),
    "reference": re.compile(r"ref|gnd|ground|reference|cms|drl|exg[1-8]", re.IGNORECASE),
    "other": re.compile(
        r"status|sti ?\d+|trig(ger)?|stim|marker|event|photic.*|ph|resp.*|airflow|flow|snore|thor.*|abdo?.*|spo2|sao2|pulse.*|"
        r"temp.*|rect.*|ibi|bursts|suppr|dc\d*|edf annotations|bdf annotations|acc[xyz]?|gsr\d?|erg\d?|plet.*|hr|pr|body.*|mk",
        re.IGNORECASE,
    ),
}
_BY_PREFIX = {"eog": "eog", "ecg": "ecg", "ekg": "ecg", "emg": "emg", "resp": "other", "dc": "other", "misc": "other"}


@dataclass(frozen=True, slots=True)
class Channel:
    """What a channel is, by its name.

    Parameters
    ----------
    name : str
        Canonical; the file's own where nothing is known.
    kind : str
        ``"scalp"``, ``"bipolar"`` (difference of two scalp electrodes), ``"reference"`` (ears, mastoids, reference, ground),
        ``"eog"``, ``"ecg"``, ``"emg"``, ``"other"`` (triggers, breath and the like) or ``"unknown"``.
    reference : str
        What the name says it was measured against; empty where it says nothing.
    """

    name: str
    kind: str
    reference: str = ""


@lru_cache(maxsize=4096)
def channel_of(label: str) -> Channel:
    """What a channel is, by what a file calls it.

    Examples
    --------
    >>> channel_of("EEG FP1-REF")
    Channel(name='Fp1', kind='scalp', reference='REF')
    >>> [channel_of(label).name for label in ("Fc5.", "T3", "EEG T6-LE", "CZ", "EEG Fpz-Cz", "C3-A2")]
    ['FC5', 'T7', 'P8', 'Cz', 'Fpz-Cz', 'C3']
    >>> [channel_of(label).kind for label in ("A1", "EOG horizontal", "EKG1", "EMG-Ref", "Status", "Fpz-Cz", "Mr Doe")]
    ['reference', 'eog', 'ecg', 'emg', 'other', 'bipolar', 'unknown']
    """
    # A file may make a label as long as it likes; no electrode's name is longer than this.
    plain = " ".join(label[:80].replace("\0", " ").split()).strip(" .")
    prefix = _PREFIX.match(plain)
    core = plain[prefix.end() :] if prefix else plain
    kind = _BY_PREFIX.get(prefix[1].lower()) if prefix else None
    if kind is not None:
        return Channel(plain, kind)
    suffix = _SUFFIX.search(core)
    reference = suffix[1].upper() if suffix else ""
    core = (core[: suffix.start()] if suffix else core).strip(" .")
    known = _BY_LOWER.get(core.lower())
    if known is not None:
        return Channel(known, "reference" if known in EARS else "scalp", reference)
    one, dash, two = core.partition("-")
    left, right = _BY_LOWER.get(one.strip().lower()), _BY_LOWER.get(two.strip().lower())
    if dash and left is not None and right is not None:
        if right in EARS and left not in EARS:
            return Channel(left, "scalp", right)
        return Channel(f"{left}-{right}", "bipolar" if left not in EARS else "reference")
    for name, pattern in _KINDS.items():
        if pattern.fullmatch(core):
            return Channel(core, name, reference)
    return Channel(label, "unknown")


def canonical(label: str) -> str:
    """The canonical name of what a file calls a channel; unchanged where it is none that is known.

    Examples
    --------
    >>> [canonical(label) for label in ("EEG FP1-REF", "t5", "Fp1.", "spare 7")]
    ['Fp1', 'P7', 'Fp1', 'spare 7']
    """
    return channel_of(label).name


def shown(labels: Sequence[str]) -> str:
    """Names of channels for a report: what is no known channel is called by its place, as a file may call it anything.

    Examples
    --------
    >>> shown(["EEG FP1-REF", "Mr Doe"])
    'Fp1, channel 2'
    """
    return ", ".join(shown_one(label, place) for place, label in enumerate(labels))


def shown_one(label: str, place: int) -> str:
    """A channel's name for a report, or its place (from 0) told from 1."""
    channel = channel_of(label)
    # The words behind a prefix are free: "ECG of Mr Doe".
    return channel.name if channel.kind in ("scalp", "bipolar") or channel.name in EARS else f"channel {place + 1}"


def unknown_doubt(labels: Sequence[str]) -> str:
    """What channels are called that no electrode is called, with the nearest name; for errors, not for reports.

    Examples
    --------
    >>> unknown_doubt(["Fp1", "Fpp2"])
    "'Fpp2'; did you mean 'Fp2'?"
    """
    return abridged([f"{label!r}{nearest(label, SCALP)}" for label in labels if channel_of(label).kind == "unknown"])


@lru_cache(maxsize=1)
def template_montage() -> Any:
    """The 10-5 electrodes on mne's template head, an ``mne.channels.DigMontage``, under the name that this mne has for it."""
    import warnings

    from mne.channels import get_builtin_montages, make_standard_montage

    name = "colin27_1005" if "colin27_1005" in get_builtin_montages() else "standard_1005"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_standard_montage(name)


@lru_cache(maxsize=1)
def _all_positions() -> MappingProxyType[str, tuple[float, float, float]]:
    places = template_montage().get_positions()["ch_pos"]
    names = [name for name in (*SCALP, *EARS) if name in places]
    metres = np.stack([places[name] for name in names])
    # The sphere that fits best: |p|^2 = 2 c.p + (r^2 - |c|^2), linear in the centre c.
    scalp = metres[[name not in EARS for name in names]]
    solved = np.linalg.lstsq(np.c_[2 * scalp, np.ones(len(scalp))], (scalp**2).sum(1), rcond=None)[0]
    unit = metres - solved[:3]
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return MappingProxyType({name: (float(x), float(y), float(z)) for name, (x, y, z) in zip(names, unit, strict=True)})


def positions(labels: Sequence[str]) -> npt.NDArray[np.float64]:
    """Where electrodes stand on a unit sphere: x to the right ear, y to the nose, z to the crown; shape (channel, 3).

    Places are those of mne's template head (its 10-5 montage), moved to the centre of the sphere that fits them best and scaled
    to its surface.

    Parameters
    ----------
    labels : sequence of str
        As files or anybody calls them.

    Returns
    -------
    ndarray of float64, shape (channel, 3)
        Without a unit: the radius is 1.

    Raises
    ------
    DataError
        If a name is no electrode's; with the nearest that is.

    Examples
    --------
    >>> positions(["Cz"]).round(1).tolist()[0][2]
    1.0
    """
    table = _all_positions()
    names = [canonical(label) for label in labels]
    absent = [label for label, name in zip(labels, names, strict=True) if name not in table]
    if absent:
        raise DataError(
            f"no place on the head is known for {abridged([repr(label) + nearest(label, SCALP) for label in absent])}; leave it "
            "out, or rename it to its 10-20, 10-10 or 10-5 name"
        )
    return np.array([table[name] for name in names]).reshape(len(names), 3)
