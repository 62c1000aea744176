"""Decision trees as flat arrays: what is saved, walked down, and taken apart unit by unit."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class FlatTrees:
    """Some binary trees, one after the other.

    Parameters
    ----------
    unit : Tensor of int64, shape (node,)
        Which unit a node asks about; -1 at a leaf.
    limit : Tensor, shape (node,)
        Samples whose unit is at most this go left.
    left, right : Tensor of int64, shape (node,)
        The nodes below; a leaf is below itself.
    value : Tensor, shape (node,)
        Mean label of the training samples that came here.
    root : Tensor of int64, shape (tree,)
    depth : int
        Steps from a root to the lowest leaf.
    """

    unit: Tensor
    limit: Tensor
    left: Tensor
    right: Tensor
    value: Tensor
    root: Tensor
    depth: int

    def means(self, x: Tensor) -> Tensor:
        """Mean of the leaves' values over trees, shape (sample, unit) to (sample,)."""
        flat, wide, trees = x.reshape(-1), x.shape[1], len(self.root)
        at = self.root.repeat(len(x))
        first = torch.arange(len(x)).repeat_interleave(trees) * wide
        # Only those that are at no leaf yet go on: most paths are far shorter than the longest.
        going = torch.nonzero(self.unit[at] >= 0)[:, 0]
        while len(going):
            here = at[going]
            here = torch.where(
                flat[first[going] + self.unit[here]] <= self.limit[here], self.left[here], self.right[here]
            )
            at[going] = here
            going = going[self.unit[here] >= 0]
        return self.value[at].reshape(len(x), trees).mean(1)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What each unit adds on the way down, mean over trees.

        Returns
        -------
        start : Tensor, shape ()
            Mean of the roots' values.
        parts : Tensor, shape (sample, unit)
            A step's change of value goes to the unit that was asked. With ``start`` they add up to :meth:`means`.
        """
        steps = self._walk(x)
        found = torch.zeros_like(x, dtype=self.value.dtype)
        for before, after in itertools.pairwise(steps):
            found.scatter_add_(1, self.unit[before].clamp(min=0), self.value[after] - self.value[before])
        return self.value[self.root].mean(), found / len(self.root)

    def _walk(self, x: Tensor) -> list[Tensor]:
        """The node of each tree at which each sample is after 0, 1 ... steps, shape (sample, tree) each."""
        at = self.root.expand(len(x), -1)
        steps = [at]
        for _ in range(self.depth):
            asked = x.gather(1, self.unit[at].clamp(min=0))
            at = torch.where(asked <= self.limit[at], self.left[at], self.right[at])
            steps.append(at)
        return steps


def flattened(trees: Sequence[Any]) -> FlatTrees:
    """Trees of scikit-learn (each a fitted ``tree_``) as flat arrays; of a classifier the values are shares of class 1."""
    units, limits, lefts, rights, values, roots, start, depth = [], [], [], [], [], [], 0, 0
    for tree in trees:
        leaf, own = torch.from_numpy(tree.feature < 0), torch.arange(tree.node_count)
        below = (torch.from_numpy(side.copy()) for side in (tree.children_left, tree.children_right))
        left, right = (torch.where(leaf, own, side) + start for side in below)
        # scikit-learn compares float32 values with float64 limits; a limit lies between two values, and must stay there.
        limits.append(torch.from_numpy(tree.threshold.copy()))
        units.append(torch.where(leaf, -1, torch.from_numpy(tree.feature.astype("int64"))))
        lefts.append(left)
        rights.append(right)
        said = torch.from_numpy(tree.value[:, 0, :].copy())
        values.append(said[:, 1] / said.sum(1) if said.shape[1] == 2 else said[:, 0])
        roots.append(start)
        start += tree.node_count
        depth = max(depth, int(tree.max_depth))
    every = (torch.cat(some) for some in (units, limits, lefts, rights, values))
    unit, limit, left, right, value = every
    return FlatTrees(unit, limit, left, right, value.float(), torch.tensor(roots), depth)
