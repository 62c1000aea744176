"""One recording to a prepared store: opened, looked through, cut, prepared and kept, or found to be unusable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pellucid.errors import DataError
from pellucid.store.prepared import Prepared, Preparing, made_from, prepared
from pellucid_eeg.preparing.applying import refuse_unfit, windows_of
from pellucid_eeg.preparing.record import Preparation
from pellucid_eeg.recordings.electrodes import canonical, channel_of
from pellucid_eeg.recordings.event_doubts import event_doubts
from pellucid_eeg.recordings.quality import quality
from pellucid_eeg.recordings.recording import EegRecording, Segment
from pellucid_eeg.windows.blocks import prepared_windows, rates_of
from pellucid_eeg.windows.channels import Asked, open_asked, scalp_of, selected
from pellucid_eeg.windows.labels import contradictions, labelled_events, labels_of
from pellucid_eeg.windows.places import Cut, around_events, one_after_the_other
from pellucid_eeg.windows.scanning import scanned
from pellucid_eeg.windows.settings import WindowsConfig
from pellucid_eeg.windows.sources import Labels, Source, companions

__all__ = ["FORMAT", "MADE_UP", "Making", "stored"]

FORMAT = 2
"""To be raised whenever windows come out differently: what was kept before is then not found."""

UNIT = "amplitudes cannot be microvolts"
"""The finding of :func:`~pellucid_eeg.recordings.quality.quality` about units."""

MADE_UP = "electrodes made up"
"""The finding that electrodes are interpolated or masked."""

LARGEST = {"float16": 65_504.0, "float32": np.inf}


@dataclass(frozen=True)
class Making:
    """What windows are made by, the same for all recordings of a dataset.

    Parameters
    ----------
    config : WindowsConfig
    preparation : Preparation
        With the electrodes' standard names.
    asked : Asked
    labels : Labels, optional
        None: all windows are kept, without labels.
    """

    config: WindowsConfig
    preparation: Preparation
    asked: Asked
    labels: Labels | None

    def facts(self, source: Source) -> dict[str, Any]:
        """What a store's key is made of, beside the files."""
        config, labels = self.config, self.labels
        units = [config.doubtful_units, config.unit_where_unknown, source.unit]
        # A label of the whole recording is put on when the store is opened: another one is no reason to prepare again.
        said = None
        if labels is not None and labels.by == "events":
            said = [list(labels.of.items()), labels.otherwise]
        return {
            "format": FORMAT, "preparation": self.preparation.model_dump(mode="json"), "wanted": self.asked.wanted,
            "window_s": config.window_s, "cut": config.cut, "step_s": config.step_s, "onset_s": config.onset_s,
            "covered": config.covered, "precision": config.precision, "units": units, "labels": said,
            "bad": source.bad_channels, "rate_hz": source.rate_hz,
            "own": dict(source.facts),
        }  # fmt: skip


def stored(source: Source, making: Making, folder: Path, given: EegRecording | None = None) -> Prepared:
    """The prepared windows of a recording, from what was kept of an earlier time, or made and kept.

    Parameters
    ----------
    source : Source
    making : Making
    folder : Path
        Folder and first part of the stores' names.
    given : EegRecording, optional
        The recording, where it is open already and has no file.

    Returns
    -------
    Prepared
        Arrays ``signals`` (shape (electrode, time)) and ``known`` (shape (electrode,)), table ``start_s`` and ``label`` (by its
        events; NaN where labels are of whole recordings).

    Raises
    ------
    DataError
        If it cannot be used. Nothing is kept then.
    """
    files = [] if given is not None else [*companions(source.place.path), *source.sidecars]
    if given is None and not source.place.path.is_file():
        raise DataError(f"{source.place.path.name}: there is no such file; check its place, or fetch it again")
    key = made_from(making.facts(source), files) if given is None else source.place.sample
    return prepared(folder, key, lambda to: _make(to, source, making, given))


def _make(to: Preparing, source: Source, making: Making, given: EegRecording | None) -> pd.DataFrame:
    recording, found, labels = _opened(source, making, given)
    # Before the samples are read: what a header tells is enough.
    refuse_unfit(making.preparation, recording.rate_hz)
    findings = list(found)
    names = tuple(canonical(one) for one in recording.channels)
    for one in quality(recording):
        if one.what == UNIT and making.config.doubtful_units == "refused":
            if given is not None:
                mend = "give its values in the unit that it says, which is V in mne"
                raise DataError(f"{recording.name}: {UNIT}: {one.where}; {mend}")
            raise DataError(
                f"{source.place.path.name}: {one.where}; correct the unit in its header or table, or keep it as it is: "
                'doubtful_units = "kept"'
            )
        findings.append((one.what, one.where, one.done))
    seen = scanned(recording)
    bad = {canonical(one) for one in (*recording.bad_channels, *source.bad_channels)} & set(names)
    bad |= {name for name, none in zip(names, seen.empty, strict=True) if none}
    if bad and making.asked.absent_refused and (lost := [one for one in making.asked.wanted if one in bad]):
        raise DataError(
            f"{source.place.path.name}: {', '.join(lost)} is marked as bad, or has no sample; say what stands for it: "
            'absent = "interpolated" or "masked", or ask for other electrodes (option preparation.electrodes)'
        )
    if not making.asked.absent_refused:
        bad |= {name for name, still in zip(names, seen.flat, strict=True) if still}
    rate_hz, ratio = rates_of(recording, making.preparation)
    length = max(1, round(making.config.window_s * rate_hz))
    segments = tuple(one for one in seen.segments if _fits(one, recording, making, findings))
    cut, classes = _cut(recording, source, making, (segments, ratio, rate_hz, length), findings)
    kept, masked, done = _extend(to, recording, names, segments, cut, length, making, tuple(sorted(bad)), findings)
    if not len(kept):
        raise DataError(
            f"{source.place.path.name}: no window of {making.config.window_s:g} s is left of {recording.duration_s:g} s"
            f"{''.join(f'; {what}: {where}' for what, where, one in findings if one == 'left out')}"
        )
    findings += [(MADE_UP, one, "kept") for one in done]
    to.notes |= {
        "rate_hz": rate_hz, "length": length, "masked": masked, "findings": findings, "digest": seen.digest,
        "references": sorted({channel_of(one).reference for one in recording.channels}),
        "recorded_hz": recording.rate_hz, "there": [one for one in names if one not in bad],
        "scalp": [one for one in scalp_of(labels) if one not in bad],
    }  # fmt: skip
    return pd.DataFrame({"start_s": cut.start_s[kept], "label": classes[kept]})


def _opened(
    source: Source, making: Making, given: EegRecording | None
) -> tuple[EegRecording, tuple[tuple[str, str, str], ...], tuple[str, ...]]:
    doubts: tuple[tuple[str, str, str], ...] = ()
    if given is None and source.opens is not None:
        given = source.opens(source.place.path)
    if given is not None:
        recording, labels = selected(given, making.asked), given.channels
    else:
        recording, doubts, labels = open_asked(
            source.place.path, making.asked, source.unit, making.config.unit_where_unknown
        )
    if source.rate_hz is not None and abs(recording.rate_hz / source.rate_hz - 1) > 1e-6:
        raise DataError(
            f"{source.place.path.name}: has {recording.rate_hz:g} samples a second, and the table beside it says {source.rate_hz:g}; "
            "correct the one that is wrong"
        )
    if source.events is not None:
        recording = replace(recording, events=source.events(recording))
        doubts = tuple(one for one in doubts if "annotations" not in one[0])
    return recording, (*doubts, *(one for one in event_doubts(recording) if one not in doubts)), labels


def _fits(segment: Segment, recording: EegRecording, making: Making, findings: list[tuple[str, str, str]]) -> bool:
    """Whether a filter has room in a segment; one that is too short is listed."""
    from pellucid.signals.filters import check_length

    samples, high_pass_hz = segment.stop - segment.start, making.preparation.high_pass_hz
    if samples / recording.rate_hz < making.config.window_s or high_pass_hz is None:
        return True
    try:
        check_length(samples, recording.rate_hz, high_pass_hz)
    except DataError:
        if len(recording.segments) == 1 and samples == recording.length:
            raise
        until = segment.onset_s + samples / recording.rate_hz
        findings.append(("a stretch too short for its filter", f"{segment.onset_s:.1f}-{until:.1f} s", "left out"))
        return False
    return True


def _cut(
    recording: EegRecording, source: Source, making: Making, how: tuple[Any, ...], findings: list[tuple[str, str, str]]
) -> tuple[Cut, np.ndarray]:
    """Windows that have a label, and the labels; of a recording without labels all windows."""
    config, labels = making.config, making.labels
    segments, ratio, rate_hz, length = how
    by_events = labels is not None and labels.by == "events"
    named = labelled_events(recording.events, labels.of if labels else {}) if by_events else None
    if named is not None and labels is not None and labels.otherwise is None and not len(named):
        some = ", ".join(repr(one) for one in list(labels.of)[:5])
        raise DataError(f"{source.place.path.name}: none of its {len(recording.events):,} events is called {some}")
    if config.cut == "events":
        events = _around(recording, making, named, source)
        cut = around_events(segments, ratio, rate_hz, length, events["onset_s"].to_numpy(), config.onset_s)
        lost = len(events) - len(cut)
        if lost:
            outside = np.setdiff1d(np.arange(len(events)), cut.event)
            first = float(events["onset_s"].iloc[outside].min())
            findings.append(("events whose window was not recorded", f"{lost}, the first at {first:.3f} s", "left out"))
        values = events["label"].to_numpy(float)[cut.event] if len(cut) else np.zeros(0)
        return cut, values if by_events else np.full(len(cut), np.nan)
    step = max(1, round((config.step_s or config.window_s) * rate_hz))
    cut = one_after_the_other(segments, ratio, rate_hz, length, step)
    if named is None or labels is None:
        return cut, np.full(len(cut), np.nan)
    found = labels_of(
        cut.start_s, length / rate_hz, named, len(labels.names), otherwise=labels.otherwise, covered=config.covered
    )
    clear = np.flatnonzero(~np.isnan(found))
    if len(clear) < len(cut):
        findings.append(("windows of no class, or of several", f"{len(cut) - len(clear)} of {len(cut)}", "left out"))
    return cut.some(clear), found[clear]


def _around(recording: EegRecording, making: Making, named: pd.DataFrame | None, source: Source) -> pd.DataFrame:
    """Events to cut windows around; where nobody named some, all of them, without labels."""
    if named is None:
        events = recording.events[["onset_s", "duration_s"]].assign(label=np.nan)
        return events.drop_duplicates("onset_s", ignore_index=True)
    if len(both := contradictions(named)):
        raise DataError(
            f"{source.place.path.name}: at {both[0]:.3f} s begin events of two classes ({len(both)} such times); "
            "take one of them out, or name one of the two"
        )
    return named.drop_duplicates(["onset_s", "label"], ignore_index=True)


def _extend(
    to: Preparing, recording: EegRecording, names: tuple[str, ...], segments: tuple[Segment, ...], cut: Cut, length: int,
    making: Making, bad: tuple[str, ...], findings: list[tuple[str, str, str]],
) -> tuple[np.ndarray, bool, tuple[str, ...]]:  # fmt: skip
    """Prepare and write windows; which were kept, whether any electrode is masked, and what was made up."""
    rate_hz = rates_of(recording, making.preparation)[0]
    kept: list[np.ndarray] = []
    masked, left_out = False, 0
    done: tuple[str, ...] = ()
    for part in prepared_windows(recording, names, segments, cut, length, making.preparation, making.asked.wanted, bad):
        windows, usable = windows_of(part.windows_uv, rate_hz, making.preparation)
        largest = float(np.abs(windows).max(initial=0.0))
        if largest > LARGEST[making.config.precision]:
            raise DataError(
                f"{recording.name}: {largest:.3g} uV do not fit into float16; take offsets out (preparation.high_pass_hz or "
                'preparation.baseline_s), or keep more digits: precision = "float32"'
            )
        left_out += int((~usable).sum())
        windows = windows[usable].astype(making.config.precision, copy=False)
        to.extend(signals=windows, known=np.repeat(part.known[None], len(windows), axis=0))
        masked |= not part.known.all()
        done = part.done
        kept.append(part.rows[usable])
    if left_out:
        findings.append((f"swings by more than {making.preparation.reject_uv:g} uV", f"{left_out} windows", "left out"))
    return np.concatenate([np.zeros(0, np.int64), *kept]).astype(np.int64), masked, done
