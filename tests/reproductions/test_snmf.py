"""Semi-nonnegative factorisation of activations (arXiv 2506.10920): it is the cut to few units that finds features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_dictionaries import explained_variance, matched_cosines, names

from pellucid.heads.dictionaries import SemiNmf

pytestmark = pytest.mark.reproduction

UNITS, ROWS, FEATURES = 200, 3000, 12


def planted(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features of ten signed units each; 15 of 100 rows have one, as strongly as a Gamma(2, 0.5) says."""
    random = np.random.default_rng(seed)
    true = np.zeros((FEATURES, UNITS))
    for feature in true:
        feature[random.choice(UNITS, 10, replace=False)] = random.choice([-1, 1], 10) * random.uniform(0.5, 1.5, 10)
    codes = (random.random((ROWS, FEATURES)) < 0.15) * random.gamma(2, 0.5, (ROWS, FEATURES))
    rows = codes @ true + 0.02 * random.normal(size=(ROWS, UNITS))
    rows, true, codes = (torch.from_numpy(one.astype(np.float32)) for one in (rows, true, codes))
    return rows, true, codes


def fitted(rows: torch.Tensor, seed: int, sparsity: float, iterations: int = 400) -> SemiNmf:
    torch.manual_seed(seed)
    config = SemiNmf.config_type(units=names(UNITS), features=FEATURES, sparsity=sparsity, iterations=iterations)
    return SemiNmf(config).fit(rows)


SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(1, 5))]


@pytest.mark.parametrize("seed", SEEDS)
def test_planted_features_are_found_with_the_cut_and_not_without(seed):
    rows, true, _ = planted(seed)
    figures = {}
    for sparsity in (0.05, 1.0):
        one = fitted(rows, seed, sparsity)
        cosines = matched_cosines(one.atoms, true)
        figures[sparsity] = cosines.mean(), (cosines > 0.9).mean(), explained_variance(rows, one.reconstruct(rows))
        assert ((one.atoms != 0).sum(1) <= np.ceil(sparsity * UNITS)).all()
        assert (one.encode(rows) >= 0).all()
    print("MCC, recovered, EV by share of units:", figures)
    assert figures[0.05][0] > 0.88
    assert figures[0.05][1] > 0.75
    assert figures[0.05][0] - figures[1.0][0] > 0.25
    # Judged by the reconstruction alone, the one that found nothing would do as well.
    assert figures[1.0][2] > 0.98


def test_an_atom_added_at_the_output_of_a_layer_turns_predictions_and_a_random_direction_does_not():
    """A classifier whose hidden units hold one group a class; steering by the feature of a group, at a small divergence."""
    random = np.random.default_rng(0)
    groups, each = 12, 10
    hidden = groups * each + 80
    true = np.zeros((groups, hidden), np.float32)
    for at in range(groups):
        true[at, at * each : (at + 1) * each] = random.uniform(0.5, 1.5, each)
    # The second layer reads group c for class c, beside a little of everything.
    second = torch.from_numpy((true / np.linalg.norm(true, axis=1, keepdims=True)).astype(np.float32))
    second = second + 0.02 * torch.from_numpy(random.normal(size=second.shape).astype(np.float32))
    codes = (random.random((2000, groups)) < 0.15) * random.gamma(2, 0.5, (2000, groups))
    rows = torch.from_numpy((codes @ true).astype(np.float32)) + 0.02 * torch.from_numpy(
        np.abs(random.normal(size=(2000, hidden))).astype(np.float32)
    )
    torch.manual_seed(0)
    one = SemiNmf(
        SemiNmf.config_type(units=names(hidden), features=groups, sparsity=each / hidden, iterations=300)
    ).fit(rows)
    logits = 0.4 * rows @ second.T
    target = 3
    feature = one.atoms[int((one.atoms @ second[target]).argmax())]
    noise = torch.from_numpy(random.normal(size=hidden).astype(np.float32))
    turned = {}
    for name, direction in {"feature": feature, "random": noise / noise.norm()}.items():
        # As far as the divergence of 0.5 allows, the same for both.
        size = max(
            step
            for step in np.linspace(0, 30, 121)
            if _divergence(logits, logits + 0.4 * step * direction @ second.T) <= 0.5
        )
        size = min(size, turned.get("size", size))
        turned.setdefault("size", size)
        steered = logits + 0.4 * float(size) * direction @ second.T
        turned[name] = float((steered.argmax(1) == target).float().mean())
    print("turned to the class:", turned)
    assert turned["feature"] > 0.8
    assert turned["random"] < 0.2


def _divergence(clean: torch.Tensor, other: torch.Tensor) -> float:
    """Kullback-Leibler, mean over rows."""
    before, after = clean.log_softmax(1), other.log_softmax(1)
    return float((before.exp() * (before - after)).sum(1).mean())
