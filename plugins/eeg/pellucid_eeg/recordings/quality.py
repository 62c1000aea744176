"""What is wrong with a recording, in plain words: found and told, never mended in silence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pellucid.data.samples import Finding
from pellucid.signals.stretches import stretches
from pellucid_eeg.recordings.electrodes import channel_of, shown_one
from pellucid_eeg.recordings.recording import EegRecording
from pellucid_eeg.recordings.units import unit_doubt

__all__ = ["quality"]

BLOCK_S = 30.0
"""Looked at together, so that a recording of a day needs no more memory than one of a minute."""

FLAT_UV = 0.1
"""A channel that moves by less is a wire that is not connected: amplifier noise alone is some tenths of a microvolt."""

HELD_S = 0.5
"""A channel that gives the very same number for so long is off or saturated; noise changes the last digit sooner."""

PLATEAU_S, CLIPPED_AT_LEAST = 0.02, 2
"""So many plateaus of so many seconds at a channel's highest (or lowest) value: the amplifier or converter ended there."""

BRIDGED_UV, BRIDGED_SHARE = 0.5, 0.05
"""Two channels whose difference has a standard deviation below both, in microvolts and as a share of the quieter channel's: paste
joins their electrodes."""

NOISY_TIMES = 5.0
"""A channel that moves so many times further from sample to sample than the median channel; the same for its lasting range."""

FEWEST_CHANNELS = 4
"""With fewer scalp channels there is no saying which one is the odd one."""


@dataclass
class _Seen:
    """What is gathered over the blocks of a recording."""

    rows: int
    missing: list[list[tuple[int, int]]]
    held: list[list[tuple[int, int]]]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    low_plateaus: npt.NDArray[np.int64]
    high_plateaus: npt.NDArray[np.int64]
    spread: list[npt.NDArray[np.float64]] = field(default_factory=list)
    rough: list[npt.NDArray[np.float64]] = field(default_factory=list)
    bridged: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    blocks: int = 0


def quality(recording: EegRecording) -> tuple[Finding, ...]:
    """What a reader of a result must know of a recording.

    Found are: missing samples; flat channels; channels that were off or saturated for half a second; clipped channels; bridged
    electrodes; channels noisier than the others; amplitudes that cannot be microvolts. It is looked at block by block.

    Parameters
    ----------
    recording : EegRecording
        As it was read: after filtering a channel that is off no longer gives the very same number.

    Returns
    -------
    tuple of Finding
        One for each kind, naming channels and seconds. A channel that is no known electrode is called by its place, since a file
        may call it anything.
    """
    seen = _gathered(recording)
    # Nothing is known of a channel without any sample: it is missing, and not flat.
    there = [row for row in range(seen.rows) if np.isfinite(seen.low[row])]
    flat = [row for row in there if seen.high[row] - seen.low[row] < FLAT_UV]
    moving = [row for row in there if row not in flat]
    found = [
        ("missing samples", _spans(recording, seen.missing, range(seen.rows))),
        ("flat channel", _named(recording, flat)),
        ("channel off or saturated", _spans(recording, seen.held, moving)),
        ("clipped channel", _clipped(recording, seen, moving)),
        ("bridged electrodes", _bridged(recording, seen, moving)),
        ("channel noisier than the others", _noisy(recording, seen, moving)),
        ("amplitudes cannot be microvolts", _unit(recording, seen, moving)),
    ]
    return tuple([Finding(recording.name, what, where) for what, where in found if where])


# --- gathering --------------------------------------------------------------------------------------------------------


def _blocks(recording: EegRecording) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    step = max(2, round(BLOCK_S * recording.rate_hz))
    for segment in recording.segments:
        for start in range(segment.start, segment.stop, step):
            yield start, recording.samples_uv(start, min(start + step, segment.stop))


def _gathered(recording: EegRecording) -> _Seen:
    rows = len(recording.channels)
    seen = _Seen(
        rows,
        [[] for _ in range(rows)],
        [[] for _ in range(rows)],
        np.full(rows, np.inf),
        np.full(rows, -np.inf),
        np.zeros(rows, np.int64),
        np.zeros(rows, np.int64),
        bridged=np.zeros((rows, rows), np.int64),
    )
    plateau = max(3, int(np.ceil(PLATEAU_S * recording.rate_hz)))
    borders = {segment.start for segment in recording.segments}
    for start, values in _blocks(recording):
        unknown = np.isnan(values)
        for row in range(rows):
            one = values[row]
            if unknown[row].any():
                _add(seen.missing[row], [(start + a, start + b) for a, b in stretches(unknown[row])], start in borders)
            if not unknown[row].all():
                _extremes(seen, row, one, plateau)
            same = stretches(one[1:] == one[:-1])
            _add(seen.held[row], [(start + a, start + b + 1) for a, b in same], start in borders)
        _compare(seen, values)
    least = HELD_S * recording.rate_hz
    for spans in seen.held:
        spans[:] = [(a, b) for a, b in spans if b - a >= least]
    return seen


def _extremes(seen: _Seen, row: int, values: npt.NDArray[np.float32], plateau: int) -> None:
    """Highest and lowest value so far, and the plateaus at each."""
    high, low = float(np.fmax.reduce(values)), float(np.fmin.reduce(values))
    if high >= seen.high[row]:
        count = sum(b - a >= plateau for a, b in stretches(values == np.float32(high)))
        seen.high_plateaus[row] = count + (seen.high_plateaus[row] if high == seen.high[row] else 0)
        seen.high[row] = high
    if low <= seen.low[row]:
        count = sum(b - a >= plateau for a, b in stretches(values == np.float32(low)))
        seen.low_plateaus[row] = count + (seen.low_plateaus[row] if low == seen.low[row] else 0)
        seen.low[row] = low


def _compare(seen: _Seen, values: npt.NDArray[np.float32]) -> None:
    """Ranges, roughness, and which channels hold the same, of one block."""
    if values.shape[1] < 2:
        return
    whole = np.where(np.isnan(values), np.float32(0), values).astype(np.float64)
    known: npt.NDArray[np.bool_] = np.logical_not(np.isnan(values).any(axis=1))
    quarters = np.full((2, len(values)), np.nan)
    rough = np.full(len(values), np.nan)
    if known.any():
        quarters[:, known] = np.quantile(whole[known], (0.25, 0.75), axis=1)
        rough[known] = np.median(np.abs(np.diff(whole[known], axis=1)), axis=1)
    seen.spread.append(quarters[1] - quarters[0])
    seen.rough.append(rough)
    together = np.cov(whole).reshape(len(values), len(values))
    own = np.diag(together)
    apart = np.sqrt(np.maximum(own[:, None] + own[None] - 2 * together, 0))
    quieter = np.sqrt(np.minimum(own[:, None], own[None]))
    near = np.logical_and(apart < BRIDGED_UV, apart < BRIDGED_SHARE * quieter)
    seen.bridged += near & np.outer(known, known)
    seen.blocks += 1


def _add(spans: list[tuple[int, int]], more: list[tuple[int, int]], new_segment: bool) -> None:
    """Put stretches behind those of earlier blocks, joined where one goes on over the border."""
    if spans and more and spans[-1][1] == more[0][0] and not new_segment:
        spans[-1] = (spans[-1][0], more[0][1])
        more = more[1:]
    spans.extend(more)


# --- telling ----------------------------------------------------------------------------------------------------------


def _named(recording: EegRecording, rows: list[int]) -> str:
    return ", ".join(shown_one(recording.channels[row], row) for row in rows)


def _spans(recording: EegRecording, spans: list[list[tuple[int, int]]], rows: range | list[int]) -> str:
    told = []
    for row in rows:
        if not spans[row]:
            continue
        times = []
        for a, b in spans[row][:3]:
            begun = recording.seconds_of(a)
            times.append(f"{begun:.1f}-{begun + (b - a) / recording.rate_hz:.1f} s")
        more = f" and {len(spans[row]) - 3} more" if len(spans[row]) > 3 else ""
        told.append(f"{shown_one(recording.channels[row], row)} {' and '.join(times)}{more}")
    return ", ".join(told)


def _clipped(recording: EegRecording, seen: _Seen, rows: list[int]) -> str:
    told = []
    for row in rows:
        for count, end, word in (
            (seen.high_plateaus[row], seen.high[row], "above"),
            (seen.low_plateaus[row], seen.low[row], "below"),
        ):
            if count >= CLIPPED_AT_LEAST:
                told.append(f"{shown_one(recording.channels[row], row)} {word} at {end:.4g} uV, {count} times")
    return ", ".join(told)


def _bridged(recording: EegRecording, seen: _Seen, rows: list[int]) -> str:
    """Pairs of scalp electrodes that hold the same in most of the recording."""
    rows = _scalp(recording, rows)
    pairs = [
        f"{shown_one(recording.channels[one], one)} and {shown_one(recording.channels[other], other)}"
        for place, one in enumerate(rows)
        for other in rows[place + 1 :]
        if 2 * seen.bridged[one, other] > seen.blocks
    ]
    return ", ".join(pairs)


def _noisy(recording: EegRecording, seen: _Seen, rows: list[int]) -> str:
    rows = _scalp(recording, rows)
    if len(rows) < FEWEST_CHANNELS or not seen.spread:
        return ""
    told: dict[int, str] = {}
    for kind, blocks in (("from sample to sample", seen.rough), ("in range", seen.spread)):
        middle = _middle(blocks)
        usual = float(np.nanmedian(middle[rows]))
        for row in rows:
            if usual > 0 and middle[row] > NOISY_TIMES * usual:
                name = shown_one(recording.channels[row], row)
                told.setdefault(row, f"{name} {middle[row] / usual:.3g} times the median {kind}")
    return ", ".join(told[row] for row in sorted(told))


def _middle(blocks: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Median over blocks in which a channel is whole; NaN for one that never is."""
    table = np.stack(blocks)
    out = np.full(table.shape[1], np.nan)
    known = ~np.isnan(table).all(axis=0)
    out[known] = np.nanmedian(table[:, known], axis=0)
    return out


def _unit(recording: EegRecording, seen: _Seen, rows: list[int]) -> str:
    if not seen.spread:
        return ""
    # A flat channel's values are judged as well: volts taken for microvolts look flat.
    several = [row for row in range(seen.rows) if row in rows or seen.high[row] > seen.low[row]]
    names = tuple(shown_one(recording.channels[row], row) for row in several)
    return unit_doubt(_middle(seen.spread)[several], names)


def _scalp(recording: EegRecording, rows: list[int]) -> list[int]:
    """Of these rows those that are electrodes of the scalp, or that nobody knows."""
    return [row for row in rows if channel_of(recording.channels[row]).kind in ("scalp", "unknown")]
