"""Names for latents, and whether they hold: the concept that a latent's strongest samples share, tried on other samples.

A latent is named on some samples: of the concepts significantly more frequent among those that excite it most than among
those that leave it silent, the one with the highest lift. The name is then a rule, "has the concept, so the latent fires",
whose precision and recall are counted on samples of other groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import hypergeom

from pellucid.errors import DataError, LeakageError
from pellucid.statistics.false_discovery import benjamini_hochberg

TOP = 20
"""Samples that excite a latent most, by which it is named."""

LEVEL = 0.05
"""False discovery rate over all latents and concepts at which a concept may name a latent."""

UNNAMED = -1


@dataclass(frozen=True)
class Enrichment:
    """Concepts among the samples that excite latents most.

    Parameters
    ----------
    lift : ndarray, shape (latent, concept)
        How much more frequent a concept is among them than among all; NaN where it never occurs or the latent never fires.
    p : ndarray, shape (latent, concept)
        Of Fisher's one-sided test against the samples that leave the latent silent; 1 where none does.
    q : ndarray, shape (latent, concept)
        False discovery rate over all of them.
    top : ndarray of int, shape (latent,)
        Samples that were looked at.
    """

    lift: np.ndarray
    p: np.ndarray
    q: np.ndarray
    top: np.ndarray


@dataclass(frozen=True)
class RuleScores:
    """How well "has the concept" predicts "fires", shape (latent,) or (latent, concept).

    Parameters
    ----------
    precision, recall, f1 : ndarray
        NaN where no sample has the concept, none fires, or either.
    chance_f1 : ndarray
        Of a latent that fires as often, and regardless of the concept.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    chance_f1: np.ndarray


@dataclass(frozen=True)
class NamedLatents:
    """Names of latents and how they fare on samples of other groups.

    Parameters
    ----------
    concepts : ndarray of int, shape (latent,)
        Column of the concept; :data:`UNNAMED` where none is significant.
    lift, p, q : ndarray, shape (latent,)
        Of the name, on the naming samples; NaN for the unnamed.
    held_out : RuleScores
        On the held-out samples; NaN for the unnamed.
    """

    concepts: np.ndarray
    lift: np.ndarray
    p: np.ndarray
    q: np.ndarray
    held_out: RuleScores

    def recovered(self, concepts: int, least_f1: float = 0.7) -> np.ndarray:
        """Whether each of so many concepts has a latent named after it with that F1 or more, shape (concept,)."""
        good = (self.concepts != UNNAMED) & (self.held_out.f1 >= least_f1)
        return np.isin(np.arange(concepts), self.concepts[good])


def enrichment(
    activations: np.ndarray, has: np.ndarray, *, fires: np.ndarray | None = None, top: int = TOP
) -> Enrichment:
    """Which concepts the strongest samples of each latent share.

    Parameters
    ----------
    activations : ndarray, shape (sample, latent)
    has : ndarray of bool, shape (sample, concept)
        Whether a sample (a user's history, a window) contains the concept.
    fires : ndarray of bool, shape (sample, latent), optional
        Whether an activation counts; without it, above zero. Numbers of both signs need it.
    top : int
        Strongest samples of a latent, fewer where fewer fire.

    Returns
    -------
    Enrichment

    References
    ----------
    Wang et al. (2024), arXiv 2411.06112. Deviations: names by attributes and Fisher's test, without a language model.
    """
    activations, has, fires = _checked(activations, has, fires)
    count = len(has)
    strength = np.where(fires, activations, -np.inf)
    places = np.argsort(-strength, axis=0, kind="stable")[:top]
    chosen = np.zeros(fires.shape)
    np.put_along_axis(chosen, places, 1.0, axis=0)
    chosen *= fires
    size, silent = chosen.sum(0)[:, None], (~fires).astype(np.float64)
    share = has.astype(np.float64)
    inside, outside = chosen.T @ share, silent.T @ share
    left = silent.sum(0)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        lift = (inside / size) / (share.sum(0) / count)
    p = hypergeom.sf(inside - 1, size + left, inside + outside, size)
    p = np.where((left > 0) & (size > 0), p, 1.0)
    return Enrichment(lift, p, benjamini_hochberg(p), size[:, 0].astype(np.int64))


def rule_scores(has: np.ndarray, fires: np.ndarray) -> RuleScores:
    """Precision, recall and F1 of "has the concept, so the latent fires", for all pairs.

    Parameters
    ----------
    has : ndarray of bool, shape (sample, concept)
    fires : ndarray of bool, shape (sample, latent)

    Returns
    -------
    RuleScores
        Of shape (latent, concept).

    Examples
    --------
    >>> has, fires = np.array([[1], [1], [0], [0]]), np.array([[1], [0], [0], [0]])
    >>> found = rule_scores(has, fires)
    >>> found.precision.item(), found.recall.item(), round(found.f1.item(), 3)
    (0.5, 1.0, 0.667)
    """
    one, other = np.asarray(has, np.float64), np.asarray(fires, np.float64)
    return scores_of_counts(other.T @ one, one.sum(0), other.sum(0)[:, None], len(one))


def scores_of_counts(both: np.ndarray, having: np.ndarray, firing: np.ndarray, known: np.ndarray | int) -> RuleScores:
    """Precision, recall and F1 of rules from counts that go together by broadcasting; samples may be weighted.

    Parameters
    ----------
    both, having, firing, known : ndarray
        Samples that have the concept and fire, that have it, that fire, and all of which it is known.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        # A constant latent's F1 would be that of its frequency; the same number by chance stands beside it.
        chance = 2 * (firing * having / known) / (firing + having)
        return RuleScores(both / having, both / firing, 2 * both / (having + firing), chance)


def name_latents(
    activations: np.ndarray,
    has: np.ndarray,
    naming: np.ndarray,
    held_out: np.ndarray,
    groups: np.ndarray,
    *,
    fires: np.ndarray | None = None,
    top: int = TOP,
    level: float = LEVEL,
) -> NamedLatents:
    """Name latents on some samples and try the names on others.

    Parameters
    ----------
    activations, has, fires, top
        See :func:`enrichment`; of all samples.
    naming, held_out : ndarray of bool, shape (sample,)
    groups : ndarray, shape (sample,)
        The user (subject) of each sample.
    level : float

    Returns
    -------
    NamedLatents
        Of several significant concepts the one with the highest lift, of equal lifts the one with the smallest p.

    Raises
    ------
    LeakageError
        If a group has samples on both sides.
    """
    activations, has, fires = _checked(activations, has, fires)
    naming, held_out = np.asarray(naming, bool), np.asarray(held_out, bool)
    if not naming.any() or not held_out.any():
        raise DataError("names need samples to be found on and samples to be tried on, and one side is empty")
    shared = np.intersect1d(np.asarray(groups)[naming], np.asarray(groups)[held_out])
    if len(shared):
        raise LeakageError(f"latents would be named and their names judged on samples of the same {len(shared)} groups")
    found = enrichment(activations[naming], has[naming], fires=fires[naming], top=top)
    best, named = chosen_names(found.lift, found.p, found.q, level)

    def of_names(numbers: np.ndarray) -> np.ndarray:
        return np.where(named, np.take_along_axis(numbers, best[:, None], axis=1)[:, 0], np.nan)

    tried = rule_scores(has[held_out], fires[held_out])
    scores = RuleScores(*(of_names(n) for n in (tried.precision, tried.recall, tried.f1, tried.chance_f1)))
    concepts = np.where(named, best, UNNAMED)
    return NamedLatents(concepts, of_names(found.lift), of_names(found.p), of_names(found.q), scores)


def chosen_names(lift: np.ndarray, p: np.ndarray, q: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """The concept that each latent is named after: of the significant ones the highest lift, of equal lifts the smallest p.

    Parameters
    ----------
    lift, p, q : ndarray, shape (latent, concept)
        As :class:`Enrichment` has them.
    level : float

    Returns
    -------
    ndarray of int, ndarray of bool, shape (latent,)
        Columns of the concepts, and whether the latent has a name at all; without one its column means nothing.
    """
    allowed = (q <= level) & (lift > 1)
    best = np.lexsort((p, np.where(allowed, -lift, np.inf)), axis=-1)[:, 0]
    return best, np.take_along_axis(allowed, best[:, None], axis=1)[:, 0]


def _checked(
    activations: np.ndarray, has: np.ndarray, fires: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    activations, has = np.asarray(activations), np.asarray(has)
    if activations.ndim != 2 or has.ndim != 2 or len(activations) != len(has):
        raise DataError(
            f"activations need the shape (sample, latent) and concepts (sample, concept), got {activations.shape} and {has.shape}"
        )
    if not np.isin(has, (0, 1)).all():
        raise DataError("a sample has a concept or not: expected 0 and 1")
    fires = activations > 0 if fires is None else np.asarray(fires, bool)
    if fires.shape != activations.shape:
        raise DataError(f"activations have the shape {activations.shape}, and whether they fire {fires.shape}")
    return activations, has.astype(bool), fires
