"""Recordings that are open already, for a model to predict: arrays, objects of mne, paths."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.errors import DataError
from pellucid_eeg.recordings.foreign import is_epochs
from pellucid_eeg.recordings.objects import recording_of
from pellucid_eeg.recordings.recording import EegRecording, Segment, event_table
from pellucid_eeg.windows.settings import WindowsConfig

__all__ = ["given_recordings"]


def given_recordings(
    objects: Any, config: WindowsConfig, named: Collection[str] = (), *, trials: bool = False
) -> list[tuple[EegRecording, WindowsConfig]]:
    """Recordings from what somebody has, in the order given, called ``given-1`` and so on, and by which options each is cut.

    Each is cut as the dataset's options say: windows one after the other, or around all events. ``mne.Epochs`` and arrays of shape
    ``(window, electrode, time)`` that are as long as a window are windows already; longer epochs are cut at time 0 of each where
    the dataset cuts around events.

    Parameters
    ----------
    objects : EegRecording, mne.io.Raw, mne.Epochs, ndarray, Path, or a list of these
        An array has the electrodes and the rate that the dataset's preparation names, and microvolts; with other channels make it
        a recording first: ``recording_of(array, rate_hz=..., channels=..., units=...)``.
    config : WindowsConfig
    named : collection of str
        Descriptions of the events that a window may lie around; of recordings that have none of them, all count.
    trials : bool
        Whether models read trials: then each epoch is one, whatever the options say of other recordings.

    Raises
    ------
    DataError
        If no recording can be made from one.
    """
    several = list(objects) if isinstance(objects, list | tuple) else [objects]
    if not several:
        raise DataError("nothing was given to predict; give a recording")
    out = []
    for at, one in enumerate(several):
        name = f"given-{at + 1}"
        made = _of_array(one, config, name) if isinstance(one, np.ndarray) else recording_of(one, name=name)
        how = config
        if trials and is_epochs(one):
            how = config.model_copy(update={"cut": "events", "onset_s": 0.0})
        if how.cut == "events" and (isinstance(one, np.ndarray) or is_epochs(one)):
            made = _of_epochs(made, how)
        elif how.cut == "events" and (those := made.events["description"].isin(list(named))).any():
            made = replace(made, events=made.events[those].reset_index(drop=True))
        out.append((replace(made, name=name), how))
    return out


def _of_array(values: np.ndarray[Any, Any], config: WindowsConfig, name: str) -> EegRecording:
    names, rate_hz = config.preparation.electrodes, config.preparation.rate_hz
    if not names or rate_hz is None:
        raise DataError(
            f"{name}: an array does not say its channels, rate and unit, and the dataset's preparation names no electrodes and "
            "rate_hz; give recording_of(array, rate_hz=..., channels=..., units=...)"
        )
    if values.ndim != 3:
        return recording_of(values, rate_hz=rate_hz, channels=names, units="uV", name=name)
    count, channels, samples = values.shape
    flat = values.transpose(1, 0, 2).reshape(channels, count * samples)
    made = recording_of(flat, rate_hz=rate_hz, channels=names, units="uV", name=name)
    segments = tuple(Segment(i * samples, (i + 1) * samples, i * samples / rate_hz) for i in range(count))
    return replace(made, segments=segments)


def _of_epochs(recording: EegRecording, config: WindowsConfig) -> EegRecording:
    """With one event for each epoch: such that an epoch as long as a window is the window, else the epoch's own."""
    wanted = round(config.window_s * recording.rate_hz)
    begun = [one.onset_s for one in recording.segments]
    if all(abs(one.stop - one.start - wanted) <= 1 for one in recording.segments) or not len(recording.events):
        onsets = [one - config.onset_s for one in begun]
        return replace(recording, events=event_table(onsets, [0.0] * len(onsets), ["epoch"] * len(onsets)))
    return recording
