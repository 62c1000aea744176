"""Chains of relations between kinds of node: which there are, what they are called, and which of them a layer needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pellucid.data.spec import Graph
from pellucid_molecules.networks.network import CENTRE


@dataclass(frozen=True)
class MetaPath:
    """Relations one after the other, the one that leads to the target first.

    Parameters
    ----------
    relations : tuple of int
        Which of the spec's relations each hop follows, against its direction: from a paper to those who wrote it.
    types : tuple of int
        Type of node before, between and after the hops, the target's first.
    name : str
        ``"paper-author-paper"``; with the relation's own name where two join the same types.
    """

    relations: tuple[int, ...]
    types: tuple[int, ...]
    name: str

    @property
    def target(self) -> int:
        """Type of the node that reads."""
        return self.types[0]

    @property
    def source(self) -> int:
        """Type of the nodes that are read."""
        return self.types[-1]


@dataclass(frozen=True)
class LayerPlan:
    """What one layer has to work out.

    Parameters
    ----------
    paths : tuple of MetaPath
        Of as many hops as the layer's number.
    targets : tuple of int
        Types of node that need a state behind this layer.
    """

    paths: tuple[MetaPath, ...]
    targets: tuple[int, ...]

    def into(self, target: int) -> tuple[int, ...]:
        """Numbers of the paths that lead to a type."""
        return tuple(at for at, path in enumerate(self.paths) if path.target == target)


def hops(spec: Graph) -> tuple[MetaPath, ...]:
    """Paths of one relation, in the spec's order."""
    found = []
    ends = [(source, goal) for source, _, goal in spec.relations]
    for at, (source, name, goal) in enumerate(spec.relations):
        between = f"-{name}-" if ends.count((source, goal)) > 1 else "-"
        types = (spec.node_types.index(goal), spec.node_types.index(source))
        found.append(MetaPath((at,), types, f"{goal}{between}{source}"))
    return tuple(found)


def longer(paths: Sequence[MetaPath], by: Sequence[MetaPath]) -> tuple[MetaPath, ...]:
    """Every path with every hop that begins where it ends."""
    return tuple(
        MetaPath(
            (*path.relations, *hop.relations),
            (*path.types, hop.source),
            path.name + hop.name.removeprefix(_first(hop)),
        )
        for path in paths
        for hop in by
        if path.source == hop.target
    )


def _first(hop: MetaPath) -> str:
    """The name of a hop up to its target's."""
    return hop.name[: hop.name.index("-")]


def planned(spec: Graph, layers: int) -> tuple[LayerPlan, ...]:
    """What each layer has to work out so that the last one knows the node in the middle.

    Layer ``t`` reads along paths of ``t`` hops what layer ``t - 1`` says of the nodes at their ends, and takes its paths from those of
    layer ``t - 1``; types of node that nobody needs are left out.
    """
    own = hops(spec)
    every = [own]
    for _ in range(1, layers):
        every.append(longer(every[-1], own))
    needed: set[int] = {centre_of(spec)[1]}
    plans: list[LayerPlan] = []
    for paths in reversed(every):
        kept = tuple(path for path in paths if path.target in needed)
        plans.append(LayerPlan(kept, tuple(sorted(needed))))
        needed = needed | {path.source for path in kept}
    return tuple(reversed(plans))


def centre_of(spec: Graph) -> tuple[int, int]:
    """Column that says which node is in the middle, and its type.

    Raises
    ------
    ValueError
        If there is none, or there are several.
    """
    found = [
        (at, spec.node_types.index(kind))
        for at, name in enumerate(spec.node_features)
        for kind in spec.node_types
        if name == f"{kind}:{CENTRE}"
    ]
    if len(found) != 1:
        raise ValueError(
            f"{len(found)} node features are called 'TYPE:{CENTRE}'; it takes one, which is 1 at the node that each graph was taken around"
        )
    return found[0]
