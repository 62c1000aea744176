"""Words out of a recording's own files in what is told of it: an error may quote them, a report must not, as they may be a person's."""

from __future__ import annotations

from dataclasses import replace

from pellucid_ecg.recordings.leads import canonical, is_lead
from pellucid_ecg.recordings.recording import EcgRecording

__all__ = ["ENDINGS", "with_plain_leads"]

ENDINGS = ("hea", "dat", "mat", "atr", "csv")
"""Of the files that an error may name."""


def with_plain_leads(recording: EcgRecording, asked: tuple[str, ...] = ()) -> EcgRecording:
    """The recording with numbers for its leads that are neither asked for nor known: a header may call a signal anything.

    Parameters
    ----------
    recording : EcgRecording
    asked : tuple of str
        Names that somebody wrote into an option.
    """
    known = {canonical(name) for name in asked}
    leads = tuple(
        name if is_lead(name) or canonical(name) in known else f"signal {number}"
        for number, name in enumerate(recording.leads, 1)
    )
    return recording if leads == recording.leads else replace(recording, leads=leads)
