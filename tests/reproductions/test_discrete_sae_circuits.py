"""Acceptance of circuits from codes (O'Neill and Bui, arXiv 2405.12522) on planted circuits, and where the method is fragile.

48 heads of 32 numbers, noise of 0.3 in each. What the paper counts, codes that only positive examples have, is worse than
chance: noise collects such codes. Divergence of histograms finds the circuit; what labels dealt anew give finds it better.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

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


# --- 4: a trained transformer -----------------------------------------------------------------------------------------

VOCABULARY, MODEL_WIDTH, LAYERS, IN_LAYER, PREFIX = 24, 32, 2, 4, 12


class Attention(nn.Module):
    """What each head of a layer adds, shape (example, head, position, width). Positions tell where to look, not what to say."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(MODEL_WIDTH, MODEL_WIDTH, bias=False) for _ in range(4))

    def forward(self, x: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        asked, offered, told = (
            rows.unflatten(-1, (IN_LAYER, -1)).transpose(1, 2)
            for rows in (self.query(x + place), self.key(x + place), self.value(x))
        )
        seen = functional.scaled_dot_product_attention(asked, offered, told, is_causal=True)
        return torch.einsum("ehpd,ohd->ehpo", seen, self.out.weight.unflatten(1, (IN_LAYER, -1)))


class Transformer(nn.Module):
    """Two layers of attention and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, MODEL_WIDTH)
        self.place = nn.Parameter(0.3 * torch.randn(PREFIX + 8, MODEL_WIDTH))
        self.layers = nn.ModuleList(Attention() for _ in range(LAYERS))
        self.read = nn.Linear(MODEL_WIDTH, VOCABULARY)

    def forward(self, tokens: torch.Tensor, *, last: dict[int, torch.Tensor] | None = None):
        """Logits, and heads' outputs (example, head, position, width); ``last`` are outputs to put in at the last position."""
        x, outputs = self.embedding(tokens), []
        for at, layer in enumerate(self.layers):
            heads = layer(x, self.place[: tokens.shape[1]]).clone()
            for head, output in (last or {}).items():
                if head // IN_LAYER == at:
                    heads[:, head % IN_LAYER, -1] = output
            outputs.append(heads)
            x = x + heads.sum(1)
        return self.read(x), torch.cat(outputs, 1)


def induction(count: int, random: np.random.Generator, prefix: int = PREFIX, asked: int = 1) -> torch.Tensor:
    """Different tokens, then ``asked`` of their pairs of neighbours again: ``A B ... A B``."""
    tokens = np.argsort(random.random((count, VOCABULARY)), 1)[:, :prefix]
    at, row = random.integers(prefix - 1, size=(count, asked)), np.arange(count)[:, None]
    pairs = np.stack([tokens[row, at], tokens[row, at + 1]], 2).reshape(count, 2 * asked)
    return torch.from_numpy(np.concatenate([tokens, pairs], 1))


def trained(seed: int, steps: int = 1000) -> Transformer:
    torch.manual_seed(seed)
    random, model = np.random.default_rng(seed), Transformer()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(steps):
        prefix = int(random.integers(8, PREFIX + 1))
        tokens = induction(64, random, prefix, asked=4)
        logits = model(tokens[:, :-1])[0][:, prefix::2]
        loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, prefix + 1 :: 2].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@lru_cache
@torch.no_grad()
def measured(seed: int, examples: int = 30) -> dict[str, np.ndarray]:
    """Of each head: what the model loses when its output at the last position is its mean, scores of codes, and the baseline."""
    with torch.enable_grad():
        model = trained(seed)
    many = induction(500, np.random.default_rng(seed + 200))
    tokens, answer = many[:, :-1], many[:, -1]

    def lead(last: dict[int, torch.Tensor] | None = None) -> float:
        logits = model(tokens, last=last)[0][:, -1]
        return float((logits.gather(1, answer[:, None])[:, 0] - logits.mean(1)).mean())

    logits, outputs = model(tokens)
    means = outputs[:, :, -1].mean(0)
    random = np.random.default_rng(seed + 100)
    positive = induction(examples, random)[:, :-1]
    # The token that is asked for is nowhere before, and all others stand in another order.
    fresh = torch.from_numpy(random.integers(VOCABULARY, size=(examples, VOCABULARY)))
    negative = positive.clone()
    for row, some in zip(negative, fresh, strict=True):
        row[:-1][row[:-1] == row[-1]] = next(one for one in some if one not in row)
        row[:-1] = row[:-1][torch.from_numpy(random.permutation(PREFIX))]
    heads = model(torch.cat([positive, negative]))[1][:, :, -1]
    is_positive = np.arange(2 * examples) < examples
    with torch.enable_grad():
        codes = discretised(heads, latents=100, seed=seed)
    return {
        "right": np.array(float((logits[:, -1].argmax(1) == answer).float().mean())),
        "effect": np.array([lead() - lead({head: means[head]}) for head in range(LAYERS * IN_LAYER)]),
        "js": node_scores(codes, is_positive),
        "z": permutation_null(codes, is_positive).z,
        "difference": mean_difference(heads.numpy(), is_positive),
    }


def among_the_first_two(score: str, seed: int) -> bool:
    found = measured(seed)
    return int(found["effect"].argmax()) in np.argsort(-found[score])[:2]


def is_blind_but_for_the_means(seed: int) -> None:
    found = measured(seed)
    # It has learnt the task, and the heads that copy are those of the second layer.
    assert found["right"] > 0.95
    assert found["effect"][IN_LAYER:].min() > 1
    assert np.abs(found["effect"][:IN_LAYER]).max() < 0.5
    # The acceptance asks that one of the two highest scores be that of the head with the largest effect, in two of three seeds. It
    # is not: what a head copies differs from example to example, so its codes do too, and no head stands out from labels dealt
    # anew. Should codes ever find these heads, this fails.
    assert found["z"].max() < 4
    # The difference of means needs no codes and finds the layer.
    assert set(np.argsort(-found["difference"])[:IN_LAYER]) == set(range(IN_LAYER, LAYERS * IN_LAYER))


def test_codes_do_not_find_the_heads_that_copy_in_a_trained_transformer_and_the_difference_of_means_does():
    is_blind_but_for_the_means(0)


@pytest.mark.nightly
def test_the_head_with_the_largest_effect_is_among_the_first_two_by_the_difference_of_means():
    for seed in (1, 2):
        is_blind_but_for_the_means(seed)
    assert sum(among_the_first_two("difference", seed) for seed in (0, 1, 2)) >= 2
