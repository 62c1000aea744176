"""Which nodes and edges of a graph an output rests on: leave one out after the other, whatever the encoder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from pellucid.attribution.memory import still
from pellucid.batch import Batch
from pellucid.errors import ContractError, nearest
from pellucid.graph_batch import GraphBatch
from pellucid.model import Model
from pellucid.regions import Region, Subgraph

NODES_AT_ONCE = 20_000
"""Nodes of all copies that go through a model together; bounds memory, not results."""

Parts = Literal["nodes", "edges"]


@dataclass(frozen=True)
class GraphMap:
    """How much an output falls without each node, or without each edge, of some graphs.

    Parameters
    ----------
    falls : tuple of Tensor, shape (part,) each
        One a sample, in units of the output; positive where the part speaks for it.
    regions : tuple of tuple of Region
        Of each sample, one a part.
    input, target : str
    """

    falls: tuple[Tensor, ...]
    regions: tuple[tuple[Region, ...], ...]
    input: str
    target: str

    def of(self, sample: int) -> tuple[tuple[Region, ...], Tensor]:
        """Places of one sample, and its falls, shape (part,)."""
        return self.regions[sample], self.falls[sample]

    def strongest(self, sample: int, top: int = 3) -> list[tuple[Region, float]]:
        """Parts of one sample whose absence changes the output most, with the change."""
        falls = self.falls[sample]
        order = falls.abs().argsort(descending=True, stable=True)[:top]
        return [(self.regions[sample][int(at)], float(falls[at])) for at in order]

    @property
    def values(self) -> Tensor:
        """The falls with one row a sample, 0 where a sample has no such part; shape (sample, most parts)."""
        return torch.nn.utils.rnn.pad_sequence(list(self.falls), batch_first=True)


@torch.no_grad()
def graph_map(
    model: Model, batch: Batch, *, input: str | None = None, target: str | None = None, parts: Parts = "nodes"
) -> GraphMap:
    """Take one node (with its edges) or one edge (both ways) after the other out of a graph, and watch an output.

    Parameters
    ----------
    model : Model
    batch : Batch
        Its other inputs stay as they are.
    input, target : str, optional
        Names; the first input that is a graph and the first output by default.
    parts : {"nodes", "edges"}

    Raises
    ------
    ContractError
        If there is no such input or output, or the input is no graph.

    Notes
    -----
    What is left need not be a graph of the kind that the model has learnt from (a molecule without an atom in its midst is two).
    A model may answer that with anything; compare with contributions that the model computes its output from.
    """
    graphs_of = [name for name, value in batch.inputs.items() if isinstance(value, GraphBatch)]
    name = input or (graphs_of[0] if graphs_of else "")
    if name not in graphs_of:
        raise ContractError(
            f"no input {name!r} that is a graph{nearest(name, graphs_of)}; graphs: {graphs_of or 'none'}"
        )
    at = model.head.output_index(target or model.head.outputs[0])
    graphs: GraphBatch = batch.inputs[name]
    owner, pairs = _nodes(graphs) if parts == "nodes" else _edges(graphs)
    sizes = graphs.node_counts[owner].cumsum(0)
    falls = torch.zeros(len(owner), device=owner.device)
    beside = replace(batch, inputs={key: value for key, value in batch.inputs.items() if key != name})
    with still(model):
        whole = model(batch)[:, at]
        start = 0
        while start < len(owner):
            before = int(sizes[start - 1]) if start else 0
            stop = max(start + 1, int(torch.searchsorted(sizes, before + NODES_AT_ONCE, right=True)))
            rows = owner[start:stop]
            copies = _without(graphs[rows], pairs[start:stop], parts)
            falls[start:stop] = whole[rows] - model(beside.rows(rows).with_input(name, copies))[:, at]
            start = stop
    counts = torch.bincount(owner, minlength=len(graphs)).tolist()
    return GraphMap(
        tuple(falls.split(counts)),
        tuple(tuple(_region(pair) for pair in some.tolist()) for some in pairs.split(counts)),
        name,
        model.head.outputs[at],
    )


def _nodes(graphs: GraphBatch) -> tuple[Tensor, Tensor]:
    """Graph and number within it of every node; the number twice."""
    return graphs.graph_of_node, graphs.place[:, None].expand(-1, 2)


def _edges(graphs: GraphBatch) -> tuple[Tensor, Tensor]:
    """Graph and ends of every pair of nodes with an edge between them, in either direction, once each."""
    own = graphs.edge_index - graphs.starts[graphs.graph_of_edge]
    rows = torch.cat([graphs.graph_of_edge[None], own.sort(0).values]).t()
    rows = torch.unique(rows, dim=0) if len(rows) else rows
    return rows[:, 0], rows[:, 1:]


def _without(copies: GraphBatch, pairs: Tensor, parts: Parts) -> GraphBatch:
    """Each copy without its own node, or without the edges between its own two nodes."""
    first, second = copies.starts + pairs[:, 0], copies.starts + pairs[:, 1]
    if parts == "nodes":
        gone = torch.zeros(len(copies.nodes), dtype=torch.bool, device=copies.nodes.device)
        gone[first] = True
        return copies.without_nodes(gone)
    of = copies.graph_of_edge
    a, b = copies.edge_index
    return copies.without_edges(((a == first[of]) & (b == second[of])) | ((a == second[of]) & (b == first[of])))


def _region(pair: list[int]) -> Region:
    first, second = pair
    return Subgraph((first,)) if first == second else Subgraph((first, second), ((first, second),))
