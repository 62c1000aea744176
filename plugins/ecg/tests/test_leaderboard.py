"""The table of published scores: complete, tagged, and as its source has it."""

from __future__ import annotations

import pytest

from pellucid.data.published import Published
from pellucid_ecg.leaderboard.reading import _table, published

TARGETS = ("statements", "diagnostic", "subclass", "superclass", "form", "rhythm")


@pytest.mark.parametrize(
    ("target", "best", "value", "uncertainty"),
    [
        ("statements", {"xresnet1d101", "inception1d"}, 0.925, {0.007, 0.008}),
        ("diagnostic", {"xresnet1d101"}, 0.937, {0.008}),
        ("subclass", {"inception1d"}, 0.930, {0.010}),
        ("superclass", {"resnet1d_wang"}, 0.930, {0.005}),
        ("form", {"inception1d"}, 0.899, {0.022}),
        ("rhythm", {"xresnet1d101"}, 0.957, {0.019}),
    ],
)
def test_the_best_published_score_of_each_task_is_the_one_its_source_marks(target, best, value, uncertainty):
    found = published("ptb-xl", target)
    top = [one for one in found if one.value == max(one.value for one in found)]
    assert {one.name for one in top} == best
    assert {one.value for one in top} == {value}
    assert {one.uncertainty for one in top} == uncertainty


def test_every_task_has_the_seven_models_of_the_benchmark_verified_at_their_source():
    for target in TARGETS:
        found = [one for one in published("ptb-xl", target, split="split") if one.tag == "verified"]
        assert len(found) == 7
        assert len({one.name for one in found}) == 7
        assert {one.metric for one in found} == {"auroc"}
        assert {one.split for one in found} == {"split"}
        assert all("10.1109/JBHI.2020.3022989" in one.source for one in found)
        assert all(0.7 < one.value < 1 and 0 < one.uncertainty < 0.05 for one in found)


def test_what_was_not_read_at_its_source_is_tagged_recalled():
    (recalled,) = [one for t in TARGETS for one in published("ptb-xl", t) if one.tag == "recalled"]
    assert recalled.name == "ProtoECGNet"
    assert "about 0.90 to 0.91" in recalled.note


def test_scores_of_icbeb2018_have_three_metrics_a_model():
    found = published("icbeb2018", "statements")
    assert len(found) == 21
    best = {
        metric: max((o for o in found if o.metric == metric), key=lambda o: o.value) for metric in ("auroc", "f2", "g2")
    }
    assert {metric: (one.name, one.value) for metric, one in best.items()} == {
        "auroc": ("xresnet1d101", 0.974), "f2": ("xresnet1d101", 0.819), "g2": ("xresnet1d101", 0.602)}  # fmt: skip


def test_of_an_unknown_task_nothing_is_claimed():
    assert published("ptb-xl", "age") == ()
    assert published("mit-bih", "beats") == ()


def test_every_score_names_a_source_that_is_there():
    table = _table()
    for scores in table["scores"].values():
        for score in scores:
            assert score["source"] in table["sources"]
    assert isinstance(published("ptb-xl", "form")[0], Published)
