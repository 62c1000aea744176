"""Metric goldens of the survey of self-interpretable networks (arXiv 2501.15638): known answers on known models.

A linear model explained by ``w * x`` is explained truly, so every measure has an answer that is known beforehand; random
numbers, concepts with a planted leak, and copies of the input have theirs too.
"""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from pellucid import plugins
from pellucid.explanation import Family
from pellucid.faithfulness import (
    comprehensiveness,
    concept_leakage,
    curve_area,
    effective_number,
    entropy,
    faithfulness_correlation,
    gini,
    infidelity,
    local_lipschitz,
    max_sensitivity,
    random_orders,
    rank_correlation,
    reinitialised,
    removal_curve,
    strongest_first,
    sufficiency,
)
from pellucid.heads.base import HeadTags
from pellucid.heads.tags import Learnt

pytestmark = pytest.mark.reproduction

SAMPLES, UNITS = 200, 12


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def linear(generator):
    """Weights, samples, and the model's output as a function of units."""
    weight = torch.randn(UNITS, generator=generator)
    x = torch.randn(SAMPLES, UNITS, generator=generator)
    return weight, x, lambda values, rows: values @ weight


ZERO = torch.zeros(UNITS)


def test_a_linear_model_is_complete(linear):
    weight, x, f = linear
    rows = torch.arange(SAMPLES)
    gap = f(x, rows) - f(ZERO[None], rows[:1]) - (x * weight).sum(1)
    assert gap.abs().max() < 1e-5


def test_faithfulness_correlation_of_the_truth_is_one_and_of_random_numbers_none(linear, generator):
    weight, x, f = linear
    for size in (1, 4, 8):
        true = faithfulness_correlation(f, x, ZERO, x * weight, size=size, draws=50, generator=generator)
        assert (true > 1 - 1e-5).all()
    noise = torch.randn(SAMPLES, UNITS, generator=generator)
    random = faithfulness_correlation(f, x, ZERO, noise, size=4, draws=100, generator=generator)
    assert abs(random.mean()) < 0.05
    # Each single one may be far off; it is the mean that says nothing.
    assert random.abs().max() > 0.3


def test_infidelity_of_the_truth_is_zero_and_agrees_with_captum(linear, generator):
    from captum import metrics as captum

    weight, x, f = linear
    steps = torch.randn(10, SAMPLES, UNITS, generator=generator)
    slopes = weight.expand_as(x)
    assert infidelity(f, x, slopes, steps).max() < 1e-8
    wrong = slopes + torch.randn(SAMPLES, UNITS, generator=generator)
    ours = infidelity(f, x, wrong, steps)
    draws = iter(steps)

    def perturb(values):
        step = next(draws)
        return step, values - step

    peer = captum.infidelity(
        lambda v: v @ weight, perturb, x, wrong, n_perturb_samples=10, max_examples_per_batch=SAMPLES
    )
    torch.testing.assert_close(ours, peer, rtol=1e-4, atol=1e-5)


def test_deletion_in_the_true_order_beats_random_order_on_every_sample(linear, generator):
    weight, x, f = linear
    counts = torch.arange(UNITS + 1)
    order = strongest_first(x * weight)
    true = curve_area(removal_curve(f, x, ZERO, order, counts), counts)
    random = curve_area(removal_curve(f, x, ZERO, random_orders(SAMPLES, UNITS, generator), counts), counts)
    assert (true < random).all()
    put_back = curve_area(removal_curve(f, x, ZERO, order, counts, insert=True), counts)
    back = random_orders(SAMPLES, UNITS, generator)
    assert (put_back > curve_area(removal_curve(f, x, ZERO, back, counts, insert=True), counts)).all()


def test_a_deletion_curve_is_that_of_a_loop(linear, generator):
    weight, x, f = linear
    order, counts = random_orders(SAMPLES, UNITS, generator), torch.tensor([0, 1, 5, 12])
    base = torch.randn(UNITS, generator=generator)
    for insert in (False, True):
        curve = removal_curve(f, x, base, order, counts, insert=insert)
        for sample in (0, 7, 199):
            for step, count in enumerate(counts.tolist()):
                units = order[sample, :count]
                values = base.clone() if insert else x[sample].clone()
                values[units] = x[sample, units] if insert else base[units]
                assert curve[sample, step] == pytest.approx((values @ weight).item(), abs=1e-4)
    area = curve_area(torch.tensor([[3.0, 1.0, 0.0]]), torch.tensor([0, 1, 4]))
    assert area.item() == pytest.approx((2 * 1 + 0.5 * 3) / 4)


def test_curves_do_not_depend_on_how_many_rows_are_evaluated_at_once(generator, monkeypatch):
    from pellucid.faithfulness import removal

    x, own = torch.randn(11, UNITS, generator=generator), torch.randn(11, generator=generator)
    order, counts, sizes = random_orders(11, UNITS, generator), torch.tensor([0, 3, 12]), []

    def f(values, rows):
        sizes.append(len(rows))
        return values.sum(1) * own[rows]  # a model that depends on the sample beside its units

    whole = removal_curve(f, x, ZERO, order, counts)
    monkeypatch.setattr(removal, "ROWS", 13)
    torch.testing.assert_close(removal_curve(f, x, ZERO, order, counts), whole)
    assert sizes == [33, 12, 12, 9]
    torch.testing.assert_close(whole[:, 0], x.sum(1) * own)


def test_comprehensiveness_and_sufficiency_have_their_ends(linear):
    weight, x, f = linear
    order, rows = strongest_first(x * weight), torch.arange(SAMPLES)
    whole, nothing = f(x, rows), f(ZERO.expand_as(x), rows)
    torch.testing.assert_close(comprehensiveness(f, x, ZERO, order, UNITS), whole - nothing)
    torch.testing.assert_close(comprehensiveness(f, x, ZERO, order, 0), torch.zeros(SAMPLES))
    torch.testing.assert_close(sufficiency(f, x, ZERO, order, UNITS), torch.zeros(SAMPLES))
    torch.testing.assert_close(sufficiency(f, x, ZERO, order, 0), whole - nothing)
    # For a linear model, what the first units take away is what they add.
    first = (x * weight).gather(1, order[:, :3]).sum(1)
    torch.testing.assert_close(comprehensiveness(f, x, ZERO, order, 3), first, atol=1e-4, rtol=1e-4)


def test_concepts_with_the_label_in_the_second_decimal_leak_and_hard_ones_do_not():
    random = np.random.default_rng(0)
    labels = (random.random(600) < 0.5).astype(float)
    subjects = np.arange(600) // 2
    hard = (random.random((600, 4)) < 0.5).astype(float)
    soft = hard + 0.01 * labels[:, None] * np.array([1, 0, 0, 0]) + 0.001 * random.random((600, 4))
    assert concept_leakage(soft, hard, labels, subjects) > 0.2
    assert concept_leakage(hard, hard, labels, subjects) == 0.0
    # Decimals that are noise carry nothing.
    assert abs(concept_leakage(hard + 0.01 * random.random((600, 4)), hard, labels, subjects)) < 0.08


def trained(generator):
    """A network of three layers that has learnt a planted function."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(UNITS, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    x = torch.randn(512, UNITS, generator=generator)
    y = torch.sin(x[:, :1]) + x[:, 1:2] * x[:, 2:3] - x[:, 3:4]
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(200):
        optimizer.zero_grad()
        (model(x) - y).square().mean().backward()
        optimizer.step()
    assert (model(x) - y).square().mean() < 0.2 * y.var()
    return model, x[:200]


def gradient(model, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(model(x).sum(), x)[0]


def test_gradients_change_with_the_parameters_and_a_copy_of_the_input_does_not(generator):
    model, x = trained(generator)

    def edges(module, values):
        """What an edge detector shows: differences of the input, whatever the model."""
        return (values - values.roll(1, dims=1)).abs()

    similar = {"gradient": [], "edges": []}
    for _ in range(5):
        other = reinitialised(model, generator)
        similar["gradient"].append(rank_correlation(gradient(model, x), gradient(other, x)).mean())
        similar["edges"].append(rank_correlation(edges(model, x), edges(other, x)).mean())
    assert abs(np.mean(similar["gradient"])) < 0.5
    assert max(similar["gradient"]) < 0.5
    assert np.allclose(similar["edges"], 1.0)
    # The copies are models of the same size, and the original is as it was.
    for before, after in zip(model.parameters(), other.parameters(), strict=True):
        if before.numel() > 100:
            assert after.square().mean().sqrt().item() == pytest.approx(before.square().mean().sqrt().item(), rel=0.25)
        assert not torch.equal(before, after)


def test_sensitivity_and_lipschitz_of_known_explanations(generator):
    weight, x = torch.randn(UNITS, generator=generator), torch.randn(50, UNITS, generator=generator)
    draw = {"radius": 0.1, "draws": 20, "generator": generator}
    assert max_sensitivity(lambda v: weight.expand_as(v), x, **draw).max() == 0
    assert local_lipschitz(lambda v: 3 * v, x, **draw).sub(3).abs().max() < 1e-4
    found = max_sensitivity(lambda v: v, x, **draw)
    assert (found <= 0.1 * UNITS**0.5 / x.norm(dim=1) + 1e-6).all()
    assert (found > 0.05 * UNITS**0.5 / x.norm(dim=1)).all()


def test_complexity_of_known_explanations():
    one, all_alike = torch.tensor([[0.0, -3.0, 0.0, 0.0]]), torch.full((1, 4), -0.5)
    assert gini(one).item() == pytest.approx(0.75)
    assert gini(all_alike).item() == pytest.approx(0.0, abs=1e-7)
    assert entropy(all_alike).item() == pytest.approx(np.log(4))
    assert entropy(one).item() == pytest.approx(0.0)
    assert effective_number(all_alike).item() == pytest.approx(4.0)
    # Gini's index by its definition: mean difference of all pairs over twice the mean.
    sizes = torch.tensor([[1.0, 2.0, 5.0, 0.5, 0.1]])
    pairs = (sizes[0][:, None] - sizes[0][None]).abs().mean() / (2 * sizes.mean())
    assert gini(sizes).item() == pytest.approx(pairs.item(), rel=1e-6)


def test_rank_correlation_is_that_of_scipy(generator):
    from scipy.stats import spearmanr

    a, b = torch.randn(5, 9, generator=generator).round(), torch.randn(5, 9, generator=generator)
    peer = [spearmanr(one.numpy(), other.numpy()).statistic for one, other in zip(a, b, strict=True)]
    np.testing.assert_allclose(rank_correlation(a, b), peer, atol=1e-9)


def test_every_registered_head_says_what_it_is():
    heads = plugins.components("head")
    assert heads
    for name in heads:
        tags = plugins.load("head", name).tags
        assert isinstance(tags, HeadTags), name
        assert tags.family in get_args(Family), name
        assert tags.scope in ("local", "global"), name
        assert tags.stage in ("ante_hoc", "post_hoc"), name
        assert isinstance(tags.faithful_by_construction, bool), name
        assert tags.learns in get_args(Learnt), name
        assert bool(tags.targets) == tags.predicts, name
        assert (tags.family == "dictionary") == (tags.learns == "rows"), name
