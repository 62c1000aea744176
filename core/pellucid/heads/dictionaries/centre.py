"""Where representations lie and how large they are: what a dictionary learns before it learns atoms."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from pellucid.errors import DataError

ROWS = 8192
"""Rows from which the geometric median is found; more do not move it by anything that training would not."""

ROUNDS = 100


def geometric_median(x: Tensor, tolerance: float = 1e-6) -> Tensor:
    """The point with the smallest sum of distances to all rows, shape (row, unit) to (unit,).

    Outliers move it less than they move the mean.

    References
    ----------
    Weiszfeld (1937); the rounds are those of Vardi and Zhang (2000), doi:10.1073/pnas.97.4.1423, who say what to do in a
    data point.

    Examples
    --------
    >>> geometric_median(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])).tolist()
    [0.0, 0.0]
    """
    x = x.double()
    found = x.mean(0)
    for _ in range(ROUNDS):
        apart = torch.linalg.vector_norm(x - found, dim=1)
        here = apart <= 1e-12 * (1 + apart.max())
        weight = torch.where(here, torch.zeros_like(apart), 1 / apart.clamp(min=1e-300))
        if float(weight.sum()) == 0:
            return found.float()
        step = (weight[:, None] * x).sum(0) / weight.sum()
        if bool(here.any()):
            pull = torch.linalg.vector_norm((weight[:, None] * (x - found)).sum(0))
            share = min(1.0, float(here.sum() / pull.clamp(min=1e-300)))
            step = (1 - share) * step + share * found
        if float(torch.linalg.vector_norm(step - found)) <= tolerance * (1 + float(torch.linalg.vector_norm(found))):
            return step.float()
        found = step
    return found.float()


class Sampled:
    """Some of the rows that pass by, evenly spread over all of them, and statistics of all.

    Parameters
    ----------
    rows : int
        At most so many are kept.
    seed : int
    """

    def __init__(self, rows: int = ROWS, seed: int = 0) -> None:
        self._kept: Tensor | None = None
        self._most, self._generator = rows, torch.Generator().manual_seed(seed)
        self.count, self._total, self._squares = 0, torch.zeros(()), torch.zeros(())

    def add(self, x: Tensor) -> None:
        """Take in rows.

        Raises
        ------
        DataError
            If a value is NaN or infinite.
        """
        if not bool(torch.isfinite(x).all()):
            at = int(torch.nonzero(~torch.isfinite(x).all(1))[0]) + self.count
            raise DataError(
                f"row {at} of the representations holds NaN or infinity: a dictionary cannot be learnt from it. Look for "
                "extreme inputs of the model that made them, or leave these samples out"
            )
        self.count += len(x)
        self._total = self._total + x.double().sum(0)
        self._squares = self._squares + x.double().square().sum(0)
        # Reservoir by keys: every row gets a number by lot, and those with the largest stay.
        keys = torch.rand(len(x), generator=self._generator)
        kept = torch.cat([keys[:, None], x], dim=1)
        kept = kept if self._kept is None else torch.cat([self._kept, kept])
        self._kept = kept if len(kept) <= self._most else kept[kept[:, 0].topk(self._most).indices]

    @property
    def rows(self) -> Tensor:
        """The rows that were kept, shape (row, unit)."""
        assert self._kept is not None, "nothing was added"
        return self._kept[:, 1:]

    @property
    def mean(self) -> Tensor:
        """Of all rows, shape (unit,)."""
        return (self._total / self.count).float()

    @property
    def deviation(self) -> Tensor:
        """Of all rows, shape (unit,); never below zero by rounding."""
        mean = self._total / self.count
        return (self._squares / self.count - mean.square()).clamp(min=0).sqrt().float()

    def size_about(self, point: Tensor) -> Tensor:
        """Root mean square of a unit's distance from a point, over all units and rows."""
        point = point.double()
        total = (self._squares - 2 * point * self._total + self.count * point.square()).clamp(min=0)
        return (total.sum() / (self.count * len(point))).sqrt().float()


def sampled(rows: Iterable[Tensor], most: int = ROWS) -> Sampled:
    """One pass over rows that come in batches; at most so many are kept."""
    found = Sampled(most)
    for x in rows:
        found.add(x)
    return found
