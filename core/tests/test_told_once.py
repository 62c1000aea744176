"""What is said once of a part and fold: kept in one way, read back as it was, whatever else stands beside it."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import torch

from pellucid.protocols.audited import AuditedRows, told, told_once


class Audited(AuditedRows):
    protocol = "test"


def rows(part: str, count: int = 3) -> pd.DataFrame:
    return pd.DataFrame({"part": part, "sample": [f"s{at}" for at in range(count)], "subject": "p"})


def kept(frame: pd.DataFrame) -> pd.DataFrame:
    """As a run folder keeps it."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return pd.read_parquet(buffer)


def test_whatever_it_is_comes_back_from_a_run_folder_to_the_last_digit():
    third = 1 / 3
    facts = {
        "share": third, "count": np.int64(7), "curve": np.array([third, np.nan]), "map": torch.tensor([[1.0, 2.0]]),
        "none": None, "words": {"a": ["b", "ü"]},
    }  # fmt: skip
    frame = kept(told_once(rows("it"), facts))
    assert told(frame, "share") == [third]
    assert told(frame, "count") == [7]
    assert told(frame, "map") == [[[1.0, 2.0]]]
    assert told(frame, "none") == [None]
    assert told(frame, "words") == [{"a": ["b", "ü"]}]
    np.testing.assert_array_equal(told(frame, "curve")[0], [third, np.nan])
    assert told(frame, "never said") == []


def test_each_fold_and_part_has_its_own_and_parts_that_say_nothing_are_no_fold():
    folds = [told_once(rows("it", 2 + at), {"n": at}).assign(fold=at) for at in (1, 0)]
    every = kept(pd.concat([rows("silent").assign(fold=0), *folds], ignore_index=True))
    own = every[every["part"] == "it"]
    assert told(own, "n") == [0, 1]
    assert told(every[every["part"] == "silent"], "n") == []
    audited = Audited(own, "it", None, 10)  # type: ignore[arg-type]
    assert audited.once_a_fold("n").tolist() == [0, 1]
    assert audited.counted("n") == "0 to 1"
    # Fold 1 has three rows and stands first here.
    assert audited.of_each_fold("n").tolist() == [1, 1, 1, 0, 0]


def test_of_no_rows_nothing_is_told():
    empty = told_once(rows("it", 0), {"n": 1})
    assert told(empty, "n") == []


def test_a_report_of_an_older_run_leaves_out_figures_of_rows_that_it_cannot_read(tmp_path):
    from made_runs import run_folder

    from pellucid.report.folder import RunFolder
    from pellucid.report.pictures import protocol_figures

    path = run_folder(tmp_path, gallery=False)
    (path / "rows").mkdir(exist_ok=True)
    rows("weighted").assign(**{"fold": 0, "fold:usual": 0.5, "standard": 1.0}).to_parquet(path / "rows" / "iis.parquet")
    drawn, problems = protocol_figures(RunFolder.read(path))
    assert "iis" not in drawn
    assert [one for one in problems if "figures of iis are left out" in one and "earlier version" in one]
