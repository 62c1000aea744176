"""A tree whose leaves are classes: who stands below whom, and how far apart two classes are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pellucid.errors import DataError


@dataclass(frozen=True)
class ClassTree:
    """Classes as leaves of a tree.

    Parameters
    ----------
    names : tuple of str
        All nodes, the classes first, in the order of their labels.
    parents : tuple of int
        Number of each node's parent, -1 for the root.
    classes : int
        How many of the nodes are classes.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    classes: int

    @staticmethod
    def of(classes: tuple[str, ...] | list[str], parents: Mapping[str, str]) -> ClassTree:
        """A tree from the name of each node's parent; the root has none.

        Raises
        ------
        DataError
            If there are several roots, a class has children, or nodes stand in a circle.

        Examples
        --------
        >>> tree = ClassTree.of(["N1", "N2", "REM"], {"N1": "NREM", "N2": "NREM", "NREM": "sleep", "REM": "sleep"})
        >>> tree.distances().tolist()
        [[0, 2, 3], [2, 0, 3], [3, 3, 0]]
        """
        names = list(dict.fromkeys([*classes, *parents, *parents.values()]))
        number = {name: at for at, name in enumerate(names)}
        above = tuple(number[parents[name]] if name in parents else -1 for name in names)
        roots = [name for name in names if name not in parents]
        if len(roots) != 1:
            raise DataError(f"a tree has one root, but {len(roots)} nodes have no parent: {', '.join(roots[:5])}")
        fertile = [name for name in classes if name in set(parents.values())]
        if fertile:
            raise DataError(f"classes are leaves, but {fertile[0]!r} is the parent of another node")
        tree = ClassTree(tuple(names), above, len(classes))
        for node in range(len(names)):
            tree.path(node)
        return tree

    def path(self, node: int) -> list[int]:
        """The node, its parent, and so on to the root."""
        found = [node]
        while self.parents[found[-1]] >= 0:
            found.append(self.parents[found[-1]])
            if len(found) > len(self.names):
                raise DataError(f"{self.names[node]!r} is its own ancestor: parents must lead to the root")
        return found

    def members(self) -> np.ndarray:
        """Whether a class stands at or below a node, shape (node, class)."""
        found = np.zeros((len(self.names), self.classes), bool)
        for leaf in range(self.classes):
            found[self.path(leaf), leaf] = True
        return found

    def inner(self) -> np.ndarray:
        """Numbers of the nodes with two classes or more below them, but not all: the root holds for everything."""
        below = self.members().sum(1)
        return np.flatnonzero((below > 1) & (below < self.classes))

    def heights(self) -> np.ndarray:
        """Steps from each node down to the farthest class below it, shape (node,); 0 for classes."""
        found = np.zeros(len(self.names), np.int64)
        for leaf in range(self.classes):
            path = self.path(leaf)
            found[path] = np.maximum(found[path], np.arange(len(path)))
        return found

    def distances(self) -> np.ndarray:
        """Steps between classes along the tree, shape (class, class)."""
        members = self.members().astype(np.int64)
        depth = members.sum(0)
        return depth[:, None] + depth - 2 * (members.T @ members)

    def lowest_common(self, labels: np.ndarray) -> int:
        """The lowest node that the classes of all these labels, shape (label,), stand at or below."""
        shared = np.flatnonzero(self.members()[:, np.asarray(labels)].all(1))
        # A node with a single child holds the same classes as that child: the deepest of the shared ones is meant.
        return int(max(shared, key=lambda node: len(self.path(int(node)))))
