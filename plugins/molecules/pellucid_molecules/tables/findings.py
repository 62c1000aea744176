"""What is found wrong with molecules of a table, for its report."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
import pandas as pd

from pellucid.data.samples import Finding
from pellucid.errors import DataError
from pellucid.loading.unusable import UNUSABLE

SEVERAL = "several molecules in one structure"
CONFLICT = "the same molecule has other labels elsewhere"
NAMED = 3
"""Other samples that a finding names."""


def refused(broken: Sequence[tuple[str, str, str]], count: int, name: str) -> DataError:
    """What to say of structures that cannot be used, of so many of a dataset: sample, where, why of each."""
    _, where, why = broken[0]
    if len(broken) == count:
        return DataError(
            f"{name}: none of {count:,} structures can be used. The first is {where}: {why}. Is this the right column?"
        )
    return DataError(
        f"{name}: {len(broken):,} of {count:,} structures cannot be used. The first is {where}: {why}. Mend or remove them, or leave "
        "them out with --skip-broken (option skip_broken = true): the report then lists them"
    )


def left_out(broken: Sequence[tuple[str, str, str]]) -> tuple[Finding, ...]:
    """Structures that were left out."""
    return tuple(Finding(sample, UNUSABLE, f"{where}: {why}", "left out") for sample, where, why in broken)


def of_several(samples: Sequence[str], parts: Sequence[int], gone: Sequence[int], largest: bool) -> tuple[Finding, ...]:
    """Salts, solvates and mixtures, and what was done about them."""
    return tuple(
        Finding(
            sample,
            SEVERAL,
            f"{count} parts" + (f", {atoms} atoms left out" if largest else ""),
            "largest kept" if largest else "kept",
        )
        for sample, count, atoms in zip(samples, parts, gone, strict=True)
        if count > 1
    )


def conflicts(frame: pd.DataFrame, columns: Sequence[str]) -> tuple[Finding, ...]:
    """Samples of one molecule whose labels differ, one finding for each sample and label.

    Parameters
    ----------
    frame : DataFrame
        With the column ``molecule``; the index is the sample.
    columns : sequence of str
        Of labels, NaN where nothing is known.
    """
    found = []
    for column in columns:
        known = frame[["molecule", column]].dropna()
        apart = known.groupby("molecule", sort=False)[column].transform("nunique").to_numpy() > 1
        for _, some in known[apart].groupby("molecule", sort=False):
            samples, values = list(map(str, some.index)), some[column].tolist()
            for sample, value in zip(samples, values, strict=True):
                others = (f"{v:g} in {s}" for s, v in zip(samples, values, strict=True) if v != value)
                found.append(
                    Finding(sample, CONFLICT, f"{column} is {value:g}, but {', '.join(islice(others, NAMED))}")
                )
    return tuple(found)


def told(frame: pd.DataFrame, columns: Sequence[str]) -> str:
    """How many molecules and scaffolds there are, what is drawn in several ways, and what is blank, in some sentences."""
    count, molecules, scaffolds = len(frame), frame["molecule"].nunique(), frame["scaffold"].nunique()
    said = [
        f"{count:,} samples of {molecules:,} molecules with {scaffolds:,} scaffolds (Bemis-Murcko; molecules without rings are their own)."
    ]
    twins = int((frame.groupby("parent", sort=False)["scaffold"].transform("nunique") > 1).sum())
    if twins:
        said.append(
            f"{twins:,} samples of one molecule in several charges, tautomers or salts have several scaffolds; these are kept together."
        )
    blank = int(frame[list(columns)].isna().to_numpy(bool).sum()) if len(columns) else 0
    if blank:
        share = blank / (count * len(columns))
        said.append(f"{blank:,} of {count * len(columns):,} labels ({np.round(100 * share, 1):g} %) are blank.")
    return " ".join(said)
