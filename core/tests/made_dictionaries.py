"""Planted dictionaries: rows that are sums of few known atoms, and how well atoms that were learnt match the known ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def unit(rows: Tensor) -> Tensor:
    return torch.nn.functional.normalize(rows, dim=1)


@dataclass(frozen=True)
class Planted:
    """Rows, and the atoms and codes that they were made of."""

    rows: Tensor
    atoms: Tensor
    codes: Tensor


def planted_atoms(rows: int = 40_000, units: int = 32, atoms: int = 64, active: float = 4.0, seed: int = 0) -> Planted:
    """Each atom is in a row by a chance of ``active`` in all atoms, as strongly as 0.5 to 1.5."""
    # numpy's chance: with torch's, atoms drawn from a seed would be the very ones that a dictionary of that seed starts at.
    random = np.random.default_rng(seed)
    true = unit(torch.from_numpy(random.normal(size=(atoms, units)).astype(np.float32)))
    strength = (random.random((rows, atoms)) < active / atoms) * random.uniform(0.5, 1.5, (rows, atoms))
    codes = torch.from_numpy(strength.astype(np.float32))
    return Planted(codes @ true, true, codes)


def names(count: int) -> tuple[str, ...]:
    return tuple(f"u{at}" for at in range(count))


# Written out, so that tests of dictionaries do not lean on the measures that protocols report.
def matched_cosines(found: Tensor, true: Tensor) -> np.ndarray:
    """Cosines of the best one-to-one match of atoms, one a true atom (0 where none is left)."""
    alike = (unit(found.detach().double()) @ unit(true.double()).T).numpy()
    at, of = linear_sum_assignment(-alike)
    cosines = np.zeros(len(true))
    cosines[of] = alike[at, of]
    return cosines


def explained_variance(rows: Tensor, found: Tensor) -> float:
    """Share of the variance about the mean that a reconstruction keeps."""
    left = (rows - found).double().square().sum()
    return float(1 - left / (rows - rows.mean(0)).double().square().sum())


def dead_share(codes: Tensor) -> float:
    """Share of features that no row has."""
    return float((codes == 0).all(0).double().mean())


CHILDREN, HIERARCHY_UNITS = 72, 96


def hierarchy(rows: int, absorbed: bool, seed: int, kept: float = 0.0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rows, codes, labels and atoms of a parent with 72 rare children, of which each row with the parent has one.

    A tenth of the parent's rows have no child. In a clean dictionary the parent's feature is on in all of its rows; in
    an absorbed one each child's atom carries the parent too (but for a share ``kept``), and the parent's is off.
    """
    basis = torch.linalg.qr(torch.randn(HIERARCHY_UNITS, HIERARCHY_UNITS, generator=torch.Generator().manual_seed(5)))[
        0
    ]
    parent, children, others = basis[0], basis[1 : CHILDREN + 1], basis[CHILDREN + 1 :]
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(rows) % 2
    # Equally many rows for each child, so that none is frequent enough to be a main feature by luck.
    turn = torch.arange(rows) // 2
    plain = (labels == 1) & (turn % 10 == 0)
    child = torch.where((labels == 1) & ~plain, turn % CHILDREN, -1)
    # Rows without the parent hold other things, as words of other letters do.
    other_codes = (torch.rand(rows, len(others), generator=generator) < 0.2) * (1.0 - labels[:, None])
    child_codes = torch.zeros(rows, CHILDREN)
    has = torch.arange(rows)[child >= 0]
    child_codes[has, child[has]] = 1.0
    x = labels[:, None] * parent + child_codes @ children + other_codes @ others
    if not absorbed:
        codes = torch.cat([labels[:, None].float(), child_codes, other_codes], dim=1)
        return x, codes, labels[:, None], torch.cat([parent[None], children, others])
    carried = (1 - kept) * parent + children
    length = carried.norm(dim=1, keepdim=True)
    parent_codes = torch.where(child >= 0, kept, labels.float())
    codes = torch.cat([parent_codes[:, None], child_codes * length[0], other_codes], dim=1)
    atoms = torch.cat([parent[None], carried / length, others])
    assert torch.allclose(codes @ atoms, x, atol=1e-5)
    return x, codes, labels[:, None], atoms
