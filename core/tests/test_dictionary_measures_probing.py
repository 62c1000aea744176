"""Probes: planted concepts, scikit-learn called by hand, and gradients against a solver."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from pellucid.errors import DataError
from pellucid.measures.dictionaries.linear_probes import LinearProbes, balanced_rows, fit_linear_probes
from pellucid.measures.dictionaries.probing import (
    KS,
    MOST_ROUNDS,
    fit_probe,
    mean_difference,
    mean_pool,
    sparse_probe,
    sparse_probing,
    top_features,
)


def planted(rows=300, seed=0):
    """A concept that one feature holds, and that is smeared over all units of the activations."""
    rng = np.random.default_rng(seed)
    labels = torch.from_numpy(rng.integers(0, 2, rows))
    codes = torch.from_numpy(rng.random((rows, 20))).float() * torch.from_numpy(rng.random((rows, 20)) < 0.3)
    codes[:, 7] = labels * (1 + codes[:, 7])
    atoms = torch.from_numpy(np.random.default_rng(9).normal(size=(20, 30))).float()
    x = codes @ atoms + 0.3 * torch.from_numpy(rng.normal(size=(rows, 30))).float()
    return codes, x, labels


def test_a_concept_of_one_feature_is_read_from_one_feature_and_not_from_one_unit():
    codes, x, labels = planted()
    test_codes, test_x, test_labels = planted(seed=1)
    found = sparse_probing(codes, labels, test_codes, test_labels, raw_train=x, raw_test=test_x)
    assert list(found.codes) == list(found.raw) == list(KS) == [1, 2, 5]
    assert found.codes[1].features.tolist() == [7]
    assert found.codes[1].accuracy == 1.0
    assert found.raw[1].accuracy < 0.9
    assert found.full.accuracy > 0.95
    assert len(found.full.features) == 30
    assert found.majority == pytest.approx(float((test_labels == (labels.double().mean() > 0.5)).double().mean()))


def test_shuffled_labels_are_read_from_nothing():
    codes, _, labels = planted(rows=1000)
    shuffled = labels[torch.randperm(1000, generator=torch.Generator().manual_seed(0))]
    found = sparse_probing(codes[:500], shuffled[:500], codes[500:], shuffled[500:])
    assert all(abs(probe.accuracy - 0.5) < 0.08 for probe in found.codes.values())
    assert found.raw == {}
    assert found.full is None


@pytest.mark.parametrize("k", [1, 2, 5])
def test_a_probe_is_scikit_learns_on_the_features_that_differ_most(k):
    codes, _, labels = planted(rows=80)
    codes[:, 7] *= 0.2
    test_codes, _, test_labels = planted(rows=60, seed=1)
    found = sparse_probe(codes, labels, test_codes, test_labels, k)
    yes, no = codes.double().numpy()[labels == 1], codes.double().numpy()[labels == 0]
    order = np.argsort(-np.abs(yes.mean(0) - no.mean(0)))[:k]
    assert found.features.tolist() == order.tolist()
    assert mean_difference(codes, labels).numpy() == pytest.approx(yes.mean(0) - no.mean(0))
    model = LogisticRegression(C=1.0, max_iter=1000).fit(codes.double().numpy()[:, order], labels.numpy())
    decisions = model.predict(test_codes.double().numpy()[:, order])
    assert found.decisions.tolist() == decisions.astype(bool).tolist()
    assert found.accuracy == pytest.approx((decisions == test_labels.numpy()).mean())
    assert found.weight.tolist() == pytest.approx(model.coef_[0].tolist())
    assert found.bias == pytest.approx(model.intercept_[0])
    # Nothing of the probe depends on the test rows.
    other = sparse_probe(codes, labels, test_codes.flip(0) * 3, test_labels, k)
    assert other.weight.tolist() == found.weight.tolist()


def test_of_equal_features_the_first_is_taken_and_features_that_fall_count_as_those_that_rise():
    labels = torch.tensor([1, 1, 0, 0])
    codes = torch.tensor([[0.0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 3], [0, 0, 0, 3]])
    assert top_features(codes, labels, 3).tolist() == [3, 1, 2]
    assert mean_difference(codes, labels).tolist() == [0.0, 1.0, 1.0, -3.0]
    assert top_features(codes, labels, 9).tolist() == [3, 1, 2, 0]


def test_the_majority_is_that_of_the_training_rows():
    codes, _, _ = planted(rows=10)
    few, many = torch.arange(10) < 3, torch.arange(10) < 6
    assert sparse_probing(codes, few, codes, many, ks=(1,)).majority == pytest.approx(0.4)
    assert sparse_probing(codes, many, codes, few, ks=(1,)).majority == pytest.approx(0.3)
    assert MOST_ROUNDS == 1000


def test_one_label_alone_or_no_test_rows_give_no_accuracy():
    codes, _, labels = planted(rows=20)
    for train, test in ((labels * 0, labels), (labels * 0 + 1, labels)):
        with pytest.warns(UserWarning, match="training rows of both labels"):
            probe = fit_probe(codes, train, codes, test, torch.tensor([7]))
        assert math.isnan(probe.accuracy)
        assert len(probe.decisions) == 20
    with pytest.warns(UserWarning, match="training rows of both labels"):
        assert math.isnan(fit_probe(codes, labels, codes[:0], labels[:0], torch.tensor([7])).accuracy)
    with pytest.warns(UserWarning, match="majority is not defined"):
        assert math.isnan(sparse_probing(codes, labels, codes[:0], labels[:0]).majority)
    with pytest.warns(UserWarning, match="majority is not defined"):
        assert math.isnan(sparse_probing(codes[:0], labels[:0], codes, labels).majority)


def test_what_does_not_fit_is_refused():
    codes, x, labels = planted(rows=20)
    with pytest.raises(DataError, match="pass both or none"):
        sparse_probing(codes, labels, codes, labels, raw_train=x)
    with pytest.raises(DataError, match="pass both or none"):
        sparse_probing(codes, labels, codes, labels, raw_test=x)
    with pytest.raises(DataError, match="train 20, train_labels 19"):
        fit_probe(codes, labels[1:], codes, labels, torch.tensor([0]))
    with pytest.raises(DataError, match="test 19, test_labels 20"):
        fit_probe(codes, labels, codes[1:], labels, torch.tensor([0]))


def test_the_mean_over_positions_leaves_padding_out():
    values = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [torch.nan, 9.0]], [[5.0, 5.0], [7.0, 7.0], [0.0, 0.0]]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    assert mean_pool(values, mask).tolist() == [[2.0, 4.0], [4.0, 4.0]]
    assert mean_pool(values)[1].tolist() == [4.0, 4.0]
    assert mean_pool(values, ~mask)[1].isnan().all()


def test_probes_by_gradient_come_to_where_a_solver_comes_and_do_not_depend_on_each_other():
    _, x, labels = planted(rows=400)
    x = x[:, :4]
    other = (x[:, 0] > 0).long()
    both = torch.stack([labels, other], dim=1)
    settings = {"epochs": 200, "learning_rate": 0.03, "batch_rows": 400, "l1": 0.0}
    found = fit_linear_probes(x, both, **settings)
    alone = fit_linear_probes(x, both[:, :1], **settings)
    assert found.weight[0].tolist() == pytest.approx(alone.weight[0].tolist(), abs=1e-4)
    solver = LogisticRegression(C=1e6, max_iter=5000).fit(x.numpy(), labels.numpy())
    agree = (torch.from_numpy(solver.predict(x.numpy())) == (found.logits(x)[:, 0] > 0)).double().mean()
    assert agree > 0.98
    assert found.weight[0].numpy() == pytest.approx(solver.coef_[0], abs=0.1)
    assert float(found.bias[0]) == pytest.approx(float(solver.intercept_[0]), abs=0.1)


def test_the_penalty_leaves_weights_of_no_use_at_zero():
    codes, _, labels = planted(rows=400)
    settings = {"epochs": 60, "learning_rate": 0.01, "batch_rows": 100}
    plain = fit_linear_probes(codes, labels[:, None], l1=0.0, **settings).weight[0]
    thin = fit_linear_probes(codes, labels[:, None], l1=0.05, **settings).weight[0]
    assert int(thin.argmax()) == 7
    others = torch.arange(20) != 7
    assert thin[others].abs().max() < 0.03
    assert plain[others].abs().max() > 0.1


@pytest.mark.parametrize("batch_rows", [50, 200])
def test_the_penalty_has_the_weight_it_says_beside_the_mean_loss(batch_rows):
    # One unit of +-1 that agrees with its label nine times in ten: without penalty the weight is logit(0.9), and a
    # penalty p on its size moves that to logit(0.9 - p).
    x = torch.tensor([1.0, -1.0]).repeat(100)[:, None]
    labels = torch.where(torch.arange(200) % 20 < 2, x[:, 0] < 0, x[:, 0] > 0)[:, None]
    settings = {"epochs": 400 * batch_rows // 200, "learning_rate": 0.03, "batch_rows": batch_rows}
    for l1, expected in ((0.0, 0.9), (0.1, 0.8)):
        found = fit_linear_probes(x, labels, l1=l1, **settings).weight.item()
        assert found == pytest.approx(math.log(expected / (1 - expected)), abs=0.15)


def test_the_settings_are_those_of_the_benchmark_and_a_seed_gives_the_same_probe():
    codes, _, labels = planted(rows=160)
    one = fit_linear_probes(codes, labels[:, None])
    named = fit_linear_probes(codes, labels[:, None], learning_rate=1e-3, epochs=20, batch_rows=16, l1=1e-3, seed=0)
    other = fit_linear_probes(codes, labels[:, None], seed=1)
    assert torch.equal(one.weight, named.weight)
    assert not torch.equal(one.weight, other.weight)
    # 200 steps of 0.001 cannot bring a weight further than 0.2.
    assert 0.15 < float(one.weight[0, 7]) < 0.21


def test_balanced_probes_find_rare_concepts_and_rows_left_out_teach_nothing():
    codes, _, labels = planted(rows=600)
    rare = (labels.bool() & (torch.arange(600) % 10 == 0)).long()[:, None]
    blurred = codes[:, [7]] + torch.randn(600, 1, generator=torch.Generator().manual_seed(0))
    settings = {"epochs": 40, "learning_rate": 0.01, "batch_rows": 100, "l1": 0.0}
    plain = fit_linear_probes(blurred, rare, **settings)
    balanced = fit_linear_probes(blurred, rare, balanced=True, **settings)
    said = [float((probe.logits(blurred)[:, 0] > 0).double().mean()) for probe in (plain, balanced)]
    assert said[0] < 0.05
    assert 0.3 < said[1] < 0.8
    solver = LogisticRegression(C=1e6, class_weight="balanced").fit(blurred.numpy(), rare[:, 0].numpy())
    assert float(balanced.weight[0, 0]) == pytest.approx(solver.coef_[0, 0], abs=0.15)
    assert float(balanced.bias[0]) == pytest.approx(float(solver.intercept_[0]), abs=0.15)
    wrong = labels.clone()
    wrong[300:] = 1 - wrong[300:]
    rows = (torch.arange(600) < 300)[:, None]
    taught = fit_linear_probes(codes, wrong[:, None], rows=rows, **settings)
    assert float(taught.accuracy(codes, labels[:, None])) > 0.97
    assert float(fit_linear_probes(codes, wrong[:, None], **settings).accuracy(codes, labels[:, None])) < 0.8
    with pytest.raises(DataError, match="expected \\(row, concept\\)"):
        fit_linear_probes(codes, labels)
    with pytest.raises(DataError, match="rows differ"):
        fit_linear_probes(codes[1:], labels[:, None])


def test_accuracy_counts_the_rows_it_is_told_to():
    probes = LinearProbes(torch.tensor([[1.0], [-1.0]]), torch.tensor([0.0, -0.5]))
    x, labels = torch.tensor([[1.0], [2.0], [-1.0], [-0.2]]), torch.tensor([[1, 0], [0, 0], [0, 1], [0, 1]])
    assert probes.logits(x)[:, 1].tolist() == pytest.approx([-1.5, -2.5, 0.5, -0.3])
    assert probes.accuracy(x, labels).tolist() == [0.75, 0.75]
    rows = torch.tensor([[True, True], [False, True], [False, False], [False, True]])
    assert probes.accuracy(x, labels, rows).tolist() == pytest.approx([1.0, 2 / 3])
    assert probes.accuracy(x, labels, torch.zeros_like(rows)).isnan().all()


def test_as_many_rows_of_yes_as_of_no_are_drawn():
    labels = torch.zeros(50, 3)
    labels[:5, 0] = labels[:40, 1] = 1
    rows = balanced_rows(labels)
    assert rows.sum(0).tolist() == [10, 20, 0]
    assert (rows & (labels > 0)).sum(0).tolist() == [5, 10, 0]
    assert not torch.equal(rows, balanced_rows(labels, seed=1))
    assert torch.equal(rows, balanced_rows(labels, seed=0))
