"""From a graph back to a molecule: what its features leave open is not made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.data.graphs import Graphs
from pellucid.errors import DataError
from pellucid_molecules.featurising.codes import ATOM_FEATURES, BOND_FEATURES, CHARGE_AT_ZERO, MOST, MOST_BOND

if TYPE_CHECKING:
    from rdkit.Chem import Mol

AROMATIC = 12
"""Code of an aromatic bond."""


def molecule_from(graph: Graphs) -> Mol:
    """The molecule of one graph: elements, charges, hydrogens, radicals and types of bonds, atoms in the graph's order.

    Stereo marks and isotopes are left out: the features do not say in relation to what a tag is clockwise, and hold no masses.
    Features that are no whole numbers, as a decoder gives them, are rounded. A molecule that cannot be is made all the same, with
    its valences unchecked, so that it can be drawn.

    Parameters
    ----------
    graph : Graphs
        One graph with the features of :mod:`~pellucid_molecules.featurising.codes`. Of the two edges of a bond one is enough.

    Raises
    ------
    DataError
        If there is not one graph, or it has other features.

    Examples
    --------
    >>> from rdkit import Chem
    >>> from pellucid_molecules.featurising.graphs import graphs_of
    >>> Chem.MolToSmiles(molecule_from(graphs_of([Chem.MolFromSmiles("C[N+](C)(C)CC(=O)[O-]")])))
    'C[N+](C)(C)CC(=O)[O-]'
    """
    from rdkit import Chem, rdBase

    edge_values = graph.edge_values
    assert edge_values is not None
    if len(graph) != 1:
        raise DataError(f"one molecule is made of one graph; {len(graph)} are given")
    if graph.nodes.shape[1] != len(ATOM_FEATURES) or (len(graph.edges) and edge_values.shape[1] != len(BOND_FEATURES)):
        raise DataError(
            f"a graph with {graph.nodes.shape[1]} features of each node and {edge_values.shape[1]} of each edge is no molecule's, "
            f"which has {len(ATOM_FEATURES)} ({', '.join(ATOM_FEATURES)}) and {len(BOND_FEATURES)} ({', '.join(BOND_FEATURES)})"
        )
    codes = graph.nodes.round().clip(0, MOST).astype(int)
    types = edge_values.round().clip(0, MOST_BOND).astype(int) if len(graph.edges) else edge_values.astype(int)
    made = Chem.RWMol()
    for number, _, _, charge, hydrogens, radicals, _, aromatic, _ in codes.tolist():
        atom = Chem.Atom(number)
        atom.SetFormalCharge(charge - CHARGE_AT_ZERO)
        atom.SetNumExplicitHs(hydrogens)
        atom.SetNoImplicit(True)
        atom.SetNumRadicalElectrons(radicals)
        atom.SetIsAromatic(bool(aromatic))
        made.AddAtom(atom)
    for (begin, end), (kind, *_) in zip(graph.edges.tolist(), types.tolist(), strict=True):
        if begin == end or made.GetBondBetweenAtoms(begin, end) is not None:
            continue
        made.AddBond(begin, end, Chem.BondType.values[kind])
        made.GetBondBetweenAtoms(begin, end).SetIsAromatic(kind == AROMATIC)
    with rdBase.BlockLogs():
        whole: Mol = made.GetMol()
        tried = Chem.Mol(whole)
        if Chem.SanitizeMol(tried, catchErrors=True) == Chem.SanitizeFlags.SANITIZE_NONE:
            return tried
        whole.UpdatePropertyCache(strict=False)
        Chem.FastFindRings(whole)
    return whole
