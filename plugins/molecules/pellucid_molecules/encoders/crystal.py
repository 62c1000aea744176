"""Networks over crystals: every atom hears from its neighbours in this cell and the next, by how far away they are."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.data import Dataset
from pellucid.data.spec import Graph
from pellucid.errors import StudyError
from pellucid.graph_batch import GraphBatch
from pellucid_molecules.encoders.features import DISTANCE, GraphFeatures
from pellucid_molecules.encoders.gin import NodeNorm
from pellucid_molecules.encoders.network import GraphNetwork, GraphNetworkConfig

NUMBER = "atomic_number"
"""The node feature that is read. Where in its cell an atom lies depends on where the cell begins, which means nothing."""


class CrystalEncoderConfig(GraphNetworkConfig):
    """Settings of :class:`CrystalEncoder`.

    Parameters
    ----------
    hidden : int
        Width of an atom's state, and units of a crystal, named ``f0``, ``f1`` ...
    layers : int
        How many; an atom hears of others as many neighbours away.
    """

    hidden: int = Field(default=64, gt=0)
    layers: int = Field(default=3, ge=1)


class Interaction(nn.Module):
    """``state + sum over neighbours of gate(state, theirs, distance) x message(state, theirs, distance)``.

    Parameters
    ----------
    width, edge_width : int
    """

    def __init__(self, width: int, edge_width: int) -> None:
        super().__init__()
        self.own = nn.Linear(width, 2 * width)
        self.other = nn.Linear(width, 2 * width, bias=False)
        self.far = nn.Linear(edge_width, 2 * width, bias=False)
        self.norm = NodeNorm(width)

    def forward(self, states: Tensor, edge_index: Tensor, edges: Tensor) -> Tensor:
        """New states, shape (node, width)."""
        # Linear layers over atoms, not over pairs: the same sum, for a twelfth of the work.
        said = self.own(states)[edge_index[1]] + self.other(states)[edge_index[0]] + self.far(edges)
        gate, message = said.chunk(2, dim=1)
        heard = torch.zeros_like(states).index_add(0, edge_index[1], gate.sigmoid() * functional.softplus(message))
        return functional.softplus(states + self.norm(heard))


class CrystalEncoder(GraphNetwork):
    """Atoms by element, neighbours by bumps over their distance, a few gated interactions; the crystal is the mean of its atoms.

    Of nodes it reads the atomic number alone, of edges the distance, so that turning, shifting or repeating the cell changes nothing.

    References
    ----------
    Xie and Grossman (2018), doi:10.1103/PhysRevLett.120.145301. Deviations: elements are embedded by number, not by a table of their
    properties; messages are not normalised before they are gated, their sum is.
    """

    config_type = CrystalEncoderConfig
    config: CrystalEncoderConfig

    def __init__(self, config: CrystalEncoderConfig) -> None:
        super().__init__(config)
        spec = self.features.spec
        for named, feature, has in (("nodes", NUMBER, spec.node_features), ("edges", DISTANCE, spec.edge_features)):
            if feature not in has:
                raise StudyError(
                    f"encoder 'crystal-encoder': {named} of input {self.input_name!r} have no {feature!r}; it reads crystals, and "
                    "gin, gat, dmpnn and attentivefp read molecules"
                )
        self._number = spec.node_features.index(NUMBER)
        self._distance = spec.edge_features.index(DISTANCE)
        self.features = GraphFeatures(Graph(node_features=(NUMBER,), edge_features=(DISTANCE,)))
        self.first = nn.Linear(self.features.node_width, config.hidden)
        self.layers = nn.ModuleList(Interaction(config.hidden, self.features.edge_width) for _ in range(config.layers))
        self.dropout = nn.Dropout(config.dropout)

    @classmethod
    def example_data(cls) -> Dataset:
        """Made-up crystals."""
        from pellucid_molecules.crystals.core_mof import CoreMof

        return CoreMof.example_data()

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Nothing: elements are embedded, and distances are angstrom."""

    def states(self, graphs: GraphBatch) -> Tensor:
        """The state of every atom, shape (node, unit)."""
        read = graphs.with_nodes(graphs.nodes[:, [self._number]])
        read = read.with_edge_values(graphs.edge_values[:, [self._distance]])
        edges = self.features.edges(read)
        states: Tensor = self.first(self.features.nodes(read))
        for layer in self.layers:
            states = self.dropout(layer(states, graphs.edge_index, edges))
        return states
