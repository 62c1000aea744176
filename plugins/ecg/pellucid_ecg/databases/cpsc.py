"""The dataset ``cpsc2018``: recordings of the China Physiological Signal Challenge 2018 in their own layout."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from pellucid.data import DataSpec, MultiLabel, Vector
from pellucid.errors import DataError
from pellucid.loading.csv_tables import CsvTable, read_csv
from pellucid.loading.people import COVARIATES, ages, female, record_pseudonyms
from pellucid.loading.table_file import table_file
from pellucid_ecg.databases.places import FilePlace
from pellucid_ecg.databases.records import Records, RecordsConfig
from pellucid_ecg.databases.shaping import Shape, Shorter
from pellucid_ecg.databases.signals import INPUT
from pellucid_ecg.recordings.leads import TWELVE_LEADS
from pellucid_ecg.recordings.recording import EcgRecording

NAME = "cpsc2018"
TARGET = "classes"
REFERENCE = "REFERENCE.csv"
RATE_HZ = 500.0

CLASSES = (
    "normal",
    "atrial fibrillation",
    "first-degree AV block",
    "left bundle branch block",
    "right bundle branch block",
    "premature atrial contraction",
    "premature ventricular contraction",
    "ST depression",
    "ST elevation",
)
"""Numbered 1 to 9 in the table of the challenge."""

LARGEST_BYTES = 64 << 20
"""Of a file. The longest recording, 144 s, has 7 MB."""

_COLUMNS = ("First_label", "Second_label", "Third_label")


class Cpsc2018Config(RecordsConfig):
    """Options of :class:`Cpsc2018`.

    Parameters
    ----------
    rate_hz : float
        Recordings, of 500 Hz, are resampled to it.
    shorter : {"refused", "masked"}
        Recordings have 6 to 144 s; by default those that are shorter than ``seconds`` are filled up with zeros that are masked.
    """

    rate_hz: float = Field(default=RATE_HZ, gt=0, le=10_000)
    shorter: Shorter = "masked"


class Cpsc2018(Records):
    """Twelve-lead electrocardiograms with one to three of nine classes: ``A0001.mat`` ... and ``REFERENCE.csv``.

    A ``.mat`` file holds a structure ``ECG`` with ``data`` (12 leads over time, mV, in the usual order), ``age`` and ``sex``. The
    same recordings as WFDB files are read by the dataset ``cinc``.

    Parameters
    ----------
    config : Cpsc2018Config, optional
    data : Path
        The folder of ``REFERENCE.csv``; recordings lie in it or in folders directly below.

    Raises
    ------
    DataError
        If the table or a recording cannot be used.

    References
    ----------
    Liu et al. (2018), doi:10.1166/jmihi.2018.2442.
    """

    config_type = Cpsc2018Config
    config: Cpsc2018Config

    def __init__(self, config: Cpsc2018Config | None = None, data: Path | None = None) -> None:
        self.config = config = config or Cpsc2018Config()
        if data is None:
            raise DataError(
                f"dataset {NAME!r} is not part of a package: name the folder of {REFERENCE} with --data DIR"
            )
        mend = "is this a folder of the CPSC 2018 data? Its recordings as .hea files are read by the dataset 'cinc'"
        table = read_csv(table_file(data, REFERENCE, mend), ("Recording", *_COLUMNS))
        labels = _labels(table)
        files = {path.stem: path for path in (*data.glob("*/*.mat"), *data.glob("*.mat"))}
        places = [
            FilePlace(name, files.get(name, data / f"{name}.mat"), f"{REFERENCE}, line {line}")
            for name, line in zip(_names(table), table.lines, strict=True)
        ]
        shape = Shape(TWELVE_LEADS, config.rate_hz, config.seconds, config.shorter, config.high_pass_hz, resample=True)
        rows = self._take(places, shape, NAME)
        people = [read_structure(places[row].path)[1] for row in rows]
        names = [places[row].sample for row in rows]
        columns: dict[str, Any] = {"subject": record_pseudonyms(names, NAME)}
        columns |= {name: [person[name] for person in people] for name in COVARIATES}
        columns |= {f"{TARGET}:{name}": labels[rows, at] for at, name in enumerate(CLASSES)}
        self.frame = pd.DataFrame(columns, index=pd.Index(names, name="recording"))
        self.spec = _spec(shape, self._signals.units, config)
        self.check()

    def read_file(self, path: Path) -> EcgRecording:
        """The recording of a structure."""
        return read_structure(path)[0]


def _names(table: CsvTable) -> tuple[str, ...]:
    names = table.full("Recording")
    for row, name in enumerate(names):
        if not (name.isascii() and name.isalnum()):
            raise DataError(f"{table.where(row, 'Recording')}: is no name of a recording, such as A0001")
        if names.index(name) != row:
            raise DataError(f"{table.where(row, 'Recording')}: stands twice; a recording has one row")
    return names


def _labels(table: CsvTable) -> np.ndarray:
    labels = np.zeros((len(table), len(CLASSES)))
    for column in _COLUMNS:
        numbers = table.numbers(column, range(1, len(CLASSES) + 1))
        given = np.isfinite(numbers)
        labels[np.flatnonzero(given), numbers[given].astype(int) - 1] = 1
    for row in np.flatnonzero(labels.sum(1) == 0):
        raise DataError(f"{table.where(int(row), _COLUMNS[0])}: is empty; every recording has one class at least")
    return labels


def read_structure(path: Path) -> tuple[EcgRecording, Mapping[str, float]]:
    """Read one ``.mat`` file: the recording, and age and sex as covariates.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If it is no such file.
    """
    from scipy.io import loadmat

    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read: {error.strerror or error}") from None
    if size > LARGEST_BYTES:
        raise DataError(f"{path.name}: has {size >> 20:,} MiB, more than any recording of this challenge")
    try:
        found = loadmat(path, variable_names=("ECG",), struct_as_record=True, squeeze_me=False)["ECG"]
        inside = {name: found[name].ravel()[0] for name in ("data", "age", "sex")}
        signals = np.asarray(inside["data"], np.float64)
    # A damaged file makes the reader raise errors of very many kinds.
    except Exception:  # noqa: BLE001
        raise DataError(f"{path.name}: holds no structure ECG with data, age and sex; fetch it again") from None
    if signals.ndim != 2 or signals.shape[0] != len(TWELVE_LEADS) or not signals.shape[1]:
        raise DataError(f"{path.name}: ECG.data has shape {signals.shape}, expected 12 leads over time")
    known = np.isfinite(signals)
    whole = bool(known.all())
    values = np.where(known, signals, 0).astype(np.float32)
    recording = EcgRecording(values, TWELVE_LEADS, RATE_HZ, "mV", None if whole else known, path.stem)
    return recording, {"age_years": _age(inside["age"]), "female": _female(inside["sex"])}


def _age(cell: Any) -> float:
    try:
        return float(ages(np.asarray(cell, np.float64).ravel()[0]))
    except (ValueError, TypeError, IndexError):
        return math.nan


def _female(cell: Any) -> float:
    return female(np.asarray(cell).ravel()[0]) if np.asarray(cell).size else math.nan


def _spec(shape: Shape, units: str, config: Cpsc2018Config) -> DataSpec:
    told = [
        "Everybody here has one of nine classes, and nobody anything else. Files do not say who is who, so each recording counts as "
        "a person of its own."
    ]
    if config.high_pass_hz is not None:
        told.append(f"What is slower than {config.high_pass_hz:g} Hz was filtered out.")
    return DataSpec(
        name=NAME,
        inputs={INPUT: shape.spec(units)},
        targets={TARGET: MultiLabel(names=CLASSES, about="the first, second and third label of the table")},
        groups=("subject",),
        views={INPUT: "ecg/paper"},
        group_word=("patient", "patients"),
        namespace=NAME,
        covariates=Vector(names=tuple(COVARIATES), units=tuple(COVARIATES.values())),
        trivial=tuple(COVARIATES),
        about=" ".join(told),
    )
