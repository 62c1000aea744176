"""Structures that grow atom by atom, and how they are written as SMILES."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class Structure:
    """Atoms, bonds between them, and nothing else.

    Examples
    --------
    >>> made = Structure()
    >>> ring = made.ring("cccccn")
    >>> acid = made.branch(ring[2], (("C", -1, ""), ("O", 0, "="), ("O", 0, "")))
    >>> made.smiles()[0]
    'c1cc(ccn1)C(=O)O'
    """

    def __init__(self) -> None:
        self.symbols: list[str] = []
        self.bonds: dict[int, dict[int, str]] = {}

    def __len__(self) -> int:
        return len(self.symbols)

    def atom(self, symbol: str, to: int | None = None, bond: str = "") -> int:
        """Add an atom, as SMILES writes it, bound to another.

        Parameters
        ----------
        symbol : str
        to : int, optional
        bond : {"", "-", "=", "#"}
            Empty: single, or aromatic between two aromatic atoms. A single bond between two of these is ``"-"``.
        """
        self.symbols.append(symbol)
        new = len(self.symbols) - 1
        self.bonds[new] = {}
        if to is not None:
            self.bind(new, to, bond)
        return new

    def bind(self, a: int, b: int, bond: str = "") -> None:
        """Add a bond; one between two aromatic atoms that is not of a ring is single."""
        self.bonds[a][b] = self.bonds[b][a] = bond

    def ring(self, symbols: str, to: int | None = None, at: int = 0) -> tuple[int, ...]:
        """Add a ring of one letter an atom; its atom number ``at`` is bound to another by a single bond."""
        made = tuple(self.atom(symbol) for symbol in symbols)
        for a, b in zip(made, (*made[1:], made[0]), strict=True):
            self.bind(a, b)
        if to is not None:
            both = self.symbols[to].islower() and symbols[at].islower()
            self.bind(made[at], to, "-" if both else "")
        return made

    def branch(self, to: int, pieces: Iterable[tuple[str, int, str]]) -> tuple[int, ...]:
        """Add atoms one after the other: symbol, which of these it is bound to (-1: to what is there), and by what bond."""
        made: list[int] = []
        for symbol, parent, bond in pieces:
            made.append(self.atom(symbol, to if parent < 0 else made[parent], bond))
        return tuple(made)

    def distances(self, start: int) -> list[int]:
        """Bonds on the shortest way from an atom to each."""
        found = {start: 0}
        waiting = deque([start])
        while waiting:
            atom = waiting.popleft()
            for other in self.bonds[atom]:
                if other not in found:
                    found[other] = found[atom] + 1
                    waiting.append(other)
        return [found[atom] for atom in range(len(self))]

    def smiles(self) -> tuple[str, list[int]]:
        """The structure as SMILES, and its atoms in the order in which they stand there."""
        order, children, closures = self._walked()
        place = {atom: at for at, atom in enumerate(order)}
        free = list(range(99, 0, -1))
        number: dict[tuple[int, int], int] = {}

        def written(atom: int) -> str:
            text = self.symbols[atom]
            for a, b in sorted(closures, key=lambda pair: place[pair[1]]):
                if atom == b:
                    text += _closure(number[a, b])
                    free.append(number[a, b])
                elif atom == a:
                    number[a, b] = free.pop()
                    text += self.bonds[a][b] + _closure(number[a, b])
            branches = [self.bonds[atom][child] + written(child) for child in children[atom]]
            return text + "".join(f"({branch})" for branch in branches[:-1]) + "".join(branches[-1:])

        return written(order[0]), order

    def _walked(self) -> tuple[list[int], dict[int, list[int]], list[tuple[int, int]]]:
        """Atoms by depth first, which come from which, and bonds that close a ring, from the atom met first."""
        order: list[int] = []
        children: dict[int, list[int]] = {atom: [] for atom in self.bonds}
        closures: list[tuple[int, int]] = []

        def walk(atom: int, parent: int) -> None:
            order.append(atom)
            for other in self.bonds[atom]:
                if other == parent:
                    continue
                if other not in order:
                    children[atom].append(other)
                    walk(other, atom)
                elif (atom, other) not in closures:
                    closures.append((other, atom))

        walk(0, -1)
        return order, children, closures


def _closure(number: int) -> str:
    return str(number) if number < 10 else f"%{number}"
