"""Least squares without negative coefficients, for many small problems at once."""

from __future__ import annotations

import torch
from torch import Tensor


def nonnegative_least_squares(products: Tensor, target: Tensor) -> Tensor:
    """Minimise ``|sum_i c_i a_i - x|^2`` over ``c >= 0``, exactly, for each row.

    Parameters
    ----------
    products : Tensor, shape (row, atom, atom)
        Products of the atoms with each other.
    target : Tensor, shape (row, atom)
        Products of the atoms with ``x``.

    Returns
    -------
    Tensor, shape (row, atom)

    References
    ----------
    Lawson and Hanson (1974), Solving Least Squares Problems, chapter 23, on all rows side by side.

    Examples
    --------
    >>> nonnegative_least_squares(torch.eye(2)[None], torch.tensor([[1.0, -1.0]])).tolist()
    [[1.0, 0.0]]
    """
    count, kind = target.shape[1], target.dtype
    products, target = products.double(), target.double()
    tolerance = 1e-10 * target.abs().amax(1, keepdim=True).clamp(min=1e-30)
    found, free = torch.zeros_like(target), torch.zeros_like(target, dtype=torch.bool)
    identity = torch.eye(count, dtype=target.dtype, device=target.device)
    for _ in range(3 * count):
        slope = target - (products @ found[:, :, None])[:, :, 0]
        most, at = slope.masked_fill(free, -torch.inf).max(1)
        rows = torch.nonzero(most > tolerance[:, 0]).flatten()
        if not len(rows):
            break
        free[rows, at[rows]] = True
        for _ in range(count + 1):
            within = free[rows]
            inside = torch.where(within[:, :, None] & within[:, None, :], products[rows], identity)
            # The ridge is far below rounding of the codes; it lets two equal atoms share one.
            wish = torch.linalg.solve(inside + 1e-12 * identity, (target[rows] * within)[:, :, None])[:, :, 0]
            blocked = within & (wish <= 0)
            now = found[rows]
            ratio = torch.where(blocked, now / (now - wish).clamp(min=1e-300), torch.inf)
            share = ratio.amin(1, keepdim=True).clamp(max=1.0)
            found[rows] = (now + share * (wish - now)).clamp(min=0) * within
            # Those that stand in the way at the very point where the step ends come out.
            leaves = blocked & (ratio <= share)
            if not bool(leaves.any()):
                break
            free[rows] = within & ~leaves
            found[rows] = found[rows] * ~leaves
            rows = rows[leaves.any(1)]
    return found.to(kind)
