"""Sparse equations by a relevance vector machine: coefficients with a posterior, irrelevant terms pruned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from pellucid.heads.base import HeadTags, PredictorConfig
from pellucid.heads.equations.base import EquationHead, Floats

QUANTILE = 1.6448536269514722
"""Standard deviations from the mean to the 95 % quantile of a normal distribution."""

ALIKE = 1e-10
"""How far the cosine of two terms may be from 1 for them to be one term said twice."""

ROUNDING = 1e-14
"""Share of the target's variance below which what is left is rounding: a precision of the noise beyond it would be one of nothing."""


class RelevanceVectorConfig(PredictorConfig):
    """Settings of :class:`RelevanceVector`.

    Parameters
    ----------
    prune : float
        Precision above which a term is dropped, for terms and target of root mean square 1: at 100 a term goes that makes less than a
        tenth of the target.
    iterations : int
        At most.
    tolerance : float
        Largest change of a logarithm of a precision at which it stops.
    """

    prune: float = Field(default=1e2, gt=0)
    iterations: int = Field(default=1000, ge=1)
    tolerance: float = Field(default=1e-3, gt=0)


class RelevanceVector(EquationHead):
    """Each output as a sum of few terms, each coefficient with its posterior standard deviation.

    Every coefficient has a normal prior whose precision is learnt with that of the noise; terms whose precision grows beyond a limit are
    dropped. ``inclusion`` is how far the data determine a coefficient, 0 to 1; ``low`` and ``high`` are the 5 and 95 % quantiles of its
    posterior, which takes samples for independent: of neighbouring samples it is too narrow. Of terms that are alike up to a factor the
    first alone is used. Nothing is learnt by steps.

    References
    ----------
    Tipping (2001), Sparse Bayesian learning and the relevance vector machine, JMLR 1; Mojgani, Chattopadhyay and Hassanzadeh (2022),
    Chaos 32, 061105. Deviations: terms and target are brought to root mean square 1 and not centred, as the equation has no other
    constant than a term that is one; precisions are iterated to convergence.
    """

    tags = HeadTags(family="function", targets=("regression",))
    called = "relevance-vector"
    config_type = RelevanceVectorConfig
    config: RelevanceVectorConfig

    def learn(self, columns: Floats, targets: Floats, groups: Sequence[str]) -> Mapping[str, Floats]:
        """Fit each output."""
        shape = (targets.shape[1], columns.shape[1])
        found = {name: np.zeros(shape) for name in ("coefficients", "inclusion", "low", "high", "level")}
        size = np.sqrt(np.square(columns).mean(0))
        able = np.flatnonzero(size > 0)
        scaled = columns[:, able] / size[able]
        gram = scaled.T @ scaled / len(scaled)
        able, first = able[_first_of_alike(gram)], _first_of_alike(gram)
        gram = gram[np.ix_(first, first)]
        for at, target in enumerate(targets.T):
            scale = float(np.sqrt(np.square(target).mean()))
            if scale == 0 or not len(able):
                continue
            moment = scaled[:, first].T @ target / (scale * len(target))
            kept, mean, sd, relevance = _fit(gram, moment, len(target), self.config)
            found["level"][at, able] = scale / size[able] / np.sqrt(self.config.prune)
            terms = able[kept]
            back = scale / size[terms]
            found["coefficients"][at, terms] = mean * back
            found["inclusion"][at, terms] = relevance
            found["low"][at, terms] = (mean - QUANTILE * sd) * back
            found["high"][at, terms] = (mean + QUANTILE * sd) * back
        return found


def _fit(
    gram: Floats, moment: Floats, count: int, settings: RelevanceVectorConfig
) -> tuple[np.ndarray, Floats, Floats, Floats]:
    """Positions of kept terms, posterior mean and deviation, and how far each is determined; all by means over ``count`` samples."""
    kept = np.arange(len(gram))
    precision, noise = np.ones(len(gram)), 10.0
    mean = deviation = relevance = np.zeros(0)
    for _ in range(settings.iterations):
        if not len(kept):
            return kept, np.zeros(0), np.zeros(0), np.zeros(0)
        own = gram[np.ix_(kept, kept)]
        # Scaled by the square root of the prior, so that nothing small is lost beside something large.
        prior = np.sqrt(precision)
        inner = noise * count * own / np.outer(prior, prior) + np.eye(len(kept))
        covariance = np.linalg.inv(inner) / np.outer(prior, prior)
        mean = noise * count * covariance @ moment[kept]
        relevance = np.clip(1 - precision * covariance.diagonal(), 1e-12, 1)
        left = max(1 - 2 * mean @ moment[kept] + mean @ own @ mean, ROUNDING)
        noise = max(count - relevance.sum(), 1.0) / (count * left)
        deviation = np.sqrt(np.maximum(covariance.diagonal(), 0))
        after = relevance / np.maximum(np.square(mean), 1e-300)
        stays = after <= settings.prune
        settled = stays.all() and np.abs(np.log(after / precision)).max() < settings.tolerance
        kept, precision = kept[stays], after[stays]
        if settled:
            break
        mean, deviation, relevance = mean[stays], deviation[stays], relevance[stays]
    return kept, mean, deviation, relevance


def _first_of_alike(gram: Floats) -> np.ndarray:
    """Positions of terms that are no other term times a number, the first of each."""
    alike = np.triu(np.abs(gram) > 1 - ALIKE, 1).any(0)
    return np.flatnonzero(~alike)
