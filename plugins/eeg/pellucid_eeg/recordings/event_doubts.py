"""What is doubtful about a recording's events: told, and not mended."""

from __future__ import annotations

from pellucid_eeg.recordings.recording import EegRecording

__all__ = ["event_doubts"]


def event_doubts(recording: EegRecording) -> tuple[tuple[str, str, str], ...]:
    """Events that are there twice, and those of times at which nothing was recorded any more, or yet: what, where, done.

    Counts and seconds alone: descriptions are free words.

    Parameters
    ----------
    recording : EegRecording
        Its samples are not read.
    """
    found = []
    last, events = recording.segments[-1], recording.events
    end = last.onset_s + (last.stop - last.start) / recording.rate_hz
    until = events.onset_s + events.duration_s
    kinds = {
        "annotations beyond the end": events.onset_s > end,
        "annotations before the first sample": events.onset_s < 0,
        "annotations that last beyond the end": (events.onset_s <= end) & (until > end + 1 / recording.rate_hz),
    }
    for what, those in kinds.items():
        if those.any():
            first = f"{events.onset_s[those].iloc[0]:.3f} s of {end:.3f} s"
            found.append((what, f"{int(those.sum())}, the first at {first}", "kept"))
    twice = int(events.duplicated().sum())
    if twice:
        found.append(("annotations that are there twice", f"{twice}", "kept"))
    return tuple(found)
