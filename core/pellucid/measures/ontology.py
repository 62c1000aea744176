"""Do the codes of a dictionary follow the tree in which classes stand?

Whether classes near in the tree have like codes, and whether each inner node has a latent that fires for the classes below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pellucid.errors import DataError
from pellucid.measures.class_purity import TOP, codes_with_labels, label_counts
from pellucid.measures.class_tree import ClassTree
from pellucid.statistics.ranking import spearman


def common_heights(codes: np.ndarray, labels: np.ndarray, tree: ClassTree, top: int = TOP) -> np.ndarray:
    """How far up the tree one must go to hold all classes among the samples that excite a latent most.

    Parameters
    ----------
    codes, labels, top
        See :func:`~pellucid.measures.class_purity.purity`.
    tree : ClassTree

    Returns
    -------
    ndarray, shape (latent,)
        Height of the lowest common node: 0 where all are of one class; NaN for a latent that never fires.
    """
    codes, labels = _of_tree(codes, labels, tree)
    counts, heights = label_counts(codes, labels, top), tree.heights()
    return np.array(
        [heights[tree.lowest_common(np.flatnonzero(row))] if row.any() else np.nan for row in counts], np.float64
    )


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
    codes, labels = codes_with_labels(codes, labels)
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
    codes : ndarray, shape (sample, latent)
    labels : ndarray of int, shape (sample,)
        Of the samples to judge on.
    tree : ClassTree
    """
    codes, labels = _of_tree(codes, labels, tree)
    nodes = tree.inner()
    if len(nodes) != len(detectors.latents):
        raise DataError(
            f"the tree has {len(nodes)} inner nodes, and there are detectors of {len(detectors.latents)} sets"
        )
    return float(detectors.f1_on(codes, tree.members()[nodes][:, labels].T).mean())


def _of_tree(codes: np.ndarray, labels: np.ndarray, tree: ClassTree) -> tuple[np.ndarray, np.ndarray]:
    codes, labels = codes_with_labels(codes, labels)
    if labels.max() >= tree.classes:
        raise DataError(f"a label is {int(labels.max())}, and the tree has {tree.classes} classes")
    return codes, labels
