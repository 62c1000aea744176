"""What networks read of nodes and edges: codes one-hot, distances as bumps, other numbers standardised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from pellucid.data.spec import Graph
from pellucid.errors import DataError
from pellucid.graph_batch import GraphBatch
from pellucid.moments import Moments
from pellucid_molecules.featurising.codes import ATOM_FEATURES, BOND_FEATURES, MOST, MOST_BOND

ATOM_CODES = dict(zip(ATOM_FEATURES, MOST, strict=True))
"""Highest code of each feature of an atom that is a code, by the name of its column."""

BOND_CODES = dict(zip(BOND_FEATURES, MOST_BOND, strict=True))
"""The same of bonds."""

DISTANCE = "distance_angstrom"
"""The edge feature that is a length, read as bumps."""

BUMPS, REACH_ANGSTROM = 41, 8.0
"""Centres of the bumps, evenly from 0 to this distance; each is as wide as they stand apart."""


class GraphFeatures(nn.Module):
    """Vectors of nodes and edges, made from the columns of a spec by their names.

    A column that :data:`ATOM_CODES` (of edges: :data:`BOND_CODES`) names is one-hot, so that a linear layer behind it is a table
    of embeddings. The edges' ``distance_angstrom`` is a row of Gaussian bumps, ``exp(-((d - centre) / width)^2)``, as crystals have
    it. Any other number is measured in standard deviations from its training mean. Types of nodes and of edges are one-hot too.

    Parameters
    ----------
    spec : Graph

    References
    ----------
    Bumps: Xie and Grossman (2018), doi:10.1103/PhysRevLett.120.145301, with their width and reach.
    """

    node_mean: Tensor
    node_scale: Tensor
    edge_mean: Tensor
    edge_scale: Tensor
    centres: Tensor

    def __init__(self, spec: Graph) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("centres", torch.linspace(0, REACH_ANGSTROM, BUMPS))
        for kind, names in (("node", spec.node_features), ("edge", spec.edge_features)):
            self.register_buffer(f"{kind}_mean", torch.zeros(len(names)))
            self.register_buffer(f"{kind}_scale", torch.ones(len(names)))

    @property
    def node_width(self) -> int:
        """Numbers of a node."""
        return sum(ATOM_CODES.get(name, 0) + 1 for name in self.spec.node_features) + len(self.spec.node_types)

    @property
    def edge_width(self) -> int:
        """Numbers of an edge."""
        names = self.spec.edge_features
        widths = [BUMPS if name == DISTANCE else BOND_CODES.get(name, 0) + 1 for name in names]
        return sum(widths) + len(self.spec.relations)

    def learn(self, several: Iterable[GraphBatch]) -> None:
        """Learn mean and deviation of the numbers from training graphs."""
        nodes, edges = Moments(), Moments()
        for graphs in several:
            nodes.add(graphs.nodes)
            edges.add(graphs.edge_values)
        for moments, mean, scale in (
            (nodes, self.node_mean, self.node_scale),
            (edges, self.edge_mean, self.edge_scale),
        ):
            mean.copy_(moments.mean)
            scale.copy_(moments.deviation)

    def nodes(self, graphs: GraphBatch) -> Tensor:
        """Vectors of nodes, shape (node, node_width).

        Raises
        ------
        DataError
            If a code is none that its column can have.
        """
        standard = (graphs.nodes - self.node_mean) / self.node_scale
        parts = [
            _one_hot(graphs.nodes[:, at], ATOM_CODES[name], f"node feature {name!r}")
            if name in ATOM_CODES
            else standard[:, at : at + 1]
            for at, name in enumerate(self.spec.node_features)
        ]
        return _beside(parts, graphs.node_types, len(self.spec.node_types), graphs.nodes)

    def edges(self, graphs: GraphBatch) -> Tensor:
        """Vectors of edges, shape (edge, edge_width).

        Raises
        ------
        DataError
            If a code is none that its column can have.
        """
        standard = (graphs.edge_values - self.edge_mean) / self.edge_scale
        parts = []
        for at, name in enumerate(self.spec.edge_features):
            if name == DISTANCE:
                parts.append(self.bumps(graphs.edge_values[:, at]))
            elif name in BOND_CODES:
                parts.append(_one_hot(graphs.edge_values[:, at], BOND_CODES[name], f"edge feature {name!r}"))
            else:
                parts.append(standard[:, at : at + 1])
        return _beside(parts, graphs.edge_types, len(self.spec.relations), graphs.edge_values)

    def bumps(self, distance_angstrom: Tensor) -> Tensor:
        """How near each distance is to each centre, shape (edge, bump)."""
        width = REACH_ANGSTROM / (BUMPS - 1)
        return torch.exp(-(((distance_angstrom[:, None] - self.centres) / width) ** 2))


def _one_hot(values: Tensor, most: int, named: str) -> Tensor:
    codes = values.round().long()
    outside = (codes < 0) | (codes > most)
    if outside.any():
        raise DataError(f"{named} is {values[outside][0]:g} somewhere; its codes run from 0 to {most}")
    return functional.one_hot(codes, most + 1).to(values.dtype)


def _beside(parts: list[Tensor], types: Tensor | None, known: int, like: Tensor) -> Tensor:
    if known and types is not None:
        parts.append(functional.one_hot(types, known).to(like.dtype))
    return torch.cat(parts, 1) if parts else like.new_zeros(len(like), 0)


def codes_of(spec: Graph) -> Mapping[str, int]:
    """Columns of a spec that are read as codes, with the highest code of each.

    Examples
    --------
    >>> codes_of(Graph(node_features=("aromatic", "mass"), edge_features=("conjugated",)))
    {'aromatic': 1, 'conjugated': 1}
    """
    of_nodes = {name: ATOM_CODES[name] for name in spec.node_features if name in ATOM_CODES}
    return of_nodes | {name: BOND_CODES[name] for name in spec.edge_features if name in BOND_CODES}
