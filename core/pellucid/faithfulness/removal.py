"""Deletion and insertion: take units away in an order, or put them back, and watch the output."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

ROWS = 1 << 14
"""Perturbed samples evaluated at once; bounds memory, not results."""

Output = Callable[[Tensor, Tensor], Tensor]
"""Outputs, shape (row,), of values, shape (row, unit), and of the sample that each row stands for, shape (row,)."""


def strongest_first(contributions: Tensor) -> Tensor:
    """Units in falling order of what they add, shape (sample, unit); ties keep the units' own order."""
    return contributions.argsort(dim=1, descending=True, stable=True)


def random_orders(samples: int, units: int, generator: torch.Generator) -> Tensor:
    """An order of the units for each sample, each drawn anew; shape (sample, unit)."""
    return torch.rand(samples, units, generator=generator).argsort(dim=1)


@torch.no_grad()
def removal_curve(
    output: Output, x: Tensor, baseline: Tensor, order: Tensor, counts: Tensor, *, insert: bool = False
) -> Tensor:
    """Outputs after the first units of an order are replaced by the baseline.

    Parameters
    ----------
    output : Output
    x : Tensor, shape (sample, unit)
    baseline : Tensor, shape (unit,)
        What a unit is when nothing is known of it.
    order : Tensor of int, shape (sample, unit)
    counts : Tensor of int, shape (step,)
        How many units are replaced at each step of the curve.
    insert : bool
        Begin with the baseline and put the units of the order back.

    Returns
    -------
    Tensor, shape (sample, step)

    References
    ----------
    Petsiuk et al. (2018), RISE, arXiv 1806.07421.

    Examples
    --------
    >>> x, order = torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[2, 0, 1]])
    >>> removal_curve(lambda x, rows: x.sum(1), x, torch.zeros(3), order, torch.arange(4)).tolist()
    [[7.0, 3.0, 2.0, 0.0]]
    """
    rank = order.argsort(dim=1)
    # Without the steps before or after it a unit keeps its value; one mask a sample and step.
    chosen = rank[:, None, :] < counts.to(rank)[:, None]
    keep = chosen if insert else ~chosen
    curves = []
    for start in range(0, len(x), max(1, ROWS // len(counts))):
        at = slice(start, start + max(1, ROWS // len(counts)))
        rows = torch.where(keep[at], x[at, None, :], baseline)
        of = torch.arange(start, start + len(rows), device=x.device).repeat_interleave(len(counts))
        curves.append(output(rows.flatten(0, 1), of).unflatten(0, (len(rows), len(counts))))
    return torch.cat(curves)


def curve_area(curves: Tensor, counts: Tensor) -> Tensor:
    """Mean height of curves over the share of units replaced, by the trapezoid rule; (..., step) to (...)."""
    at = counts.to(curves)
    return torch.trapezoid(curves, at, dim=-1) / (at[-1] - at[0])


def comprehensiveness(output: Output, x: Tensor, baseline: Tensor, order: Tensor, count: int) -> Tensor:
    """How much the output falls without the first units of an order: ``f(x) - f(x without them)``, shape (sample,).

    References
    ----------
    DeYoung et al. (2020), ERASER, arXiv 1911.03429.
    """
    curve = removal_curve(output, x, baseline, order, torch.tensor([0, count]))
    return curve[:, 0] - curve[:, 1]


def sufficiency(output: Output, x: Tensor, baseline: Tensor, order: Tensor, count: int) -> Tensor:
    """How much the output falls with the first units of an order alone: ``f(x) - f(them)``, shape (sample,).

    References
    ----------
    DeYoung et al. (2020), ERASER, arXiv 1911.03429.
    """
    curve = removal_curve(output, x, baseline, order, torch.tensor([count, order.shape[1]]), insert=True)
    return curve[:, 1] - curve[:, 0]
