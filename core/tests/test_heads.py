"""Heads: planted truths, an independent regression, and the promise that contributions are the output."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pellucid.batch import Batch
from pellucid.data import Binary, MultiClass, MultiLabel, Ordinal, Regression
from pellucid.data.spec import Concepts
from pellucid.errors import ContractError, StudyError
from pellucid.heads.concepts.bottleneck import ConceptBottleneck
from pellucid.heads.functions.additive import Additive
from pellucid.heads.functions.linear import Linear
from pellucid.heads.mlp import Mlp
from pellucid.moments import Moments
from pellucid.representation import Representation

YES = Binary(names=("no", "yes"))
RATED = Concepts(names=("first", "second"), low=(1.0, 0.0), high=(5.0, 1.0))
TARGETS = {
    "binary": YES,
    "multiclass": MultiClass(names=("a", "b", "c")),
    "multilabel": MultiLabel(names=("a", "b")),
    "ordinal": Ordinal(names=("low", "middle", "high")),
    "regression": Regression(names=("mass", "age"), units=("mg", "years")),
}
HEADS = (Linear, Additive, Mlp, ConceptBottleneck)


def made(head, target=YES, units=5, **options):
    names = tuple(f"u{at}" for at in range(units))
    return head(head.config_type(units=names, target=target, concepts=RATED, **options))


def batch_for(head, values, targets, concepts=None, known=None):
    z = Representation(values, head.config.units)
    if concepts is None:
        concepts = torch.stack([3 + values[:, 0].clamp(-2, 2), (values[:, 1] > 0).float()], dim=1)
    known = torch.ones_like(concepts, dtype=torch.bool) if known is None else known
    return z, Batch({"x": values}, targets=targets, concepts=concepts, concept_mask=known)


def learn(head, z, batch, steps=300, rate=1e-2):
    """Statistics, then each stage with Adam on the whole sample."""
    head.prepare([(z, batch)])
    for stage in head.stages():
        optimizer = torch.optim.Adam(stage.parameters(head), lr=rate)
        head.train()
        for _ in range(steps):
            optimizer.zero_grad()
            stage.loss(z, batch).backward()
            optimizer.step()
    return head.eval()


def labels_of(kind, x):
    """Labels that follow the first two units."""
    a, b = x[:, :1], x[:, 1:2]
    if kind == "binary":
        return (a > 0).float()
    if kind == "multiclass":
        return torch.where(a > 0.4, 2.0, torch.where(b > 0, 1.0, 0.0))
    if kind == "multilabel":
        return torch.cat([a > 0, b > 0.5], dim=1).float()
    if kind == "ordinal":
        return (a > -0.5).float() + (a > 0.5).float()
    return torch.cat([5000 + 300 * a, 0.02 * b], dim=1)


def hits(kind, outputs, labels):
    """How often outputs are right, from 0 to 1; for numbers the share of variance."""
    if kind == "regression":
        return float((1 - (outputs - labels).square().mean(0) / labels.var(0)).min())
    if kind == "multiclass":
        return float((outputs.argmax(1) == labels[:, 0]).float().mean())
    if kind == "ordinal":
        return float(((outputs > 0).sum(1) == labels[:, 0]).float().mean())
    return float(((outputs > 0) == (labels > 0.5)).float().mean())


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("head", HEADS, ids=lambda h: h.__name__)
def test_every_head_learns_every_kind_of_target_and_adds_up(head, kind):
    torch.manual_seed(0)
    x = torch.randn(600, 5) * torch.tensor([1.0, 1.0, 100.0, 1e-3, 1.0]) + torch.tensor([0.0, 0.0, 1e3, 0.0, 5.0])
    labels = labels_of(kind, x)
    model = made(head, TARGETS[kind])
    z, batch = batch_for(model, x, labels)
    learn(model, z, batch, steps=150)
    # Ratings say only whether the second unit is above 0, so a bottleneck cannot know all of it.
    enough = 0.85 if head is not ConceptBottleneck else 0.55 if kind == "regression" else 0.75
    outputs = model(z).detach()
    assert hits(kind, outputs, labels) > enough
    for at, name in enumerate(model.outputs):
        found = model.explain(z, name)
        assert torch.equal(found.output, outputs[:, at])
        size = outputs[:, at].abs().max().clamp(min=1).item()
        allowed = 1e-4 if model.tags.faithful_by_construction else 2e-3
        assert found.gap.abs().max() <= allowed * size
        assert (found.contributions.abs().sum(1) > 0).all()


def test_linear_finds_the_weights_of_an_independent_logistic_regression():
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    torch.manual_seed(1)
    x = torch.randn(400, 4) * torch.tensor([1.0, 20.0, 0.1, 1.0]) + 3
    chance = (x[:, 0] - 0.05 * x[:, 1] - 2).sigmoid()
    y = torch.bernoulli(chance)[:, None]
    strength = 0.7
    head = made(Linear, units=4, l2=1 / (400 * strength))
    z, batch = batch_for(head, x, y)
    learn(head, z, batch, steps=800, rate=3e-3)
    scaler = StandardScaler().fit(x.numpy())
    peer = LogisticRegression(C=strength, tol=1e-10).fit(scaler.transform(x.numpy()), y[:, 0].numpy())
    np.testing.assert_allclose(head(z)[:, 0].detach(), peer.decision_function(scaler.transform(x.numpy())), atol=2e-3)
    contributions = head.explain(z, "yes").contributions.detach().numpy()
    np.testing.assert_allclose(contributions, scaler.transform(x.numpy()) * peer.coef_, atol=2e-3)


def curves(x):
    return torch.stack([1.5 * (x[:, 0].square() - 1), 1.5 * (2 * x[:, 1]).sin(), x[:, 2], 0 * x[:, 3]], dim=1)


def test_additive_recovers_planted_curves():
    torch.manual_seed(0)
    x = torch.randn(1000, 4)
    y = curves(x).sum(1, keepdim=True) + 0.1 * torch.randn(1000, 1)
    head = made(Additive, Regression(names=("y",), units=("1",)), units=4, output_penalty=0.0)
    z, batch = batch_for(head, x, y)
    learn(head, z, batch, steps=400)
    grid = torch.linspace(-1.5, 1.5, 31)
    truth, usual = curves(grid[:, None].expand(-1, 4)), curves(x).mean(0)
    for at, unit in enumerate(head.config.units):
        _, heights = head.shape_function(unit, grid)
        error = (heights[:, 0] - (truth[:, at] - usual[at])).square().mean().sqrt()
        assert error < 0.25, unit
    # The curves drawn are the contributions explained, and centred where the samples were.
    found = head.explain(z, "y")
    _, heights = head.shape_function("u0", x[:50, 0])
    torch.testing.assert_close(found.contributions[:50, 0], heights[:, 0], atol=1e-4, rtol=1e-4)
    assert found.contributions.mean(0).abs().max() < 0.03
    # Kept values are the extremes and the middles of equal shares of the samples between them.
    assert head.knots[0].tolist() == x.min(0).values.tolist()
    assert head.knots[-1].tolist() == x.max(0).values.tolist()
    shares = (torch.arange(128) + 0.5) / 128
    torch.testing.assert_close(head.knots[1:-1], x.quantile(shares, dim=0), atol=0.1, rtol=0.05)
    assert abs(found.baseline[0] - found.output.mean()) < 0.05


def test_additive_sees_a_u_shape_that_linear_cannot():
    from sklearn.metrics import roc_auc_score

    torch.manual_seed(0)
    x = torch.randn(1100, 8)
    test = torch.randn(2000, 8)

    def says(head):
        z, batch = batch_for(head, x, (x[:, :1].abs() > 0.7).float())
        learn(head, z, batch, steps=200)
        return roc_auc_score(test[:, 0].abs() > 0.7, head(Representation(test, z.names))[:, 0].detach())

    assert says(made(Additive, units=8)) > 0.95
    assert says(made(Linear, units=8)) < 0.6


def test_an_additive_curve_goes_on_straight_beyond_the_training_samples():
    torch.manual_seed(0)
    x = torch.randn(300, 2)
    head = made(Additive, units=2)
    z, batch = batch_for(head, x, (x[:, :1].abs() > 0.7).float())
    learn(head, z, batch, steps=50)
    _, heights = head.shape_function("u0", torch.tensor([10.0, 20.0, 30.0]))
    assert heights[2] - heights[1] == pytest.approx((heights[1] - heights[0]).item(), abs=1e-3)


def test_additive_without_hidden_cells_is_the_linear_head():
    torch.manual_seed(0)
    x = torch.randn(300, 5)
    y = (x[:, :1] + 0.5 * torch.randn(300, 1) > 0).float()
    plain, bent = made(Linear), made(Additive, hidden=(), feature_dropout=0.0)
    for head in (plain, bent):
        learn(head, *batch_for(head, x, y), steps=100)
    z = Representation(x, plain.config.units)
    torch.testing.assert_close(plain(z), bent(z), atol=1e-4, rtol=1e-4)


def test_silent_units_are_the_share_asked_for_and_in_training_only():
    torch.manual_seed(0)
    x = torch.ones(4000, 5)
    head = made(Additive, hidden=(), feature_dropout=0.4, l2=0.0)
    z, batch = batch_for(head, x, torch.ones(4000, 1))
    head.slope.data.fill_(0.1)
    # Each unit adds 1; a silent one adds 0 and the others 1 / (1 - 0.4), so that the mean stays.
    said = []
    head.likelihood_loss = lambda output, batch: said.append(output.detach()) or output.mean()
    head.train().loss(z, batch)
    assert said[0].mean() == pytest.approx(5, abs=0.1)
    assert said[0].var() == pytest.approx(5 * 0.4 / 0.6, rel=0.1)
    head.eval().loss(z, batch)
    assert said[1].var() == pytest.approx(0, abs=1e-9)


def test_bends_are_dear_where_the_truth_is_straight():
    torch.manual_seed(0)
    x = torch.randn(400, 5)
    y = torch.bernoulli((2 * x[:, :1]).sigmoid())
    rough = {}
    for penalty in (0.0, 1.0):
        torch.manual_seed(1)
        head = made(Additive, output_penalty=penalty)
        learn(head, *batch_for(head, x, y), steps=200)
        rough[penalty] = (
            head._bends(head.standardised(Representation(x, head.config.units)), 0.0).square().mean().item()
        )
    assert rough[1.0] < 0.2 * rough[0.0]


def test_a_unit_that_nobody_knows_is_named():
    with pytest.raises(ContractError, match="did you mean 'u4'"):
        made(Additive).shape_function("unit4")


def test_the_black_box_explains_a_straight_function_as_it_is():
    torch.manual_seed(0)
    x = torch.randn(200, 5) + 2
    head = made(Mlp, hidden=())
    z, batch = batch_for(head, x, (x[:, :1] > 2).float())
    learn(head, z, batch, steps=50)
    head.train()
    found = head.explain(z, "yes")
    assert head.training  # explaining leaves the mode as it was
    weight = head.layers[0].weight[0].detach() / head.unit_scale
    torch.testing.assert_close(found.contributions, (x - x.mean(0)) * weight, atol=1e-4, rtol=1e-4)


def test_correcting_concepts_makes_a_planted_task_better():
    torch.manual_seed(0)
    truth = torch.stack([torch.rand(800) * 4 + 1, (torch.rand(800) > 0.5).float()], dim=1)
    y = ((truth[:, :1] - 3) + 2 * (truth[:, 1:] - 0.5) > 0).float()
    # Units tell of the ratings with much noise, so that predicted ratings are often wrong.
    x = torch.cat([truth + 1.0 * torch.randn(800, 2), torch.randn(800, 3)], dim=1)
    head = made(ConceptBottleneck)
    z, batch = batch_for(head, x, y, truth)
    learn(head, z, batch, steps=200)

    def right(outputs):
        return ((outputs > 0).float() == y).float().mean().item()

    none = right(head(z))
    one = right(head.intervene(z, {"first": truth[:, 0]}))
    both = right(head.intervene(z, {"first": truth[:, 0], "second": truth[:, 1]}))
    assert none < 0.9 < both
    assert none + 0.03 < one < both
    # A rating that nobody gave keeps the prediction; a misspelt one is named.
    torch.testing.assert_close(head.intervene(z, {"first": torch.full((800,), float("nan"))}), head(z))
    with pytest.raises(ContractError, match="did you mean 'second'"):
        head.intervene(z, {"secand": 1.0})


def test_hard_concepts_hand_on_whole_steps_only():
    torch.manual_seed(0)
    x = torch.randn(300, 5)
    head = made(ConceptBottleneck, kind="hard")
    z, batch = batch_for(head, x, (x[:, :1] > 0).float())
    learn(head, z, batch, steps=200)
    found = head.explain(z, "yes")
    assert set(found.values[:, 0].tolist()) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    assert set(found.values[:, 1].tolist()) <= {0.0, 1.0}
    assert len(set(found.values[:, 0].tolist())) > 2
    assert hits("binary", head(z), batch.targets) > 0.8


def test_whole_steps_and_the_loss_of_ratings_are_those_computed_by_hand():
    head = made(ConceptBottleneck)
    given = torch.tensor([[1.2, 0.49], [3.5001, 0.5], [4.6, 0.9]])
    assert head.whole_steps(given).tolist() == [[1.0, 0.0], [4.0, 1.0], [5.0, 1.0]]
    z, batch = batch_for(
        head, torch.zeros(3, 5), torch.ones(3, 1), given, torch.tensor([[True, True], [True, False]] * 2)[:3]
    )
    head.rating_mean.copy_(torch.tensor([2.0, 0.5]))
    head.rating_scale.copy_(torch.tensor([2.0, 0.5]))
    for parameter in head.rating_last.parameters():
        parameter.data.zero_()
    # An untrained network says what is usual: the mean rating.
    torch.testing.assert_close(head.concepts(z), torch.tensor([[2.0, 0.5]]).expand(3, 2))
    # Places on the scale beside the usual one, a quarter and a half; compared as probabilities are.
    rated = [(0.05, 0.25, 2.0), (0.49, 0.5, 0.5), (0.625025, 0.25, 2.0), (0.9, 0.25, 2.0), (0.9, 0.5, 0.5)]
    spans = [4, 1, 4, 4, 1]
    crossed = [p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)) for p, q, _ in rated]
    weights = [q * (1 - q) * (span / deviation) ** 2 for (_, q, deviation), span in zip(rated, spans, strict=True)]
    assert head.concept_loss(z, batch).item() == pytest.approx(np.dot(weights, crossed) / 5, rel=1e-4)
    # Near the mean rating that is half the squared error in standard deviations, and where all agree it is nothing.
    for error in (0.0, 0.02):
        _, near = batch_for(head, torch.zeros(3, 5), torch.ones(3, 1), torch.tensor([[2.0 + error, 0.5]]).repeat(3, 1))
        assert head.concept_loss(z, near).item() == pytest.approx(0.5 * (error / 2) ** 2 / 2, rel=0.02, abs=1e-7)


def test_a_rating_that_has_run_to_the_wrong_end_of_its_scale_still_learns():
    head = made(ConceptBottleneck, hidden=(), dropout=0.0)
    z, batch = batch_for(head, torch.zeros(3, 5), torch.ones(3, 1), torch.tensor([[1.5, 0.0]]).repeat(3, 1))
    head.rating_last.bias.data.fill_(15.0)  # a learning rate that is too high for a moment does that
    assert head.concepts(z)[0].tolist() == pytest.approx([5.0, 1.0], abs=1e-4)
    head.concept_loss(z, batch).backward()
    assert (head.rating_last.bias.grad > 0.1).all()


def test_in_independent_training_the_target_is_learnt_from_what_people_said():
    torch.manual_seed(0)
    x = torch.randn(2000, 5)
    said = torch.stack([3 + x[:, 0] + torch.randn(2000), (x[:, 1] + 0.5 * torch.randn(2000) > 0).float()], dim=1)
    odds = 1.5 * (said[:, :1] - 3) - (said[:, 1:] - 0.5)
    y = (torch.rand(2000, 1) < odds.sigmoid()).float()
    slopes, known = {}, torch.ones(2000, 2, dtype=torch.bool)
    known[:200, 0] = False
    for trained in ("sequential", "independent"):
        torch.manual_seed(1)
        head = made(ConceptBottleneck, trained=trained, l2=0.0)
        z, batch = batch_for(head, x, y, torch.where(known, said.clamp(1, 5), torch.tensor(0.0)), known)
        learn(head, z, batch, steps=300)
        one, other = (head.outcome(torch.tensor([[at, 0.5]])).item() for at in (2.5, 3.5))
        slopes[trained] = other - one
    # The error in predicted ratings makes a model that learns from them count a step of a rating otherwise than people do.
    assert slopes["independent"] == pytest.approx(1.5, abs=0.25)
    assert abs(slopes["sequential"] - 1.5) > 2 * abs(slopes["independent"] - 1.5)


def test_a_bottleneck_without_concepts_is_refused():
    with pytest.raises(StudyError, match="human ratings"):
        ConceptBottleneck(ConceptBottleneck.config_type(units=("a",), target=YES))


def test_ratings_that_nobody_gave_teach_nothing():
    torch.manual_seed(0)
    x = torch.randn(200, 5)
    y = (x[:, :1] > 0).float()
    head = made(ConceptBottleneck, dropout=0.0)
    z, batch = batch_for(head, x, y)
    known = torch.rand(200, 2) > 0.5
    _, some = batch_for(head, x, y, batch.concepts, known)
    _, other = batch_for(head, x, y, torch.where(known, batch.concepts, torch.tensor(1e6)), known)
    head.prepare([(z, some)])
    mean = head.rating_mean.clone()
    torch.testing.assert_close(mean[0], batch.concepts[known[:, 0], 0].mean())
    head.prepare([(z, other)])
    torch.testing.assert_close(head.rating_mean, mean)
    assert head.loss(z, some).item() == head.loss(z, other).item()
    with pytest.raises(ContractError, match="'second'"):
        head.prepare([batch_for(head, x, y, batch.concepts, torch.tensor([True, False]).expand(200, 2))])


def test_in_sequential_training_the_target_cannot_bend_the_concepts():
    torch.manual_seed(0)
    x = torch.randn(300, 5)
    # The target is not in the ratings at all; a joint bottleneck bends them to carry it.
    y = (x[:, 4:] > 0).float()
    errors, right = {}, {}
    for training in ("joint", "sequential", "independent"):
        torch.manual_seed(1)
        head = made(ConceptBottleneck, trained=training, concept_weight=0.05)
        z, batch = batch_for(head, x, y)
        learn(head, z, batch, steps=250)
        errors[training] = (head.concepts(z) - batch.concepts)[:, 0].abs().mean().item()
        right[training] = hits("binary", head(z), y)
    assert max(errors["sequential"], errors["independent"]) < 0.15 < errors["joint"]
    assert max(right["sequential"], right["independent"]) < 0.65 < right["joint"]


def test_moments_of_batches_are_those_of_the_whole():
    random = np.random.default_rng(0)
    x = random.normal(1e4, 1.0, (100, 3)) * np.array([1.0, 1e-3, 0.0]) + np.array([0.0, 0.0, 7.0])
    known = random.random((100, 3)) > 0.3
    moments = Moments()
    for start, stop in ((0, 1), (1, 60), (60, 100)):
        moments.add(torch.from_numpy(x[start:stop]), torch.from_numpy(known[start:stop]))
    for at in range(3):
        column = x[known[:, at], at]
        assert moments.mean[at] == pytest.approx(column.mean(), rel=1e-12)
        # A column that does not vary is divided by 1.
        assert moments.deviation[at] == pytest.approx(column.std() if at < 2 else 1.0, rel=1e-6)


@pytest.mark.parametrize("kind", TARGETS)
def test_an_unlearnt_head_says_the_prevalence(kind):
    torch.manual_seed(0)
    x = torch.randn(400, 5)
    labels = labels_of(kind, x)
    head = made(Linear, TARGETS[kind])
    z, batch = batch_for(head, x, labels)
    head.prepare([(z, batch)])
    said = head(z)[0]
    if kind == "regression":
        torch.testing.assert_close(said, labels.mean(0))
    elif kind == "multiclass":
        torch.testing.assert_close(said.softmax(0), labels[:, 0].long().bincount() / 400, atol=2e-3, rtol=0)
    elif kind == "ordinal":
        torch.testing.assert_close(said.sigmoid(), (labels > torch.arange(2)).float().mean(0), atol=2e-3, rtol=0)
    else:
        torch.testing.assert_close(said.sigmoid(), labels.mean(0), atol=2e-3, rtol=0)
