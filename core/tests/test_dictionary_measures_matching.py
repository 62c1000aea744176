"""Matching: planted permutations, every assignment tried, numpy's correlations; independence and hierarchies."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import torch

from pellucid.errors import DataError
from pellucid.measures.dictionaries import independence
from pellucid.measures.dictionaries.hierarchy import gram_error, level_leakage, parent_miss_rate
from pellucid.measures.dictionaries.independence import greatest_correlation, mean_correlation
from pellucid.measures.dictionaries.matching import (
    assign,
    coherence,
    correlations,
    cosines,
    match_atoms,
    match_codes,
    stability,
)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cosine(one, other):
    return float(one.double() @ other.double() / (one.double().norm() * other.double().norm()))


def test_a_permuted_and_scaled_dictionary_is_recovered_and_each_atom_finds_its_own():
    truth = drawn(6, 9)
    order = torch.tensor([3, 5, 0, 1, 4, 2])
    found = match_atoms(truth[order] * torch.arange(1, 7)[:, None], truth)
    assert found.mcc == pytest.approx(1.0)
    assert found.max_cos == pytest.approx(1.0)
    assert found.recovered == 1.0
    assert order[found.assigned].tolist() == list(range(6))


@pytest.mark.parametrize("signed", [True, False])
def test_the_assignment_is_the_best_of_all(signed):
    truth, atoms = drawn(4, 3), drawn(6, 3, seed=1)
    found = match_atoms(atoms, truth, signed=signed, threshold=0.8)
    table = [[cosine(t, a) if signed else abs(cosine(t, a)) for a in atoms] for t in truth]
    best = max(permutations(range(6), 4), key=lambda order: sum(table[i][j] for i, j in enumerate(order)))
    assert tuple(found.assigned.tolist()) == best
    assert found.similarity.tolist() == pytest.approx([table[i][j] for i, j in enumerate(best)])
    assert found.mcc == pytest.approx(sum(table[i][j] for i, j in enumerate(best)) / 4)
    assert found.max_cos == pytest.approx(sum(map(max, table)) / 4)
    above = sum(table[i][j] > 0.8 for i, j in enumerate(best))
    assert 0 < above < 4
    assert found.recovered == above / 4


def test_a_reversed_atom_is_recovered_only_where_signs_say_nothing():
    truth = torch.eye(3)
    atoms = truth * torch.tensor([[1.0], [-1.0], [1.0]])
    assert match_atoms(atoms, truth, signed=False).mcc == 1.0
    signed = match_atoms(atoms, truth)
    assert signed.mcc == pytest.approx(1 / 3)
    assert signed.recovered < 0.9


def test_recovered_means_above_nine_tenths():
    turned = [math.acos(0.89), math.acos(0.91)]
    atoms = torch.block_diag(*[torch.tensor([[math.cos(a), math.sin(a)]]) for a in turned])
    truth = torch.block_diag(*[torch.tensor([[1.0, 0.0]])] * 2)
    assert match_atoms(atoms, truth).recovered == 0.5


def test_one_atom_cannot_stand_for_two_although_the_greatest_cosine_would_have_it_so():
    truth = torch.tensor([[1.0, 0.0], [1.0, 0.01]])
    found = match_atoms(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), truth)
    assert found.max_cos > 0.99
    assert found.mcc < 0.6


def test_with_fewer_atoms_than_planted_ones_the_rest_is_unassigned():
    found = match_atoms(torch.eye(3)[2:], torch.eye(3))
    assert found.mcc == 1.0
    assert found.assigned.tolist() == [-1, -1, 0]
    assert found.similarity.isnan().tolist() == [True, True, False]
    assert found.max_cos == pytest.approx(1 / 3)


def test_dead_atoms_match_nothing_and_a_planted_one_without_direction_is_refused_an_answer():
    atoms = torch.eye(3) * torch.tensor([[1.0], [1.0], [0.0]])
    assert match_atoms(atoms, torch.eye(3)).mcc == pytest.approx(2 / 3)
    assert cosines(atoms, torch.eye(3)).diagonal().tolist() == [1.0, 1.0, 0.0]
    with pytest.warns(UserWarning, match="mcc is not defined: a planted atom has length zero"):
        found = match_atoms(torch.eye(3), atoms)
    assert all(math.isnan(value) for value in found[:3])
    with pytest.warns(UserWarning, match="nothing to match"):
        assert math.isnan(match_atoms(torch.zeros(0, 3), torch.eye(3)).max_cos)
    with pytest.warns(UserWarning, match="nothing to match"):
        assert math.isnan(match_atoms(torch.eye(3), torch.zeros(0, 3)).recovered)
    with pytest.raises(DataError, match="same units"):
        match_atoms(torch.eye(3), torch.eye(2))


def test_codes_are_matched_by_numpys_correlations():
    truth = drawn(40, 3) + 5
    codes = torch.cat([drawn(40, 1, seed=2), -2 * truth[:, [1]] + 1, truth[:, [0]], torch.full((40, 1), 0.1)], dim=1)
    table = np.nan_to_num(np.corrcoef(truth.double().numpy().T, codes[:, :3].double().numpy().T)[:3, 3:])
    assert correlations(truth, codes)[:, :3].numpy() == pytest.approx(table, abs=1e-9)
    assert (correlations(truth, codes)[:, 3] == 0).all()
    unsigned = match_codes(codes, truth, signed=False)
    assert unsigned.assigned.tolist()[:2] == [2, 1]
    assert unsigned.recovered == pytest.approx(2 / 3)
    best = max(permutations(range(3), 3), key=lambda order: sum(table[i, j] for i, j in enumerate(order)))
    assert match_codes(codes[:, :3], truth).mcc == pytest.approx(sum(table[i, j] for i, j in enumerate(best)) / 3)
    with pytest.warns(UserWarning, match="a planted factor does not vary"):
        assert math.isnan(match_codes(truth, codes).mcc)
    with pytest.warns(UserWarning, match="a planted factor does not vary"):
        assert math.isnan(match_codes(codes[:0], truth[:0]).mcc)
    with pytest.raises(DataError, match="rows differ"):
        match_codes(codes[1:], truth)


def test_stability_is_the_mean_assigned_cosine_over_pairs_of_seeds():
    one, two, three = drawn(5, 4), drawn(5, 4, seed=1), drawn(5, 4, seed=2)
    pairs = [match_atoms(a, b).mcc for a, b in ((one, two), (one, three), (two, three))]
    assert stability([one, two, three]) == pytest.approx(sum(pairs) / 3)
    assert stability([one, one[torch.randperm(5)]]) == pytest.approx(1.0)
    assert stability([one, two]) < 0.9
    for few in ([one], [one[:0], two[:0]]):
        with pytest.warns(UserWarning, match="two dictionaries"):
            assert math.isnan(stability(few))
    with pytest.raises(DataError, match="seeds of one setting"):
        stability([one, two[:4]])


def test_coherence_is_the_greatest_size_of_a_cosine():
    atoms = drawn(5, 4)
    sizes = [abs(cosine(atoms[i], atoms[j])) for i in range(5) for j in range(i)]
    assert coherence(atoms) == pytest.approx(max(sizes))
    assert coherence(torch.eye(4)) == 0.0
    assert coherence(torch.tensor([[1.0, 0.0], [-2.0, 0.0]])) == 1.0
    for few in (atoms[:1], atoms[:0]):
        with pytest.warns(UserWarning, match="coherence is not defined"):
            assert math.isnan(coherence(few))


def test_what_is_no_number_is_assigned_last():
    pairs, rows, columns = assign(torch.tensor([[torch.nan, 0.1], [0.2, 0.3]]))
    assert (rows.tolist(), columns.tolist()) == ([0, 1], [1, 0])
    assert pairs.tolist() == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize("block", [1, 3, 100])
def test_correlation_of_features_is_numpys_whatever_the_block(block, monkeypatch):
    monkeypatch.setattr(independence, "BLOCK", block)
    codes = drawn(30, 7)
    codes[:, 3] = codes[:, 5] + 0.3 * codes[:, 1]
    sizes = np.abs(np.corrcoef(codes.double().numpy().T))[~np.eye(7, dtype=bool)]
    dead = torch.cat([codes, torch.full((30, 2), 0.7)], dim=1)
    assert mean_correlation(codes) == pytest.approx(sizes.mean())
    assert mean_correlation(dead) == pytest.approx(sizes.mean())
    assert greatest_correlation(codes) == pytest.approx(sizes.max())
    assert greatest_correlation(dead[:, [0, 2, 7, 4]]) == pytest.approx(
        np.abs(np.corrcoef(codes.double().numpy()[:, [0, 2, 4]].T))[~np.eye(3, dtype=bool)].max()
    )
    assert greatest_correlation(torch.eye(2).repeat(4, 1) @ torch.tensor([[1.0, -1.0], [0.0, 0.0]])) == pytest.approx(1)


@pytest.mark.parametrize("measure", [mean_correlation, greatest_correlation])
def test_one_feature_that_varies_has_nothing_to_hang_together_with(measure):
    for codes in (drawn(9, 1), torch.ones(9, 4), torch.cat([drawn(9, 1), torch.ones(9, 1)], 1)):
        with pytest.warns(UserWarning, match="fewer than two features vary"):
            assert math.isnan(measure(codes))
    planted = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert measure(planted) == pytest.approx(0.0)


def test_leakage_is_the_length_of_a_projection_on_the_parents():
    # Three parents in a plane: their span has two dimensions.
    parents = torch.tensor([[1.0, 0, 0, 0], [0, 2, 0, 0], [1, 1, 0, 0]])
    children = torch.tensor([[0.0, 0, 3, 0], [0, 0, 0, 1]])
    assert level_leakage(parents, children) == pytest.approx(0.0, abs=1e-12)
    angle = 0.3
    leaning = torch.tensor([[math.sin(angle), 0, math.cos(angle), 0], [0, 0, 5, 0]])
    assert level_leakage(parents, leaning) == pytest.approx(math.sin(angle) / 2)
    assert level_leakage(parents, parents[:2] + parents[1:]) == pytest.approx(1.0)
    # A direction that is left of parents by rounding alone is not part of their span.
    nearly = torch.tensor([[1.0, 0, 0], [1, 1e-13, 0]], dtype=torch.float64)
    assert level_leakage(nearly, torch.tensor([[0.0, 1, 0]])) == pytest.approx(0.0, abs=1e-9)
    # One that they share out by little is.
    close = torch.tensor([[1.0, 0, 0], [math.cos(0.05), math.sin(0.05), 0]])
    assert level_leakage(close, torch.tensor([[0.0, 1, 0]])) == pytest.approx(1.0)
    wide, across = drawn(3, 8), drawn(5, 8, seed=3)
    span = np.linalg.qr(wide.double().numpy().T)[0]
    each = np.linalg.norm(across.double().numpy() @ span, axis=1) / across.double().norm(dim=1).numpy()
    assert level_leakage(wide, across) == pytest.approx(each.mean())
    assert level_leakage(torch.zeros(0, 4), children) == 0.0
    for none in (children * 0, children[:0]):
        with pytest.warns(UserWarning, match="level_leakage is not defined"):
            assert math.isnan(level_leakage(parents, none))


def test_angles_within_a_level_are_compared_with_the_planted_ones():
    truth, atoms = drawn(4, 6), drawn(4, 6, seed=1)
    apart = [
        (cosine(atoms[i], atoms[j]) - cosine(truth[i], truth[j])) ** 2 for i in range(4) for j in range(4) if i != j
    ]
    assert gram_error(atoms, truth) == pytest.approx(math.sqrt(sum(apart) / 12))
    turn, _ = torch.linalg.qr(drawn(6, 6, seed=4).double())
    assert gram_error(3 * truth.double() @ turn, truth) == pytest.approx(0.0, abs=1e-7)
    with pytest.warns(UserWarning, match="gram_error"):
        assert math.isnan(gram_error(truth[:1], atoms[:1]))
    with pytest.raises(DataError, match="assign them first"):
        gram_error(truth[:3], atoms)


def test_parents_that_are_silent_where_a_child_speaks_are_counted():
    parent = torch.tensor([-1, -1, 0, 0, 1])
    codes = torch.tensor(
        [
            [1.0, 0, 1, 0, 0],  # both there
            [0, 0, 1, 1, 0],  # two children without their parent
            [0, 1, 0, 0, 1],
            [1, 0, 0, 0, 1],  # the other's parent
            [0, 0, 0, 0, 0],
        ]
    )
    assert parent_miss_rate(codes, parent) == pytest.approx(3 / 5)
    # Judged by what is truly there, a child whose own feature is off counts too.
    there = torch.zeros(5, 5, dtype=torch.bool)
    there[4, 2] = there[0, 3] = True
    assert parent_miss_rate(codes, parent, children=there) == 0.5
    with pytest.warns(UserWarning, match="no child is on"):
        assert math.isnan(parent_miss_rate(codes * 0, parent))
    with pytest.raises(DataError, match="expected"):
        parent_miss_rate(codes, parent[1:])
    with pytest.raises(DataError, match="expected"):
        parent_miss_rate(codes, parent, children=there[1:])
