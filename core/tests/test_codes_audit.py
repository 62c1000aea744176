"""The audit of codes, on codes whose every occurrence is planted: usage, odds, places, chance, figures, refusals."""

from __future__ import annotations

import dataclasses
import io
import json

import numpy as np
import pandas as pd
import pytest
from made_codes import CODES, Made, context, data, fold
from scipy.stats import entropy

from pellucid.errors import LeakageError
from pellucid.protocols.codes.audit import CodesAudit, CodesAuditConfig
from pellucid.protocols.codes.conclusions import CodesConclusions, _usage
from pellucid.protocols.codes.selected import dealt


def audited(dataset: Made, **options):
    audit = CodesAudit(CodesAuditConfig(**({"shown": 1, "lines": 1, "replicates": 200} | options)))
    rows = audit.examine(fold(dataset)).assign(fold=0)
    return {result.metric: result for result in audit.conclude(rows, context(dataset))}, rows


def test_the_n_gram_that_was_planted_is_chosen_and_found_where_it_was_planted():
    dataset = data()
    found, rows = audited(dataset)
    odds = found["log_odds:yes"]
    assert odds.passed
    assert odds.low > 3
    assert abs(odds.chance) < 1
    assert "codes" in odds.sentence or "code 7" in odds.sentence
    for metric in ("in_lines:yes", "in_start:yes", "in_planted:yes"):
        assert found[metric].value == 1
        assert found[metric].passed
    # Of n-grams of no class a quarter are in the commonest of four channels, a little more by choice.
    assert found["in_planted:yes"].chance < 0.5
    assert odds.n_samples == len(rows) == 200
    assert odds.n_subjects == 10


def test_log_odds_are_those_of_plain_counting_among_the_test_subjects():
    dataset = data(told=0.5)
    found, _ = audited(dataset, longest=1, fewest=1)
    test = fold(dataset).split.test
    codes, answer = dataset.read(test).inputs["x"], dataset.frame["answer"].to_numpy()[test]
    # Both codes of the pair are equally good in training up to ties; each occurs once where the other does.
    sides = []
    for side in (1, 0):
        some = codes[answer == side]
        sides.append(np.log(((some == 7).sum() + 1) / (some.size + CODES)))
    assert found["log_odds:yes"].value == pytest.approx(sides[0] - sides[1], rel=1e-6)


def test_usage_and_perplexity_are_those_of_plain_counting_and_beside_those_of_the_encoder_as_it_was_built():
    dataset = data(told=0.5)
    found, _ = audited(dataset)
    codes = dataset.read(fold(dataset).split.test).inputs["x"].astype(int)
    counts = np.bincount(codes.ravel(), minlength=CODES)
    assert found["usage"].value == 1
    assert found["perplexity"].value == pytest.approx(np.exp(entropy(counts)))
    assert found["perplexity"].low < found["perplexity"].value < found["perplexity"].high
    # As it is built it writes the same code everywhere.
    assert found["perplexity"].baseline == pytest.approx(1)
    assert found["usage"].baseline == found["usage"].chance == pytest.approx(1 / CODES)
    assert found["log_odds:yes"].baseline == pytest.approx(0, abs=0.05)


def test_codes_that_single_subjects_have_lie_in_the_interval_and_folds_of_which_nobody_is_drawn_have_no_usage():
    count = 16
    uses = np.eye(count, dtype=int)
    frame = {"subject": [f"p{at:02d}" for at in range(count)], "uses": uses.tolist(), "fold": np.arange(count) // 2}
    frame["once:untrained_uses"] = [json.dumps([1] * count) if at % 2 == 0 else "" for at in range(count)]
    context_ = context(data())
    one_fold = pd.DataFrame(frame | {"fold": 0, "once:untrained_uses": [json.dumps([1] * count)] + [""] * (count - 1)})
    for rows, expected in ((one_fold, 1.0), (pd.DataFrame(frame), 2 / count)):
        usage, perplexity = CodesConclusions(rows, "bayes", context_, 200).results()
        assert usage.value == pytest.approx(expected)
        assert perplexity.value == pytest.approx(expected * count)
        for one in (usage, perplexity):
            assert one.low <= one.value <= one.high
        assert usage.high <= 1
        assert perplexity.high <= count
    # Of the first fold nobody is drawn: it says nothing then, and not that no code is used.
    some = CodesConclusions(pd.DataFrame(frame), "bayes", context_, 200)
    assert some._over_folds(_usage, (np.arange(count) > 1).astype(float)) == pytest.approx(2 / count)


def test_where_labels_say_nothing_of_codes_no_odds_pass():
    for seed in range(4):
        found, _ = audited(data(told=0.0, seed=seed), shown=3)
        for one in ("no", "yes"):
            assert not found[f"log_odds:{one}"].passed, seed
            assert abs(found[f"log_odds:{one}"].value) < 1


def test_labels_of_whole_subjects_are_dealt_among_subjects_and_others_within():
    rng = np.random.default_rng(0)
    subjects = np.repeat(list("abcdef"), 4)
    constant = np.repeat([[True], [False], [True], [False], [False], [True]], 4, axis=0)
    moved = [dealt(constant, subjects, rng) for _ in range(20)]
    for one in moved:
        assert sum(one[::4, 0]) == 3
        assert (one.reshape(6, 4) == one.reshape(6, 4)[:, :1]).all()
    assert any((one != constant).any() for one in moved)
    mixed = rng.random((24, 1)) < 0.5
    # Subjects' samples need not stand together.
    order = rng.permutation(24)
    again = dealt(mixed[order], subjects[order], rng)
    for name in "abcdef":
        own = subjects[order] == name
        assert again[own].sum() == mixed[order][own].sum()
    assert any((dealt(mixed, subjects, rng) != mixed).any() for _ in range(5))


def test_a_few_subjects_with_two_labels_do_not_make_chance_of_what_tells_people_apart():
    dataset = data(constant=True)
    # One other sample in every third person: dealt within people alone, labels would say what they have said.
    others = np.flatnonzero(np.arange(len(dataset)) % 60 == 0)
    dataset.frame.loc[dataset.frame.index[others], "answer"] = 1.0
    found, _ = audited(dataset)
    assert found["log_odds:yes"].passed
    assert abs(found["log_odds:yes"].chance) < 1
    member = dataset.frame[["answer"]].to_numpy() == 1
    again = dealt(member, dataset.subjects.tolist(), np.random.default_rng(0))
    assert again.sum() == member.sum()
    # Samples of one subject stay alike: 20 of each, so whole people change places.
    assert sorted(again.reshape(30, 20).sum(1)) == sorted(member.reshape(30, 20).sum(1))
    assert (again.reshape(30, 20).sum(1) != member.reshape(30, 20).sum(1)).any()


def test_rows_survive_parquet_and_give_the_same_results_and_a_figure_a_class():
    dataset = data(told=0.7)
    audit = CodesAudit(CodesAuditConfig(replicates=200, permutations=5))
    rows = pd.concat(
        [audit.examine(fold(dataset, number)).assign(fold=number) for number in range(3)], ignore_index=True
    )
    buffer = io.BytesIO()
    rows.to_parquet(buffer, index=False)
    kept = pd.read_parquet(buffer)
    first, second = audit.conclude(rows, context(dataset)), audit.conclude(kept, context(dataset))
    assert [dataclasses.astuple(one)[:7] for one in first] == [dataclasses.astuple(one)[:7] for one in second]
    assert {one.n_subjects for one in first} == {30}
    figures = audit.figures(kept, context(dataset))
    assert len(figures) == 2
    (figure,) = (one for caption, one in figures.items() if "“yes”" in caption)
    figure.canvas.draw() if hasattr(figure.canvas, "draw") else None
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert "codes 7-8" in texts
    assert any("100% of them at 4 to 8 Hz" in text and "c 100%" in text for text in texts)


def test_subjects_that_a_part_has_learnt_from_are_refused():
    one = fold(data())
    leaky = dataclasses.replace(one, split=dataclasses.replace(one.split, test=one.split.train))
    with pytest.raises(LeakageError):
        CodesAudit().examine(leaky)


def test_a_study_without_codes_is_told_so_and_models_without_codes_have_no_rows():
    dataset = data()
    assert "eegformer" in CodesAudit().unfit(context(dataset, encoders={}))
    assert CodesAudit().unfit(context(dataset)) == ""


def test_models_that_share_an_encoder_are_audited_once():
    one = fold(data())
    both = dataclasses.replace(one, models={**one.models, "again": one.models["bayes"]})
    assert set(CodesAudit(CodesAuditConfig(permutations=5)).examine(both)["part"]) == {"bayes"}
