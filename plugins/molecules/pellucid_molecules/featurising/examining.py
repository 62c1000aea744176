"""Structures looked at once: graph, canonical SMILES, scaffold and parent of each, or why it cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pellucid.errors import DataError
from pellucid_molecules.featurising.codes import ATOM_FEATURES
from pellucid_molecules.featurising.graphs import Packed, packed
from pellucid_molecules.featurising.scaffolds import parent_of, scaffold_of
from pellucid_molecules.featurising.structures import Format, Salts, largest_part, molecule_of

if TYPE_CHECKING:
    from rdkit.Chem import Mol


NONE = Packed(b"", b"", b"")
"""The graph of what cannot be used."""


@dataclass(frozen=True)
class Examined:
    """What is kept of a structure.

    Parameters
    ----------
    smiles : str
        Canonical, with stereo marks, of the part that is kept.
    scaffold : str
    parent : str
        See :func:`~pellucid_molecules.featurising.scaffolds.parent_of`.
    parts : int
        Molecules that the structure is made of.
    left_out : int
        Atoms of the parts that are not kept.
    graph : Packed
    why : str
        Why it cannot be used; empty where it can, and all else is empty where it cannot.
    """

    smiles: str = ""
    scaffold: str = ""
    parent: str = ""
    parts: int = 0
    left_out: int = 0
    graph: Packed = NONE
    why: str = ""

    @property
    def atoms(self) -> int:
        """How many, hydrogens that follow from valence not among them."""
        return len(self.graph.atoms) // len(ATOM_FEATURES)


def examined(texts: Sequence[str], format: Format, salts: Salts) -> list[Examined]:
    """Look at some structures."""
    found: list[Examined | None] = []
    molecules: list[Mol] = []
    for text in texts:
        try:
            molecules.append(molecule_of(text, format))
            found.append(None)
        except DataError as error:
            found.append(Examined(why=str(error)))
    made = iter(examined_molecules(molecules, salts))
    return [next(made) if one is None else one for one in found]


def examined_molecules(molecules: Sequence[Mol], salts: Salts) -> list[Examined]:
    """Look at some molecules; atoms keep their order."""
    kept: list[Mol] = []
    parts: list[int] = []
    for molecule in molecules:
        part, count = largest_part(molecule)
        kept.append(part if salts == "largest" else molecule)
        parts.append(count)
    try:
        graphs: list[Packed | str] = list(packed(kept))
    except DataError:
        # One of them has no graph: which one is found by asking one by one, which takes longer.
        graphs = [_graph(one) for one in kept]
    return [
        _kept(molecule, one, count, graph)
        for molecule, one, count, graph in zip(molecules, kept, parts, graphs, strict=True)
    ]


def _graph(molecule: Mol) -> Packed | str:
    try:
        return packed([molecule])[0]
    except DataError as error:
        return str(error)


def _kept(molecule: Mol, kept: Mol, parts: int, graph: Packed | str) -> Examined:
    from rdkit import Chem

    why = graph if isinstance(graph, str) else _unusable(graph)
    if why:
        return Examined(why=why)
    assert isinstance(graph, Packed)
    left_out = molecule.GetNumAtoms() - kept.GetNumAtoms()
    return Examined(Chem.MolToSmiles(kept), scaffold_of(kept), parent_of(kept), parts, left_out, graph)


def _unusable(graph: Packed) -> str:
    """Why a graph does not say what its molecule is; empty where it does."""
    if not graph.atoms:
        return "it has no atoms"
    strange = graph.atoms[:: len(ATOM_FEATURES)].find(0)
    if strange >= 0:
        # No option keeps it: it weighs nothing, so masses, descriptors and scaffolds of such a structure would be of no molecule.
        return (
            f"atom {strange} is of no element ('*', 'R' or an attachment point): that is a fragment, a repeat unit or a pattern, and no "
            "molecule that a label was measured of; write what stands there (hydrogen closes a fragment)"
        )
    return ""
