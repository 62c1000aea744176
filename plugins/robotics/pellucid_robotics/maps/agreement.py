"""How far a map that was read from codes is the maze."""

from __future__ import annotations

import numpy as np

from pellucid_robotics.maps.cognitive_map import CognitiveMap
from pellucid_robotics.maps.mazes import Maze, Whole


def places_of(nodes: Whole, places: Whole, count: int) -> tuple[Whole, Whole]:
    """Of each node the place where it mostly was, and how often it was there.

    Parameters
    ----------
    nodes, places : ndarray of int64, shape (...)
        Of the same steps; -1 for no node.
    count : int
        Nodes there are.

    Returns
    -------
    place, often : ndarray of int64, shape (node,)
        Place -1 of a node that never occurs.
    """
    known = nodes >= 0
    table = np.zeros((count, int(places.max(initial=0)) + 1), np.int64)
    np.add.at(table, (nodes[known], places[known]), 1)
    often = table.max(1)
    return np.where(often > 0, table.argmax(1), -1), often


def edit_distance(found: CognitiveMap, places: Whole, often: Whole, maze: Maze) -> float:
    """Share of nodes and edges that are to be taken away or added until a map is the maze.

    Each place is paired with the node that was there most often; other nodes are taken away with their edges. The distance over the best
    of all pairings, which nobody can compute for a maze of some size, is no larger: this is a bound from above. 0 for a map that is
    the maze, 1 for one that has nothing in common with it.

    Parameters
    ----------
    found : CognitiveMap
    places, often : ndarray of int64, shape (node,)
        Of :func:`places_of`.
    maze : Maze
    """
    best: dict[int, int] = {}
    for node, (place, times) in enumerate(zip(places.tolist(), often.tolist(), strict=True)):
        if place >= 0 and (place not in best or times > often[best[place]]):
            best[place] = node
    place_of = {node: place for place, node in best.items()}
    true = set(map(tuple, maze.edges.tolist()))
    drawn = [
        (place_of[start], action, place_of[stop])
        for start, action, stop in found.edges.tolist()
        if start in place_of and stop in place_of
    ]
    right = len(true & set(drawn))
    edits = len(found) - len(best) + len(maze) - len(best) + len(found.edges) - right + len(true) - right
    return edits / (len(found) + len(maze) + len(found.edges) + len(true))


def true_edges(found: CognitiveMap, places: Whole, maze: Maze) -> tuple[float, float]:
    """Of a map's edges, each between the places of its nodes, the share that the maze has; and of the maze's the share that it has.

    Nodes of one place do no harm here: it asks whether what the map says of the maze is so, and whether it says all of it.
    """
    said = {(int(places[start]), action, int(places[stop])) for start, action, stop in found.edges.tolist()}
    true = set(map(tuple, maze.edges.tolist()))
    both = len(said & true)
    return both / max(1, len(said)), both / len(true)
