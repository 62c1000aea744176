"""Attentive FP: attention and gated memory over neighbours, and then over the atoms of a molecule."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.graph_batch import GraphBatch
from pellucid_molecules.encoders.attention import gathered, shares
from pellucid_molecules.encoders.network import GraphEncoder, GraphEncoderConfig


class AttentiveFpConfig(GraphEncoderConfig):
    """Settings of :class:`AttentiveFp`.

    Parameters
    ----------
    layers : int
        How many bonds away an atom sees others.
    steps : int
        How often the molecule looks at its atoms.
    """

    hidden: int = Field(default=200, gt=0)
    layers: int = Field(default=2, ge=1)
    steps: int = Field(default=2, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)


class Weighing(nn.Module):
    """Attention with one weight for what is shown and one for who asks.

    Parameters
    ----------
    width : int
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.map = nn.Linear(width, width, bias=False)
        self.shown = nn.Parameter(torch.empty(1, width))
        self.asking = nn.Parameter(torch.empty(1, width))
        self.bias = nn.Parameter(torch.zeros(width))
        for one in (self.map.weight, self.shown, self.asking):
            nn.init.xavier_uniform_(one)

    def forward(self, shown: Tensor, asking: Tensor, source: Tensor, goal: Tensor, dropout: float) -> Tensor:
        """What each goal gathers, shape (goal, width)."""
        mapped = self.map(shown)
        scores = (mapped @ self.shown.t())[source] + (self.map(asking) @ self.asking.t())[goal]
        weights = _weights(scores, goal, len(asking), dropout, self.training)
        return gathered(mapped[source], weights, goal, len(asking)) + self.bias


class BondWeighing(nn.Module):
    """The first attention over neighbours, which sees the bonds.

    Parameters
    ----------
    width, edge_width : int
    """

    def __init__(self, width: int, edge_width: int) -> None:
        super().__init__()
        self.neighbour = nn.Linear(width + edge_width, width, bias=False)
        self.map = nn.Linear(width, width, bias=False)
        self.shown = nn.Parameter(torch.empty(1, width))
        self.asking = nn.Parameter(torch.empty(1, width))
        self.bias = nn.Parameter(torch.zeros(width))
        for one in (self.neighbour.weight, self.map.weight, self.shown, self.asking):
            nn.init.xavier_uniform_(one)

    def forward(self, states: Tensor, edges: Tensor, source: Tensor, goal: Tensor, dropout: float) -> Tensor:
        """What each node gathers, shape (node, width)."""
        seen = functional.leaky_relu(self.neighbour(torch.cat([states[source], edges], 1)))
        scores = seen @ self.shown.t() + (states @ self.asking.t())[goal]
        weights = _weights(scores, goal, len(states), dropout, self.training)
        return gathered(self.map(states)[source], weights, goal, len(states)) + self.bias


class AttentiveFp(GraphEncoder):
    """Atoms weigh their neighbours, the molecule weighs its atoms, and gated memories keep what is worth keeping.

    It has no option ``readout``, as the molecule is read by attention.

    References
    ----------
    Xiong et al. (2020), doi:10.1021/acs.jmedchem.9b00959, as torch_geometric has it: bonds count in the weights of the first layer
    alone, not in what it sums. Deviation: columns of atoms and bonds are those of the dataset.
    """

    config_type = AttentiveFpConfig
    config: AttentiveFpConfig

    def __init__(self, config: AttentiveFpConfig) -> None:
        super().__init__(config)
        hidden = config.hidden
        self.first = nn.Linear(self.features.node_width, hidden)
        self.bonds = BondWeighing(hidden, self.features.edge_width)
        self.atoms = nn.ModuleList(Weighing(hidden) for _ in range(config.layers - 1))
        self.memories = nn.ModuleList(nn.GRUCell(hidden, hidden) for _ in range(config.layers))
        self.molecule = Weighing(hidden)
        self.memory = nn.GRUCell(hidden, hidden)

    def states(self, graphs: GraphBatch) -> Tensor:
        """The state of every node, shape (node, unit)."""
        source, goal = graphs.edge_index
        states = functional.leaky_relu(self.first(self.features.nodes(graphs)))
        for at, memory in enumerate(self.memories):
            if at == 0:
                found = self.bonds(states, self.features.edges(graphs), source, goal, self.config.dropout)
            else:
                found = self.atoms[at - 1](states, states, source, goal, self.config.dropout)
            states = functional.relu(memory(self._dropped(functional.elu(found)), states))
        return states

    def pooled(self, graphs: GraphBatch, states: Tensor) -> Tensor:
        """Values of graphs by attention over their nodes, shape (graph, unit)."""
        own = torch.arange(len(states), device=states.device)
        values = functional.relu(graphs.summed(states))
        for _ in range(self.config.steps):
            found = self.molecule(states, values, own, graphs.graph_of_node, self.config.dropout)
            values = functional.relu(self.memory(self._dropped(functional.elu(found)), values))
        # A graph without nodes has nothing to be read off, whatever the memory's constants say.
        return self._dropped(values) * (graphs.node_counts > 0)[:, None]

    def _dropped(self, values: Tensor) -> Tensor:
        return functional.dropout(values, self.config.dropout, self.training)


def _weights(scores: Tensor, goal: Tensor, count: int, dropout: float, training: bool) -> Tensor:
    return functional.dropout(shares(functional.leaky_relu(scores), goal, count), dropout, training)
