"""Recordings that cannot be used: left out and listed."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.data.samples import Finding
from pellucid.loading import unusable
from pellucid.loading.unusable import UNUSABLE, FilePlace, refused
from pellucid_ecg.recordings.foreign import ENDINGS
from pellucid_ecg.recordings.leads import is_lead

__all__ = ["UNUSABLE", "left_out", "refused"]


def left_out(broken: Sequence[tuple[FilePlace, str]]) -> tuple[Finding, ...]:
    """Recordings that were left out, for a report: each file by the name that the sample has there."""
    return unusable.left_out(broken, is_lead, ENDINGS)
