"""What was found out about crystals, kept between runs: read once, in several processes where asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.data.graphs import Graphs
from pellucid.data.inputs import Graph
from pellucid.errors import DataError
from pellucid_molecules.crystals.cif import crystal_of
from pellucid_molecules.crystals.crystal import Crystal
from pellucid_molecules.crystals.descriptors import composition, pore_numbers
from pellucid_molecules.crystals.images import neighbours
from pellucid_molecules.crystals.pores import distance_at, grid_fractions, pores

VERSION = 1
"""To be raised whenever anything here comes out differently: what was kept before is then not found."""

GRID = 16
"""Points of the pore grid along each edge of a cell."""

NODE_FEATURES = ("atomic_number", "fraction_a", "fraction_b", "fraction_c")
EDGE_FEATURES = ("distance_angstrom",)


def crystal_input() -> Graph:
    """Spec of the input ``crystal``: atoms with their places in parts of the cell's edges, neighbours with their distance."""
    return Graph(node_features=NODE_FEATURES, edge_features=EDGE_FEATURES, node_word=("atom", "atoms"))


@dataclass(frozen=True)
class Reading:
    """How structures become graphs.

    Parameters
    ----------
    radius_angstrom : float
    nearest : int
        0: all within the radius.
    """

    radius_angstrom: float
    nearest: int


@dataclass(frozen=True)
class Examined:
    """What is kept of one structure.

    Parameters
    ----------
    why : str
        Why it cannot be used; empty where it can, and only then the rest is there.
    """

    why: str = ""
    atoms: int = 0
    formula: str = ""
    metals: str = ""
    nodes: bytes = b""
    edges: bytes = b""
    distances: bytes = b""
    cell: npt.NDArray[np.float32] | None = None
    composition: npt.NDArray[np.float32] | None = None
    pores: npt.NDArray[np.float32] | None = None
    grid: npt.NDArray[np.float32] | None = None
    cavity: npt.NDArray[np.float32] | None = None


def examined(texts: Sequence[tuple[str, str]], reading: Reading) -> list[Examined]:
    """Look at structures.

    Parameters
    ----------
    texts : sequence of (str, str)
        The CIF text of each, and what its file is called.
    reading : Reading
    """
    return [_examined(text, where, reading) for text, where in texts]


def _examined(text: str, where: str, reading: Reading) -> Examined:
    try:
        return seen(crystal_of(text, where), reading)
    except DataError as error:
        return Examined(why=str(error))


def seen(crystal: Crystal, reading: Reading) -> Examined:
    """What is kept of a crystal."""
    found, graph = pores(crystal), graph_of(crystal, reading)
    assert graph.edge_values is not None
    return Examined(
        atoms=len(crystal),
        formula=crystal.formula,
        metals=" ".join(crystal.metals),
        nodes=graph.nodes.astype(np.float32).tobytes(),
        edges=graph.edges.astype(np.int32).tobytes(),
        distances=graph.edge_values.astype(np.float32).tobytes(),
        cell=crystal.parameters.astype(np.float32),
        composition=composition(crystal),
        pores=pore_numbers(found),
        grid=distance_at(crystal, grid_fractions((GRID, GRID, GRID))).reshape(1, GRID, GRID, GRID),
        cavity=np.array([*found.centre, found.largest_sphere_angstrom / 2], np.float32),
    )


def graph_of(crystal: Crystal, reading: Reading) -> Graphs:
    """Atoms, and an edge from each neighbour within the radius, or from the nearest of them; images count for themselves."""
    found = neighbours(crystal, reading.radius_angstrom, reading.nearest or None)
    nodes = np.concatenate([crystal.numbers[:, None], crystal.fractions], 1)
    return Graphs.of(nodes, found.edges, found.distances_angstrom[:, None])


def graph_kept(nodes: bytes, edges: bytes, distances: bytes) -> Graphs:
    """The graph that bytes hold."""
    return Graphs.of(
        np.frombuffer(nodes, np.float32).reshape(-1, len(NODE_FEATURES)),
        np.frombuffer(edges, np.int32).reshape(-1, 2).astype(np.int64),
        np.frombuffer(distances, np.float32).reshape(-1, len(EDGE_FEATURES)),
    )


ARRAYS = ("cell", "composition", "pores", "grid", "cavity")


def table_of(some: Sequence[Examined]) -> pd.DataFrame:
    """Structures that can be used, but their arrays, one row each."""
    names = ("formula", "metals", "nodes", "edges", "distances")
    return pd.DataFrame({name: [getattr(one, name) for one in some] for name in names})


def arrays_of(some: Sequence[Examined]) -> dict[str, npt.NDArray[np.float32]]:
    """Their arrays, the first axis counts structures."""
    return {name: np.stack([getattr(one, name) for one in some]) for name in ARRAYS}
