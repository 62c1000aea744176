"""Graphs of different sizes, one after the other in flat arrays. No torch here; batches are made elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pellucid.errors import DataError

if TYPE_CHECKING:
    from pellucid.data.inputs import Graph


NAMES = ("nodes", "edges", "node_counts", "edge_counts", "edge_values", "node_types", "edge_types")


@dataclass(frozen=True, eq=False)
class Graphs:
    """Some graphs: what a dataset's :meth:`~pellucid.data.dataset.Dataset.read` gives for an input of kind ``Graph``.

    Edges have a direction; a bond or a distance is two edges, one each way. Node numbers start at 0 in each graph, so that
    graphs can be taken out and put together without renumbering.

    Parameters
    ----------
    nodes : ndarray of float32, shape (node, feature)
        Of all graphs, one graph after the other.
    edges : ndarray of int64, shape (edge, 2)
        From which node to which, numbered within their own graph.
    node_counts, edge_counts : ndarray of int64, shape (graph,)
    edge_values : ndarray of float32, shape (edge, feature), optional
        By default edges have no features.
    node_types : ndarray of int64, shape (node,), optional
        Which of the spec's ``node_types`` each node is; by default all are of one type.
    edge_types : ndarray of int64, shape (edge,), optional
        Which of the spec's ``relations`` each edge is; by default all are of one.

    Raises
    ------
    DataError
        If lengths disagree, or an edge names a node that its graph does not have.

    Examples
    --------
    >>> ethanol = Graphs.of(nodes=[[6.0], [6.0], [8.0]], edges=[[0, 1], [1, 0], [1, 2], [2, 1]])
    >>> methane = Graphs.of(nodes=[[6.0]], edges=[])
    >>> two = Graphs.joined([ethanol, methane])
    >>> len(two), two[-1].nodes.tolist(), two[[1, 0]].node_counts.tolist()
    (2, [[6.0]], [1, 3])
    """

    nodes: np.ndarray
    edges: np.ndarray
    node_counts: np.ndarray
    edge_counts: np.ndarray
    edge_values: np.ndarray | None = None
    node_types: np.ndarray | None = None
    edge_types: np.ndarray | None = None

    def __post_init__(self) -> None:
        fill = object.__setattr__
        fill(self, "node_counts", np.asarray(self.node_counts, np.int64))
        fill(self, "edge_counts", np.asarray(self.edge_counts, np.int64))
        fill(self, "edges", np.asarray(self.edges, np.int64).reshape(-1, 2))
        if self.edge_values is None:
            fill(self, "edge_values", np.zeros((len(self.edges), 0), np.float32))
        self._check()

    def _check(self) -> None:
        lengths = {
            "nodes": (len(self.nodes), self.node_counts.sum()),
            "edges": (len(self.edges), self.edge_counts.sum()),
            "edge_values": (len(self.edge_values), len(self.edges)),  # type: ignore[arg-type]
            "node_types": (len(self.nodes) if self.node_types is None else len(self.node_types), len(self.nodes)),
            "edge_types": (len(self.edges) if self.edge_types is None else len(self.edge_types), len(self.edges)),
            "edge_counts": (len(self.edge_counts), len(self.node_counts)),
        }
        for name, (found, wanted) in lengths.items():
            if found != wanted:
                raise DataError(f"graphs: {name} has {found} entries, expected {wanted}")
        over = (self.edges < 0) | (self.edges >= np.repeat(self.node_counts, self.edge_counts)[:, None])
        if over.any():
            at = int(np.argwhere(over)[0][0])
            graph = int(np.searchsorted(np.cumsum(self.edge_counts), at, side="right"))
            raise DataError(
                f"graph {graph} has {self.node_counts[graph]} nodes, but an edge from {self.edges[at][0]} to {self.edges[at][1]}"
            )

    @classmethod
    def of(
        cls,
        nodes: Sequence[Sequence[float]] | np.ndarray,
        edges: Sequence[Sequence[int]] | np.ndarray,
        edge_values: Sequence[Sequence[float]] | np.ndarray | None = None,
        node_types: Sequence[int] | np.ndarray | None = None,
        edge_types: Sequence[int] | np.ndarray | None = None,
    ) -> Graphs:
        """One graph."""
        values = np.asarray(nodes, np.float32)
        pairs = np.asarray(edges, np.int64).reshape(-1, 2)
        return cls(
            values,
            pairs,
            np.array([len(values)]),
            np.array([len(pairs)]),
            None if edge_values is None else np.asarray(edge_values, np.float32),
            None if node_types is None else np.asarray(node_types, np.int64),
            None if edge_types is None else np.asarray(edge_types, np.int64),
        )

    @classmethod
    def joined(cls, several: Sequence[Graphs]) -> Graphs:
        """All graphs of several, in order."""

        def together(name: str) -> np.ndarray | None:
            arrays = [getattr(one, name) for one in several]
            if name == "edge_values":
                # A graph without edges need not say how many features its edges would have.
                arrays = [values for values in arrays if values.size or values.shape[1:] != (0,)] or arrays
            return None if arrays[0] is None else np.concatenate(arrays)

        return cls(**{name: together(name) for name in NAMES})  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.node_counts)

    def __getitem__(self, at: int | slice | Sequence[int] | np.ndarray) -> Graphs:
        """Some of the graphs by position; one graph for a number."""
        if isinstance(at, int | np.integer):
            if not -len(self) <= at < len(self):
                raise IndexError(f"graph {at} of {len(self)}")
            at = [int(at)]
        chosen = np.arange(len(self))[at]
        nodes, edges = _places(self.node_counts, chosen), _places(self.edge_counts, chosen)
        return Graphs(
            self.nodes[nodes],
            self.edges[edges],
            self.node_counts[chosen],
            self.edge_counts[chosen],
            self.edge_values[edges],  # type: ignore[index]
            None if self.node_types is None else self.node_types[nodes],
            None if self.edge_types is None else self.edge_types[edges],
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything that these graphs are made of, by name."""
        every = {name: getattr(self, name) for name in NAMES}
        return {name: values for name, values in every.items() if values is not None}

    def check(self, spec: Graph, where: str) -> None:
        """Raise where these are not the graphs that a spec describes.

        Parameters
        ----------
        spec : Graph
        where : str
            For the message: ``"dataset 'x', input 'molecule'"``.

        Raises
        ------
        DataError
            If a number of features differs, a feature is NaN or infinite, or a type is none of the spec's.
        """
        widths = {"node": (self.nodes, spec.node_features), "edge": (self.edge_values, spec.edge_features)}
        for kind, (values, names) in widths.items():
            assert values is not None
            if values.ndim != 2 or values.shape[1] != len(names):
                raise DataError(f"{where}: {kind} features of shape {values.shape}, expected ({kind}, {len(names)})")
            if not (finite := np.isfinite(values)).all():
                at = tuple(np.argwhere(~finite)[0])
                raise DataError(f"{where}: {kind} feature {names[at[1]]!r} is {values[at]} in {kind} {at[0]}")
        for kind, types, known in (
            ("node_types", self.node_types, spec.node_types),
            ("edge_types", self.edge_types, spec.relations),
        ):
            if (types is None) != (not known):
                raise DataError(f"{where}: {kind} are {'missing' if known else 'given, and the spec names none'}")
            if types is not None and len(types) and not 0 <= types.min() <= types.max() < len(known):
                raise DataError(f"{where}: {kind} run from {types.min()} to {types.max()}; the spec names {len(known)}")


def _places(counts: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Where the rows of the chosen graphs lie, one graph after the other."""
    lengths = counts[chosen]
    starts = np.concatenate([[0], np.cumsum(counts)])[chosen]
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(starts, lengths) + within
