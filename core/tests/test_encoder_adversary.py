"""What works against a group of units: reversed gradients, and a reader that needs no learning."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from pellucid.encoders.adversary import information, ramp, reversed_gradient, standardised

CLASSES = 4


def shifted(count: int, by: float, units: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Units whose means differ by class, and the classes in columns but the last."""
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randint(CLASSES, (count,), generator=generator)
    middles = by * torch.randn(CLASSES, units, generator=generator)
    values = middles[numbers] + torch.randn(count, units, generator=generator)
    return values, functional.one_hot(numbers, CLASSES)[:, :-1].float()


def by_canonical_correlations(values: torch.Tensor, labels: torch.Tensor) -> float:
    """Nats from canonical correlations: cosines between the spaces that centred features and labels span."""
    bases = [np.linalg.qr((part - part.mean(0)).double().numpy())[0] for part in (values, labels)]
    cosines = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    return float(-0.5 * np.log(1 - cosines**2).sum())


def products(values: torch.Tensor) -> torch.Tensor:
    """Units of three and their six products, as the constants of centring make no difference to what all of them span."""
    a, b, c = values.T
    return torch.stack([a, b, c, a * a, a * b, a * c, b * b, b * c, c * c], dim=1)


@pytest.mark.parametrize("by", [0.0, 0.3, 2.0])
def test_information_is_that_of_canonical_correlations_with_products(by):
    values, labels = shifted(500, by)
    by_chance = 9 * 3 / (2 * 500)
    expected = by_canonical_correlations(products(values), labels) - by_chance
    assert float(information(values, labels)) == pytest.approx(expected, rel=0.02, abs=2e-3)
    # Too few for nine features and three labels to have two samples each: the three units alone.
    few, of_few = values[:23], labels[:23]
    expected = by_canonical_correlations(few, of_few) - 3 * 3 / (2 * 23)
    assert float(information(few, of_few)) == pytest.approx(expected, rel=0.03, abs=5e-3)


def test_a_spread_that_differs_by_class_is_found_too():
    generator = torch.Generator().manual_seed(0)
    numbers = torch.arange(400) % 2
    values = torch.randn(400, 2, generator=generator)
    values[:, 1] *= torch.where(numbers == 0, 0.3, 1.5)
    assert float(information(values, numbers[:, None].float())) > 0.05
    assert by_canonical_correlations(values, numbers[:, None].float()) < 0.01


def test_chance_finds_nothing_on_average():
    found = [float(information(*shifted(200, 0.0, seed=seed))) for seed in range(200)]
    assert abs(np.mean(found)) < 0.01
    assert np.std(found) / np.sqrt(len(found)) < 0.004


def test_information_does_not_hang_on_how_units_are_measured():
    values, labels = shifted(500, 0.5)
    turned = values @ torch.tensor([[1.0, 0.3, 0.0], [0.0, 0.2, 0.0], [0.5, 0.0, -3.0]]) + 7
    assert float(information(turned, labels)) == pytest.approx(float(information(values, labels)), rel=0.03)
    still = torch.cat([values[:, :1], torch.full((500, 1), 3.0)], dim=1)
    assert float(information(still, labels)) == pytest.approx(float(information(values[:, :1], labels)), abs=0.02)


def test_fewer_samples_than_can_tell_weigh_nothing():
    values, labels = shifted(12, 1.0)
    few = values[:11].clone().requires_grad_(True)
    lost = information(few, labels[:11])
    lost.backward()
    assert lost.item() == 0
    assert (few.grad == 0).all()
    assert information(values, labels).item() != 0
    assert information(values[:0], labels[:0]).item() == 0


def test_its_gradient_brings_the_means_of_classes_together():
    values, labels = shifted(400, 1.0)
    for _ in range(60):
        values = values.detach().requires_grad_(True)
        information(values, labels).backward()
        values = values - 100 * values.grad
    assert by_canonical_correlations(values.detach(), labels) < 0.05
    assert values.std() > 0.5


def test_standardised_units_have_no_place_and_no_size_and_both_are_constants():
    values = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([5.0, 0.1]) + 3
    values.requires_grad_(True)
    found = standardised(values)
    assert torch.allclose(found.mean(0), torch.zeros(2), atol=1e-5)
    assert torch.allclose(found.std(0), torch.ones(2), atol=1e-5)
    found[0].sum().backward()
    assert torch.allclose(values.grad[0], 1 / values.detach().std(0))
    assert (values.grad[1:] == 0).all()
    assert torch.equal(standardised(values[:1]), values[:1])
    assert (standardised(torch.ones(5, 2)) == 0).all()


def test_a_gradient_is_turned_round_and_the_weight_rises_as_written():
    x = torch.tensor([2.0, -1.0], requires_grad=True)
    (3 * reversed_gradient(x, 0.5)).sum().backward()
    assert x.grad.tolist() == [-1.5, -1.5]
    assert torch.equal(reversed_gradient(x, 0.5), x)
    assert [ramp(at) for at in (0.0, 0.2, 1.0, 5.0)] == pytest.approx([0.0, 0.76159, 0.99991, 0.99991], abs=1e-5)
