"""How alike samples are: kernels between rows of units, and what single units add to them."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

KernelName = Literal["min-max", "additive", "rbf", "linear"]

CAP = 16
"""Counts above this count as this in :func:`min_max`."""

ROWS = 256
"""Rows of one side that are compared at once by kernels that take units one by one; bounds memory, not results."""


def kernel(name: KernelName, a: Tensor, b: Tensor) -> Tensor:
    """Likeness of all rows of ``a`` to all rows of ``b``: (row, unit) and (other, unit) to (row, other)."""
    if name == "min-max":
        return min_max(a, b)
    if name == "additive":
        found = torch.zeros(len(a), len(b), dtype=a.dtype)
        for unit in range(a.shape[1]):
            found += unit_likeness(a[:, unit], b[:, unit])
        return found / a.shape[1]
    if name == "rbf":
        return (-0.5 * torch.cdist(a, b).square() / a.shape[1]).exp()
    return a @ b.T / a.shape[1]


def min_max(a: Tensor, b: Tensor) -> Tensor:
    """Sum of the smaller counts over the sum of the larger: Tanimoto's likeness of counts; 0 of two rows without any.

    References
    ----------
    Ralaivola et al. (2005), doi:10.1016/j.neunet.2005.07.009.

    Examples
    --------
    >>> min_max(torch.tensor([[2.0, 0.0, 1.0]]), torch.tensor([[1.0, 1.0, 1.0]])).item()
    0.5
    """
    a, b = a.clamp(max=CAP), b.clamp(max=CAP)
    both = torch.zeros(len(a), len(b), dtype=a.dtype)
    for level in _levels(a, b):
        # As sums over levels of "at least so many": products of tables of zeros and ones.
        some = ((a >= level).any(0) & (b >= level).any(0)).nonzero()[:, 0]
        if len(some):
            both += (a[:, some] >= level).to(a.dtype) @ (b[:, some] >= level).to(a.dtype).T
    either = a.sum(1)[:, None] + b.sum(1) - both
    # Two rows without any have none in common: 0 of whatever.
    return both / either.clamp(min=1)


def min_max_parts(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
    """What each count adds to the weighted sum of a row's likenesses to other rows: (row, unit) of (row, unit).

    Parameters
    ----------
    a, b : Tensor, shape (row, unit) and (other, unit)
    weights : Tensor, shape (other,)

    Examples
    --------
    >>> a, b = torch.tensor([[2.0, 0.0, 1.0]]), torch.tensor([[1.0, 1.0, 1.0]])
    >>> min_max_parts(a, b, torch.ones(1)).tolist()
    [[0.25, 0.0, 0.25]]
    """
    a, b = a.clamp(max=CAP), b.clamp(max=CAP)
    likeness = min_max(a, b)
    # From the likeness and both sums: what it is a share of.
    either = (a.sum(1)[:, None] + b.sum(1)) / (1 + likeness)
    worth = weights / either.clamp(min=1)
    found = torch.zeros_like(a)
    for level in _levels(a, b):
        found += (a >= level) * (worth @ (b >= level).to(a.dtype))
    return found


def unit_likeness(a: Tensor, b: Tensor) -> Tensor:
    """Gaussian likeness of single numbers in standard deviations, shape (row,) and (other,) to (row, other)."""
    return (-0.5 * (a[:, None] - b[None, :]).square()).exp()


def _levels(a: Tensor, b: Tensor) -> range:
    """Counts that both sides have; none where one of them has no rows."""
    return range(1, int(min(a.amax(), b.amax())) + 1) if a.numel() and b.numel() else range(0)
