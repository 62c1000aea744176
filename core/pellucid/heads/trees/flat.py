"""Decision trees as flat arrays: what is saved, walked down, and taken apart unit by unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.heads.trees.compiled import CompiledTrees


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
        Steps from a root to the lowest leaf, of the deepest tree.
    """

    unit: Tensor
    limit: Tensor
    left: Tensor
    right: Tensor
    value: Tensor
    root: Tensor
    depth: int

    def compiled(self, width: int) -> CompiledTrees:
        """What takes samples of so many units down these trees."""
        return CompiledTrees(self.unit, self.limit, self.left, self.right, self.root, self.depth, width)

    def means(self, leaves: Tensor) -> Tensor:
        """Mean of the leaves' values over trees, shape (sample, tree) to (sample,)."""
        return self.value[leaves].mean(1)

    @torch.no_grad()
    def parts(self, x: Tensor, compiled: CompiledTrees) -> tuple[Tensor, Tensor]:
        """What each unit adds on the way down, mean over trees.

        Parameters
        ----------
        x : Tensor, shape (sample, unit)
        compiled : CompiledTrees
            Of these trees.

        Returns
        -------
        start : Tensor, shape ()
            Mean of the roots' values.
        parts : Tensor of float64, shape (sample, unit)
            A step's change of value goes to the unit that was asked. With ``start`` they add up to :meth:`means`.
        """
        from scipy.sparse import csr_array

        nodes = len(self.unit)
        inner = torch.nonzero(self.unit >= 0)[:, 0]
        value = self.value.double()
        asked, change = torch.zeros(nodes, dtype=torch.int64), torch.zeros(nodes, dtype=torch.float64)
        for below in (self.left, self.right):
            asked[below[inner]] = self.unit[inner]
            change[below[inner]] = value[below[inner]] - value[inner]
        # A row a node, with what is added by coming there at the unit that was asked: what a path adds is the sum of its rows.
        steps = csr_array((change.numpy(), asked.numpy(), np.arange(nodes + 1)), shape=(nodes, x.shape[1]))
        found = np.zeros(x.shape)
        for own, path in compiled.paths(x):
            added = (path @ steps[own]).tocoo()
            found[added.row, added.col] += added.data
        return value[self.root].mean(), torch.from_numpy(found / len(self.root))


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
