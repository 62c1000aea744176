"""A network of several kinds of node: features by type, and relations in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pellucid.data.spec import Graph
from pellucid.errors import DataError, nearest

Triple = tuple[str, str, str]
"""A relation: type of node it comes from, what it says, type of node it goes to."""

CENTRE = "centre"
"""Ends the name of the node feature that is 1 at the node a graph was taken around, and 0 at all others."""


@dataclass(frozen=True, eq=False)
class Network:
    """Nodes by type, and edges by relation.

    Parameters
    ----------
    counts : mapping of str to int
        How many nodes there are of each type.
    names : mapping of str to tuple of str
        By type, names of its features.
    features : mapping of str to ndarray of float32, shape (node, feature)
    edges : mapping of (str, str, str) to ndarray of int64, shape (edge, 2)
        By relation, from which node to which, numbered within their types.

    Raises
    ------
    DataError
        If a relation joins a type or a node that is not there, or features do not fit their names.
    """

    counts: Mapping[str, int]
    names: Mapping[str, tuple[str, ...]]
    features: Mapping[str, npt.NDArray[np.float32]]
    edges: Mapping[Triple, npt.NDArray[np.int64]]

    def __post_init__(self) -> None:
        for (source, name, goal), pairs in self.edges.items():
            for at, end in enumerate((source, goal)):
                if end not in self.counts:
                    raise DataError(
                        f"relation {source}-{name}-{goal} joins {end!r}, which is no type of node{nearest(end, self.counts)}"
                    )
                if len(pairs) and not 0 <= pairs[:, at].min() <= pairs[:, at].max() < self.counts[end]:
                    raise DataError(
                        f"relation {source}-{name}-{goal} names a node that is none of {self.counts[end]} of type {end!r}"
                    )
        for kind, count in self.counts.items():
            wanted = (count, len(self.names.get(kind, ())))
            if self.values(kind).shape != wanted:
                raise DataError(f"features of {kind!r} have shape {self.values(kind).shape}, expected {wanted}")

    def values(self, kind: str) -> npt.NDArray[np.float32]:
        """Features of all nodes of a type."""
        return self.features.get(kind, np.zeros((self.counts[kind], 0), np.float32))

    @cached_property
    def starts(self) -> dict[str, int]:
        """Number of the first node of each type where all are numbered, one type after the other."""
        before = np.concatenate([[0], np.cumsum(list(self.counts.values()))])
        return dict(zip(self.counts, before.tolist(), strict=False))

    def spec(self, centre: str) -> Graph:
        """What graphs around nodes of one type look like: a feature is called ``type:feature``, and is 0 in other types' nodes.

        Raises
        ------
        DataError
            If there is no such type.
        """
        if centre not in self.counts:
            raise DataError(
                f"there is no type of node {centre!r}{nearest(centre, self.counts)}; types: {', '.join(self.counts)}"
            )
        own = tuple(f"{kind}:{name}" for kind in self.counts for name in self.names.get(kind, ()))
        return Graph(
            node_features=(f"{centre}:{CENTRE}", *own),
            node_types=tuple(self.counts),
            relations=tuple(self.edges),
        )

    def both_ways(self) -> Network:
        """The same with every relation in both directions.

        A relation whose edges another has the other way round already, or itself has both ways, is given no reverse.
        """
        found = dict(self.edges)
        for (source, name, goal), pairs in self.edges.items():
            turned = _sorted(pairs[:, ::-1])
            there = any(
                one[0] == goal and one[2] == source and np.array_equal(_sorted(other), turned)
                for one, other in self.edges.items()
            )
            if not there:
                found[goal, f"{name} (reversed)", source] = turned
        return Network(self.counts, self.names, self.features, found)


def _sorted(pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return pairs[np.lexsort(pairs.T[::-1])]
