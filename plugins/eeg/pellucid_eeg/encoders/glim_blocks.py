"""Blocks of GLIM: attention over moments that a prompt steers, and queries that read moments."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

MLP_RATIO = 4

EPSILON = 1e-6
"""Of the normalisations that a prompt takes the place of learnt scales in."""


class Attention(nn.Module):
    """Attention with several heads.

    Parameters
    ----------
    width, heads : int
        Heads divide the width.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_query, self.to_key = nn.Linear(width, width), nn.Linear(width, width)
        self.to_value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, queries: Tensor, keys: Tensor, real: Tensor | None = None, *, causal: bool = False) -> Tensor:
        """Look from queries, shape (sample, query, width), at keys that are ``real``, shape (sample, key)."""
        q, k, v = (
            layer(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer, x in ((self.to_query, queries), (self.to_key, keys), (self.to_value, keys))
        )
        mask = None if real is None else real[:, None, None]
        said = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
        found: Tensor = self.out(said.transpose(1, 2).flatten(2))
        return found


def two_layers(width: int) -> nn.Sequential:
    """Two layers with a GELU (its tanh form) between, four times as wide."""
    return nn.Sequential(
        nn.Linear(width, MLP_RATIO * width), nn.GELU(approximate="tanh"), nn.Linear(MLP_RATIO * width, width)
    )


class PromptedBlock(nn.Module):
    """Attention over moments and two layers, steered by a prompt; what steers starts at zero.

    ``x (1 + s_t) + b_t`` at each moment ``t`` first; then ``x + gate * f(norm(x) (1 + scale) + shift)`` for attention and for
    the two layers, as in DiT (Peebles and Xie, arXiv 2212.09748), with normalisations that have no learnt scales.

    Parameters
    ----------
    width, heads : int
    length : int
        Moments.
    """

    def __init__(self, width: int, heads: int, length: int) -> None:
        super().__init__()
        self.attention, self.mlp = Attention(width, heads), two_layers(width)
        self.moments, self.steering = nn.Linear(width, 2 * length), nn.Linear(width, 6 * width)
        for layer in (self.moments, self.steering):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, prompt: Tensor, real: Tensor) -> Tensor:
        """States of shape (sample, moment, width), with a prompt of shape (sample, width)."""
        told = functional.silu(prompt)
        scale, shift = self.moments(told).chunk(2, dim=1)
        x = x * (1 + scale[:, :, None]) + shift[:, :, None]
        shift1, scale1, gate1, shift2, scale2, gate2 = self.steering(told)[:, None].chunk(6, dim=2)
        steered = self._norm(x) * (1 + scale1) + shift1
        x = x + gate1 * self.attention(steered, steered, real)
        found: Tensor = x + gate2 * self.mlp(self._norm(x) * (1 + scale2) + shift2)
        return found

    @staticmethod
    def _norm(x: Tensor) -> Tensor:
        return functional.layer_norm(x, x.shape[-1:], eps=EPSILON)


class MergingBlock(nn.Module):
    """Queries look at those before them, then at moments, then go through two layers.

    Parameters
    ----------
    width, heads : int
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.among, self.across, self.mlp = Attention(width, heads), Attention(width, heads), two_layers(width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))

    def forward(self, queries: Tensor, states: Tensor, real: Tensor) -> Tensor:
        """Queries of shape (sample, query, width) that read states of shape (sample, moment, width) where these are real."""
        x = self.norms[0](queries)
        queries = queries + self.among(x, x, causal=True)
        queries = queries + self.across(self.norms[1](queries), states, real)
        found: Tensor = queries + self.mlp(self.norms[2](queries))
        return found


def place_table(length: int, width: int) -> Tensor:
    """Sines and, in the second half of the width, cosines of each moment, shape (moment, width).

    Examples
    --------
    >>> place_table(3, 4)[0].tolist()
    [0.0, 0.0, 1.0, 1.0]
    """
    slowness = 10000.0 ** (torch.arange(width // 2, dtype=torch.float64) / (width / 2))
    angle = torch.arange(length, dtype=torch.float64)[:, None] / slowness
    return torch.cat([angle.sin(), angle.cos()], 1).float()
