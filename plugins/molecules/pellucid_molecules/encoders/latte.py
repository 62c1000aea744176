"""LATTE: which chains of relations between kinds of node matter, node by node and layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.data.spec import Graph
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.graph_batch import GraphBatch
from pellucid.moments import Moments
from pellucid.representation import Representation
from pellucid_molecules.encoders.latte_edges import PathEdges, Pruning, joined_edges, pruned, strongest
from pellucid_molecules.encoders.latte_layer import LatteLayer, Read
from pellucid_molecules.encoders.latte_paths import centre_of, hops, planned


class LatteConfig(EncoderConfig):
    """Settings of :class:`Latte`.

    Parameters
    ----------
    layers : int
        How many. Layer ``t`` reads along chains of ``t`` relations.
    hidden : int
        Width of a node's state behind each layer; a sample has ``layers`` times as many units, ``layer 1: f0`` ...
    heads : int
        Ways of weighing neighbours; they share ``hidden`` among them.
    pruning : {"degree", "threshold", "top", "none"}
        Which edges of a layer the next one goes on from: those with an attention of ``threshold`` times an equal share of the target's
        neighbours; with one of ``threshold``, as published, which is one a node at most; the ``top`` strongest; or all.
    threshold : float
    top : int
    most_edges : int
        Strongest joined edges that are kept of each node and chain.
    proximity : float
        Weight of a loss beside the head's: along each chain, the ends of its edges are to score higher than ``negatives`` nodes of the
        same type drawn for each edge. 0: none, and no time is spent on it.
    negatives : int
    dropout, attention_dropout : float
        Share of states, and of weights of neighbours, that are silent in a training step.
    """

    layers: int = Field(default=2, ge=1, le=4)
    hidden: int = Field(default=128, gt=0)
    heads: int = Field(default=2, ge=1)
    pruning: Pruning = "degree"
    threshold: float = Field(default=0.5, ge=0, le=1)
    top: int = Field(default=5, ge=1)
    most_edges: int = Field(default=50, ge=1)
    proximity: float = Field(default=0.0, ge=0)
    negatives: int = Field(default=2, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    attention_dropout: float = Field(default=0.2, ge=0, lt=1)

    @model_validator(mode="after")
    def _reads_around_a_node(self) -> LatteConfig:
        if self.hidden % self.heads:
            raise ValueError(f"{self.heads} heads cannot share a width of {self.hidden} evenly")
        for name, spec in self.inputs.items():
            if not isinstance(spec, Graph) or not spec.relations:
                raise ValueError(
                    f"input {name!r} names no relations between types of node; latte chooses among relations"
                )
            _, kind = centre_of(spec)
            if not any(goal == spec.node_types[kind] for _, _, goal in spec.relations):
                raise ValueError(
                    f"input {name!r}: no relation leads to {spec.node_types[kind]!r}, so there is nothing to choose"
                )
        return self


class Latte(Encoder):
    """Attention along chains of relations, and a weight for every chain at every node: what it went by can be read off.

    The first layer reads along single relations, the second along chains of two, whose edges are joined from those of the first that
    drew attention. Behind each layer a node is the weighted sum of what each chain brings and of itself. The values of a sample are those
    of its graph's middle node behind all layers; :meth:`choice_weights` are its weights.

    Graphs that are missing, and those without their middle node, have values of 0.

    References
    ----------
    Tran and Gao (2020), arXiv 2009.08072, as the released code has it (github.com/JonnyTran/LATTE). Deviations: samples are graphs
    around nodes, and nothing is read but those; a chain's weight comes from what the chain brings (the released code's from the
    node itself), with a preference of its own; a relation by which a node has no neighbour has no weight (there: an embedding of zeros
    with a weight); what is joined back to the node itself is dropped, as it has a choice of its own; edges are pruned relative to their
    number, since a softmax over many seldom gives one of them a half; joined weights choose which edges are kept, and weigh edges in the
    loss of proximity, which is off unless asked for; types without features have one learnt vector, not one a node.
    """

    tags = EncoderTags(accepts=("graph",), adds_loss=True)
    config_type = LatteConfig
    config: LatteConfig
    feature_mean: Tensor
    feature_scale: Tensor

    def __init__(self, config: LatteConfig) -> None:
        super().__init__()
        self.config = config
        (spec,) = config.inputs.values()
        self.spec = cast("Graph", spec)
        self.centre_column, self.centre_type = centre_of(self.spec)
        self.plans = planned(self.spec, config.layers)
        self.hops = hops(self.spec)
        types, features = len(self.spec.node_types), len(self.spec.node_features)
        self.register_buffer("feature_mean", torch.zeros(types, features))
        self.register_buffer("feature_scale", torch.ones(types, features))
        widths = [features, *[config.hidden] * (config.layers - 1)]
        self.layers = nn.ModuleList(
            LatteLayer(plan, width, config.hidden, config.heads, types, config.attention_dropout)
            for plan, width in zip(self.plans, widths, strict=True)
        )
        self.dropout = nn.Dropout(config.dropout)

    @classmethod
    def example_data(cls) -> Dataset:
        """A small made-up literature."""
        from pellucid_molecules.networks.synthetic import NetworksSynthetic, NetworksSyntheticConfig

        return NetworksSynthetic(NetworksSyntheticConfig(papers=40, authors=30, subjects=6))

    @classmethod
    def example_options(cls) -> Mapping[str, Any]:
        """Small."""
        return {"hidden": 16}

    @property
    def names(self) -> tuple[str, ...]:
        """``layer 1: f0`` ..."""
        return tuple(
            f"layer {layer + 1}: f{unit}" for layer in range(self.config.layers) for unit in range(self.config.hidden)
        )

    @property
    def choice_names(self) -> tuple[str, ...]:
        """``layer 1: paper-author``, ``layer 1: itself`` ..."""
        return tuple(
            f"layer {at + 1}: {name}"
            for at, plan in enumerate(self.plans)
            for name in (*(plan.paths[path].name for path in plan.into(self.centre_type)), "itself")
        )

    @property
    def choice_sets(self) -> tuple[int, ...]:
        """The layer of each, from 0."""
        return tuple(at for at, plan in enumerate(self.plans) for _ in range(len(plan.into(self.centre_type)) + 1))

    @property
    def choice_relations(self) -> tuple[tuple[int, ...], ...]:
        """Relations along each chain."""
        found: list[tuple[int, ...]] = []
        for plan in self.plans:
            found += [plan.paths[path].relations for path in plan.into(self.centre_type)]
            found.append(())
        return tuple(found)

    @torch.no_grad()
    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn mean and deviation of each type's features from the training samples."""
        moments = [Moments() for _ in self.spec.node_types]
        for batch in batches:
            graphs = self._shown(batch)[0]
            for kind, one in enumerate(moments):
                own = self._types(graphs) == kind
                one.add(graphs.nodes, own[:, None].expand_as(graphs.nodes))
        for kind, one in enumerate(moments):
            self.feature_mean[kind] = one.mean.float()
            self.feature_scale[kind] = one.deviation.float()

    def forward(self, batch: Batch) -> Representation:
        """Units of each graph's middle node."""
        graphs, rows, count = self._shown(batch)
        states = torch.cat([one.states for one in self.read_layers(graphs)], 1)
        return Representation(_at(rows, self._middle(graphs, states), count), self.names)

    def choice_weights(self, batch: Batch) -> Tensor:
        """Weights of the middle node, shape (sample, choice); those of each layer add up to 1."""
        graphs, rows, count = self._shown(batch)
        own = self._types(graphs) == self.centre_type
        every = torch.cat([one.choices[self.centre_type] for one in self.read_layers(graphs)], 1)
        weights = every.new_zeros(len(own), every.shape[1])
        weights[own] = every
        return _at(rows, self._middle(graphs, weights), count)

    def loss(self, batch: Batch) -> Tensor:
        """The loss of proximity, mean over layers, times its weight."""
        graphs = self._shown(batch)[0]
        if not self.config.proximity:
            return graphs.nodes.new_zeros(())
        found = [one.proximity for one in self.read_layers(graphs, self.config.negatives) if one.proximity is not None]
        return self.config.proximity * torch.stack(found).mean()

    def read_layers(self, graphs: GraphBatch, negatives: int = 0) -> list[Read]:
        """What each layer says of every node."""
        types, count = self._types(graphs), len(graphs.nodes)
        # Which node is the middle one must not be seen from its features: it is what all is read from.
        standard = (graphs.nodes - self.feature_mean[types]) / self.feature_scale[types]
        states = standard.index_fill(1, torch.tensor([self.centre_column], device=standard.device), 0.0)
        single = self._single(graphs)
        edges: dict[tuple[int, ...], PathEdges] = {}
        found: list[Read] = []
        for at, layer in enumerate(self.layers):
            paths = self.plans[at].paths
            if at == 0:
                edges = {path.relations: single[path.relations[0]] for path in paths}
            else:
                edges = {path.relations: self._onward(edges, path.relations, single, count) for path in paths}
            assert isinstance(layer, LatteLayer)
            read: Read = layer(states, types, [edges[path.relations] for path in paths], negatives)
            states = self.dropout(read.states)
            found.append(replace(read, states=states))
            if at + 1 < len(self.layers):
                edges = {
                    path.relations: self._pruned(edges[path.relations], attention, count)
                    for path, attention in zip(paths, read.attention, strict=True)
                }
        return found

    def _single(self, graphs: GraphBatch) -> list[PathEdges]:
        """Edges of each relation as the target sees them."""
        assert graphs.edge_types is not None
        source, target = graphs.edge_index
        found = []
        for at in range(len(self.spec.relations)):
            own = graphs.edge_types == at
            found.append(PathEdges(target[own], source[own], torch.ones(int(own.sum()), device=source.device)))
        return found

    def _onward(
        self, before: Mapping[tuple[int, ...], PathEdges], path: tuple[int, ...], single: list[PathEdges], count: int
    ) -> PathEdges:
        joined = joined_edges(before[path[:-1]], single[path[-1]], count)
        return strongest(joined.where(joined.target != joined.source), self.config.most_edges, count)

    def _pruned(self, edges: PathEdges, attention: Tensor, count: int) -> PathEdges:
        config = self.config
        return pruned(
            edges, attention.detach(), config.pruning, threshold=config.threshold, top=config.top, count=count
        )

    def _shown(self, batch: Batch) -> tuple[GraphBatch, Tensor | None, int]:
        """Graphs that are there, which samples these are, and how many samples there are."""
        graphs, there = self.graphs(batch), self.present(batch)
        if there is None:
            return graphs, None, len(graphs)
        rows = there.nonzero()[:, 0]
        return graphs[rows], rows, len(graphs)

    @staticmethod
    def _types(graphs: GraphBatch) -> Tensor:
        assert graphs.node_types is not None
        return graphs.node_types

    def _middle(self, graphs: GraphBatch, values: Tensor) -> Tensor:
        """Values of each graph's middle node; 0 where it has none."""
        middle = (graphs.nodes[:, self.centre_column] > 0.5).to(values)[:, None]
        return graphs.summed(values * middle) / graphs.summed(middle).clamp(min=1)


def _at(rows: Tensor | None, some: Tensor, count: int) -> Tensor:
    if rows is None:
        return some
    return some.new_zeros(count, *some.shape[1:]).index_copy(0, rows, some)
