"""Splits by group: no subject ever stands on both sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.data.subjects import group_name
from pellucid.errors import DataError

SUBJECTS = "subjects"


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
    if not samples:
        return np.zeros(0, np.int64)
    nodes, width = [], samples
    for column in range(columns):
        # By the same names as the records of whom a part has learnt from, so that both agree on who is who.
        names = np.array([group_name(value) for value in groups[:, column]])
        code = np.unique(names, return_inverse=True)[1]
        nodes.append(width + code)
        width += int(code.max()) + 1
    row = np.tile(np.arange(samples), columns)
    graph = coo_matrix((np.ones(len(row), np.int8), (row, np.concatenate(nodes))), shape=(width, width))
    label = connected_components(graph, directed=False)[1][:samples]
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)


def subject_folds(
    sets: np.ndarray, labels: np.ndarray, folds: int, seed: int, *, several: str = SUBJECTS
) -> np.ndarray:
    """Deal sets of samples into folds of about equal size and label balance.

    Parameters
    ----------
    sets : ndarray of int, shape (sample,)
        From :func:`components_of`.
    labels : ndarray, shape (sample,)
        Class of each sample; for numbers pass quantile bins. Balance is sought, separation of sets is guaranteed.
    folds : int
    seed : int
    several : str
        What sets are called in messages: the dataset's word for its groups.

    Returns
    -------
    ndarray of int64, shape (sample,)
        Fold of each sample; none is empty.

    Raises
    ------
    DataError
        If there are fewer sets than folds.
    """
    count = len(np.unique(sets))
    if count < folds:
        raise DataError(
            f"{folds} folds need at least {folds} {several}, got {count}: ask for fewer folds or add {several} "
            f"({several} that share any group count as one)"
        )
    return deal(sets, labels, [1 / folds] * folds, seed)


def deal(sets: np.ndarray, labels: np.ndarray, shares: Sequence[float], seed: int) -> np.ndarray:
    """Deal sets of samples into parts, so that each part has about its share of every class.

    Greedy, as in stratified group k-fold: the largest sets first (a shuffle breaks ties), each to the part that the
    squared distance of all parts from their shares gains most by. Deterministic for a seed and an order of samples.

    Parameters
    ----------
    sets, labels
        See :func:`subject_folds`.
    shares : sequence of float
        Add up to 1.
    seed : int

    Returns
    -------
    ndarray of int64, shape (sample,)
        Part of each sample. No part is empty if there are as many sets as parts.
    """
    unique, of = np.unique(sets, return_inverse=True)
    classes, coded = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(unique), len(classes)))
    np.add.at(counts, (of, coded), 1)
    order = np.random.default_rng(seed).permutation(len(unique))
    order = order[np.argsort(-counts[order].sum(1), kind="stable")]
    # As parts of each class's total, so that a rare class is balanced as carefully as a common one.
    counts = counts / counts.sum(0)
    wanted = np.asarray(shares, np.float64)[:, None]
    filled = np.zeros((len(shares), len(classes)))
    members = np.zeros(len(shares), np.int64)
    part_of = np.zeros(len(unique), np.int64)
    for at, one in enumerate(order):
        before, after = filled - wanted, filled + counts[one] - wanted
        gain = ((after**2 - before**2) / wanted).sum(1).round(12)
        # Once there are only as many sets left as empty parts, each goes to one of these.
        barred = (members > 0) & (len(order) - at <= (members == 0).sum())
        best = int(np.lexsort((members, gain, barred))[0])
        part_of[one] = best
        filled[best] += counts[one]
        members[best] += 1
    return part_of[of]


def nested_splits(
    sets: np.ndarray, labels: np.ndarray, *, folds: int, validation: float, seed: int, several: str = SUBJECTS
) -> Iterator[Split]:
    """Cross-validation over sets, each training side split again into learning and validation sets.

    Parameters
    ----------
    sets, labels
        See :func:`subject_folds`.
    folds : int
        Each sample is tested exactly once.
    validation : float
        Share of the training samples that is kept for early stopping and thresholds.
    seed : int
    several : str
        See :func:`subject_folds`.
    """
    fold_of = subject_folds(sets, labels, folds, seed, several=several)
    for fold in range(folds):
        test = np.flatnonzero(fold_of == fold)
        rest = np.flatnonzero(fold_of != fold)
        train, held = inner_split(
            sets[rest], labels[rest], validation=validation, seed=seed + 1 + fold, several=several
        )
        yield Split(fold, rest[train], rest[held], test)


def inner_split(
    sets: np.ndarray, labels: np.ndarray, *, validation: float, seed: int, several: str = SUBJECTS
) -> tuple[np.ndarray, np.ndarray]:
    """Split samples into training and validation, whole sets on one side; for ``several`` see :func:`subject_folds`.

    Returns
    -------
    train, validation : ndarray of int64
        Positions among the samples given; neither is empty.

    Raises
    ------
    DataError
        If there is one set only, so that nobody would be left to learn from or to choose by.
    """
    count = len(np.unique(sets))
    if count < 2:
        raise DataError(
            f"learning and validation need at least 2 {several}, got {count}: add {several}, or test on fewer "
            f"({several} that share any group count as one)"
        )
    part = deal(sets, labels, [1 - validation, validation], seed)
    return np.flatnonzero(part == 0), np.flatnonzero(part == 1)


def refuse_equal_numbers(split: Split, numbers: np.ndarray, names: Sequence[str], *, where: str) -> None:
    """Raise where all samples that are learnt from have one number: nothing can be learnt of what does not vary.

    Parameters
    ----------
    split : Split
    numbers : ndarray, shape (sample, number)
        Of all samples, NaN where unknown.
    names : sequence of str
        What each is called.
    where : str
        See :func:`refuse_one_class`.

    Raises
    ------
    DataError
        Names the fold and the number.
    """
    for name, column in zip(names, np.asarray(numbers)[split.train].T, strict=True):
        known = column[~np.isnan(column)]
        if len(known) and known.min() == known.max():
            raise DataError(
                f"{where}: on the training side of fold {split.fold} {name!r} is {known[0]:g} in all {len(known)} samples, so there is "
                "nothing to learn: choose another target, or add samples of other values"
            )


def refuse_one_class(split: Split, labels: np.ndarray, *, where: str, several: str = SUBJECTS) -> None:
    """Raise where a side that is learnt from, or chosen by, is empty or holds one class only.

    Parameters
    ----------
    split : Split
    labels : ndarray, shape (sample,)
        Classes of all samples.
    where : str
        What is split, for the message: ``"dataset 'x', target 'y'"``.
    several : str
        See :func:`subject_folds`.

    Raises
    ------
    DataError
        Names the fold, the side and the class.
    """
    for side, positions in (("training", split.train), ("validation", split.validation)):
        present = np.unique(labels[positions])
        if len(present) >= 2:
            continue
        found = "is empty" if not len(present) else f"has {len(positions)} samples, all of class {present[0]:g}"
        raise DataError(
            f"{where}: the {side} side of fold {split.fold} {found}. A model and its threshold need two classes: ask for "
            f"fewer folds, another share of validation {several}, or add {several} of the rarer class"
        )
