"""How many units an explanation rests on: fewer are easier to read."""

from __future__ import annotations

import torch
from torch import Tensor


def gini(contributions: Tensor) -> Tensor:
    """Gini index of the contributions' sizes: 0 all alike, towards 1 one unit alone; (sample, unit) to (sample,).

    NaN where all are zero.

    References
    ----------
    Hurley and Rickard (2009), arXiv 0811.4706.

    Examples
    --------
    >>> gini(torch.tensor([[1.0, -1.0, 1.0, 1.0], [0.0, 0.0, 5.0, 0.0]])).tolist()
    [0.0, 0.75]
    """
    sizes = contributions.abs().sort(dim=1).values
    count = sizes.shape[1]
    weight = (count - torch.arange(count, device=sizes.device) - 0.5) / count
    return 1 - 2 * (sizes / sizes.sum(1, keepdim=True) * weight).sum(1)


def entropy(contributions: Tensor) -> Tensor:
    """Entropy of the contributions' shares of the total size, in nats; (sample, unit) to (sample,).

    NaN where all are zero.
    """
    sizes = contributions.abs()
    share = sizes / sizes.sum(1, keepdim=True)
    return -torch.xlogy(share, share).sum(1)


def effective_number(contributions: Tensor) -> Tensor:
    """How many equal units would be as spread out: the exponential of the entropy, from 1 to the number of units.

    Examples
    --------
    >>> effective_number(torch.tensor([[2.0, -2.0, 2.0, 0.0]])).round(decimals=4).tolist()
    [3.0]
    """
    return entropy(contributions).exp()
