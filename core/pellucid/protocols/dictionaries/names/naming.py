"""Names of features from what people said of samples: found on some subjects, so that others can try them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.measures.concept_naming import chosen_names, enrichment, scores_of_counts
from pellucid.protocols.dictionaries.pooled import LABEL, Pooled
from pellucid.statistics.false_discovery import benjamini_hochberg

HIGH = "high "
"""Begins the attribute that a rating or a number becomes: more than the median of the samples that name."""

SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Shares of naming samples above whose limit a single unit may count as firing; the best one is taken."""


@dataclass(frozen=True)
class Attributes:
    """What samples have or have not.

    Parameters
    ----------
    names : tuple of str
    naming, tried : ndarray, shape (sample, attribute)
        1, 0, or NaN where nobody said, of the samples that name and of those that the names are tried on.
    """

    names: tuple[str, ...]
    naming: np.ndarray
    tried: np.ndarray

    @classmethod
    def of(cls, naming: Mapping[str, np.ndarray], tried: Mapping[str, np.ndarray]) -> Attributes:
        """Labels as they are; ratings and numbers by whether they are above the median of the samples that name."""
        names, columns, others = [], [], []
        for name, values in naming.items():
            other = tried[name]
            if not name.startswith(LABEL):
                known = values[np.isfinite(values)]
                limit = np.median(known) if len(known) else np.nan
                values, other = (np.where(np.isfinite(v), v > limit, np.nan) for v in (values, other))
                name = f"{HIGH}{name.removeprefix('concept ')}"
            # What all have or nobody has cannot tell a feature from another.
            if np.nanmin(values, initial=1) < np.nanmax(values, initial=0):
                names.append(name)
                columns.append(values)
                others.append(other)
        if not names:
            return cls((), np.zeros((0, 0)), np.zeros((0, 0)))
        return cls(tuple(names), np.column_stack(columns), np.column_stack(others))


@dataclass(frozen=True)
class Names:
    """Features that have a name.

    Parameters
    ----------
    features, attributes : ndarray of int, shape (named,)
    lift, q : ndarray, shape (named,)
    """

    features: np.ndarray
    attributes: np.ndarray
    lift: np.ndarray
    q: np.ndarray

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True)
class Rules:
    """ "Has the attribute, so the feature fires", tried on samples; numbers of samples weigh them, shape (..., sample).

    Parameters
    ----------
    has, fires, known : ndarray, shape (sample, named)
        0 and 1; what is not known of a sample counts neither way.
    """

    has: np.ndarray
    fires: np.ndarray
    known: np.ndarray

    @classmethod
    def of(cls, names: Names, fires: np.ndarray, attributes: np.ndarray) -> Rules:
        """Of the named features, from whether each feature fires, shape (sample, feature), and attributes of the samples."""
        said = attributes[:, names.attributes]
        known = np.isfinite(said)
        return cls((said == 1).astype(float), (fires[:, names.features] & known).astype(float), known.astype(float))

    def counts(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Weight of samples that have and fire, that have, that fire, and that are known; shape (..., named)."""
        return weights @ (self.has * self.fires), weights @ self.has, weights @ self.fires, weights @ self.known

    def scores(self, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Precision, recall and F1, shape (..., named); NaN where no sample has, fires, or either."""
        found = scores_of_counts(*self.counts(np.ones(len(self.has)) if weights is None else weights))
        return found.precision, found.recall, found.f1

    def by_chance(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same of features that fire as often, whatever a sample has."""
        both, having, firing, known = self.counts(np.ones(len(self.has)))
        with np.errstate(invalid="ignore", divide="ignore"):
            return firing / known, having / known, scores_of_counts(both, having, firing, known).chance_f1


def found_names(strength: np.ndarray, fires: np.ndarray, attributes: np.ndarray, top: int, level: float) -> Names:
    """Name features after attributes of the samples that excite them most.

    Parameters
    ----------
    strength, fires : ndarray, shape (sample, feature)
    attributes : ndarray, shape (sample, attribute)
        1, 0, or NaN where nobody said; each is compared on the samples of which it is known.
    top, level
        See :func:`~pellucid.measures.concept_naming.name_latents`.
    """
    shape = (strength.shape[1], attributes.shape[1])
    lift, p = np.full(shape, np.nan), np.ones(shape)
    patterns, of = np.unique(np.isfinite(attributes), axis=1, return_inverse=True)
    for at, known in enumerate(patterns.T):
        columns = np.flatnonzero(of.ravel() == at)
        if known.any():
            one = enrichment(strength[known], attributes[np.ix_(known, columns)], fires=fires[known], top=top)
            lift[:, columns], p[:, columns] = one.lift, one.p
    q = benjamini_hochberg(p)
    best, named = chosen_names(lift, p, q, level)
    features = np.flatnonzero(named)
    best = best[features]
    return Names(features, best, lift[features, best], q[features, best])


def unit_rules(
    raw: Sequence[Sequence[Pooled]], at: np.ndarray, attributes: Attributes, top: int, level: float
) -> Rules:
    """Names of the layer's single units, tried as those of features are.

    A unit has no zero below which it is silent. It fires above a limit or below one, that of several limits under which
    its name holds best on the samples that name.

    Parameters
    ----------
    raw : sequence of (Pooled, Pooled)
        Samples that name and samples that are tried: the largest values of units over positions, and those of what they are
        times -1. The one does not follow from the other where samples have several positions.
    at : ndarray of int
        Of the naming samples, those that are asked.
    """
    units = raw[0][0].codes.shape[1]
    said = attributes.naming[at]
    best = np.full(units, -1.0)
    has, fires, known = (np.zeros((len(attributes.tried), units)) for _ in range(3))
    for naming, tried in raw:
        here, there = naming.codes[at], tried.codes
        for share in SHARES:
            limit = np.quantile(here, 1 - share, axis=0)
            names = found_names(here, here > limit, said, top, level)
            own = Rules.of(names, here > limit, said).scores()[2]
            other = Rules.of(names, there > limit, attributes.tried)
            better = own > best[names.features]
            chosen = names.features[better]
            best[chosen] = own[better]
            for kept, new in ((has, other.has), (fires, other.fires), (known, other.known)):
                kept[:, chosen] = new[:, better]
    named = best >= 0
    return Rules(has[:, named], fires[:, named], known[:, named])
