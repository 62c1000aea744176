"""How much of a task survives if only a few concepts may speak: the inherent interpretability score of a representation.

A linear classifier reads similarities to a library of concepts, of which all but the strongest of each sample are set to
zero. Its accuracy, divided by that of a linear classifier on the representation itself, is the retention; the area under
retention over the share of concepts taken away is the score.

A score depends on the library: never compare two representations by different ones.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.errors import DataError

RATIOS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.98)
"""Shares of concepts that are set to zero, as in the paper's code."""

LEARNING_RATES = (1e-3, 1e-2, 1e-1)

DECAY = 0.95
"""Factor on the learning rate after each epoch; the paper decays exponentially and does not say how fast."""

INITIAL_SPREAD = 0.02


# --- concept libraries ------------------------------------------------------------------------------------------------


def unit_rows(vectors: Tensor) -> Tensor:
    """Given vectors as a library: each of length one.

    Parameters
    ----------
    vectors : Tensor, shape (concept, feature)

    Raises
    ------
    DataError
        If one is zero or not a number, and so has no direction.
    """
    lengths = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    if not bool((lengths > 0).all()) or not bool(torch.isfinite(lengths).all()):
        lost = int((~((lengths > 0) & torch.isfinite(lengths))).sum())
        raise DataError(f"{lost} of {len(vectors)} concept vectors are zero or not numbers; leave them out")
    return vectors / lengths


def prototype_concepts(segments: Tensor, count: int = 200) -> Tensor:
    """The first ``count`` segments of training samples as concepts.

    Parameters
    ----------
    segments : Tensor, shape (segment, feature)
        Mean embeddings of image patches, beats, or whatever samples are made of; by lot, if their order means something.
    count : int

    Returns
    -------
    Tensor, shape (concept, feature)
        Unit rows.
    """
    if len(segments) < count:
        raise DataError(f"{count} concepts need as many segments, got {len(segments)}")
    return unit_rows(segments[:count])


def cluster_concepts(segments: Tensor, count: int = 200, *, most: int = 20_000, seed: int = 0) -> Tensor:
    """Centres of k-means clusters of training segments as concepts.

    Parameters
    ----------
    segments : Tensor, shape (segment, feature)
    count : int
    most : int
        Of more segments, as many are drawn.
    seed : int

    Returns
    -------
    Tensor, shape (concept, feature)
        Unit rows.
    """
    from sklearn.cluster import KMeans

    if len(segments) < count:
        raise DataError(f"{count} clusters need as many segments, got {len(segments)}")
    if len(segments) > most:
        drawn = torch.randperm(len(segments), generator=torch.Generator().manual_seed(seed))[:most]
        segments = segments[drawn]
    found = KMeans(count, n_init=1, random_state=seed % (1 << 32)).fit(segments.detach().cpu().double().numpy())
    return unit_rows(torch.from_numpy(found.cluster_centers_).to(segments))


# --- the classifier ---------------------------------------------------------------------------------------------------


def kept(concepts: int, ratio: float) -> int:
    """How many concepts of a sample speak: ``concepts - floor(concepts * ratio) - 1``, but one at least.

    The published rule keeps what is larger than the number at place ``floor(concepts * ratio)`` of the sorted ones. Of few
    concepts at a large ratio that is nothing, and the accuracy that of a coin; here the strongest one stays.

    Examples
    --------
    >>> kept(200, 0.9), kept(40, 0.98)
    (19, 1)
    """
    # Rounded up a little: 0.29 * 100 is 28.999999999999996.
    return max(1, concepts - math.floor(concepts * ratio + 1e-9) - 1)


def strongest(scores: Tensor, ratio: float) -> Tensor:
    """Scores with all but the strongest of each sample set to zero, whatever their sign.

    Parameters
    ----------
    scores : Tensor, shape (sample, concept)
    ratio : float, from 0, below 1
        Share that is set to zero; see :func:`kept`. At 0, the weakest one goes, as published.

    Returns
    -------
    Tensor, shape (sample, concept)
        What stays is unchanged, gradients included. Of equal scores at the limit all go, unless nothing were left.
    """
    sizes = scores.detach().abs()
    concepts = scores.shape[1]
    limit = torch.sort(sizes, dim=1).values[:, concepts - kept(concepts, ratio) - 1, None]
    stays = sizes > limit
    return scores * torch.where(stays.any(1, keepdim=True), stays, sizes >= limit)


class SparseConceptBottleneck(nn.Module):
    """A linear classifier that reads few similarities to concepts.

    Parameters
    ----------
    concepts : Tensor, shape (concept, feature)
        Unit rows; a buffer, not learnt. Two at least.
    classes : int
    ratio : float
        Share of concepts that is set to zero in each sample, from 0 and below 1.

    Notes
    -----
    Similarities are normalised over the concepts of a sample with a learnable factor and shift, so the limit is one of each
    sample. ``contributions(x).sum(-1) + bias == forward(x)``.

    References
    ----------
    Shen et al. (2025), ICLR, Enhancing pre-trained representation classifiability can boost its interpretability.
    Deviations: one concept stays at least; best epoch and learning rate are chosen on validation samples.
    """

    concepts: Tensor

    def __init__(self, concepts: Tensor, classes: int, ratio: float) -> None:
        super().__init__()
        if not 0 <= ratio < 1:
            raise DataError(f"the share of concepts set to zero is {ratio}, expected from 0 and below 1")
        if len(concepts) < 2:
            raise DataError(f"a library needs two concepts, got {len(concepts)}")
        self.ratio = ratio
        self.register_buffer("concepts", concepts.detach().clone())
        self.norm = nn.LayerNorm(len(concepts))
        self.linear = _linear(len(concepts), classes)

    def scores(self, x: Tensor) -> Tensor:
        """The concepts that speak, shape (sample, concept); others are zero."""
        return strongest(self.norm(x @ self.concepts.t()), self.ratio)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (sample, class), of representations of shape (sample, feature)."""
        return self.linear(self.scores(x))

    def contributions(self, x: Tensor) -> Tensor:
        """What each concept adds to each logit, shape (sample, class, concept)."""
        return self.scores(x)[:, None] * self.linear.weight


@dataclass(frozen=True)
class Fitted:
    """A classifier at its best epoch.

    Parameters
    ----------
    model : Module
    accuracy : float
        Of the validation samples: it has chosen the epoch and the learning rate.
    learning_rate : float
    epoch : int
        From 1; 0 is the model before any step.
    """

    model: nn.Module
    accuracy: float
    learning_rate: float
    epoch: int


@dataclass(frozen=True)
class Rows:
    """Representations and classes of the samples of one part.

    Parameters
    ----------
    x : Tensor, shape (sample, feature)
    y : Tensor of int, shape (sample,)
    """

    x: Tensor
    y: Tensor


def fitted(
    model: nn.Module,
    train: Rows,
    validation: Rows,
    *,
    learning_rates: Sequence[float] = LEARNING_RATES,
    epochs: int = 30,
    batch_size: int = 1024,
    seed: int = 0,
) -> Fitted:
    """Train a classifier by Adam from the same start with each learning rate; the best epoch of all on validation samples.

    Parameters
    ----------
    model : Module
        Its weights are the start; it holds the best ones afterwards.
    train, validation : Rows
    learning_rates : sequence of float
    epochs, batch_size, seed : int

    Returns
    -------
    Fitted
        Of equally good epochs, the first.
    """
    start = {name: value.clone() for name, value in model.state_dict().items()}
    best, best_state = Fitted(model, -1.0, math.nan, 0), start
    for rate in learning_rates:
        model.load_state_dict(start)
        optimizer = torch.optim.Adam(model.parameters(), lr=rate)
        decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, DECAY)
        generator = torch.Generator().manual_seed(seed)
        for epoch in range(1, epochs + 1):
            order = torch.randperm(len(train.x), generator=generator).to(train.x.device)
            for batch in order.split(batch_size):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(train.x[batch]), train.y[batch]).backward()
                optimizer.step()
            decay.step()
            reached = _accuracy(model, validation)
            if reached > best.accuracy:
                best = Fitted(model, reached, rate, epoch)
                best_state = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(best_state)
    return best


# --- the score --------------------------------------------------------------------------------------------------------


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
    train: Rows,
    validation: Rows,
    test: Rows,
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
    train, validation, test : Rows
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
    concepts = unit_rows(concepts)
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
            chosen.append(fit(SparseConceptBottleneck(concepts, classes, ratio)))
        torch.manual_seed(seed)
        chosen.append(fit(_linear(train.x.shape[1], classes)))
    *accuracies, standard = [_accuracy(one.model, test) for one in chosen]
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


def _linear(width: int, classes: int) -> nn.Linear:
    layer = nn.Linear(width, classes)
    nn.init.trunc_normal_(layer.weight, std=INITIAL_SPREAD)
    nn.init.zeros_(layer.bias)
    return layer


@torch.no_grad()
def _accuracy(model: nn.Module, rows: Rows) -> float:
    return float((model(rows.x).argmax(1) == rows.y).double().mean())
