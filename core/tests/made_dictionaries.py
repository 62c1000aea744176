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
