"""TPP and SCR: dictionaries planted apart and mixed, and the scores written out class by class."""

from __future__ import annotations

import math

import pytest
import torch

from pellucid.errors import DataError
from pellucid.measures.dictionaries.ablation import (
    NS,
    ablate,
    feature_effects,
    scr_score,
    spurious_correlation_removal,
    targeted_probe_perturbation,
    tpp_score,
)
from pellucid.measures.dictionaries.code_edits import clamped, with_error, without
from pellucid.measures.dictionaries.linear_probes import balanced_rows, fit_linear_probes
from pellucid.measures.dictionaries.probing import mean_pool

QUICK = {"epochs": 20, "learning_rate": 0.01, "batch_rows": 64}


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def basis(size, seed=3):
    return torch.linalg.qr(drawn(size, size, seed=seed))[0]


def classes(mixed, rows=400, count=4):
    """Rows of four classes of two features each; a mixed dictionary spreads each class over all features."""
    labels = torch.nn.functional.one_hot(torch.arange(rows) % count, count)
    codes = labels.repeat_interleave(2, dim=1) * (1 + torch.rand(rows, 8, generator=torch.Generator().manual_seed(1)))
    atoms = basis(16)[:8]
    # What the dictionary does not reconstruct.
    x = codes @ atoms + 0.1 * drawn(rows, 16) + 0.5
    if mixed:
        turn = basis(8, seed=4)
        codes, atoms = codes @ turn, turn.T @ atoms
    return x, codes, labels, atoms


def perturbed(mixed, **options):
    x, codes, labels, atoms = classes(mixed)
    rows = balanced_rows(labels)
    probes = fit_linear_probes(x, labels, rows=rows, **QUICK)
    effects = torch.stack(
        [feature_effects(codes, labels[:, c], probes.weight[c], atoms) for c in range(labels.shape[1])]
    )
    return targeted_probe_perturbation(
        x, codes, labels, probes, effects, lambda f: f @ atoms, rows=rows, **options
    ), effects


def test_features_of_one_class_hurt_its_probe_alone_where_classes_are_apart():
    found, effects = perturbed(mixed=False)
    assert tuple(found) == NS == (2, 5, 10, 20, 50, 100, 500)
    assert [effects[c].topk(2).indices.sort().values.tolist() for c in range(4)] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert found[2].accuracy.min() > 0.98
    assert found[2].score > 0.45
    assert found[2].ablated.diagonal().max() < 0.55
    # Everything off hurts all probes alike.
    assert found[500].score == pytest.approx(0.0, abs=1e-12)
    assert torch.equal(found[500].ablated, found[10].ablated)
    assert found[2].score > found[5].score - 1e-9


def test_features_of_all_classes_hurt_all_probes_where_classes_are_mixed():
    apart, mixed = perturbed(mixed=False)[0], perturbed(mixed=True)[0]
    assert mixed[2].score < 0.15 < apart[2].score - 0.25


def test_the_score_is_what_a_class_loses_less_what_others_lose():
    accuracy, ablated = torch.rand(4, generator=torch.Generator().manual_seed(0)), drawn(4, 4).sigmoid()
    by_hand = []
    for i in range(4):
        others = [float(accuracy[j] - ablated[i, j]) for j in range(4) if j != i]
        by_hand.append(float(accuracy[i] - ablated[i, i]) - sum(others) / 3)
    assert tpp_score(accuracy, ablated) == pytest.approx(sum(by_hand) / 4)
    with pytest.warns(UserWarning, match="two classes"):
        assert math.isnan(tpp_score(accuracy[:1], ablated[:1, :1]))


def test_effects_are_differences_of_means_times_what_the_probe_sees_of_the_atom():
    codes, atoms, weight = drawn(50, 6).relu(), drawn(6, 4, seed=1), drawn(4, seed=2)
    labels = torch.arange(50) % 3
    signed, sizes = [], []
    for j in range(6):
        yes = [float(codes[n, j]) for n in range(50) if labels[n] > 0]
        no = [float(codes[n, j]) for n in range(50) if labels[n] == 0]
        apart = sum(yes) / len(yes) - sum(no) / len(no)
        along = sum(float(a) * float(w) for a, w in zip(atoms[j], weight, strict=True))
        signed.append(max(apart, 0.0) * along)
        sizes.append(abs(apart * along))
    assert feature_effects(codes, labels, weight, atoms).tolist() == pytest.approx(signed)
    assert feature_effects(codes, labels, weight, atoms, absolute=True).tolist() == pytest.approx(sizes)
    assert min(signed) < 0
    assert 0.0 in signed


def test_what_the_dictionary_does_not_reconstruct_is_kept():
    x, codes, _, atoms = classes(mixed=False)
    decode = lambda f: f @ atoms + 3.0  # noqa: E731
    kept = ablate(x, codes, torch.tensor([1, 4]), decode)
    assert torch.allclose(kept, x - codes[:, [1, 4]] @ atoms[[1, 4]], atol=1e-5)
    assert torch.allclose(with_error(x, codes, codes, decode), x, atol=1e-5)
    assert torch.allclose(with_error(x, codes, 2 * codes, decode), x + codes @ atoms, atol=1e-5)
    mask = torch.zeros(8, dtype=torch.bool)
    mask[[1, 4]] = True
    assert torch.equal(without(codes, mask), without(codes, torch.tensor([1, 4])))
    assert without(codes, mask)[0].tolist() == [*codes[0, :1].tolist(), 0.0, *codes[0, 2:4].tolist(), 0.0, 0, 0, 0]
    assert torch.equal(without(codes[None], mask)[0], without(codes, mask))


def test_clamping_sets_features_only_where_they_are_on():
    codes = torch.tensor([[1.0, 0.0, 0.2], [0.0, 3.0, -1.0]])
    found = clamped(codes, torch.tensor([1, 2]), -25.0)
    assert found.tolist() == [[1.0, 0.0, -25.0], [0.0, -25.0, -1.0]]
    positions = clamped(codes[:, None].repeat(1, 5, 1), torch.tensor([1, 2]), -25.0)
    assert torch.equal(positions[:, 4], found)


def test_positions_are_pooled_after_the_ablation():
    x, codes, labels, atoms = classes(mixed=False, rows=200)
    probes = fit_linear_probes(x, labels, **QUICK)
    effects = torch.stack([feature_effects(codes, labels[:, c], probes.weight[c], atoms) for c in range(4)])
    # Each sample is spread over three positions, the last of which is padding that holds anything.
    mask = torch.tensor([True, True, False]).repeat(200, 1)
    spread = torch.stack([2 * x, 0 * x, x * torch.nan], dim=1)
    spread_codes = torch.stack([2 * codes, 0 * codes, codes], dim=1)
    arguments = (labels, probes, effects, lambda f: f @ atoms)
    pooled = targeted_probe_perturbation(
        spread, spread_codes, *arguments, ns=(2,), pool=lambda values: mean_pool(values, mask)
    )
    plain = targeted_probe_perturbation(x, codes, *arguments, ns=(2,))
    assert pooled[2].score == pytest.approx(plain[2].score)
    assert plain[2].score > 0.2


def confounded(rows, agree, seed):
    """Label and confounder, of which the second is much louder; they always agree or are independent."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(0, 2, (rows,), generator=generator)
    other = label if agree else torch.randint(0, 2, (rows,), generator=generator)
    codes = torch.stack([label, 1 - label, 3 * other, 3 * (1 - other)], dim=1).float()
    codes = codes * (0.8 + 0.4 * torch.rand(rows, 4, generator=generator))
    atoms = basis(12)[:4]
    return codes @ atoms + 0.1 * torch.randn(rows, 12, generator=generator), codes, label, other, atoms


def removed(mixed):
    x, _, label, _, _ = confounded(600, True, 0)
    fair_x, fair_codes, fair_label, fair_other, atoms = confounded(600, False, 1)
    test_x, test_codes, test_label, _, _ = confounded(600, False, 2)
    if mixed:
        # Each feature stands for half of the label and half of the confounder.
        turn = torch.tensor([[1.0, 0, 1, 0], [0, 1, 0, 1], [1, 0, -1, 0], [0, 1, 0, -1]]) / 2**0.5
        fair_codes, test_codes, atoms = fair_codes @ turn.T, test_codes @ turn.T, turn @ atoms
    wrong = fit_linear_probes(x, label[:, None], **QUICK)
    oracle = fit_linear_probes(fair_x, fair_label[:, None], **QUICK)
    spurious = fit_linear_probes(fair_x, fair_other[:, None], **QUICK)
    effects = feature_effects(fair_codes, fair_other, spurious.weight[0], atoms, absolute=True)
    return spurious_correlation_removal(
        test_x, test_codes, test_label, wrong, oracle, effects, lambda f: f @ atoms, ns=(2, 4)
    ), effects


def test_switching_the_confounder_off_makes_a_confounded_probe_fair_where_it_has_features_of_its_own():
    found, effects = removed(mixed=False)
    assert effects.topk(2).indices.sort().values.tolist() == [2, 3]
    assert found.base < 0.65
    assert found.oracle > 0.97
    assert found.accuracy[2] > 0.9
    assert found.scores[2] > 0.8
    # With everything off nothing is left to tell.
    assert found.scores[4] < 0.3
    for n in (2, 4):
        by_hand = (found.accuracy[n] - found.base) / (found.oracle - found.base)
        assert found.scores[n] == pytest.approx(by_hand)


def test_nothing_is_removed_where_label_and_confounder_share_features():
    found, _ = removed(mixed=True)
    assert found.scores[2] < 0.3


def test_without_a_gap_there_is_nothing_to_remove():
    assert scr_score(0.5, 0.75, 1.0) == 0.5
    assert scr_score(0.5, 0.4, 1.0) == pytest.approx(-0.2)
    assert scr_score(0.9, 1.0, 0.9009) == 0.0
    assert scr_score(0.9, 1.0, 0.5) == 0.0
    assert scr_score(0.5, 0.502, 0.502) == pytest.approx(1.0)
    with pytest.warns(UserWarning, match="scr is not defined"):
        assert math.isnan(scr_score(math.nan, 0.5, 1.0))


def test_what_does_not_fit_is_refused():
    x, codes, labels, atoms = classes(mixed=False, rows=40)
    probes = fit_linear_probes(x, labels, epochs=1)
    with pytest.raises(DataError, match="expected \\(class, feature\\), \\(4, 8\\)"):
        targeted_probe_perturbation(x, codes, labels, probes, torch.zeros(3, 8), lambda f: f @ atoms)
    with pytest.raises(DataError, match="rows differ"):
        targeted_probe_perturbation(x[1:], codes, labels, probes, torch.zeros(4, 8), lambda f: f @ atoms)
    with pytest.raises(DataError, match="rows differ"):
        spurious_correlation_removal(x, codes[1:], labels[:, 0], probes, probes, torch.zeros(8), lambda f: f @ atoms)
