"""Made-up meetings of nodes that change their company half-way: where each node is at any time is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Plan:
    """What is planted.

    Parameters
    ----------
    groups, members : int
        How many groups there are, and how many nodes each has to begin with.
    swap : float
        When nodes change their groups, in [0, 1]; they are on their way from ``moving / 2`` before to as long after.
    moving : float
    apart : float
        Distance between the middles of neighbouring groups.
    spread : float
        Standard deviation of nodes around the middle of their group, each way.
    events : float
        How many events to expect.
    uneven : float
        Standard deviation of the log-rates that nodes bring along.
    """

    groups: int = 3
    members: int = 4
    swap: float = 0.5
    moving: float = 0.1
    apart: float = 2.2
    spread: float = 0.2
    events: float = 4000.0
    uneven: float = 0.3


@dataclass(frozen=True, eq=False)
class Meetings:
    """Events, and what made them.

    Parameters
    ----------
    plan : Plan
    before, after : ndarray, shape (node, 2)
        Where nodes are until they move, and then.
    levels : ndarray, shape (node,)
        The rate of two nodes is ``exp(levels[i] + levels[j] - distance^2)``, for the whole of time.
    groups : ndarray of int, shape (node, 2)
        In which group each node is before and after.
    ends : ndarray of int, shape (event, 2)
        The smaller number first.
    times : ndarray, shape (event,)
        Increasing, from 0 to 1.
    """

    plan: Plan
    before: np.ndarray
    after: np.ndarray
    levels: np.ndarray
    groups: np.ndarray
    ends: np.ndarray
    times: np.ndarray

    def places(self, time: np.ndarray) -> np.ndarray:
        """Where all nodes are, shape (time, node, 2)."""
        return _places(self.before, self.after, self.plan, time)

    def distance(self, pairs: np.ndarray, time: np.ndarray) -> np.ndarray:
        """How far the nodes of some pairs are from each other, shape (pair, time)."""
        where = self.places(time)
        return np.asarray(np.linalg.norm(where[:, pairs[:, 0]] - where[:, pairs[:, 1]], axis=-1).T)

    def rate(self, pairs: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Events to expect in the whole of time if it were always like now, shape (pair, time)."""
        base = self.levels[pairs].sum(1)
        return np.asarray(np.exp(base[:, None] - self.distance(pairs, time) ** 2))


def meet(seed: int = 0, plan: Plan | None = None) -> Meetings:
    """Draw nodes, their ways and their events.

    Member ``m`` of group ``g`` goes to group ``g + m`` (and round again), so that each leaves most of its company: only members whose
    numbers differ by the number of groups stay together. Events are thinned from those of a rate that is never exceeded, so that they are
    exactly of a Poisson process with the rate that is known.

    Parameters
    ----------
    seed : int
    plan : Plan, optional
    """
    plan = plan or Plan()
    rng = np.random.default_rng(seed)
    count = plan.groups * plan.members
    group, member = np.divmod(np.arange(count), plan.members)
    groups = np.column_stack([group, (group + member) % plan.groups])
    angle = 2 * math.pi * np.arange(plan.groups) / plan.groups
    middles = plan.apart / (2 * math.sin(math.pi / plan.groups)) * np.column_stack([np.cos(angle), np.sin(angle)])
    before, after = (middles[groups[:, at]] + plan.spread * rng.normal(size=(count, 2)) for at in range(2))
    levels = plan.uneven * rng.normal(size=count)
    pairs = np.column_stack(np.triu_indices(count, 1))
    drawn = Meetings(plan, before, after, levels, groups, pairs[:0], np.zeros(0))
    expected = drawn.rate(pairs, (np.arange(400) + 0.5) / 400).mean(1).sum()
    levels = levels + math.log(plan.events / expected) / 2
    drawn = Meetings(plan, before, after, levels, groups, pairs[:0], np.zeros(0))
    # Distances are least at the ends of a straight way or at one place between, which a fine grid may miss: at distance 0 is the most.
    most = np.exp(levels[pairs].sum(1))
    ends, times = [], []
    for pair, bound in zip(pairs, most, strict=True):
        tried = np.sort(rng.random(rng.poisson(bound)))
        kept = tried[rng.random(len(tried)) * bound < drawn.rate(pair[None], tried)[0]]
        ends.append(np.repeat(pair[None], len(kept), axis=0))
        times.append(kept)
    joined, when = np.concatenate(ends), np.concatenate(times)
    order = np.argsort(when, kind="stable")
    return Meetings(plan, before, after, levels, groups, joined[order], when[order])


def _places(before: np.ndarray, after: np.ndarray, plan: Plan, time: np.ndarray) -> np.ndarray:
    gone = (np.asarray(time, np.float64) - plan.swap) / plan.moving + 0.5
    share = np.clip(gone, 0.0, 1.0)[:, None, None]
    return np.asarray((1 - share) * before + share * after)
