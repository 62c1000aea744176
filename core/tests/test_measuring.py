"""What data cannot carry: the part and the fold that it is about are said, and everything else stands as it would without it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pellucid.data.splits import Split
from pellucid.errors import DataError, NotMeasurable, RunError
from pellucid.heads.dictionaries import TopK
from pellucid.protocols.base import Assessment, Context, FittedFold, rows_of
from pellucid.protocols.measuring import Examined, concluded, examined
from pellucid.report import unmeasured
from pellucid.result import NotMeasured, Result, Results
from pellucid.testing.planted import planted

DATA = planted(("vector",), samples=60, subjects=30)
SUBJECTS = np.array(sorted(DATA.frame["subject"].unique()))
CONTEXT = Context(DATA.spec, "", {part: TopK.tags for part in ("a", "b")}, "", 0)


def fold_of(number: int) -> FittedFold:
    test = np.flatnonzero(DATA.frame["subject"].isin(SUBJECTS[number::3]))
    return FittedFold(DATA, "", Split(number, test[:0], test[:0], test), {"a": None, "b": None}, None, 0)  # type: ignore[dict-item]


class Scripted(Assessment):
    """Says a number of each part, but of those (part, fold) that are scripted."""

    name = "scripted"
    about = "any"
    cannot: frozenset[tuple[str, int]] = frozenset()
    together = False

    def apart(self, context):
        return () if self.together else tuple(context.parts)

    def examine(self, fold):
        frames = []
        for part in fold.models:
            if (part, fold.split.fold) in self.cannot:
                raise NotMeasurable(f"fold {fold.split.fold} is too small", "test more")
            test = fold.dataset.subset(fold.split.test)
            frames.append(rows_of(part, test, {"whole": np.arange(len(test)), "yes": np.arange(len(test)) % 2 == 0}))
        return pd.concat(frames, ignore_index=True)

    def conclude(self, rows, context):
        return [
            Result(protocol=self.name, metric=metric, part=part, value=float(own["whole"].sum()), low=0.0, high=0.0,
                   chance=0.0, baseline=0.0, baseline_name="nothing", higher_is_better=True, n_samples=len(own),
                   n_subjects=own["subject"].nunique(), sentence="It is so." if metric == "one" else "")
            for part, own in rows.groupby("part") for metric in ("one", "two")
        ]  # fmt: skip


def asked(*cannot: tuple[str, int], together: bool = False) -> tuple[list[Examined], list[Result], list[NotMeasured]]:
    protocol = Scripted()
    protocol.cannot, protocol.together = frozenset(cannot), together
    every = [examined(protocol, fold_of(number), CONTEXT) for number in range(3)]
    return every, *concluded(protocol, every, CONTEXT)


def test_a_part_that_cannot_be_measured_in_a_fold_costs_no_other_part_and_no_other_fold():
    _, whole, nothing = asked()
    assert nothing == []
    every, results, lacking = asked(("b", 1))
    assert set(every[1].rows["part"]) == {"a"}
    assert every[1].rows.dtypes.to_dict() == every[0].rows.dtypes.to_dict()
    assert results[:2] == whole[:2]
    of_b = {one.metric: one for one in results if one.part == "b"}
    assert of_b["one"].n_subjects == 20
    assert of_b["one"].value == sum(
        float(one.rows["whole"][one.rows["part"] == "b"].sum()) for one in (every[0], every[2])
    )
    assert of_b["one"].sentence == "It is so. Measured in 2 of 3 folds; in the other not: fold 1 is too small."
    assert of_b["two"].sentence == ""
    because = {"because": "fold 1 is too small", "helps": "test more"}
    assert lacking == [NotMeasured(protocol="scripted", part="b", folds=(1,), of_folds=3, **because)]
    assert lacking[0].where == "fold 2 of 3"


def test_of_what_is_measured_together_a_fold_is_lost_whole_and_all_parts_say_so():
    _, results, lacking = asked(("b", 0), ("b", 2), together=True)
    assert [one.sentence for one in results if one.metric == "one"] == [
        "It is so. Measured in 1 of 3 folds; in the others not: fold 0 is too small; fold 2 is too small."
    ] * 2
    assert {one.n_subjects for one in results} == {10}
    assert [(one.part, one.folds) for one in lacking] == [("", (0,)), ("", (2,))]


def test_what_could_be_measured_nowhere_has_no_result():
    every, results, lacking = asked(*((part, fold) for part in "ab" for fold in range(3)))
    assert all(one.rows is None for one in every)
    assert results == []
    assert len(lacking) == 6


def test_the_same_reason_in_several_folds_is_said_once():
    every = [
        Examined(None, (NotMeasured(protocol="scripted", part="a", because="so", folds=(at,)),)) for at in range(3)
    ]
    _, lacking = concluded(Scripted(), every, CONTEXT)
    assert [(one.folds, one.where) for one in lacking] == [((0, 1, 2), "all 3 folds")]


def test_a_metric_may_be_said_not_to_be_measured_in_the_place_of_its_result():
    class OneOfTwo(Scripted):
        def conclude(self, rows, context):
            first, second, *_ = super().conclude(rows, context)
            return [first, NotMeasured(protocol=self.name, part="a", metric=second.metric, because="nothing changes")]

    protocol = OneOfTwo()
    results, lacking = concluded(protocol, [examined(protocol, fold_of(at), CONTEXT) for at in range(2)], CONTEXT)
    assert [one.metric for one in results] == ["one"]
    assert results[0].sentence == "It is so."
    assert [(one.metric, one.folds, one.of_folds) for one in lacking] == [("two", (0, 1), 2)]


def test_other_errors_still_end_the_run():
    class Broken(Scripted):
        def examine(self, fold):
            raise DataError("this file is broken")

    with pytest.raises(DataError, match="broken"):
        examined(Broken(), fold_of(0), CONTEXT)


def test_what_is_not_measured_survives_json_and_is_shown_with_results():
    one = NotMeasured(
        protocol="code-circuits", part="sae", metric="found", because="none has it", helps="test more", folds=(0, 2), of_folds=3
    )  # fmt: skip
    assert NotMeasured.from_json(one.to_json()) == one
    with pytest.raises(RunError, match="changed or damaged"):
        NotMeasured.from_json({"protocol": "p"})
    assert "value" not in one.to_json()
    assert repr(Results([], [one])).endswith("not measured: code-circuits sae found")
    (line,) = unmeasured.lines([one])
    assert (line.what, line.where) == ("Code circuits of “sae”, found", "folds 1, 3 of 3")
    assert (line.because, line.helps) == ("None has it", "Test more")
    assert unmeasured.lines([replace(one, folds=(0,), of_folds=1)])[0].where == "the test samples"
