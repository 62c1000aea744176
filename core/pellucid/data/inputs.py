"""Kinds of input, each with its shape and units, and the texts that belong to samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, JsonValue, model_validator

from pellucid.data.frozen import Frozen


class Signal(Frozen):
    """Channels over time; a sample has shape ``(channel, time)``.

    ``preparation`` is the dataset's record of what was done to the recordings (filters, reference ...), where it keeps one.
    """

    kind: Literal["signal"] = "signal"
    channels: tuple[str, ...]
    length: int = Field(gt=0)
    rate_hz: float = Field(gt=0)
    units: str
    preparation: Mapping[str, JsonValue] = Field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (len(self.channels), self.length)


class Image(Frozen):
    """Channels over a plane; a sample has shape ``(channel, row, column)``.

    A channel named ``"mask"`` holds how much of each pixel is covered, 0 to 1.
    """

    kind: Literal["image"] = "image"
    channels: tuple[str, ...]
    size: tuple[int, int]
    spacing_mm: tuple[float, float] | None = None
    units: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (len(self.channels), *self.size)


class Volume(Frozen):
    """Channels over space; a sample has shape ``(channel, slice, row, column)``."""

    kind: Literal["volume"] = "volume"
    channels: tuple[str, ...]
    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None = None
    units: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (len(self.channels), *self.size)


class Vector(Frozen):
    """Named numbers; a sample has shape ``(name,)``. One unit for all, or one for each name."""

    kind: Literal["vector"] = "vector"
    names: tuple[str, ...]
    units: str | tuple[str, ...] = "1"

    @model_validator(mode="after")
    def _one_unit_a_name(self) -> Vector:
        if isinstance(self.units, tuple) and len(self.units) != len(self.names):
            raise ValueError(f"{len(self.names)} names but {len(self.units)} units")
        if len(set(self.names)) != len(self.names):
            raise ValueError("names must differ from each other")
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (len(self.names),)


class Trajectory(Frozen):
    """Named states (and actions) over time steps; a sample has shape ``(step, name)``."""

    kind: Literal["trajectory"] = "trajectory"
    names: tuple[str, ...]
    length: int = Field(gt=0)
    dt_s: float = Field(gt=0)
    units: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (self.length, len(self.names))


class Text(Frozen):
    """Tokens of a closed vocabulary; a sample has shape ``(position,)``, int64, padded and masked."""

    kind: Literal["text"] = "text"
    vocabulary: int = Field(gt=0)
    length: int = Field(gt=0)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (self.length,)


class Graph(Frozen):
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

    @property
    def shape(self) -> tuple[int, ...]:
        """Empty: graphs have no common shape."""
        return ()


class Nodes(Frozen):
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


InputSpec = Annotated[Signal | Image | Volume | Vector | Trajectory | Text | Graph | Nodes, Field(discriminator="kind")]


class Sentences(Frozen):
    """A text in plain words that belongs to each sample: what was read, a report, the description of a molecule.

    It is no input: a head that :attr:`~pellucid.heads.base.HeadTags.needs_texts` learns from it, with a text model of its own
    that turns words into numbers. The frame has a column ``text:<name>``, and ``text:<name>:1`` ... for variants.

    Parameters
    ----------
    variants : int
        In how many other ways the frame says the same of each sample.
    about : str
        What it is, for people.
    """

    variants: int = Field(default=0, ge=0)
    about: str = ""

    def columns(self, name: str) -> tuple[str, ...]:
        """Frame columns: the text itself first, then its variants."""
        return (f"text:{name}", *(f"text:{name}:{at + 1}" for at in range(self.variants)))
