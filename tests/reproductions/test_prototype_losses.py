"""Losses, groups and sums of prototype networks against what their papers say of them.

ProtoECGNet (2025, PMLR 298): what the co-occurrence loss does, and that logits are the sum of what is listed. ScaleProtoSeg
(arXiv 2409.09497): rows of shares on the simplex and sparse, the loss that keeps prototypes of a class at different places,
scales that are told apart, and toys that a shortcut would pass for: summed scales, a softmax in place of the projection,
prototypes that are no training patches. The second paper segments images; here samples are classified and the same is asked
of tokens of three scales, so its items 1 and 5 (intersection over union) have no counterpart.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from pellucid.batch import Batch
from pellucid.data.spec import MultiLabel
from pellucid.heads.prototypes.bundled import PrototypesGrouped
from pellucid.heads.prototypes.bundles import row_entropy, simplex_rows
from pellucid.heads.prototypes.head import Prototypes
from pellucid.heads.prototypes.losses import CoOccurrence, clustering, cooccurrence, diversity, same_places, separation
from pellucid.representation import Representation, Tokens, TokenShape

pytestmark = pytest.mark.reproduction

LABELS = ("small", "large", "both")


# --- ProtoECGNet ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_cooccurrence_draws_together_what_occurs_together_and_nothing_else(seed):
    classes_seen = CoOccurrence()
    both = torch.rand(200, generator=torch.Generator().manual_seed(seed)) < 0.5
    classes_seen.add(torch.stack([both, both, ~both], dim=1))
    assert classes_seen.jaccard[0, 1] == 1
    assert classes_seen.jaccard[0, 2] == 0
    torch.manual_seed(seed)
    prototypes = torch.randn(9, 16).requires_grad_()
    class_of = torch.arange(3).repeat_interleave(3)
    optimizer = torch.optim.Adam([prototypes], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        cooccurrence(prototypes, class_of, classes_seen.jaccard.float()).backward()
        optimizer.step()
    unit = torch.nn.functional.normalize(prototypes.detach(), dim=1)
    cosine = unit @ unit.t()
    assert float(cosine[:3, 3:6].mean() - cosine[:3, 6:].mean()) >= 0.5


def test_cooccurrence_is_the_formula_of_the_paper():
    generator = torch.Generator().manual_seed(0)
    prototypes = torch.randn(6, 5, generator=generator)
    class_of, jaccard = torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([[1, 0.3, 0.1], [0.3, 1, 0], [0.1, 0, 1]])
    one_hot = torch.nn.functional.one_hot(class_of).float()
    unit = prototypes / prototypes.norm(dim=1, keepdim=True)
    cosine, alike = unit @ unit.t(), one_hot @ jaccard @ one_hot.t()
    apart = 1 - alike
    expected = -((cosine * alike).sum() / alike.sum() - (cosine * apart).sum() / apart.sum()) / 6**0.5
    assert cooccurrence(prototypes, class_of, jaccard).item() == pytest.approx(expected.item(), abs=1e-6)


def test_clustering_and_separation_are_the_formulas_of_the_paper():
    generator = torch.Generator().manual_seed(1)
    similarities = torch.rand(8, 6, generator=generator)
    class_of = np.array([0, 0, 1, 1, 2, 2])
    present = torch.rand(8, 3, generator=generator) < 0.5
    owner = torch.from_numpy(class_of[None] == np.arange(3)[:, None])
    s, y = similarities.numpy(), present.numpy()
    near = -np.mean([[y[b, c] * s[b, class_of == c].max() for c in range(3)] for b in range(8)])
    released = np.mean([[s[b, class_of != c].max() for c in range(3)] for b in range(8)])
    foreign = [[p for p in range(6) if not y[b, class_of[p]]] for b in range(8)]
    right = np.mean([s[b, own].max() if own else 0.0 for b, own in enumerate(foreign)])
    assert clustering(similarities, present, owner).item() == pytest.approx(near, abs=1e-6)
    assert separation(similarities, present, owner, as_released=True).item() == pytest.approx(released, abs=1e-6)
    assert separation(similarities, present, owner).item() == pytest.approx(right, abs=1e-6)


def test_released_separation_pushes_away_prototypes_of_present_labels_and_ours_does_not():
    similarities = torch.tensor([[5.0, 4.0, 1.0]], requires_grad=True)
    present, owner = torch.tensor([[True, True, False]]), torch.eye(3, dtype=torch.bool)
    (ours,) = torch.autograd.grad(separation(similarities, present, owner), similarities)
    (released,) = torch.autograd.grad(separation(similarities, present, owner, as_released=True), similarities)
    assert ours[0].tolist() == [0.0, 0.0, 1.0]
    assert float(released[0, :2].min()) > 0


def test_diversity_is_the_formula_of_the_paper():
    prototypes = torch.randn(5, 4, generator=torch.Generator().manual_seed(2))
    unit = (prototypes / prototypes.norm(dim=1, keepdim=True)).numpy()
    expected = np.linalg.norm(unit @ unit.T - np.eye(5)) ** 2 / 25
    assert diversity(prototypes).item() == pytest.approx(expected, abs=1e-6)


# --- ScaleProtoSeg: losses and shares -----------------------------------------------------------------------------------


def test_rows_are_put_on_the_nearest_point_of_the_simplex():
    rng = np.random.default_rng(0)
    for _ in range(5):
        values = rng.normal(0, 1, 5)
        usable = np.array([True, True, True, rng.random() < 0.5, True])
        found = simplex_rows(torch.tensor(values)[None], torch.tensor(usable)[None])[0].numpy()
        reference = minimize(
            lambda x, v=values, u=usable: ((x - v) ** 2)[u].sum(),
            np.where(usable, 1 / usable.sum(), 0),
            bounds=[(0, 1 if ok else 0) for ok in usable],
            constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
            options={"ftol": 1e-14},
        )
        assert np.allclose(found, reference.x, atol=1e-5)
        assert found.sum() == pytest.approx(1, abs=1e-12)


def test_places_loss_is_the_formula_of_the_paper():
    distances = torch.rand(3, 7, 4, generator=torch.Generator().manual_seed(0)).double() * 3
    class_of, present = torch.tensor([0, 0, 0, 1]), torch.tensor([[True, False], [True, True], [False, True]])
    terms = []
    for sample in (0, 1):
        log = torch.log_softmax(distances[sample], dim=0)
        for i, j in ((0, 1), (0, 2), (1, 2)):
            kl_ij = torch.nn.functional.kl_div(log[:, j], log[:, i], log_target=True, reduction="sum")
            kl_ji = torch.nn.functional.kl_div(log[:, i], log[:, j], log_target=True, reduction="sum")
            terms.append(torch.exp(-(kl_ij + kl_ji) / 2).item())
    assert same_places(distances, present, class_of).item() == pytest.approx(np.mean(terms), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_places_loss_moves_prototypes_of_a_class_apart(seed):
    """Overlap of the fifth of places where two prototypes are most active: at least 0.15 lower with the loss."""
    generator = torch.Generator().manual_seed(seed)
    cells = torch.randn(40, 20, 8, generator=generator)
    begin = torch.randn(1, 8, generator=generator) + 0.1 * torch.randn(3, 8, generator=generator)
    present, class_of = torch.ones(40, 1, dtype=torch.bool), torch.zeros(3, dtype=torch.long)

    def distances(prototypes):
        return (cells[:, :, None] - prototypes).square().sum(3)

    def overlap(prototypes):
        active = distances(prototypes.detach()).argsort(dim=1).argsort(dim=1) < 4
        pairs = [
            (active[:, :, i] & active[:, :, j]).sum(1) / (active[:, :, i] | active[:, :, j]).sum(1)
            for i, j in ((0, 1), (0, 2), (1, 2))
        ]
        return float(torch.stack(pairs).mean())

    prototypes = begin.clone().requires_grad_()
    optimizer = torch.optim.Adam([prototypes], lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        same_places(distances(prototypes), present, class_of).backward()
        optimizer.step()
    assert overlap(prototypes) <= overlap(begin) - 0.15


# --- ScaleProtoSeg: scales ------------------------------------------------------------------------------------------------


def of_three_scales(samples=240, seed=0, summed=False):
    """Tokens of a fine, a middle and a coarse scale. ``small`` shows in fine ones, ``large`` in coarse, ``both`` in both."""
    rng = np.random.default_rng(seed)
    has = rng.random((samples, 3)) < 0.35
    cells = {name: rng.normal(0, 0.4, (samples, 12, 8)) for name in ("fine", "middle", "coarse")}
    for sample in range(samples):
        place = rng.permutation(12)
        if has[sample, 0]:
            cells["fine"][sample, place[0], 0] += 3
        if has[sample, 1]:
            cells["coarse"][sample, place[1], 0] += 3
        if has[sample, 2]:
            # Either half alone says nothing of it: each also stands alone in samples that are not of this class.
            cells["fine"][sample, place[2], 1] += 3
            cells["coarse"][sample, place[2], 1] += 3
        else:
            alone = ("fine", "coarse", "none")[rng.integers(3)]
            if alone != "none":
                cells[alone][sample, place[2], 1] += 3
    if summed:
        total = sum(cells.values())
        cells = dict.fromkeys(cells, total)
    tokens = {f"x:{name}": Tokens(torch.tensor(value, dtype=torch.float32)) for name, value in cells.items()}
    z = Representation(torch.zeros(samples, 1), ("x:u",), tokens)
    targets = torch.tensor(has, dtype=torch.float32)
    return z, Batch({"x": targets}, targets=targets, samples=tuple(map(str, range(samples))))


def fitted(seed=0, summed=False, **options):
    z, batch = of_three_scales(seed=seed, summed=summed)
    shapes = {name: TokenShape(count=12, width=8) for name in z.tokens}
    facts = {"units": z.names, "target": MultiLabel(names=LABELS), "tokens": shapes}
    torch.manual_seed(seed)
    head = PrototypesGrouped(PrototypesGrouped.config_type(**facts, per_class=2, addon_width=0, warm_up=1.0, **options))
    head.prepare([(z, batch)])
    for stage in head.stages():
        if stage.loss is not None:
            optimizer = torch.optim.Adam(stage.parameters(head), lr=0.02)
            for _ in range(150):
                optimizer.zero_grad()
                stage.loss(z, batch).backward()
                optimizer.step()
        stage.finish([(z, batch)])
    return head.eval(), z, batch


def mass_by_scale(head, z):
    """Share of each class's bundles on each scale, shape (class, scale); a bundle counts as far as it moves its output."""
    with torch.no_grad():
        moves = head.bundle_weight * head.explained(z).std(0)
        own = torch.stack([moves[at].view(3, -1)[at] for at in range(3)])
        share = torch.stack([head.mix[:, :, head.span(at)].sum(2) for at in range(3)], dim=2)
        return (own[:, :, None] * share).sum(1) / own.sum(1, keepdim=True)


@pytest.fixture(scope="module", params=range(3))
def scaled(request):
    return fitted(seed=request.param)


def test_shares_are_on_the_simplex_and_few(scaled):
    head, _, _ = scaled
    rows = head.mix.detach().flatten(0, 1)
    assert float((rows.sum(1) - 1).abs().max()) <= 1e-6
    assert float(rows.min()) >= 0
    assert float((rows > 0.05).sum(1).float().median()) <= 2
    assert float(row_entropy(rows).mean()) < 0.35 * np.log(6)


def test_bundles_rest_on_the_scale_that_a_class_shows_in(scaled):
    head, z, _ = scaled
    fine, middle, coarse = mass_by_scale(head, z).unbind(1)
    assert float(fine[0] + middle[0]) >= 0.8
    assert float(coarse[1] + middle[1]) >= 0.8
    assert float(fine[2]) >= 0.15
    assert float(coarse[2]) >= 0.15


def test_summed_scales_lose_their_identity():
    head, z, _ = fitted(summed=True)
    mass = mass_by_scale(head, z)
    assert not (mass[0, :2].sum() >= 0.8 and mass[1, 1:].sum() >= 0.8 and mass[2, [0, 2]].min() >= 0.15)


def test_a_softmax_in_place_of_the_projection_is_not_sparse():
    generator = torch.Generator().manual_seed(0)
    values = 1 / 6 + 0.3 * torch.randn(9, 6, generator=generator)
    sparse = simplex_rows(values, torch.ones(9, 6, dtype=torch.bool))
    assert float((sparse > 0).sum(1).float().median()) < 6
    assert float((values.softmax(1) > 0).sum(1).float().median()) == 6
    assert float(row_entropy(values.softmax(1)).mean()) > 0.9 * np.log(6) > float(row_entropy(sparse).mean())


def test_prototypes_are_training_patches_and_stored_patches_give_the_activation_again(scaled):
    head, z, batch = scaled
    names = list(batch.samples)
    with torch.no_grad():
        found = head.similarities(z)
        for prototype, source in enumerate(head.sources):
            sample, group = names.index(source), int(head.set_of[prototype])
            own = head.prototypes[group][prototype - head.span(group).start]
            patch = z.tokens[head.sets[group].tokens].values[sample, int(head.source_window[prototype])]
            assert torch.equal(own, patch)
            # The distance of a patch and itself is rounding, which the logarithm near an exact match makes larger.
            assert float(found[sample, prototype]) == pytest.approx(np.log(1e4), abs=0.05)


def test_without_projection_prototypes_are_no_training_patches(scaled):
    _, z, _ = scaled
    shapes = {name: TokenShape(count=12, width=8) for name in z.tokens}
    head = Prototypes(
        Prototypes.config_type(units=z.names, target=MultiLabel(names=LABELS), tokens=shapes, addon_width=0)
    )
    cells = z.tokens["x:fine"].values.flatten(0, 1)
    assert float(torch.cdist(head.prototypes[0].detach(), cells).amin(1).min()) > 0.1
    assert head.stale(head.encoders_then).startswith("the prototypes of this model were never projected")


@torch.no_grad()
def test_logits_are_the_sum_of_listed_contributions_and_the_bias(scaled):
    head, _, _ = scaled
    z, _ = of_three_scales(seed=99)
    for at, name in enumerate(LABELS):
        found = head.explain(z, name)
        total = found.contributions.double().sum(1) + found.baseline.double()
        assert float((total - head(z)[:, at].double()).abs().max()) <= 1e-5
