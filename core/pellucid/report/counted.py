"""What a model counts, one thing a row: its name, what each occurrence adds and to which side, how often it occurs, and where."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.gathering import places
from pellucid.regions import region_from_json
from pellucid.unit_names import distinct, readable
from pellucid.wording import number, plural

if TYPE_CHECKING:
    import pandas as pd

EACH_WAY = 8
"""Things listed that raise the output, and as many that lower it."""


@dataclass(frozen=True)
class Row:
    """One thing that is counted, as the page says it."""

    name: str
    adds: str
    direction: str
    occurs: str
    cases: str
    place: str


@dataclass(frozen=True)
class Counted:
    """What is counted, first what moves the output most, and what is left out in a sentence."""

    rows: tuple[Row, ...]
    sentence: str


def counted_units(rows: pd.DataFrame, order: Sequence[str], output: str, inputs: Mapping[str, Any]) -> Counted:
    """List what a head of counts has counted in the test cases of one fold.

    Parameters
    ----------
    rows : DataFrame
        Of ``explanations.parquet``: one part, one fold, one explained output.
    order : sequence of str
        Units, those that move the output most first.
    output : str
        Name of the explained output.
    inputs : mapping of str to InputSpec
        Of the samples; places are said in their words.

    Returns
    -------
    Counted
        Up to :data:`EACH_WAY` units that raise the output and as many that lower it, in the given order; each with the mean
        that one occurrence adds, which is its weight where the head is linear in counts.
    """
    total = rows.groupby("unit", sort=False)[["value", "contribution"]].sum()
    total = total[total["value"] > 0]
    times = {str(unit): float(count) for unit, count in total["value"].items()}
    adds = {str(unit): float(one) for unit, one in (total["contribution"] / total["value"]).items()}
    cases = {str(unit): int(one) for unit, one in rows["value"].gt(0).groupby(rows["unit"]).sum().items()}
    there = [unit for unit in order if unit in times]
    raising, lowering = ([unit for unit in there if sign * adds[unit] > 0] for sign in (1, -1))
    listed = {*raising[:EACH_WAY], *lowering[:EACH_WAY]}
    kept = [unit for unit in there if unit in listed]
    pointed = rows[rows["unit"].isin(kept) & (rows["evidence"] != "")].groupby("unit")["evidence"]
    where = {str(unit): _commonest(some, inputs) for unit, some in pointed}
    count = len(rows[["fold", "sample"]].drop_duplicates())
    names = distinct(readable(unit) for unit in kept)
    told = tuple(
        Row(
            name,
            f"{adds[unit]:+.2f}",
            "raises" if adds[unit] > 0 else "lowers",
            plural(int(times[unit]), "time"),
            f"{cases[unit]:,} of {count:,} ({cases[unit] / count:.0%})",
            where.get(unit, ""),
        )
        for unit, name in zip(kept, names, strict=True)
    )
    others = rows[~rows["unit"].isin(kept)]
    left = len(others["unit"].unique())
    moved = others.groupby(["fold", "sample"])["contribution"].sum().std(ddof=0) if left else np.nan
    more = (
        f" {plural(left, 'more is', 'more are')} counted and not listed; together they move it by a standard deviation of "
        f"{number(float(moved), 2)}."
        if left
        else ""
    )
    sentence = (
        f"What is counted, and what it says: up to {EACH_WAY} that raise “{output}” and {EACH_WAY} that lower it, those that move it "
        f"most first. What an occurrence adds is in the unit of the output, log-odds for a class.{more}"
    )
    return Counted(told, sentence)


def _commonest(evidence: pd.Series, inputs: Mapping[str, Any]) -> str:
    """The place that is pointed at in most of the cases in which the unit is among the strongest."""
    told = [json.loads(one) for one in evidence]
    regions = [one["region"] for one in told if one.get("region")]
    if not regions:
        return ""
    texts = [json.dumps(one, sort_keys=True) for one in regions]
    region = region_from_json(json.loads(max(dict.fromkeys(texts), key=texts.count)))
    named = {one.get("input", "") for one in told if one.get("region")}
    return "" if region is None else places.in_words(region, named.pop() if len(named) == 1 else "", inputs)
