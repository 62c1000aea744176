"""Do the latents of a dictionary mean classes, and do they follow the tree in which these classes stand?

Latents are judged one by one (purity, area under the ROC curve of their best class), and against a tree of classes: whether
classes near in the tree have like codes, and whether each inner node has a latent that fires for the classes below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pellucid.errors import DataError
from pellucid.statistics.ranking import spearman

TOP = 50
"""Samples that excite a latent most."""


# --- latent by latent -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Purity:
    """Classes of the samples that excite each latent most, shape (latent,) each.

    Parameters
    ----------
    purity : ndarray
        Share of the most frequent class; NaN for a latent that never fires. Compare with the class's share among all.
    entropy : ndarray, bits
        0 where all are of one class.
    label : ndarray of int
        The most frequent class, -1 for a latent that never fires.
    looked_at : ndarray of int
        Samples that were counted: fewer than asked for where fewer fire.
    density : ndarray
        Share of samples for which the latent fires: purity is to be read by density.
    """

    purity: np.ndarray
    entropy: np.ndarray
    label: np.ndarray
    looked_at: np.ndarray
    density: np.ndarray


def purity(codes: np.ndarray, labels: np.ndarray, top: int = TOP) -> Purity:
    """How far the samples that excite a latent most are of one class.

    Parameters
    ----------
    codes : ndarray, shape (sample, latent)
        A latent fires above zero.
    labels : ndarray of int, shape (sample,), from 0
    top : int

    References
    ----------
    Olson et al. (2025), arXiv 2508.11277, whose exact forms are not published; these are ours.

    Examples
    --------
    >>> found = purity(np.array([[3.0], [2.0], [1.0], [0.0]]), np.array([1, 1, 0, 0]), top=2)
    >>> found.purity.item(), found.label.item(), found.density.item()
    (1.0, 1, 0.75)
    """
    codes, labels = _checked(codes, labels)
    counts = _label_counts(codes, labels, top)
    size = counts.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = counts / size[:, None]
        entropy = -(shares * np.log2(np.where(shares > 0, shares, 1.0))).sum(1)
    label = np.where(size > 0, counts.argmax(1), -1)
    return Purity(shares.max(1), np.abs(entropy), label, size.astype(np.int64), (codes > 0).mean(0))


def class_auroc(codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each latent for each class against the rest, ties half.

    Parameters
    ----------
    codes : ndarray, shape (sample, latent)
    labels : ndarray of int, shape (sample,), from 0

    Returns
    -------
    ndarray, shape (latent, class)
        NaN for a class without samples. The best class of a latent is the largest of its row; the largest of many is above one
        half by chance, so choose on some samples and report on others.
    """
    from scipy.stats import rankdata

    codes, labels = _checked(codes, labels)
    of_class = np.eye(int(labels.max()) + 1)[labels]
    yes = of_class.sum(0)
    no = len(labels) - yes
    above = rankdata(codes, axis=0).T @ of_class - yes * (yes + 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return above / (yes * no)


# --- the tree ---------------------------------------------------------------------------------------------------------


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

    def lowest_common(self, some: np.ndarray) -> int:
        """The lowest node that all of some classes stand below."""
        shared = np.flatnonzero(self.members()[:, np.asarray(some)].all(1))
        # A node with a single child holds the same classes as that child: the deepest of the shared ones is meant.
        return int(max(shared, key=lambda node: len(self.path(int(node)))))


def common_heights(codes: np.ndarray, labels: np.ndarray, tree: ClassTree, top: int = TOP) -> np.ndarray:
    """How far up the tree one must go to hold all classes among the samples that excite a latent most.

    Parameters
    ----------
    codes, labels, top
        See :func:`purity`.
    tree : ClassTree

    Returns
    -------
    ndarray, shape (latent,)
        Height of the lowest common node: 0 where all are of one class; NaN for a latent that never fires.
    """
    codes, labels = _checked(codes, labels, tree)
    counts, heights = _label_counts(codes, labels, top), tree.heights()
    return np.array(
        [heights[tree.lowest_common(np.flatnonzero(row))] if row.any() else np.nan for row in counts], np.float64
    )


# --- classes against the tree -----------------------------------------------------------------------------------------


def class_distances(
    codes: np.ndarray, labels: np.ndarray, kind: Literal["cosine", "jaccard"] = "cosine", *, strongest: int = 10
) -> np.ndarray:
    """How different classes are in their mean codes.

    Parameters
    ----------
    codes : ndarray, shape (sample, latent)
    labels : ndarray of int, shape (sample,), from 0, each class at least once
    kind : {"cosine", "jaccard"}
        One less the cosine of mean codes, or one less the shared part of their ``strongest`` latents.

    Returns
    -------
    ndarray, shape (class, class)
    """
    codes, labels = _checked(codes, labels)
    of_class = np.eye(int(labels.max()) + 1)[labels]
    if not of_class.sum(0).all():
        raise DataError(f"class {int(of_class.sum(0).argmin())} has no sample, and so no mean code")
    means = (of_class.T @ codes) / of_class.sum(0)[:, None]
    if kind == "cosine":
        unit = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), np.finfo(float).tiny)
        return 1 - unit @ unit.T
    if kind == "jaccard":
        has = np.zeros(means.shape)
        np.put_along_axis(has, np.argsort(-means, axis=1, kind="stable")[:, :strongest], 1.0, axis=1)
        shared = has @ has.T
        return 1 - shared / (has.sum(1)[:, None] + has.sum(1) - shared)
    raise DataError(f"no distance {kind!r} of classes; there are 'cosine' and 'jaccard'")


@dataclass(frozen=True)
class TreeAgreement:
    """Rank correlation of two distances between classes.

    Parameters
    ----------
    value : float
        Over all pairs of classes.
    p : float
        Share of permutations of the classes that reach it: pairs share classes, so they are no independent samples.
    """

    value: float
    p: float


def tree_agreement(
    distances: np.ndarray, tree_distances: np.ndarray, *, permutations: int = 999, seed: int = 0
) -> TreeAgreement:
    """Are classes that lie near each other in the tree alike in their codes?

    Parameters
    ----------
    distances, tree_distances : ndarray, shape (class, class)
    permutations, seed : int

    References
    ----------
    The test is Mantel's (1967).
    """
    distances, tree_distances = np.asarray(distances, np.float64), np.asarray(tree_distances, np.float64)
    if distances.shape != tree_distances.shape or distances.ndim != 2:
        raise DataError(f"distances of shape {distances.shape} and {tree_distances.shape} are not of the same classes")
    pairs = np.triu_indices(len(distances), 1)
    rng, ones = np.random.default_rng(seed), np.ones(len(pairs[0]))

    def correlation(order: np.ndarray) -> float:
        # Cosines of classes that are alike differ by rounding, which ranks would take for an order.
        return float(spearman(tree_distances[pairs], distances[np.ix_(order, order)][pairs].round(9), ones))

    value = correlation(np.arange(len(distances)))
    others = np.array([correlation(rng.permutation(len(distances))) for _ in range(permutations)])
    return TreeAgreement(value, float(((others >= value - 1e-12).sum() + 1) / (permutations + 1)))


@dataclass(frozen=True)
class Detectors:
    """For each set of classes, the latent and threshold that tell it best: "at or above, so it is in the set".

    Parameters
    ----------
    latents : ndarray of int, shape (set,)
    thresholds, f1 : ndarray, shape (set,)
        ``f1`` on the samples that have chosen; see :meth:`f1_on`.
    """

    latents: np.ndarray
    thresholds: np.ndarray
    f1: np.ndarray

    def f1_on(self, codes: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """F1 on other samples, shape (set,); NaN where none is in the set and none is called so.

        Parameters
        ----------
        codes : ndarray, shape (sample, latent)
        inside : ndarray of bool, shape (sample, set)
        """
        called, inside = np.asarray(codes)[:, self.latents] >= self.thresholds, np.asarray(inside, bool)
        with np.errstate(invalid="ignore", divide="ignore"):
            return 2 * (called & inside).sum(0) / (called.sum(0) + inside.sum(0))


def best_detectors(codes: np.ndarray, inside: np.ndarray) -> Detectors:
    """The single latent, and its threshold, with the best F1 for each set of samples.

    Parameters
    ----------
    codes : ndarray, shape (sample, latent)
        Also raw neurons, of both signs; a neuron that is low for the set is not tried, add its negative for that.
    inside : ndarray of bool, shape (sample, set)
        For a tree: ``tree.members()[nodes][:, labels].T``. Of as many samples as are judged elsewhere: the best of many
        latents and thresholds is good by chance.

    Returns
    -------
    Detectors

    Examples
    --------
    >>> found = best_detectors(np.array([[0.1, 0.0], [0.2, 3.0], [0.9, 2.0]]), np.array([[0], [1], [1]]))
    >>> found.latents.item(), found.thresholds.item(), found.f1.item()
    (0, 0.2, 1.0)
    """
    codes, inside = np.asarray(codes, np.float64), np.asarray(inside, np.float64)
    if codes.ndim != 2 or inside.ndim != 2 or len(codes) != len(inside):
        raise DataError(
            f"codes {codes.shape} and sets {inside.shape} need the shapes (sample, latent) and (sample, set)"
        )
    order = np.argsort(-codes, axis=0, kind="stable")
    ranked = np.take_along_axis(codes, order, axis=0)
    # A threshold lies at the last of equal values: all of them are called.
    last = np.concatenate([np.diff(ranked, axis=0) != 0, np.ones((1, codes.shape[1]), bool)])
    called = np.arange(1, len(codes) + 1)[:, None]
    columns = np.arange(codes.shape[1])
    latents, thresholds, best = [], [], []
    for members in inside.T:
        f1 = np.where(last, 2 * np.cumsum(members[order], axis=0) / (called + members.sum()), -1.0)
        place = f1.argmax(0)
        latent = int(f1[place, columns].argmax())
        latents.append(latent)
        thresholds.append(ranked[place[latent], latent])
        best.append(f1[place[latent], latent])
    return Detectors(np.array(latents, np.int64), np.array(thresholds), np.array(best))


def hierarchical_score(detectors: Detectors, codes: np.ndarray, labels: np.ndarray, tree: ClassTree) -> float:
    """Mean F1 of the inner nodes' detectors on other samples than have chosen them.

    Parameters
    ----------
    detectors : Detectors
        Of ``tree.inner()``, in that order.
    codes, labels
        Of the samples to judge on.
    tree : ClassTree
    """
    codes, labels = _checked(codes, labels, tree)
    nodes = tree.inner()
    if len(nodes) != len(detectors.latents):
        raise DataError(
            f"the tree has {len(nodes)} inner nodes, and there are detectors of {len(detectors.latents)} sets"
        )
    return float(detectors.f1_on(codes, tree.members()[nodes][:, labels].T).mean())


def _label_counts(codes: np.ndarray, labels: np.ndarray, top: int) -> np.ndarray:
    """How often each class is among the samples that excite a latent most, shape (latent, class)."""
    places = np.argsort(-codes, axis=0, kind="stable")[:top]
    fires = np.take_along_axis(codes, places, axis=0) > 0
    counts = np.zeros((codes.shape[1], int(labels.max()) + 1))
    np.add.at(counts, (np.broadcast_to(np.arange(codes.shape[1]), places.shape), labels[places]), fires)
    return counts


def _checked(codes: np.ndarray, labels: np.ndarray, tree: ClassTree | None = None) -> tuple[np.ndarray, np.ndarray]:
    codes, labels = np.asarray(codes, np.float64), np.asarray(labels)
    if codes.ndim != 2 or labels.shape != (len(codes),):
        raise DataError(
            f"codes need the shape (sample, latent) and labels (sample,), got {codes.shape} and {labels.shape}"
        )
    if labels.dtype.kind not in "iu" or not len(labels) or labels.min() < 0:
        raise DataError("labels are whole numbers of classes from 0")
    if tree is not None and labels.max() >= tree.classes:
        raise DataError(f"a label is {int(labels.max())}, and the tree has {tree.classes} classes")
    return codes, labels
