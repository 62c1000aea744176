"""How much an explanation moves when its sample moves a little."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Explain = Callable[[Tensor], Tensor]
"""Contributions, shape (sample, unit), of values, shape (sample, unit)."""


def max_sensitivity(explain: Explain, x: Tensor, *, radius: float, draws: int, generator: torch.Generator) -> Tensor:
    """Largest change of an explanation within a small cube, relative to its length; shape (sample,).

    References
    ----------
    Yeh et al. (2019), arXiv 1901.09392: a maximum over uniform draws and not over the whole cube, so a lower bound.
    """
    return _largest(explain, x, radius, draws, generator)[0]


def local_lipschitz(explain: Explain, x: Tensor, *, radius: float, draws: int, generator: torch.Generator) -> Tensor:
    """Largest change of an explanation for a change of the sample by one, near the sample; shape (sample,).

    References
    ----------
    Alvarez-Melis and Jaakkola (2018), arXiv 1806.07538: a maximum over uniform draws.
    """
    return _largest(explain, x, radius, draws, generator)[1]


def _largest(
    explain: Explain, x: Tensor, radius: float, draws: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    before = explain(x)
    length = before.norm(dim=1)
    sensitivity, lipschitz = torch.zeros_like(length), torch.zeros_like(length)
    for _ in range(draws):
        step = (2 * torch.rand(x.shape, generator=generator) - 1).to(x) * radius
        change = (explain(x + step) - before).norm(dim=1)
        sensitivity = torch.maximum(sensitivity, change / length)
        lipschitz = torch.maximum(lipschitz, change / step.norm(dim=1))
    return sensitivity, lipschitz


def relative_change(before: Tensor, after: Tensor, other: Tensor) -> Tensor:
    """Change of each explanation (or output), in units of the mean difference between two different samples.

    Parameters
    ----------
    before, after : Tensor, shape (sample, unit)
        Of the same samples, before and after they were moved.
    other : Tensor, shape (sample, unit)
        Of a different sample each.

    Returns
    -------
    Tensor, shape (sample,)
        0: nothing moved. 1: as different as two samples are. 0 as well where no two samples differ.
    """
    usual = (before - other).flatten(1).norm(dim=1).mean()
    moved = (after - before).flatten(1).norm(dim=1)
    return moved / usual if usual > 0 else torch.where(moved > 0, torch.inf, 0.0)
