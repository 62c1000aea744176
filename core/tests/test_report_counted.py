"""What a head of counts has counted stands in the report one by one: planted counts and weights, and what is made of them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from made_runs import Reader, Weighted, run_folder

from pellucid.gathering.explained import ROWS
from pellucid.heads.base import HeadTags
from pellucid.regions import FrequencyBand, region_to_json
from pellucid.report import build
from pellucid.report.cases import bars_of
from pellucid.report.counted import EACH_WAY, counted_units
from pellucid.report.folder import RunFolder
from pellucid.report.pictures import whole_models
from pellucid.report.sections import role

WEIGHTS = {"x:codes 12-12-7": 2.5, "x:code 3": -1.5, "x:codes 3-4": 0.25}
TIMES = {
    "x:codes 12-12-7": [0, 2, 0, 4],
    "x:code 3": [3, 0, 1, 1],
    "x:codes 3-4": [1, 1, 1, 1],
}
HERE, THERE = FrequencyBand(("O1",), 8.0, 12.0), FrequencyBand(("O2",), 0.0, 4.0)


class Counting(Weighted):
    """A head of counts."""

    tags = HeadTags(family="code", counts=True)


def rows_of(times=TIMES, weights=WEIGHTS, fold: int = 0) -> pd.DataFrame:
    """Explanations of four cases whose counts and weights are known; the first unit points at two places."""
    found = []
    for unit, counts in times.items():
        for at, count in enumerate(counts):
            where = HERE if at == 1 else THERE
            told = {"unit": unit, "input": "shape", "region": region_to_json(where), "source": None, "text": ""}
            pointing = unit == "x:codes 12-12-7" and count
            found.append(
                {"part": "weighted", "fold": fold, "sample": f"s{4 * fold + at}", "subject": f"p{at}", "label": at % 2,
                 "predicted": at % 2, "probability": 0.5, "threshold": 0.5, "target": "malignant", "gap": 0.0,
                 "baseline": 0.5, "output": 0.5 + sum(weights[one] * times[one][at] for one in times), "unit": unit,
                 "comparable": False, "value": float(count), "contribution": weights[unit] * count,
                 "evidence": json.dumps(told) if pointing else ""}
            )  # fmt: skip
    return pd.DataFrame(found)[list(ROWS)]


@pytest.fixture
def run(tmp_path):
    folder = run_folder(tmp_path, head=Counting, gallery=False)
    other = {unit.replace("12-12-7", "9-9"): counts for unit, counts in TIMES.items()}
    again = rows_of(other, {unit.replace("12-12-7", "9-9"): weight for unit, weight in WEIGHTS.items()}, fold=1)
    pd.concat([rows_of(), again]).to_parquet(folder / "explanations.parquet")
    return folder


def test_each_n_gram_has_its_name_its_weight_its_direction_and_how_often_it_occurs(run):
    (whole,) = whole_models(RunFolder.read(run))
    told = {row.name: row for row in whole.counted.rows}
    # What moves the output most comes first: 2.5 times counts of 0, 2, 0 and 4.
    assert list(told) == ["codes 12-12-7", "code 3", "codes 3-4"]
    first, second = told["codes 12-12-7"], told["code 3"]
    assert (first.adds, first.direction) == ("+2.50", "raises")
    assert (first.occurs, first.cases) == ("6 times", "2 of 4 (50%)")
    assert (second.adds, second.direction) == ("-1.50", "lowers")
    assert (second.occurs, second.cases) == ("5 times", "3 of 4 (75%)")
    assert second.place == ""
    assert f"codes 12-12-7 {2.5 * np.std([0, 2, 0, 4]):.2f}" in whole.importance.alt
    assert "learnt code of" not in whole.importance.alt


def test_codes_of_another_fold_are_other_codes_and_are_not_put_together_with_these(run):
    (whole,) = whole_models(RunFolder.read(run))
    assert "9-9" not in whole.importance.alt
    assert "another fold has codes of its own" in whole.first_fold


def test_the_page_lists_them_and_says_what_kind_of_model_it_is(run):
    words = Reader(build(run).read_text("utf-8")).words
    assert "codes 12-12-7 +2.50 raises 6 times 2 of 4 (50%)" in words
    assert role(RunFolder.read(run), "weighted") == "interpretable: counts learnt codes"


def test_the_place_is_the_one_pointed_at_most():
    rows = rows_of({"x:code 1": [1, 1, 1, 1]}, {"x:code 1": 1.0})
    told = [json.dumps({"region": region_to_json(where)}) for where in (HERE, THERE, THERE, HERE)]
    (row,) = counted_units(rows.assign(evidence=[*told[:3], ""]), ["x:code 1"], "malignant", {}).rows
    assert row.place == "O2 between 0 Hz and 4 Hz"
    (row,) = counted_units(rows.assign(evidence=["", told[0], "", told[3]]), ["x:code 1"], "malignant", {}).rows
    assert row.place == "O1 between 8 Hz and 12 Hz"


def test_both_directions_are_listed_and_what_is_left_out_is_said():
    rng = np.random.default_rng(0)
    names = [f"x:code {at}" for at in range(40)]
    times = {name: rng.integers(0, 5, 30).tolist() for name in names}
    # Everything that raises it moves it more than anything that lowers it.
    weights = {name: (11.0 + at if at < 30 else -0.1 - 0.01 * at) for at, name in enumerate(names)}
    rows = rows_of(times, weights)
    spread = rows.groupby("unit")["contribution"].std(ddof=0).sort_values(ascending=False)
    found = counted_units(rows, list(spread.index), "malignant", {})
    ways = [row.direction.split()[0] for row in found.rows]
    assert ways == ["raises"] * EACH_WAY + ["lowers"] * EACH_WAY
    kept = {f"x:{row.name}" for row in found.rows}
    others = rows[~rows["unit"].isin(kept)].groupby("sample")["contribution"].sum().std(ddof=0)
    assert f"24 more are counted and not listed; together they move it by a standard deviation of {others:.1f}" in (
        found.sentence
    )


def test_a_case_names_what_occurs_in_it_and_leaves_out_what_does_not():
    rows = rows_of()
    case = rows[rows["sample"] == "s1"]
    bars = bars_of(case, {}, singly=True, counts=True)
    assert bars.labels == ("codes 12-12-7, 2 times", "codes 3-4, once")
    assert bars.contributions.tolist() == [5.0, 0.25]
    assert bars.baseline + bars.contributions.sum() + bars.gap == pytest.approx(bars.output)
    # A case in which nothing of it occurs has its starting point alone.
    empty = rows_of({"x:code 1": [0, 1, 1, 1]}, {"x:code 1": 1.0})
    assert bars_of(empty[empty["sample"] == "s0"], {}, singly=True, counts=True).strongest(8).labels == ()
