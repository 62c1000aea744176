"""Statistics that parts learn in one pass over the training samples."""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.errors import ContractError


def by_channel(x: Tensor) -> Tensor:
    """Each number beside those of the other channels at its place.

    Parameters
    ----------
    x : Tensor, shape (sample, channel, *size)

    Returns
    -------
    Tensor, shape (element, channel)
        Vectors, which have no size, stay as they are.

    Examples
    --------
    >>> by_channel(torch.tensor([[[1, 2], [10, 20]]])).tolist()
    [[1, 10], [2, 20]]
    """
    return x.transpose(0, 1).flatten(1).T


class Moments:
    """Mean and standard deviation of numbers that come in batches, in float64, unknown ones left out.

    Examples
    --------
    >>> moments = Moments()
    >>> moments.add(torch.tensor([[1.0], [3.0]])); moments.add(torch.tensor([[5.0]]))
    >>> moments.mean.item(), round(moments.deviation.item(), 3)
    (3.0, 1.633)
    """

    def __init__(self) -> None:
        self._count: Tensor | None = None

    def add(self, values: Tensor, known: Tensor | None = None) -> None:
        """Take in values of shape (sample, column); ``known`` is False where there is none."""
        there = torch.ones_like(values, dtype=torch.float64) if known is None else known.double()
        values = values.double()
        count = there.sum(0)
        mean = (values * there).sum(0) / count.clamp(min=1)
        squares = ((values - mean).square() * there).sum(0)
        if self._count is None:
            self._count, self.mean, self._squares = count, mean, squares
            return
        total = (self._count + count).clamp(min=1)
        shift = mean - self.mean
        self._squares = self._squares + squares + shift.square() * self._count * count / total
        self.mean = self.mean + shift * count / total
        self._count = self._count + count

    @property
    def count(self) -> Tensor:
        """Known values of each column.

        Raises
        ------
        ContractError
            If nothing was added.
        """
        if self._count is None:
            raise ContractError("nothing was added: a part was prepared with no training samples")
        return self._count

    @property
    def deviation(self) -> Tensor:
        """Standard deviation of each column; 1 where it does not vary, so that dividing by it is harmless."""
        found = (self._squares / self.count.clamp(min=1)).sqrt()
        # Below this a deviation is rounding of a constant in float32, not variation.
        constant = found <= 1e-6 * self.mean.abs().clamp(min=1e-30)
        return torch.where(constant, torch.ones_like(found), found)
