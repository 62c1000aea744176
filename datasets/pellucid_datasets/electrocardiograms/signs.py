"""Signs: what one recording shows, how strongly, and what it is called."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

LABELS = {
    "signs": ("tachycardia", "irregular-rr", "wide-qrs", "st-shift-v1-v3", "digitalis-like"),
    "diagnoses": ("normal", "lbbb-like", "anterior-mi-like", "af-like", "lvh-like"),
}
"""The two sets of labels. ``signs``: two of rhythm, two of the form of a part of the beat, one of the whole beat.
``diagnoses``: what five common diagnoses look like; ``normal`` is true where none of the others is."""

PREVALENCE = 0.3
"""Share of people who tend to have a label; drawn for each label by itself, so that labels occur together too."""

SHOWN = {True: 0.9, False: 0.05}
"""Share of the recordings of a person with and without the tendency that show the label."""


@dataclass(frozen=True)
class Signs:
    """What is to be seen in one recording; the default is nothing.

    Parameters
    ----------
    rate_bpm : float, optional
        Heart rate, in place of the person's own.
    irregularity : float, optional
        Of the RR interval, in place of the person's own.
    p_waves : bool
    fibrillation_mv : float
        Height of the waves of the atria where they fibrillate.
    qrs_stretch : float
        Factor of the length of the QRS complex.
    turned_back : bool
        Whether the wide QRS points to the left and to the back and T against it, as in left bundle branch block.
    st_mv : float
        Shift of the ST segment in V1, V2 and V3: a local current of injury, which no other lead sees.
    st_beats : {"all", "some", "one"}
        Whether every beat is shifted, a share of them drawn at random, or one alone.
    sagging_mv : float
        How far ST sags against the QRS complex in all leads, as under digitalis; QT is shortened then.
    q_mv : float
        Depth of a Q wave in V1 to V4 (a scar under these electrodes), with ST raised by a third of it.
    hypertrophy : float
        Factor of the QRS complex along left and back, where a large left ventricle lies.
    """

    rate_bpm: float | None = None
    irregularity: float | None = None
    p_waves: bool = True
    fibrillation_mv: float = 0.0
    qrs_stretch: float = 1.0
    turned_back: bool = False
    st_mv: float = 0.0
    st_beats: str = "all"
    sagging_mv: float = 0.0
    q_mv: float = 0.0
    hypertrophy: float = 1.0


def drawn_labels(kind: str, tends: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Labels of one recording, bool, shape (label,).

    Parameters
    ----------
    kind : str
        A key of :data:`LABELS`.
    tends : ndarray of bool, shape (label,)
        Which labels the person tends to have.
    rng : Generator
    """
    shown = rng.random(len(tends)) < np.where(tends, SHOWN[True], SHOWN[False])
    if kind == "diagnoses":
        shown[0] = not shown[1:].any()
    return shown


def signs_of(kind: str, shown: np.ndarray, rng: np.random.Generator, st_beats: str = "all") -> Signs:
    """Signs that make labels true, of strengths drawn at random.

    The same generator state gives a sign the same strength whatever other labels are true.
    """
    found = Signs(st_beats=st_beats)
    for name, true, strength in zip(LABELS[kind], shown, rng.random(len(shown)), strict=True):
        if true:
            found = _with(found, name, float(strength))
    return found


def _with(signs: Signs, name: str, strength: float) -> Signs:
    def between(low: float, high: float) -> float:
        return low + (high - low) * strength

    match name:
        case "tachycardia":
            return replace(signs, rate_bpm=between(108, 145))
        case "irregular-rr":
            return replace(signs, irregularity=between(0.18, 0.30))
        case "wide-qrs":
            return replace(signs, qrs_stretch=between(1.7, 2.2))
        case "st-shift-v1-v3":
            return replace(signs, st_mv=between(0.25, 0.45))
        case "digitalis-like":
            return replace(signs, sagging_mv=between(0.12, 0.22))
        case "lbbb-like":
            return replace(signs, qrs_stretch=between(1.6, 2.0), turned_back=True)
        case "anterior-mi-like":
            return replace(signs, q_mv=between(0.5, 0.9))
        case "af-like":
            return replace(signs, irregularity=between(0.18, 0.30), p_waves=False, fibrillation_mv=between(0.08, 0.20))
        case "lvh-like":
            return replace(signs, hypertrophy=between(1.8, 2.4))
    return signs
