"""The interpretability score: which concepts stay, what the classifier says, who chooses, and areas."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from pellucid.errors import DataError
from pellucid.heads.concepts.few_concepts import FewConceptsClassifier, kept, only_strongest
from pellucid.measures.classifier_training import LabelledRows, fitted
from pellucid.measures.concept_libraries import cluster_concepts, prototype_concepts, unit_concepts
from pellucid.measures.interpretability_score import RATIOS, RetentionCurve, interpretability_score, retention_curve


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("concepts", [40, 100, 200])
def test_what_stays_is_the_published_rule_and_the_strongest_where_that_keeps_nothing(concepts, ratio):
    scores = noise(30, concepts)
    found = only_strongest(scores, ratio)
    for row, one in zip(scores, found, strict=True):
        limit = row.abs().sort().values[int(round(concepts * ratio, 6))]
        expected = torch.where(row.abs() > limit, row, 0.0)
        if not expected.any():
            assert concepts - int(concepts * ratio) == 1
            expected = torch.where(row.abs() == limit, row, 0.0)
        assert torch.equal(one, expected)
    assert ((found != 0).sum(1) == kept(concepts, ratio)).all()


def test_the_number_that_stays_is_not_moved_by_rounding():
    assert kept(100, 0.29) == 70
    assert kept(40, 0.98) == kept(2, 0.5) == 1
    assert kept(200, 0.0) == 199
    assert kept(3, 0.5) == 1
    # Equal scores at the limit all go, unless nothing were left.
    assert only_strongest(torch.tensor([[1.0, -2.0, 2.0, 3.0]]), 0.3).tolist() == [[0.0, 0.0, 0.0, 3.0]]
    assert only_strongest(torch.tensor([[1.0, -2.0, 2.0, 2.0]]), 0.3).tolist() == [[0.0, -2.0, 2.0, 2.0]]


def test_gradients_pass_through_what_stays_only():
    scores = torch.tensor([[0.1, -3.0, 2.0, 0.5]], requires_grad=True)
    only_strongest(scores, 0.5).sum().backward()
    assert scores.grad.tolist() == [[0.0, 1.0, 0.0, 0.0]]


def test_the_bottleneck_is_the_formula_and_its_contributions_are_its_logits():
    concepts, x = unit_concepts(noise(10, 6, seed=1)), noise(5, 6, seed=2)
    torch.manual_seed(0)
    model = FewConceptsClassifier(concepts, 3, 0.5)
    assert float(model.linear.weight.detach().std()) == pytest.approx(0.02, rel=0.4)
    assert (model.linear.bias == 0).all()
    with torch.no_grad():
        model.norm.weight.copy_(noise(10, seed=3))
        model.norm.bias.copy_(noise(10, seed=4))
        model.linear.bias.copy_(noise(3, seed=5))
        c = x @ concepts.t()
        c = (c - c.mean(1, keepdim=True)) / (c.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
        c = c * model.norm.weight + model.norm.bias
        c = c * (c.abs() > c.abs().sort(1).values[:, 5:6])
        torch.testing.assert_close(model.scores(x), c)
        torch.testing.assert_close(model(x), c @ model.linear.weight.t() + model.linear.bias)
        torch.testing.assert_close(model.contributions(x).sum(-1) + model.linear.bias, model(x))
    assert ((model.contributions(x) != 0).sum(-1) == 4).all()
    assert "concepts" not in dict(model.named_parameters())


def test_libraries_are_first_segments_and_centres_of_clusters_with_unit_rows():
    centres = unit_concepts(noise(5, 8, seed=6)) * 4
    segments = centres[torch.arange(500) % 5] + 0.1 * noise(500, 8, seed=7)
    first = prototype_concepts(segments, 7)
    torch.testing.assert_close(first, segments[:7] / segments[:7].norm(dim=1, keepdim=True))
    for most in (20_000, 100):
        found = cluster_concepts(segments, 5, most=most)
        assert found.dtype == segments.dtype
        torch.testing.assert_close(found.norm(dim=1), torch.ones(5))
        assert float((found @ unit_concepts(centres).t()).max(0).values.min()) > 0.99
    assert torch.equal(cluster_concepts(segments, 5, most=100, seed=1), cluster_concepts(segments, 5, most=100, seed=1))


def test_areas_are_by_trapezia_and_nothing_lost_is_the_width_of_the_grid():
    ratios = np.array(RATIOS)
    curve = RetentionCurve(ratios, np.full(8, 0.7), 0.7, 0.1, np.zeros(8))
    assert curve.iis == pytest.approx(0.98, abs=1e-12)
    assert curve.iis_norm == pytest.approx(1.0)
    assert interpretability_score(np.array([0.9, 0.0, 0.5]), np.array([0.0, 1.0, 0.6])) == pytest.approx(0.4 + 0.12)
    half = RetentionCurve(np.array([0.5, 0.9]), np.array([0.4, 0.2]), 0.8, 0.1, np.zeros(2))
    assert half.retention.tolist() == pytest.approx([0.5, 0.25])
    assert half.iis == pytest.approx(0.15)
    assert half.iis_norm == pytest.approx(0.375)


def rows(count, seed, flip=False, classes=3):
    y = torch.arange(count) % classes
    x = 4 * torch.nn.functional.one_hot(y, 6).float() + noise(count, 6, seed=seed)
    return LabelledRows(x, (y + 1) % classes if flip else y)


def test_validation_rows_choose_and_test_rows_do_not():
    train, validation, test = rows(300, 0), rows(150, 1), rows(150, 2)
    options = dict(ratios=(0.0, 0.5), epochs=6, batch_size=50)
    one = retention_curve(train, validation, test, torch.eye(6), **options)
    with pytest.warns(UserWarning, match="chance is 0.333"):
        other = retention_curve(train, validation, rows(150, 2, flip=True), torch.eye(6), **options)
    for a, b in zip(one.chosen, other.chosen, strict=True):
        assert (a.accuracy, a.learning_rate, a.epoch) == (b.accuracy, b.learning_rate, b.epoch)
        assert all(torch.equal(p, q) for p, q in zip(a.model.parameters(), b.model.parameters(), strict=True))
    assert other.standard < 0.1 < 0.95 < one.standard
    assert one.chance == pytest.approx(1 / 3)
    assert one.accuracies.min() > 0.9
    assert one.kept.tolist() == [5, 2]
    turned = retention_curve(train, rows(150, 1, flip=True), test, torch.eye(6), **options)
    assert turned.standard < one.standard


def test_the_best_epoch_and_learning_rate_are_kept():
    train, validation = rows(300, 0), rows(150, 1)
    torch.manual_seed(0)
    found = fitted(torch.nn.Linear(6, 3), train, validation, epochs=5, batch_size=50)
    reached = float((found.model(validation.x).argmax(1) == validation.y).double().mean())
    assert found.accuracy == reached
    every = []
    for rate in (1e-3, 1e-2, 1e-1):
        for epochs in range(1, 6):
            torch.manual_seed(0)
            model = torch.nn.Linear(6, 3)
            every.append(
                (fitted(model, train, validation, learning_rates=[rate], epochs=epochs, batch_size=50).accuracy, rate)
            )
    assert found.accuracy == max(every)[0]
    assert 1 <= found.epoch <= 5


def test_the_learning_rate_decays_and_labels_are_learnt_in_any_company():
    train, validation = rows(64, 0), rows(30, 1)
    torch.manual_seed(0)
    model, peer = torch.nn.Linear(6, 3), torch.nn.Linear(6, 3)
    peer.load_state_dict(model.state_dict())
    found = fitted(model, train, validation, learning_rates=[0.1], epochs=1, batch_size=64)
    optimizer = torch.optim.Adam(peer.parameters(), lr=0.1)
    torch.nn.functional.cross_entropy(peer(train.x), train.y).backward()
    optimizer.step()
    torch.testing.assert_close(found.model.weight, peer.weight)


def test_a_seed_repeats_itself_and_leaves_the_generator_alone():
    train, validation, test = rows(200, 0), rows(100, 1), rows(100, 2)
    state = torch.random.get_rng_state()
    options = dict(ratios=(0.0, 0.8), epochs=2, batch_size=50)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, two, other = (retention_curve(train, validation, test, torch.eye(6), seed=s, **options) for s in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    first = [next(c.chosen[0].model.linear.parameters()) for c in (one, two, other)]
    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[0], first[2])


def test_what_cannot_be_scored_is_refused_with_a_reason():
    part = rows(60, 0)
    for refused, told in (
        (lambda: unit_concepts(torch.tensor([[0.0, 0.0], [1.0, 0.0]])), "1 of 2 concept vectors"),
        (lambda: unit_concepts(torch.tensor([[float("nan"), 0.0], [1.0, 0.0]])), "1 of 2 concept vectors"),
        (lambda: prototype_concepts(part.x, 61), "need as many segments, got 60"),
        (lambda: cluster_concepts(part.x, 61), "need as many segments, got 60"),
        (lambda: FewConceptsClassifier(torch.eye(6), 3, 1.0), "below 1"),
        (lambda: FewConceptsClassifier(torch.eye(6), 3, -0.1), "below 1"),
        (lambda: FewConceptsClassifier(torch.eye(6)[:1], 3, 0.0), "two concepts, got 1"),
        (lambda: retention_curve(part, part, part, torch.eye(6), ratios=(0.5,)), "two or more"),
        (lambda: retention_curve(part, part, part, torch.eye(6), ratios=(0.5, 0.5, 0.9)), "two or more"),
    ):
        with pytest.raises(DataError, match=told):
            refused()
