"""Do the atoms or codes of a dictionary agree with planted ones, or with those of another seed?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from pellucid.errors import DataError
from pellucid.measures.dictionaries.exactness import defined, exact, same_rows, unit_rows

RECOVERED = 0.9
"""A planted atom counts as recovered above this similarity with the atom assigned to it."""


class Matching(NamedTuple):
    """What of a planted truth was found."""

    mcc: float
    """Mean similarity of assigned pairs (mean correlation coefficient)."""
    max_cos: float
    """Mean over the truth of the greatest similarity with anything, without assignment: one may stand for many."""
    recovered: float
    """Share of assigned pairs above :data:`RECOVERED`."""
    similarity: Tensor
    """Of each planted thing with the one assigned to it, shape (planted,), float64; NaN where none was left."""
    assigned: Tensor
    """Position of the one assigned to each planted thing, shape (planted,), int64; -1 where none was left."""


def cosines(atoms: Tensor, others: Tensor) -> Tensor:
    """Cosine of every atom (feature, unit) with every other (other, unit), float64; 0 for atoms of length zero."""
    return unit_rows(atoms) @ unit_rows(others).T


def correlations(codes: Tensor, others: Tensor) -> Tensor:
    """Pearson correlation of every column of ``codes`` (row, feature) with every one of ``others`` (row, other).

    float64; 0 for columns that do not vary.
    """
    same_rows(codes=codes, others=others)
    return standardised(codes).T @ standardised(others)


def match_atoms(atoms: Tensor, truth: Tensor, *, signed: bool = True, threshold: float = RECOVERED) -> Matching:
    """Assign learnt atoms to planted ones, one to one, so that their cosines are greatest in sum.

    The trap: with fewer atoms than planted ones only those assigned count, so look at ``assigned`` too. A learnt atom
    of length zero has cosine 0 with everything.

    Parameters
    ----------
    atoms : Tensor, shape (feature, unit)
    truth : Tensor, shape (planted, unit)
    signed : bool
        False takes sizes of cosines, for methods that cannot tell an atom from its negative.
    threshold : float
        Cosine above which a planted atom counts as recovered.

    Returns
    -------
    Matching
        NaN, with a warning, if a planted atom has length zero.

    Raises
    ------
    DataError
        If units differ in number.

    Examples
    --------
    >>> found = match_atoms(torch.tensor([[0.0, 2.0], [3.0, 0.0], [1.0, 1.0]]), torch.eye(2))
    >>> found.mcc, found.assigned.tolist()
    (1.0, [1, 0])
    """
    if atoms.ndim != 2 or truth.ndim != 2 or atoms.shape[1] != truth.shape[1]:
        raise DataError(
            f"atoms have shape {tuple(atoms.shape)} and planted ones {tuple(truth.shape)}, expected (feature, unit) "
            "with the same units"
        )
    known = bool((exact(truth).norm(dim=1) > 0).all())
    return _matched(cosines(truth, atoms), known, signed, threshold, "a planted atom has length zero")


def match_codes(codes: Tensor, truth: Tensor, *, signed: bool = True, threshold: float = RECOVERED) -> Matching:
    """Assign features to planted factors so that the Pearson correlations of their codes are greatest in sum.

    Parameters
    ----------
    codes : Tensor, shape (row, feature)
    truth : Tensor, shape (row, planted)
    signed, threshold
        See :func:`match_atoms`. A feature that does not vary has correlation 0 with everything.

    Returns
    -------
    Matching
        NaN, with a warning, if a planted factor does not vary in these rows.
    """
    known = len(truth) > 0 and bool((standardised(truth).abs().sum(0) > 0).all())
    return _matched(correlations(truth, codes), known, signed, threshold, "a planted factor does not vary")


def stability(dictionaries: Sequence[Tensor]) -> float:
    """Mean cosine of assigned atoms, over all pairs of dictionaries learnt with other seeds: 1 if all are the same.

    Equal to one minus the cosine-Hungarian cost of overcomplete over the number of features.

    Parameters
    ----------
    dictionaries : sequence of Tensor, shape (feature, unit)

    Raises
    ------
    DataError
        If they are of different shapes.

    Examples
    --------
    >>> stability([torch.eye(3), torch.eye(3).flip(0), 2 * torch.eye(3)])
    1.0
    """
    shapes = {tuple(each.shape) for each in dictionaries}
    if len(shapes) > 1:
        raise DataError(f"dictionaries of shapes {sorted(shapes)}: stability compares seeds of one setting")
    pairs = [assign(cosines(one, other)) for one, other in combinations(dictionaries, 2)]
    found = torch.tensor([float(similarity.mean()) for similarity, _, _ in pairs], dtype=torch.float64).mean()
    return defined(found, "stability", "it takes two dictionaries at least, none without atoms")


def coherence(atoms: Tensor) -> float:
    """Greatest size of the cosine of two atoms of one dictionary; 1 if an atom stands twice. Used by overcomplete."""
    sizes = cosines(atoms, atoms).abs().fill_diagonal_(-torch.inf)
    return defined(sizes.max() if sizes.numel() else torch.nan, "coherence", "it takes two atoms at least")


def assign(similarity: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The one-to-one assignment of rows to columns with the greatest sum (Hungarian).

    Parameters
    ----------
    similarity : Tensor, shape (row, column)
        What is not a number is assigned last.

    Returns
    -------
    similarity, row, column : Tensor, shape (pair,)
        As many pairs as there are rows or columns, whichever are fewer; rows increase.
    """
    cost = -similarity.detach().cpu().nan_to_num(nan=-1e6, posinf=1e6, neginf=-1e6).numpy()
    rows, columns = (torch.from_numpy(each) for each in linear_sum_assignment(cost))
    return similarity.detach().cpu()[rows, columns], rows, columns


def standardised(codes: Tensor) -> Tensor:
    """Columns with mean 0 and length 1, float64, so that products are correlations; columns that do not vary are 0."""
    codes = exact(codes)
    centred = codes - codes.mean(0)
    length = centred.norm(dim=0)
    varies = length > 1e-12 * codes.norm(dim=0)
    return torch.where(varies, centred / length, torch.zeros_like(centred))


def _matched(similarity: Tensor, known: bool, signed: bool, threshold: float, unless: str) -> Matching:
    similarity = similarity if signed else similarity.abs()
    pairs, rows, columns = assign(similarity)
    each = pairs.new_full((len(similarity),), torch.nan).index_copy(0, rows, pairs)
    assigned = columns.new_full((len(similarity),), -1).index_copy(0, rows, columns)
    known = known and len(pairs) > 0
    return Matching(
        defined(pairs.mean() if known else torch.nan, "mcc", f"{unless}, or there is nothing to match"),
        float(similarity.max(1).values.mean()) if known else torch.nan,
        float((pairs > threshold).double().mean()) if known else torch.nan,
        each,
        assigned,
    )
