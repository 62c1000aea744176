"""The dataset ``ecg-folder``: any folder of WFDB records with a table of labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from pellucid.data import Binary, DataSpec, MultiLabel, Target, Vector, pseudonym
from pellucid.errors import DataError
from pellucid.loading.csv_tables import CsvTable, read_csv
from pellucid.loading.people import record_pseudonyms
from pellucid.loading.table_file import table_file
from pellucid_ecg.databases.places import FilePlace, below
from pellucid_ecg.databases.records import Records, RecordsConfig
from pellucid_ecg.databases.shaping import Shape
from pellucid_ecg.databases.signals import INPUT
from pellucid_ecg.recordings.leads import TWELVE_LEADS, canonical
from pellucid_ecg.wfdb_files.headers import header_path

NAME = "ecg-folder"


class EcgFolderConfig(RecordsConfig):
    """Options of :class:`EcgFolder`.

    Parameters
    ----------
    table : str
        The table, below the folder.
    path : str
        Column with the path of each record below the folder, with or without its ending.
    labels : tuple of str
        Columns of 0 and 1, nothing where it is not known. Each is a target of its own; several are also one target together,
        named ``labels``.
    subject : str
        Column that says who a record is of. Empty: every record counts as a person of its own, which is honest only where it
        is so.
    sample : str
        Column of names that may be shown in reports. Empty: a digest of the path stands for each record, as names of files may
        be those of people.
    split : str
        Column with ``train``, ``validation`` or ``test``, where somebody laid down who is judged on.
    covariates : tuple of str
        Columns of numbers.
    trivial : tuple of str
        Those of them that the trivial baseline reads.
    leads : tuple of str
    rate_hz : float
        Records of another rate are resampled to it.
    namespace : str
        Where names of people come from; give the data of one hospital one name.
    """

    table: str = "labels.csv"
    path: str = "record"
    labels: tuple[str, ...] = ("label",)
    subject: str = "subject"
    sample: str = ""
    split: str = ""
    covariates: tuple[str, ...] = ()
    trivial: tuple[str, ...] = ()
    leads: tuple[str, ...] = TWELVE_LEADS
    rate_hz: float = Field(default=100.0, gt=0, le=10_000)
    namespace: str = Field(default=NAME, min_length=1)

    @model_validator(mode="after")
    def _columns_fit(self) -> EcgFolderConfig:
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise ValueError("labels names at least one column, and each once")
        taken = {"subject", "split", "labels"} & {*self.labels, *self.covariates}
        if taken - ({"labels"} if len(self.labels) == 1 else set()):
            raise ValueError(
                f"a column of labels or covariates cannot be called {min(taken)!r} here; rename it in the table"
            )
        both = set(self.labels) & set(self.covariates)
        if both:
            raise ValueError(f"{min(both)!r} is among labels and covariates: a model would read what it has to find")
        if len(set(self.covariates)) != len(self.covariates):
            raise ValueError("covariates names each column once")
        for name in self.trivial:
            if name not in self.covariates:
                raise ValueError(f"trivial names {name!r}, which is none of the covariates")
        if not all(self.leads) or not self.leads or len({canonical(lead) for lead in self.leads}) != len(self.leads):
            raise ValueError("leads names at least one lead, and each once")
        return self


class EcgFolder(Records):
    """Electrocardiograms of your own: WFDB records, and a table with one row a record.

    Whatever is in the table beside the columns that options name is not read.

    Parameters
    ----------
    config : EcgFolderConfig, optional
    data : Path
        The folder.

    Raises
    ------
    DataError
        If a column is missing (the nearest one is named), a cell holds something else, or a record cannot be used.
    """

    config_type = EcgFolderConfig
    config: EcgFolderConfig

    def __init__(self, config: EcgFolderConfig | None = None, data: Path | None = None) -> None:
        self.config = config = config or EcgFolderConfig()
        if data is None:
            raise DataError(f"dataset {NAME!r} holds records of your own: name their folder with --data DIR")
        table = read_csv(table_file(data, config.table, f"name it with the option table of [options.{NAME}]"))
        named = _columns(config)
        table.need(named, named)
        shape = _shape(config)
        places = _places(table, data, config)
        # The table first: a wrong cell is found before any record is read.
        frame = _frame(table, [place.sample for place in places], config)
        self.frame = frame.iloc[self._take(places, shape, NAME)]
        self.spec = _spec(shape, self._signals.units, config)
        self.check()

    @classmethod
    def of_objects(cls, objects: Any, config: EcgFolderConfig) -> EcgFolder:
        """Recordings that are open already, without labels.

        Parameters
        ----------
        objects : EcgRecording, wfdb.Record, ndarray or path of a record, or a list of these
            An array has shape ``(lead, time)``, the rate and leads of ``config``, and values in mV.
        config : EcgFolderConfig
            As the model was trained with.
        """
        made = cls.__new__(cls)
        made.config = config
        shape = _shape(config)
        names = made._given(objects, shape, NAME)
        columns = {"subject": [pseudonym(name, config.namespace) for name in names]}
        unknown = dict.fromkeys((*config.covariates, *config.labels, *_together(config)), np.nan)
        made.frame = pd.DataFrame(columns, index=pd.Index(names, name="sample")).assign(**unknown)
        made.spec = _spec(shape, made._signals.units, config)
        made.check()
        return made


def _columns(config: EcgFolderConfig) -> dict[str, str]:
    """The columns that must be there, each with the option that names it."""
    several = {"path": (config.path,), "labels": config.labels, "covariates": config.covariates}
    single = {"subject": config.subject, "sample": config.sample, "split": config.split}
    asked = several | {option: (column,) for option, column in single.items() if column}
    return {
        column: f"the option {option} of [options.{NAME}]" for option, columns in asked.items() for column in columns
    }


def _shape(config: EcgFolderConfig) -> Shape:
    return Shape(config.leads, config.rate_hz, config.seconds, config.shorter, config.high_pass_hz, resample=True)


def _places(table: CsvTable, folder: Path, config: EcgFolderConfig) -> list[FilePlace]:
    names = table.full(config.sample) if config.sample else None
    places, seen = [], dict[str, int]()
    files = table.full(config.path)
    for row, (file, path) in enumerate(zip(files, below(folder, files), strict=True)):
        name = names[row] if names else f"ecg-{pseudonym(file, config.namespace)}"
        # Named with its ending or without it, a record is the same.
        for what, column in ((header_path(path), config.path), (f"sample {name}", config.sample or config.path)):
            if (first := seen.setdefault(what, row)) != row:
                raise DataError(
                    f"{table.where(row, column)}: stands in line {table.lines[first]} already; a record has one row"
                )
        places.append(FilePlace(name, path, f"{table.path.name}, line {table.lines[row]}"))
    return places


def _together(config: EcgFolderConfig) -> list[str]:
    return [f"labels:{name}" for name in config.labels] if len(config.labels) > 1 else []


def _frame(table: CsvTable, names: list[str], config: EcgFolderConfig) -> pd.DataFrame:
    if config.subject:
        people = tuple(pseudonym(name, config.namespace) for name in table.full(config.subject))
    else:
        people = record_pseudonyms(names, config.namespace)
    columns: dict[str, Any] = {"subject": people}
    if config.split:
        columns["split"] = list(table[config.split])
    columns |= {name: table.numbers(name) for name in config.covariates}
    labels = {name: table.numbers(name, (0, 1)) for name in config.labels}
    columns |= labels
    columns |= dict(zip(_together(config), labels.values(), strict=False))
    return pd.DataFrame(columns, index=pd.Index(names, name="sample"))


def _spec(shape: Shape, units: str, config: EcgFolderConfig) -> DataSpec:
    targets: dict[str, Target] = {
        name: Binary(names=(f"not {name}", name), about=f"column {name!r} of {config.table}") for name in config.labels
    }
    if len(config.labels) > 1:
        targets["labels"] = MultiLabel(names=config.labels, about=f"columns of {config.table}")
    told = ["Records and labels of the user's own. What a score is worth depends on how these labels were found."]
    if not config.subject:
        told.append("The table does not say who a record is of: each counts as a person of its own.")
    if config.high_pass_hz is not None:
        told.append(f"What is slower than {config.high_pass_hz:g} Hz was filtered out.")
    return DataSpec(
        name=NAME,
        inputs={INPUT: shape.spec(units)},
        targets=targets,
        groups=("subject",),
        views={INPUT: "ecg/paper"},
        group_word=("patient", "patients"),
        namespace=config.namespace,
        covariates=Vector(names=config.covariates) if config.covariates else None,
        trivial=config.trivial,
        about=" ".join(told),
    )
