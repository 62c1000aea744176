"""Molecules as graphs: every atom and bond is looked at once, and those of a kind seen before cost a look-up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.data.graphs import Graphs
from pellucid.errors import DataError
from pellucid_molecules.featurising.codes import (
    ATOM_FEATURES,
    BOND_FEATURES,
    CHARGE_AT_ZERO,
    HYBRIDISATION,
    MOST,
    MOST_BOND,
)

if TYPE_CHECKING:
    from rdkit.Chem import Mol

MOST_ATOMS = 65_535
"""Of one molecule: atoms are numbered in two bytes."""


@dataclass(frozen=True)
class Packed:
    """The graph of one molecule in as few bytes as it takes; 250 or so for a drug.

    Parameters
    ----------
    atoms : bytes
        One byte a feature, atom after atom.
    ends : bytes
        Two numbers of two bytes an edge: from which atom to which. Every bond is two edges, ordered by their first atom and
        then by their second.
    bonds : bytes
        One byte a feature, edge after edge.
    """

    atoms: bytes
    ends: bytes
    bonds: bytes


def packed(molecules: Iterable[Mol]) -> list[Packed]:
    """The graphs of some molecules, hydrogens as counts of the atoms that hold them.

    Raises
    ------
    DataError
        If an atom or a bond has no code: a charge beyond -5 to 6, more than 8 hydrogens or 4 unpaired electrons, ten neighbours
        or an element beyond 118; if a molecule has more than 65,535 atoms.
    """
    read_atom, read_bond, known_bonds = _readers()
    atoms: list[bytes] = []
    begins: list[int] = []
    ends: list[int] = []
    kinds: list[int] = []
    bonds: list[int] = []
    for molecule in molecules:
        count = molecule.GetNumAtoms()
        if count > MOST_ATOMS:
            raise DataError(f"a molecule of {count:,} atoms; {MOST_ATOMS:,} at most are read")
        atoms.append(b"".join([read_atom(atom) for atom in molecule.GetAtoms()]))
        bonds.append(molecule.GetNumBonds())
        for bond in molecule.GetBonds():
            begin, end, kind = read_bond(bond)
            begins.append(begin)
            ends.append(end)
            kinds.append(kind)
    pairs, of_kind = _both_ways(np.array(begins, np.int64), np.array(ends, np.int64), np.array(kinds, np.int64), bonds)
    places, codes = pairs.tobytes(), np.frombuffer(b"".join(known_bonds), np.uint8).reshape(-1, len(BOND_FEATURES))
    types = codes[of_kind].tobytes()
    stops = np.cumsum([0, *bonds]) * 2
    return [
        Packed(those, places[4 * start : 4 * stop], types[len(BOND_FEATURES) * start : len(BOND_FEATURES) * stop])
        for those, start, stop in zip(atoms, stops[:-1].tolist(), stops[1:].tolist(), strict=True)
    ]


def _both_ways(
    begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], kinds: npt.NDArray[np.int64], bonds: list[int]
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64]]:
    """Each bond of all molecules as two edges, ordered by molecule, first atom and second atom; and their kinds."""
    molecule = np.repeat(np.arange(len(bonds)), bonds)
    first, second = np.concatenate([begins, ends]), np.concatenate([ends, begins])
    order = np.lexsort((second, first, np.tile(molecule, 2)))
    return np.stack([first, second], 1)[order].astype(np.uint16), np.tile(kinds, 2)[order]


def unpacked(some: Iterable[Packed]) -> Graphs:
    """Graphs as a dataset reads them.

    Examples
    --------
    >>> from rdkit import Chem
    >>> water, ethene = unpacked(packed(map(Chem.MolFromSmiles, ("O", "C=C"))))
    >>> water.nodes.tolist(), ethene.edge_values.tolist()
    ([[8.0, 0.0, 2.0, 5.0, 2.0, 0.0, 4.0, 0.0, 0.0]], [[2.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    """
    those = list(some)
    width, bond = len(ATOM_FEATURES), len(BOND_FEATURES)
    return Graphs(
        np.frombuffer(b"".join([one.atoms for one in those]), np.uint8).reshape(-1, width).astype(np.float32),
        np.frombuffer(b"".join([one.ends for one in those]), np.uint16).reshape(-1, 2).astype(np.int64),
        np.array([len(one.atoms) // width for one in those], np.int64),
        np.array([len(one.bonds) // bond for one in those], np.int64),
        np.frombuffer(b"".join([one.bonds for one in those]), np.uint8).reshape(-1, bond).astype(np.float32),
    )


def graphs_of(molecules: Iterable[Mol]) -> Graphs:
    """The graphs of some molecules, with the features of :mod:`~pellucid_molecules.featurising.codes`.

    Raises
    ------
    DataError
        See :func:`packed`.
    """
    return unpacked(packed(molecules))


class _Kinds(dict[tuple[Any, ...], Any]):
    """What each kind of atom or bond is read as, made when it is first met: its bytes, or its number."""

    def __init__(self, names: tuple[str, ...], most: tuple[int, ...]) -> None:
        super().__init__()
        self.names, self.most = names, most

    def coded(self, kind: tuple[Any, ...]) -> bytes:
        codes = [int(value) for value in kind]
        if len(codes) == len(ATOM_FEATURES):
            codes[3] += CHARGE_AT_ZERO
            codes[6] = HYBRIDISATION[codes[6]]
        for name, code, most in zip(self.names, codes, self.most, strict=True):
            if not 0 <= code <= most:
                raise DataError(f"{name} of {code} has no place among the features of a graph, which hold 0 to {most}")
        return bytes(codes)


class _AtomKinds(_Kinds):
    def __missing__(self, kind: tuple[Any, ...]) -> bytes:
        self[kind] = made = self.coded(kind)
        return made


class _BondKinds(_Kinds):
    def __init__(self, names: tuple[str, ...], most: tuple[int, ...]) -> None:
        super().__init__(names, most)
        self.known: list[bytes] = []

    def __missing__(self, kind: tuple[Any, ...]) -> int:
        self.known.append(self.coded(kind))
        self[kind] = number = len(self.known) - 1
        return number


@cache
def _readers() -> tuple[Any, Any, list[bytes]]:
    """Functions that read one atom and one bond, and the kinds of bond met so far.

    Methods are looked up once, as looking one up takes about as long as calling it.
    """
    from rdkit.Chem import Atom, Bond

    atoms, bonds = _AtomKinds(ATOM_FEATURES, MOST), _BondKinds(BOND_FEATURES, MOST_BOND)
    number, chirality, degree, charge = Atom.GetAtomicNum, Atom.GetChiralTag, Atom.GetTotalDegree, Atom.GetFormalCharge
    hydrogens, radicals, hybridisation = Atom.GetTotalNumHs, Atom.GetNumRadicalElectrons, Atom.GetHybridization
    aromatic, in_ring = Atom.GetIsAromatic, Atom.IsInRing
    begin, end, of_type, stereo = Bond.GetBeginAtomIdx, Bond.GetEndAtomIdx, Bond.GetBondType, Bond.GetStereo
    conjugated = Bond.GetIsConjugated

    def read_atom(atom: Atom) -> bytes:
        kind = (
            number(atom),
            chirality(atom),
            degree(atom),
            charge(atom),
            hydrogens(atom),
            radicals(atom),
            hybridisation(atom),
            aromatic(atom),
            in_ring(atom),
        )
        found: bytes = atoms[kind]
        return found

    def read_bond(bond: Bond) -> tuple[int, int, int]:
        return begin(bond), end(bond), bonds[of_type(bond), stereo(bond), conjugated(bond)]

    return read_atom, read_bond, bonds.known
