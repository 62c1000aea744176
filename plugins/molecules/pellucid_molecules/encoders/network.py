"""What networks over graphs share: features of nodes and edges, values of whole graphs, and nodes as tokens."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, cast

from pydantic import Field, model_validator
from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.spec import Graph
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.graph_batch import GraphBatch
from pellucid.regions import Subgraph
from pellucid.representation import Representation, Tokens, TokenShape
from pellucid_molecules.encoders.bonds import BondStates, with_bonds
from pellucid_molecules.encoders.features import GraphFeatures

NORM = 100.0
"""What the readout ``norm`` divides a sum by."""


class GraphEncoderConfig(EncoderConfig):
    """Settings of every :class:`GraphEncoder`.

    Parameters
    ----------
    hidden : int
        Width of a node's state, and units of a graph, named ``f0``, ``f1`` ...
    dropout : float
        Share of values that are silent in a training step.
    tokens : bool
        Whether to hand on the states of the nodes too.
    bonds : bool
        With ``tokens``: whether bonds are handed on beside the nodes, each with a state made of its two nodes' and its own features. A head
        that adds up places then says of each atom and each bond what it adds.
    """

    hidden: int = Field(default=300, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    tokens: bool = False
    bonds: bool = False

    @model_validator(mode="after")
    def _bonds_are_tokens(self) -> GraphEncoderConfig:
        if self.bonds and not self.tokens:
            raise ValueError("bonds are handed on beside the nodes: set tokens to true as well")
        return self


class GraphEncoder(Encoder):
    """A network that gives every node of a graph a state, and reads the graph off them.

    Graphs that are missing, and those without nodes, have values of 0 and no tokens.
    """

    tags = EncoderTags(accepts=("graph",))
    config_type = GraphEncoderConfig
    config: GraphEncoderConfig

    def __init__(self, config: GraphEncoderConfig) -> None:
        super().__init__()
        self.config = config
        (spec,) = config.inputs.values()
        self.node_word = cast("Graph", spec).node_word
        self.features = GraphFeatures(cast("Graph", spec))
        if config.bonds:
            self.bond_states = BondStates(config.hidden, self.features.edge_width)

    @property
    def names(self) -> tuple[str, ...]:
        """``f0``, ``f1`` ..."""
        return tuple(f"f{unit}" for unit in range(self.config.hidden))

    @property
    def token_shapes(self) -> Mapping[str, TokenShape]:
        """One set, with ``tokens``: the nodes, and with ``bonds`` the bonds after them."""
        if not self.config.tokens:
            return {}
        word = {} if self.config.bonds else {"word": self.node_word}
        return {"": TokenShape(count=0, width=self.config.hidden, varying=True, **word)}

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn mean and deviation of the numbers among the features from the training samples."""

        def shown() -> Iterator[GraphBatch]:
            for batch in batches:
                there = self.present(batch)
                yield self.graphs(batch) if there is None else self.graphs(batch)[there.nonzero()[:, 0]]

        self.features.learn(shown())

    @abstractmethod
    def states(self, graphs: GraphBatch) -> Tensor:
        """The state of every node, shape (node, unit)."""

    @abstractmethod
    def pooled(self, graphs: GraphBatch, states: Tensor) -> Tensor:
        """Values of graphs from the states of their nodes, shape (graph, unit)."""

    def forward(self, batch: Batch) -> Representation:
        """Units of each graph, and with ``tokens`` those of each node."""
        graphs, there = self.graphs(batch), self.present(batch)
        # Graphs that are missing are left out, so that they have no part in the statistics of batches either.
        rows = None if there is None else there.nonzero()[:, 0]
        shown = graphs if rows is None else graphs[rows]
        states = self.states(shown)
        values = _at(rows, self.pooled(shown, states), len(graphs))
        if not self.config.tokens:
            return Representation(values, self.names)
        if self.config.bonds:
            found = with_bonds(shown, states, self.bond_states(shown, states, self.features.edges(shown)))
            values_of, known, ends = (_at(rows, one, len(graphs)) for one in found)
            return Representation(
                values, self.names, {"": Tokens(values_of, known=known, ends=ends, input=self.input_name)}
            )
        padded, known = (_at(rows, one, len(graphs)) for one in shown.padded(states))
        regions = tuple(Subgraph((node,)) for node in range(known.shape[1]))
        return Representation(values, self.names, {"": Tokens(padded, regions, known=known, input=self.input_name)})


class GraphNetworkConfig(GraphEncoderConfig):
    """Settings of every :class:`GraphNetwork`.

    Parameters
    ----------
    readout : {"mean", "sum", "norm"}
        How states of nodes become the values of a graph: their mean, their sum, or their sum divided by 100, which tells how
        large a molecule is and stays small.
    """

    readout: Literal["mean", "sum", "norm"] = "mean"


class GraphNetwork(GraphEncoder):
    """One whose graphs are the mean or the sum of their nodes."""

    config_type = GraphNetworkConfig
    config: GraphNetworkConfig

    def pooled(self, graphs: GraphBatch, states: Tensor) -> Tensor:
        """Mean or sum over the nodes."""
        if self.config.readout == "mean":
            return graphs.mean(states)
        total = graphs.summed(states)
        return total / NORM if self.config.readout == "norm" else total


def _at(rows: Tensor | None, some: Tensor, count: int) -> Tensor:
    """Values of some rows among all, with zeros elsewhere."""
    if rows is None:
        return some
    return some.new_zeros(count, *some.shape[1:]).index_copy(0, rows, some)
