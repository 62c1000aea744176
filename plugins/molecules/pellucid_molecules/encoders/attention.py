"""Weights of neighbours that add up to one at every node."""

from __future__ import annotations

from torch import Tensor


def shares(scores: Tensor, goal: Tensor, count: int) -> Tensor:
    """Softmax of scores over all that have the same goal.

    Parameters
    ----------
    scores : Tensor, shape (edge, ...)
    goal : Tensor of int64, shape (edge,)
    count : int
        How many goals there are.

    Examples
    --------
    >>> import torch
    >>> shares(torch.zeros(3, 1), torch.tensor([0, 0, 1]), 2).flatten().tolist()
    [0.5, 0.5, 1.0]
    """
    index = goal.reshape(-1, *[1] * (scores.ndim - 1)).expand_as(scores)
    most = scores.new_full((count, *scores.shape[1:]), float("-inf"))
    most = most.scatter_reduce(0, index, scores.detach(), "amax")
    powers = (scores - most[goal]).exp()
    total = powers.new_zeros(most.shape).index_add(0, goal, powers)
    return powers / total[goal]


def gathered(shown: Tensor, weights: Tensor, goal: Tensor, count: int) -> Tensor:
    """Weighted sums of what is shown, by goal; shape (goal, ...)."""
    return shown.new_zeros(count, *shown.shape[1:]).index_add(0, goal, shown * weights)
