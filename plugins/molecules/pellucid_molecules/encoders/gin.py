"""Graph isomorphism networks: neighbours are added up, so that a node knows how many of each kind it has."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.graph_batch import GraphBatch
from pellucid_molecules.encoders.network import GraphNetwork, GraphNetworkConfig


class GinConfig(GraphNetworkConfig):
    """Settings of :class:`Gin`.

    Parameters
    ----------
    layers : int
        How many; a node sees others as many edges away.
    """

    layers: int = Field(default=5, ge=1)


class NodeNorm(nn.BatchNorm1d):
    """BatchNorm over nodes; where a training step holds one node or none, with the statistics learnt so far."""

    def forward(self, input: Tensor) -> Tensor:
        """Shape (node, width)."""
        if len(input) > 1:
            return super().forward(input)
        return functional.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class GinLayer(nn.Module):
    """``MLP((1 + epsilon) state + sum over neighbours of (state + edge))`` with ``epsilon`` learnt.

    Parameters
    ----------
    width, edge_width : int
    """

    def __init__(self, width: int, edge_width: int) -> None:
        super().__init__()
        self.edge = nn.Linear(edge_width, width) if edge_width else None
        self.epsilon = nn.Parameter(torch.zeros(1))
        self.first = nn.Linear(width, 2 * width)
        self.norm = NodeNorm(2 * width)
        self.second = nn.Linear(2 * width, width)

    def forward(self, states: Tensor, edge_index: Tensor, edges: Tensor) -> Tensor:
        """New states, shape (node, width)."""
        said = states[edge_index[0]]
        if self.edge is not None:
            said = said + self.edge(edges)
        total = ((1 + self.epsilon) * states).index_add(0, edge_index[1], said)
        found: Tensor = self.second(functional.relu(self.norm(self.first(total))))
        return found


class Gin(GraphNetwork):
    """Sums over neighbours and bonds, a small network at every atom, five times; told apart is what their counts tell apart.

    References
    ----------
    Xu et al. (2019), arXiv 1810.00826; with features of bonds and BatchNorm between layers as Hu et al. (2020), arXiv 1905.12265,
    whose last layer has no ReLU. Deviations: all columns of atoms and bonds are embedded, not two of each; bonds have no embedded
    loop from each atom to itself, in whose place ``epsilon`` is learnt.
    """

    config_type = GinConfig
    config: GinConfig

    def __init__(self, config: GinConfig) -> None:
        super().__init__(config)
        self.first = nn.Linear(self.features.node_width, config.hidden)
        self.layers = nn.ModuleList(GinLayer(config.hidden, self.features.edge_width) for _ in range(config.layers))
        self.norms = nn.ModuleList(NodeNorm(config.hidden) for _ in range(config.layers))
        self.dropout = nn.Dropout(config.dropout)

    def states(self, graphs: GraphBatch) -> Tensor:
        """The state of every node, shape (node, unit)."""
        edges = self.features.edges(graphs)
        states: Tensor = self.first(self.features.nodes(graphs))
        for at, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            states = norm(layer(states, graphs.edge_index, edges))
            if at < len(self.layers) - 1:
                states = functional.relu(states)
            states = self.dropout(states)
        return states
