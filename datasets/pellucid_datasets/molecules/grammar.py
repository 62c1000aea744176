"""Which molecules there are: rings with linkers between them and groups on them, or long chains with rings far apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid_datasets.molecules.structures import Structure

RINGS = ("cccccc", "ccccnc", "cncncc", "coccc", "csccc", "CCCCCC", "CCCCC", "CCOCCC")
"""Benzene, pyridine, pyrimidine, furan, thiophene, cyclohexane, cyclopentane, oxane; their carbons can be bound to."""

GROUPS: dict[str, tuple[tuple[str, int, str], ...]] = {
    "hydroxyl": (("O", -1, ""),),
    "amine": (("N", -1, ""),),
    "nitrile": (("C", -1, ""), ("N", 0, "#")),
    "nitro": (("[N+]", -1, ""), ("O", 0, "="), ("[O-]", 0, "")),
    "acid": (("C", -1, ""), ("O", 0, "="), ("O", 0, "")),
    "amide": (("C", -1, ""), ("O", 0, "="), ("N", 0, "")),
    "ester": (("C", -1, ""), ("O", 0, "="), ("O", 0, ""), ("C", 2, "")),
    "chloro": (("Cl", -1, ""),),
}
"""Functional groups as atoms one after the other: symbol, which of them it is bound to (-1: to the molecule), bond.

Acid, amide and ester share most of their atoms, and the acid's and the ester's are those of an alcohol too.
"""

EVEN = ("hydroxyl", "nitrile", "acid")
"""Groups that half of the molecules have, each by a coin of its own."""

COUNTS = (0.6, 0.3, 0.1)
"""Chances that a molecule has none, one and two of each other group."""

RING_COUNTS, LINKERS = (0.2, 0.6, 0.2), 3
"""Chances of one, two and three rings, and how many lengths of linkers there are, from none up."""

NEAR, CLUSTER, AWAY = (4, 5, 6), 3, (10, 11)
"""Of long molecules: carbons from the near end to the first carbon with a ring, how many have one, carbons to the other end."""


@dataclass(frozen=True)
class Drawn:
    """A molecule and what its atoms are part of; atoms are numbered as they stand in the SMILES.

    Parameters
    ----------
    smiles : str
    groups : mapping of str to tuple of tuple of int
        By the name of a group, the atoms of each that there is.
    rings : tuple of tuple of int
        Atoms of each ring.
    far : tuple of int
        Bonds from the nitro group's nitrogen to each ring, of long molecules.
    """

    smiles: str
    groups: dict[str, tuple[tuple[int, ...], ...]]
    rings: tuple[tuple[int, ...], ...]
    far: tuple[int, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many of each group."""
        return {name: len(self.groups.get(name, ())) for name in GROUPS}


def compact(rng: np.random.Generator) -> Drawn:
    """One to three rings with linkers of up to two carbons, and groups on the rings; about 25 atoms."""
    made = Structure()
    rings: list[tuple[int, ...]] = []
    for _ in range(1 + rng.choice(3, p=RING_COUNTS)):
        to = int(rng.choice(_open(made, rings[-1:]))) if rings else None
        if to is not None:
            for _ in range(rng.integers(LINKERS)):
                to = made.atom("C", to)
        rings.append(_ring(made, to, rng))
    wanted = [name for name in GROUPS for _ in range(_count(name, rng))]
    return _finished(made, rings, {}, wanted, rng)


def long(rng: np.random.Generator) -> Drawn:
    """A chain with a nitro group at its start, another group at its end, and three rings near one of the two; about 40 atoms.

    Up to three bonds away every atom has the same surroundings at whichever end the rings are, but for atoms amid a chain of the
    shortest kinds. Who wants to know must see a nitro group and the first carbon with a ring, 5 to 7 bonds from its nitrogen.
    """
    made = Structure()
    start = end = made.atom("C")
    near, away = int(rng.choice(NEAR)), int(rng.choice(AWAY))
    before, after = (near, away) if rng.random() < 0.5 else (away, near)
    for _ in range(before - 1):
        end = made.atom("C", end)
    symbols = str(rng.choice(RINGS))
    rings: list[tuple[int, ...]] = []
    for _ in range(CLUSTER):
        end = made.atom("C", end)
        rings.append(_ring(made, end, rng, symbols))
    for _ in range(after):
        end = made.atom("C", end)
    last = str(rng.choice([name for name in GROUPS if name != "nitro"]))
    groups = {"nitro": [made.branch(start, GROUPS["nitro"])], last: [made.branch(end, GROUPS[last])]}
    return _finished(made, rings, groups, [], rng)


def _count(name: str, rng: np.random.Generator) -> int:
    return int(rng.integers(2)) if name in EVEN else int(rng.choice(3, p=COUNTS))


def _ring(made: Structure, to: int | None, rng: np.random.Generator, symbols: str = "") -> tuple[int, ...]:
    symbols = symbols or str(rng.choice(RINGS))
    carbons = [at for at, symbol in enumerate(symbols) if symbol in "cC"]
    return made.ring(symbols, to, int(rng.choice(carbons)))


def _open(made: Structure, rings: list[tuple[int, ...]]) -> list[int]:
    """Carbons of rings that are bound to nothing outside of their ring."""
    return [atom for ring in rings for atom in ring if made.symbols[atom] in "cC" and len(made.bonds[atom]) == 2]


def _finished(
    made: Structure,
    rings: list[tuple[int, ...]],
    groups: dict[str, list[tuple[int, ...]]],
    wanted: list[str],
    rng: np.random.Generator,
) -> Drawn:
    """With groups on carbons of the rings, one on each; where there are too few, those go without that half have not."""
    places = rng.permutation(_open(made, rings)).tolist()
    order = [wanted[at] for at in rng.permutation(len(wanted))]
    for name in sorted(order, key=lambda one: one not in EVEN)[: len(places)]:
        groups.setdefault(name, []).append(made.branch(places.pop(), GROUPS[name]))
    smiles, written = made.smiles()
    place = {atom: at for at, atom in enumerate(written)}
    far: tuple[int, ...] = ()
    if "nitro" in groups:
        away = made.distances(groups["nitro"][0][0])
        far = tuple(min(away[atom] for atom in ring) for ring in rings)
    return Drawn(
        smiles,
        {name: tuple(tuple(place[atom] for atom in one) for one in some) for name, some in groups.items()},
        tuple(tuple(place[atom] for atom in ring) for ring in rings),
        far,
    )
