"""What the numbers in a molecule's graph mean: nine of each atom, three of each bond, all of them whole.

They are those of ``torch_geometric.utils.from_smiles``, column by column and code by code, so that a network written for one reads
the other.
"""

from __future__ import annotations

from pellucid.data import Graph

ATOM_FEATURES = (
    "atomic_number",
    "chirality",
    "degree",
    "formal_charge_plus_5",
    "hydrogens",
    "radical_electrons",
    "hybridisation",
    "aromatic",
    "in_ring",
)
"""Chirality is RDKit's number of the tag (1 clockwise, 2 counterclockwise); degree counts hydrogens too."""

BOND_FEATURES = ("bond_type", "stereo", "conjugated")
"""Type and stereo are RDKit's numbers: types 1, 2 and 3 are single, double and triple, 12 is aromatic, 17 dative."""

CHARGE_AT_ZERO = 5
"""Code of an atom without charge."""

MOST = (118, 8, 10, 11, 8, 4, 7, 1, 1)
"""Highest code of each feature of an atom."""

HYBRIDISATION = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 7, 6: 5, 7: 6, 8: 7}
"""RDKit's number to the code here: unspecified, s, sp, sp2, sp3, sp3d, sp3d2, other. sp2d, which has no code, is another."""

MOST_BOND = (21, 5, 1)
"""Highest code of each feature of a bond."""


def molecule_input() -> Graph:
    """Spec of the input ``molecule``."""
    return Graph(
        node_features=ATOM_FEATURES,
        edge_features=BOND_FEATURES,
        node_word=("atom", "atoms"),
        edge_word=("bond", "bonds"),
    )
