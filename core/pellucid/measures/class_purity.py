"""Do single latents of a dictionary mean classes? Purity of what excites each, and how well it tells each class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import entr

from pellucid.errors import DataError

TOP = 50
"""Samples that excite a latent most."""


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


def purity(codes: np.ndarray, labels: np.ndarray, top: int | None = TOP) -> Purity:
    """How far the samples that excite a latent most are of one class.

    Parameters
    ----------
    codes : ndarray, shape (sample, latent)
        A latent fires above zero.
    labels : ndarray of int, shape (sample,), from 0
    top : int, optional
        So many samples at most; None: all for which the latent fires.

    References
    ----------
    Olson et al. (2025), arXiv 2508.11277, whose exact forms are not published; these are ours.

    Examples
    --------
    >>> found = purity(np.array([[3.0], [2.0], [1.0], [0.0]]), np.array([1, 1, 0, 0]), top=2)
    >>> found.purity.item(), found.label.item(), found.density.item()
    (1.0, 1, 0.75)
    """
    codes, labels = codes_with_labels(codes, labels)
    counts = label_counts(codes, labels, top)
    size = counts.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = counts / size[:, None]
    entropy = entr(shares).sum(1) / np.log(2)
    label = np.where(size > 0, counts.argmax(1), -1)
    return Purity(shares.max(1), entropy, label, size.astype(np.int64), (codes > 0).mean(0))


def class_auroc(codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each latent for each class against the rest, ties half.

    Parameters
    ----------
    codes : ndarray, shape (sample, latent)
    labels : ndarray of int, shape (sample,), from 0

    Returns
    -------
    ndarray, shape (latent, class)
        NaN for a class without samples, or one that all samples are of. The best class of a latent is the largest of its row;
        the largest of many is above one half by chance, so choose on some samples and report on others.
    """
    from scipy.stats import rankdata

    codes, labels = codes_with_labels(codes, labels)
    of_class = np.eye(int(labels.max()) + 1)[labels]
    yes = of_class.sum(0)
    no = len(labels) - yes
    above = rankdata(codes, axis=0).T @ of_class - yes * (yes + 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return above / (yes * no)


def label_counts(codes: np.ndarray, labels: np.ndarray, top: int | None) -> np.ndarray:
    """How often each class is among the samples that excite a latent most, shape (latent, class).

    Parameters
    ----------
    codes, labels, top
        See :func:`purity`; checked by :func:`codes_with_labels`.
    """
    places = np.argsort(-codes, axis=0, kind="stable")[:top]
    fires = np.take_along_axis(codes, places, axis=0) > 0
    counts = np.zeros((codes.shape[1], int(labels.max()) + 1))
    np.add.at(counts, (np.broadcast_to(np.arange(codes.shape[1]), places.shape), labels[places]), fires)
    return counts


def codes_with_labels(codes: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes in float64, and labels as they are.

    Raises
    ------
    DataError
        If there is not one label for each row of codes, or a label is no whole number from 0.
    """
    codes, labels = np.asarray(codes, np.float64), np.asarray(labels)
    if codes.ndim != 2 or labels.shape != (len(codes),):
        raise DataError(
            f"codes need the shape (sample, latent) and labels (sample,), got {codes.shape} and {labels.shape}"
        )
    if labels.dtype.kind not in "iu" or not len(labels) or labels.min() < 0:
        raise DataError("labels are whole numbers of classes from 0")
    return codes, labels
