"""The dataset ``ptb-xl``: clinical twelve-lead electrocardiograms of 10 s with SCP statements."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from pellucid.data import DataSpec, Vector, pseudonym
from pellucid.data.published import Published
from pellucid.errors import DataError
from pellucid_ecg.databases import statements
from pellucid_ecg.databases.places import FilePlace, below
from pellucid_ecg.databases.ptbxl_native import COVARIATES, NATIVE, NATIVE_PATTERN, Unknown, Without, read_native
from pellucid_ecg.databases.ptbxl_selection import LABELS, LABELS_PATTERN, read_labels
from pellucid_ecg.databases.ptbxl_tables import NAMESPACE, PtbXlTable, find_table
from pellucid_ecg.databases.records import Records, RecordsConfig
from pellucid_ecg.databases.shaping import Shape
from pellucid_ecg.databases.signals import INPUT
from pellucid_ecg.leaderboard.reading import published
from pellucid_ecg.recordings.leads import TWELVE_LEADS

NAME = "ptb-xl"


class PtbXlConfig(RecordsConfig):
    """Options of :class:`PtbXl`.

    Parameters
    ----------
    rate_hz : {100, 500}
        Which of the two sets of files is read.
    minimum_likelihood : float, optional
        In percent: statements that the cardiologist thought less likely do not count, nor those whose likelihood is not known
        (0 in the table). By default every statement counts, as in PTB-XL's benchmark.
    without_labels : {"left out", "no labels"}
        Whether a record that has none of a target's labels is left out of that target, as in PTB-XL's benchmark, or is a
        record with no label.
    unknown_codes : {"refused", "left out"}
        What becomes of an SCP code that the table of statements does not list.
    statements : str
        Path of ``scp_statements.csv``, where it is not in the folder.
    patients : str
        Path of a ``ptbxl_database.csv`` that says who each record is of, for a folder whose own table does not.
    """

    rate_hz: Literal[100, 500] = 100
    minimum_likelihood: float | None = Field(default=None, ge=0, le=100)
    without_labels: Without = "left out"
    unknown_codes: Unknown = "refused"
    statements: str = ""
    patients: str = ""


class PtbXl(Records):
    """Twelve-lead electrocardiograms of PTB-XL, in the layout of PhysioNet or as a selection with a table of superclasses.

    A folder holds either

    - ``ptbxl_database.csv``, ``scp_statements.csv`` and ``records100/`` or ``records500/``, as PhysioNet has them. Targets are
      ``statements`` (71), ``diagnostic`` (44), ``subclass`` (23), ``superclass`` (5), ``form`` (19) and ``rhythm`` (12);
      covariates are age, sex, height and weight;
    - or ``ptbxl_subset_labels.csv`` (``ecg_id``, ``strat_fold``, ``filename_lr``, and 0 or 1 for each superclass) with the
      records it names. The target is ``superclass``; a ``ptbxl_database.csv`` beside it, or ``patients``, says who is who.

    Signals are as their files have them, in mV or in what the headers say: no filter unless ``high_pass_hz`` asks for one, as
    the selections at hand are filtered already. Names of files lead nowhere but below the folder. Where the fold of every
    record is known, the frame's column ``split`` says ``train`` (1 to 8), ``validation`` (9) and ``test`` (10).

    Patients are grouped by ``subject``, and records by ``record``: where patients are not known, a model still refuses to be
    scored on a record that it has learnt from.

    Parameters
    ----------
    config : PtbXlConfig, optional
    data : Path
        The folder.

    Attributes
    ----------
    version : str
        Of PTB-XL, by the number of its records and how it writes ages; empty for a part of it.

    Raises
    ------
    DataError
        If no folder is given, a table or a record cannot be used, or a record has an unknown code.
    LeakageError
        If a patient has records in several folds.

    References
    ----------
    Wagner et al. (2020), doi:10.1038/s41597-020-0495-6; Strodthoff et al. (2021), doi:10.1109/JBHI.2020.3022989, whose rules of
    who is part of which target are the defaults.
    """

    config_type = PtbXlConfig
    config: PtbXlConfig

    def __init__(self, config: PtbXlConfig | None = None, data: Path | None = None) -> None:
        self.config = config or PtbXlConfig()
        if data is None:
            raise DataError(
                f"dataset {NAME!r} is not part of a package: pellucid data fetch {NAME} --to DIR, then name the folder with --data DIR"
            )
        table = _table(data, self.config)
        self.version = table.version
        shape = _shape(self.config)
        places = [
            FilePlace(sample, _there(path, data), shown)
            for sample, path, shown in zip(table.samples, below(data, table.files), table.shown, strict=True)
        ]
        rows = self._take(places, shape, NAME)
        kept = {table.samples[row] for row in rows}
        self.findings += tuple(finding for finding in table.findings if finding.sample in kept)
        self.frame = _frame(table, rows)
        self.spec = _spec(table, shape, self._signals.units, self.config)
        self.check()

    def published(self, target: str) -> tuple[Published, ...]:
        """The scores of PTB-XL's benchmark, where this is all of it under the benchmark's rules, at 100 Hz."""
        config = self.config
        rules = (config.rate_hz, config.minimum_likelihood, config.without_labels)
        whole = self.version and not any(finding.done == "left out" for finding in self.findings)
        return published(NAME, target, split="split") if whole and rules == (100, None, "left out") else ()

    @classmethod
    def of_objects(cls, objects: Any, config: PtbXlConfig) -> PtbXl:
        """Recordings that are open already, without labels.

        Parameters
        ----------
        objects : EcgRecording, wfdb.Record, ndarray or path of a record, or a list of these
            An array has shape ``(lead, time)``, twelve leads in the usual order, the rate of ``config``, and values in mV.
        config : PtbXlConfig
            As the model was trained with.
        """
        made = cls.__new__(cls)
        made.config, made.version = config, ""
        shape = _shape(config)
        names = made._given(objects, shape, NAME)
        who = [pseudonym(name, NAMESPACE) for name in names]
        frame = pd.DataFrame({"subject": who, "record": who}, index=pd.Index(names, name="recording"))
        made.frame = frame.assign(**dict.fromkeys(COVARIATES, np.nan))
        made.spec = DataSpec(
            name=NAME,
            inputs={INPUT: shape.spec(made._signals.units)},
            targets={},
            groups=("subject", "record"),
            group_word=("patient", "patients"),
            namespace=NAMESPACE,
            covariates=_COVARIATES,
            views={INPUT: "ecg/paper"},
        )
        made.check()
        return made


_COVARIATES = Vector(names=tuple(COVARIATES), units=tuple(COVARIATES.values()))


def _shape(config: PtbXlConfig) -> Shape:
    return Shape(TWELVE_LEADS, config.rate_hz, config.seconds, config.shorter, config.high_pass_hz)


def _table(folder: Path, config: PtbXlConfig) -> PtbXlTable:
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: {NAME} reads one with {NATIVE} and the records it names")
    native = find_table(folder, NATIVE, NATIVE_PATTERN)
    labels = find_table(folder, LABELS, LABELS_PATTERN)
    if labels is not None:
        patients = Path(config.patients).expanduser() if config.patients else native
        return read_labels(labels, config.rate_hz, patients)
    if native is None:
        raise DataError(
            f"{folder}: there is neither {NATIVE} nor {LABELS}; name the folder of PTB-XL that holds "
            "records100 or records500"
        )
    said = Path(config.statements).expanduser() if config.statements else folder / statements.FILE
    if not said.is_file():
        raise DataError(
            f"{said} is not there: it says which SCP code is of which class. Fetch it with PTB-XL, or name it with "
            "the option statements"
        )
    return read_native(
        native,
        statements.read_statements(said),
        config.rate_hz,
        minimum=config.minimum_likelihood,
        unknown=config.unknown_codes,
        without=config.without_labels,
    )


def _there(path: Path, folder: Path) -> Path:
    """Where a record is: where the table says, or beside the table, as a few records taken out of PTB-XL often are."""
    beside = folder / path.name
    there = path.with_name(f"{path.name}.hea").is_file() or not beside.with_name(f"{path.name}.hea").is_file()
    return path if there else beside


def _frame(table: PtbXlTable, rows: np.ndarray) -> pd.DataFrame:
    columns: dict[str, Any] = {"subject": table.subjects, "record": table.records}
    if table.split is not None:
        columns["split"] = table.split
    columns |= table.covariates
    for name, target in table.targets.items():
        columns |= dict(zip(target.columns(name), table.labels[name].T, strict=True))
    frame = pd.DataFrame(columns, index=pd.Index(table.samples, name="ecg_id"))
    return frame.iloc[rows]


def _spec(table: PtbXlTable, shape: Shape, units: str, config: PtbXlConfig) -> DataSpec:
    told = list(table.about)
    if units != "mV":
        told.append(f"Amplitudes are in {units}s, not in mV: what a voltage criterion would read is gone.")
    if config.high_pass_hz is not None:
        told.append(f"What is slower than {config.high_pass_hz:g} Hz was filtered out.")
    told.append("Labels are what cardiologists read from the electrocardiogram, not what became of the patient.")
    return DataSpec(
        name=NAME,
        inputs={INPUT: shape.spec(units)},
        targets=table.targets,
        groups=("subject", "record"),
        views={INPUT: "ecg/paper"},
        group_word=("patient", "patients"),
        namespace=NAMESPACE,
        covariates=_COVARIATES if table.covariates else None,
        trivial=("age_years", "female") if table.covariates else (),
        about=" ".join(told),
    )
