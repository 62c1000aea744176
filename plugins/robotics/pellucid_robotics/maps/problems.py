"""Ways to find in a maze, drawn from walks, and what comes of plans when they are carried out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid_robotics.maps.cognitive_map import CognitiveMap, shortest_sub_walk
from pellucid_robotics.maps.mazes import Maze, Whole


@dataclass(frozen=True)
class Problem:
    """From where a walk was at one step, to where it was at a later one.

    Parameters
    ----------
    walk, start, goal : int
        Which walk, and steps of it.
    """

    walk: int
    start: int
    goal: int


def problems(places: Whole, prefix: int, each: int, rng: np.random.Generator) -> list[Problem]:
    """Draw some for each walk, between steps behind the prefix at which it was at two places.

    Parameters
    ----------
    places : ndarray of int64, shape (walk, step)
    prefix, each : int
    rng : Generator
    """
    found = []
    for walk, row in enumerate(places):
        steps = np.arange(prefix, len(row))
        pairs = [(one, other) for one in steps for other in steps[steps > one] if row[one] != row[other]]
        found += [Problem(walk, *map(int, pairs[at])) for at in rng.permutation(len(pairs))[:each]]
    return found


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Parameters
    ----------
    arrived : bool
        Whether every action was possible and the last one led to the goal.
    moves : int
        Of the plan; 0 where there is none.
    """

    arrived: bool
    moves: int
    plan: tuple[int, ...] = ()


def planned(found: CognitiveMap, codes: Whole, one: Problem, places: Whole, maze: Maze) -> Outcome:
    """Plan on a map from the code at the start to that at the goal, and carry it out in the maze."""
    start, goal = found.nodes(codes[one.walk, [one.start, one.goal]])
    plan = found.plan(int(start), int(goal))
    if plan is None:
        return Outcome(False, 0)
    # Nodes that are one for the map ask for no move at all, though the goal is another place.
    arrived = bool(maze.after(places[one.walk, one.start], plan) == places[one.walk, one.goal])
    return Outcome(arrived, len(plan), plan)


def walked_again(found: CognitiveMap, codes: Whole, done: Whole, one: Problem, places: Whole, maze: Maze) -> Outcome:
    """What one falls back to: the shortest part of the walk that once led from the start's node to the goal's.

    Where that leads elsewhere, as the nodes stand for several places, the very part between start and goal is walked: it always arrives.
    """
    nodes = found.nodes(codes[one.walk])
    start, goal = nodes[one.start], nodes[one.goal]
    between = shortest_sub_walk(nodes.tolist(), int(start), int(goal)) if min(start, goal) >= 0 else None
    if between is not None and start != goal:
        again = tuple(done[one.walk, between[0] : between[1]].tolist())
        if maze.after(places[one.walk, one.start], again) == places[one.walk, one.goal]:
            return Outcome(True, len(again), again)
    again = tuple(done[one.walk, one.start : one.goal].tolist())
    return Outcome(True, len(again), again)


def wandered(one: Problem, most: int, places: Whole, maze: Maze, rng: np.random.Generator) -> Outcome:
    """Possible actions by lot, until the goal is reached or so many moves are done."""
    visited, _ = maze.walk(rng, most + 1, int(places[one.walk, one.start]))
    there = np.flatnonzero(visited == places[one.walk, one.goal])
    return Outcome(True, int(there[0])) if len(there) else Outcome(False, most)
