"""Kinds of regions, for all kinds of input that the core knows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from pellucid.phrases import listed, plural
from pellucid.regions.base import Region

WHOLE = 0.9
"""Share of an input's length from which a region counts as the whole of it."""

MOST_NAMED = 6
"""Channels or nodes that are named one by one."""


@dataclass(frozen=True)
class TimeSpan(Region):
    """Some channels of a signal from one moment to another.

    Examples
    --------
    >>> from pellucid.data.spec import Signal
    >>> spec = Signal(channels=("I", "II"), length=1000, rate_hz=100.0, units="mV")
    >>> TimeSpan(("I", "II"), 0.0, 9.92).covers(spec), TimeSpan(("II",), 0.0, 10.0).covers(spec)
    (True, False)
    >>> TimeSpan(("II",), 0.5, 0.75).in_words()
    'II from 0.5 s to 0.75 s'
    """

    kinds = ("signal",)

    channels: tuple[str, ...]
    start_s: float
    stop_s: float

    def around(self, others: Sequence[Self]) -> Self:
        """From the first start to the last stop."""
        every = [self, *others]
        start_s, stop_s = min(one.start_s for one in every), max(one.stop_s for one in every)
        return replace(self, channels=_each(one.channels for one in every), start_s=start_s, stop_s=stop_s)

    def overlaps(self, other: Self) -> bool:
        """Whether they have a moment in common."""
        return self.start_s < other.stop_s and other.start_s < self.stop_s

    def covers(self, spec: Any) -> bool:
        """All channels, from start to end or nearly so."""
        lasts_s = self.stop_s - self.start_s
        return set(spec.channels) <= set(self.channels) and lasts_s >= WHOLE * spec.length / spec.rate_hz

    def in_words(self, spec: Any = None) -> str:
        """Channels and seconds."""
        if not self.channels:
            return f"{self.start_s:.3g} to {self.stop_s:.3g} s"
        return f"{_whose(self.channels)} from {self.start_s:.3g} s to {self.stop_s:.3g} s"

    def without_channels(self) -> Self:
        """The same seconds."""
        return replace(self, channels=())


@dataclass(frozen=True)
class FrequencyBand(Region):
    """Some channels of a signal between two frequencies, over the whole of its time.

    Examples
    --------
    >>> FrequencyBand(("O1", "O2"), 8.0, 13.0).in_words()
    'O1 and O2 between 8 Hz and 13 Hz'
    """

    kinds = ("signal",)

    channels: tuple[str, ...]
    low_hz: float
    high_hz: float

    def around(self, others: Sequence[Self]) -> Self:
        """From the lowest frequency to the highest."""
        every = [self, *others]
        low_hz, high_hz = min(one.low_hz for one in every), max(one.high_hz for one in every)
        return replace(self, channels=_each(one.channels for one in every), low_hz=low_hz, high_hz=high_hz)

    def overlaps(self, other: Self) -> bool:
        """Whether they have a frequency in common."""
        return self.low_hz < other.high_hz and other.low_hz < self.high_hz

    def covers(self, spec: Any) -> bool:
        """All channels, up to half the sampling rate or nearly so."""
        wide_hz = self.high_hz - self.low_hz
        return set(spec.channels) <= set(self.channels) and wide_hz >= WHOLE * spec.rate_hz / 2

    def in_words(self, spec: Any = None) -> str:
        """Channels and frequencies."""
        if not self.channels:
            return f"{self.low_hz:.3g} to {self.high_hz:.3g} Hz"
        return f"{_whose(self.channels)} between {self.low_hz:.3g} Hz and {self.high_hz:.3g} Hz"

    def without_channels(self) -> Self:
        """The same frequencies."""
        return replace(self, channels=())


@dataclass(frozen=True)
class Box(Region):
    """A rectangle of an image or a cuboid of a volume: half-open index ranges, one pair an axis.

    Examples
    --------
    >>> Box((8, 12), (12, 16)).in_words()
    'rows 9 to 12, columns 13 to 16'
    """

    kinds = ("image", "volume")

    start: tuple[int, ...]
    stop: tuple[int, ...]

    def around(self, others: Sequence[Self]) -> Self:
        """The smallest box with all of them in it."""
        every = [self, *others]
        starts, stops = zip(*(one.start for one in every), strict=True), zip(*(one.stop for one in every), strict=True)
        return replace(self, start=tuple(map(min, starts)), stop=tuple(map(max, stops)))

    def overlaps(self, other: Self) -> bool:
        """Whether they have a cell in common."""
        ends = zip(self.start, self.stop, other.start, other.stop, strict=True)
        return all(a < d and c < b for a, b, c, d in ends)

    def covers(self, spec: Any) -> bool:
        """Nearly as long as the input along each axis."""
        sides = zip(self.start, self.stop, spec.size, strict=True)
        return all(stop - start >= WHOLE * length for start, stop, length in sides)

    def in_words(self, spec: Any = None) -> str:
        """Ranges of slices, rows and columns."""
        axes = ("slices", "rows", "columns")[-len(self.start) :]
        return ", ".join(_span(axis, *ends) for axis, *ends in zip(axes, self.start, self.stop, strict=True))


@dataclass(frozen=True)
class Voxels(Region):
    """A set of pixels or voxels: index tuples."""

    kinds = ("image", "volume")

    indices: tuple[tuple[int, ...], ...]

    def around(self, others: Sequence[Self]) -> Self:
        """All of their cells."""
        return replace(self, indices=_each(one.indices for one in (self, *others)))

    def overlaps(self, other: Self) -> bool:
        """Whether they have a cell in common."""
        return not set(self.indices).isdisjoint(other.indices)

    def covers(self, spec: Any) -> bool:
        """Nearly all cells of the input."""
        return len(set(self.indices)) >= WHOLE * math.prod(spec.size)

    def in_words(self, spec: Any = None) -> str:
        """How many there are."""
        return plural(len(self.indices), "voxel")


@dataclass(frozen=True)
class Subgraph(Region):
    """Some nodes of a graph, and edges between them as pairs of nodes.

    Examples
    --------
    >>> from pellucid.data.spec import Graph
    >>> spec = Graph(node_features=("x",), node_word=("town", "towns"), edge_word=("road", "roads"))
    >>> Subgraph((0, 4)).in_words(spec), Subgraph((0, 4), ((0, 4),)).in_words(spec)
    ('towns 1 and 5', 'road between towns 1 and 5')
    """

    kinds = ("graph",)
    stands_alone = False

    nodes: tuple[int, ...]
    edges: tuple[tuple[int, int], ...] = ()

    def around(self, others: Sequence[Self]) -> Self:
        """All of their nodes and edges."""
        every = [self, *others]
        return replace(self, nodes=_each(one.nodes for one in every), edges=_each(one.edges for one in every))

    def overlaps(self, other: Self) -> bool:
        """Whether they have a node in common."""
        return not set(self.nodes).isdisjoint(other.nodes)

    def covers(self, spec: Any) -> bool:
        """Never known: graphs differ in size."""
        return False

    def in_words(self, spec: Any = None) -> str:
        """Nodes by number, in words of the input, or how many; one edge as what it joins."""
        one, several = getattr(spec, "node_word", ("node", "nodes"))
        if len(self.nodes) > MOST_NAMED:
            return f"{len(self.nodes)} {several}"
        named = f"{one if len(self.nodes) == 1 else several} {listed(str(at + 1) for at in self.nodes)}"
        joined = len(self.edges) == 1 and set(self.edges[0]) == set(self.nodes)
        return f"{getattr(spec, 'edge_word', ('edge', 'edges'))[0]} between {named}" if joined else named


@dataclass(frozen=True)
class Steps(Region):
    """Some variables of a trajectory from one step (included) to another (excluded).

    Examples
    --------
    >>> Steps(("speed",), 0, 2).in_words(), Steps((), 1, 2).in_words()
    ('speed, steps 1 to 2', 'step 2')
    """

    kinds = ("trajectory",)

    variables: tuple[str, ...]
    start: int
    stop: int

    def around(self, others: Sequence[Self]) -> Self:
        """From the first start to the last stop."""
        every = [self, *others]
        start, stop = min(one.start for one in every), max(one.stop for one in every)
        return replace(self, variables=_each(one.variables for one in every), start=start, stop=stop)

    def overlaps(self, other: Self) -> bool:
        """Whether they have a step in common."""
        return self.start < other.stop and other.start < self.stop

    def covers(self, spec: Any) -> bool:
        """All variables, from the first step to the last or nearly so."""
        return set(spec.names) <= set(self.variables) and self.stop - self.start >= WHOLE * spec.length

    def in_words(self, spec: Any = None) -> str:
        """Variables and steps."""
        steps = _span("steps", self.start, self.stop)
        return f"{_whose(self.variables, 'variable')}, {steps}" if self.variables else steps

    @property
    def channels(self) -> tuple[str, ...]:
        """The variables, as what reads signals calls them."""
        return self.variables

    def without_channels(self) -> Self:
        """The same steps."""
        return replace(self, variables=())


@dataclass(frozen=True)
class Words(Region):
    """Token positions of a text, from one (included) to another (excluded)."""

    kinds = ("text",)

    start: int
    stop: int

    def around(self, others: Sequence[Self]) -> Self:
        """From the first start to the last stop."""
        every = [self, *others]
        return replace(self, start=min(one.start for one in every), stop=max(one.stop for one in every))

    def overlaps(self, other: Self) -> bool:
        """Whether they have a token in common."""
        return self.start < other.stop and other.start < self.stop

    def covers(self, spec: Any) -> bool:
        """Never known: texts are padded."""
        return False

    def in_words(self, spec: Any = None) -> str:
        """Numbers of tokens."""
        return _span("tokens", self.start, self.stop)


def _each(many: Iterable[Iterable[Any]]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(one for some in many for one in some))


def _whose(names: Sequence[str], word: str = "channel") -> str:
    return listed(names) if len(names) <= MOST_NAMED else plural(len(names), word)


def _span(several: str, start: int, stop: int) -> str:
    return f"{several} {start + 1} to {stop}" if stop - start > 1 else f"{several.removesuffix('s')} {stop}"
