"""Molecules that somebody has in memory: SMILES, molecules of RDKit, graphs of torch_geometric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.data.graphs import Graphs
from pellucid.errors import DataError
from pellucid_molecules.featurising.codes import ATOM_FEATURES, BOND_FEATURES
from pellucid_molecules.featurising.drawable import molecule_from
from pellucid_molecules.featurising.examining import Examined, examined_molecules
from pellucid_molecules.featurising.graphs import Packed, graphs_of
from pellucid_molecules.featurising.structures import Salts, molecule_of

if TYPE_CHECKING:
    from rdkit.Chem import Mol


def given(objects: Any, salts: Salts) -> tuple[list[Examined], list[str]]:
    """Look at molecules in memory; what was found out, and their SMILES as given, else canonical.

    Parameters
    ----------
    objects : str, Mol or Data, or a list of these, or a column of a table (array, Series)
    salts : {"keep", "largest"}

    Raises
    ------
    DataError
        Says which one cannot be used, and why.
    """
    # A column of a table is a list too; graphs have no ``tolist``.
    column = hasattr(objects, "tolist") and getattr(objects, "ndim", 0) == 1
    several = list(objects) if column or isinstance(objects, list | tuple) else [objects]
    if not several:
        raise DataError("no molecules are given; give a list of SMILES, or of molecules of RDKit")
    molecules = []
    for at, one in enumerate(several):
        try:
            molecules.append(_molecule(one))
        except DataError as error:
            raise DataError(f"{_nth(at, len(several))}: {error}") from None
    found = examined_molecules(molecules, salts)
    for at, seen in enumerate(found):
        if seen.why:
            raise DataError(f"{_nth(at, len(several))}: {seen.why}")
    for at, one in enumerate(several):
        if _is_graph(one) and salts == "keep":
            found[at] = _as_given(found[at], one, _nth(at, len(several)))
    return found, [one if isinstance(one, str) else seen.smiles for one, seen in zip(several, found, strict=True)]


def _nth(at: int, count: int) -> str:
    return "the molecule given" if count == 1 else f"molecule {at + 1} of the {count} given"


def _molecule(one: Any) -> Mol:
    if isinstance(one, str):
        return molecule_of(one)
    # By its attributes: whoever has such a graph has imported torch_geometric, and nobody else needs to.
    if _is_graph(one):
        return molecule_from(_graph(one))
    from rdkit import Chem

    if isinstance(one, Chem.Mol):
        whole = Chem.Mol(one)
        if Chem.SanitizeMol(whole, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
            problems = [problem.Message() for problem in Chem.DetectChemistryProblems(one)]
            raise DataError(
                f"it cannot be a molecule: {problems[0] if problems else 'RDKit cannot bring it into order'}"
            )
        return whole
    raise DataError(
        f"no molecule can be made from a {type(one).__name__}; give SMILES, an rdkit.Chem.Mol or a torch_geometric.data.Data with the "
        "features of torch_geometric.utils.from_smiles"
    )


def _is_graph(one: Any) -> bool:
    return all(hasattr(one, name) for name in ("x", "edge_index", "edge_attr"))


def _graph(one: Any) -> Graphs:
    """A graph of torch_geometric, or its refusal."""
    if one.x is None or one.edge_index is None or one.edge_attr is None:
        raise DataError("a graph without x, edge_index or edge_attr is no molecule's")
    nodes, edges, values = (np.asarray(part.detach().cpu()) for part in (one.x, one.edge_index, one.edge_attr))
    if nodes.ndim != 2 or edges.ndim != 2 or len(edges) != 2 or values.ndim != 2:
        raise DataError(
            f"x of shape {nodes.shape}, edge_index {edges.shape} and edge_attr {values.shape} are no molecule's"
        )
    return Graphs.of(nodes, edges.T, values)


def _as_given(seen: Examined, one: Any, called: str) -> Examined:
    """The same with the features as given: stereo marks, which a molecule made of a graph has not.

    Raises
    ------
    DataError
        If what is no mark of stereo differs from the features of the molecule that the graph describes.
    """
    graph, made = _graph(one), graphs_of([molecule_from(_graph(one))])
    order = np.lexsort((graph.edges[:, 1], graph.edges[:, 0]))
    values = graph.edge_values
    assert values is not None
    assert made.edge_values is not None
    atoms = [at for at, name in enumerate(ATOM_FEATURES) if name != "chirality"]
    bonds = [at for at, name in enumerate(BOND_FEATURES) if name != "stereo"]
    same = (
        np.array_equal(graph.nodes[:, atoms], made.nodes[:, atoms])
        and np.array_equal(graph.edges[order], made.edges)
        and np.array_equal(values[order][:, bonds], made.edge_values[:, bonds])
    )
    if not same:
        raise DataError(
            f"{called}: its features are not those that torch_geometric.utils.from_smiles gives the molecule {seen.smiles}; make it "
            "with that function, hydrogens and aromatic bonds as they are, or give the SMILES"
        )
    packed = Packed(
        graph.nodes.astype(np.uint8).tobytes(),
        graph.edges[order].astype(np.uint16).tobytes(),
        values[order].astype(np.uint8).tobytes(),
    )
    return Examined(seen.smiles, seen.scaffold, seen.parent, seen.parts, seen.left_out, packed)
