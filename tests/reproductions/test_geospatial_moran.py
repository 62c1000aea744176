"""Regions in superposition (arXiv 2505.03368): a dictionary's features are regions where single units are none.

Golden values and the calibration of the test without a pattern stand in ``core/tests/test_measures_spatial.py``.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_dictionaries import names

from pellucid.heads.dictionaries import TopK, TopKConfig
from pellucid.measures.neighbours import nearest_neighbours
from pellucid.measures.spatial import moran_test
from pellucid.training.settings import TrainingSettings

pytestmark = pytest.mark.reproduction

REGIONS, OTHERS, UNITS, PLACES = 10, 30, 24, 16_000


def regions_apart(random: np.random.Generator, least: float = 0.2) -> np.ndarray:
    """Centres in the unit square, no two nearer than ``least``."""
    found: list[np.ndarray] = []
    while len(found) < REGIONS:
        one = random.uniform(0.1, 0.9, 2)
        if all(np.hypot(*(one - other)) >= least for other in found):
            found.append(one)
    return np.array(found)


def superposition(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places, how much each belongs to each region, and what 24 units say of 40 features of which 30 know no place."""
    random = np.random.default_rng(seed)
    where = random.random((PLACES, 2))
    apart = ((where[:, None] - regions_apart(random)) ** 2).sum(2)
    regions = np.exp(-apart / (2 * 0.1**2))
    others = (random.random((PLACES, OTHERS)) < 0.03) * random.uniform(0.5, 1.5, (PLACES, OTHERS))
    atoms = random.normal(size=(REGIONS + OTHERS, UNITS))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    return where, regions, (np.concatenate([regions, others], axis=1) @ atoms).astype(np.float32)


# Settings were chosen on seeds 100 to 102.
@pytest.mark.parametrize("seed", range(3))
def test_features_of_a_dictionary_are_regions_that_no_single_unit_is(seed):
    where, regions, rows = superposition(seed)
    test = np.arange(PLACES) < PLACES // 4
    settings = TrainingSettings(
        epochs=125, batch_size=512, learning_rate=3e-3, schedule="one-cycle", clip_norm=1.0, patience=None, seed=seed
    )
    torch.manual_seed(seed)
    head = TopK(TopKConfig(units=names(UNITS), features=64, k=3)).fit(rows[~test], settings)
    with torch.no_grad():
        codes = head.encode(torch.from_numpy(rows[test])).double().numpy()
    # Features of few places are not asked, as everywhere; they would have no correlation to speak of.
    codes = codes[:, (codes != 0).sum(0) >= 20]
    near = nearest_neighbours(where[test], 8)
    found = moran_test(codes, near, permutations=1999, seed=seed)
    patterned = found.q_two_sided < 0.05
    alike = np.abs(np.corrcoef(regions[test].T, codes.T)[:REGIONS, REGIONS:])
    hits = (alike[:, patterned].max(1) > 0.8).sum()
    units = moran_test(rows[test].astype(float), near, permutations=1999, seed=seed)
    best = np.abs(np.corrcoef(regions[test].T, rows[test].T)[:REGIONS, REGIONS:]).max(1)
    print(
        f"\nseed {seed}: {hits} of {REGIONS} regions, correlations {np.sort(alike[:, patterned].max(1)).round(2)}; {patterned.sum()} of "
        f"{codes.shape[1]} features patterned, {(found.values > 0.6).sum()} with I above 0.6; units with I above 0.6: "
        f"{(units.values > 0.6).sum()}, patterned {(units.q_two_sided < 0.05).sum()}, largest I {units.values.max():.2f}, best "
        f"correlation with a region {best.max():.2f}"
    )
    assert hits >= 8
    assert (units.values > 0.6).sum() < 5
    # A permutation test alone does not tell: with so many places every unit that holds a little of a region has a pattern.
    assert (best > 0.8).sum() == 0
