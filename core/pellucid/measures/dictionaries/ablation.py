"""Are concepts apart in the codes? Features of one are switched off, and probes of the activations say what is left.

Targeted probe perturbation (TPP): switching off the features of one class should hurt its probe and no other. Spurious
correlation removal (SCR): switching off the features of a confounder should make a confounded probe fair again. In
both, what the dictionary does not reconstruct is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import DataError
from pellucid.measures.dictionaries.code_edits import Decode, with_error, without
from pellucid.measures.dictionaries.exactness import defined, exact, indices_of_strongest, same_rows
from pellucid.measures.dictionaries.linear_probes import LinearProbes
from pellucid.measures.dictionaries.probing import mean_difference

NS = (2, 5, 10, 20, 50, 100, 500)
"""Numbers of features that SAEBench switches off; more than there are switches off all."""

LEAST_GAP = 0.001
"""Between confounded and fair accuracy, below which there is no spurious correlation to remove."""

Pool = Callable[[Tensor], Tensor]
"""Activations of shape (sample, position, unit) to what probes read, (sample, unit)."""


class Perturbation(NamedTuple):
    """Targeted probe perturbation at one number of features."""

    score: float
    accuracy: Tensor
    """Of each probe with everything on, shape (class,)."""
    ablated: Tensor
    """Of each probe (second) when the features of a class (first) are off, shape (class, class)."""


class Removal(NamedTuple):
    """Spurious correlation removal in one direction."""

    scores: dict[int, float]
    """By the number of features switched off."""
    base: float
    """Accuracy of the confounded probe."""
    oracle: float
    """Accuracy of the probe that was not confounded."""
    accuracy: dict[int, float]
    """Of the confounded probe, by the number of features switched off."""


def feature_effects(codes: Tensor, labels: Tensor, weight: Tensor, atoms: Tensor, *, absolute: bool = False) -> Tensor:
    """How much each feature says for a class to its probe: ``(mean yes - mean no) * (weight . atom)``.

    Parameters
    ----------
    codes : Tensor, shape (row, feature)
        Pooled codes of training rows.
    labels : Tensor, shape (row,)
        Yes above zero.
    weight : Tensor, shape (unit,)
        Of the probe of the class.
    atoms : Tensor, shape (feature, unit)
    absolute : bool
        False, for TPP: differences below zero count as zero. True, for SCR: the size of the product.

    Returns
    -------
    Tensor, shape (feature,), float64
    """
    difference = mean_difference(codes, labels)
    along = exact(atoms) @ exact(weight)
    return (difference * along).abs() if absolute else difference.clamp(min=0) * along


def ablate(x: Tensor, codes: Tensor, features: Tensor, decode: Decode) -> Tensor:
    """Activations with some features off and the error of the dictionary kept, shape (..., unit).

    Parameters
    ----------
    x : Tensor, shape (..., unit)
    codes : Tensor, shape (..., feature)
    features : Tensor of int or bool
        Positions of features, or a mask.
    decode : callable
    """
    return with_error(x, codes, without(codes, features), decode)


def own_and_others(off: Tensor) -> tuple[Tensor, Tensor]:
    """What each probe has without the features of its own class, and the mean of what it has without another class's.

    Parameters
    ----------
    off : Tensor, shape (class, ..., class)
        Of the probe of a class (last) when the features of a class (first) are off.

    Returns
    -------
    Tensor, Tensor, shape (..., class)
        The second is NaN where there is one class alone.
    """
    own = off.diagonal(dim1=0, dim2=-1)
    others = (off.sum(0) - own) / (len(off) - 1) if len(off) > 1 else torch.full_like(own, torch.nan)
    return own, others


def tpp_score(accuracy: Tensor, ablated: Tensor) -> float:
    """``mean_i [(A_i - A_ii) - mean_{j != i} (A_j - A_ij)]``: what a class loses by its own features, less others' loss.

    Parameters
    ----------
    accuracy : Tensor, shape (class,)
    ablated : Tensor, shape (class, class)
        Of the probe of the second class when the features of the first are off.

    Examples
    --------
    >>> tpp_score(torch.tensor([1.0, 1.0]), torch.tensor([[0.5, 1.0], [1.0, 0.5]]))
    0.5
    """
    # Summed over classes it is the same whether a class's features are compared or, as here, its probe.
    own, others = own_and_others(exact(accuracy) - exact(ablated))
    return defined((own - others).mean(), "tpp", "it takes two classes at least, each with rows")


def targeted_probe_perturbation(
    x: Tensor,
    codes: Tensor,
    labels: Tensor,
    probes: LinearProbes,
    effects: Tensor,
    decode: Decode,
    *,
    ns: Sequence[int] = NS,
    rows: Tensor | None = None,
    pool: Pool | None = None,
) -> dict[int, Perturbation]:
    """TPP at several numbers of features, on test rows.

    Parameters
    ----------
    x : Tensor, shape (row, unit), or (sample, position, unit) with ``pool``
    codes : Tensor, shape (row, feature), or (sample, position, feature)
    labels : Tensor, shape (row, class)
        Yes above zero.
    probes : LinearProbes
        One for each class, from training rows.
    effects : Tensor, shape (class, feature)
        :func:`feature_effects` of each class, from training rows.
    decode : callable
        Codes to activations.
    ns : sequence of int
    rows : Tensor of bool, optional, shape (row, class)
        Rows that count for each probe: :func:`~pellucid.measures.dictionaries.linear_probes.balanced_rows`, without
        which a probe of a rare class cannot lose much.
    pool : callable, optional

    Returns
    -------
    dict
        By the number of features. The score is at most the probe's accuracy above chance; 0 if all classes lose alike.

    Raises
    ------
    DataError
        If rows differ in number, or effects are not one for each class and feature.

    References
    ----------
    Karvonen et al. (2024), arXiv:2411.18895; settings of SAEBench.
    """
    same_rows(x=x, codes=codes, labels=labels)
    if effects.shape != (labels.shape[1], codes.shape[-1]):
        raise DataError(
            f"effects have shape {tuple(effects.shape)}, expected (class, feature), "
            f"({labels.shape[1]}, {codes.shape[-1]})"
        )
    pool = pool or _as_it_is
    accuracy = probes.accuracy(pool(x), labels, rows)
    found = {}
    for n in ns:
        ablated = [
            probes.accuracy(pool(ablate(x, codes, indices_of_strongest(each, n), decode)), labels, rows)
            for each in effects
        ]
        found[n] = Perturbation(tpp_score(accuracy, torch.stack(ablated)), accuracy, torch.stack(ablated))
    return found


def given_back(base: np.ndarray, ablated: np.ndarray, oracle: np.ndarray) -> np.ndarray:
    """:func:`scr_score` of many accuracies at once, all of one shape; NaN where one is not defined."""
    gap = oracle - base
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(gap < LEAST_GAP, np.where(np.isnan(gap), np.nan, 0.0), (ablated - base) / gap)


def scr_score(base: float, ablated: float, oracle: float) -> float:
    """``(ablated - base) / (oracle - base)``: share of what confounding cost that the ablation gives back.

    0 where the denominator is below 0.001, as SAEBench has it: nothing was there to be removed. Can be negative, where
    the ablation harmed, and above 1.

    Parameters
    ----------
    base, ablated, oracle : float
        Accuracies: of the confounded probe, of the same with features off, and of the probe that was not confounded.
    """
    score = given_back(*np.array([base, ablated, oracle])[:, None])
    return defined(float(score[0]), "scr", "an accuracy is not defined")


def spurious_correlation_removal(
    x: Tensor,
    codes: Tensor,
    labels: Tensor,
    confounded: LinearProbes,
    oracle: LinearProbes,
    effects: Tensor,
    decode: Decode,
    *,
    ns: Sequence[int] = NS,
    pool: Pool | None = None,
) -> Removal:
    """SCR at several numbers of features, in one direction, on test rows where label and confounder are independent.

    Parameters
    ----------
    x, codes, decode, ns, pool
        See :func:`targeted_probe_perturbation`.
    labels : Tensor, shape (row,)
        What is to be told; yes above zero.
    confounded, oracle : LinearProbes
        Of one concept: trained where label and confounder always agree, and where they do not.
    effects : Tensor, shape (feature,)
        :func:`feature_effects` of the confounder, with ``absolute=True``, from training rows.

    Raises
    ------
    DataError
        If rows differ in number.

    References
    ----------
    Karvonen et al. (2024), arXiv:2411.18895, after Marks et al. (2024), arXiv:2403.19647.
    """
    same_rows(x=x, codes=codes, labels=labels)
    pool, column = pool or _as_it_is, labels[:, None]
    base, fair = (float(probes.accuracy(pool(x), column)) for probes in (confounded, oracle))
    accuracy = {
        n: float(confounded.accuracy(pool(ablate(x, codes, indices_of_strongest(effects, n), decode)), column))
        for n in ns
    }
    return Removal({n: scr_score(base, found, fair) for n, found in accuracy.items()}, base, fair, accuracy)


def _as_it_is(values: Tensor) -> Tensor:
    return values
