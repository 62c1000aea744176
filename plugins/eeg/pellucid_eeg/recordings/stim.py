"""Triggers of stim channels, as mne has them of FIF files and of recorders that write them beside the signals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pellucid.errors import DataError
from pellucid_eeg.edf_files.triggers import decoded
from pellucid_eeg.recordings.foreign import by_mne, is_raw, opened_by_mne
from pellucid_eeg.recordings.recording import EegRecording

__all__ = ["COMPOSITE", "stim_triggers"]

COMPOSITE = ("STI101", "STI 101", "STI 014", "STI014")
"""Channels that put all others of their kind together, on recorders that write several."""


def stim_triggers(object_: Any, recording: EegRecording, mask: int) -> pd.DataFrame:
    """Triggers as events: ``trigger 5`` where the bits that count change to 5; :func:`mne.find_events` finds the same.

    Parameters
    ----------
    object_ : mne.io.Raw or path of a file that mne reads
    recording : EegRecording
        What was made of it.
    mask : int
        See :func:`~pellucid_eeg.edf_files.triggers.triggers`.

    Raises
    ------
    DataError
        If there is no stim channel, or several of which none puts them together.
    """
    raw = object_ if is_raw(object_) else opened_by_mne(Path(object_))
    types = raw.get_channel_types()
    found = [row for row, kind in enumerate(types) if kind == "stim"]
    if len(found) > 1:
        together = {name: row for row in found if (name := raw.ch_names[row]) in COMPOSITE}
        found = next(([together[name]] for name in COMPOSITE if name in together), found)
    if len(found) != 1:
        what = "has no stim channel" if not found else f"has {len(found)} stim channels"
        raise DataError(
            f"{recording.name}: {what} to read triggers from; "
            + (
                "leave out trigger_mask"
                if not found
                else f"leave one, or one called {COMPOSITE[0]} that puts them together"
            )
        )
    values = by_mne(recording.name, lambda: raw.get_data(picks=found)[0])
    return decoded(np.rint(values).astype(np.int64), recording, mask)
