"""How much of a task survives if only a few concepts may speak: the inherent interpretability score of a representation.

A linear classifier reads similarities to a library of concepts, of which all but the strongest of each sample are set to
zero. Its accuracy, divided by that of a linear classifier on the representation itself, is the retention; the area under
retention over the share of concepts taken away is the score.

A score depends on the library: never compare two representations by different ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.errors import DataError
from pellucid.heads.concepts.few_concepts import FewConceptsClassifier, kept, linear_classifier
from pellucid.measures.classifier_training import LEARNING_RATES, Fitted, LabelledRows, accuracy, fitted
from pellucid.measures.concept_libraries import unit_concepts

RATIOS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.98)
"""Shares of concepts that are set to zero, as in the paper's code."""


@dataclass(frozen=True)
class RetentionCurve:
    """Accuracies on test samples over the share of concepts that is set to zero.

    Parameters
    ----------
    ratios : ndarray, shape (ratio,)
        Increasing.
    accuracies : ndarray, shape (ratio,)
    standard : float
        Accuracy of a linear classifier on the representation itself.
    chance : float
        Share of the most frequent class among the test samples.
    kept : ndarray of int, shape (ratio,)
        Concepts of a sample that speak.
    chosen : tuple of Fitted
        The classifiers, that on the representation itself last.
    """

    ratios: np.ndarray
    accuracies: np.ndarray
    standard: float
    chance: float
    kept: np.ndarray
    chosen: tuple[Fitted, ...] = ()

    @property
    def retention(self) -> np.ndarray:
        """Share of the standard accuracy that is left, shape (ratio,)."""
        return self.accuracies / self.standard

    @property
    def iis(self) -> float:
        """The score as published, at most the width of the grid (0.98) where nothing is lost."""
        return interpretability_score(self.ratios, self.retention)

    @property
    def iis_norm(self) -> float:
        """The score over the width of the grid: 1 where nothing is lost."""
        return self.iis / float(self.ratios[-1] - self.ratios[0])


def interpretability_score(ratios: np.ndarray, retention: np.ndarray) -> float:
    """Area under retention over ratios, by trapezia.

    Parameters
    ----------
    ratios, retention : ndarray, shape (ratio,)
        In any order.

    Examples
    --------
    >>> round(interpretability_score(np.array(RATIOS), np.ones(8)), 9)
    0.98
    """
    order = np.argsort(ratios)
    return float(np.trapezoid(np.asarray(retention, np.float64)[order], np.asarray(ratios, np.float64)[order]))


def retention_curve(
    train: LabelledRows,
    validation: LabelledRows,
    test: LabelledRows,
    concepts: Tensor,
    *,
    ratios: Sequence[float] = RATIOS,
    learning_rates: Sequence[float] = LEARNING_RATES,
    epochs: int = 30,
    batch_size: int = 1024,
    seed: int = 0,
) -> RetentionCurve:
    """Fit a classifier at each ratio and one on the representation itself, and judge all on test samples.

    Parameters
    ----------
    train, validation, test : LabelledRows
        Of different subjects. Validation samples choose epoch and learning rate, test samples nothing.
    concepts : Tensor, shape (concept, feature)
        Unit rows, found without test samples.
    ratios, learning_rates : sequence of float
    epochs, batch_size, seed : int

    Returns
    -------
    RetentionCurve

    Raises
    ------
    DataError
        If fewer than two ratios are given, or the same twice.

    Warns
    -----
    UserWarning
        If the standard accuracy is hardly above chance (not above twice chance and not half-way from chance to 1): retention
        of what is not there says nothing.
    """
    grid = sorted(ratios)
    if len(set(grid)) < max(2, len(grid)):
        raise DataError(f"an area needs two or more different ratios, got {tuple(ratios)}")
    concepts = unit_concepts(concepts)
    classes = int(max(rows.y.max() for rows in (train, validation, test))) + 1

    def fit(model: nn.Module) -> Fitted:
        return fitted(
            model.to(train.x),
            train,
            validation,
            learning_rates=learning_rates,
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
        )

    chosen = []
    with torch.random.fork_rng(devices=[]):
        for ratio in grid:
            torch.manual_seed(seed)
            chosen.append(fit(FewConceptsClassifier(concepts, classes, ratio)))
        torch.manual_seed(seed)
        chosen.append(fit(linear_classifier(train.x.shape[1], classes)))
    *accuracies, standard = [accuracy(one.model, test) for one in chosen]
    chance = float(torch.bincount(test.y).max()) / len(test.y)
    if standard <= min(2 * chance, (1 + chance) / 2):
        warnings.warn(
            f"the representation itself reaches an accuracy of {standard:.3f}, chance is {chance:.3f}: "
            "how much of it is retained says little",
            UserWarning,
            stacklevel=2,
        )
    staying = np.array([kept(len(concepts), ratio) for ratio in grid])
    return RetentionCurve(np.array(grid), np.array(accuracies), standard, chance, staying, tuple(chosen))
