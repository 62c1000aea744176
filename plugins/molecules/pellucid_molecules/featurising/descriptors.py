"""RDKit's descriptors: weight, polarity, counts of groups and the like, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pellucid.data import Vector

if TYPE_CHECKING:
    from rdkit.Chem import Mol

LARGEST = 1e9
"""What is larger is taken as not known: ``Ipc`` grows without bound, and a mean over molecules would be that of one."""


LARGE = 200
"""Atoms above which :data:`SLOW` descriptors are not computed: their time grows with the third power, or faster."""

SLOW = ("Ipc", "AvgIpc")


def descriptor_names() -> tuple[str, ...]:
    """As RDKit calls them, in its order."""
    from rdkit.Chem import Descriptors

    return tuple(name for name, _ in Descriptors.descList)


OBSCURE = ("BCUT2D", "Chi", "VSA", "EState", "Kappa", "PartialCharge", "FpDensity", "BalabanJ", "BertzCT", "HallKierAlpha", "Phi",
           "SPS", "AvgIpc", "Ipc", "ExactMolWt", "HeavyAtomMolWt", "NumRadicalElectrons")  # fmt: skip
"""Parts of names of descriptors of which a chemist cannot say what a high value means, or that another says nearly the same."""


def readable_names() -> tuple[str, ...]:
    """Descriptors that are read as they are called: weight, logP, polar surface, counts of groups, rings and bonds."""
    return tuple(name for name in descriptor_names() if not any(part in name for part in OBSCURE))


def descriptors_input(readable: bool = False) -> Vector:
    """Spec of the input ``descriptors``."""
    return Vector(names=readable_names() if readable else descriptor_names(), units="1")


def descriptors_of(molecule: Mol) -> npt.NDArray[np.float32]:
    """The descriptors of a molecule, shape (descriptor,); NaN where one cannot be computed, is infinite or beyond 1e9.

    Of molecules of more than 200 atoms the information contents ``Ipc`` and ``AvgIpc`` are not computed, which would take minutes.

    Examples
    --------
    >>> from rdkit import Chem
    >>> values = dict(zip(descriptor_names(), descriptors_of(Chem.MolFromSmiles("CCO")), strict=True))
    >>> round(float(values["MolWt"]), 3), float(values["NumHDonors"])
    (46.069, 1.0)
    """
    from rdkit import rdBase
    from rdkit.Chem import Descriptors

    with rdBase.BlockLogs():
        if molecule.GetNumAtoms() <= LARGE:
            found = list(Descriptors.CalcMolDescriptors(molecule, missingVal=np.nan).values())
        else:
            found = [np.nan if name in SLOW else _one(of, molecule) for name, of in Descriptors.descList]
        values = np.array(found, np.float64)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(values) <= LARGEST, values, np.nan).astype(np.float32)


def _one(of: Callable[[Mol], float], molecule: Mol) -> float:
    try:
        return float(of(molecule))
    except Exception:  # noqa: BLE001 - as rdkit's own function does: what a descriptor cannot say of a molecule is missing
        return float("nan")
