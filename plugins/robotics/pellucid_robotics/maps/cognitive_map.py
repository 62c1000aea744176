"""A map that is read from codes of walks: which code follows which after which action, and the ways through it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pellucid.data.frozen import Frozen
from pellucid_robotics.maps.mazes import Whole


class MapSettings(Frozen):
    """How a map is read from codes.

    Parameters
    ----------
    prefix : int
        Steps at the beginning of each walk that are not counted: nobody knows yet where it is.
    least : int
        How often a code must have followed another after an action.
    share : float
        Of all that followed after this action; and of how often the other actions were done there, this one.
    tolerance : float
        Nodes of one observation become one node if their ways out differ by no more: 1 less what both lead to, over what either leads
        to, of actions that were tried from both.
    """

    prefix: int = Field(20, ge=0)
    least: int = Field(2, ge=1)
    share: float = Field(0.1, ge=0, lt=1)
    tolerance: float = Field(0.5, ge=0, lt=1)


@dataclass(frozen=True, eq=False)
class CognitiveMap:
    """Nodes with what is seen there, and edges with the action that leads along them.

    Parameters
    ----------
    edges : ndarray of int64, shape (edge, 3)
        From which node, by which action, to which node.
    counts : ndarray of int64, shape (edge,)
        How often each was walked.
    seen : ndarray of int64, shape (node,)
        What was seen there most often.
    node_of : ndarray of int64, shape (code,)
        The node of each code; -1 for one that is in no node.
    """

    edges: Whole
    counts: Whole
    seen: Whole
    node_of: Whole

    def __len__(self) -> int:
        return len(self.seen)

    @cached_property
    def ways(self) -> list[list[tuple[int, int, float]]]:
        """From each node its ways out: action, where it leads, and how often of all times that this was done there."""
        tried: dict[tuple[int, int], int] = defaultdict(int)
        for (start, action, _), count in zip(self.edges.tolist(), self.counts.tolist(), strict=True):
            tried[start, action] += count
        found: list[list[tuple[int, int, float]]] = [[] for _ in range(len(self))]
        for (start, action, stop), count in zip(self.edges.tolist(), self.counts.tolist(), strict=True):
            found[start].append((action, stop, count / tried[start, action]))
        return found

    def nodes(self, codes: npt.ArrayLike) -> Whole:
        """The node of each code, of the same shape; -1 where the map has none, or never met the code."""
        codes = np.asarray(codes)
        met = (codes >= 0) & (codes < len(self.node_of))
        return np.asarray(np.append(self.node_of, -1)[np.where(met, codes, -1)])

    def plan(self, start: int, goal: int) -> tuple[int, ...] | None:
        """Actions of the shortest way between two nodes, of several the likeliest; None where there is no way.

        Examples
        --------
        >>> way = CognitiveMap(np.array([[0, 1, 1], [1, 0, 2]]), np.array([5, 4]), np.array([0, 1, 0]), np.arange(3))
        >>> way.plan(0, 2), way.plan(2, 0)
        ((1, 0), None)
        """
        if start < 0 or goal < 0:
            return None
        chance, plans = {start: 1.0}, {start: tuple[int, ...]()}
        # One layer of equally long ways after the other, so that the first way found is a shortest one.
        layer = [start]
        while layer and goal not in plans:
            better: dict[int, tuple[float, int, int]] = {}
            for node in layer:
                for action, stop, share in self.ways[node]:
                    if stop not in plans and chance[node] * share > better.get(stop, (0.0, 0, 0))[0]:
                        better[stop] = (chance[node] * share, node, action)
            for stop, (share, node, action) in better.items():
                chance[stop], plans[stop] = share, (*plans[node], action)
            layer = list(better)
        return plans.get(goal)

    def expected(self, node: int, action: int) -> int:
        """What is seen behind an action, as far as the map knows the likeliest node there; -1 where it does not."""
        if node < 0:
            return -1
        known = [(share, -stop) for done, stop, share in self.ways[node] if done == action]
        return int(self.seen[-max(known)[1]]) if known else -1


def extract(codes: Whole, seen: Whole, done: Whole, settings: MapSettings | None = None) -> CognitiveMap:
    """Read a map from walks.

    Parameters
    ----------
    codes, seen, done : ndarray of int64, shape (walk, step)
        Of each step the code (-1: none), what was seen, and which action led to the next step. Codes that are never used have no
        node.
    settings : MapSettings, optional

    References
    ----------
    Dedieu et al. (2024), arXiv 2401.05946, read at second hand. Deviations: actions that are hardly ever done at a node are left out;
    ways out are compared by Jaccard's distance over actions that were tried from both nodes, of which there must be half of all; nodes
    of the smallest distance become one first.
    """
    settings = settings or MapSettings()
    size = int(np.max(codes, initial=-1)) + 1
    codes, seen, done = (np.asarray(one)[:, settings.prefix :] for one in (codes, seen, done))
    usual = _most_often(codes, seen, size)
    steps = np.column_stack([one.ravel() for one in (codes[:, :-1], done[:, :-1], codes[:, 1:])])
    every, counts = np.unique(steps[(steps[:, 0] >= 0) & (steps[:, 2] >= 0)], axis=0, return_counts=True)
    node_of = np.arange(size)
    while True:
        edges, often = _kept(every, counts, node_of, settings)
        pairs = _alike(edges, usual, settings.tolerance)
        if not pairs:
            break
        for one, other in pairs:
            node_of[node_of == other] = one
    there = np.unique(edges[:, [0, 2]])
    number = np.full(max(size, 1), -1)
    number[there] = np.arange(len(there))
    if len(edges):
        edges = np.column_stack([number[edges[:, 0]], edges[:, 1], number[edges[:, 2]]])
    return CognitiveMap(edges, often, usual[there], number[node_of] if size else node_of)


def _most_often(codes: Whole, seen: Whole, size: int) -> Whole:
    known = codes >= 0
    table = np.zeros((size, int(seen.max(initial=0)) + 1), np.int64)
    np.add.at(table, (codes[known], seen[known]), 1)
    return np.asarray(table.argmax(1), np.int64)


def _kept(every: Whole, counts: Whole, node_of: Whole, settings: MapSettings) -> tuple[Whole, Whole]:
    """Edges between nodes that were walked often enough."""
    if not len(every):
        return np.zeros((0, 3), np.int64), np.zeros(0, np.int64)
    moved = np.column_stack([node_of[every[:, 0]], every[:, 1], node_of[every[:, 2]]])
    edges, which = np.unique(moved, axis=0, return_inverse=True)
    often = np.bincount(which.ravel(), counts, len(edges)).astype(np.int64)
    _, tried = np.unique(edges[:, :2], axis=0, return_inverse=True)
    total = np.bincount(tried.ravel(), often)[tried.ravel()]
    # What was hardly ever done at a node, beside its other actions, is not possible there: a few wrong codes did it.
    here, tries = np.unique(edges[:, 0], return_inverse=True)
    done = np.zeros((len(here), int(edges[:, 1].max()) + 1))
    np.add.at(done, (tries.ravel(), edges[:, 1]), often)
    usual = (done.sum(1) / (done > 0).sum(1))[tries.ravel()]
    kept = (often >= np.maximum(settings.least, settings.share * total)) & (total >= settings.share * usual)
    return edges[kept], often[kept]


def _alike(edges: Whole, usual: Whole, tolerance: float) -> list[tuple[int, int]]:
    """Pairs of nodes to make one, the most alike first, none in two pairs."""
    out: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for start, action, stop in edges.tolist():
        out[start][action].add(stop)
    by_look: dict[int, list[int]] = defaultdict(list)
    for node in sorted(out):
        by_look[int(usual[node])].append(node)
    found = []
    for nodes in by_look.values():
        for at, one in enumerate(nodes):
            for other in nodes[at + 1 :]:
                distance = _distance(out[one], out[other])
                if distance <= tolerance:
                    found.append((distance, one, other))
    pairs, taken = [], set[int]()
    for _, one, other in sorted(found):
        if one not in taken and other not in taken:
            pairs.append((one, other))
            taken |= {one, other}
    return pairs


def _distance(one: dict[int, set[int]], other: dict[int, set[int]]) -> float:
    both, either = one.keys() & other.keys(), one.keys() | other.keys()
    if 2 * len(both) < len(either):
        return 1.0
    common = sum(len(one[action] & other[action]) for action in both)
    whole = sum(len(one[action] | other[action]) for action in both)
    return 1 - common / whole


def shortest_sub_walk(nodes: Iterable[int], start: int, goal: int) -> tuple[int, int] | None:
    """The fewest steps of a walk that lead from one node to another: first and last of them; None where nothing does.

    Examples
    --------
    >>> shortest_sub_walk([3, 1, 3, 2, 1, 2], 3, 1)
    (0, 1)
    >>> shortest_sub_walk([1, 3, 2, 2, 1, 2], 3, 1)
    (1, 4)
    """
    best: tuple[int, int] | None = None
    last = None
    for at, node in enumerate(nodes):
        if node == goal and last is not None and (best is None or at - last < best[1] - best[0]):
            best = (last, at)
        if node == start:
            last = at
    return best
