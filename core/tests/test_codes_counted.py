"""N-grams by plain loops over codes: which are chosen, where they stand, what they do elsewhere, what the table shows."""

from __future__ import annotations

from collections import Counter
from math import log

import numpy as np
import pandas as pd
import pytest
import torch
from made_codes import CHANNELS, CODES, LINE, Made, Written, context, data, fold

from pellucid.encoders.base import EncoderConfig
from pellucid.ngrams import NGrams
from pellucid.protocols.audited import told
from pellucid.protocols.codes.audit import CodesAudit, CodesAuditConfig
from pellucid.protocols.codes.selected import Coded, Vocabulary, scores, sums
from pellucid.protocols.codes.table import table_of
from pellucid.representation import TokenShape

BOOK, LINES, LONG = 5, 3, 4
SHAPE = TokenShape(count=LINES * LONG, width=1, codebook=BOOK, line=LONG)
GRAMS = NGrams(SHAPE, 2)


def written(count: int, seed: int) -> np.ndarray:
    """Codes of which low ones are common, shape (sample, line, token); -1 where nothing is known."""
    rng = np.random.default_rng(seed)
    codes = rng.geometric(0.4, (count, LINES, LONG)).clip(max=BOOK) - 1
    return np.where(rng.random(codes.shape) < 0.15, -1, codes)


def coded(codes: np.ndarray) -> Coded:
    return Coded(GRAMS.keys(torch.from_numpy(codes.reshape(len(codes), -1))), GRAMS)


def places(line: np.ndarray):
    """N-grams of a line with where they begin."""
    for length in (1, 2):
        for start in range(len(line) - length + 1):
            gram = tuple(line[start : start + length].tolist())
            if -1 not in gram:
                yield gram, start


def counted(sample: np.ndarray) -> Counter:
    return Counter(gram for line in sample for gram, _ in places(line))


def log_odds(codes: np.ndarray, inside: np.ndarray, weights: np.ndarray, grams: list, vocabulary: float) -> list[float]:
    """One count is added to each n-gram of the vocabulary."""
    totals, alls = [Counter(), Counter()], [0.0, 0.0]
    for sample, side, weight in zip(codes, inside, weights, strict=True):
        for gram, times in counted(sample).items():
            totals[int(side)][gram] += weight * times
            alls[int(side)] += weight * times
    rates = [
        [(total[gram] + 1) / (every + vocabulary) for gram in grams] for total, every in zip(totals, alls, strict=True)
    ]
    return [log(yes / no) for no, yes in zip(*rates, strict=True)]


def key_of(gram: tuple[int, ...]) -> int:
    return next(key for key in range((BOOK + 1) ** 2) if GRAMS.codes_of(key) == gram)


def test_the_n_grams_that_occur_often_enough_are_counted_and_the_most_frequent_kept():
    codes = written(40, 0)
    every = sum((counted(sample) for sample in codes), Counter())
    for fewest, most in ((1, 100), (12, 100), (30, 100), (12, 6)):
        found = Vocabulary.of(coded(codes), fewest, most)
        often = sorted((gram for gram in every if every[gram] >= fewest), key=lambda gram: (-every[gram], key_of(gram)))
        assert found.keys.tolist() == sorted(map(key_of, often[:most]))
        names = [GRAMS.codes_of(key) for key in found.keys.tolist()]
        assert found.counts.tolist() == [[counted(sample)[gram] for gram in names] for sample in codes]
    assert 12 in every.values() or 13 in every.values()


def test_what_is_chosen_and_where_it_stands_is_that_of_plain_loops():
    codes, member = written(40, 1), np.random.default_rng(2).random(40) < 0.3
    vocabulary = Vocabulary.of(coded(codes), 8, 100)
    names = [GRAMS.codes_of(key) for key in vocabulary.keys.tolist()]
    odds = log_odds(codes, member, np.ones(40), names, len(names))
    np.testing.assert_allclose(vocabulary.odds(member), odds)
    found = vocabulary.chosen(member, 4, 2)
    best = sorted(range(len(names)), key=lambda at: -odds[at])[:4]
    assert [GRAMS.codes_of(key) for key in found.keys] == [names[at] for at in best]
    np.testing.assert_allclose(found.odds, [odds[at] for at in best])
    assert found.vocabulary == len(names)
    for key, lines, start in zip(found.keys, found.lines, found.starts, strict=True):
        by_line, by_start = Counter(), Counter()
        for sample in codes:
            for number, line in enumerate(sample):
                for gram, at in places(line):
                    if gram == GRAMS.codes_of(key):
                        by_line[number] += 1
                        by_start[at] += 1
        assert len(lines) == 2
        assert min(by_line[one] for one in lines) >= max(by_line[one] for one in range(LINES) if one not in lines)
        assert by_start[start] == max(by_start.values())


def test_what_they_do_elsewhere_is_that_of_plain_loops_with_subjects_drawn_twice_or_not_at_all():
    train, test = written(40, 3), written(25, 4)
    rng = np.random.default_rng(5)
    member, weights = rng.random(25) < 0.4, rng.integers(0, 3, 25).astype(float)
    planted = (rng.random((25, LINES)) < 0.3).astype(float)
    chosen = Vocabulary.of(coded(train), 8, 100).chosen(rng.random(40) < 0.5, 3, 1)
    columns = chosen.columns(coded(test), planted)
    expected = {
        name: np.zeros(25) for name in ("occurrences", "in_lines", "in_start", "in_planted", "could_be_planted")
    }
    for at, sample in enumerate(test):
        for key, lines, start in zip(chosen.keys, chosen.lines, chosen.starts, strict=True):
            for number, line in enumerate(sample):
                for gram, begins in places(line):
                    if gram == GRAMS.codes_of(key):
                        expected["occurrences"][at] += 1
                        expected["in_lines"][at] += number in lines
                        expected["in_start"][at] += begins == start
                        expected["in_planted"][at] += planted[at, number]
                        expected["could_be_planted"][at] += planted[at].any()
    for name, values in expected.items():
        np.testing.assert_array_equal(columns[name], values, name)
    assert 0 < expected["in_planted"].sum() < expected["could_be_planted"].sum() < expected["occurrences"].sum()
    every = np.array([sum(counted(sample).values()) for sample in test], float)
    np.testing.assert_array_equal(coded(test).known, every)
    found = scores(sums(columns, every, member.astype(float), weights), chosen.vocabulary)
    names = [GRAMS.codes_of(key) for key in chosen.keys]
    assert found["log_odds"] == pytest.approx(np.mean(log_odds(test, member, weights, names, chosen.vocabulary)))
    total = {name: float(weights @ values) for name, values in expected.items()}
    assert found["in_lines"] == pytest.approx(total["in_lines"] / total["occurrences"])
    assert found["in_start"] == pytest.approx(total["in_start"] / total["occurrences"])
    assert found["in_planted"] == pytest.approx(total["in_planted"] / total["could_be_planted"])


# --- the audit --------------------------------------------------------------------------------------------------------


class Born(Written):
    """One that reads before it has learnt anything: it is as good untrained."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        self.gain.fill_(1.0)


def of_folds(dataset: Made, encoder: type[Written], *options: dict) -> tuple[CodesAudit, pd.DataFrame]:
    """Rows of as many folds as there are options, and an audit that concludes from them."""
    found = []
    for number, some in enumerate(options):
        one = fold(dataset, number)
        for model in one.models.values():
            made = encoder(model.encoders["x"].config)
            made.gain.fill_(1.0)
            made.learned_from = model.encoders["x"].learned_from
            model.encoders["x"] = made
        audit = CodesAudit(CodesAuditConfig(**({"shown": 2, "lines": 1, "replicates": 200, "permutations": 5} | some)))
        found.append(audit.examine(one).assign(fold=number))
    return audit, pd.concat(found, ignore_index=True)


@pytest.mark.parametrize("folds", [1, 2])
def test_the_baseline_of_an_encoder_that_learns_nothing_is_its_own_figure_whatever_labels_say_among_test_subjects(
    folds,
):
    dataset = data(told=0.6)
    # More of one class than of the other, so that it matters how many n-grams there are to choose from.
    dataset.frame.iloc[::7, dataset.frame.columns.get_loc("answer")] = 0.0
    if folds == 1:
        # Whoever chose by these would choose otherwise: what spoke for one class now speaks for the other.
        test = fold(dataset).split.test
        dataset.frame.iloc[test, dataset.frame.columns.get_loc("answer")] = 1 - dataset.frame["answer"].iloc[test]
    audit, rows = of_folds(dataset, Born, *[{}] * folds)
    results = audit.conclude(rows, context(dataset))
    found = {one.metric: one for one in results}
    assert found["log_odds:yes"].value < -1 if folds == 1 else found["log_odds:yes"].value > 1
    assert {"usage", "perplexity", "log_odds:no", "in_lines:yes", "in_start:yes"} <= set(found)
    assert "in_planted:yes" in found or folds == 1
    for one in results:
        assert one.baseline == pytest.approx(one.value, rel=1e-6), one.metric
    assert found["usage"].chance == pytest.approx(1 / CODES)
    assert found["perplexity"].chance == 1
    assert ("in the first fold" in found["log_odds:yes"].sentence) == (folds == 2)


def test_log_odds_of_folds_are_of_all_their_samples_with_the_mean_of_their_vocabularies():
    dataset = data(told=0.6)
    dataset.frame.iloc[::7, dataset.frame.columns.get_loc("answer")] = 0.0
    audit, rows = of_folds(dataset, Written, {}, {"most": 20})
    found = {one.metric: one.value for one in audit.conclude(rows, context(dataset))}
    sizes = np.array(told(rows, "vocabulary"))
    assert sizes[0] > sizes[1] > 0
    yes = dataset.frame.loc[rows["sample"], "answer"].to_numpy() == 1
    rates = [
        [(rows[f"times:{rank}:yes"][side].sum() + 1) / (rows["grams"][side].sum() + sizes.mean()) for rank in (0, 1)]
        for side in (yes, ~yes)
    ]
    assert found["log_odds:yes"] == pytest.approx(np.mean(np.log(rates[0]) - np.log(rates[1])), rel=1e-9)


@pytest.mark.parametrize("bare", [0, 1])
def test_a_fold_in_which_nothing_is_frequent_has_no_part_in_odds_and_places(bare):
    dataset = data(told=0.6)
    options = [{}, {}]
    options[bare] = {"fewest": 10**6}
    audit, rows = of_folds(dataset, Written, *options)
    context_ = context(dataset)
    alone = {one.metric: one for one in audit.conclude(rows[rows["fold"] != bare], context_)}
    found = {one.metric: one for one in audit.conclude(rows, context_)}
    assert "log_odds:yes" in found
    assert set(found) == set(alone)
    for metric in alone:
        if ":" in metric:
            for name in ("value", "chance", "baseline"):
                assert getattr(found[metric], name) == pytest.approx(getattr(alone[metric], name)), metric
    assert f"({'in the first fold' if bare else 'in one fold'} code" in found["log_odds:yes"].sentence
    # Where the untrained encoder has none in any, chance stands for it.
    rows.loc[rows["once:untrained"] != "", "once:untrained"] = "{}"
    rows.loc[rows["once:untrained_vocabulary"] != "", "once:untrained_vocabulary"] = "0"
    for one in audit.conclude(rows, context_):
        if ":" in one.metric:
            assert one.baseline == one.chance


def test_of_folds_that_show_unequally_many_n_grams_as_many_are_taken_of_each():
    dataset = data(told=0.6)
    audit, rows = of_folds(dataset, Born, {"shown": 3}, {"shown": 1})
    for one in audit.conclude(rows, context(dataset)):
        if one.metric.startswith("log_odds"):
            assert one.baseline == pytest.approx(one.value)


def test_the_table_is_that_of_plain_loops():
    dataset = data(told=0.5, subjects=9)
    train, test = dataset.subset(np.arange(100)), dataset.subset(np.arange(100, 180))
    encoder = Written(EncoderConfig(inputs={"x": dataset.spec.input("x")}))
    encoder.gain.fill_(1.0)
    shape = encoder.token_shapes[""]
    grams = NGrams(shape, 2)
    codes = [side.read(np.arange(len(side))).inputs["x"].astype(int) for side in (train, test)]
    for one in codes:
        one[one == 6] = -1
    sides = [Coded(grams.keys(torch.from_numpy(one.reshape(len(one), -1))), grams) for one in codes]
    vocabulary = Vocabulary.of(sides[0], 5, 1000)
    chosen = {"yes": vocabulary.chosen(train.frame["answer"].to_numpy() == 1, 4, 1)}
    found = table_of(dataset.spec, encoder, "", train, vocabulary, sides[1], chosen)
    assert found["channels"] == list(CHANNELS)
    assert (found["input"], found["axis"], found["values"]) == ("x", Written.patch_axis, Written.patch_values)
    assert len(found["rows"]) == 4
    known = codes[1] >= 0
    every = known.sum() + (known[..., 1:] & known[..., :-1]).sum()
    for row, key, start in zip(found["rows"], chosen["yes"].keys, chosen["yes"].starts, strict=True):
        gram = np.array(grams.codes_of(key))
        stands = [(n, line, at) for n, line, at in np.ndindex(80, len(CHANNELS), LINE - len(gram) + 1)
                  if (codes[1][n, line, at : at + len(gram)] == gram).all()]  # fmt: skip
        assert row["times"] == len(stands)
        assert row["share"] == pytest.approx(len(stands) / every)
        by_line = np.bincount([line for _, line, _ in stands], minlength=len(CHANNELS))
        np.testing.assert_allclose(row["lines"], by_line / max(1, len(stands)))
        assert row["at_start"] == pytest.approx(sum(at == start for _, _, at in stands) / max(1, len(stands)))
        assert row["where"] == f"{2 * start} to {2 * (start + len(gram))} Hz"
        # A value is its code: the mean patch of an n-gram is itself, and that of all that is known there the mean code there.
        assert row["pattern"] == pytest.approx(gram.astype(float))
        there = np.moveaxis(codes[0][:, :, start : start + len(gram)], 2, 0)
        assert row["usual"] == pytest.approx([one[one >= 0].mean() for one in there])
        assert row["positions"] == [2.0 * at + 1 for at in range(start, start + len(gram))]
    assert {row["name"] for row in found["rows"]} >= {"codes 7-8", "code 7", "code 8"}
