"""A recording of a dataset: its file, whom it is of, and where its labels come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pellucid.data import pseudonym
from pellucid.loading.unusable import FilePlace
from pellucid_eeg.recordings.recording import EegRecording

__all__ = ["Labels", "Source", "called", "companions", "place_of"]

BESIDE = (".eeg", ".vmrk", ".dat", ".fdt")
"""Files of the same name that a BrainVision header or an EEGLAB set is read with."""


@dataclass(frozen=True)
class Labels:
    """Which classes there are, and what they are made of.

    Parameters
    ----------
    target : str
    names : tuple of str
        Of the classes, by their numbers.
    of : mapping of str to int
        By what stands in an event's description, a folder's name or a table's cell, the number of its class.
    by : {"events", "recording"}
        Whether a window gets its class by what happened in it, or by what its recording is of.
    otherwise : int, optional
        Class of time that no named event covers.
    about : str
        What a label is, in a few words.
    """

    target: str
    names: tuple[str, ...]
    of: Mapping[str, int]
    by: str = "recording"
    otherwise: int | None = None
    about: str = ""


@dataclass(frozen=True)
class Source:
    """One recording.

    Parameters
    ----------
    place : FilePlace
    subject : str
        Pseudonym.
    label : float
        Class of the whole recording; NaN where windows get their own, or nobody knows.
    events : callable, optional
        From the opened recording to its events, where a file of its own holds them; else those of the recording count.
    sidecars : tuple of Path
        Files beside it that it is read with.
    opens : callable, optional
        Opens the file, where it is of no common kind.
    bad_channels : tuple of str
        By the names that the file gives them.
    unit : str
        What a table says of its channels, for those whose file does not say it; where it says another, the file's counts.
    rate_hz : float, optional
        What a table says of its rate; a file that says another is refused.
    facts : mapping
        What else samples are made from; plain values, for the store's key.
    columns : mapping
        What the frame says of its windows beside the usual: a split, covariates.
    unusable : str
        Why it cannot be used, where its tables tell it before it is opened.
    """

    place: FilePlace
    subject: str
    label: float = float("nan")
    events: Callable[[EegRecording], pd.DataFrame] | None = None
    sidecars: tuple[Path, ...] = ()
    opens: Callable[[Path], EegRecording] | None = None
    bad_channels: tuple[str, ...] = ()
    unit: str = ""
    rate_hz: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)
    unusable: str = ""

    @classmethod
    def given(cls, recording: EegRecording, namespace: str) -> Source:
        """One that is open already; of somebody of its own where it does not say of whom."""
        name = recording.name
        return cls(FilePlace(name, Path(name), name), recording.subject or pseudonym(f"record {name}", namespace))


def called(path: Path, folder: Path, namespace: str) -> str:
    """What a recording is called in reports: names of files may be those of people, or dates.

    Parameters
    ----------
    path, folder : Path
        A recording, and the folder of the dataset that it lies in.
    namespace : str
        Where names come from.
    """
    return f"eeg-{pseudonym(path.relative_to(folder).as_posix(), namespace)}"


def place_of(path: Path, folder: Path, namespace: str) -> FilePlace:
    """Where a recording is, and what it is called."""
    return FilePlace(called(path, folder, namespace), path, path.relative_to(folder).as_posix())


def companions(path: Path) -> list[Path]:
    """A recording's file, and those of its name that hold its samples or marks.

    Parameters
    ----------
    path : Path
    """
    if path.suffix.lower() not in (".vhdr", ".set"):
        return [path]
    return [path, *(one for ending in BESIDE if (one := path.with_suffix(ending)).is_file())]
