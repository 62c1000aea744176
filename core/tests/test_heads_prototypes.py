"""Prototypes: they become windows of training samples of their class, and what they add up to is the output."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from made_tokens import TARGETS, events, fitted, labelled, made, places, represented
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from pellucid.data.spec import Binary
from pellucid.encoders.cnn import Cnn
from pellucid.errors import ContractError, StudyError
from pellucid.heads.prototypes import losses
from pellucid.heads.prototypes.grouped import PrototypesGrouped
from pellucid.heads.prototypes.head import FIRST_OUTPUT_SD, Prototypes, PrototypesConfig
from pellucid.heads.prototypes.last_layer import Penalties, fit_last_layer
from pellucid.heads.prototypes.projection import decoded_ids, encoded_ids
from pellucid.heads.prototypes.sets import PrototypeSet, PrototypeSetConfig, is_of_class
from pellucid.heads.prototypes.similarity import pooled, similarity, windows
from pellucid.model import Model
from pellucid.regions import Box, TimeSpan, around
from pellucid.representation import Representation, Tokens, TokenShape
from pellucid.weights import load_models, save_models

HEADS = (Prototypes, PrototypesGrouped)


def drawn(samples=60, tokens=7, width=6, target="several", seed=0):
    """Tokens of which one, of each sample that has a label, points its way; labels as numbers; which token it is."""
    generator = torch.Generator().manual_seed(seed)
    cells = 0.5 * torch.randn(samples, tokens, width, generator=generator)
    has = torch.rand(samples, 3, generator=generator) < 0.4
    where = torch.rand(samples, tokens, generator=generator).argsort(dim=1)[:, :3]
    for label in range(3):
        at = torch.nonzero(has[:, label])[:, 0]
        cells[at, where[at, label], label] += 4
    if target == "several":
        return cells, has.float(), where
    if target == "yes":
        return cells, has[:, :1].float(), where
    return cells, torch.where(has[:, 0], 0.0, torch.where(has[:, 1], 1.0, 2.0))[:, None], where


def prepared(head, target="several", projected=True, cells=None, labels=None, **options):
    """A head that has seen the drawn samples, with its prototypes projected onto them unless told otherwise."""
    if cells is None:
        cells, labels, _ = drawn(target=target)
    torch.manual_seed(0)
    made_head = made(head, TARGETS[target], cells, **({"addon_width": 0} | options))
    z, batch = represented(cells), labelled(labels)
    made_head.prepare([(z, batch)])
    with torch.no_grad():
        # As if warm-up had learnt which unit speaks for which label.
        made_head.plain[0].weight.copy_(torch.eye(*made_head.plain[0].weight.shape))
    made_head.place([(z, batch)])
    if projected:
        made_head.project(
            [
                (z.rows(slice(0, 20)), labelled_rows(batch, 0, 20)),
                (z.rows(slice(20, None)), labelled_rows(batch, 20, None)),
            ]
        )
        made_head.refit([(z, batch)])
    return made_head.eval(), z, batch


def labelled_rows(batch, start, stop):
    found = labelled(batch.targets[start:stop])
    return type(found)(found.inputs, {}, found.targets, samples=batch.samples[start:stop])


# --- the output is what is explained ------------------------------------------------------------------------------------


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


# --- projection -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("similarity", ["arc", "cosine", "l2"])
@pytest.mark.parametrize("window", [1, 3, 0])
@torch.no_grad()
def test_every_prototype_is_a_window_of_a_sample_of_its_class(similarity, window):
    one, z, batch = prepared(Prototypes, similarity=similarity, window=window)
    every = windows(z.tokens["x"].values, one.sets[0].window)
    present = is_of_class(one.config.target, batch.targets)
    for prototype, name in enumerate(one.sources):
        sample = batch.samples.index(name)
        assert torch.equal(one.prototypes[0][prototype], every[sample, one.source_window[prototype]])
        assert present[sample, one.class_of[prototype]]


@torch.no_grad()
def test_a_prototype_becomes_the_window_that_is_most_like_it():
    one, z, batch = prepared(Prototypes, projected=False, unique=False)
    before, every = one.prototypes[0].clone(), z.tokens["x"].values
    one.project([(z, batch)])
    present = is_of_class(one.config.target, batch.targets)
    for prototype in range(len(before)):
        own = torch.nonzero(present[:, one.class_of[prototype]])[:, 0]
        cosine = torch.cosine_similarity(every[own].double(), before[prototype].double(), dim=2)
        best = int(cosine.flatten().argmax())
        assert one.sources[prototype] == batch.samples[int(own[best // 7])]
        assert int(one.source_window[prototype]) == best % 7


@torch.no_grad()
def test_prototypes_of_a_class_become_different_windows_unless_told_otherwise():
    for told, different in (({}, 15), ({"unique": False}, 3)):
        one, z, batch = prepared(Prototypes, projected=False, **told)
        one.prototypes[0].copy_(one.prototypes[0][:1].expand_as(one.prototypes[0]))
        one.project([(z, batch)])
        places = set(zip(one.class_of.tolist(), one.sources, one.source_window.tolist(), strict=True))
        assert len(places) == different


@torch.no_grad()
def test_the_surest_prototype_has_the_first_choice_and_the_first_window_of_all_can_be_chosen():
    cells, labels, _ = drawn()
    labels[:, 0] = 1  # so that the first sample is of the first class
    one, z, batch = prepared(Prototypes, projected=False, cells=cells, labels=labels, per_class=2, similarity="l2")
    aim = cells[0, 0]
    for nearest in (0, 1):
        one.prototypes[0][nearest], one.prototypes[0][1 - nearest] = aim + 0.01, aim + 0.1
        one.project([(z, batch)])
        assert bool(one.projected.all())
        assert (one.sources[nearest], int(one.source_window[nearest])) == ("sample 0", 0)
        assert (one.sources[1 - nearest], int(one.source_window[1 - nearest])) != ("sample 0", 0)


@torch.no_grad()
def test_a_class_that_no_sample_has_weighs_nothing_and_has_no_source():
    cells, labels, _ = drawn()
    labels[:, 2] = 0
    for head in HEADS:
        one, z, _ = prepared(head, cells=cells, labels=labels)
        absent = one.class_of == 2
        assert one.projected.tolist() == (~absent).tolist()
        assert one.source_window[absent].tolist() == [0] * 5
        assert all((name == "") == bool(gone) for name, gone in zip(one.sources, absent, strict=True))
        assert float(one.prototype_contributions(z, "bump")[:, absent].abs().max()) == 0
        assert all(e.source for told in one.explain(z, "bump").evidence for e in told if e.unit.startswith("bump"))
        assert bool(torch.isfinite(one(z)).all())


def test_ids_survive_as_bytes_and_too_long_ones_are_refused():
    assert decoded_ids(encoded_ids(["ä/7", "", "x" * 128])) == ("ä/7", "", "x" * 128)
    with pytest.raises(ContractError, match="longer than the 128 bytes"):
        encoded_ids(["x" * 129])


def test_batches_without_ids_are_refused():
    one, z, batch = prepared(Prototypes, projected=False)
    with pytest.raises(ContractError, match="samples that have ids"):
        one.project([(z, type(batch)(batch.inputs, {}, batch.targets))])
    with pytest.raises(ContractError, match="carries no labels"):
        one.project([(z, type(batch)(batch.inputs, {}, samples=batch.samples))])
    with pytest.raises(ContractError, match="tokens 'x', which this representation does not have"):
        one(Representation(z.values, z.names))


# --- evidence -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", ["max", "mean", "topk"])
@torch.no_grad()
def test_evidence_points_at_the_best_window_whatever_the_pooling(pool):
    one, z, batch = prepared(Prototypes, pool=pool, window=2)
    similarities = one.window_similarities(z, 0)
    for sample, told in enumerate(one.explain(z, "dip").evidence):
        for evidence in told:
            prototype = one.prototype_names.index(evidence.unit)
            best = int(similarities[sample, :, prototype].argmax())
            assert evidence.region == TimeSpan(("x",), float(best), float(best + 2))
            start = float(one.source_window[prototype])
            assert evidence.source_region == TimeSpan(("x",), start, start + 2)
            assert evidence.source == one.sources[prototype]
            assert evidence.source in batch.samples
            assert evidence.input == "x"


@torch.no_grad()
def test_evidence_is_given_for_the_strongest_contributions_in_order():
    one, z, _ = prepared(Prototypes)
    found = one.explain(z, "wave")
    for sample, told in enumerate(found.evidence):
        sizes = found.contributions[sample].abs()
        assert [one.prototype_names.index(e.unit) for e in told] == sizes.topk(5).indices.tolist()


@torch.no_grad()
def test_the_strongest_prototype_of_a_label_points_at_its_token():
    one, _, _ = prepared(Prototypes)
    cells, labels, where = drawn(seed=2)
    z = represented(cells)
    for label, name in enumerate(one.outputs):
        told = one.explain(z, name).evidence
        own = [
            (next(e.region.start_s for e in told[at] if e.unit.startswith(name)), int(where[at, label]))
            for at in torch.nonzero(labels[:, label])[:, 0].tolist()
            if any(e.unit.startswith(name) for e in told[at])
        ]
        assert len(own) > 10
        assert np.mean([start == place for start, place in own]) > 0.9


@torch.no_grad()
def test_percentiles_are_those_of_the_training_samples():
    one, z, _ = prepared(Prototypes)
    similarities = one.similarities(z)
    rank = one.percentile(similarities)
    for prototype in range(3):
        column = similarities[:, prototype]
        true = torch.tensor([float((column < value).float().mean() * 100) for value in column])
        assert float((rank[:, prototype] - true).abs().max()) <= 1 + 100 / len(column)
    assert float(one.percentile(similarities + 100).min()) == 100
    assert float(one.percentile(similarities - 100).max()) == 0


@torch.no_grad()
def test_evidence_of_a_bundle_is_the_prototype_that_it_rests_on_most():
    one, _, _ = prepared(PrototypesGrouped, window=2)
    z = represented(drawn(seed=1)[0])
    found, similarities, windows_of = one.explain(z, "dip"), one.similarities(z), one.best_windows(z)
    for sample, told in enumerate(found.evidence):
        order = found.contributions[sample].abs().topk(5).indices.tolist()
        assert [evidence.unit for evidence in told] == [found.names[at] for at in order]
        for bundle, evidence in zip(order, told, strict=True):
            shares = one.mix.flatten(0, 1)[bundle]
            prototype = int((shares * similarities[sample]).argmax())
            assert evidence.text.startswith(
                f"rests by {float(shares[prototype]):.0%} on {one.prototype_names[prototype]}:"
            )
            assert evidence.source == one.sources[prototype]
            start = float(windows_of[sample, prototype])
            assert evidence.region == TimeSpan(("x",), start, start + 2)


def test_what_prototypes_say_in_bundles_is_the_slope_of_the_output_by_their_similarities():
    one, _, _ = prepared(PrototypesGrouped)
    z = represented(drawn(seed=1)[0])
    similarities = one.similarities(z).detach().requires_grad_()
    for at, output in enumerate(one.outputs):
        active = one.bundled(similarities)
        (slope,) = torch.autograd.grad(one.outcome(active)[:, at].sum(), similarities)
        # Where a bundle is fully active its slope is nothing, and what it says still has its prototypes.
        below = (active < 1).all(1)
        assert int(below.sum()) > 20
        assert torch.allclose(
            one.prototype_contributions(z, output)[below], (slope * (similarities - one.centre))[below], atol=1e-4
        )
        assert one.prototype_contributions(z, output)[below].abs().max().item() > 0.1


# --- comparing ------------------------------------------------------------------------------------------------------------


def a_set(**options):
    facts = {"tokens": "x", "shape": TokenShape(count=4, width=2), "classes": (0,), "per_class": 1, "window": 2}
    return PrototypeSet(**(facts | {"similarity": "arc", "pool": "max", "top": 2, "addon_width": 0} | options))


def test_similarities_are_those_computed_by_hand():
    cells = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [2.0, 2.0], [0.0, -1.0]]])
    prototype = torch.tensor([[0.0, 1.0, 1.0, 1.0]])
    patches = windows(cells, 2)
    assert patches.tolist() == [[[1, 0, 0, 1], [0, 1, 2, 2], [2, 2, 0, -1]]]
    cosine = [1 / math.sqrt(6), 5 / math.sqrt(27), 1 / math.sqrt(27)]
    assert similarity(patches, prototype, a_set(similarity="cosine"))[0, :, 0].tolist() == pytest.approx(cosine)
    assert similarity(patches, prototype, a_set())[0, :, 0].tolist() == pytest.approx([2 / 2 * c for c in cosine])
    l2 = [math.log((d + 1) / (d + 1e-4)) for d in (3.0, 2.0, 10.0)]
    assert similarity(patches, prototype, a_set(similarity="l2"))[0, :, 0].tolist() == pytest.approx(l2)


def test_pooling_takes_the_best_the_mean_or_the_mean_of_the_best():
    similarities = torch.tensor([[[1.0], [5.0], [3.0]]])
    assert [float(pooled(similarities, how, 2)) for how in ("max", "mean", "topk")] == [5.0, 3.0, 4.0]


def test_regions_around_some_are_as_wide_as_all_of_them():
    assert around(places(4)[1:3]) == TimeSpan(("x",), 1.0, 3.0)
    assert around([Box((0, 4), (2, 6)), Box((1, 0), (3, 2))]) == Box((0, 0), (3, 6))


# --- the last layer -------------------------------------------------------------------------------------------------------


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


# --- sets -----------------------------------------------------------------------------------------------------------------


def of_two_sets():
    """A head with two sets of prototypes, of different tokens; of one output in both."""
    cells, labels, _ = drawn()
    z = represented(cells)
    z = Representation(z.values, z.names, {"x": z.tokens["x"], "y": Tokens(cells[:, :3, :4], places(3))})
    config = Prototypes.config_type.model_validate(
        {
            "units": z.names,
            "target": TARGETS["several"],
            "tokens": {"x": {"count": 7, "width": 6}, "y": {"count": 3, "width": 4}},
            "addon_width": 0,
            "sets": [
                {"tokens": "x", "outputs": ["bump", "wave"], "per_class": 2, "window": 2},
                {
                    "tokens": "y",
                    "outputs": ["dip", "wave"],
                    "per_class": 3,
                    "window": 0,
                    "similarity": "cosine",
                    "addon_width": 5,
                },
            ],
        }
    )
    torch.manual_seed(0)
    return Prototypes(config), z, labelled(labels)


@torch.no_grad()
def test_sets_are_plain_options_and_an_output_may_be_in_several():
    one, z, batch = of_two_sets()
    assert one.prototype_names == (
        "bump #1", "bump #2", "wave #1", "wave #2", "dip #1", "dip #2", "dip #3", "wave #3", "wave #4", "wave #5",
    )  # fmt: skip
    assert [tuple(p.shape) for p in one.prototypes] == [(4, 12), (6, 15)]
    one.prepare([(z, batch)])
    one.project([(z, batch)])
    one.refit([(z, batch)])
    assert one.eval()(z).shape == (60, 3)
    assert int(one.source_window[4:].max()) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sets": (PrototypeSetConfig(tokens="z"),)}, "tokens 'z'"),
        ({"sets": (PrototypeSetConfig(outputs=("bumb",)),)}, "did you mean 'bump'"),
        ({"sets": (PrototypeSetConfig(outputs=("bump",)),)}, "serves 'dip', 'wave'"),
        ({"window": 8}, "longer than the 7 tokens"),
    ],
)
def test_sets_that_do_not_fit_are_refused(options, said):
    with pytest.raises(StudyError, match=said):
        made(Prototypes, TARGETS["several"], torch.zeros(1, 7, 6), **options)


@torch.no_grad()
def test_the_other_side_of_a_binary_target_speaks_against_it():
    one, _, _ = prepared(Prototypes, "yes")
    assert one.classes == ("no bump", "bump")
    against = one.class_of == 0
    assert bool((one.weights[0, against] <= 0).all())
    assert bool((one.weights[0, ~against] >= 0).all())


def test_widths_of_add_ons_and_tokens_are_compared_as_they_should_be():
    one, z, _ = prepared(Prototypes, addon_width=10, window=2)
    assert one.prototypes[0].shape == (15, 20)
    cells = one.cells(z, 0).detach()
    assert float(cells.min()) > 0
    assert float(cells.max()) < 1


# --- learning -------------------------------------------------------------------------------------------------------------


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


# --- in a model -----------------------------------------------------------------------------------------------------------


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
