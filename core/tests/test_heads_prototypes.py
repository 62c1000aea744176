"""Prototypes: what they add up to is the output, in a head and in a model."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from made_prototypes import HEADS, drawn, prepared
from made_tokens import TARGETS, events, fitted, represented
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from pellucid.data.spec import Binary
from pellucid.encoders.cnn import Cnn
from pellucid.errors import ContractError, StudyError
from pellucid.heads.prototypes.bundled import PrototypesGrouped
from pellucid.heads.prototypes.head import Prototypes, PrototypesConfig
from pellucid.heads.prototypes.last_layer import Penalties, fit_last_layer
from pellucid.heads.prototypes.sets import is_of_class
from pellucid.model import Model
from pellucid.representation import TokenShape
from pellucid.weights import load_models, save_models

# --- the output is what is explained ----------------------------------------------------------------------------------


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("target", TARGETS)
@torch.no_grad()
def test_logits_are_the_sum_of_listed_contributions_and_the_bias(head, target):
    one, _, _ = prepared(head, target)
    z = represented(drawn(target=target, seed=1)[0])
    for at, output in enumerate(one.outputs):
        found = one.explain(z, output)
        total = found.contributions.double().sum(1) + found.baseline.double()
        assert float((total - one(z)[:, at].double()).abs().max()) < 1e-5
        assert found.family == "prototype"
        assert found.names == one.explained_names
        assert torch.allclose(one.outcome(one.explained(z)), one(z))


@torch.no_grad()
def test_contributions_speak_of_more_than_the_mean_sample():
    one, z, _ = prepared(Prototypes)
    contributions = one.explain(z, "bump").contributions
    assert float(contributions.std(0).max()) > 0.1
    assert float(contributions.mean(0).abs().max()) < 1e-4


@pytest.mark.parametrize("target", TARGETS)
@torch.no_grad()
def test_contributions_of_bundles_speak_of_more_than_the_mean_of_samples_that_are_not_like_themselves(target):
    """The likeness of a source to itself fills a bundle as no new sample does: their mean would be too high for those."""
    one, z, batch = prepared(PrototypesGrouped, target)
    contributions = one.explain(z, one.outputs[0]).contributions
    as_they_are = one.similarities(z)
    of_others = as_they_are.clone()
    of_class = is_of_class(one.config.target, batch.targets)
    for prototype, source in enumerate(one.sources):
        itself = batch.samples.index(source)
        others = of_class[:, one.class_of[prototype]].clone()
        others[itself] = False
        of_others[itself, prototype] = as_they_are[others, prototype].mean()
    moved = (one.bundled(of_others) - one.bundle_centre) * one.bundle_weight[0]
    assert float(contributions.std(0).max()) > 0.1
    assert float(moved.mean(0).abs().max()) < 1e-4
    # As they are the same samples are far from that mean, so a centre that is theirs would be found out.
    assert float(contributions.mean(0).abs().max()) > 0.1


@torch.no_grad()
def test_a_label_is_said_where_its_token_is():
    for head in HEADS:
        one, _, _ = prepared(head)
        cells, labels, _ = drawn(seed=1)
        scores = one(represented(cells))
        for at in range(3):
            assert roc_auc_score(labels[:, at], scores[:, at]) > 0.95, head
        assert torch.allclose(scores.sigmoid().mean(0), labels.mean(0), atol=0.08), head


# --- the last layer ---------------------------------------------------------------------------------------------------


def test_refit_without_penalties_is_logistic_regression():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 3, generator=generator) * torch.tensor([1.0, 10.0, 0.1])
    chance = (x @ torch.tensor([1.0, 0.1, 5.0]) - 0.5).sigmoid()
    y = (torch.rand(400, generator=generator) < chance).float()[:, None]
    weight, bias = fit_last_layer(
        x - x.mean(0), y, torch.zeros(1, 3), torch.zeros(1), torch.tensor([[1.0, 1.0, 0.0]]), torch.ones(3, dtype=torch.bool),
        Penalties(0.0, 0.0), one_class=False,
    )  # fmt: skip
    reference = LogisticRegression(C=np.inf, tol=1e-8, max_iter=2000).fit(x - x.mean(0), y[:, 0])
    assert np.allclose(weight.numpy(), reference.coef_, rtol=2e-3, atol=1e-4)
    assert np.allclose(bias.numpy(), reference.intercept_, atol=1e-3)


def test_refit_of_classes_is_softmax_regression():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(500, 2, generator=generator)
    y = torch.multinomial((x @ torch.tensor([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]])).softmax(1), 1, generator=generator)[
        :, 0
    ]
    weight, bias = fit_last_layer(
        x, torch.eye(3)[y], torch.zeros(3, 2), torch.zeros(3), torch.zeros(3, 2), torch.ones(2, dtype=torch.bool),
        Penalties(0.0, 0.0), one_class=True,
    )  # fmt: skip
    reference = LogisticRegression(C=np.inf, tol=1e-8, max_iter=2000).fit(x, y)
    chance = (x @ weight.t() + bias).softmax(1)
    assert np.allclose(chance.numpy(), reference.predict_proba(x.numpy()), atol=2e-3)


def test_penalties_do_not_depend_on_the_size_of_similarities():
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(200, 3, generator=generator)
    y = (x.sum(1) > 0).float()[:, None]
    sizes, begin = torch.tensor([1.0, 50.0, 0.02]), torch.tensor([[0.5, 0.5, 0.5]])
    facts = (torch.tensor([[1.0, 0.0, 0.0]]), torch.ones(3, dtype=torch.bool), Penalties(0.01, 0.1))
    one, bias = fit_last_layer(x, y, begin, torch.zeros(1), *facts, one_class=False)
    other, same = fit_last_layer(x * sizes, y, begin / sizes, torch.zeros(1), *facts, one_class=False)
    assert torch.allclose(one, other * sizes, atol=1e-3)
    assert torch.allclose(bias, same, atol=1e-3)
    strong, _ = fit_last_layer(x, y, begin, torch.zeros(1), *facts[:2], Penalties(0.0, 1e4), one_class=False)
    assert torch.allclose(strong * x.square().mean(0).sqrt(), begin * x.square().mean(0).sqrt(), atol=1e-3)


def test_a_prototype_never_speaks_against_its_own_class_and_penalties_silence_others():
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(400, 3, generator=generator)
    y = (x[:, 0] + x[:, 1] + 0.5 * torch.randn(400, generator=generator) > 0).float()[:, None]
    direction = torch.tensor([[-1.0, 0.0, 0.0]])
    usable = torch.ones(3, dtype=torch.bool)
    weak, _ = fit_last_layer(
        x, y, torch.zeros(1, 3), torch.zeros(1), direction, usable, Penalties(1e-4, 0.0), one_class=False
    )
    assert float(weak[0, 0]) == 0
    assert float(weak[0, 1]) > 0.5
    strong, _ = fit_last_layer(
        x, y, torch.zeros(1, 3), torch.zeros(1), direction, usable, Penalties(0.5, 0.0), one_class=False
    )
    assert strong.abs().max() == 0


# --- in a model -------------------------------------------------------------------------------------------------------


def test_a_fitted_model_tells_labels_and_loses_little_by_projection():
    fold, _ = fitted()
    model, test = fold.models["prototypes"], fold.test("prototypes")
    labels, scores = test.target_values("several"), model.logits(test).numpy()
    assert np.mean([roc_auc_score(labels[:, at], scores[:, at]) for at in range(3)]) > 0.95


def test_a_changed_encoder_makes_prototypes_stale_until_they_are_projected_again():
    fold, _ = fitted()
    model, train = copy.deepcopy(fold.models["prototypes"]), fold.dataset.subset(fold.split.train)
    model.check()
    with torch.no_grad():
        next(iter(model.encoders["signal"].parameters())).view(-1)[0].add_(1e-3)
    for ask in (model.predict, model.explain, model.logits):
        with pytest.raises(ContractError, match=r"an encoder has changed.*project"):
            ask(fold.dataset[0])
    model.project(train, "several")
    model.check()
    assert model.head.learned_from == fold.models["prototypes"].head.learned_from


def test_changed_prototypes_are_stale_too_and_unprojected_ones_always():
    fold, _ = fitted()
    model = copy.deepcopy(fold.models["prototypes"])
    with torch.no_grad():
        model.head.prototypes[0].view(-1)[0].add_(1e-4)
    with pytest.raises(ContractError, match="have changed since"):
        model.check()
    model.head.projected.fill_(False)
    with pytest.raises(ContractError, match="never projected"):
        model.check()


def test_sources_survive_the_weights_file(tmp_path):
    fold, _ = fitted()
    model = fold.models["prototypes"]
    save_models(tmp_path / "w.safetensors", {"prototypes": model})
    again = load_models(tmp_path / "w.safetensors")[0]["prototypes"]
    again.check()
    assert again.head.sources == model.head.sources
    assert all(model.head.sources)
    some = fold.dataset.subset(fold.split.test[:8])
    one, other = model.explain(some, "dip"), again.explain(some, "dip")
    assert torch.equal(one.contributions, other.contributions)
    assert one.evidence == other.evidence


def test_an_unfitted_model_refuses_to_explain():
    data = events(4)
    encoder = Cnn(Cnn.config_type(inputs=dict(data.spec.inputs), tokens=True))
    names = tuple(f"signal:{name}" for name in encoder.names)
    head = Prototypes(
        Prototypes.config_type(units=names, target=TARGETS["several"], tokens={"signal": encoder.token_shapes[""]})
    )
    with pytest.raises(ContractError, match="never projected"):
        Model({"signal": encoder}, head).explain(data)


def test_a_window_longer_than_what_the_encoder_shows_while_it_learns_is_refused():
    shapes = {"x": TokenShape(count=7, width=8, learning=1)}
    facts = {"units": (), "target": Binary(names=("no", "yes")), "tokens": shapes}
    Prototypes(PrototypesConfig(**facts, window=1))
    for window in (2, 0):
        with pytest.raises(StudyError, match="sees a part of the input alone"):
            Prototypes(PrototypesConfig(**facts, window=window))
