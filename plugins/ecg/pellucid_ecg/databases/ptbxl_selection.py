"""A selection of PTB-XL: a table of superclasses, and perhaps another that says who is who."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pellucid.data import MultiLabel, pseudonym
from pellucid.errors import DataError
from pellucid.loading.csv_tables import read_csv
from pellucid.loading.people import record_pseudonyms
from pellucid_ecg.databases.ptbxl_tables import (
    NAMESPACE,
    PtbXlTable,
    file_column,
    lines_of,
    samples_of,
    split_of,
    whole_number,
)
from pellucid_ecg.databases.statements import ABOUT, SUPERCLASSES

LABELS, LABELS_PATTERN = "ptbxl_subset_labels.csv", "ptbxl*labels*.csv"


def read_labels(path: Path, rate_hz: int, patients: Path | None) -> PtbXlTable:
    """Read a table of superclasses: ``ecg_id``, ``strat_fold``, ``filename_lr`` or ``filename_hr``, and 0 or 1 for each class.

    Parameters
    ----------
    path : Path
    rate_hz : {100, 500}
    patients : Path, optional
        A native table that says who each record is of.

    Raises
    ------
    DataError
        Names the line and the column.
    LeakageError
        If a patient has records in several folds.
    """
    file = file_column(rate_hz)
    table = read_csv(path, ("ecg_id", file, *SUPERCLASSES))
    samples = samples_of(table)
    owners = None if patients is None else _owners(samples, patients)
    values = np.stack([table.numbers(name, (0, 1)) for name in SUPERCLASSES], axis=1)
    names = owners or [f"record {sample}" for sample in samples]
    return PtbXlTable(
        path,
        "",
        lines_of(table),
        table.full(file),
        samples,
        tuple(pseudonym(name, NAMESPACE) for name in names),
        record_pseudonyms(samples, NAMESPACE),
        split_of(table, owners) if table.has("strat_fold") else None,
        {"superclass": MultiLabel(names=SUPERCLASSES, about=ABOUT["superclass"])},
        {"superclass": values},
        {},
        (),
        tuple(filter(None, (_told_part(len(table)), _told_patients(owners), _told_selection(values)))),
    )


def _owners(samples: Sequence[str], patients: Path) -> list[str]:
    table = read_csv(patients, ("ecg_id", "patient_id"))
    whose = dict(zip(samples_of(table), map(whole_number, table.full("patient_id")), strict=True))
    missing = [sample for sample in samples if sample not in whose]
    if missing:
        raise DataError(
            f"{patients}: does not say who {len(missing)} of {len(samples)} records are of, the first of them record {missing[0]}; "
            "give the whole table of the same version"
        )
    return [whose[sample] for sample in samples]


def _told_part(rows: int) -> str:
    return (
        f"A selection of {rows:,} records of PTB-XL with their diagnostic superclasses: a class is 1 if the record has any statement "
        "of it, whatever its likelihood."
    )


def _told_patients(owners: Sequence[str] | None) -> str:
    if owners is not None:
        return ""
    return (
        "Its table does not say who a record is of, so each counts as a person of its own: some people have several, and a split "
        "made here may put them on both sides. PTB-XL's own folds keep them together."
    )


def _told_selection(values: npt.NDArray[np.float64]) -> str:
    """Which classes never stand alone: a selection that was made by some classes leaves others in their company."""
    given = np.nan_to_num(values) > 0
    alone = given & (given.sum(1) == 1)[:, None]
    never = given.any(0) & ~alone.any(0)
    usual = alone.any(0)
    if not never.any() or not given[given[:, never].any(1)][:, usual].any(1).all():
        return ""
    names, others = ([name for name, is_so in zip(SUPERCLASSES, some, strict=True) if is_so] for some in (never, usual))
    occur = "occur" if len(names) > 1 else "occurs"
    company = f"{', '.join(others[:-1])} or {others[-1]}" if len(others) > 1 else others[0]
    return f"Here {' and '.join(names)} {occur} only together with {company}."
