"""Adversaries inside an encoder: small networks that read what a group of units is not to tell, and are worked against."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


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


def reader(units: int, outputs: int, hidden: int = 64) -> nn.Sequential:
    """A network with two hidden layers: what reads a class or a domain from a group of units."""
    widths = [nn.Linear(units, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()]
    return nn.Sequential(*widths, nn.Linear(hidden, outputs))
