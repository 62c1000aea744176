"""One recording: beats, waves, signs and noise put together, with the places where each label can be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pellucid.regions import TimeSpan
from pellucid_datasets.electrocardiograms.beats import Beats, Wave, beats, dipole, plateau
from pellucid_datasets.electrocardiograms.hearts import QRS, QRS_S, T_END_S, Heart, P, T
from pellucid_datasets.electrocardiograms.leads import ELECTRODES, LEADS, Floats, leads_of
from pellucid_datasets.electrocardiograms.noise import fibrillation, noise_of
from pellucid_datasets.electrocardiograms.signs import Signs

INJURED = ("V1", "V2", "V3")
SCARRED = ("V1", "V2", "V3", "V4")

T_START_S = 0.21
"""Where ST ends and T begins, at one beat a second."""


@dataclass(frozen=True, eq=False)
class Made:
    """A made-up recording.

    Parameters
    ----------
    signals : ndarray of float32, shape (12, time), mV
    beats : Beats
        When the heart really beat.
    places : mapping of str to tuple of TimeSpan
        For every label that is true, where it can be seen.
    """

    signals: npt.NDArray[np.float32]
    beats: Beats
    places: Mapping[str, tuple[TimeSpan, ...]]


def made(
    heart: Heart,
    signs: Signs,
    labels: tuple[str, ...],
    seed: tuple[int, ...],
    *,
    rate_hz: float = 100.0,
    length_s: float = 10.0,
    noise: float = 1.0,
) -> Made:
    """Make a recording.

    The same seed gives the same beats and the same noise whatever the signs of form are, so that what a sign adds is the
    difference between two recordings.

    Parameters
    ----------
    heart : Heart
    signs : Signs
    labels : tuple of str
        Names of the labels that the signs make true.
    seed : tuple of int
    rate_hz, length_s : float
    noise : float
        Factor of all noise; 0 for none.

    Examples
    --------
    >>> from pellucid_datasets.electrocardiograms.hearts import drawn_heart
    >>> heart = drawn_heart(np.random.default_rng(0))
    >>> wide = made(heart, Signs(qrs_stretch=2.0), ("wide-qrs",), (0,))
    >>> wide.signals.shape, wide.places["wide-qrs"][1].channels[:3]
    ((12, 1000), ('I', 'II', 'III'))
    """
    streams = [np.random.default_rng([*seed, part]) for part in range(4)]
    found = beats(
        heart.rate_bpm if signs.rate_bpm is None else signs.rate_bpm,
        heart.variability if signs.irregularity is None else signs.irregularity,
        length_s,
        streams[0],
    )
    time_s = np.arange(round(length_s * rate_hz)) / rate_hz
    moment = dipole(time_s, found, _waves(heart, signs), 1 + 0.03 * streams[1].standard_normal(len(found.r_s)))
    if signs.fibrillation_mv:
        moment += signs.fibrillation_mv * fibrillation(time_s, streams[1])
    potentials = heart.electrodes @ moment
    spans = Spans(found, heart.qrs_width * signs.qrs_stretch, _short(signs), length_s)
    chosen = spans.chosen(signs.st_beats, streams[2])
    _injure(potentials, time_s, spans, signs, chosen)
    potentials += noise * noise_of(len(ELECTRODES), time_s, rate_hz, streams[3])
    return Made(leads_of(potentials), found, {name: spans.of(name, chosen) for name in labels})


def _short(signs: Signs) -> float:
    """Factor of the time from R to T."""
    return 0.85 if signs.sagging_mv else 1.0


def _waves(heart: Heart, signs: Signs) -> list[Wave]:
    """The waves of this heart with these signs."""
    width, short = heart.qrs_width * signs.qrs_stretch, _short(signs)
    waves = [_scaled(wave, heart.p) for wave in P] if signs.p_waves else []
    t_height = heart.t * (0.6 if signs.sagging_mv else 1.0)
    for wave in QRS:
        grown = replace(wave, vector=wave.vector * np.array([signs.hypertrophy, 1.0, signs.hypertrophy]))
        if signs.turned_back:
            # Without the septum's first vector; the rest points to the left and to the back.
            late = np.array([0.75, 0.25, 0.70]) * np.linalg.norm(wave.vector)
            grown = replace(wave, vector=np.zeros(3) if wave.at_s < 0 else late * signs.hypertrophy)
        waves.append(replace(_scaled(grown, heart.qrs), at_s=wave.at_s * width, width_s=wave.width_s * width))
    for wave in T:
        vector = np.array([-0.16, -0.04, -0.18]) if signs.turned_back else wave.vector
        waves.append(_scaled(Wave(vector, wave.at_s * short, wave.width_s * short, True), t_height))
    if signs.sagging_mv:
        against = -signs.sagging_mv * QRS[1].vector
        waves.append(Wave(against, 0.15, 0.035, True))
    return [replace(wave, vector=heart.turn @ wave.vector) for wave in waves]


def _scaled(wave: Wave, by: float) -> Wave:
    return replace(wave, vector=wave.vector * by)


def _injure(potentials: Floats, time_s: Floats, spans: Spans, signs: Signs, chosen: npt.NDArray[np.bool_]) -> None:
    """Add what the electrodes next to injured or scarred muscle see, and no other."""
    near = {name: [ELECTRODES.index(lead) for lead in leads] for name, leads in (("st", INJURED), ("q", SCARRED))}
    for beat, r_s in enumerate(spans.beats.r_s):
        st = plateau(time_s, *spans.st(beat))
        if signs.st_mv and chosen[beat]:
            potentials[near["st"]] += signs.st_mv * st
        if signs.q_mv:
            q_start, _ = spans.qrs(beat)
            q = plateau(time_s, q_start, r_s + 0.025 * spans.width)
            potentials[near["q"]] += signs.q_mv * (st / 3 - q)


class Spans:
    """Where the parts of each beat lie, seconds from the beginning of the recording."""

    def __init__(self, found: Beats, width: float, short: float, length_s: float) -> None:
        self.beats, self.width, self.short, self.length_s = found, width, short, length_s

    def qrs(self, beat: int) -> tuple[float, float]:
        """Begin and end of the QRS complex."""
        r = float(self.beats.r_s[beat])
        return r + QRS_S[0] * self.width, r + QRS_S[1] * self.width

    def st(self, beat: int) -> tuple[float, float]:
        """From the end of the QRS complex to the begin of T, at least 60 ms."""
        begin = self.qrs(beat)[1]
        end = float(self.beats.r_s[beat] + T_START_S * self.short * self.beats.stretch[beat])
        return begin, max(end, begin + 0.06)

    def t_end(self, beat: int) -> float:
        """End of T."""
        return float(self.beats.r_s[beat] + T_END_S * self.short * self.beats.stretch[beat])

    def inside(self, span: tuple[float, float]) -> bool:
        """Whether a span lies in the recording as a whole."""
        return span[0] >= 0 and span[1] <= self.length_s

    def chosen(self, which: str, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
        """Which beats have a shifted ST segment, bool, shape (beat,).

        All; or one whose ST segment is recorded as a whole; or that one and a share of the others. The one is the same in
        all three.
        """
        count = len(self.beats.r_s)
        whole = np.flatnonzero([self.inside(self.st(beat)) for beat in range(count)])
        one = np.arange(count) == (rng.choice(whole) if len(whole) else -1)
        # Squared: few beats are commoner than most of them.
        share = {"all": 1.0, "some": rng.random() ** 2, "one": 0.0}[which]
        chosen: npt.NDArray[np.bool_] = one | (rng.random(count) < share)
        return chosen

    def of(self, label: str, chosen: npt.NDArray[np.bool_]) -> tuple[TimeSpan, ...]:
        """Where a label can be seen: parts of beats, cut off at the ends of the recording, or all of it."""
        every = range(len(self.beats.r_s))
        match label:
            case "wide-qrs" | "lvh-like":
                return self._cut(LEADS, [self.qrs(b) for b in every])
            case "st-shift-v1-v3":
                return self._cut(INJURED, [self.st(b) for b in every if chosen[b]])
            case "anterior-mi-like":
                return self._cut(SCARRED, [(self.qrs(b)[0], self.st(b)[1]) for b in every])
            case "digitalis-like":
                return self._cut(LEADS, [(self.qrs(b)[1], self.t_end(b)) for b in every])
            case "lbbb-like":
                return self._cut(LEADS, [(self.qrs(b)[0], self.t_end(b)) for b in every])
        return (TimeSpan(LEADS, 0.0, self.length_s),)

    def _cut(self, leads: tuple[str, ...], spans: list[tuple[float, float]]) -> tuple[TimeSpan, ...]:
        cut = [(max(start, 0.0), min(stop, self.length_s)) for start, stop in spans]
        return tuple(TimeSpan(leads, start, stop) for start, stop in cut if start < stop)
