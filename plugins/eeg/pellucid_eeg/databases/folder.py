"""The dataset ``eeg-folder``: any folder of recordings, with labels from events, from names of folders or from a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid.loading.csv_tables import CsvTable, read_csv
from pellucid.loading.table_file import below, table_file
from pellucid_eeg.edf_files.headers import subject_field
from pellucid_eeg.edf_files.triggers import triggers
from pellucid_eeg.recordings.foreign import KINDS, is_raw
from pellucid_eeg.recordings.objects import recording_of
from pellucid_eeg.recordings.recording import EegRecording
from pellucid_eeg.recordings.stim import stim_triggers
from pellucid_eeg.windows.channels import EDF, is_edf
from pellucid_eeg.windows.classes import ClassesConfig, class_of, labels_named
from pellucid_eeg.windows.dataset import Windows
from pellucid_eeg.windows.sources import Labels, Source, place_of

NAME = "eeg-folder"

FILES = (*EDF, *(one for one in KINDS if one != ".gz"), ".fif.gz")


class EegFolderConfig(ClassesConfig):
    """Options of :class:`EegFolder`.

    Parameters
    ----------
    labels : {"events", "folders", "table"}
        Where classes come from: descriptions of events, names of the folders that a file lies in, or a column of a table.
    subjects : {"file", "folder", "header", "table"}
        Who a recording is of: every file its own person, which is honest only where it is so; the folder that the file lies in;
        the code that an EDF header has; or a column of the table.
    trigger_mask : int, optional
        Read triggers: the bits that count of the Status channel of BDF files, and of the stim channel of FIF files and of
        ``mne.io.Raw``. An event is then called ``trigger 5``.
    table : str
        Below the folder, with one row for each file.
    path, subject, label, split : str
        Columns of the table; ``split`` (``train``, ``validation``, ``test``) only where it is named.
    """

    labels: Literal["events", "folders", "table"] = "events"
    subjects: Literal["file", "folder", "header", "table"] = "file"
    trigger_mask: int | None = Field(default=None, gt=0, lt=1 << 24)
    table: str = "recordings.csv"
    path: str = "path"
    subject: str = "subject"
    label: str = "label"
    split: str = ""
    namespace: str = Field(default=NAME, min_length=1)


class EegFolder(Windows):
    """Windows of recordings of your own: EDF, BDF, BrainVision, EEGLAB or FIF files in a folder and those below it.

    Parameters
    ----------
    config : EegFolderConfig, optional
    data : Path
        The folder.

    Raises
    ------
    DataError
        If there is no recording, one cannot be used, or the table does not fit the files.
    """

    config_type = EegFolderConfig
    config: EegFolderConfig

    def __init__(self, config: EegFolderConfig | None = None, data: Path | None = None) -> None:
        self.config = config = config or EegFolderConfig()
        if data is None:
            raise DataError(f"dataset {NAME!r} holds recordings of your own: name their folder with --data DIR")
        labels = _labels(config)
        sources = _sources(Path(data), config, labels)
        told = [
            "Recordings and labels of the user's own. What a score is worth depends on how these labels were found."
        ]
        if config.subjects == "file":
            told.append("Nothing says who a recording is of: each counts as a person of its own.")
        self._take(NAME, sources, labels, about=" ".join(told))

    @classmethod
    def of_objects(cls, objects: Any, config: EegFolderConfig) -> EegFolder:
        """Windows of recordings that are open already, without labels; see :func:`pellucid_eeg.windows.given.given_recordings`."""
        several = list(objects) if isinstance(objects, list | tuple) else [objects]
        if config.trigger_mask is not None and config.cut == "events":
            several = [_with_triggers(one, config.trigger_mask) for one in several]
        made: EegFolder = cls._of_objects(NAME, several, config, _labels(config))
        return made


def _labels(config: EegFolderConfig) -> Labels:
    about = {
        "events": "what happened in a window, by the recording's events",
        "folders": "the folder that the recording lies in",
        "table": f"column {config.label!r} of the table",
    }[config.labels]
    return labels_named(config, NAME, "events" if config.labels == "events" else "recording", about)


def _sources(folder: Path, config: EegFolderConfig, labels: Labels) -> list[Source]:
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: --data names the one that holds the recordings")
    table = None
    if "table" in (config.labels, config.subjects) or config.split:
        table = read_csv(table_file(folder, config.table, f"name it with the option table of [options.{NAME}]"))
        columns = {config.path: "path"}
        columns |= {config.subject: "subject"} if config.subjects == "table" else {}
        columns |= {config.label: "label"} if config.labels == "table" else {}
        columns |= {config.split: "split"} if config.split else {}
        table.need(columns, {column: f"the option {one} of [options.{NAME}]" for column, one in columns.items()})
        files = below(folder, table.full(config.path))
    else:
        files = sorted(one for one in folder.rglob("*") if one.name.lower().endswith(FILES) and one.is_file())
    if not files:
        raise DataError(f"{folder}: holds no recording; expected files ending with {', '.join(FILES)}")
    if len(set(files)) < len(files):
        twice = next(row for row, one in enumerate(files) if one in files[:row])
        where = table.where(twice, config.path) if table else str(folder)
        raise DataError(f"{where}: this file has a row already; a recording has one")
    return [_source(file, row, folder, table, config, labels) for row, file in enumerate(files)]


def _has_triggers(one: Any) -> bool:
    """Whether triggers are samples of a channel, and not events that the file lists."""
    if isinstance(one, str | Path):
        return str(one).lower().endswith((".bdf", ".fif", ".fif.gz"))
    return is_raw(one) and "stim" in one.get_channel_types()


def _triggers(one: Any, recording: EegRecording, mask: int) -> pd.DataFrame:
    if isinstance(one, str | Path) and is_edf(one):
        return triggers(one, mask)
    return stim_triggers(one, recording, mask)


def _with_triggers(one: Any, mask: int) -> Any:
    if not _has_triggers(one):
        return one
    recording = recording_of(one)
    return replace(recording, events=_triggers(one, recording, mask))


def _source(
    file: Path, row: int, folder: Path, table: CsvTable | None, config: EegFolderConfig, labels: Labels
) -> Source:
    place = place_of(file, folder, config.namespace)
    label = float("nan")
    if config.labels == "table" and table is not None:
        label = class_of(table[config.label][row], labels, table.where(row, config.label))
    if config.labels == "folders":
        parts = file.relative_to(folder).parts[:-1]
        found = [part for part in parts if part in labels.of]
        if len(found) != 1:
            what = "in no folder" if not found else f"in folders of {len(found)} classes"
            raise DataError(
                f"{place.shown}: lies {what} that [options.{NAME}.classes] names ({', '.join(map(repr, labels.of))})"
            )
        label = float(labels.of[found[0]])
    who: str = place.shown
    if config.subjects == "folder":
        who = file.parent.relative_to(folder).as_posix()
    elif config.subjects == "header":
        if not is_edf(file):
            raise DataError(
                f"{place.shown}: only EDF and BDF headers say who was recorded; take subjects from elsewhere"
            )
        who = subject_field(file) if file.is_file() else place.shown
    elif config.subjects == "table" and table is not None:
        who = table.full(config.subject)[row]
    mask = config.trigger_mask
    decode = None
    if mask is not None and _has_triggers(file):

        def decode(recording: EegRecording) -> Any:
            return _triggers(file, recording, mask)

    return Source(
        place,
        pseudonym(who, config.namespace),
        label,
        events=decode,
        facts={"trigger_mask": mask},
        columns={"split": table[config.split][row]} if config.split and table is not None else {},
    )
