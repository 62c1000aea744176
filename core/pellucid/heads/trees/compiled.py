"""Samples taken down trees by scikit-learn's compiled code, which is several times as fast as walking level by level in torch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import ContractError


class CompiledTrees:
    """Trees of scikit-learn made again from flat arrays, as they are kept with weights.

    Parameters
    ----------
    unit, limit, left, right, root : Tensor
    depth : int
        See :class:`~pellucid.heads.trees.flat.FlatTrees`. The nodes of a tree stand together, its root first.
    width : int
        Units of a sample.

    Raises
    ------
    ContractError
        If these are no trees, or deeper ones than is said.
    """

    def __init__(
        self, unit: Tensor, limit: Tensor, left: Tensor, right: Tensor, root: Tensor, depth: int, width: int
    ) -> None:
        self.starts = [*root.tolist(), len(unit)]
        arrays = [values.numpy(force=True) for values in (unit, limit, left, right)]
        _check(arrays[0], arrays[2], arrays[3], np.asarray(self.starts), depth, width)
        self.trees = [
            _tree(*(values[first:last] for values in arrays), first=first, depth=depth, width=width)
            for first, last in itertools.pairwise(self.starts)
        ]

    def leaves(self, x: Tensor) -> Tensor:
        """The leaf of each tree that each sample comes to, shape (sample, unit) to (sample, tree)."""
        given = _single(x)
        found = [tree.apply(given) + first for tree, first in zip(self.trees, self.starts, strict=False)]
        return torch.from_numpy(np.stack(found, axis=1))

    def paths(self, x: Tensor) -> Iterator[tuple[slice, Any]]:
        """Nodes of each tree, and which of them each sample passes: a sparse table of ones, shape (sample, node of this tree)."""
        given = _single(x)
        for tree, first in zip(self.trees, self.starts, strict=False):
            yield slice(first, first + tree.node_count), tree.decision_path(given)


def _single(x: Tensor) -> np.ndarray:
    # Limits were found between values of single precision, and are compared with such.
    return np.ascontiguousarray(x.numpy(force=True), dtype=np.float32)


def _check(unit: np.ndarray, left: np.ndarray, right: np.ndarray, starts: np.ndarray, depth: int, width: int) -> None:
    """Compiled code reads what it is pointed to without looking: a damaged file must not point it anywhere else."""
    count = len(unit)
    whole = len(starts) > 1 and starts[0] >= 0 and (np.diff(starts) > 0).all() and starts[-1] == count
    if whole:
        own = np.arange(count)
        ends = starts[np.searchsorted(starts, own, side="right").clip(max=len(starts) - 1)]
        below = np.stack([left, right])
        # Below comes after, so that every way ends.
        whole = bool(((unit < 0) | ((unit < width) & (below > own).all(0) & (below < ends).all(0))).all())
    if whole:
        here, deep = starts[:-1], 0
        while len(here := here[unit[here] >= 0]):
            here, deep = np.concatenate([left[here], right[here]]), deep + 1
        whole = deep <= depth
    if not whole:
        raise ContractError(
            "the arrays of a random forest are no trees: the weights were changed or damaged; fit it again"
        )


def _tree(
    unit: np.ndarray, limit: np.ndarray, left: np.ndarray, right: np.ndarray, *, first: int, depth: int, width: int
) -> Any:
    from sklearn.tree._tree import Tree

    inner = unit >= 0
    made = Tree(width, np.ones(1, dtype=np.intp), 1)
    state = made.__getstate__()
    # Fields that another version has beside these stay 0: they say how values are treated that no sample here has.
    nodes = np.zeros(len(unit), dtype=state["nodes"].dtype)
    columns = {
        "feature": np.where(inner, unit, -2),
        "threshold": np.where(inner, limit, -2.0),
        "left_child": np.where(inner, left - first, -1),
        "right_child": np.where(inner, right - first, -1),
    }
    if lacking := columns.keys() - set(nodes.dtype.names or ()):
        raise ContractError(
            f"the trees of this scikit-learn have no {', '.join(sorted(lacking))}; the versions in constraints.txt have"
        )
    for name, values in columns.items():
        nodes[name] = values
    # Values are kept apart, as an audit draws them anew. The depth counts: paths get so much room and no more.
    values = np.zeros((len(unit), 1, 1))
    made.__setstate__(state | {"max_depth": depth, "node_count": len(unit), "nodes": nodes, "values": values})
    return made
