"""How prototypes learn: where they begin, what is good about them, the shares of bundles, and the last layer to its end."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from pellucid.data.spec import Binary, MultiLabel
from pellucid.errors import ContractError
from pellucid.heads.prototypes import last_layer as module
from pellucid.heads.prototypes.bundles import Bundling, activations, thresholded
from pellucid.heads.prototypes.last_layer import Penalties, fit_last_layer
from pellucid.heads.prototypes.losses import CoOccurrence, clustering, same_places, separation
from pellucid.heads.prototypes.placing import KEPT, SPARE, Placing, initial_weights
from pellucid.heads.prototypes.sets import PrototypeSet, Similarity, directions
from pellucid.heads.prototypes.similarity import largest_similarity, similarity
from pellucid.representation import TokenShape


def a_set(**options) -> PrototypeSet:
    facts = {"tokens": "x", "shape": TokenShape(count=4, width=2), "classes": (0,), "per_class": 3, "window": 1}
    return PrototypeSet(**(facts | {"similarity": "l2", "pool": "max", "top": 2, "addon_width": 0} | options))


# --- where prototypes begin -----------------------------------------------------------------------------------------------


def test_every_sample_of_a_class_has_the_same_chance_to_be_a_candidate_in_whatever_batches():
    cells = torch.arange(40.0)[:, None, None].expand(40, 4, 2)
    present = torch.stack([torch.arange(40) % 2 == 0, torch.arange(40) % 2 == 1], dim=1)
    drawn = np.zeros(40)
    for seed in range(600):
        one = Placing(a_set(classes=(1,), per_class=1), seed)
        for some in torch.arange(40).split([25, 1, 14]):
            one.add(cells[some], present[some], None)
        ids = [int(patch[0]) for patch in one.patches[0]]
        assert len(set(ids)) == len(ids) == SPARE
        drawn[ids] += 1
    assert drawn[::2].sum() == 0
    # Of 600 draws each sample has SPARE / 20 in the mean; four and a half deviations.
    mean = 600 * SPARE / 20
    assert np.abs(drawn[1::2] - mean).max() < 4.5 * math.sqrt(mean * (1 - SPARE / 20))


def test_a_candidate_is_the_window_that_scores_best_for_its_class_or_any_without_scores():
    cells = torch.arange(80.0).view(10, 4, 2)
    present = torch.ones(10, 2, dtype=torch.bool)
    scores = torch.rand(10, 3, 2, generator=torch.Generator().manual_seed(0))
    one = Placing(a_set(classes=(0, 1), window=2), 0)
    one.add(cells, present, scores)
    for of_class, kept in enumerate(one.patches):
        assert [patch[0].item() for patch in kept] == [
            8 * at + 2 * int(scores[at, :, of_class].argmax()) for at in range(10)
        ]
    anywhere = Placing(a_set(per_class=50), 0)
    anywhere.add(torch.arange(4.0)[None, :, None].expand(200, 4, 2), present[:1].expand(200, 2), None)
    assert {int(patch[0]) for patch in anywhere.patches[0]} == {0, 1, 2, 3}


def test_prototypes_of_a_class_begin_as_far_apart_as_candidates_are_and_others_stay():
    corners = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 6.0]])
    order = [0, 0, 0, 1, 0, 2, 0, 1, 0, 0]
    cells = corners[order][:, None].expand(10, 4, 2) + 0.01 * torch.rand(10, 4, 2)
    present = torch.tensor([[True, False]]).expand(10, 2)
    one = Placing(a_set(classes=(0, 1)), 0)
    one.add(cells, present, None)
    before = torch.full((6, 2), -5.0)
    found = one.prototypes(before)
    # From a first one the farthest follows, and then the farthest from both.
    assert torch.allclose(found[:3], corners, atol=0.02)
    assert torch.equal(found[3:], before[3:])


def test_similarities_where_prototypes_begin_are_those_of_the_first_samples():
    cells = torch.randn(KEPT + 50, 4, 2, generator=torch.Generator().manual_seed(0))
    one = Placing(a_set(), 0)
    with pytest.raises(ContractError, match="there were none"):
        one.similarities(torch.zeros(3, 2))
    for some in cells.split(100):
        one.add(some, torch.ones(len(some), 1, dtype=torch.bool), None)
    prototypes = torch.randn(3, 2, generator=torch.Generator().manual_seed(1))
    apart = (cells[:KEPT, :, None] - prototypes).square().sum(3)
    expected = torch.log((apart + 1) / (apart + 1e-4)).amax(1)
    assert torch.allclose(one.similarities(prototypes), expected, atol=1e-4)


def test_a_prototype_begins_for_its_class_and_half_against_others_whatever_their_number_and_size():
    # Two sets: one of similarities up to 4 with two prototypes of each class, one up to 2 with one of the first class.
    class_of, set_of, largest = torch.tensor([0, 0, 1, 1, 0]), torch.tensor([0, 0, 0, 0, 1]), [4.0, 2.0]
    several = initial_weights(class_of, directions(MultiLabel(names=("a", "b"))), largest, set_of)
    assert several[0].tolist() == pytest.approx([1 / 12, 1 / 12, -1 / 16, -1 / 16, 1 / 6])
    assert several[1].tolist() == pytest.approx([-1 / 24, -1 / 24, 1 / 8, 1 / 8, -1 / 12])
    two = initial_weights(class_of, directions(Binary(names=("no", "yes"))), largest, set_of)
    assert two[0].tolist() == pytest.approx([-1 / 20, -1 / 20, 1 / 20, 1 / 20, -1 / 10])
    alone = initial_weights(torch.tensor([0]), directions(MultiLabel(names=("a", "b"))), [1.0], torch.tensor([0]))
    assert alone.tolist() == [[1.0], [-0.5]]


@pytest.mark.parametrize("kind", ["arc", "cosine", "l2"])
def test_nothing_is_more_like_a_prototype_than_itself(kind: Similarity):
    made = a_set(similarity=kind, window=3, shape=TokenShape(count=4, width=7))
    one = torch.randn(1, 21, generator=torch.Generator().manual_seed(0))
    assert float(similarity(one[None], one, made)) == pytest.approx(largest_similarity(kind, 7, 3), rel=5e-3)
    others = one + 0.1 * torch.randn(50, 21, generator=torch.Generator().manual_seed(1))
    assert float(similarity(others[None], one, made).max()) < largest_similarity(kind, 7, 3)


# --- what is good about prototypes ----------------------------------------------------------------------------------------


def test_classes_without_prototypes_and_sets_of_one_place_or_one_prototype_add_nothing():
    similarities = torch.tensor([[2.0, 3.0]], requires_grad=True)
    owner = torch.tensor([[True, True], [False, False]])
    everything, nothing = torch.tensor([[True, True]]), torch.tensor([[False, False]])
    assert clustering(similarities, everything, owner).item() == -1.5
    assert clustering(similarities, nothing, owner).item() == 0
    assert separation(similarities, everything, owner).item() == 0
    assert separation(similarities, nothing, owner).item() == 3
    released = separation(similarities, everything, owner, as_released=True)
    assert released.item() == 1.5
    found = (clustering(similarities, everything, owner) + separation(similarities, everything, owner) + released).sum()
    (gradient,) = torch.autograd.grad(found, similarities)
    assert bool(torch.isfinite(gradient).all())

    distances = torch.rand(2, 2, 2, generator=torch.Generator().manual_seed(0), requires_grad=True)
    both, one_class = torch.ones(2, 1, dtype=torch.bool), torch.zeros(2, dtype=torch.long)
    assert same_places(distances, both, one_class).item() > 0
    for left_out in (
        same_places(distances[:, :1], both, one_class),
        same_places(distances[:, :, :1], both, one_class[:1]),
        same_places(distances, ~both, one_class),
    ):
        assert left_out.item() == 0
        left_out.backward()  # so that a loss of nothing else can still be learnt from


def test_classes_that_occur_together_are_counted_over_batches():
    classes_seen = CoOccurrence()
    labels = torch.rand(30, 4, generator=torch.Generator().manual_seed(0)) < torch.tensor([0.5, 0.3, 0.0, 0.0])
    labels[7, 3] = True
    for some in labels.split([11, 1, 18]):
        classes_seen.add(some)
    sets = [set(torch.nonzero(labels[:, at])[:, 0].tolist()) for at in range(4)]
    expected = [[len(a & b) / len(a | b) if a | b else 0.0 for b in sets] for a in sets]
    assert np.allclose(classes_seen.jaccard.numpy(), expected)
    assert classes_seen.counts.tolist() == [len(one) for one in sets]
    assert classes_seen.samples == 30


# --- shares of bundles ----------------------------------------------------------------------------------------------------


def learnt(entropy: float, one_class: bool) -> torch.Tensor:
    """Shares of one bundle over six prototypes, of which two together decide whether a sample is of the class."""
    x = torch.randn(300, 6, generator=torch.Generator().manual_seed(0))
    labels = (x[:, 1] + x[:, 4] > 0).float()[:, None]
    labels = torch.cat([labels, 1 - labels], dim=1) if one_class else labels
    begin = 1 / 6 + 0.05 * torch.randn(1, 1, 6, generator=torch.Generator().manual_seed(1))
    usable = torch.ones(1, 1, 6, dtype=torch.bool)
    usable[..., 0] = False
    weight = torch.tensor([[1.0], [-1.0]])[: labels.shape[1]]
    bundling = Bundling(entropy=entropy, l1=0.0, steps=200)
    found = bundling.learn(
        x, labels, begin, usable, weight, torch.zeros(len(weight)), weight > 0, x.max(), one_class=one_class
    )
    assert not found.requires_grad
    return found[0, 0]


@pytest.mark.parametrize("one_class", [False, True])
def test_a_bundle_rests_on_the_prototypes_that_decide_together_and_on_one_where_entropy_costs_much(one_class):
    found = learnt(0.0, one_class)
    assert found[[1, 4]].tolist() == pytest.approx([0.5, 0.5], abs=0.1)
    assert float(found.sum()) == pytest.approx(1)
    few = learnt(0.7, one_class)
    assert float(few.max()) == pytest.approx(1)
    assert int(few.argmax()) in (1, 4)


def test_shares_below_a_twentieth_are_dropped_and_the_others_made_whole():
    found = thresholded(torch.tensor([[0.04, 0.06, 0.9], [0.0, 0.0, 0.0]]))
    assert found[0].tolist() == pytest.approx([0.0, 0.0625, 0.9375])
    assert found[1].tolist() == [0, 0, 0]


def test_a_bundle_is_fully_active_from_a_mean_on():
    similarities, mix = torch.tensor([[2.0, 4.0], [6.0, 6.0]]), torch.tensor([[[0.5, 0.5], [1.0, 0.0]]])
    found = activations(similarities, mix, torch.tensor(5.0))
    assert found[0].tolist() == pytest.approx([math.exp(-2), math.exp(-3)])
    assert found[1].tolist() == [1, 1]


# --- the last layer -------------------------------------------------------------------------------------------------------


def test_a_refit_reaches_the_best_weights_in_a_fifth_of_its_steps_however_alike_prototypes_are(monkeypatch):
    monkeypatch.setattr(module, "STEPS", module.STEPS // 5)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(300, 1, generator=generator) + 0.15 * torch.randn(300, 8, generator=generator)
    x = x - x.mean(0)
    chance = (x @ torch.tensor([3.0, -3.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0])).sigmoid()
    y = (torch.rand(300, generator=generator) < chance).float()
    own, begin, penalties = torch.arange(8) < 2, torch.full((1, 8), 0.3), Penalties(l1=2e-3, pull=1e-4)
    weight, bias = fit_last_layer(
        x, y[:, None], begin, torch.zeros(1), own[None].float(), torch.ones(8, dtype=torch.bool), penalties,
        one_class=False,
    )  # fmt: skip
    assert bool((weight[0, own] >= 0).all())

    size = x.double().square().mean(0).sqrt().numpy()
    z, labels, free = x.double().numpy() / size, y.numpy(), (~own).numpy()

    def cost(w: np.ndarray, b: float) -> float:
        outputs = z @ w + b
        away = w - 0.3 * size
        return float(
            np.mean(np.logaddexp(0, outputs) - labels * outputs)
            + penalties.l1 * np.abs(w[free]).sum() + 0.5 * penalties.pull * (away**2).sum()
        )  # fmt: skip

    # By halves that are not negative, so that nothing has a corner; what is of the own class has no negative half.
    best = minimize(
        lambda parts: cost(parts[:8] - parts[8:16], parts[16]),
        np.full(17, 0.1),
        bounds=[(0, None)] * 8 + [(0, None if one else 0) for one in free] + [(None, None)],
        method="L-BFGS-B",
        options={"maxiter": 5000, "maxfun": 200000, "ftol": 1e-14, "gtol": 1e-9},
    )
    assert cost(weight[0].double().numpy() * size, float(bias)) <= best.fun + 2e-6


@pytest.mark.parametrize("one_class", [False, True])
def test_where_chances_are_even_one_step_is_all_it_takes(one_class, monkeypatch):
    monkeypatch.setattr(module, "STEPS", 1)
    x = torch.tensor([[1.0], [-1.0]]).repeat(500, 1)
    y = torch.zeros(1000, 1)
    y[:520:2] = 1  # of the first kind 260 of 500, of the second 240
    y[1:480:2] = 1
    labels = torch.cat([y, 1 - y], dim=1) if one_class else y
    outputs = labels.shape[1]
    weight, _ = fit_last_layer(
        x, labels, torch.zeros(outputs, 1), torch.zeros(outputs), torch.zeros(outputs, 1), torch.ones(1, dtype=torch.bool),
        Penalties(0.0, 0.0), one_class=one_class,
    )  # fmt: skip
    odds = math.log(0.52 / 0.48)
    assert float(weight[0] - weight[-1] if one_class else weight[0]) == pytest.approx(odds, rel=2e-3)
