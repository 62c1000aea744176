"""Recordings of other kinds of files and objects, by mne: BrainVision, EEGLAB, FIF, ``mne.io.Raw`` and ``mne.Epochs``."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid_eeg.recordings.recording import EegRecording, Segment, event_table

__all__ = [
    "KINDS",
    "MneSamples",
    "by_mne",
    "is_epochs",
    "is_raw",
    "of_epochs",
    "of_raw",
    "open_foreign",
    "opened_by_mne",
]

KINDS = {".vhdr": "read_raw_brainvision", ".set": "read_raw_eeglab", ".fif": "read_raw_fif", ".gz": "read_raw_fif"}
"""File endings, and the function of ``mne.io`` that reads them."""

VOLTAGES = ("eeg", "eog", "ecg", "emg")
"""Types of mne's channels that are kept; mne has them in volts."""

_UV = 1e6


class MneSamples:
    """Samples of a file that mne reads; a :class:`~pellucid_eeg.recordings.recording.LazySignals`.

    mne's object stays in this process: it holds what the file says of the person, and is neither pickled nor shown.
    """

    def __init__(self, path: str, rows: tuple[int, ...], length: int) -> None:
        self._path, self._rows, self._length = path, rows, length
        self._raw: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self._path, "rows": self._rows, "length": self._length}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __repr__(self) -> str:
        return f"MneSamples(channels={self.shape[0]}, samples={self.shape[1]})"

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and samples."""
        return len(self._rows), self._length

    def read(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Samples ``start`` to ``stop`` of all channels, microvolts, shape (channel, time)."""
        if self._raw is None:
            self._raw = _raw(self._path)
        name = os.path.basename(self._path)
        values = by_mne(name, lambda: self._raw.get_data(picks=list(self._rows), start=start, stop=stop))
        return np.multiply(values, _UV, dtype=np.float64).astype(np.float32)


def open_foreign(path: Path | str) -> EegRecording:
    """Open a file of another kind by mne; its samples are read when they are asked for.

    Of what mne reads are kept: EEG, EOG, ECG and EMG channels, annotations, and which channels are marked as bad. Dates and what
    is said of the person stay behind.

    Parameters
    ----------
    path : Path
        Of a BrainVision header (``.vhdr``), an EEGLAB data set (``.set``) or a FIF file (``.fif``, ``.fif.gz``).

    Raises
    ------
    DataError
        If mne does not read it; says what kind of error that was, and nothing that mne quotes.
    """
    path = os.fspath(path)
    raw = _raw(path)
    name = os.path.basename(path).removesuffix(".gz")
    rows = _rows(raw, name)
    return _recording(raw, MneSamples(path, rows, int(raw.n_times)), rows, os.path.splitext(name)[0])


def opened_by_mne(path: Path | str) -> Any:
    """The ``mne.io.Raw`` of a file, its samples unread. It holds what the file says of the person: let nothing of it out."""
    return _raw(os.fspath(path))


def is_raw(object_: Any) -> bool:
    """Whether this is an ``mne.io.Raw``, by what it has: whoever has one has imported mne, and nobody else needs to."""
    return all(hasattr(object_, one) for one in ("info", "annotations", "n_times", "get_data", "first_time"))


def is_epochs(object_: Any) -> bool:
    """Whether this is an ``mne.Epochs``."""
    return all(hasattr(object_, one) for one in ("info", "events", "event_id", "tmin", "get_data", "drop_bad"))


def of_raw(raw: Any, name: str = "recording") -> EegRecording:
    """A recording from an ``mne.io.Raw``: its samples are copied, volts become microvolts, date and person stay behind.

    Parameters
    ----------
    raw : mne.io.Raw
    name : str
        For messages.

    Raises
    ------
    DataError
        If it has no channel of :data:`VOLTAGES`, or mne cannot read its samples.
    """
    rows = _rows(raw, name)
    values = by_mne(name, lambda: raw.get_data(picks=list(rows)))
    return _recording(raw, (values * _UV).astype(np.float32), rows, name)


def of_epochs(epochs: Any, name: str = "recording") -> EegRecording:
    """A recording from ``mne.Epochs``: each epoch is a segment, and an event says where its time 0 is and what it is of.

    The epochs follow one another in time, as if one had begun when the one before ended; when they were recorded is not kept.

    Parameters
    ----------
    epochs : mne.Epochs
    name : str
        For messages.

    Raises
    ------
    DataError
        If there are none, none of their channels is of :data:`VOLTAGES`, or mne cannot read them.
    """
    rows = _rows(epochs, name)
    values = by_mne(name, lambda: epochs.get_data(picks=list(rows)))
    count, channels, samples = values.shape
    if not count or not samples:
        raise DataError(f"{name}: there are no epochs; all may have been dropped")
    rate = float(epochs.info["sfreq"])
    labels = {code: label for label, code in epochs.event_id.items()}
    signals = np.empty((channels, count * samples), np.float32)
    np.multiply(values.transpose(1, 0, 2), _UV, out=signals.reshape(channels, count, samples), casting="same_kind")
    begun = np.arange(count) * samples / rate
    described = [str(labels.get(int(code), code)) for code in epochs.events[:, 2]]
    return EegRecording(
        signals,
        tuple([epochs.ch_names[row] for row in rows]),
        rate,
        event_table((begun - float(epochs.tmin)).tolist(), [0.0] * count, described),
        tuple([Segment(i * samples, (i + 1) * samples, float(begun[i])) for i in range(count)]),
        tuple([one for one in epochs.info["bads"] if one in {epochs.ch_names[row] for row in rows}]),
        name=name,
    )


# --- mne --------------------------------------------------------------------------------------------------------------


def _raw(path: str) -> Any:
    name = os.path.basename(path)
    ending = os.path.splitext(name)[1].lower()
    if ending not in KINDS:
        raise DataError(f"{name}: no kind of file that is read; expected one of .edf, .bdf, {', '.join(KINDS)}")
    if not os.path.exists(path):
        raise DataError(f"{name}: there is no such file; check its place, or fetch the recording again")
    import mne

    return by_mne(name, lambda: getattr(mne.io, KINDS[ending])(path, preload=False, verbose="ERROR"))


def by_mne(name: str, read: Callable[[], Any]) -> Any:
    """What mne reads; whatever it raises is one error without its words, as it may quote the file.

    Parameters
    ----------
    name : str
        Of the file or object, for the message.
    read : callable
        Calls mne.

    Raises
    ------
    DataError
        If it raises anything but a lack of memory; says what kind of error that was.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read()
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - mne may give up in any way
        raise DataError(
            f"{name}: mne does not read it ({type(error).__name__}); open it with mne to see why, or fetch it again"
        ) from None


def _rows(object_: Any, name: str) -> tuple[int, ...]:
    types = object_.get_channel_types()
    rows = tuple([row for row, kind in enumerate(types) if kind in VOLTAGES])
    if not rows:
        raise DataError(
            f"{name}: no channels of type {', '.join(VOLTAGES)}; set their types with set_channel_types first"
        )
    return rows


def _recording(raw: Any, signals: Any, rows: tuple[int, ...], name: str) -> EegRecording:
    names = tuple([raw.ch_names[row] for row in rows])
    # mne counts from the recorder's start and not from the first sample.
    before = float(raw.first_time)
    noted = raw.annotations
    return EegRecording(
        signals,
        names,
        float(raw.info["sfreq"]),
        event_table(
            (np.asarray(noted.onset, float) - before).tolist(),
            np.asarray(noted.duration, float).tolist(),
            [str(one) for one in noted.description],
        ),
        bad_channels=tuple([one for one in raw.info["bads"] if one in names]),
        name=name,
    )
