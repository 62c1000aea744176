"""Statements about an electrocardiogram: the SCP codes that PTB-XL uses, and the sets of labels that they form."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pellucid.data import MultiLabel
from pellucid.errors import DataError
from pellucid.loading.csv_tables import CsvTable, number, read_csv

FILE = "scp_statements.csv"
"""PTB-XL's own table, beside its records."""

SUPERCLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
"""Normal, myocardial infarction, ST/T change, conduction disturbance, hypertrophy: in the order of PTB-XL's paper."""

ABOUT = {
    "statements": "every SCP statement of PTB-XL",
    "diagnostic": "statements that name a diagnosis",
    "subclass": "subclasses of diagnoses, as PTB-XL groups its statements",
    "superclass": "normal ECG, myocardial infarction, ST/T change, conduction disturbance and hypertrophy",
    "form": "statements on the form of waves and intervals",
    "rhythm": "statements on rhythm",
}
"""What each set of labels is, in words."""

MOST_CHARACTERS = 2000
"""Of one record's codes. PTB-XL's longest have about 150."""

_CODES = "the codes of a record look like {'NORM': 100.0, 'SR': 0.0}"


@dataclass(frozen=True)
class Statements:
    """Which labels each code stands for, by set of labels.

    Parameters
    ----------
    path : Path
        The table, for messages.
    names : mapping of str to tuple of str
        The labels of each set, in the order of the table.
    labels : mapping of str to mapping of str to str
        By set: code to label. A code that is not in a set says nothing there.
    """

    path: Path
    names: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, Mapping[str, str]]

    @property
    def codes(self) -> tuple[str, ...]:
        """All codes."""
        return self.names["statements"]

    def target(self, of: str) -> MultiLabel:
        """A set of labels as a target."""
        return MultiLabel(names=self.names[of], about=ABOUT[of])

    def said(self, of: str, codes: Collection[str]) -> frozenset[str]:
        """The labels of a set that some codes stand for."""
        labels = self.labels[of]
        return frozenset(labels[code] for code in codes if code in labels)


def read_statements(path: Path) -> Statements:
    """Read PTB-XL's table of statements.

    Parameters
    ----------
    path : Path
        ``scp_statements.csv``: the code in the first column, which has no name; ``diagnostic``, ``form`` and ``rhythm`` with 1
        where a statement is of that kind; ``diagnostic_class`` and ``diagnostic_subclass``.

    Raises
    ------
    DataError
        Names the file, the line and what is wrong.
    """
    table = read_csv(path, ("diagnostic", "form", "rhythm", "diagnostic_class", "diagnostic_subclass"))
    codes = table[next(iter(table.columns))]
    for row, code in enumerate(codes):
        if not code or codes.index(code) != row:
            raise DataError(
                f"{path}, line {table.lines[row]}: {'the code is empty' if not code else f'{code!r} stands twice'}"
            )
    kinds = {kind: _of_kind(table, kind, codes) for kind in ("diagnostic", "form", "rhythm")}
    labels: dict[str, dict[str, str]] = {"statements": {code: code for code in codes}}
    labels["diagnostic"] = {code: code for code in kinds["diagnostic"]}
    for of, column in (("subclass", "diagnostic_subclass"), ("superclass", "diagnostic_class")):
        labels[of] = {code: table[column][row] for code, row in kinds["diagnostic"].items()}
        for code, row in kinds["diagnostic"].items():
            if not labels[of][code]:
                raise DataError(f"{table.where(row, column)}: is empty, but {code!r} is a diagnosis")
    labels |= {kind: {code: code for code in kinds[kind]} for kind in ("form", "rhythm")}
    names = {of: tuple(dict.fromkeys(known.values())) for of, known in labels.items()}
    for of, some in names.items():
        if not some:
            raise DataError(f"{path}: no statement is {ABOUT[of]}; is this the table of PTB-XL?")
    if set(names["superclass"]) == set(SUPERCLASSES):
        names["superclass"] = SUPERCLASSES
    return Statements(path, names, labels)


def _of_kind(table: CsvTable, kind: str, codes: tuple[str, ...]) -> dict[str, int]:
    return {code: row for row, code in enumerate(codes) if number(table[kind][row]) == 1}


def read_codes(cell: str) -> dict[str, float]:
    """The SCP codes of a record with their likelihoods in percent; 0 stands for an unknown likelihood.

    Parameters
    ----------
    cell : str
        As PTB-XL writes them: a Python dictionary, ``"{'NORM': 100.0, 'SR': 0.0}"``. It is read as a literal: nothing in it can be
        executed.

    Raises
    ------
    ValueError
        If it is something else; says what.

    Examples
    --------
    >>> read_codes("{'NORM': 80.0, 'SBRAD': 0.0}")
    {'NORM': 80.0, 'SBRAD': 0.0}
    """
    if len(cell) > MOST_CHARACTERS:
        raise ValueError(f"has {len(cell):,} characters; {_CODES}")
    try:
        found = ast.literal_eval(cell)
    # A literal of many brackets within each other exhausts the parser, each version of Python in its own way.
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError(f"cannot be understood; {_CODES}") from None
    fits = isinstance(found, dict) and all(
        isinstance(code, str) and isinstance(share, int | float) and 0 <= share <= 100 for code, share in found.items()
    )
    if not fits:
        raise ValueError(f"holds something else than codes with likelihoods of 0 to 100; {_CODES}")
    return {code: float(share) for code, share in found.items()}
