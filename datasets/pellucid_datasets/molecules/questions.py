"""What is asked of made-up molecules, and which atoms make an answer true."""

from __future__ import annotations

from pellucid.regions import Subgraph
from pellucid_datasets.molecules.grammar import GROUPS, Drawn

WORTH = {
    "hydroxyl": 1.0,
    "amine": 0.7,
    "nitrile": -0.8,
    "nitro": -1.2,
    "acid": 1.5,
    "amide": -0.5,
    "ester": 0.4,
    "chloro": -1.0,
}
"""What each group adds to a molecule's sum."""

EITHER = ("hydroxyl", "nitrile")
"""Groups of which exactly one kind must be there."""

MOTIF = "acid"
"""The group that is asked for."""

FAR, MANY = 11, 2
"""From how many bonds on a ring is far from the nitro group, and how many far rings are not yet many."""


def total(drawn: Drawn) -> float:
    """What all groups add up to."""
    return sum(WORTH[name] * count for name, count in drawn.counts.items())


def either(drawn: Drawn) -> bool:
    """Whether there is exactly one of two kinds of group."""
    first, second = (drawn.counts[name] > 0 for name in EITHER)
    return first != second


def motif(drawn: Drawn) -> bool:
    """Whether the group is there that is asked for."""
    return drawn.counts[MOTIF] > 0


def many_far(drawn: Drawn) -> bool:
    """Whether more than two rings are far from the nitro group."""
    return sum(away >= FAR for away in drawn.far) > MANY


def atoms_of(drawn: Drawn, names: tuple[str, ...] = tuple(GROUPS)) -> tuple[Subgraph, ...]:
    """The atoms of each group of these names."""
    return tuple(Subgraph(one) for name in names for one in drawn.groups.get(name, ()))


def far_atoms(drawn: Drawn) -> tuple[Subgraph, ...]:
    """The nitro group, and each ring that is far from it."""
    rings = tuple(Subgraph(ring) for ring, away in zip(drawn.rings, drawn.far, strict=True) if away >= FAR)
    return (*atoms_of(drawn, ("nitro",)), *rings)
