"""N-grams of codes and naive Bayes over them: beside scikit-learn's, exact contributions, places of evidence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB

from pellucid.batch import Batch
from pellucid.data.spec import Binary, MultiClass
from pellucid.errors import ContractError, DataError, StudyError
from pellucid.heads.codes.naive_bayes import NGramNaiveBayes, NGramNaiveBayesConfig
from pellucid.ngrams import NGrams, Tally, counts_of
from pellucid.regions import Box, FrequencyBand, TimeSpan, around, merged
from pellucid.representation import Representation, Tokens, TokenShape, concatenated, joined

LINES, LINE, CODES = 3, 6, 7
SHAPE = TokenShape(count=LINES * LINE, width=1, codebook=CODES, line=LINE)
TWO = Binary(names=("no", "yes"))
THREE = MultiClass(names=("a", "b", "c"))
BANDS = tuple(FrequencyBand((f"ch{line}",), 2.0 * at, 2.0 * at + 2) for line in range(LINES) for at in range(LINE))


def representation(codes: np.ndarray, regions=()) -> Representation:
    codes = torch.from_numpy(np.asarray(codes))
    tokens = Tokens(torch.zeros(*codes.shape, 1), regions, codes, input="signal")
    return Representation(torch.zeros(len(codes), 1), ("x:q0",), {"x": tokens})


def drawn(count: int = 400, classes: int = 2, seed: int = 0, unknown: float = 0.0):
    """Codes of which some are commoner in a class, and in the last one the codes 1 2 stand together in the second line."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    chances = rng.dirichlet(np.ones(CODES), classes)
    codes = np.stack([rng.choice(CODES, LINES * LINE, p=chances[label]) for label in labels])
    last = labels == classes - 1
    codes[last, LINE + 2], codes[last, LINE + 3] = 1, 2
    codes[rng.random(codes.shape) < unknown] = -1
    return codes, labels


def fitted(codes, labels, target=TWO, batch: int = 64, **options) -> NGramNaiveBayes:
    config = NGramNaiveBayesConfig(units=("x:q0",), target=target, tokens={"x": SHAPE}, **options)
    head = NGramNaiveBayes(config)
    (stage,) = head.stages()
    parts = [slice(start, start + batch) for start in range(0, len(codes), batch)]
    stage.finish(
        (representation(codes[at]), Batch({}, targets=torch.tensor(labels[at], dtype=torch.float32)[:, None]))
        for at in parts
    )
    return head.eval()


def words(codes: np.ndarray, longest: int) -> list[list[str]]:
    """N-grams of each sample by plain loops: the reference's own way to them."""
    found = []
    for sample in np.asarray(codes).reshape(len(codes), LINES, LINE):
        some = []
        for line in sample:
            for length in range(1, longest + 1):
                for start in range(LINE - length + 1):
                    gram = line[start : start + length]
                    if (gram >= 0).all():
                        some.append(" ".join(map(str, gram)))
        found.append(some)
    return found


# --- n-grams ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unknown", [0.0, 0.2])
def test_n_grams_are_those_of_plain_loops_and_cross_no_line(unknown):
    codes, _ = drawn(50, unknown=unknown)
    grams = NGrams(SHAPE, 3)
    keys = grams.keys(torch.from_numpy(codes))
    for row, expected in zip(keys.tolist(), words(codes, 3), strict=True):
        ours = [" ".join(map(str, grams.codes_of(key))) for key in row if key != -1]
        assert sorted(ours) == sorted(expected)


def test_the_place_of_an_n_gram_is_where_its_codes_stand():
    codes, _ = drawn(5)
    grams = NGrams(SHAPE, 3)
    keys = grams.keys(torch.from_numpy(codes))
    assert keys.shape[1] == len(grams.occurrences) == LINES * (6 + 5 + 4)
    for at, place in enumerate(grams.occurrences):
        first = place.line * LINE + place.start
        assert grams.codes_of(int(keys[3, at])) == tuple(codes[3, first : first + place.length])


def test_without_lines_all_tokens_are_one_and_long_n_grams_need_a_long_line():
    whole = NGrams(TokenShape(count=4, width=1, codebook=9), 3)
    assert len(whole.occurrences) == 4 + 3 + 2
    short = NGrams(TokenShape(count=4, width=1, codebook=9, line=2), 3)
    assert max(place.length for place in short.occurrences) == 2


def test_too_many_n_grams_to_tell_apart_are_refused():
    with pytest.raises(StudyError, match="count shorter ones"):
        NGrams(TokenShape(count=9, width=1, codebook=2**20), 4)


def test_a_line_must_divide_the_tokens():
    with pytest.raises(ValueError, match="whole lines of 4"):
        TokenShape(count=10, width=1, codebook=3, line=4)


def test_counts_and_tallies_agree_however_samples_are_dealt_to_batches():
    codes, labels = drawn(90, unknown=0.1)
    keys = NGrams(SHAPE, 2).keys(torch.from_numpy(codes))
    member = torch.nn.functional.one_hot(torch.from_numpy(labels), 2).bool()
    whole, parts = Tally(2), Tally(2)
    whole.add(keys, member)
    for at in range(0, 90, 7):
        parts.add(keys[at : at + 7], member[at : at + 7])
    assert np.array_equal(whole.keys, parts.keys)
    assert np.array_equal(whole.counts, parts.counts)
    per_sample = counts_of(keys, torch.from_numpy(whole.keys)).numpy()
    assert np.array_equal(per_sample.T @ member.numpy(), whole.counts)


def test_an_n_gram_outside_the_vocabulary_counts_nowhere():
    keys = torch.tensor([[-1, 3, 5, 5, 9, 2]])
    assert counts_of(keys, torch.tensor([3, 5, 8])).tolist() == [[1.0, 2.0, 0.0]]


# --- beside scikit-learn ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("target", "classes"), [(TWO, 2), (THREE, 3)])
@pytest.mark.parametrize(("longest", "fewest", "smoothing"), [(1, 1, 1.0), (3, 20, 1.0), (2, 5, 0.3)])
def test_posteriors_are_those_of_scikit_learn(target, classes, longest, fewest, smoothing):
    codes, labels = drawn(600, classes)
    new, _ = drawn(100, classes, seed=1)
    head = fitted(codes, labels, target, longest=longest, fewest=fewest, smoothing=smoothing)
    vectorizer = CountVectorizer(analyzer=lambda some: some)
    counts = vectorizer.fit_transform(words(codes, longest))
    kept = np.asarray(counts.sum(0))[0] >= fewest
    reference = MultinomialNB(alpha=smoothing).fit(counts[:, kept], labels)
    expected = reference.predict_log_proba(vectorizer.transform(words(new, longest))[:, kept])
    assert len(head.vocabulary) == kept.sum()
    logits = head(representation(new))
    if classes == 2:
        assert np.allclose(logits[:, 0].detach(), expected[:, 1] - expected[:, 0], rtol=1e-4, atol=1e-4)
    else:
        assert np.allclose(logits.log_softmax(1).detach(), expected, rtol=1e-4, atol=1e-4)


def test_classes_of_unequal_size_have_a_prior_and_an_empty_case_is_judged_by_it_alone():
    codes, labels = drawn(400)
    some = np.flatnonzero((labels == 0) | (np.arange(400) % 10 == 1))
    head = fitted(codes[some], labels[some])
    nothing = representation(np.full((1, LINES * LINE), -1))
    assert float(head(nothing)) == pytest.approx(np.log(40 / 200), abs=1e-5)


def test_the_most_frequent_n_grams_are_kept_and_all_of_them_often_enough():
    codes, labels = drawn(300)
    every = fitted(codes, labels, fewest=1, most=5000)
    times = every.explained(representation(codes)).sum(0)
    few = fitted(codes, labels, fewest=1, most=10)
    assert float(times[torch.isin(every.vocabulary, few.vocabulary)].min()) >= float(
        times[~torch.isin(every.vocabulary, few.vocabulary)].max()
    )
    often = fitted(codes, labels, fewest=30)
    assert float(often.explained(representation(codes)).sum(0).min()) >= 30


# --- explanations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [TWO, THREE])
def test_contributions_and_prior_add_up_to_the_logit(target):
    classes = 2 if target is TWO else 3
    codes, labels = drawn(300, classes)
    head = fitted(codes, labels, target)
    z = representation(codes[:20])
    for at, output in enumerate(head.outputs):
        found = head.explain(z, output)
        assert found.gap.abs().max() <= 1e-5
        assert torch.allclose(
            found.baseline.double() + found.contributions.double().sum(1), head(z)[:, at].double(), atol=1e-5
        )
        assert torch.equal(found.contributions == 0, (found.values == 0) | (head.weight[at, : len(found.names)] == 0))


def test_a_contribution_is_how_often_an_n_gram_occurs_times_its_log_odds():
    codes, labels = drawn(400)
    head = fitted(codes, labels, fewest=1)
    found = head.explain(representation(codes[labels == 1][:1]), "yes")
    unit = found.names.index("x:codes 1-2")
    every = words(codes, 3)
    times = [
        sum(some.count("1 2") for some, label in zip(every, labels, strict=True) if label == side) for side in (0, 1)
    ]
    total = [sum(len(some) for some, label in zip(every, labels, strict=True) if label == side) for side in (0, 1)]
    kinds = len({gram for some in every for gram in some})
    odds = np.log((times[1] + 1) / (total[1] + kinds)) - np.log((times[0] + 1) / (total[0] + kinds))
    assert float(found.contributions[0, unit]) == pytest.approx(float(found.values[0, unit]) * odds, rel=1e-5)
    assert odds > 0.5


def test_evidence_is_where_the_n_gram_occurs_and_nowhere_else():
    codes = np.zeros((2, LINES * LINE), int)
    codes[0, [LINE + 2, LINE + 3]] = 1, 2
    codes[0, [2 * LINE + 2, 2 * LINE + 3]] = 1, 2
    many = np.concatenate([np.tile(codes[:1], (30, 1)), np.tile(codes[1:], (30, 1))])
    head = fitted(many, np.repeat([1, 0], 30), longest=2)
    found = head.explain(representation(codes, BANDS), "yes")
    told = {one.unit: one for one in found.evidence[0]}
    assert told["x:codes 1-2"].region == FrequencyBand(("ch1", "ch2"), 4.0, 8.0)
    assert told["x:codes 1-2"].text == "codes 1-2 stand 2 times in this case"
    assert told["x:codes 1-2"].input == "signal"
    assert "x:codes 1-2" not in {one.unit for one in found.evidence[1]}


def test_a_perturbed_count_changes_the_output_by_its_weight():
    codes, labels = drawn(300)
    head = fitted(codes, labels)
    counts = head.explained(representation(codes[:4]))
    more = counts.clone()
    more[:, 5] += 2
    change = head.outcome(more) - head.outcome(counts)
    assert torch.allclose(change[:, 0], 2 * head.weight[0, 5].expand(4), atol=1e-5)


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_class_without_samples_and_codes_that_are_all_rare_are_refused_by_name():
    codes, labels = drawn(40)
    with pytest.raises(DataError, match="none of yes"):
        fitted(codes, 0 * labels)
    with pytest.raises(DataError, match=r"no n-gram occurs 5000 times in 40 training samples, the commonest \d+ times"):
        fitted(codes, labels, fewest=5000)


def test_more_occurrences_than_there_can_be_are_refused_before_anything_is_fitted():
    def head(fewest):
        return NGramNaiveBayes(NGramNaiveBayesConfig(units=("x:q0",), target=TWO, tokens={"x": SHAPE}, fewest=fewest))

    places = LINES * LINE
    assert head(10 * places).unfit_for(range(10)) == ""
    assert f"none can occur more than {10 * places} times in 10 samples" in head(10 * places + 1).unfit_for(range(10))


def test_tokens_without_codes_are_refused_and_the_right_ones_are_found_among_several():
    plain = TokenShape(count=2, width=1)
    with pytest.raises(StudyError, match="tokens with codes here: none"):
        NGramNaiveBayes(NGramNaiveBayesConfig(units=("x:q0",), target=TWO, tokens={"x": plain}))
    head = NGramNaiveBayes(NGramNaiveBayesConfig(units=("x:q0",), target=TWO, tokens={"y": plain, "x": SHAPE}))
    assert head.tokens_name == "x"
    with pytest.raises(StudyError, match=r"did you mean 'x[12]'"):
        NGramNaiveBayes(
            NGramNaiveBayesConfig(units=("x:q0",), target=TWO, tokens={"x1": SHAPE, "x2": SHAPE}, tokens_name="x3")
        )
    with pytest.raises(ContractError, match="tokens 'x', which this representation does not have"):
        head(Representation(torch.zeros(1, 1), ("x:q0",)))
    with pytest.raises(ContractError, match="the tokens 'x' of this representation have none"):
        head(Representation(torch.zeros(1, 1), ("x:q0",), {"x": Tokens(torch.zeros(1, 2, 1))}))


# --- what carries codes -----------------------------------------------------------------------------------------------


def test_codes_travel_with_their_tokens():
    codes, _ = drawn(6)
    z = joined([("eeg", Representation(torch.zeros(6, 1), ("q0",), {"": representation(codes).tokens["x"]}))])
    assert torch.equal(z.rows(slice(2, 4)).tokens["eeg"].codes, torch.from_numpy(codes[2:4]))
    again = concatenated([z.rows(slice(0, 2)), z.rows(slice(2, 6))])
    assert torch.equal(again.tokens["eeg"].codes, torch.from_numpy(codes))
    with pytest.raises(ContractError, match="one a token"):
        Tokens(torch.zeros(2, 3, 1), codes=torch.zeros(2, 4, dtype=torch.int64))


def test_bands_of_frequency_are_joined_and_merged_like_spans_of_time():
    low, high = FrequencyBand(("a",), 1.0, 3.0), FrequencyBand(("b",), 2.0, 6.0)
    assert around([low, high]) == FrequencyBand(("a", "b"), 1.0, 6.0)
    assert merged([low, high, FrequencyBand(("b",), 1.0, 3.0)]) == [FrequencyBand(("a", "b"), 1.0, 3.0), high]
    spans = [TimeSpan(("a",), 0.0, 1.0), TimeSpan(("b",), 0.0, 1.0)]
    assert merged(spans) == [TimeSpan(("a", "b"), 0.0, 1.0)]
    boxes = [Box((0,), (1,)), Box((1,), (2,)), Box((0,), (1,))]
    assert merged(boxes) == boxes[:2]
