"""What the bottlenecked transformer is made of: symbols as vectors, causal attention, forecasts from codes and actions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Symbols(nn.Module):
    """Sums of vectors, one for each level of each name; a value that is not known has a vector of its own.

    Parameters
    ----------
    counts : sequence of int
        Levels of each name.
    width : int
    """

    starts: Tensor

    def __init__(self, counts: Sequence[int], width: int) -> None:
        super().__init__()
        rows = [count + 1 for count in counts]
        starts = torch.tensor([0, *rows[:-1]]).cumsum(0) if rows else torch.zeros(0, dtype=torch.int64)
        self.register_buffer("starts", starts, persistent=False)
        self.vectors = nn.Embedding(max(1, sum(rows)), width)

    def forward(self, levels: Tensor) -> Tensor:
        """Shape (..., name), -1 where unknown, to (..., width)."""
        if not len(self.starts):
            return self.vectors.weight[0].expand(*levels.shape[:-1], -1)
        found: Tensor = self.vectors(levels + 1 + self.starts).sum(-2)
        return found


class CausalTransformer(nn.Module):
    """Each step sees itself and those steps before it of which something is known.

    Parameters
    ----------
    length, width, depth, heads, feed_forward : int
    dropout : float
    spare : int
        By how many steps samples may begin later while it learns.
    """

    def __init__(
        self, length: int, width: int, depth: int, heads: int, feed_forward: int, dropout: float, spare: int
    ) -> None:
        super().__init__()
        self.heads, self.spare = heads, spare
        self.register_buffer("places", waves(length + spare, width), persistent=False)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, feed_forward, dropout, "gelu", batch_first=True, norm_first=True)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.register_buffer("later", torch.ones(length, length, dtype=torch.bool).triu(1), persistent=False)

    later: Tensor
    places: Tensor

    def forward(self, steps: Tensor, there: Tensor | None) -> Tensor:
        """Shape (sample, step, width) to the same.

        Parameters
        ----------
        steps : Tensor
        there : Tensor of bool, optional, shape (sample, step)
            Of which steps anything is known; all, if left out.
        """
        hidden = self.later
        if there is not None:
            # A step that nobody knows still sees itself: over nothing at all attention has no value.
            alone = torch.eye(len(hidden), dtype=torch.bool, device=hidden.device)
            hidden = (hidden | ~there[:, None, :]) & ~alone
            hidden = hidden.repeat_interleave(self.heads, 0)
        found = steps + self._placed(steps)
        for layer in self.layers:
            found = layer(found, src_mask=hidden)
        told: Tensor = self.norm(found)
        return told

    def _placed(self, steps: Tensor) -> Tensor:
        length = steps.shape[1]
        if not self.training:
            return self.places[:length]
        # Nothing is known to come behind the last step, so that nothing would be learnt of how to forecast there: while it learns, each
        # sample begins some steps later, drawn by lot.
        begins = torch.randint(self.spare + 1, (len(steps), 1), device=steps.device)
        return self.places[begins + torch.arange(length, device=steps.device)]


def waves(length: int, width: int) -> Tensor:
    """Sines and cosines of ever longer periods, by which steps are told apart; shape (step, width).

    References
    ----------
    Vaswani et al. (2017), arXiv 1706.03762.
    """
    period = 10_000 ** (torch.arange(0, width, 2) / width)
    angle = torch.arange(length)[:, None] / period
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[:, :width]


class Forecast(nn.Module):
    """From the code vectors of a step and what is done at it and after it, to what is seen some steps later.

    Parameters
    ----------
    width : int
    actions : sequence of int
        Levels of each action.
    ahead : int
        How many steps later.
    outputs : int
        Levels of all states together.
    """

    def __init__(self, width: int, actions: Sequence[int], ahead: int, outputs: int) -> None:
        super().__init__()
        self.ahead = ahead
        self.actions = nn.ModuleList(Symbols(actions, width) for _ in range(ahead))
        self.layers = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, outputs))
        self.inward = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(ahead + 1))

    def forward(self, vectors: Tensor, done: Tensor) -> Tensor:
        """Shapes (sample, step, width) and (sample, step, action), -1 where unknown, to (sample, step, output).

        What is done behind the last step is unknown.
        """
        read = self.inward[0](vectors)
        for later, (symbols, inward) in enumerate(zip(self.actions, self.inward[1:], strict=True)):
            ahead = torch.full_like(done, -1)
            ahead[:, : done.shape[1] - later] = done[:, later:]
            read = read + inward(symbols(ahead))
        found: Tensor = self.layers(torch.nn.functional.gelu(read))
        return found
