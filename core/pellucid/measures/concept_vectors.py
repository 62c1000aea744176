"""Concept activation vectors: a direction for each concept in a representation, and whether an output leans on it.

A vector points from samples without a concept to samples with it. An output leans on the concept if a small step along the
vector raises it: the derivative of the output in that direction, and the share of samples where it is above zero, the score.
Any direction has a score, a random one too, so a score is compared with those of vectors that were learnt from random examples.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import DataError

Outcome = Callable[[Tensor], Tensor]
"""Representations, shape (sample, unit), to one number a sample, shape (sample,); each sample by itself."""

PENALTY = 1e-2
"""On half the squared length of a logistic vector, beside the mean loss."""

STEPS = 100
"""Newton steps at most; a handful is usual."""


def mean_difference_vectors(x: Tensor, yes: Tensor, known: Tensor | None = None) -> Tensor:
    """From the mean of the samples without a concept to the mean of those with it.

    Parameters
    ----------
    x : Tensor, shape (sample, unit)
    yes : Tensor of bool, shape (sample, concept)
    known : Tensor of bool, optional, shape (sample, concept)
        Samples that count for a concept; all without it.

    Returns
    -------
    Tensor, shape (concept, unit)
        Of length one.

    Raises
    ------
    DataError
        If a concept has no sample with it, or none without it, or both means are the same.
    """
    x, yes, known = _examples(x, yes, known)
    with_it, without = (yes & known).to(x), (~yes & known).to(x)
    return _unit((with_it / with_it.sum(0)).T @ x - (without / without.sum(0)).T @ x)


def logistic_vectors(x: Tensor, yes: Tensor, known: Tensor | None = None, *, l2: float = PENALTY) -> Tensor:
    """Weights of the logistic regression that tells samples with a concept from those without it.

    Parameters
    ----------
    x, yes, known
        See :func:`mean_difference_vectors`. The penalty means the most where units have about the same spread.
    l2 : float
        Above zero: of examples that a plane parts the weights would have no end.

    Returns
    -------
    Tensor, shape (concept, unit)
        Of length one.

    Raises
    ------
    DataError
        As :func:`mean_difference_vectors`, or if the penalty is not above zero.
    """
    if not l2 > 0:
        raise DataError(f"the penalty is {l2}, expected above zero")
    x, yes, known = _examples(x, yes, known)
    return _unit(torch.stack([_logistic(x[k], y[k], l2) for y, k in zip(yes.T, known.T, strict=True)]))


def directional_derivatives(outcome: Outcome, x: Tensor, vectors: Tensor) -> Tensor:
    """How fast an output rises along each vector, shape (sample, concept).

    Parameters
    ----------
    outcome : callable
        Differentiable; see :data:`Outcome`.
    x : Tensor, shape (sample, unit)
    vectors : Tensor, shape (concept, unit)

    Examples
    --------
    >>> x, vectors = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0.0, 1.0]])
    >>> directional_derivatives(lambda x: x[:, 0] * x[:, 1], x, vectors).tolist()
    [[1.0], [3.0]]
    """
    with torch.enable_grad():
        here = x.detach().clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(outcome(here).sum(), here)
    return slope @ vectors.to(slope).T


def tcav_scores(derivatives: Tensor) -> Tensor:
    """Share of samples whose output rises along each vector, shape (concept,), float64."""
    return (derivatives > 0).double().mean(0)


@dataclass(frozen=True)
class ConceptTest:
    """Scores of a concept, and of random examples in its place.

    Parameters
    ----------
    scores, random : ndarray, shape (run,)
        One a draw of examples.
    p : float
        Of a two-sided t test of unequal spread between them. Of several concepts tested, correct it.
    """

    scores: np.ndarray
    random: np.ndarray
    p: float


def tcav_test(
    outcome: Outcome, x: Tensor, examples: Tensor, others: Tensor, *,
    runs: int = 20, size: int | None = None, l2: float = PENALTY, seed: int = 0,
) -> ConceptTest:  # fmt: skip
    """Does an output lean on a concept more, or less, than on random directions?

    Parameters
    ----------
    outcome : callable
    x : Tensor, shape (sample, unit)
        Samples whose outputs are asked about.
    examples : Tensor, shape (example, unit)
        With the concept.
    others : Tensor, shape (other, unit)
        Of any kind, samples without it or simply of everybody.
    runs : int
        Draws of examples, each with a vector of its own; and as many of random ones.
    size : int, optional
        Examples of either side in a draw; half of what there is without it, so that draws differ.
    l2, seed

    Returns
    -------
    ConceptTest

    Raises
    ------
    DataError
        If there are fewer than two draws, or too few examples for a draw.

    References
    ----------
    Kim et al. (2018), Interpretability beyond feature attribution, ICML, arXiv 1711.11279. Deviations: the concept's own
    examples are drawn anew for each vector, too, and Welch's test is made.
    """
    from scipy.stats import ttest_ind

    if runs < 2:
        raise DataError(f"a test needs two draws or more, got {runs}")
    size = size or min(len(examples) // 2, len(others) // 4)
    if size < 2 or size > len(examples) or 2 * size > len(others):
        raise DataError(
            f"draws of {size} need as many examples and twice as many others, got {len(examples)} and {len(others)}"
        )
    generator = torch.Generator().manual_seed(seed)

    def drawn(rows: Tensor, count: int) -> Tensor:
        return rows[torch.randperm(len(rows), generator=generator)[:count].to(rows.device)]

    def score(first: Tensor, second: Tensor) -> float:
        yes = torch.arange(len(first) + len(second), device=first.device)[:, None] < len(first)
        vectors = logistic_vectors(torch.cat([first, second]), yes, l2=l2)
        return float(tcav_scores(directional_derivatives(outcome, x, vectors)))

    scores = np.array([score(drawn(examples, size), drawn(others, size)) for _ in range(runs)])
    pairs = [drawn(others, 2 * size).split(size) for _ in range(runs)]
    random = np.array([score(*pair) for pair in pairs])
    # Where all draws of both say the same, there is no spread to divide by, and no difference either.
    if np.ptp(np.concatenate([scores, random])) == 0:
        return ConceptTest(scores, random, 1.0)
    with warnings.catch_warnings():
        # An output that rises for everybody in every draw has no spread; scipy warns, and is right all the same.
        warnings.simplefilter("ignore", RuntimeWarning)
        return ConceptTest(scores, random, float(ttest_ind(scores, random, equal_var=False).pvalue))


def _examples(x: Tensor, yes: Tensor, known: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    x, yes = x.detach().double(), yes.bool()
    known = torch.ones_like(yes) if known is None else known.bool()
    if len(x) != len(yes) or yes.shape != known.shape or yes.ndim != 2:
        raise DataError(
            f"units of shape {tuple(x.shape)}, concepts {tuple(yes.shape)} and what is known {tuple(known.shape)} do not fit"
        )
    lacking = ((yes & known).sum(0) == 0) | ((~yes & known).sum(0) == 0)
    if bool(lacking.any()):
        which = ", ".join(map(str, torch.nonzero(lacking)[:, 0].tolist()))
        raise DataError(
            f"a vector needs samples with the concept and samples without it; concept(s) {which} lack either"
        )
    return x, yes, known


def _logistic(x: Tensor, yes: Tensor, l2: float) -> Tensor:
    """Weights of the minimum of mean loss and penalty; the intercept is not penalised."""
    from sklearn.linear_model import LogisticRegression

    # scikit-learn weighs the sum of losses, not their mean.
    model = LogisticRegression(C=1 / (l2 * len(x)), solver="newton-cholesky", tol=1e-8, max_iter=STEPS)
    weight = model.fit(x.cpu().numpy(), yes.cpu().numpy()).coef_[0]
    return torch.from_numpy(weight).to(x)


def _unit(vectors: Tensor) -> Tensor:
    lengths = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    if not bool((lengths > 0).all()):
        raise DataError("samples with a concept and those without it are alike: there is no direction between them")
    return (vectors / lengths).float()
