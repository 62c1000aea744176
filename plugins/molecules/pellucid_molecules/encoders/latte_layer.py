"""One layer: attention over the neighbours along each chain of relations, then a choice among chains and oneself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pellucid_molecules.encoders.attention import gathered, shares
from pellucid_molecules.encoders.latte_edges import PathEdges
from pellucid_molecules.encoders.latte_paths import LayerPlan

SLOPE = 0.2
"""Of LeakyReLU below zero."""


@dataclass(frozen=True, eq=False)
class Read:
    """What a layer says.

    Parameters
    ----------
    states : Tensor, shape (node, width)
        0 for nodes of types that the layer does not work out.
    choices : mapping of int to Tensor, shape (node of the type, path + 1)
        By type of target, the weight of each path that leads to it, and of the node itself last; rows add up to 1.
    attention : tuple of Tensor, shape (edge,) each
        By path, the highest of the heads.
    proximity : Tensor, optional
        How badly scores tell the ends of edges from nodes drawn by lot, a number; where negatives were asked for.
    """

    states: Tensor
    choices: Mapping[int, Tensor]
    attention: tuple[Tensor, ...]
    proximity: Tensor | None = None


class LatteLayer(nn.Module):
    """Attention along each path, and over paths.

    Parameters
    ----------
    plan : LayerPlan
    width_in, width, heads : int
    types : int
        How many types of node there are.
    dropout : float
        Of attention.
    """

    def __init__(self, plan: LayerPlan, width_in: int, width: int, heads: int, types: int, dropout: float) -> None:
        super().__init__()
        self.plan, self.width, self.heads = plan, width, heads
        reading = {*plan.targets}
        read = {path.source for path in plan.paths}
        self.asking = nn.ModuleDict({str(kind): nn.Linear(width_in, width) for kind in sorted(reading)})
        self.shown = nn.ModuleDict({str(kind): nn.Linear(width_in, width) for kind in sorted(read)})
        each = width // heads
        self.weigh_target = nn.Parameter(torch.empty(len(plan.paths), heads, each))
        self.weigh_source = nn.Parameter(torch.empty(len(plan.paths), heads, each))
        self.sharpening = nn.Parameter(torch.ones(len(plan.paths)))
        self.into = {kind: plan.into(kind) for kind in plan.targets}
        self.choose = nn.ParameterDict(
            {str(kind): nn.Parameter(torch.empty(len(some) + 1, width)) for kind, some in self.into.items()}
        )
        self.prefer = nn.ParameterDict(
            {str(kind): nn.Parameter(torch.zeros(len(some) + 1)) for kind, some in self.into.items()}
        )
        self.dropout = nn.Dropout(dropout)
        for weights in (self.weigh_target, self.weigh_source, *self.choose.values()):
            nn.init.xavier_normal_(weights)

    def forward(self, states: Tensor, types: Tensor, edges: Sequence[PathEdges], negatives: int = 0) -> Read:
        """Read along paths.

        Parameters
        ----------
        states : Tensor, shape (node, width_in)
        types : Tensor of int64, shape (node,)
        edges : sequence of PathEdges
            One a path of the plan.
        negatives : int
            Nodes to draw for each edge for :attr:`Read.proximity`.
        """
        asking, shown = self._mapped(self.asking, states, types), self._mapped(self.shown, states, types)
        said, attention = [], []
        for at, some in enumerate(edges):
            scores = self._scores(at, asking[some.target], shown[some.source])
            alpha = shares(scores, some.target, len(states))
            attention.append(alpha.amax(1) if len(some) else alpha.sum(1))
            heard = gathered(shown[some.source], self.dropout(alpha)[..., None], some.target, len(states))
            said.append(heard.flatten(1))
        found = states.new_zeros(len(states), self.width)
        choices = {}
        for kind, into in self.into.items():
            nodes = (types == kind).nonzero()[:, 0]
            stack = torch.stack([*(said[at][nodes] for at in into), asking[nodes].flatten(1)], 1)
            there = [torch.bincount(edges[at].target, minlength=len(states))[nodes] > 0 for at in into]
            known = torch.stack([*there, torch.ones_like(nodes, dtype=torch.bool)], 1)
            scores = (stack * self.choose[str(kind)]).sum(-1) + self.prefer[str(kind)]
            # What a node has no neighbours by cannot be chosen.
            choices[kind] = beta = scores.masked_fill(~known, float("-inf")).softmax(1)
            found = found.index_copy(0, nodes, functional.relu((beta[..., None] * stack).sum(1)))
        proximity = self._proximity(asking, shown, types, edges, negatives) if negatives else None
        return Read(found, choices, tuple(attention), proximity)

    def _scores(self, path: int, asking: Tensor, shown: Tensor) -> Tensor:
        """How much nodes that ask would hear of nodes that are shown, shape (pair, head)."""
        scores = (asking * self.weigh_target[path]).sum(-1) + (shown * self.weigh_source[path]).sum(-1)
        return self.sharpening[path] * functional.leaky_relu(scores, SLOPE)

    def _proximity(
        self, asking: Tensor, shown: Tensor, types: Tensor, edges: Sequence[PathEdges], negatives: int
    ) -> Tensor:
        """Minus the log-likelihood that edges are there and drawn ones are not, mean over paths."""
        losses = []
        for at, some in enumerate(edges):
            if not len(some):
                continue
            pool = (types == self.plan.paths[at].source).nonzero()[:, 0]
            target = some.target.repeat_interleave(negatives)
            drawn = pool[torch.randint(len(pool), (len(target),), device=pool.device)]
            there = self._scores(at, asking[some.target], shown[some.source]).amax(1)
            lot = self._scores(at, asking[target], shown[drawn]).amax(1)
            weights = some.weight / some.weight.sum()
            losses.append(-(weights * functional.logsigmoid(there)).sum() - functional.logsigmoid(-lot).mean())
        return torch.stack(losses).mean() if losses else asking.sum() * 0

    def _mapped(self, maps: nn.ModuleDict, states: Tensor, types: Tensor) -> Tensor:
        """Each node by the map of its type, shape (node, head, width of a head); 0 where its type has none."""
        found = states.new_zeros(len(states), self.width)
        for kind, layer in maps.items():
            nodes = (types == int(kind)).nonzero()[:, 0]
            found = found.index_copy(0, nodes, layer(states[nodes]))
        return found.unflatten(1, (self.heads, self.width // self.heads))
