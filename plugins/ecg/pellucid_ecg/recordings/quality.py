"""What is wrong with a recording, in plain words: found and told, never mended in silence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from pellucid.data.samples import Finding
from pellucid.errors import abridged
from pellucid.signals.stretches import stretches
from pellucid_ecg.recordings.leads import canonical
from pellucid_ecg.recordings.limb_laws import limb_doubts
from pellucid_ecg.recordings.recording import EcgRecording

__all__ = ["quality"]

FLAT_MV = 0.005
"""A lead that moves by less than 5 microvolts is a wire that is not connected: amplifier noise alone is more."""

HELD_S = 0.5
"""A lead that gives the very same number for so long is off or saturated; noise changes the last digit sooner."""

PLATEAU_S = 0.02
CLIPPED_AT_LEAST = 2
"""Plateaus of so many seconds at a lead's highest (or lowest) value, so many of them: the amplifier or converter ended there."""

LARGEST_MV, SMALLEST_MV = 30.0, 0.02
"""Between these lies how far a lead of an ECG moves; most leads beyond them were not read in mV."""

RATES_HZ = (50.0, 20_000.0)
"""Rates at which hearts are recorded."""


def quality(
    recording: EcgRecording, *, rate_hz: float | None = None, leads: Sequence[str] | None = None
) -> tuple[Finding, ...]:
    """What a reader of a result must know of a recording.

    Found are: flat leads; leads that were off or saturated for half a second; clipped leads; missing samples; two leads with
    the same signal; limb leads that break the laws of Einthoven and Goldberger; amplitudes that cannot be millivolts; a rate
    or leads other than expected.

    Parameters
    ----------
    recording : EcgRecording
        As it was read: after filtering or resampling a lead that is off no longer gives the very same number.
    rate_hz : float, optional
        What the rate should be.
    leads : sequence of str, optional
        What the leads should be, in this order.

    Returns
    -------
    tuple of Finding
        One for each kind, naming leads and seconds. Empty where nothing was found.
    """
    flat = _flat(recording)
    there = np.ones(len(recording.leads), bool) if recording.known is None else recording.known.any(axis=1)
    moving = [row for row in np.flatnonzero(there).tolist() if row not in flat]
    found = [
        ("flat lead", _named(recording, flat)),
        ("lead off or saturated", _held(recording, moving)),
        ("clipped lead", _clipped(recording, moving)),
        ("missing samples", _missing(recording)),
        ("two leads with the same signal", _same(recording, moving)),
        ("amplitudes cannot be millivolts", _not_mv(recording, moving)),
        ("unexpected rate", _rate(recording, rate_hz)),
        ("leads in another order or missing", _leads(recording, leads)),
        *limb_doubts(recording, flat),
    ]
    return tuple(Finding(recording.name, what, where) for what, where in found if where)


def _flat(recording: EcgRecording) -> list[int]:
    low, high = _extremes(recording)
    least = FLAT_MV if recording.units == "mV" else 1e-6
    there = np.ones(len(low), bool) if recording.known is None else recording.known.any(axis=1)
    return np.flatnonzero(there & (high - low < least)).tolist()


def _held(recording: EcgRecording, rows: Iterable[int]) -> str:
    told = []
    for row in rows:
        values, known = _row(recording, row)
        same = (values[1:] == values[:-1]) & known[1:] & known[:-1]
        spans = [(a, b + 1) for a, b in stretches(same) if b - a + 1 >= HELD_S * recording.rate_hz]
        if spans:
            told.append(f"{recording.leads[row]} {_seconds(spans, recording.rate_hz)}")
    return ", ".join(told)


def _clipped(recording: EcgRecording, rows: Iterable[int]) -> str:
    least = max(3, int(np.ceil(PLATEAU_S * recording.rate_hz)))
    told = []
    for row in rows:
        values, known = _row(recording, row)
        for end, word in ((values[known].max(), "above"), (values[known].min(), "below")):
            plateaus = [(a, b) for a, b in stretches((values == end) & known) if b - a >= least]
            if len(plateaus) >= CLIPPED_AT_LEAST:
                told.append(f"{recording.leads[row]} {word} at {end:.4g} {recording.units}, {len(plateaus)} times")
    return ", ".join(told)


def _missing(recording: EcgRecording) -> str:
    if recording.known is None:
        return ""
    share = 1 - recording.known.mean(axis=1)
    return ", ".join(
        f"{lead} {part:.1%}" if part < 1 else f"{lead} all"
        for lead, part in zip(recording.leads, share, strict=True)
        if part
    )


def _same(recording: EcgRecording, rows: Sequence[int]) -> str:
    pairs = []
    for place, row in enumerate(rows):
        for other in rows[place + 1 :]:
            one, two = recording.signals[row], recording.signals[other]
            # The first samples differ in nearly all pairs, and comparing all of two leads takes longer.
            if np.array_equal(one[:64], two[:64]) and np.array_equal(one, two):
                pairs.append(f"{recording.leads[row]} and {recording.leads[other]}")
    return ", ".join(pairs)


def _not_mv(recording: EcgRecording, rows: Sequence[int]) -> str:
    if recording.units != "mV" or not rows:
        return ""
    low, high = _extremes(recording, share=0.005)
    reach = float(np.median((high - low)[list(rows)]))
    if SMALLEST_MV <= reach <= LARGEST_MV:
        return ""
    return f"leads move by {reach:.3g} mV where an electrocardiogram moves by 1 to 3"


def _rate(recording: EcgRecording, rate_hz: float | None) -> str:
    if rate_hz is not None and recording.rate_hz != rate_hz:
        return f"{recording.rate_hz:g} Hz instead of {rate_hz:g} Hz"
    if not RATES_HZ[0] <= recording.rate_hz <= RATES_HZ[1]:
        return f"{recording.rate_hz:g} Hz, at which no electrocardiogram is recorded"
    return ""


def _leads(recording: EcgRecording, leads: Sequence[str] | None) -> str:
    if leads is None:
        return ""
    here, asked = [canonical(name) for name in recording.leads], [canonical(name) for name in leads]
    if here == asked:
        return ""
    absent = [name for name in asked if name not in here]
    if absent:
        return f"without {', '.join(absent)}"
    return f"{', '.join(recording.leads)} instead of {', '.join(asked)}"


# --- spans and extremes -----------------------------------------------------------------------------------------------


def _row(recording: EcgRecording, row: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    values = recording.signals[row]
    return values, np.ones(len(values), bool) if recording.known is None else recording.known[row]


def _extremes(recording: EcgRecording, share: float = 0.0) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Lowest and highest known value of each lead, but for a share of the samples at each end; 0 where nothing is known."""
    low, high = np.zeros(len(recording.leads)), np.zeros(len(recording.leads))
    for row in range(len(recording.leads)):
        values, known = _row(recording, row)
        if known.any():
            low[row], high[row] = np.quantile(values[known], (share, 1 - share))
    return low, high


def _named(recording: EcgRecording, rows: Iterable[int]) -> str:
    return ", ".join(recording.leads[row] for row in rows)


def _seconds(spans: Sequence[tuple[int, int]], rate_hz: float) -> str:
    return abridged([f"{a / rate_hz:.1f}-{b / rate_hz:.1f} s" for a, b in spans], 3, between=" and ")
