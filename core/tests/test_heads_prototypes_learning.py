"""How prototypes learn: losses, stages and labels."""

from __future__ import annotations

import pytest
import torch
from made_prototypes import drawn, of_two_sets, prepared
from made_tokens import TARGETS, made
from pydantic import ValidationError

from pellucid.heads.prototypes import losses
from pellucid.heads.prototypes.bundled import PrototypesGrouped
from pellucid.heads.prototypes.head import FIRST_OUTPUT_SD, Prototypes
from pellucid.heads.prototypes.sets import PrototypeSetConfig, is_of_class


@torch.no_grad()
def test_the_loss_is_the_likelihood_and_each_term_by_its_weight_mean_over_sets():
    one, z, batch = of_two_sets()
    one.prepare([(z, batch)])
    present, weights = batch.targets > 0.5, ("clustering", "separation", "diversity", "cooccurrence", "distinct_places")

    def loss(**some):
        one.config = one.config.model_copy(update=dict.fromkeys(weights, 0.0) | some)
        return one.loss(z, batch).item()

    likelihood = torch.nn.functional.binary_cross_entropy_with_logits(one(z), batch.targets).item()
    assert loss() == pytest.approx(likelihood, abs=1e-5)
    terms = {name: [] for name in weights}
    for at, span in enumerate((slice(0, 4), slice(4, 10))):
        similarities = one.similarities(z)[:, span] / one.largest_similarities[at]
        class_of, prototypes = one.class_of[span], one.prototypes[at]
        owner = torch.stack([class_of == each for each in range(3)])
        unit = [torch.nn.functional.normalize(x, dim=-1) for x in (one.patches(z, at), prototypes)]
        terms["clustering"].append(losses.clustering(similarities, present, owner))
        terms["separation"].append(losses.separation(similarities, present, owner))
        terms["diversity"].append(losses.diversity(prototypes))
        terms["cooccurrence"].append(losses.cooccurrence(prototypes, class_of, one.jaccard))
        apart = (unit[0][:, :, None] - unit[1]).square().sum(3)
        terms["distinct_places"].append(losses.same_places(apart, present, class_of))
    for name, by_set in terms.items():
        assert loss(**{name: 0.5}) - loss() == pytest.approx(0.5 * float(sum(by_set)) / 2, abs=1e-4), name
        assert abs(float(sum(by_set))) > 0.05
    released = sum(
        losses.separation(one.similarities(z)[:, span] / one.largest_similarities[at], present, owner, as_released=True)
        for at, span in enumerate((slice(0, 4), slice(4, 10)))
        for owner in [torch.stack([one.class_of[span] == each for each in range(3)])]
    )
    assert loss(separation=0.5, separation_as_released=True) - loss() == pytest.approx(0.25 * float(released), abs=1e-4)


@pytest.mark.parametrize("target", TARGETS)
@torch.no_grad()
def test_learning_begins_at_how_frequent_outputs_are_and_with_outputs_that_vary_alike(target):
    cells, labels, _ = drawn(target=target)
    labels = labels if target == "one" else torch.cat([labels[:, :-1], torch.zeros(60, 1)], dim=1)
    one, z, _ = prepared(Prototypes, target, projected=False, cells=cells, labels=labels)
    if target == "one":
        counts = torch.stack([(labels[:, 0] == each).sum() for each in range(3)])
        assert torch.allclose(one.bias, ((counts + 0.5) / 61).log())
    else:
        assert torch.allclose(one.bias, ((labels.sum(0) + 0.5) / 61).logit())
    present = is_of_class(one.config.target, labels).float()
    both = present.t() @ present
    either = 60 - (1 - present).t() @ (1 - present)
    assert torch.allclose(one.jaccard, both / either.clamp(min=1), atol=1e-6)
    assert torch.allclose(one.centre, one.similarities(z).mean(0), atol=1e-5)
    assert float((one(z) - one.bias).square().mean().sqrt()) == pytest.approx(FIRST_OUTPUT_SD, rel=1e-3)


@torch.no_grad()
def test_prototypes_are_placed_where_the_plain_layer_finds_their_class():
    cells, labels, where = drawn()
    one, _, _ = prepared(Prototypes, projected=False)
    for prototype, patch in enumerate(one.prototypes[0]):
        sample, window = (found[0].item() for found in torch.nonzero((cells == patch).all(2), as_tuple=True))
        assert window == where[sample, one.class_of[prototype]]
        assert labels[sample, one.class_of[prototype]] == 1


@pytest.mark.parametrize(
    ("head", "options"),
    [
        (
            Prototypes,
            ("warm_up", "clustering", "separation", "diversity", "cooccurrence", "distinct_places", "l1", "pull"),
        ),
        (PrototypesGrouped, ("entropy", "distinct_places", "l1")),
    ],
)
def test_weights_of_terms_may_be_nothing_and_not_less(head, options):
    plain = made(Prototypes, TARGETS["yes"], torch.zeros(1, 7, 6)).config
    assert (plain.cooccurrence, plain.distinct_places) == (0, 0)
    for option in options:
        for taken in (0, 0.25):
            assert getattr(made(head, TARGETS["yes"], torch.zeros(1, 7, 6), **{option: taken}).config, option) == taken
        with pytest.raises(ValidationError):
            made(head, TARGETS["yes"], torch.zeros(1, 7, 6), **{option: -0.01})


@pytest.mark.parametrize("option", ["per_class", "top", "bundles", "bundle_steps"])
def test_of_what_is_counted_there_is_at_least_one(option):
    made(PrototypesGrouped, TARGETS["yes"], torch.zeros(1, 7, 6), **{option: 1})
    with pytest.raises(ValidationError):
        made(PrototypesGrouped, TARGETS["yes"], torch.zeros(1, 7, 6), **{option: 0})
    if option in PrototypeSetConfig.model_fields:
        assert getattr(PrototypeSetConfig(**{option: 1}), option) == 1
        with pytest.raises(ValidationError):
            PrototypeSetConfig(**{option: 0})
