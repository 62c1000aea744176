"""Pooling by attention: one learnt query reads a set of tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AttentionPool(nn.Module):
    """One learnt query looks at tokens with several heads of attention.

    Parameters
    ----------
    width, heads : int
        Heads divide the width.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Parameter(torch.randn(1, width))
        self.to_query, self.to_key = nn.Linear(width, width), nn.Linear(width, width)
        self.to_value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, tokens: Tensor, known: Tensor | None = None) -> Tensor:
        """Pool tokens of shape (sample, token, width), those that are ``known``, to (sample, width)."""
        value = self._split(self.to_value(tokens))
        pooled = torch.einsum("nht,nhtd->nhd", self.attention(tokens, known), value)
        found: Tensor = self.out(pooled.flatten(1))
        return found

    def attention(self, tokens: Tensor, known: Tensor | None = None) -> Tensor:
        """How much the query looks at each token, shape (sample, head, token); sums to one over known tokens."""
        query = self._split(self.to_query(self.query)[None])[:, :, 0]
        key = self._split(self.to_key(tokens))
        scores = torch.einsum("hd,nhtd->nht", query[0], key) / key.shape[-1] ** 0.5
        if known is not None:
            scores = scores.masked_fill(~known[:, None], -torch.inf)
        return scores.softmax(-1)

    def taken_apart(self, tokens: Tensor, towards: Tensor) -> tuple[Tensor, Tensor]:
        """What each token adds to the product of the pooled vector and another one, and what the biases add.

        Parameters
        ----------
        tokens : Tensor, shape (sample, token, width)
        towards : Tensor, shape (sample, width)

        Returns
        -------
        contributions : Tensor, shape (sample, token)
        baseline : Tensor, shape (sample,)
        """
        back = towards @ self.out.weight
        values = self._split(tokens @ self.to_value.weight.T)
        per_head = torch.einsum("nhtd,nhd->nht", values, self._split(back[:, None])[:, :, 0])
        contributions = (self.attention(tokens) * per_head).sum(1)
        return contributions, back @ self.to_value.bias + towards @ self.out.bias

    def _split(self, x: Tensor) -> Tensor:
        """(sample, token, width) to (sample, head, token, width of a head)."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)
