"""Dictionaries of things with parts: do levels leak into each other, and does a child silence its parent?

For dictionaries whose levels are known, as planted ones are. Recovery of each level is
:func:`~pellucid.measures.dictionaries.matching.match_atoms` on the atoms of that level; how far features are of one label is
:func:`~pellucid.measures.class_purity.purity`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.errors import DataError
from pellucid.measures.dictionaries.exactness import defined, unit_rows
from pellucid.measures.dictionaries.matching import cosines


def level_leakage(parents: Tensor, children: Tensor) -> float:
    """Length of a child atom's projection on the span of all parents, mean over children: 0 if the levels are apart.

    Parameters
    ----------
    parents, children : Tensor, shape (feature, unit)
        Atoms of two levels; lengths do not count.

    Returns
    -------
    float
        0 to 1; NaN, with a warning, if there is no child or one has length zero.

    References
    ----------
    Costa et al. (2025), arXiv:2506.03093: children of an upper level are orthogonal to it, given their parent.

    Examples
    --------
    >>> level_leakage(torch.eye(4)[:2], torch.eye(4)[2:])
    0.0
    """
    parents, children = unit_rows(parents), unit_rows(children)
    _, sizes, directions = torch.linalg.svd(parents, full_matrices=False)
    # Parents may be more than their span has dimensions: what is left of those is rounding.
    span = directions[sizes > 1e-10 * sizes.max()] if len(parents) else directions
    lengths = (children @ span.T).norm(dim=1)
    known = bool((children.norm(dim=1) > 0).all())
    return defined(lengths.mean() if known else torch.nan, "level_leakage", "no child, or one of length zero")


def gram_error(atoms: Tensor, truth: Tensor) -> float:
    """How far the angles between the atoms of a level are from the planted ones: 0 if they are the same.

    Root mean square over pairs of different atoms of the difference of their cosines. Atoms are given in the order of
    the planted ones: ``atoms[matching.assigned]``. A rotation of the whole level is forgiven.

    Parameters
    ----------
    atoms, truth : Tensor, shape (feature, unit)

    Raises
    ------
    DataError
        If they differ in shape.
    """
    if atoms.shape != truth.shape:
        raise DataError(f"{tuple(atoms.shape)} atoms for {tuple(truth.shape)} planted ones: assign them first")
    apart = (cosines(atoms, atoms) - cosines(truth, truth)).square()
    pairs = ~torch.eye(len(atoms), dtype=torch.bool, device=apart.device)
    return defined(apart[pairs].mean().sqrt(), "gram_error", "it takes two atoms at least")


def parent_miss_rate(codes: Tensor, parent: Tensor, *, children: Tensor | None = None) -> float:
    """Share of the times that a child is on in which its parent's feature is off: absorption, seen from the codes.

    Parameters
    ----------
    codes : Tensor, shape (row, feature)
        On is above zero.
    parent : Tensor of int, shape (feature,)
        Feature of each feature's parent; -1 for those without.
    children : Tensor of bool, optional, shape (row, feature)
        Where each child is truly present; without it, where its own feature is on.

    Returns
    -------
    float
        NaN, with a warning, if no child is ever there.

    Raises
    ------
    DataError
        If shapes do not fit.

    Examples
    --------
    >>> codes = torch.tensor([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])     # feature 0 is the parent of feature 1
    >>> parent_miss_rate(codes, torch.tensor([-1, 0]))
    0.5
    """
    on = codes > 0
    there = on if children is None else children.bool()
    if there.shape != on.shape or parent.shape != on.shape[1:]:
        raise DataError(
            f"codes have shape {tuple(codes.shape)}, children {tuple(there.shape)} and parents {tuple(parent.shape)}: "
            "expected (row, feature) twice and (feature,)"
        )
    has = parent >= 0
    there, above = there[:, has], on[:, parent[has]]
    missed = (there & ~above).sum(dtype=torch.float64) / there.sum()
    return defined(missed, "parent_miss_rate", "no child is on in any row")
