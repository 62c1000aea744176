"""Matching pursuit beside top-k (arXiv 2506.03093): what its inference tells apart, and what learning does not gain."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from made_dictionaries import explained_variance, matched_cosines, names, planted_atoms, unit

from pellucid.heads.dictionaries import MatchingPursuit, TopK
from pellucid.training.settings import TrainingSettings

pytestmark = pytest.mark.reproduction


def steps(count: int, rows: int) -> TrainingSettings:
    epochs = max(1, round(count / -(-rows // 512)))
    return TrainingSettings(
        epochs=epochs, batch_size=512, learning_rate=3e-3, schedule="one-cycle", clip_norm=1.0, patience=None
    )


def coherent(count: int, width: int, cosine: float, random: np.random.Generator) -> np.ndarray:
    """Unit vectors around one direction, whose pairs have about this cosine."""
    rest = random.normal(size=(count, width))
    rest[:, 0] = 0
    rest /= np.linalg.norm(rest, axis=1, keepdims=True)
    found = np.sqrt(1 - cosine) * rest
    found[:, 0] = np.sqrt(cosine)
    return found


def family(
    rows: int, seed: int, parents: int = 12, children: int = 3
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One parent a row and, every other time, one of its three children, in a subspace at right angles to all parents'."""
    random = np.random.default_rng(seed)
    atoms = np.zeros((parents * (1 + children), 16))
    atoms[:parents, :6] = coherent(parents, 6, 0.55, random)
    atoms[parents:, 6:] = coherent(parents * children, 10, 0.6, random)
    codes = np.zeros((rows, len(atoms)))
    parent = random.integers(parents, size=rows)
    codes[np.arange(rows), parent] = random.uniform(1.0, 1.5, rows)
    born = np.flatnonzero(random.random(rows) < 0.5)
    child = parents + parent[born] * children + random.integers(children, size=len(born))
    codes[born, child] = random.uniform(0.5, 0.8, len(born))
    as_tensor = [torch.from_numpy(one.astype(np.float32)) for one in (codes @ atoms, atoms, codes)]
    return as_tensor[0], as_tensor[1], as_tensor[2]


def support_f1(found: torch.Tensor, true: torch.Tensor) -> float:
    hit = float(((found > 0.05) & (true > 0)).sum())
    return 2 * hit / (float((found > 0.05).sum()) + float((true > 0).sum()))


@pytest.mark.parametrize("seed", range(3))
def test_given_the_atoms_a_pursuit_tells_coherent_ones_apart_and_a_linear_encoder_cannot(seed):
    rows, atoms, codes = family(2000, seed)
    found = {}
    for head in (MatchingPursuit, TopK):
        one = head(head.config_type(units=names(16), features=len(atoms), k=2)).eval()
        with torch.no_grad():
            one.directions.copy_(atoms)
            if head is TopK:
                one.weight.copy_(atoms)
        found[head] = support_f1(one.encode(rows), codes), explained_variance(rows, one.reconstruct(rows))
    print("given the atoms, support F1 and EV:", {head.__name__: figures for head, figures in found.items()})
    assert found[MatchingPursuit][0] > 0.99
    assert found[TopK][0] < 0.85
    assert found[MatchingPursuit][1] > 0.99 > found[TopK][1]


@pytest.fixture(scope="module")
def flat():
    """Both, learnt on the same rows with the same steps."""
    made = planted_atoms(40_000, 32, 64, active=4.0, seed=0)
    found = {}
    for head in (MatchingPursuit, TopK):
        torch.manual_seed(0)
        one = head(head.config_type(units=names(32), features=64, k=4))
        found[head] = one.fit(made.rows, steps(1500, 40_000))
    return made, found


def test_flat_atoms_are_recovered_and_explained_better_by_as_many_steps(flat):
    made, found = flat
    figures = {}
    for head, one in found.items():
        codes = one.encode(made.rows)
        cosines = matched_cosines(one.atoms, made.atoms)
        figures[head] = (
            cosines.mean(),
            explained_variance(made.rows, one.decode(codes)),
            float((codes != 0).sum(1).float().mean()),
        )
    print("flat, MCC, EV, L0:", {head.__name__: one for head, one in figures.items()})
    assert figures[MatchingPursuit][0] > 0.90
    assert figures[MatchingPursuit][1] >= figures[TopK][1]
    assert figures[MatchingPursuit][2] < 4


def test_more_steps_afterwards_never_explain_less(flat):
    made, found = flat
    rows = made.rows[:5000]
    one = found[MatchingPursuit]
    kept = [explained_variance(rows, one.decode(one.encode(rows, k=k))) for k in range(1, 17)]
    assert all(a <= b + 1e-6 for a, b in pairwise(kept))
    assert kept[-1] > kept[3] + 0.05
    other = found[TopK]
    linear = []
    for k in range(1, 17):
        again = TopK(other.config.model_copy(update={"k": k})).eval()
        again.load_state_dict(other.state_dict())
        linear.append(explained_variance(rows, again.reconstruct(rows)))
    print("EV by k, pursuit and top-k:", np.round(kept, 3), np.round(linear, 3))
    assert any(b < a for a, b in pairwise(linear))


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(3))
def test_learning_a_hierarchy_is_no_better_than_top_k(seed):
    """The abstract promises what this generator does not show: both learn the atoms about equally well."""
    rows, atoms, _ = family(20_000, seed)
    found = {}
    for head in (MatchingPursuit, TopK):
        torch.manual_seed(seed)
        one = head(head.config_type(units=names(16), features=len(atoms), k=2)).fit(rows, steps(2000, 20_000))
        found[head] = matched_cosines(one.atoms, unit(atoms)).mean(), explained_variance(rows, one.reconstruct(rows))
    print("learning a hierarchy, MCC and EV:", {head.__name__: figures for head, figures in found.items()})
    assert abs(found[MatchingPursuit][0] - found[TopK][0]) < 0.1
