"""Kinds of input that are graphs, each sample its own, or nodes of one that all samples share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from pellucid.data.axes import OnAxes


class Graph(OnAxes):
    """A graph with named node and edge features; its size differs between samples, so it has no fixed shape.

    Samples travel as :class:`~pellucid.data.graphs.Graphs`.

    Parameters
    ----------
    node_features, edge_features : tuple of str
        Names, units among them (``"distance_angstrom"``).
    node_types : tuple of str
        Kinds of node (``"paper"``, ``"author"``); none where all are of one kind.
    relations : tuple of (str, str, str)
        Kinds of edge: type of node it comes from, what it says, type of node it goes to; none where all are of one kind.
    node_word : (str, str)
        What one and what several nodes are called where people read: ``("town", "towns")``.
    edge_word : (str, str)
        The same of edges: ``("road", "roads")``.
    """

    has_places: ClassVar[bool] = True

    kind: Literal["graph"] = "graph"
    node_features: tuple[str, ...]
    edge_features: tuple[str, ...] = ()
    node_types: tuple[str, ...] = ()
    relations: tuple[tuple[str, str, str], ...] = ()
    node_word: tuple[str, str] = ("node", "nodes")
    edge_word: tuple[str, str] = ("edge", "edges")

    @model_validator(mode="after")
    def _relations_join_types(self) -> Graph:
        for source, name, goal in self.relations:
            for end in (source, goal):
                if end not in self.node_types:
                    raise ValueError(f"relation {source}-{name}-{goal} joins {end!r}, which is no node type")
        return self


class Nodes(OnAxes):
    """Which nodes of a network that all samples share a sample is about: the two ends of a link, or one node.

    A sample has shape ``(role,)``, int64: the number of a node among those of its role's type. The network itself is what an
    encoder has learnt: the links of the training samples.

    Parameters
    ----------
    roles : tuple of str
        What each of the nodes is in a sample: ``("drug", "microbe")``, ``("one", "other")``.
    types : tuple of str
        Of what type the node of each role is.
    names : mapping of str to tuple of str
        By type, the name of each node.
    """

    axes: ClassVar[tuple[str, ...]] = ("role",)

    kind: Literal["nodes"] = "nodes"
    roles: tuple[str, ...] = Field(min_length=1)
    types: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]]

    @model_validator(mode="after")
    def _one_type_a_role(self) -> Nodes:
        if len(self.types) != len(self.roles):
            raise ValueError(f"{len(self.roles)} roles but {len(self.types)} types")
        for of in self.types:
            if of not in self.names:
                raise ValueError(f"nodes of type {of!r} have no names")
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (len(self.roles),)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many nodes there are of each role's type."""
        return tuple(len(self.names[of]) for of in self.types)
