"""Directed message passing: states live on bonds, one for each way, and no message goes back where it came from."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.graph_batch import GraphBatch
from pellucid_molecules.encoders.network import GraphNetwork, GraphNetworkConfig


class DmpnnConfig(GraphNetworkConfig):
    """Settings of :class:`Dmpnn`.

    Parameters
    ----------
    depth : int
        How many bonds away an atom sees others; ``depth - 1`` updates of the bonds.
    """

    depth: int = Field(default=3, ge=1)


class Dmpnn(GraphNetwork):
    """Each direction of a bond gathers from the bonds that lead to it, but not from its own other direction.

    With ``x`` the atoms and ``e`` the bonds: ``h0[v, w] = W_i [x_v, e_vw]``, ``m[v, w] = sum of h[k, v] over neighbours k of v
    other than w``, ``h[v, w] = relu(h0[v, w] + W_h m[v, w])``, and at last ``relu(W_o [x_v, sum of h[k, v]])`` at each atom.

    References
    ----------
    Yang et al. (2019), arXiv 1904.01561, with the defaults of its software chemprop: 300 wide, depth 3, ``W_i`` and ``W_h`` without bias,
    weights begin as Glorot's normal ones (torch's own would make what comes from afar too faint to learn from).
    As there, and unlike the paper, what an update adds is ``h0`` before its ReLU; messages start as ``relu(h0)``. Deviation: bonds
    are parted by a table of opposite edges, so that edges may come in any order; one without an opposite leaves nothing out.
    """

    config_type = DmpnnConfig
    config: DmpnnConfig

    def __init__(self, config: DmpnnConfig) -> None:
        super().__init__(config)
        nodes, edges, hidden = self.features.node_width, self.features.edge_width, config.hidden
        # W_i and W_o of [a, b] are two layers whose results add up: atoms are then multiplied once, not once a bond.
        self.first_of_atom = nn.Linear(nodes, hidden, bias=False)
        self.first_of_bond = nn.Linear(edges, hidden, bias=False) if edges else None
        self.update = nn.Linear(hidden, hidden, bias=False)
        self.last_of_atom = nn.Linear(nodes, hidden)
        self.last_of_message = nn.Linear(hidden, hidden, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        for width, layers in (
            (nodes + edges, (self.first_of_atom, self.first_of_bond)),
            (hidden, (self.update,)),
            (nodes + hidden, (self.last_of_atom, self.last_of_message)),
        ):
            for layer in filter(None, layers):
                nn.init.normal_(layer.weight, std=math.sqrt(2 / (width + hidden)))
        nn.init.zeros_(self.last_of_atom.bias)

    def states(self, graphs: GraphBatch) -> Tensor:
        """The state of every node, shape (node, unit)."""
        nodes = self.features.nodes(graphs)
        source, goal = graphs.edge_index
        start = self.first_of_atom(nodes)[source]
        if self.first_of_bond is not None:
            start = start + self.first_of_bond(self.features.edges(graphs))
        back = opposite(graphs.edge_index, graphs.edge_values, len(nodes))
        states = functional.relu(start)
        for _ in range(self.config.depth - 1):
            states = functional.relu(start + self.update(messages(states, graphs.edge_index, back, len(nodes))))
            states = self.dropout(states)
        arrived = states.new_zeros(len(nodes), self.config.hidden).index_add(0, goal, states)
        found: Tensor = self.dropout(functional.relu(self.last_of_atom(nodes) + self.last_of_message(arrived)))
        return found


def messages(states: Tensor, edge_index: Tensor, back: Tensor, nodes: int) -> Tensor:
    """What each edge gathers: the states of edges into its source, without that of its own opposite.

    Parameters
    ----------
    states : Tensor, shape (edge, width)
    edge_index : Tensor of int64, shape (2, edge)
    back : Tensor of int64, shape (edge,)
        See :func:`opposite`.
    nodes : int
        How many.
    """
    arrived = states.new_zeros(nodes, states.shape[1]).index_add(0, edge_index[1], states)
    return arrived[edge_index[0]] - states[back] * (back >= 0)[:, None]


def opposite(edge_index: Tensor, edge_values: Tensor, nodes: int) -> Tensor:
    """The edge that goes the other way for each edge, and -1 where there is none.

    Of several edges between the same nodes (images of an atom in a crystal) those with the same features belong together.

    Examples
    --------
    >>> opposite(torch.tensor([[0, 1, 1, 2, 0], [1, 2, 0, 1, 2]]), torch.zeros(5, 0), 3).tolist()
    [2, 3, 0, 1, -1]
    """
    source, goal = edge_index
    count = edge_index.shape[1]
    if count == 0:
        return source
    ahead, against = source * nodes + goal, goal * nodes + source
    kind = torch.zeros_like(source)
    if edge_values.shape[1]:
        kind = torch.unique(edge_values, dim=0, return_inverse=True)[1]
    order = (ahead * count + kind).argsort(stable=True)
    known = ahead[order]
    # How many edges of the same two nodes stand before each: parallel ones are paired in the order of their features.
    before = torch.empty_like(order)
    before[order] = torch.arange(count, device=order.device) - torch.searchsorted(known, known)
    place = torch.searchsorted(known, against) + before
    there = place < count
    place = place.clamp(max=count - 1)
    return torch.where(there & (known[place] == against), order[place], torch.full_like(order, -1))
