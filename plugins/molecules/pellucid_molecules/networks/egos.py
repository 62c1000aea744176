"""What lies around a node: the graph of its neighbours and theirs, so many of each relation, drawn by a seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pellucid.data.graphs import Graphs
from pellucid.data.spec import Graph
from pellucid_molecules.networks.network import Network, Triple

Ints = npt.NDArray[np.int64]


class Egos:
    """Graphs around nodes of one type, the node itself first.

    From the centre, and then from every node found so far and not yet asked, so many neighbours are taken of each relation that leads
    to it; edges of the graph are all that the network has among the nodes taken. Each centre has a stream of random numbers of its own:
    its graph does not depend on which others are asked for.

    Parameters
    ----------
    network : Network
        With relations in both directions.
    centre : str
        Type of the nodes in the middle.
    neighbours : sequence of int
        Most neighbours of a node by each relation; one number a hop.
    seed : int
    rank : ndarray of int64, optional, shape (node of the centre's type,)
        No graph holds a node of the centre's type whose rank is higher than the centre's: where those to be judged have higher ranks
        than those to be learnt from, the former stand in no graph of the latter.
    """

    def __init__(
        self, network: Network, centre: str, neighbours: Sequence[int], seed: int, rank: Ints | None = None
    ) -> None:
        self.network, self.centre, self.neighbours, self.seed = network, centre, tuple(neighbours), seed
        self.spec: Graph = network.spec(centre)
        total = sum(network.counts.values())
        self._types = np.repeat(np.arange(len(network.counts)), list(network.counts.values()))
        self._rank = np.full(total, np.iinfo(np.int64).min)
        start = network.starts[centre]
        if rank is not None:
            self._rank[start : start + network.counts[centre]] = rank
        self._into = [_Into(network, triple, total) for triple in network.edges]
        self._place = np.full(total, -1)
        widths = [network.values(kind).shape[1] for kind in network.counts]
        ends = 1 + np.cumsum(widths)
        self._columns = {
            kind: slice(int(end) - width, int(end))
            for kind, width, end in zip(network.counts, widths, ends, strict=True)
        }

    def around(self, node: int) -> Graphs:
        """The graph around one node, numbered within its type."""
        nodes, place = self.nodes_around(node), self._place
        place[nodes] = np.arange(len(nodes))
        pairs, kinds = [], []
        for at, into in enumerate(self._into):
            sources, lengths = into.of(nodes)
            ends = np.repeat(np.arange(len(nodes)), lengths)
            there = place[sources] >= 0
            pairs.append(np.column_stack([place[sources[there]], ends[there]]))
            kinds.append(np.full(int(there.sum()), at))
        place[nodes] = -1
        return Graphs.of(
            self._features(nodes),
            np.concatenate(pairs),
            None,
            self._types[nodes],
            np.concatenate(kinds).astype(np.int64),
        )

    def nodes_around(self, node: int) -> Ints:
        """Nodes of the graph around one, all types numbered together, in the order in which they stand in it."""
        centre = self.network.starts[self.centre] + node
        rng = np.random.default_rng([self.seed, node])
        found = np.array([centre])
        asked = found
        for most in self.neighbours:
            new = []
            for into in self._into:
                sources, lengths = into.of(asked)
                stay = self._rank[sources] <= self._rank[centre]
                owner = np.repeat(np.arange(len(asked)), lengths)[stay]
                new.append(_some(sources[stay], owner, most, rng))
            fresh = np.concatenate(new)
            fresh = fresh[~np.isin(fresh, found)]
            # In the order found, each once.
            asked = fresh[np.sort(np.unique(fresh, return_index=True)[1])]
            found = np.concatenate([found, asked])
        return found

    def _features(self, nodes: Ints) -> npt.NDArray[np.float32]:
        values = np.zeros((len(nodes), len(self.spec.node_features)), np.float32)
        values[0, 0] = 1
        for at, kind in enumerate(self.network.counts):
            of = self._types[nodes] == at
            values[of, self._columns[kind]] = self.network.values(kind)[nodes[of] - self.network.starts[kind]]
        return values


class _Into:
    """Which nodes one relation leads from to each node, all types numbered together."""

    def __init__(self, network: Network, triple: Triple, total: int) -> None:
        pairs = network.edges[triple]
        goal = pairs[:, 1] + network.starts[triple[2]]
        order = np.argsort(goal, kind="stable")
        self._sources = pairs[order, 0] + network.starts[triple[0]]
        self._starts = np.searchsorted(goal[order], np.arange(total + 1))

    def of(self, nodes: Ints) -> tuple[Ints, Ints]:
        """Neighbours of some nodes, one node after the other, and how many each has."""
        first, lengths = self._starts[nodes], self._starts[nodes + 1] - self._starts[nodes]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return self._sources[np.repeat(first, lengths) + within], lengths


def _some(values: Ints, owner: Ints, most: int, rng: np.random.Generator) -> Ints:
    """At most so many of the values of each owner, by lot; owners do not decrease."""
    if not len(values) or np.bincount(owner).max() <= most:
        return values
    order = np.lexsort((rng.random(len(values)), owner))
    counts = np.bincount(owner)
    within = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts)
    return values[np.sort(order[within < most])]
