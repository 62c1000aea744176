"""How much the data say for each term of an equation, and for each that was left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

Floats = npt.NDArray[np.float64]

ROUNDS = 100
"""At most, in which precisions settle for terms that are given."""


class RankedTerm(NamedTuple):
    """A term and what it is worth.

    Parameters
    ----------
    name : str
    evidence : float
        Of a kept term, by how much the logarithm of the marginal likelihood falls if it is taken out; of another, by how much it would
        rise at most if it were put in (0 or more). All other precisions stay as they are.
    kept : bool
    """

    name: str
    evidence: float
    kept: bool


def ranked_terms(columns: Floats, target: Floats, coefficients: Floats, names: Sequence[str]) -> tuple[RankedTerm, ...]:
    """Terms of an equation, the most needed first, then those that were left out, the nearest runner-up first.

    Parameters
    ----------
    columns : ndarray, shape (row, term)
    target : ndarray, shape (row,)
    coefficients : ndarray, shape (term,)
        0 for terms that were left out.
    names : sequence of str

    Raises
    ------
    DataError
        If shapes do not fit, or there are no more rows than kept terms.

    Notes
    -----
    Rows are taken for independent: of neighbouring ones numbers are too large, and their order is what they tell. A target that is met
    exactly has no noise to measure by; it is given a millionth of its size.

    References
    ----------
    Tipping and Faul (2003), Fast marginal likelihood maximisation for sparse Bayesian models, AISTATS: their quality and sparsity
    factors. Deviation: terms are given, and their precisions alone settle.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(200, 3))
    >>> y = 2 * x[:, 0] + 0.5 * x[:, 1] + 0.1 * x[:, 2] + 0.1 * np.random.default_rng(1).normal(size=200)
    >>> [(one.name, one.kept) for one in ranked_terms(x, y, np.array([2.0, 0.5, 0.0]), ("a", "b", "c"))]
    [('a', True), ('b', True), ('c', False)]
    """
    rows, terms = columns.shape
    if target.shape != (rows,) or coefficients.shape != (terms,) or len(names) != terms:
        raise DataError(
            f"{rows} rows of {terms} terms do not fit a target of {target.shape}, {len(coefficients)} coefficients and {len(names)} names"
        )
    kept = np.flatnonzero(coefficients)
    if rows <= len(kept):
        raise DataError(f"{rows} rows say nothing of {len(kept)} terms: give more rows")
    size = np.sqrt(np.square(columns).mean(0))
    size[size == 0] = 1.0
    scale = float(np.sqrt(np.square(target).mean())) or 1.0
    x, y = columns / size, target / scale
    of = x[:, kept]
    gram, moment = of.T @ of, of.T @ y
    precision, noise = _settled(gram, moment, float(y @ y), rows)
    covariance = np.linalg.inv(noise * gram + np.diag(precision))
    mean = noise * covariance @ moment
    spread = covariance.diagonal()
    # Of a term within: half of m^2 / S + log(alpha S), its quality and sparsity without itself put together.
    drop = 0.5 * (np.square(mean) / spread + np.log(np.maximum(precision * spread, 1e-300)))
    across = x.T @ of
    sparsity = noise * rows * np.square(x).mean(0) - noise**2 * np.einsum("tk,kl,tl->t", across, covariance, across)
    quality = noise * (x.T @ y - across @ mean)
    ratio = np.square(quality) / np.maximum(sparsity, 1e-300)
    gain = np.where(ratio > 1, 0.5 * (ratio - 1 - np.log(np.maximum(ratio, 1e-300))), 0.0)
    found = [RankedTerm(names[int(at)], float(one), True) for at, one in zip(kept, drop, strict=True)]
    left = [RankedTerm(names[at], float(gain[at]), False) for at in range(terms) if not coefficients[at]]
    return tuple(
        sorted(found, key=lambda one: -one.evidence)
        + sorted(left, key=lambda one: (-one.evidence, names.index(one.name)))
    )


def _settled(gram: Floats, moment: Floats, total: float, rows: int) -> tuple[Floats, float]:
    """Precisions of given terms and of the noise, where they stay as they are."""
    precision, noise = np.ones(len(gram)), 10.0
    for _ in range(ROUNDS):
        covariance = np.linalg.inv(noise * gram + np.diag(precision))
        mean = noise * covariance @ moment
        relevance = np.clip(1 - precision * covariance.diagonal(), 1e-12, 1)
        left = max(total - 2 * mean @ moment + mean @ gram @ mean, 1e-12 * total)
        after, noise = relevance / np.maximum(np.square(mean), 1e-300), max(rows - relevance.sum(), 1.0) / left
        settled = np.allclose(np.log(after), np.log(precision), atol=1e-6)
        precision = after
        if settled:
            break
    return precision, float(noise)
