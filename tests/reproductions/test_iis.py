"""Acceptance of the interpretability score (Shen et al., ICLR 2025) on representations whose share of readable signal is known.

64 numbers: 40 orthonormal concept directions and 24 beside them. Of ten classes each has four concepts of its own, and a
direction among the other 24; a share rho of the squared distance between classes lies in the concepts. A linear classifier
on the representation does not care about rho.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
import torch

from pellucid.measures.classifier_training import LabelledRows
from pellucid.measures.concept_libraries import unit_concepts
from pellucid.measures.interpretability_score import RATIOS, RetentionCurve, retention_curve

pytestmark = [pytest.mark.reproduction, pytest.mark.xdist_group("iis")]

SHARES = (0.05, 0.2, 0.5, 0.9)
DISTANCE = 7.0
"""Length of a class mean in standard deviations of a number."""

TRAIN, VALIDATION, TEST = 4000, 1000, 2000
SEEDS = range(3)


def made(share: float, seed: int) -> tuple[tuple[LabelledRows, ...], torch.Tensor, torch.Tensor]:
    """Training, validation and test rows, the concepts, and as many random directions."""
    generator = torch.Generator().manual_seed(seed + 50)
    basis = torch.linalg.qr(torch.randn(64, 64, generator=generator))[0].t()
    inside, outside = (
        torch.kron(torch.eye(10), torch.ones(4)) / 2,
        unit_concepts(torch.randn(10, 24, generator=generator)),
    )
    means = DISTANCE * (share**0.5 * inside @ basis[:40] + (1 - share) ** 0.5 * outside @ basis[40:])
    y = torch.randint(10, (TRAIN + VALIDATION + TEST,), generator=generator)
    x = means[y] + torch.randn(len(y), 64, generator=generator)
    parts = zip(x.split((TRAIN, VALIDATION, TEST)), y.split((TRAIN, VALIDATION, TEST)), strict=True)
    return (
        tuple(LabelledRows(*part) for part in parts),
        basis[:40],
        unit_concepts(torch.randn(40, 64, generator=generator)),
    )


@lru_cache
def curve(share: float, seed: int, *, by_chance: bool = False) -> RetentionCurve:
    rows, true, random = made(share, seed)
    return retention_curve(*rows, random if by_chance else true, epochs=12, seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_score_rises_with_the_share_of_signal_in_the_concepts_and_accuracy_does_not(seed):
    found = [curve(share, seed) for share in SHARES]
    scores, standard = [one.iis for one in found], [one.standard for one in found]
    assert scores == sorted(set(scores)), scores
    assert scores[0] < 0.65, scores
    assert scores[2] > 0.85, scores
    assert max(standard) - min(standard) < 0.02, standard
    assert all(one.retention[0] == pytest.approx(one.retention[1], abs=0.05) for one in found)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_directions_retain_less_when_few_may_speak(seed):
    true, random = curve(0.5, seed), curve(0.5, seed, by_chance=True)
    assert random.iis < true.iis
    few = true.ratios >= 0.9
    areas = [np.trapezoid(one.retention[few], one.ratios[few]) / np.ptp(one.ratios[few]) for one in (true, random)]
    assert areas[1] < areas[0] - 0.1, areas


def test_nothing_lost_scores_the_width_of_the_grid():
    ones = np.full(len(RATIOS), 0.99)
    assert RetentionCurve(np.array(RATIOS), ones, 0.99, 0.1, ones).iis == pytest.approx(0.98, abs=1e-12)
