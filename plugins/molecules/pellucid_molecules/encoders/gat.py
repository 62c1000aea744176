"""Graph attention: every atom weighs its neighbours, several times over."""

from __future__ import annotations

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from pellucid.graph_batch import GraphBatch
from pellucid_molecules.encoders.attention import gathered, shares
from pellucid_molecules.encoders.network import GraphNetwork, GraphNetworkConfig

SLOPE = 0.2
"""Of LeakyReLU below zero."""


class GatConfig(GraphNetworkConfig):
    """Settings of :class:`Gat`.

    Parameters
    ----------
    hidden : int
        Width of a node's state over all heads together, and units of a graph.
    layers : int
    heads : int
        Ways of weighing neighbours in each layer; they share ``hidden`` among them.
    """

    hidden: int = Field(default=256, gt=0)
    layers: int = Field(default=3, ge=1)
    heads: int = Field(default=4, ge=1)

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> GatConfig:
        if self.hidden % self.heads:
            raise ValueError(f"{self.heads} heads cannot share a width of {self.hidden} evenly")
        return self


class GatLayer(nn.Module):
    """Attention of each node over its neighbours and itself.

    Parameters
    ----------
    width, edge_width, heads : int
    """

    def __init__(self, width: int, edge_width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.each = heads, width // heads
        self.shown = nn.Linear(width, width)
        self.asking = nn.Linear(width, width)
        self.edge = nn.Linear(edge_width, width, bias=False) if edge_width else None
        self.weigh = nn.Parameter(torch.empty(heads, self.each))
        self.bias = nn.Parameter(torch.zeros(width))
        nn.init.xavier_uniform_(self.weigh)

    def forward(self, states: Tensor, edge_index: Tensor, edges: Tensor) -> Tensor:
        """New states, shape (node, width)."""
        count = len(states)
        own = torch.arange(count, device=states.device)
        source, goal = torch.cat([edge_index, own.expand(2, -1)], 1)
        shown = self.shown(states)[source].unflatten(1, (self.heads, self.each))
        asked = shown + self.asking(states)[goal].unflatten(1, (self.heads, self.each))
        if self.edge is not None:
            # A node has no bond with itself, and nothing stands in its place.
            bonds = functional.pad(self.edge(edges), (0, 0, 0, count))
            asked = asked + bonds.unflatten(1, (self.heads, self.each))
        scores = (functional.leaky_relu(asked, SLOPE) * self.weigh).sum(2, keepdim=True)
        return gathered(shown, shares(scores, goal, count), goal, count).flatten(1) + self.bias


class Gat(GraphNetwork):
    """Each atom takes a weighted mean over its neighbours and itself, by several weighings side by side, three times.

    References
    ----------
    Velickovic et al. (2018), arXiv 1710.10903, in the form of Brody et al. (2022), arXiv 2105.14491 (``GATv2``), in which what is weighed
    depends on who asks. Deviations: features of bonds take part in the weights; each layer's result is added to its input.
    """

    config_type = GatConfig
    config: GatConfig

    def __init__(self, config: GatConfig) -> None:
        super().__init__(config)
        self.first = nn.Linear(self.features.node_width, config.hidden)
        edges = self.features.edge_width
        self.layers = nn.ModuleList(GatLayer(config.hidden, edges, config.heads) for _ in range(config.layers))
        self.dropout = nn.Dropout(config.dropout)

    def states(self, graphs: GraphBatch) -> Tensor:
        """The state of every node, shape (node, unit)."""
        edges = self.features.edges(graphs)
        states: Tensor = self.first(self.features.nodes(graphs))
        for layer in self.layers:
            states = states + self.dropout(functional.elu(layer(states, graphs.edge_index, edges)))
        return states
