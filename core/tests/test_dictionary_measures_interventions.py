"""Unlearning and interchange: topics and attributes planted apart and mixed."""

from __future__ import annotations

import math

import pytest
import torch

from pellucid.errors import DataError
from pellucid.measures.dictionaries.code_edits import with_error
from pellucid.measures.dictionaries.ravel import Pairs, disentanglement, interchange, learned_mask
from pellucid.measures.dictionaries.sparsity import density
from pellucid.measures.dictionaries.unlearning import SETTINGS, Setting, unlearning, unlearning_features


def basis(size, seed=3):
    return torch.linalg.qr(torch.randn(size, size, generator=torch.Generator().manual_seed(seed)))[0]


# --- unlearning -------------------------------------------------------------------------------------------------------


def topic(mixed):
    """A model that answers four-way questions on a topic and on everything else from 32 features."""
    generator = torch.Generator().manual_seed(0)
    answers = torch.randint(0, 4, (2, 800), generator=generator)
    # Features 0-3 answer on the topic, 4-7 elsewhere; in a mixed dictionary the same four answer everything.
    codes = torch.zeros(2, 800, 32)
    for side in (0, 1):
        first = 0 if mixed else 4 * side
        codes[side, torch.arange(800), first + answers[side]] = 1 + torch.rand(800, generator=generator)
    codes[:, :, 8:] = (torch.rand(2, 800, 24, generator=generator) < 0.2).float()
    atoms = basis(40)[:32]
    x = codes @ atoms + 0.05 * torch.randn(2, 800, 40, generator=generator)
    readout = atoms[:4] if mixed else atoms[:4] + atoms[4:8]

    def judge(edit):
        changed = [with_error(x[s], codes[s], edit(codes[s]), lambda f: f @ atoms) for s in (0, 1)]
        right = [float(((c @ readout.T).argmax(1) == answers[s]).double().mean()) for s, c in enumerate(changed)]
        return right[0], right[1]

    return density(codes[0]), density(codes[1]), judge


def test_a_topic_with_features_of_its_own_is_forgotten_without_harm():
    forget, retain, judge = topic(mixed=False)
    found = unlearning(forget, retain, judge)
    assert judge(lambda codes: codes) == (1.0, 1.0)
    assert len(found.outcomes) == 16
    assert found.outcomes[0].features.sort().values.tolist() == [0, 1, 2, 3]
    assert found.score == 1 - found.best.forget
    assert found.score > 0.95
    assert all(each.retain == 1.0 for each in found.outcomes)


def test_a_topic_that_shares_features_is_not_forgotten():
    forget, retain, judge = topic(mixed=True)
    assert unlearning(forget, retain, judge).score == 0.0
    # Where those features are allowed to be clamped, everything else suffers, and no such setting counts.
    with pytest.warns(UserWarning, match="no setting keeps the accuracy elsewhere"):
        found = unlearning(forget, retain, judge, settings=[Setting(0.9, 32, 25.0)])
    assert math.isnan(found.score)
    assert found.best is None
    assert found.outcomes[0].retain < 0.5


def test_the_score_is_the_least_accuracy_of_settings_that_keep_99_parts_of_a_hundred():
    answers = iter([(0.7, 0.8), (0.5, 0.791), (0.4, 0.793), (0.1, 0.7), (0.6, 0.9)])
    settings = [Setting(0.01, 1, strength) for strength in (1.0, 2.0, 3.0, 4.0)]
    found = unlearning(torch.ones(2), torch.zeros(2), lambda edit: next(answers), settings=settings)
    assert found.score == pytest.approx(0.6)
    assert found.best.setting.strength == 2.0
    assert [each.forget for each in found.outcomes] == [0.5, 0.4, 0.1, 0.6]


def test_each_setting_clamps_its_features_to_its_negative_strength():
    seen = []
    codes = torch.tensor([[2.0, 3.0, 0.0]])

    def judge(edit):
        seen.append(edit(codes).tolist())
        return 0.5, 1.0

    unlearning(
        torch.tensor([0.5, 0.9, 0.1]), torch.zeros(3), judge, settings=[Setting(0.1, 1, 7.0), Setting(0.1, 3, 9)]
    )
    assert seen == [[[2.0, 3.0, 0.0]], [[2.0, -7.0, 0.0]], [[-9.0, -9.0, 0.0]]]


def test_the_settings_are_the_sixteen_of_the_benchmark():
    assert {each.retain_density for each in SETTINGS} == {0.001, 0.01}
    assert {each.top for each in SETTINGS} == {10, 20}
    assert {each.strength for each in SETTINGS} == {25.0, 50.0, 100.0, 200.0}
    assert len(set(SETTINGS)) == 16


def test_features_are_rare_elsewhere_and_frequent_in_the_topic():
    forget = torch.tensor([0.9, 0.5, 0.7, 0.0, 0.5, 0.1])
    retain = torch.tensor([0.02, 0.0, 0.009, 0.0, 0.001, 0.01])
    assert unlearning_features(forget, retain, Setting(0.01, 10, 1)).tolist() == [2, 1, 4]
    assert unlearning_features(forget, retain, Setting(0.01, 2, 1)).tolist() == [2, 1]
    assert unlearning_features(forget, retain, Setting(0.001, 10, 1)).tolist() == [1]
    assert unlearning_features(forget, retain, Setting(0.0, 10, 1)).tolist() == []
    with pytest.raises(DataError, match="expected \\(feature,\\) twice"):
        unlearning(forget, retain[1:], lambda edit: (1.0, 1.0))
    with pytest.raises(DataError, match="expected \\(feature,\\) twice"):
        unlearning(forget[None], retain[None], lambda edit: (1.0, 1.0))


# --- interchange ------------------------------------------------------------------------------------------------------

VALUES = (3, 4)
ATOMS = basis(16)[:7]


def things(rows, mixed, seed):
    """Things with two attributes: a feature for each value, or one for each combination of values."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.stack([torch.randint(0, count, (rows,), generator=generator) for count in VALUES], dim=1)
    one, other = (torch.nn.functional.one_hot(labels[:, a], VALUES[a]).float() for a in (0, 1))
    codes = torch.cat([one, other], dim=1)
    x = codes @ ATOMS + 0.02 * torch.randn(rows, 16, generator=generator)
    if mixed:
        codes = (one[:, :, None] * other[:, None]).flatten(1)
    # Two features that say nothing to anybody.
    return x, torch.cat([codes, torch.rand(rows, 2, generator=generator)], dim=1), labels


def pairs(rows, mixed, seed):
    base, source = things(rows, mixed, seed), things(rows, mixed, seed + 100)
    return Pairs(base[0], base[1], source[1], base[2], source[2])


def decoder(mixed):
    silent = torch.zeros(2, 16)
    if mixed:
        whole = (ATOMS[:3, None] + ATOMS[None, 3:]).flatten(0, 1)
        return lambda f: f @ torch.cat([whole, silent])
    return lambda f: f @ torch.cat([ATOMS, silent])


READERS = (lambda x: 4 * x @ ATOMS[:3].T, lambda x: 4 * x @ ATOMS[3:].T)


def scored(mixed, seed=0):
    train, test, decode = pairs(800, mixed, 1), pairs(400, mixed, 2), decoder(mixed)
    masks = [learned_mask(train, attribute, READERS, decode, seed=seed) for attribute in (0, 1)]
    return disentanglement(test, masks, READERS, decode), masks


def test_attributes_with_features_of_their_own_are_told_apart():
    found, masks = scored(mixed=False)
    assert masks[0].tolist() == [True] * 3 + [False] * 6
    assert masks[1].tolist() == [False] * 3 + [True] * 4 + [False] * 2
    assert found.score == 1.0
    assert found.cause == (1.0, 1.0)
    assert found.isolation == (1.0, 1.0)


def test_attributes_of_one_feature_each_combination_are_not():
    found, _ = scored(mixed=True)
    assert found.score < 0.75
    assert found.score == pytest.approx((sum(found.cause) + sum(found.isolation)) / 4)


def test_an_empty_mask_isolates_and_a_full_one_causes():
    test, decode = pairs(200, False, 2), decoder(False)
    empty, full = torch.zeros(9, dtype=torch.bool), torch.ones(9, dtype=torch.bool)
    none = disentanglement(test, [empty, empty], READERS, decode)
    everything = disentanglement(test, [full, full], READERS, decode)
    assert (none.cause, none.isolation, none.score) == ((0.0, 0.0), (1.0, 1.0), 0.5)
    assert (everything.cause, everything.isolation, everything.score) == ((1.0, 1.0), (0.0, 0.0), 0.5)
    one = disentanglement(test, [full, empty], READERS, decode)
    assert (one.cause, one.isolation) == ((1.0, 0.0), (0.0, 1.0))


def test_only_rows_in_which_the_attribute_differs_say_anything():
    test, decode = pairs(200, False, 2), decoder(False)
    same = test._replace(source_labels=torch.stack([test.labels[:, 0], test.source_labels[:, 1]], dim=1))
    masks = [torch.zeros(9, dtype=torch.bool)] * 2
    with pytest.warns(UserWarning, match="never differ"):
        found = disentanglement(same, masks, READERS, decode)
    assert math.isnan(found.score)
    assert math.isnan(found.cause[0])
    assert math.isnan(found.isolation[1])
    assert (found.cause[1], found.isolation[0]) == (0.0, 1.0)


def test_interchange_takes_masked_features_from_the_source_and_keeps_the_error():
    x, codes, source = torch.tensor([[5.0, 7.0]]), torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 9.0]])
    decode = lambda f: f * 10 + 1  # noqa: E731
    assert interchange(x, codes, source, torch.tensor([True, False]), decode).tolist() == [[25.0, 7.0]]
    assert interchange(x, codes, source, torch.tensor([0.5, 0.0]), decode).tolist() == [[15.0, 7.0]]


def test_a_mask_is_learnt_in_two_epochs_by_adam_whatever_the_outer_gradient_mode():
    train, decode = pairs(160, False, 1), decoder(False)
    calls = []

    def counting(f):
        calls.append(len(f))
        return decode(f)

    with torch.no_grad():
        mask = learned_mask(train, 0, READERS, counting)
    assert len(calls) == 2 * 2 * 10  # decoded before and after the edit, two epochs of ten batches
    assert set(calls) == {16}
    assert mask.dtype == torch.bool
    assert torch.equal(mask, learned_mask(train, 0, READERS, decode, epochs=2, learning_rate=1e-3, batch_rows=16))
    parameters = torch.nn.Linear(16, 3)
    learned_mask(train, 0, (parameters, READERS[1]), decode)
    assert parameters.weight.grad is None


def test_the_mask_starts_half_way_and_hardens_until_its_temperature_is_a_hundredth():
    # From sources whose codes are all 1 to bases whose codes are all 0, the mask itself is what is decoded.
    rows, seen = 160, []
    labels = torch.zeros(rows, 2, dtype=torch.int64)
    train = Pairs(torch.zeros(rows, 2), torch.zeros(rows, 2), torch.ones(rows, 2), labels, 1 - labels)

    def decode(f):
        seen.append(f[0].tolist())
        return f

    # The first feature always says the first attribute's new value, the second always spoils the other attribute.
    readers = [lambda x, a=a: torch.stack([-x[:, a], x[:, a]], dim=1) for a in (0, 1)]
    mask = learned_mask(train, 0, readers, decode)
    assert mask.tolist() == [True, False]
    shares = [each for each in seen if each != [0.0, 0.0]]
    assert len(shares) == 20
    # Adam moves a score by its learning rate while the gradient keeps its sign.
    for step, (one, other) in enumerate(shares):
        logit = 1e-3 * step / 0.01 ** (step / 19)
        assert one == pytest.approx(1 / (1 + math.exp(-logit)), abs=0.01)
        assert other == pytest.approx(1 / (1 + math.exp(logit)), abs=0.01)


def test_what_does_not_fit_is_refused():
    train, decode = pairs(20, False, 1), decoder(False)
    with pytest.raises(DataError, match="rows differ"):
        learned_mask(train._replace(x=train.x[1:]), 0, READERS, decode)
    for broken in (train._replace(labels=train.labels[:, :1]), train._replace(source_labels=train.labels[:, 0])):
        with pytest.raises(DataError, match="expected two attributes"):
            disentanglement(broken, [], READERS, decode)
    with pytest.raises(DataError, match="expected two attributes"):
        learned_mask(train, 0, READERS[:1], decode)
