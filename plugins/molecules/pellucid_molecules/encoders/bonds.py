"""Bonds as places beside atoms: a state for each, and both in one table of tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from pellucid.graph_batch import GraphBatch


def bonds_of(graphs: GraphBatch) -> tuple[Tensor, Tensor]:
    """Pairs of different nodes with an edge between them, whichever way, once each and in order of their nodes.

    Returns
    -------
    ends : Tensor of int64, shape (bond, 2)
        Numbered over the batch, the lower first.
    of_edge : Tensor of int64, shape (edge,)
        Which bond each edge is; -1 for one from a node to itself.

    Examples
    --------
    >>> from pellucid.data.graphs import Graphs
    >>> ends, of_edge = bonds_of(GraphBatch.of(Graphs.of([[0.0]] * 3, [(0, 1), (1, 0), (2, 1), (2, 2)])))
    >>> ends.tolist(), of_edge.tolist()
    ([[0, 1], [1, 2]], [0, 0, 1, -1])
    """
    pairs = graphs.edge_index.sort(0).values.t()
    between = pairs[:, 0] != pairs[:, 1]
    ends, which = torch.unique(pairs[between], dim=0, return_inverse=True)
    of_edge = torch.full((len(pairs),), -1, dtype=torch.int64, device=pairs.device)
    return ends, of_edge.masked_scatter(between, which)


class BondStates(nn.Module):
    """``relu(V (state + state of the other end) + W features)``: the same from both ends, of features the mean over a bond's edges.

    Parameters
    ----------
    width, edge_width : int
    """

    def __init__(self, width: int, edge_width: int) -> None:
        super().__init__()
        self.of_ends = nn.Linear(width, width)
        self.of_features = nn.Linear(edge_width, width, bias=False) if edge_width else None

    def forward(self, graphs: GraphBatch, states: Tensor, edges: Tensor) -> Tensor:
        """The state of every bond, shape (bond, width)."""
        ends, of_edge = bonds_of(graphs)
        found = self.of_ends(states[ends[:, 0]] + states[ends[:, 1]])
        if self.of_features is not None:
            between = of_edge >= 0
            total = edges.new_zeros(len(ends), edges.shape[1]).index_add(0, of_edge[between], edges[between])
            count = torch.bincount(of_edge[between], minlength=len(ends)).clamp(min=1)
            found = found + self.of_features(total / count[:, None])
        return functional.relu(found)


def with_bonds(graphs: GraphBatch, nodes: Tensor, bonds: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Nodes of each graph and its bonds after them, one row a graph.

    Parameters
    ----------
    graphs : GraphBatch
    nodes : Tensor, shape (node, width)
    bonds : Tensor, shape (bond, width)
        In the order of :func:`bonds_of`.

    Returns
    -------
    values : Tensor, shape (graph, most nodes and bonds of a graph, width)
    known : Tensor of bool, shape (graph, most nodes and bonds of a graph)
    ends : Tensor of int64, shape (graph, most nodes and bonds of a graph, 2)
        Numbers within the graph: a node's twice, the two of a bond; -1 where there is nothing.
    """
    pairs, _ = bonds_of(graphs)
    of_bond = graphs.graph_of_node[pairs[:, 0]]
    counts = torch.bincount(of_bond, minlength=len(graphs))
    place = torch.arange(len(pairs), device=pairs.device) - (counts.cumsum(0) - counts)[of_bond]
    row = torch.cat([graphs.graph_of_node, of_bond])
    column = torch.cat([graphs.place, graphs.node_counts[of_bond] + place])
    own = torch.cat([graphs.place[:, None].expand(-1, 2), pairs - graphs.starts[of_bond][:, None]])
    most = int((graphs.node_counts + counts).max()) if len(graphs) else 0
    values = nodes.new_zeros(len(graphs), most, nodes.shape[1]).index_put((row, column), torch.cat([nodes, bonds]))
    known = torch.zeros(len(graphs), most, dtype=torch.bool, device=nodes.device)
    known[row, column] = True
    ends = torch.full((len(graphs), most, 2), -1, dtype=torch.int64, device=nodes.device)
    ends[row, column] = own
    return values, known, ends
