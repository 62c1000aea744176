"""Edges along chains of relations: joined at the node between, weighed, pruned and bounded in number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Pruning = Literal["degree", "threshold", "top", "none"]


@dataclass(frozen=True, eq=False)
class PathEdges:
    """Edges of one chain of relations.

    Parameters
    ----------
    target, source : Tensor of int64, shape (edge,)
    weight : Tensor, shape (edge,)
    """

    target: Tensor
    source: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return len(self.target)

    def where(self, stay: Tensor) -> PathEdges:
        """Some of the edges, by a mask or by positions."""
        return PathEdges(self.target[stay], self.source[stay], self.weight[stay])

    def weighing(self, weight: Tensor) -> PathEdges:
        """The same edges with other weights."""
        return PathEdges(self.target, self.source, weight)


def joined_edges(first: PathEdges, second: PathEdges, count: int) -> PathEdges:
    """Edges over two chains, ``A1 D A2``: ``D`` is 1 / (edges of the first that end at the node between + those of the second there).

    Parameters
    ----------
    first : PathEdges
        Whose sources are the nodes between.
    second : PathEdges
        Whose targets are.
    count : int
        Nodes in all.

    Returns
    -------
    PathEdges
        Each pair of target and source once, by target and source increasing.

    References
    ----------
    The weights of LATTE's released code, where they follow the index of Adamic and Adar in form.

    Examples
    --------
    >>> one = PathEdges(torch.tensor([0, 0]), torch.tensor([1, 2]), torch.ones(2))
    >>> other = PathEdges(torch.tensor([1, 2]), torch.tensor([3, 3]), torch.ones(2))
    >>> found = joined_edges(one, other, 4)
    >>> found.target.tolist(), found.source.tolist(), found.weight.tolist()
    ([0], [3], [1.0])
    """
    order = second.target.argsort(stable=True)
    leaving = torch.bincount(second.target, minlength=count)
    arriving = torch.bincount(first.source, minlength=count)
    starts = leaving.cumsum(0) - leaving
    lengths = leaving[first.source]
    at = torch.arange(len(first), device=lengths.device).repeat_interleave(lengths)
    within = torch.arange(len(at), device=lengths.device) - (lengths.cumsum(0) - lengths).repeat_interleave(lengths)
    onward = order[starts[first.source[at]] + within]
    between = first.source[at]
    degree = (arriving + leaving)[between].to(first.weight)
    weight = first.weight[at] * second.weight[onward] / degree
    pairs, place = torch.unique(first.target[at] * count + second.source[onward], return_inverse=True)
    total = weight.new_zeros(len(pairs)).index_add(0, place, weight)
    return PathEdges(pairs // count, pairs % count, total)


def pruned(edges: PathEdges, attention: Tensor, rule: Pruning, *, threshold: float, top: int, count: int) -> PathEdges:
    """The edges that may be gone on from, with their attention as weights.

    Parameters
    ----------
    edges : PathEdges
    attention : Tensor, shape (edge,)
        Adds up to one over the edges of each target.
    rule : {"degree", "threshold", "top", "none"}
        ``"threshold"``, as published, keeps edges with an attention of ``threshold`` and more: one of a target at most, or two at a half
        each, and none of most targets that have many. ``"degree"`` keeps those with ``threshold`` times an equal share or more, and
        ``"top"`` the ``top`` strongest of each target.
    threshold : float
    top : int
    count : int
        Nodes in all.
    """
    weighed = edges.weighing(attention)
    if rule == "none":
        return weighed
    if rule == "top":
        return strongest(weighed, top, count)
    least = torch.full_like(attention, threshold)
    if rule == "degree":
        least = least / torch.bincount(edges.target, minlength=count)[edges.target]
    # What is exactly at the threshold stays, however the softmax was rounded.
    return weighed.where(attention >= least * (1 - 1e-6))


def strongest(edges: PathEdges, most: int, count: int) -> PathEdges:
    """At most so many edges of each target, by weight; of equal ones those that stand first."""
    by_weight = edges.weight.argsort(descending=True, stable=True)
    order = by_weight[edges.target[by_weight].argsort(stable=True)]
    lengths = torch.bincount(edges.target, minlength=count)
    within = torch.arange(len(edges), device=order.device) - (lengths.cumsum(0) - lengths)[edges.target[order]]
    return edges.where(order[within < most].sort().values)
