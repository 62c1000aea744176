"""Acceptance of circuits from codes (O'Neill and Bui, arXiv 2405.12522) on planted circuits, and where the method is fragile.

48 heads of 32 numbers, noise of 0.3 in each. What the paper counts, codes that only positive examples have, is worse than
chance: noise collects such codes. Divergence of histograms finds the circuit; what labels dealt anew give finds it better.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
import torch

from pellucid.measures.circuits import edge_scores, mean_difference, node_scores, permutation_null
from pellucid.measures.output_codes import discretised
from pellucid.statistics.ranking import auroc

pytestmark = [pytest.mark.reproduction, pytest.mark.xdist_group("circuits")]

HEADS, WIDTH, CIRCUIT, DISTRACTORS, NOISE = 48, 32, 7, 10, 0.3
SEEDS = range(20, 24)
"""Apart from those that the choice of centring and of the encoder's start was made on."""


def outputs_of(examples: int, seed: int, *, means_coincide: bool) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (example, head, width) and labels; the first heads are the circuit."""
    random = np.random.default_rng(seed)
    positive = np.arange(2 * examples) < examples
    prototypes = random.normal(size=(HEADS, 4, WIDTH))
    found = np.repeat(prototypes[None, :, 0], 2 * examples, axis=0)
    for h in range(CIRCUIT):
        found[:, h] = np.where(positive[:, None], prototypes[h, 1], prototypes[h, 0])
        if means_coincide:
            found[:, h] *= np.concatenate([random.permutation(np.resize([-1, 1], examples)) for _ in "ab"])[:, None]
    for h in range(CIRCUIT, CIRCUIT + DISTRACTORS):
        found[:, h] = prototypes[h, random.integers(4, size=2 * examples)]
    return found + NOISE * random.normal(size=found.shape), positive


def area(scores: np.ndarray, truth: np.ndarray) -> float:
    return float(auroc(truth, scores, np.ones(len(scores))))


@lru_cache
def coded(examples: int, seed: int, means_coincide: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    outputs, positive = outputs_of(examples, seed, means_coincide=means_coincide)
    codes = discretised(torch.from_numpy(outputs).float(), latents=100, steps=300, learning_rate=5e-3, seed=seed)
    return codes, positive, mean_difference(outputs, positive)


def areas(examples: int, *, means_coincide: bool = False) -> dict[str, np.ndarray]:
    truth, found = np.arange(HEADS) < CIRCUIT, {}
    for seed in SEEDS:
        codes, positive, difference = coded(examples, seed, means_coincide)
        scores = {kind: node_scores(codes, positive, kind) for kind in ("count", "jaccard", "js")}
        scores |= {"z": permutation_null(codes, positive).z, "difference": difference}
        for name, one in scores.items():
            found.setdefault(name, []).append(area(one, truth))
    return {name: np.array(values) for name, values in found.items()}


# --- 1: planted circuits ----------------------------------------------------------------------------------------------


def test_divergence_finds_the_circuit_and_counts_of_codes_do_not():
    found = areas(10)
    assert found["js"].mean() > 0.9, found
    assert found["js"].mean() > found["count"].mean() + 0.3, found
    assert found["count"].mean() < 0.5, found
    assert found["z"].min() > 0.97, found
    assert found["difference"].min() == 1.0, found


def test_five_examples_of_each_kind_are_too_few_for_divergence():
    # They miss the bound that ten examples keep; what labels dealt anew give does not.
    found = areas(5)
    assert found["js"].mean() < 0.9, found
    assert found["z"].mean() > found["js"].mean() + 0.1, found


def test_codes_find_a_circuit_whose_means_coincide_and_the_baseline_does_not():
    found = areas(30, means_coincide=True)
    assert found["difference"].mean() < 0.7, found
    assert found["js"].mean() > 0.85, found
    assert found["z"].mean() > 0.95, found


# --- 2: labels dealt anew ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_no_head_stands_out_when_labels_are_shuffled(seed):
    codes, positive, _ = coded(10, seed)
    shuffled = np.random.default_rng(seed).permutation(positive)
    assert np.abs(permutation_null(codes, shuffled).z).max() < 4
    assert permutation_null(codes, positive).z[:CIRCUIT].min() > 2


# --- 3: edges ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_pairs_that_agree_on_positive_examples_only_are_found_as_edges_and_not_as_nodes(seed):
    examples, pairs = 30, 5
    random = np.random.default_rng(seed)
    positive = np.arange(2 * examples) < examples
    prototypes = random.normal(size=(HEADS, 4, WIDTH))
    which = np.zeros((2 * examples, HEADS), np.int64)
    for pair in range(pairs):
        # Exactly as often the one as the other, on either side: alone, neither head of a pair tells anything.
        one = np.concatenate([random.permutation(np.resize([0, 1], examples)) for _ in "ab"])
        which[:, 2 * pair], which[:, 2 * pair + 1] = one, np.where(positive, one, 1 - one)
    for h in range(2 * pairs, 2 * pairs + DISTRACTORS):
        which[:, h] = random.integers(4, size=2 * examples)
    outputs = prototypes[np.arange(HEADS), which] + NOISE * random.normal(size=(2 * examples, HEADS, WIDTH))
    codes = discretised(torch.from_numpy(outputs).float(), latents=100, steps=300, learning_rate=5e-3, seed=seed)
    upper = np.triu_indices(HEADS, 1)
    truth = ((upper[0] % 2 == 0) & (upper[1] == upper[0] + 1) & (upper[0] < 2 * pairs)).astype(int)
    edges = permutation_null(codes, positive, edges=True, permutations=60)
    nodes = permutation_null(codes, positive).z[: 2 * pairs]
    assert area(edges.z[upper], truth) > 0.85
    assert np.abs(nodes).mean() < 2
    # Pairs of nodes that stand out are no edges: the nodes' own scores do not rank these pairs first.
    alone = permutation_null(codes, positive).z
    assert area(alone[upper[0]] + alone[upper[1]], truth) < 0.85
    assert np.array_equal(edges.scores, edge_scores(codes, positive), equal_nan=True)
