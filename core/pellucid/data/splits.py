"""Splits by group: no subject ever stands on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pellucid.errors import DataError


@dataclass(frozen=True)
class Split:
    """Positions of the samples to learn from, to choose by, and to be judged on."""

    fold: int
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def components_of(groups: np.ndarray) -> np.ndarray:
    """Number the sets of samples that must stay together.

    Parameters
    ----------
    groups : ndarray, shape (sample, column)
        Group names. Samples that share a name in any column belong together, and so do chains of them.

    Returns
    -------
    ndarray of int64, shape (sample,)
        Number of the set of each sample, from 0, in order of first appearance.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    samples, columns = groups.shape
    nodes, width = [], samples
    for column in range(columns):
        _, code = np.unique(groups[:, column].astype(str), return_inverse=True)
        nodes.append(width + code)
        width += int(code.max()) + 1
    row = np.tile(np.arange(samples), columns)
    graph = coo_matrix((np.ones(len(row), np.int8), (row, np.concatenate(nodes))), shape=(width, width))
    label = connected_components(graph, directed=False)[1][:samples]
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)


def subject_folds(sets: np.ndarray, labels: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Deal sets of samples into folds of about equal size and label balance.

    Parameters
    ----------
    sets : ndarray of int, shape (sample,)
        From :func:`components_of`.
    labels : ndarray, shape (sample,)
        Class of each sample; for numbers pass quantile bins. Balance is sought, separation of sets is guaranteed.
    folds : int
    seed : int

    Returns
    -------
    ndarray of int64, shape (sample,)
        Fold of each sample.

    Raises
    ------
    DataError
        If there are fewer sets than folds.
    """
    unique = np.unique(sets)
    if len(unique) < folds:
        raise DataError(f"{folds} folds need at least {folds} subjects, got {len(unique)}: ask for fewer folds or add subjects")
    classes, coded = np.unique(labels, return_inverse=True)
    counts = np.zeros((int(unique.max()) + 1, len(classes)))
    np.add.at(counts, (sets, coded), 1)
    total = counts.sum(0)
    order = np.random.default_rng(seed).permutation(unique)
    # Largest sets first (the shuffle breaks ties), each to the fold that it leaves best balanced: greedy, as in
    # stratified group k-fold, and deterministic for a seed.
    order = order[np.argsort(-counts[order].sum(1), kind="stable")]
    filled = np.zeros((folds, len(classes)))
    members = np.zeros(folds)
    fold_of = np.zeros(len(counts), np.int64)
    for one in order:
        after = (filled + counts[one]) / np.maximum(total, 1)
        change = (after**2 - (filled / np.maximum(total, 1)) ** 2).sum(1)
        # An empty fold is filled before any other: with few subjects balance alone would leave one empty.
        best = int(np.lexsort((members, change.round(12), members > 0))[0])
        fold_of[one] = best
        filled[best] += counts[one]
        members[best] += 1
    return fold_of[sets]


def nested_splits(sets: np.ndarray, labels: np.ndarray, *, folds: int, validation: float, seed: int) -> Iterator[Split]:
    """Cross-validation over sets, each training side split again into learning and validation sets.

    Parameters
    ----------
    sets, labels
        See :func:`subject_folds`.
    folds : int
        Each sample is tested exactly once.
    validation : float
        Share of the training sets that is kept for early stopping and thresholds.
    seed : int
    """
    fold_of = subject_folds(sets, labels, folds, seed)
    for fold in range(folds):
        test = np.flatnonzero(fold_of == fold)
        rest = np.flatnonzero(fold_of != fold)
        train, held = inner_split(sets[rest], labels[rest], validation=validation, seed=seed + 1 + fold)
        yield Split(fold, rest[train], rest[held], test)


def inner_split(sets: np.ndarray, labels: np.ndarray, *, validation: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split samples into training and validation, whole sets on one side.

    Returns
    -------
    train, validation : ndarray of int64
        Positions among the samples given.
    """
    parts = max(2, round(1 / validation))
    held = subject_folds(sets, labels, parts, seed) == 0
    return np.flatnonzero(~held), np.flatnonzero(held)
