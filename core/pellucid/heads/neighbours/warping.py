"""Dynamic time warping: how far two series are from each other where one may run ahead of the other for a while."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

CELLS = 8_000_000
"""Pairs of steps that are compared at once; more would not make it faster, and take memory."""


def warped(one: Tensor, other: Tensor, band: float = 1.0, lengths: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Distance of each series to each other one by the best way to walk through both.

    The root of the sum, over a way that goes forward by a step in either series or in both, of the squared distance of the two steps.
    All channels are warped alike.

    Parameters
    ----------
    one : Tensor, shape (series, step, channel)
    other : Tensor, shape (other series, step, channel)
        As many channels, and as many steps or others.
    band : float
        How far the way may lie from the even one, as a share of the longer series; 0 compares step by step. It is never less
        than what two lengths differ by.
    lengths : pair of Tensor of int64, optional, shapes (series,) and (other series,)
        How many of the steps each series has, at least 1; what stands behind is not looked at. All of them by default.

    Returns
    -------
    Tensor, shape (series, other series)

    References
    ----------
    Sakoe and Chiba (1978), doi:10.1109/TASSP.1978.1163055, with their band and without weights of steps.

    Examples
    --------
    >>> early, late = torch.tensor([[[0.0], [1.0], [0.0], [0.0]]]), torch.tensor([[[0.0], [0.0], [1.0], [0.0]]])
    >>> warped(early, late).item(), round(warped(early, late, band=0).item(), 3)
    (0.0, 1.414)
    """
    if lengths is None:
        lengths = tuple(torch.full((len(x),), x.shape[1], device=x.device) for x in (one, other))  # type: ignore[assignment]
    assert lengths is not None
    at_once = max(1, CELLS // max(1, len(one) * one.shape[1] * other.shape[1]))
    return torch.cat(
        [
            _warped(one, other[at : at + at_once], band, lengths[0], lengths[1][at : at + at_once])
            for at in range(0, len(other), at_once)
        ],
        dim=1,
    )


def _warped(one: Tensor, other: Tensor, band: float, rows: Tensor, columns: Tensor) -> Tensor:
    n, m = one.shape[1], other.shape[1]
    cost = (one[:, None, :, None] - other[None, :, None]).square().sum(-1)
    width = torch.maximum(
        torch.maximum(rows[:, None], columns[None]).mul(band).ceil(), (rows[:, None] - columns[None]).abs()
    )
    apart = (torch.arange(n, device=one.device)[:, None] - torch.arange(m, device=one.device)).abs()
    cost = cost.masked_fill(apart > width[..., None, None], math.inf)
    # All cells of an antidiagonal at once: cell (i, i + j = d) follows from the two antidiagonals before.
    shape = (len(one), len(other), n)
    before, last = torch.full(shape, math.inf, device=one.device), torch.full(shape, math.inf, device=one.device)
    found = torch.full(shape[:2], math.inf, device=one.device)
    ends, end_rows = rows[:, None] + columns[None] - 2, (rows[:, None] - 1).expand(shape[:2])
    for diagonal in range(n + m - 1):
        i = torch.arange(max(0, diagonal - m + 1), min(n, diagonal + 1), device=one.device)
        own = cost[:, :, i, diagonal - i]
        if diagonal:
            above, both = functional.pad(last, (1, 0), value=math.inf), functional.pad(before, (1, 0), value=math.inf)
            own = own + torch.minimum(torch.minimum(last[..., i], above[..., i]), both[..., i])
        now = functional.pad(own, (int(i[0]), n - 1 - int(i[-1])), value=math.inf)
        found = torch.where(ends == diagonal, now.gather(2, end_rows[..., None])[..., 0], found)
        before, last = last, now
    return found.clamp(min=0).sqrt()
