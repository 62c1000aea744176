"""Structural formulas drawn with lines and letters: sharp at any size, in ink alone, so that colours are free for what is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.data.graphs import Graphs
from pellucid.views import INK
from pellucid_molecules.featurising.drawable import molecule_from

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rdkit.Chem import Mol

BOND = 1.5
"""Length of a bond in RDKit's layouts, which is the unit of everything here."""

LETTER = 0.62
"""Height of a letter."""

GAP = 0.17
"""Between the lines of a double bond."""

FADED = "#c9cdd2"
"""Of what is around a place that is drawn alone."""

_BELOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_ABOVE = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")


@dataclass(frozen=True, eq=False)
class Layout:
    """A molecule on paper.

    Parameters
    ----------
    molecule : Mol
        With bonds in turn double and single in aromatic rings, where that can be.
    places : ndarray, shape (atom, 2)
    """

    molecule: Mol
    places: npt.NDArray[np.float64]

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the whole, letters among them."""
        if not len(self.places):
            return 0.0, 0.0
        width, height = np.ptp(self.places, axis=0) + 2 * LETTER
        return float(width), float(height)


def laid_out(graph: Graphs) -> Layout:
    """Lay the molecule of a graph out on paper, its longest side across."""
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDepictor

    molecule = molecule_from(graph)
    with rdBase.BlockLogs():
        plain = Chem.Mol(molecule)
        try:
            Chem.Kekulize(plain, clearAromaticFlags=True)
            molecule = plain
        except Chem.KekulizeException:
            pass
        rdDepictor.Compute2DCoords(molecule)
    places = np.asarray(molecule.GetConformer().GetPositions(), np.float64).reshape(-1, 3)[:, :2]
    return Layout(molecule, places if len(places) < 2 else _across(places))


def _across(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Turned by a right angle where that makes it wider than high."""
    width, height = np.ptp(places, axis=0)
    return places if width >= height else places[:, ::-1] * (1, -1)


def draw_structure(ax: Axes, layout: Layout, points: float, faded: frozenset[int] = frozenset()) -> None:
    """Draw bonds and the letters of atoms.

    Parameters
    ----------
    ax : Axes
        With its limits set.
    layout : Layout
    points : float
        How many typographic points a unit of the layout takes on it.
    faded : frozenset of int
        Atoms that are drawn in grey, with their bonds.
    """
    from matplotlib.collections import LineCollection

    labels = [_label(atom, layout) for atom in layout.molecule.GetAtoms()]
    lines: dict[tuple[str, str], list[npt.NDArray[np.float64]]] = {}
    for bond in layout.molecule.GetBonds():
        begin, end = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        colour = FADED if begin in faded or end in faded else INK
        for line, style in _lines_of(bond, layout, bool(labels[begin]), bool(labels[end])):
            lines.setdefault((colour, style), []).append(line)
    for (colour, style), some in lines.items():
        width = max(0.6, min(1.5, 0.055 * points))
        ax.add_collection(
            LineCollection(some, colors=colour, linewidths=width, linestyles=style, capstyle="round", zorder=3)
        )
    size = max(3.5, LETTER * points)
    for at, (label, (x, y)) in enumerate(zip(labels, layout.places, strict=True)):
        if not label:
            continue
        colour = FADED if at in faded else INK
        text, turned = label
        # The element's letter stands on its atom, hydrogens and charge beside it.
        shift = 0.0 if len(text) == 1 else (0.26 if turned else -0.26) * LETTER / 0.62
        side = "center" if len(text) == 1 else ("right" if turned else "left")
        ax.text(x + shift, y, text, fontsize=size, color=colour, ha=side, va="center_baseline", zorder=4, clip_on=True)


def _label(atom: Any, layout: Layout) -> tuple[str, bool] | None:
    """What is written at an atom, and whether hydrogens stand before it; None for carbon within a chain or ring."""
    charge, hydrogens = atom.GetFormalCharge(), atom.GetTotalNumHs()
    radicals = atom.GetNumRadicalElectrons()
    if atom.GetAtomicNum() == 6 and atom.GetDegree() and not charge and not radicals:
        return None
    symbol = atom.GetSymbol()
    written = "" if not hydrogens else "H" + ("" if hydrogens == 1 else str(hydrogens).translate(_BELOW))
    sign = ""
    if charge:
        sign = ("" if abs(charge) == 1 else str(abs(charge))) + ("+" if charge > 0 else "-")
    marks = sign.translate(_ABOVE) + "•" * radicals
    beside = [layout.places[one.GetIdx()][0] for one in atom.GetNeighbors()]
    turned = bool(written and beside and np.mean(beside) > layout.places[atom.GetIdx()][0] + 0.1)
    return (written + symbol + marks, True) if turned and not marks else (symbol + written + marks, False)


def _lines_of(bond: Any, layout: Layout, at_begin: bool, at_end: bool) -> list[tuple[npt.NDArray[np.float64], str]]:
    """The lines of a bond, each from point to point, with their style."""
    from rdkit.Chem import BondType

    begin, end = layout.places[bond.GetBeginAtomIdx()], layout.places[bond.GetEndAtomIdx()]
    along = end - begin
    length = float(np.hypot(*along))
    if length < 1e-6:
        return []
    along = along / length
    across = np.array([-along[1], along[0]])
    start, stop = begin + along * (0.42 if at_begin else 0), end - along * (0.42 if at_end else 0)
    middle = np.stack([start, stop])
    kind = bond.GetBondType()
    if kind == BondType.SINGLE:
        return [(middle, "solid")]
    if kind == BondType.TRIPLE:
        return [(middle + shift * across, "solid") for shift in (-GAP, 0.0, GAP)]
    if kind in (BondType.DOUBLE, BondType.AROMATIC):
        inside = _inside(bond, layout, across)
        second = "solid" if kind == BondType.DOUBLE else "dashed"
        if inside:
            short = np.stack([start + 0.18 * along, stop - 0.18 * along])
            return [(middle, "solid"), (short + inside * GAP * 1.2 * across, second)]
        return [(middle - GAP / 2 * across, "solid"), (middle + GAP / 2 * across, second)]
    return [(middle, "dashed" if kind in (BondType.DATIVE, BondType.DATIVEONE) else "dotted")]


def _inside(bond: Any, layout: Layout, across: npt.NDArray[np.float64]) -> float:
    """On which side of a bond the middle of its smallest ring lies; 0 where it is in no ring."""
    rings = [ring for ring in bond.GetOwningMol().GetRingInfo().BondRings() if bond.GetIdx() in ring]
    if not rings:
        return 0.0
    ring = min(rings, key=len)
    atoms = {
        atom
        for at in ring
        for one in (bond.GetOwningMol().GetBondWithIdx(at),)
        for atom in (one.GetBeginAtomIdx(), one.GetEndAtomIdx())
    }
    centre = layout.places[sorted(atoms)].mean(0)
    return float(np.sign((centre - layout.places[bond.GetBeginAtomIdx()]) @ across))
