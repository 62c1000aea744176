"""Elements: their numbers, which are metals, and how large an atom is where a probe meets it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SYMBOLS = (
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "Ar", "K", "Ca", "Sc", "Ti", "V",
    "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr", "Rb", "Sr", "Y", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh",
    "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I", "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho",
    "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac",
    "Th", "Pa", "U", "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf", "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg",
    "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og",
)  # fmt: skip
"""By atomic number, from 1."""

NUMBERS = {symbol: at for at, symbol in enumerate(SYMBOLS, 1)} | {"D": 1, "T": 1}
"""Atomic numbers; deuterium and tritium are hydrogen."""

NONMETALS = frozenset((
    "H", "He", "B", "C", "N", "O", "F", "Ne", "Si", "P", "S", "Cl", "Ar", "As", "Se", "Br", "Kr", "Te", "I", "Xe", "At", "Rn", "Ts",
    "Og",
))  # fmt: skip
"""Metalloids among them; germanium and antimony count as metals."""

_RADII_ANGSTROM = {
    "H": 1.09, "He": 1.40, "Li": 1.82, "C": 1.70, "N": 1.55, "O": 1.52, "F": 1.47, "Ne": 1.54, "Na": 2.27, "Mg": 1.73, "Si": 2.10,
    "P": 1.80, "S": 1.80, "Cl": 1.75, "Ar": 1.88, "K": 2.75, "Ni": 1.63, "Cu": 1.40, "Zn": 1.39, "Ga": 1.87, "As": 1.85, "Se": 1.90,
    "Br": 1.85, "Kr": 2.02, "Pd": 1.63, "Ag": 1.72, "Cd": 1.58, "In": 1.93, "Sn": 2.17, "Te": 2.06, "I": 1.98, "Xe": 2.16, "Pt": 1.72,
    "Au": 1.66, "Hg": 1.55, "Tl": 1.96, "Pb": 2.02, "U": 1.86,
}  # fmt: skip
"""Van der Waals radii after Bondi (1964), doi:10.1021/j100785a001; of hydrogen after Rowland and Taylor (1996), doi:10.1021/jp953141+."""

OTHER_RADIUS_ANGSTROM = 2.0
"""Of elements that the tables lack, as crystallographers' software has it."""

RADII_ANGSTROM: npt.NDArray[np.float64] = np.array(
    [np.nan, *(_RADII_ANGSTROM.get(symbol, OTHER_RADIUS_ANGSTROM) for symbol in SYMBOLS)]
)
"""By atomic number."""

IS_METAL: npt.NDArray[np.bool_] = np.array([False, *(symbol not in NONMETALS for symbol in SYMBOLS)])
"""By atomic number."""

MASSES: npt.NDArray[np.float64] = np.array((
    np.nan, 1.008, 4.003, 6.94, 9.012, 10.81, 12.011, 14.007, 15.999, 18.998, 20.180, 22.990, 24.305, 26.982, 28.085, 30.974, 32.06,
    35.45, 39.948, 39.098, 40.078, 44.956, 47.867, 50.942, 51.996, 54.938, 55.845, 58.933, 58.693, 63.546, 65.38, 69.723, 72.630,
    74.922, 78.971, 79.904, 83.798, 85.468, 87.62, 88.906, 91.224, 92.906, 95.95, 97, 101.07, 102.91, 106.42, 107.87, 112.41, 114.82,
    118.71, 121.76, 127.60, 126.90, 131.29, 132.91, 137.33, 138.91, 140.12, 140.91, 144.24, 145, 150.36, 151.96, 157.25, 158.93,
    162.50, 164.93, 167.26, 168.93, 173.05, 174.97, 178.49, 180.95, 183.84, 186.21, 190.23, 192.22, 195.08, 196.97, 200.59, 204.38,
    207.2, 208.98, 209, 210, 222, 223, 226, 227, 232.04, 231.04, 238.03, 237, 244, 243, 247, 247, 251, 252, 257, 258, 259, 262, 267,
    270, 269, 270, 270, 278, 281, 281, 285, 286, 289, 289, 293, 293, 294,
))  # fmt: skip
"""Relative atomic masses by atomic number (IUPAC, abridged); of elements without a stable isotope the longest-lived one's."""
