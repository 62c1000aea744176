"""Can a concept be read from one, two or five features? Logistic probes on the features that differ most.

Features are chosen and weighed on the training rows; the caller keeps the subjects of both sets of rows apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from pellucid.errors import DataError
from pellucid.measures.dictionaries.exactness import defined, exact, indices_of_strongest, same_rows

KS = (1, 2, 5)
"""Numbers of features that SAEBench probes with."""

MOST_ROUNDS = 1000


class Probe(NamedTuple):
    """A probe and what it says of the test rows."""

    accuracy: float
    """Share of the test rows that it gets right."""
    decisions: Tensor
    """What it says of each test row, bool, shape (row,): with the labels, whatever an interval needs."""
    features: Tensor
    """Features it reads, strongest first, int64."""
    weight: Tensor
    """Weight of each of them, float64."""
    bias: float


class SparseProbing(NamedTuple):
    """Probes of one concept and what they have to be compared with."""

    codes: dict[int, Probe]
    """By the number of features they read."""
    raw: dict[int, Probe]
    """The same on units of the activations; empty if none were given."""
    full: Probe | None
    """A probe that reads all units of the activations: what could be reached."""
    majority: float
    """Accuracy of always saying the label that most training rows have."""


def mean_pool(values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean over the positions of each sample that are not padding.

    Parameters
    ----------
    values : Tensor, shape (sample, position, column)
    mask : Tensor of bool, optional, shape (sample, position)
        True where there is something.

    Returns
    -------
    Tensor, shape (sample, column)
        NaN for samples without any position.
    """
    if mask is None:
        return values.mean(1)
    there = mask.to(values.dtype)[..., None]
    # Padding may hold anything, NaN too, so it is replaced rather than multiplied by zero.
    return torch.where(mask[..., None], values, torch.zeros_like(values)).sum(1) / there.sum(1)


def mean_difference(codes: Tensor, labels: Tensor) -> Tensor:
    """Mean code of the yes rows minus that of the no rows, shape (feature,), float64."""
    same_rows(codes=codes, labels=labels)
    codes, yes = exact(codes), labels > 0
    return codes[yes].mean(0) - codes[~yes].mean(0)


def top_features(codes: Tensor, labels: Tensor, k: int) -> Tensor:
    """The ``k`` features whose mean differs most between yes and no, strongest first."""
    return indices_of_strongest(mean_difference(codes, labels).abs(), k)


def fit_probe(train: Tensor, train_labels: Tensor, test: Tensor, test_labels: Tensor, features: Tensor) -> Probe:
    """A logistic probe (L2, C = 1) on some features, fitted on one set of rows and judged on another.

    Parameters
    ----------
    train, test : Tensor, shape (row, feature)
    train_labels, test_labels : Tensor, shape (row,)
        Yes above zero.
    features : Tensor of int
        Columns that it reads.

    Returns
    -------
    Probe
        Its accuracy is NaN, with a warning, if the training rows have one label only or there are no test rows.
    """
    same_rows(train=train, train_labels=train_labels)
    same_rows(test=test, test_labels=test_labels)
    yes, truth = (train_labels > 0).cpu().numpy(), (test_labels > 0).cpu()
    if yes.all() or not yes.any() or not len(truth):
        nothing = torch.full((len(features),), torch.nan, dtype=torch.float64)
        accuracy = defined(torch.nan, "accuracy of a probe", "training rows of both labels and test rows are needed")
        return Probe(accuracy, torch.zeros(len(truth), dtype=torch.bool), features, nothing, torch.nan)
    model = LogisticRegression(C=1.0, max_iter=MOST_ROUNDS).fit(_columns(train, features), yes)
    decisions = torch.from_numpy(np.asarray(model.predict(_columns(test, features)), dtype=bool))
    accuracy = float((decisions == truth).double().mean())
    return Probe(accuracy, decisions, features, torch.from_numpy(model.coef_[0]), float(model.intercept_[0]))


def sparse_probe(train: Tensor, train_labels: Tensor, test: Tensor, test_labels: Tensor, k: int) -> Probe:
    """:func:`fit_probe` on the :func:`top_features` of the training rows."""
    return fit_probe(train, train_labels, test, test_labels, top_features(train, train_labels, k))


def sparse_probing(
    train: Tensor,
    train_labels: Tensor,
    test: Tensor,
    test_labels: Tensor,
    *,
    raw_train: Tensor | None = None,
    raw_test: Tensor | None = None,
    ks: Sequence[int] = KS,
) -> SparseProbing:
    """Sparse probes of one concept beside those of raw units, a probe of all units, and the majority.

    Parameters
    ----------
    train, test : Tensor, shape (row, feature)
        Codes; of samples with positions, see :func:`mean_pool`.
    train_labels, test_labels : Tensor, shape (row,)
        Yes above zero. Subjects stand on one side only: keeping them apart is the caller's part.
    raw_train, raw_test : Tensor, optional, shape (row, unit)
        The activations that the codes were made of, both or none.
    ks : sequence of int

    Raises
    ------
    DataError
        If rows differ in number, or raw activations are given for one side only.

    References
    ----------
    Karvonen et al. (2025), SAEBench, arXiv:2503.09532: 4000 training and 1000 test rows, context of 128 tokens.

    Examples
    --------
    >>> labels = torch.tensor([0, 1] * 20)
    >>> codes = torch.stack([labels * 4.0, torch.ones(40)], dim=1)
    >>> sparse_probing(codes, labels, codes, labels, ks=(1,)).codes[1].accuracy
    1.0
    """
    if (raw_train is None) != (raw_test is None):
        raise DataError("raw activations are given for training rows or test rows only: pass both or none")
    raw: dict[int, Probe] = {}
    full = None
    if raw_train is not None and raw_test is not None:
        raw = {k: sparse_probe(raw_train, train_labels, raw_test, test_labels, k) for k in ks}
        everything = torch.arange(raw_train.shape[1])
        full = fit_probe(raw_train, train_labels, raw_test, test_labels, everything)
    usual = (train_labels > 0).double().mean() > 0.5
    same = ((test_labels > 0) == usual).double().mean()
    majority = defined(same if len(train_labels) else torch.nan, "majority", "there are no training or no test rows")
    return SparseProbing({k: sparse_probe(train, train_labels, test, test_labels, k) for k in ks}, raw, full, majority)


def _columns(table: Tensor, features: Tensor) -> np.ndarray:
    return exact(table)[:, features.to(table.device)].cpu().numpy()
