"""PTB-XL's own table: statements with likelihoods, patients, ages and folds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from pellucid.data import pseudonym
from pellucid.data.samples import Finding
from pellucid.errors import DataError, nearest
from pellucid.files import sha256
from pellucid.loading.csv_tables import CsvTable, read_csv
from pellucid.loading.people import COVARIATES as OF_PEOPLE
from pellucid.loading.people import ages, record_pseudonyms
from pellucid_ecg.databases.ptbxl_tables import (
    NAMESPACE,
    PtbXlTable,
    file_column,
    lines_of,
    samples_of,
    split_of,
    whole_number,
)
from pellucid_ecg.databases.statements import ABOUT, Statements, read_codes

NATIVE, NATIVE_PATTERN = "ptbxl_database.csv", "ptbxl_database*.csv"

FROM_90 = 300
"""What versions from 1.0.2 on write for an age above 89."""

COVARIATES = {**OF_PEOPLE, "height_cm": "cm", "weight_kg": "kg"}
"""Covariates of the native table and their units."""

_PLAUSIBLE = {"height_cm": (30.0, 250.0), "weight_kg": (0.5, 350.0)}

Unknown = Literal["refused", "left out"]
Without = Literal["left out", "no labels"]


def read_native(
    path: Path, statements: Statements, rate_hz: int, *, minimum: float | None, unknown: Unknown, without: Without
) -> PtbXlTable:
    """Read ``ptbxl_database.csv``.

    Parameters
    ----------
    path : Path
    statements : Statements
    rate_hz : {100, 500}
    minimum : float, optional
        Likelihood in percent from which on a statement counts; without one every statement counts.
    unknown : {"refused", "left out"}
        What becomes of codes that the statements do not list.
    without : {"left out", "no labels"}
        Whether a record that has none of a set's labels is left out of that target, as in PTB-XL's benchmark.

    Raises
    ------
    DataError
        Names the line, and for a code the record.
    LeakageError
        If a patient has records in several folds.
    """
    file = file_column(rate_hz)
    table = read_csv(path, ("ecg_id", "patient_id", "age", "sex", "scp_codes", "strat_fold", file))
    samples = samples_of(table)
    patients = table.full("patient_id")
    split = split_of(table, [whole_number(patient) for patient in patients])
    codes, findings = _codes(table, samples, statements, unknown)
    counted = [[c for c, share in some.items() if minimum is None or share >= minimum] for some in codes]
    targets = {of: statements.target(of) for of in ABOUT}
    labels = {of: _labels([statements.said(of, some) for some in counted], targets[of].names, without) for of in ABOUT}
    years = table.numbers("age")
    return PtbXlTable(
        path,
        _version(len(table), bool((years >= FROM_90).any())),
        lines_of(table),
        table.full(file),
        samples,
        tuple(pseudonym(whole_number(patient), NAMESPACE) for patient in patients),
        record_pseudonyms(samples, NAMESPACE),
        split,
        targets,
        labels,
        _covariates(table, years),
        tuple(findings),
        (_told_version(len(table), years, path), _told_rule(minimum, without), "Ages above 89 years count as 90."),
    )


def _codes(
    table: CsvTable, samples: Sequence[str], statements: Statements, unknown: Unknown
) -> tuple[list[dict[str, float]], list[Finding]]:
    known, findings, found = set(statements.codes), [], []
    for row, cell in enumerate(table["scp_codes"]):
        try:
            codes = read_codes(cell)
        except ValueError as error:
            raise DataError(f"{table.where(row, 'scp_codes')} (record {samples[row]}): {error}") from None
        for code in codes:
            if code in known:
                continue
            if unknown == "refused":
                raise DataError(
                    f"{table.where(row, 'scp_codes')}: record {samples[row]} has the SCP code {code[:40]!r}, which "
                    f"{statements.path.name} does not list{nearest(code, known)}; correct it, or leave such codes out with "
                    'unknown_codes = "left out"'
                )
            findings.append(Finding(samples[row], "unknown SCP code", repr(code[:40]), "left out"))
        found.append({code: share for code, share in codes.items() if code in known})
    return found, findings


def _labels(said: Sequence[frozenset[str]], names: Sequence[str], without: Without) -> npt.NDArray[np.float64]:
    labels = np.array([[float(name in some) for name in names] for some in said])
    if without == "left out":
        labels[labels.sum(1) == 0] = np.nan
    return labels


def _covariates(table: CsvTable, years: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
    found = {
        "age_years": ages(years),
        "female": table.numbers("sex", (0, 1)),
        "height_cm": table.numbers("height") if table.has("height") else np.full(len(table), np.nan),
        "weight_kg": table.numbers("weight") if table.has("weight") else np.full(len(table), np.nan),
    }
    for name, (low, high) in _PLAUSIBLE.items():
        found[name] = np.where((found[name] >= low) & (found[name] <= high), found[name], np.nan)
    return found


def _version(rows: int, over_89: bool) -> str:
    """Versions differ in their number of records, and in how they write ages above 89."""
    if rows == 21799:
        return "1.0.3"
    if rows == 21837:
        return "1.0.2" if over_89 else "1.0.1"
    return ""


def _told_version(rows: int, years: npt.NDArray[np.float64], path: Path) -> str:
    version = _version(rows, bool((years >= FROM_90).any()))
    what = f"PTB-XL {version}" if version else "a part of PTB-XL"
    return f"This is {what}: {rows:,} rows in a table whose SHA-256 begins with {sha256(path)[:12]}."


def _told_rule(minimum: float | None, without: Without) -> str:
    likely = "whatever its likelihood" if minimum is None else f"if its likelihood is at least {minimum:g} %"
    kept = " A record that has none of a target's labels is not part of that target." if without == "left out" else ""
    return f"A statement counts {likely}.{kept}"
