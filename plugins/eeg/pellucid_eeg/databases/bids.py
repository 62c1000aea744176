"""The dataset ``bids-eeg``: recordings of a BIDS tree, with labels from their events or from a column of participants."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field, model_validator

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid.loading.csv_tables import CsvTable, number
from pellucid.loading.people import ages
from pellucid_eeg.databases.bids_layout import BidsRecording, recordings_of, sidecar, sidecar_json
from pellucid_eeg.databases.bids_tables import NOTHING, Channels, participants, read_channels, read_events
from pellucid_eeg.recordings.recording import EegRecording
from pellucid_eeg.windows.classes import ClassesConfig, class_of, labels_named
from pellucid_eeg.windows.dataset import Windows
from pellucid_eeg.windows.sources import Labels, Source, place_of

NAME = "bids-eeg"
PARTICIPANTS = "participants.tsv"


class BidsEegConfig(ClassesConfig):
    """Options of :class:`BidsEeg`.

    Parameters
    ----------
    labels : {"events", "participants"}
        Where classes come from: ``events.tsv`` of each recording, or a column of ``participants.tsv``.
    column : str
        Of that table: ``trial_type`` by default, for participants one that has to be named. Nothing else of a participant is read.
    sessions, tasks, runs : tuple of str
        Labels without their prefix (``"rest"``); all where none is named.
    split : str
        Column of ``participants.tsv`` with ``train``, ``validation`` or ``test``.
    covariates : tuple of str
        Columns of ``participants.tsv`` that hold numbers. Ages above 89 count as 90.
    """

    labels: Literal["events", "participants"] = "events"
    column: str = ""
    sessions: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    split: str = ""
    covariates: tuple[str, ...] = ()
    namespace: str = Field(default=NAME, min_length=1)

    @model_validator(mode="after")
    def _columns_fit(self) -> BidsEegConfig:
        if self.labels == "participants" and not self.column:
            raise ValueError('column names the column of participants.tsv that labels = "participants" reads')
        taken = {"subject", "recording", "split", "start_s", self.target, "participant_id"}
        if taken & set(self.covariates):
            raise ValueError(f"a covariate cannot be {min(taken & set(self.covariates))!r}")
        if self.labels == "participants" and self.column in self.covariates:
            raise ValueError(f"{self.column!r} is label and covariate: a model would read what it has to find")
        return self


class BidsEeg(Windows):
    """Windows of the electroencephalograms in a BIDS tree.

    Of a recording's own files are read ``events.tsv``, ``channels.tsv`` (bad channels, units) and ``eeg.json`` (its rate is
    compared), inherited from folders above where they are not beside it. ``derivatives``, ``code`` and ``sourcedata`` are left alone.

    Parameters
    ----------
    config : BidsEegConfig, optional
    data : Path
        The root of the tree.

    Raises
    ------
    DataError
        If it is no such tree, a table lacks what is asked of it, or a recording cannot be used.

    References
    ----------
    Pernet et al. (2019), EEG-BIDS, doi:10.1038/s41597-019-0104-8.
    """

    config_type = BidsEegConfig
    config: BidsEegConfig

    def __init__(self, config: BidsEegConfig | None = None, data: Path | None = None) -> None:
        self.config = config = config or BidsEegConfig()
        if data is None:
            raise DataError(f"{NAME} has no usual place: --data names the root of a BIDS tree")
        labels = _labels(config)
        self._take(
            NAME, _sources(Path(data), config, labels), labels, about=_about(config), covariates=config.covariates,
            group_word=("participant", "participants"),
        )  # fmt: skip

    @classmethod
    def of_objects(cls, objects: Any, config: BidsEegConfig) -> BidsEeg:
        """Windows of recordings that are open already, without labels; see :func:`pellucid_eeg.windows.given.given_recordings`."""
        made: BidsEeg = cls._of_objects(NAME, objects, config.model_copy(update={"covariates": ()}), _labels(config))
        return made


def _labels(config: BidsEegConfig) -> Labels:
    if config.labels == "events":
        return labels_named(config, NAME, "events", f"column {config.column or 'trial_type'!r} of events.tsv")
    return labels_named(config, NAME, "recording", f"column {config.column!r} of {PARTICIPANTS}")


def _about(config: BidsEegConfig) -> str:
    if config.labels == "events":
        return "Windows of a BIDS tree's recordings, with classes that its events have. What a score is worth depends on who wrote these."
    return (
        "Windows of a BIDS tree's recordings, all of a participant with one label. People are few where windows are many: a score over "
        "windows says little, and a label may go with age, sex, medication or the recorder."
    )


def _sources(root: Path, config: BidsEegConfig, labels: Labels) -> list[Source]:
    found = recordings_of(root, config.sessions, config.tasks, config.runs)
    table, rows = None, dict[str, int]()
    columns = [one for one in (config.split, *config.covariates) if one]
    columns += [config.column] if config.labels == "participants" else []
    if columns:
        if not (root / PARTICIPANTS).is_file():
            raise DataError(f"{root}: has no {PARTICIPANTS}, and the columns {', '.join(columns)} are asked of it")
        table, rows = participants(root / PARTICIPANTS, columns)
    return [_usable(one, config, labels, table, rows) for one in found]


def _usable(
    one: BidsRecording, config: BidsEegConfig, labels: Labels, table: CsvTable | None, rows: dict[str, int]
) -> Source:
    """A recording, or why its tables do not let it be used."""
    try:
        return _source(one, config, labels, table, rows)
    except DataError as error:
        place = place_of(one.path, one.root, config.namespace)
        return Source(place, pseudonym(one.entities["sub"], config.namespace), unusable=str(error))


def _source(
    one: BidsRecording, config: BidsEegConfig, labels: Labels, table: CsvTable | None, rows: dict[str, int]
) -> Source:
    place = place_of(one.path, one.root, config.namespace)
    columns: dict[str, Any] = {}
    label, events, files = float("nan"), None, list[Path]()
    if table is not None:
        row = rows.get(one.entities["sub"])
        if row is None:
            raise DataError(
                f"{one.path.name}: its participant has no row in {PARTICIPANTS}; write one, with n/a where nothing is known"
            )
        if config.split:
            columns["split"] = table[config.split][row]
        for name in config.covariates:
            columns[name] = _number(table, row, name)
        if config.labels == "participants":
            cell = table[config.column][row]
            where = f"{PARTICIPANTS}, line {table.lines[row]}, column {config.column!r}"
            label = float("nan") if cell in NOTHING else class_of(cell, labels, where)
    if config.labels == "events" or config.cut == "events":
        noted = sidecar(one, "events.tsv")
        column = config.column if config.labels == "events" and config.column else "trial_type"
        events = partial(_no_events, one) if noted is None else partial(_events, noted, column)
        files += [noted] if noted else []
    listed = sidecar(one, "channels.tsv")
    said, own = sidecar_json(one, "eeg.json")
    files += [*([listed] if listed else []), *own]
    channels = Channels() if listed is None else read_channels(listed)
    return Source(
        place,
        pseudonym(one.entities["sub"], config.namespace),
        label,
        events=events,
        sidecars=tuple(files),
        bad_channels=channels.bad,
        unit=channels.unit,
        rate_hz=_rate(said, one),
        facts={"column": config.column},
        columns=columns,
    )


def _no_events(one: BidsRecording, recording: EegRecording) -> pd.DataFrame:
    raise DataError(
        f"{one.path.name}: has no table of events, beside it or above; write one that ends with _events.tsv, leave the recording out "
        "(options sessions, tasks, runs), or take labels from participants"
    )


def _events(noted: Path, column: str, recording: EegRecording) -> pd.DataFrame:
    return read_events(noted, column)


def _rate(said: dict[str, Any], one: BidsRecording) -> float | None:
    rate_hz = said.get("SamplingFrequency")
    if rate_hz is None or rate_hz == "n/a":
        return None
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, int | float) or not 0 < rate_hz < 1e6:
        raise DataError(f"{one.path.name}: SamplingFrequency of its eeg.json is no rate; mend it")
    return float(rate_hz)


def _number(table: CsvTable, row: int, name: str) -> float:
    cell = table[name][row]
    if cell in NOTHING:
        return float("nan")
    value = number(cell)
    if not -1e300 < value < 1e300:
        raise DataError(f"{PARTICIPANTS}, line {table.lines[row]}, column {name!r}: is no number; write one, or n/a")
    return float(ages([value])[0]) if name.casefold() in ("age", "age_years") else value
