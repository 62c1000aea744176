"""Adversaries inside an encoder: small networks that read what a group of units is not to tell, and are worked against."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

RIDGE = 1e-3
"""Added to the variance of each unit in standard deviations, and of each label, so that determinants are never zero."""


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return -ctx.weight * gradient, None


def reversed_gradient(x: Tensor, weight: float) -> Tensor:
    """``x``; gradients that pass back through it are turned round and weighted.

    References
    ----------
    Ganin and Lempitsky (2015), arXiv 1409.7495.

    Examples
    --------
    >>> x = torch.ones(2, requires_grad=True)
    >>> reversed_gradient(x, 0.5).sum().backward(); x.grad
    tensor([-0.5000, -0.5000])
    """
    found: Tensor = _Reversed.apply(x, weight)  # type: ignore[no-untyped-call]
    return found


def ramp(progress: float) -> float:
    """Weight of an adversary as learning goes on, from 0 at ``progress`` 0 to nearly 1 at 1: ``2 / (1 + exp(-10 p)) - 1``.

    Examples
    --------
    >>> ramp(0.0), round(ramp(0.1), 3), round(ramp(7.0), 3)
    (0.0, 0.462, 1.0)
    """
    return 2 / (1 + math.exp(-10 * min(progress, 1.0))) - 1


def standardised(values: Tensor) -> Tensor:
    """Units in standard deviations over the batch, which are taken as constants.

    What a unit says in small numbers a probe reads as well as what it says in large ones; so must an adversary.
    """
    if len(values) < 2:
        return values
    middle, spread = values.mean(0).detach(), values.std(0).detach()
    return (values - middle) / spread.clamp(min=1e-4)


def information(values: Tensor, labels: Tensor) -> Tensor:
    """Nats that a reader finds which needs no learning, and so never lags behind: linear in units and in their products.

    ``log(det T / det W) / 2``, with the covariance ``T`` of units and products, and ``W`` of what a linear fit to the labels
    leaves of them. Chance alone finds ``features * columns / (2 * samples)``, which is taken off. Products are left out of a batch
    with fewer than two samples to each, and a batch tells nothing with fewer than two to each unit.

    Parameters
    ----------
    values : Tensor, shape (sample, unit)
    labels : Tensor, shape (sample, column)
        Yes or no for each class, without the last if each sample is of one class.
    """
    x = standardised(values)
    one, other = torch.triu_indices(x.shape[1], x.shape[1], device=x.device)
    for features in (torch.cat([x, x[:, one] * x[:, other]], dim=1), x):
        if len(x) >= 2 * (features.shape[1] + labels.shape[1]):
            return _explained(standardised(features), labels - labels.mean(0))
    return 0.0 * values.sum()


def reader(units: int, outputs: int, hidden: int = 64) -> nn.Sequential:
    """A network with two hidden layers: what reads a class or a domain from a group of units."""
    widths = [nn.Linear(units, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()]
    return nn.Sequential(*widths, nn.Linear(hidden, outputs))


def _explained(x: Tensor, y: Tensor) -> Tensor:
    (count, features), columns = x.shape, y.shape[1]
    within_labels = y.T @ y / count + RIDGE * torch.eye(columns, dtype=y.dtype, device=y.device)
    rest = x - y @ torch.linalg.solve(within_labels, y.T @ x / count)
    ridge = RIDGE * torch.eye(features, dtype=x.dtype, device=x.device)
    total, within = (torch.logdet(part.T @ part / count + ridge) for part in (x, rest))
    return (total - within) / 2 - features * columns / (2 * count)
