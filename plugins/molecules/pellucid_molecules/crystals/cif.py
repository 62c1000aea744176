"""Reads a structure of a CIF file: cell, symmetry and atoms, each fault with its line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pellucid.errors import DataError
from pellucid_molecules.crystals.crystal import Crystal, Floats, cell_of, fault_of_cell, too_many
from pellucid_molecules.crystals.elements import NUMBERS
from pellucid_molecules.crystals.images import closest_pair

OVERLAP_ANGSTROM = 0.5
"""Two atoms nearer than this are one atom twice, or two that stand for each other: no bond is so short (H2 has 0.74)."""

SAME_ANGSTROM = 0.05
"""Images of an atom under the symmetry that are nearer than this are one: it lies on an axis or a plane."""

WHOLE = 1e-3
"""How far an occupancy may be from 1."""

MOST_BYTES = 50_000_000

_CELL = (
    "_cell_length_a",
    "_cell_length_b",
    "_cell_length_c",
    "_cell_angle_alpha",
    "_cell_angle_beta",
    "_cell_angle_gamma",
)
_PLACES = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")
_OPERATIONS = ("_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz")
_GROUPS = (
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m_alt",
    "_symmetry_int_tables_number",
    "_space_group_it_number",
)
_LETTERS = re.compile(r"[A-Za-z]{1,3}")
_TERM = re.compile(r"([+-]?)(?:(\d+(?:\.\d*)?|\.\d+)(?:/(\d+))?)?\*?([xyz]?)")


@dataclass
class _Loop:
    names: list[str] = field(default_factory=list)
    rows: list[tuple[int, list[str]]] = field(default_factory=list)


@dataclass
class _Block:
    """What stands in a file: single values and loops, with lines from 1."""

    values: dict[str, tuple[int, str]] = field(default_factory=dict)
    loops: list[_Loop] = field(default_factory=list)

    def loop(self, name: str) -> _Loop | None:
        return next((loop for loop in self.loops if name in loop.names), None)


def read_cif(path: Path) -> Crystal:
    """The structure of a file.

    Raises
    ------
    DataError
        As :func:`crystal_of`, or if the file cannot be read.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path}: has more than {MOST_BYTES // 1_000_000} MB, too much for one structure")
        text = path.read_text("utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    return crystal_of(text, str(path))


def crystal_of(text: str, where: str) -> Crystal:
    """The structure that a CIF text describes, all atoms of a cell.

    Parameters
    ----------
    text : str
    where : str
        What the text is called in messages: its file.

    Raises
    ------
    DataError
        Says the line. If there is no cell or no atom, a number is none, an element is unknown, an atom is there in part (an
        occupancy other than 1: the structure is disordered), two atoms overlap, or the symmetry is named and not written out.
    """
    block = _parsed(text, where)
    cell = _cell(block, where)
    atoms = block.loop(_PLACES[0])
    if atoms is None or not atoms.rows:
        raise DataError(f"{where}: holds no atoms with fractional coordinates (_atom_site_fract_x)")
    numbers, fractions, lines = _atoms(atoms, where)
    numbers, fractions, of = _repeated(numbers, fractions, cell, _operations(block, where))
    if fault := too_many(len(numbers)):
        raise DataError(f"{where}: {fault}")
    fractions = fractions % 1.0
    # A tiny negative number modulo 1 is 1.0.
    fractions[fractions >= 1.0] = 0.0
    crystal = Crystal(numbers, fractions, cell)
    one, other, distance = closest_pair(crystal, OVERLAP_ANGSTROM)
    if distance < OVERLAP_ANGSTROM:
        raise DataError(
            f"{where}, line {lines[of[one]]}: this atom overlaps that of line {lines[of[other]]}, {distance:.2f} angstrom away"
            f"{' (in a neighbouring cell, or its image)' if of[one] == of[other] else ''}; leave out one of two places that are "
            "filled by turns"
        )
    return crystal


def _parsed(text: str, where: str) -> _Block:
    block, loop, heads, in_text, blocks = _Block(), None, False, False, 0
    pending: tuple[str, int] | None = None
    for line, raw in enumerate(text.splitlines(), 1):
        if raw.startswith(";"):
            in_text = not in_text
            pending = None
            continue
        stripped = raw.strip()
        if in_text or not stripped or stripped.startswith("#"):
            continue
        low = stripped[:5].lower()
        if low == "data_":
            blocks += 1
            if blocks > 1 and block.loop(_PLACES[0]) is not None:
                raise DataError(f"{where}, line {line}: begins a second structure; give each a file of its own")
            block, loop, pending = (_Block() if blocks > 1 else block), None, None
        elif low == "loop_":
            loop, heads, pending = _Loop(), True, None
            block.loops.append(loop)
        elif stripped.startswith("_"):
            name, _, rest = stripped.partition(" ") if " " in stripped else stripped.partition("\t")
            if loop is not None and heads and not rest.strip():
                loop.names.append(name.lower())
                continue
            loop = None
            said = _value(rest)
            block.values[name.lower()] = (line, said)
            pending = None if said else (name.lower(), line)
        elif loop is not None:
            heads = False
            loop.rows.append((line, _cells(stripped)))
        elif pending is not None:
            block.values[pending[0]] = (line, _value(stripped))
            pending = None
    return block


def _value(text: str) -> str:
    """What is said of a name, without its quotation marks and the note behind it."""
    return " ".join(_cells(text)).strip("'\"").strip()


def _cells(row: str) -> list[str]:
    cells = row.split()
    if "'" in row or '"' in row:
        # A name such as C1' is no open quotation.
        with suppress(ValueError):
            cells = shlex.split(row, comments=False, posix=True)
    note = next((at for at, cell in enumerate(cells) if cell.startswith("#")), len(cells))
    return cells[:note]


def _number(text: str, where: str, line: int, what: str) -> float:
    """A number, whose uncertainty may stand behind it: ``0.123(4)``."""
    try:
        value = float(text.partition("(")[0])
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise DataError(f"{where}, line {line}: {what} is {text[:20]!r}, no number")
    return value


def _cell(block: _Block, where: str) -> Floats:
    found = []
    for name in _CELL:
        if name not in block.values:
            raise DataError(f"{where}: does not say {name}; without its cell a structure has no periodic neighbours")
        line, text = block.values[name]
        found.append(_number(text, where, line, name))
    lengths, angles = found[:3], found[3:]
    line = block.values[_CELL[0]][0]
    cell = cell_of(lengths, angles) if all(0 < angle < 180 for angle in angles) else np.full((3, 3), np.nan)
    if min(lengths) <= 0 or not np.isfinite(cell).all():
        raise DataError(
            f"{where}, line {line}: there is no cell with lengths {lengths} angstrom and angles {angles} degrees"
        )
    if fault := fault_of_cell(cell):
        raise DataError(f"{where}, line {line}: {fault}")
    return cell


def _atoms(loop: _Loop, where: str) -> tuple[np.ndarray, Floats, list[int]]:
    names = loop.names
    symbol = "_atom_site_type_symbol" if "_atom_site_type_symbol" in names else "_atom_site_label"
    if symbol not in names or any(name not in names for name in _PLACES):
        raise DataError(f"{where}: its atoms have no name, or no three coordinates")
    at_symbol, at_places = names.index(symbol), [names.index(name) for name in _PLACES]
    at_part = names.index("_atom_site_occupancy") if "_atom_site_occupancy" in names else None
    numbers, places, lines = [], [], []
    for line, cells in loop.rows:
        if len(cells) != len(names):
            raise DataError(f"{where}, line {line}: {len(cells)} values, but atoms have {len(names)}")
        numbers.append(_element(cells[at_symbol], where, line))
        places.append([_number(cells[at], where, line, names[at]) for at in at_places])
        if at_part is not None and cells[at_part] not in (".", "?"):
            share = _number(cells[at_part], where, line, "an occupancy")
            if abs(share - 1) > WHOLE:
                raise DataError(
                    f"{where}, line {line}: an atom with occupancy {share:g}; a disordered structure is no single one: keep one of "
                    "the places that are filled by turns, with occupancy 1"
                )
        lines.append(line)
    return np.array(numbers, np.int64), np.array(places, float), lines


def _element(text: str, where: str, line: int) -> int:
    letters = _LETTERS.match(text)
    for length in (2, 1):
        # Of "Zn2+" and "Zn1" the letters are the element; "Cl" is chlorine before it is carbon.
        symbol = letters[0][:length].capitalize() if letters else ""
        if symbol in NUMBERS and (len(letters[0]) == len(symbol) if letters else False):
            return NUMBERS[symbol]
    raise DataError(f"{where}, line {line}: there is no element {text[:20]!r}")


def _operations(block: _Block, where: str) -> list[tuple[Floats, Floats]]:
    for name in _OPERATIONS:
        loop = block.loop(name)
        if loop is not None and loop.rows:
            at = loop.names.index(name)
            return [
                # An operation that is written without quotation marks may be parted by spaces.
                _operation(cells[at] if len(cells) == len(loop.names) else "".join(cells), where, line)
                for line, cells in loop.rows
            ]
        if name in block.values:
            line, text = block.values[name]
            return [_operation(text, where, line)]
    for name in _GROUPS:
        line, text = block.values.get(name, (0, ""))
        if text and text.replace(" ", "").upper() not in ("P1", "1", "?", "."):
            raise DataError(
                f"{where}, line {line}: names the space group {text!r} and does not write out its operations "
                f"({_OPERATIONS[0]}); save it with all atoms of the cell (P 1)"
            )
    return [(np.eye(3), np.zeros(3))]


def _operation(text: str, where: str, line: int) -> tuple[Floats, Floats]:
    """``"-x+1/2, y, z"`` as a matrix and a shift."""
    turn, shift = np.zeros((3, 3)), np.zeros(3)
    parts = text.lower().replace(" ", "").split(",")
    if len(parts) != 3:
        raise DataError(f"{where}, line {line}: {text[:40]!r} is no symmetry operation such as '-x, y+1/2, z'")
    for row, part in enumerate(parts):
        for sign, number, over, letter in _terms(part, text, where, line):
            value = (float(number) if number else 1.0) / (float(over) if over else 1.0) * (-1 if sign == "-" else 1)
            if letter:
                turn[row, "xyz".index(letter)] += value
            else:
                shift[row] += value
    return turn, shift


def _terms(part: str, text: str, where: str, line: int) -> Iterator[Sequence[str]]:
    at = 0
    while at < len(part):
        found = _TERM.match(part, at)
        if found is None or not (found[2] or found[4]) or found[3] == "0":
            raise DataError(f"{where}, line {line}: {text[:40]!r} is no symmetry operation such as '-x, y+1/2, z'")
        yield found.groups(default="")
        at = found.end()


def _repeated(
    numbers: np.ndarray, fractions: Floats, cell: Floats, operations: Sequence[tuple[Floats, Floats]]
) -> tuple[np.ndarray, Floats, np.ndarray]:
    """All atoms of the cell, and which of those given each is an image of."""
    of = np.arange(len(numbers))
    if len(operations) == 1:
        return numbers, fractions, of
    kept_of, kept = [], []
    for atom in of.tolist():
        images = np.array([turn @ fractions[atom] + shift for turn, shift in operations]) % 1.0
        chosen: list[Floats] = []
        for image in images:
            gaps = np.array(chosen).reshape(-1, 3) - image
            if not (np.linalg.norm((gaps - gaps.round()) @ cell, axis=1) < SAME_ANGSTROM).any():
                chosen.append(image)
        kept += chosen
        kept_of += [atom] * len(chosen)
    where = np.array(kept_of)
    return numbers[where], np.array(kept), where
