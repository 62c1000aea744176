"""Moran's I: golden values, the double sum, another library, and what it says of features with and without a pattern."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import sparse

from pellucid.errors import DataError
from pellucid.measures.local_moran import CLASSES, local_moran, overlap
from pellucid.measures.neighbours import (
    grid_neighbours,
    linked_neighbours,
    nearest_neighbours,
    row_standardised,
    sequence_neighbours,
)
from pellucid.measures.spatial import moran_test, morans_i
from pellucid.statistics.false_discovery import benjamini_hochberg


def places(count=300, seed=0):
    return np.random.default_rng(seed).random((count, 2))


def bump(points, centre=(0.5, 0.5), width=0.15):
    return np.exp(-((points - np.array(centre)) ** 2).sum(1) / (2 * width**2))


def by_double_sum(x, weights):
    """Moran's I as it is written in the books, pair by pair."""
    n, z, total = len(x), x - x.mean(), 0.0
    for i in range(n):
        for j in range(n):
            total += weights[i, j] * z[i] * z[j]
    return n / weights.sum() * total / (z**2).sum()


# --- neighbours -------------------------------------------------------------------------------------------------------


def test_nearest_neighbours_are_those_of_all_distances():
    points = places(60, seed=1)
    weights = nearest_neighbours(points, 5).toarray()
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    expected = np.zeros((60, 60))
    np.put_along_axis(expected, np.argsort(apart, axis=1)[:, :5], 0.2, axis=1)
    np.testing.assert_array_equal(weights, expected)
    assert (weights != weights.T).any()


def test_a_place_shared_by_several_is_not_its_own_neighbour():
    points = np.repeat(np.arange(6.0), 4)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights = nearest_neighbours(points, 3).toarray()
    assert (np.diag(weights) == 0).all()
    assert ((weights > 0) == (np.equal(points, points.T) & ~np.eye(24, dtype=bool))).all()
    with pytest.warns(UserWarning, match="4 samples lie at one place; with k = 2"):
        weights = nearest_neighbours(points, 2)
    assert (weights.diagonal() == 0).all()
    np.testing.assert_allclose(weights.sum(1), 1.0)


def test_links_count_once_and_both_ways_unless_directed():
    weights = linked_neighbours([[0, 1], [1, 0], [1, 2]], 4).toarray()
    np.testing.assert_array_equal(weights, [[0, 1, 0, 0], [0.5, 0, 0.5, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    one_way = linked_neighbours([[0, 1], [0, 1], [0, 2]], 3, directed=True).toarray()
    np.testing.assert_array_equal(one_way, [[0, 0.5, 0.5], [0, 0, 0], [0, 0, 0]])


def test_an_adjacency_matrix_becomes_shares():
    weights = row_standardised(np.array([[0, 3.0, 1.0], [2.0, 0, 0], [0, 0, 0]]))
    np.testing.assert_array_equal(weights.toarray(), [[0, 0.75, 0.25], [1, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("shape", [(7,), (4, 5), (2, 3, 4)])
def test_cells_of_a_grid_are_beside_those_one_step_away(shape, diagonal):
    cells = np.stack(np.unravel_index(np.arange(np.prod(shape)), shape), axis=1)
    apart = np.abs(cells[:, None] - cells[None])
    beside = apart.max(2) == 1 if diagonal else apart.sum(2) == 1
    expected = beside / beside.sum(1, keepdims=True)
    np.testing.assert_allclose(grid_neighbours(shape, diagonal=diagonal).toarray(), expected)


def test_steps_have_neighbours_in_their_own_sequence_only():
    sequences, times = np.array(["b", "a", "a", "b", "a", "a"]), np.array([1.0, 30.0, 10.0, 0.5, 20.0, 40.0])
    weights = sequence_neighbours(sequences, times)
    found = {tuple(pair) for pair in np.argwhere(weights.toarray() > 0).tolist()}
    assert found == {(0, 3), (3, 0), (2, 4), (4, 2), (4, 1), (1, 4), (1, 5), (5, 1)}
    wide = sequence_neighbours(sequences, times, reach=2).toarray() > 0
    assert {tuple(p) for p in np.argwhere(wide).tolist()} == found | {(2, 1), (1, 2), (4, 5), (5, 4)}
    in_order = sequence_neighbours(np.zeros(3)).toarray()
    np.testing.assert_array_equal(in_order, [[0, 1, 0], [0.5, 0, 0.5], [0, 1, 0]])


def test_what_cannot_be_measured_is_refused_with_a_reason():
    ring = linked_neighbours([[i, (i + 1) % 30] for i in range(30)], 30)
    x = np.random.default_rng(0).normal(size=(30, 2))
    for refused, told in (
        (lambda: nearest_neighbours(np.zeros(5)), "shape"),
        (lambda: nearest_neighbours(np.zeros((5, 2)), 5), "more than k places, got 5"),
        (lambda: nearest_neighbours(np.zeros((5, 2)), 0), "k of 1 at least"),
        (lambda: nearest_neighbours(np.array([[0.0], [np.nan], [1.0]]), 1), "1 of 3 places"),
        (lambda: linked_neighbours([[0, 5]], 5), "there are 0 to 4"),
        (lambda: linked_neighbours([[-1, 2]], 5), "-1 to 2"),
        (lambda: linked_neighbours([[1, 1]], 5), "its own neighbour"),
        (lambda: sequence_neighbours(np.zeros(4), reach=0), "joins nothing"),
        (lambda: row_standardised(np.zeros((2, 3))), "place, place"),
        (lambda: row_standardised(np.array([[0, -1.0], [1.0, 0]])), "negative"),
        (lambda: morans_i(x[:20], ring), r"shape \(30, feature\)"),
        (lambda: morans_i(x[:, 0], ring), r"shape \(30, feature\)"),
        (lambda: morans_i(np.where(x > 1, np.nan, x), ring), "places are not numbers"),
        (lambda: morans_i(x, sparse.csr_array((30, 30))), "no place has a neighbour"),
    ):
        with pytest.raises(DataError, match=told):
            refused()


# --- the global measure -----------------------------------------------------------------------------------------------


def test_golden_values_of_a_ring_and_of_two_halves():
    ring = linked_neighbours([[i, (i + 1) % 100] for i in range(100)], 100)
    line = nearest_neighbours(np.arange(100.0)[:, None], 2)
    alternating, halves = np.resize([1.0, -1.0], 100), np.repeat([1.0, -1.0], 50)
    assert morans_i(alternating[:, None], ring) == pytest.approx([-1.0], abs=1e-12)
    assert morans_i(halves[:, None], line) == pytest.approx([0.98], abs=1e-12)


def test_it_is_the_double_sum_of_the_books_for_any_weights():
    rng = np.random.default_rng(3)
    weights = rng.random((40, 40)) * (rng.random((40, 40)) < 0.2)
    np.fill_diagonal(weights, 0)
    x = rng.normal(2.0, 3.0, (40, 5))
    expected = [by_double_sum(column, weights) for column in x.T]
    np.testing.assert_allclose(morans_i(x, weights), expected, atol=1e-12)
    np.testing.assert_allclose(morans_i(x, sparse.coo_array(weights)), expected, atol=1e-12)
    found = moran_test(x, weights, permutations=20)
    np.testing.assert_allclose(found.values, expected, atol=1e-12)
    assert found.expected == pytest.approx(-1 / 39)


def test_units_do_not_matter_and_neither_does_the_sign():
    x, weights = np.random.default_rng(4).normal(size=(80, 3)), nearest_neighbours(places(80), 6)
    one = moran_test(x, weights, permutations=99, seed=5)
    other = moran_test(-1e3 * x + 1e4, weights, permutations=99, seed=5)
    np.testing.assert_allclose(one.values, other.values, atol=1e-9)
    np.testing.assert_array_equal(one.p_greater, other.p_greater)
    # What varies little beside its mean varies all the same.
    np.testing.assert_allclose(morans_i(1e6 + x, weights), one.values, atol=1e-6)


def test_constant_and_rarely_active_features_are_nan_with_a_warning_and_spoil_no_other():
    points = places()
    x = np.zeros((300, 5))
    x[:, 0], x[:, 1] = bump(points), 0.1
    x[:19, 3], x[:20, 4] = 1.0, 1.0
    weights = nearest_neighbours(points)
    with pytest.warns(UserWarning, match="of 5 features, 2 are constant and 1 are active at fewer than 20 places"):
        found = moran_test(x, weights, permutations=99)
    unknown = [False, True, True, True, False]
    for numbers in (found.values, found.z, found.p_greater, found.p_two_sided, found.p_folded, found.q_two_sided):
        assert np.isnan(numbers).tolist() == unknown
    assert found.active.tolist() == [300, 300, 0, 19, 20]
    assert found.values[0] == pytest.approx(morans_i(x[:, :1], weights)[0], abs=1e-12)
    with pytest.warns(UserWarning, match="2 are constant"):
        local = local_moran(x, weights, permutations=19)
    assert np.isnan(local.p_folded).all(0).tolist() == unknown
    assert (local.classes(1.0)[:, unknown] == 0).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(morans_i(x[:, 3:], weights, least_active=19)).all()


def test_a_planted_bump_is_found_and_noise_is_not():
    points = places()
    noise = np.random.default_rng(7).normal(size=(300, 200))
    found = moran_test(np.column_stack([bump(points), noise]), nearest_neighbours(points), permutations=999)
    assert found.values[0] > 0.6
    assert found.p_greater[0] == found.p_folded[0] == 0.001
    assert found.p_two_sided[0] == 0.002
    assert found.z[0] > 20
    # One-sided on both tails: the folded p is below 0.05 for a tenth of features without any pattern.
    assert 0.05 <= (found.p_folded[1:] < 0.05).mean() <= 0.15
    assert (found.p_two_sided[1:] < 0.05).mean() <= 0.09
    assert (found.p_greater[1:] < 0.05).mean() <= 0.09
    assert found.values[1:].mean() == pytest.approx(found.expected, abs=0.006)
    assert found.z[1:].std() == pytest.approx(1.0, abs=0.15)
    assert (found.q_two_sided[1:] < 0.05).sum() <= 2


def test_permutation_p_values_are_counts_over_permutations():
    # Three places on a line and a single one: of six orders, each third puts the one into the middle.
    line, x = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], float), np.array([[0.0], [1.0], [0.0]])
    found = moran_test(x, line, permutations=20_000, least_active=0)
    assert found.values[0] == pytest.approx(-1.0)
    assert found.p_greater[0] == 1.0
    assert found.p_two_sided[0] == pytest.approx(2 / 3, abs=0.02)
    turned = moran_test(np.array([[1.0], [0.0], [0.0]]), line, permutations=20_000, least_active=0)
    assert turned.values[0] == pytest.approx(-0.25)
    assert turned.p_greater[0] == pytest.approx(2 / 3, abs=0.02)
    assert turned.p_two_sided[0] == 1.0
    # Folded as it is published: 20000 of 20000 as large count as none; a third as large counts as a third.
    assert found.p_folded[0] == 1 / 20_001
    assert turned.p_folded[0] == pytest.approx(1 / 3, abs=0.02)
    # Values of I are -1 and twice -1/4: mean -1/2, deviation 0.3536.
    assert found.z[0] == pytest.approx(-(2**0.5), abs=0.03)
    assert turned.z[0] == pytest.approx(0.5**0.5, abs=0.03)


def test_anticorrelated_neighbours_are_seen_by_the_two_sided_test_only():
    board = (np.indices((12, 12)).sum(0) % 2).reshape(-1, 1) * 2.0 - 1
    found = moran_test(board, grid_neighbours((12, 12)), permutations=199)
    assert found.values[0] == pytest.approx(-1.0)
    assert found.p_greater[0] == 1.0
    assert found.p_two_sided[0] == 0.01
    assert found.p_folded[0] == 0.005


def test_features_say_the_same_alone_and_in_company(monkeypatch):
    x, weights = np.random.default_rng(8).normal(size=(50, 4)), nearest_neighbours(places(50), 4)
    together = moran_test(x, weights, permutations=40, seed=2)
    alone = moran_test(x[:, 2:3], weights, permutations=40, seed=2)
    assert alone.p_greater[0] == together.p_greater[2]
    assert alone.z[0] == pytest.approx(together.z[2])
    monkeypatch.setattr("pellucid.measures.spatial.BLOCK", 450)
    in_blocks = moran_test(x, weights, permutations=40, seed=2)
    np.testing.assert_array_equal(in_blocks.p_greater, together.p_greater)
    assert not np.array_equal(moran_test(x, weights, permutations=40, seed=3).p_greater, together.p_greater)


# --- the local measure ------------------------------------------------------------------------------------------------


def test_local_values_are_the_formula_and_sum_to_the_global_one():
    x, weights = np.random.default_rng(9).normal(size=(60, 3)), nearest_neighbours(places(60), 5)
    found = local_moran(x, weights, permutations=9)
    z = x - x.mean(0)
    for i in range(60):
        expected = 59 * z[i] * sum(weights[i, j] * z[j] for j in range(60)) / (z**2).sum(0)
        np.testing.assert_allclose(found.values[i], expected, atol=1e-12)
    np.testing.assert_allclose(found.values.mean(0), morans_i(x, weights) * 59 / 60, atol=1e-12)


def test_classes_show_where_a_bump_lies_and_a_hole_in_it():
    # A plateau with one low cell in it, on a plain with one high cell in it.
    field = np.zeros((15, 15))
    field[:7] = 1.0
    field[3, 7], field[11, 7] = 0.0, 1.0
    field += 0.01 * np.random.default_rng(1).normal(size=field.shape)
    found = local_moran(field.reshape(-1, 1), grid_neighbours((15, 15), diagonal=True), permutations=499)
    classes = np.array(CLASSES)[found.classes().reshape(15, 15)]
    assert classes[3, 7] == "LH"
    assert classes[11, 7] == "HL"
    assert (classes[1:5, 1:5] == "HH").all()
    assert (classes[9:14, 1:5] == "LL").all()
    assert (classes[6:8] == "").mean() > 0.8
    # Cells at the border have fewer neighbours, which tell less.
    rows = np.repeat(np.arange(1, 14), 13)[:, None]
    shares = overlap((classes[1:14, 1:14] == "HH").reshape(-1, 1), np.concatenate([rows < 7, rows >= 7], axis=1))
    assert shares[0, 0] > 0.8
    assert shares[0, 1] < 0.05


def test_local_tests_hold_a_place_and_deal_the_others():
    # Each neighbour of a place is one of the others, never itself: with one one among zeros, the lag of the one is 0.
    x = np.zeros((21, 1))
    x[4] = 1.0
    found = local_moran(x, sequence_neighbours(np.zeros(21)), permutations=2000, least_active=0)
    assert found.p_two_sided[4, 0] == 1.0
    # A zero in the middle has the one beside it in 2 of 20 deals, one at the end in 1 of 20. Low by low is positive.
    assert found.quadrants[[0, 4, 10, 5], 0].tolist() == [3, 4, 3, 2]
    assert found.p_two_sided[5, 0] == pytest.approx(2 * 2 / 20, abs=0.03)
    assert found.p_two_sided[10, 0] == 1.0
    assert found.p_folded[10, 0] == pytest.approx(2 / 20, abs=0.02)
    assert found.p_folded[0, 0] == pytest.approx(1 / 20, abs=0.015)
    # Turned round, a place is as like its surroundings as before; ties must not fall to the other tail.
    turned = local_moran(-x, sequence_neighbours(np.zeros(21)), permutations=2000, least_active=0)
    np.testing.assert_allclose(turned.values, found.values, atol=1e-12)
    np.testing.assert_array_equal(turned.p_folded, found.p_folded)
    np.testing.assert_array_equal(turned.p_two_sided, found.p_two_sided)
    assert turned.quadrants[[0, 4, 10, 5], 0].tolist() == [1, 2, 1, 4]


def test_local_p_is_below_its_level_as_often_as_it_says_where_there_is_no_pattern():
    x, weights = np.random.default_rng(11).normal(size=(100, 20)), nearest_neighbours(places(100), 6)
    found = local_moran(x, weights, permutations=199, seed=4)
    assert (found.p_two_sided <= 0.05).mean() == pytest.approx(0.05, abs=0.015)
    assert (found.p_folded <= 0.05).mean() == pytest.approx(0.1, abs=0.02)
    assert (found.classes(corrected=False) > 0).mean() == pytest.approx(0.05, abs=0.015)
    assert (found.classes() > 0).mean() < 0.005


def test_a_place_without_neighbours_has_no_class():
    links = [[i, i + 1] for i in range(28)]
    x = np.arange(1.0, 31.0)[:, None]
    found = local_moran(x, linked_neighbours(links, 30), permutations=19)
    assert np.isnan(found.p_two_sided[:, 0]).tolist() == [False] * 29 + [True]
    assert found.quadrants[29, 0] == 0


def test_overlap_is_shared_over_either():
    one, regions = np.array([[1, 0], [1, 0], [0, 0], [0, 0]], bool), np.array([[1], [0], [1], [0]], bool)
    np.testing.assert_allclose(overlap(one, regions), [[1 / 3], [0.0]])
    assert overlap(np.zeros((3, 1), bool), np.zeros((3, 1), bool))[0, 0] == 0


# --- many tests, and another library ----------------------------------------------------------------------------------


def test_false_discovery_rates_are_those_of_scipy():
    from scipy.stats import false_discovery_control

    p = np.random.default_rng(0).random((6, 7)) ** 3
    expected = false_discovery_control(p.ravel()).reshape(p.shape)
    np.testing.assert_allclose(benjamini_hochberg(p), expected)
    p[2, 3] = np.nan
    found = benjamini_hochberg(p)
    assert np.isnan(found[2, 3])
    np.testing.assert_allclose(found[~np.isnan(p)], false_discovery_control(p[~np.isnan(p)]))
    assert benjamini_hochberg(np.array([0.9, 1.0])).tolist() == [1.0, 1.0]
    assert benjamini_hochberg(np.array([])).size == 0


def test_esda_says_the_same():
    esda = pytest.importorskip("esda", reason="esda, the reference for Moran's I, is not installed")
    from libpysal.weights import W

    points = places(120, seed=5)
    matrix = nearest_neighbours(points, 8)
    near = {i: matrix.indices[matrix.indptr[i] : matrix.indptr[i + 1]].tolist() for i in range(120)}
    peer_weights = W(near, silence_warnings=True)
    peer_weights.transform = "r"
    rng = np.random.default_rng(6)
    x = np.column_stack(
        [bump(points), 0.4 * bump(points) + 0.4 * rng.random(120), rng.normal(size=120), rng.exponential(size=120)]
    )
    found, local = moran_test(x, matrix, permutations=9999), local_moran(x, matrix, permutations=1999)
    for at in range(x.shape[1]):
        np.random.seed(at)  # noqa: NPY002
        peer = esda.Moran(x[:, at], peer_weights, permutations=9999)
        assert found.values[at] == pytest.approx(peer.I, abs=1e-12)
        assert found.expected == pytest.approx(peer.EI)
        assert found.p_folded[at] == pytest.approx(peer.p_sim, abs=0.015)
        assert found.z[at] == pytest.approx(peer.z_sim, rel=0.05, abs=0.05)
        there = esda.Moran_Local(x[:, at], peer_weights, permutations=1999, seed=1, n_jobs=1)
        np.testing.assert_allclose(local.values[:, at], there.Is, atol=1e-12)
        np.testing.assert_array_equal(local.quadrants[:, at], there.q)
        np.testing.assert_allclose(local.p_folded[:, at], there.p_sim, atol=0.06)
