"""Graphs as tensors: what a batch holds of an input whose size differs between samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from pellucid.data.graphs import Graphs


@dataclass(frozen=True, eq=False)
class GraphBatch:
    """Some graphs, one after the other, with nodes and edges numbered over all of them.

    What networks of message passing read as it is: ``layer(graphs.nodes, graphs.edge_index, graphs.edge_values)``.

    Parameters
    ----------
    nodes : Tensor of float32, shape (node, feature)
    edge_index : Tensor of int64, shape (2, edge)
        From which node to which, numbered over the batch.
    edge_values : Tensor of float32, shape (edge, feature)
    graph_of_node : Tensor of int64, shape (node,)
        Not decreasing: graphs stand one after the other.
    count : int
        How many graphs.
    node_types, edge_types : Tensor of int64, optional, shape (node,) and (edge,)
    """

    nodes: Tensor
    edge_index: Tensor
    edge_values: Tensor
    graph_of_node: Tensor
    count: int
    node_types: Tensor | None = None
    edge_types: Tensor | None = None

    @classmethod
    def of(cls, graphs: Graphs) -> GraphBatch:
        """Tensors of some graphs."""
        counts = torch.from_numpy(graphs.node_counts)
        start = counts.cumsum(0) - counts
        own = torch.from_numpy(graphs.edges).t()
        offset = start.repeat_interleave(torch.from_numpy(graphs.edge_counts))
        assert graphs.edge_values is not None
        return cls(
            torch.as_tensor(graphs.nodes, dtype=torch.float32),
            (own + offset).contiguous(),
            torch.as_tensor(graphs.edge_values, dtype=torch.float32),
            torch.arange(len(graphs)).repeat_interleave(counts),
            len(graphs),
            None if graphs.node_types is None else torch.from_numpy(graphs.node_types),
            None if graphs.edge_types is None else torch.from_numpy(graphs.edge_types),
        )

    def __len__(self) -> int:
        return self.count

    @cached_property
    def node_counts(self) -> Tensor:
        """Nodes of each graph, int64, shape (graph,)."""
        return torch.bincount(self.graph_of_node, minlength=self.count)

    @cached_property
    def starts(self) -> Tensor:
        """Where the nodes of each graph begin, int64, shape (graph,)."""
        return self.node_counts.cumsum(0) - self.node_counts

    @cached_property
    def graph_of_edge(self) -> Tensor:
        """Which graph each edge is of, int64, shape (edge,)."""
        return self.graph_of_node[self.edge_index[0]]

    @cached_property
    def place(self) -> Tensor:
        """Number of each node within its own graph, int64, shape (node,)."""
        return torch.arange(len(self.nodes), device=self.nodes.device) - self.starts[self.graph_of_node]

    def to(self, device: torch.device | str) -> GraphBatch:
        """The same graphs on a device."""

        def move(value: Tensor | None) -> Tensor | None:
            return None if value is None else value.to(device)

        return GraphBatch(
            self.nodes.to(device),
            self.edge_index.to(device),
            self.edge_values.to(device),
            self.graph_of_node.to(device),
            self.count,
            move(self.node_types),
            move(self.edge_types),
        )

    def __getitem__(self, at: int | slice | Sequence[int] | Tensor) -> GraphBatch:
        """Some of the graphs by position, each as often as it is named; one graph for a number."""
        device = self.nodes.device
        chosen = torch.arange(self.count, device=device)[at].reshape(-1)
        nodes, lengths = _places(self.node_counts, chosen)
        of_edge = self.graph_of_edge
        # Edges of a graph need not stand together in a batch that was taken apart before, so they are sorted by graph.
        order = of_edge.argsort(stable=True)
        edges, edge_lengths = _places(torch.bincount(of_edge, minlength=self.count), chosen)
        edges = order[edges]
        moved = (lengths.cumsum(0) - lengths - self.starts[chosen]).repeat_interleave(edge_lengths)
        return GraphBatch(
            self.nodes[nodes],
            self.edge_index[:, edges] + moved,
            self.edge_values[edges],
            torch.arange(len(chosen), device=device).repeat_interleave(lengths),
            len(chosen),
            None if self.node_types is None else self.node_types[nodes],
            None if self.edge_types is None else self.edge_types[edges],
        )

    def with_nodes(self, nodes: Tensor) -> GraphBatch:
        """The same graphs with other node features: for perturbations and gradients."""
        return replace(self, nodes=nodes)

    def with_edge_values(self, edge_values: Tensor) -> GraphBatch:
        """The same graphs with other edge features."""
        return replace(self, edge_values=edge_values)

    def without_edges(self, gone: Tensor) -> GraphBatch:
        """The same graphs without some edges.

        Parameters
        ----------
        gone : Tensor of bool, shape (edge,)
        """
        stay = ~gone
        return replace(
            self,
            edge_index=self.edge_index[:, stay],
            edge_values=self.edge_values[stay],
            edge_types=None if self.edge_types is None else self.edge_types[stay],
        )

    def without_nodes(self, gone: Tensor) -> GraphBatch:
        """The same graphs without some nodes, and without the edges of these; a graph may be left without any.

        Parameters
        ----------
        gone : Tensor of bool, shape (node,)
        """
        less = self.without_edges(gone[self.edge_index].any(0))
        stay = ~gone
        number = stay.cumsum(0) - 1
        return replace(
            less,
            nodes=self.nodes[stay],
            edge_index=number[less.edge_index],
            graph_of_node=self.graph_of_node[stay],
            node_types=None if self.node_types is None else self.node_types[stay],
        )

    def summed(self, values: Tensor) -> Tensor:
        """Sum over the nodes of each graph: (node, width) to (graph, width); zeros for a graph without nodes."""
        found = values.new_zeros(self.count, *values.shape[1:])
        return found.index_add(0, self.graph_of_node, values)

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the nodes of each graph: (node, width) to (graph, width); zeros for a graph without nodes."""
        return self.summed(values) / self.node_counts.clamp(min=1).to(values)[:, None]

    def padded(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Values of nodes with one row a graph, and where there is a node.

        Parameters
        ----------
        values : Tensor, shape (node, width)

        Returns
        -------
        padded : Tensor, shape (graph, most nodes of a graph, width)
            Zeros where there is no node.
        known : Tensor of bool, shape (graph, most nodes of a graph)
        """
        most = int(self.node_counts.max()) if self.count else 0
        found = values.new_zeros(self.count, most, values.shape[1])
        known = torch.zeros(self.count, most, dtype=torch.bool, device=values.device)
        known[self.graph_of_node, self.place] = True
        return found.index_put((self.graph_of_node, self.place), values), known

    def edges_of(self, graph: int) -> Tensor:
        """Edges of one graph as pairs of its own node numbers, int64, shape (edge, 2)."""
        return (self.edge_index[:, self.graph_of_edge == graph] - self.starts[graph]).t()


def joined(several: Sequence[GraphBatch]) -> GraphBatch:
    """All graphs of several batches, in order."""
    nodes = torch.tensor([0, *(len(one.nodes) for one in several)]).cumsum(0).tolist()
    graphs = torch.tensor([0, *map(len, several)]).cumsum(0).tolist()

    def together(name: str) -> Tensor | None:
        values = [getattr(one, name) for one in several]
        return None if values[0] is None else torch.cat(values)

    return GraphBatch(
        torch.cat([one.nodes for one in several]),
        torch.cat([one.edge_index + at for one, at in zip(several, nodes, strict=False)], 1),
        torch.cat([one.edge_values for one in several]),
        torch.cat([one.graph_of_node + at for one, at in zip(several, graphs, strict=False)]),
        graphs[-1],
        together("node_types"),
        together("edge_types"),
    )


def _places(counts: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Where the rows of the chosen graphs lie, one graph after the other, and how many each has."""
    lengths = counts[chosen]
    starts = (counts.cumsum(0) - counts)[chosen]
    within = torch.arange(int(lengths.sum()), device=counts.device)
    within = within - (lengths.cumsum(0) - lengths).repeat_interleave(lengths)
    return starts.repeat_interleave(lengths) + within, lengths
