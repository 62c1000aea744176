"""A linear layer at every token: it is the regression that it says, and its explanation is the token that decided."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_tokens import TARGETS, labelled, made, represented
from sklearn.linear_model import LogisticRegression, Ridge

from pellucid.batch import Batch
from pellucid.data.spec import Regression
from pellucid.errors import ContractError, StudyError
from pellucid.heads.tokens import LinearTokens
from pellucid.representation import Representation, Tokens, TokenShape

AGE = Regression(names=("age",), units=("years",))


def drawn(samples=80, tokens=5, width=4, seed=0):
    """Tokens whose units differ in level and size; in samples of a label one token stands out in the label's own unit."""
    generator = torch.Generator().manual_seed(seed)
    cells = torch.randn(samples, tokens, width, generator=generator)
    has = torch.rand(samples, 3, generator=generator) < 0.4
    where = torch.rand(samples, tokens, generator=generator).argsort(dim=1)[:, :3]
    for label in range(3):
        at = torch.nonzero(has[:, label])[:, 0]
        cells[at, where[at, label], label] += 4
    return 10 * torch.arange(1.0, width + 1) + torch.tensor([1.0, 5.0, 0.2, 1.0]) * cells, has.float(), where


def learnt(target, cells, labels, **options):
    """A head that has learnt to the end, with what it has learnt from."""
    one, z, batch = made(LinearTokens, target, cells, **options), represented(cells), labelled(labels)
    one.prepare([(z.rows(at), labelled(labels[at])) for at in (slice(0, 30), slice(30, None))])
    optimizer = torch.optim.LBFGS(one.parameters(), max_iter=300, tolerance_grad=1e-8, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = one.loss(z, batch)
        loss.backward()
        return loss

    optimizer.step(closure)
    return one.eval(), z


def standardised(cells):
    flat = cells.flatten(0, 1)
    return ((cells - flat.mean(0)) / flat.std(0, correction=0)).mean(1).numpy()


@torch.no_grad()
def test_of_mean_tokens_it_is_logistic_regression_on_units_in_standard_deviations():
    cells, labels, _ = drawn()
    with torch.enable_grad():
        one, z = learnt(TARGETS["yes"], cells, labels[:, :1], pool="mean", l2=0.05)
    reference = LogisticRegression(C=1 / (80 * 0.05), tol=1e-9, max_iter=5000)
    expected = reference.fit(standardised(cells), labels[:, 0]).decision_function(standardised(cells))
    assert np.allclose(one(z)[:, 0].numpy(), expected, atol=5e-3)
    assert torch.allclose(one.outcome(cells.mean(1)), one(z), atol=1e-5)
    assert torch.allclose(one.outcome(one.explained(z)), one(z), atol=1e-5)
    found = one.explain(z, "bump")
    assert found.names == one.explained_names == tuple(f"x:{at} over all places" for at in range(4))
    weight = reference.coef_[0]
    assert np.allclose(found.contributions.numpy(), standardised(cells) * weight, atol=5e-3)
    assert torch.allclose(found.values, cells.mean(1))
    assert float(found.gap.abs().max()) < 1e-5


@torch.no_grad()
def test_of_numbers_it_is_ridge_regression_on_targets_in_standard_deviations():
    cells, labels, _ = drawn()
    years = 50 + 20 * labels[:, :1] + 3 * torch.randn(80, 1, generator=torch.Generator().manual_seed(1))
    with torch.enable_grad():
        one, z = learnt(AGE, cells, years, pool="mean", l2=0.05)
    size = float(years.std(correction=0))
    reference = Ridge(alpha=80 * 0.05).fit(standardised(cells), years[:, 0] / size)
    assert np.allclose(one(z)[:, 0].numpy(), size * reference.predict(standardised(cells)), atol=0.05)


@torch.no_grad()
def test_before_anything_is_learnt_it_says_how_frequent_outputs_are():
    cells, labels, _ = drawn()
    labels[:, 2] = 0
    for target, given, prior in (
        (TARGETS["several"], labels, ((labels.sum(0) + 0.5) / 81).logit()),
        (TARGETS["yes"], labels[:, :1], ((labels[:, :1].sum(0) + 0.5) / 81).logit()),
        (TARGETS["one"], labels[:, :1], (torch.tensor([80.5 - labels[:, 0].sum(), labels[:, 0].sum() + 0.5, 0.5]) / 81).log()),
        (AGE, 60 * labels[:, :1], 60 * labels[:, :1].mean(0)),
    ):  # fmt: skip
        one = made(LinearTokens, target, cells)
        one.prepare([(represented(cells), labelled(given))])
        assert torch.allclose(one(represented(cells)), prior.expand(80, -1), atol=1e-4), target.kind


@torch.no_grad()
def test_the_strongest_token_is_the_output_and_its_units_the_explanation():
    cells, labels, where = drawn()
    with torch.enable_grad():
        one, z = learnt(TARGETS["several"], cells, labels)
    each = torch.stack([one.outcome(cells[:, at]) for at in range(5)], dim=1)
    assert torch.allclose(one(z), each.amax(1), atol=1e-4)
    found = one.explain(z, "bump")
    assert float(found.gap.abs().max()) < 1e-4
    assert one.explained_names == ()
    assert found.names[int(found.contributions[labels[:, 0] > 0].sum(0).argmax())] == "x:0 at the strongest place"
    own = torch.nonzero(labels[:, 0])[:, 0].tolist()
    assert np.mean([found.evidence[at][0].region.start_s == float(where[at, 0]) for at in own]) > 0.95
    best = each[:, :, 0].argmax(1)
    assert torch.equal(found.values, cells[torch.arange(80), best])
    for at, (told,) in enumerate(found.evidence):
        assert told.input == "signal"
        assert told.unit == found.names[int(found.contributions[at].abs().argmax())]
        assert told.text == f"place {best[at] + 1} of 5 speaks most for 'bump'"


def test_a_set_of_tokens_must_be_named_where_there_are_several():
    shapes = {"x": TokenShape(count=2, width=2), "x:slow": TokenShape(count=3, width=1)}
    facts = {"units": ("x:a", "x:b"), "target": TARGETS["yes"], "tokens": shapes}
    with pytest.raises(StudyError, match="name one with the option tokens_name"):
        LinearTokens(LinearTokens.config_type(**facts))
    one = LinearTokens(LinearTokens.config_type(**facts, tokens_name="x:slow"))
    assert one.tags.needs_tokens
    slow = Tokens(torch.tensor([[[1.0], [5.0], [2.0]]]))
    z = Representation(torch.zeros(1, 2), ("x:a", "x:b"), {"x": Tokens(torch.zeros(1, 2, 2)), "x:slow": slow})
    told = one.explain(z, "bump")
    assert told.names == ("x:slow:unit 1 at the strongest place",)
    assert (told.evidence[0][0].input, told.evidence[0][0].region) == ("", None)
    with pytest.raises(ContractError, match="does not have"):
        one(Representation(z.values, z.names, {"x": z.tokens["x"]}))
    with pytest.raises(ContractError, match="labelled samples"):
        one.prepare([(z, Batch({"x": z.values}))])


@pytest.mark.parametrize("pool", ["mean", "max"])
@torch.no_grad()
def test_what_places_add_is_what_the_output_loses_without_them(pool):
    cells, labels, _ = drawn()
    with torch.enable_grad():
        one, z = learnt(TARGETS["yes"], cells, labels[:, :1], pool=pool)
    said, found = one.place_contributions(z, "bump"), one.explain(z, "bump")
    assert torch.allclose(found.baseline + said.sum(1), one(z)[:, 0], atol=1e-4)
    if pool == "max":
        assert ((said != 0).sum(1) == 1).all()
        assert torch.equal(said.abs().argmax(1), one.token_outputs(z)[:, :, 0].argmax(1))
        return
    # A place that is as places are in the mean adds nothing.
    usual = cells.clone()
    usual[:, 2] = one.unit_mean
    lost = one(z)[:, 0] - one(represented(usual))[:, 0]
    assert torch.allclose(said[:, 2], lost, atol=1e-4)
