"""Graphs of 2,000 molecules out of SMILES: ``python tests/benchmarks/bench_smiles.py``.

Drug-like molecules put together from rings and groups, on one core, against two ways: ``torch_geometric.utils.from_smiles`` (the aim is
1.5 times faster at least, with equal features), and RDKit's ``MolFromSmiles`` alone, which every way has to wait for. A table that is
opened for the second time looks at no molecule; that is measured as well. Times are CPU seconds, ratios are medians over interleaved runs.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy starts

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rdkit import Chem
from torch_geometric.utils import from_smiles

from pellucid_molecules.featurising.graphs import graphs_of
from pellucid_molecules.featurising.store import Keeping, structures

MOLECULES, ROUNDS = 2000, 7
RINGS = (
    "c1cc({})ccc1{}",
    "c1nc({})cnc1{}",
    "C1CN({})CCN1{}",
    "O=C(N{})c1ccc({})cc1",
    "c1ccc2c(c1)nc({})n2{}",
    "C1CC({})CN1{}",
)
GROUPS = ("C", "C(C)C", "C(F)(F)F", "CO", "CCN(C)C", "C(=O)NC", "c3ccccc3", "Cc3ccncc3", "CC#N", "CC(=O)OC", "C3CC3", "c3ccc(Cl)cc3",
          "c3ccc(OC)cc3", "CN3CCOCC3", "[C@H](C)O", "C(=O)[O-]", "/C=C/C", "S(=O)(=O)C", "[N+](=O)[O-]")  # fmt: skip


def texts() -> list[str]:
    """The same ones every time."""
    made = [ring.format(one, other) for ring in RINGS for one in GROUPS for other in GROUPS]
    valid = [text for text in made if Chem.MolFromSmiles(text) is not None]
    return [valid[at] for at in np.random.default_rng(0).permutation(len(valid))[:MOLECULES]]


WAYS: dict[str, Callable[[Sequence[str]], Any]] = {
    "MolFromSmiles": lambda some: [Chem.MolFromSmiles(text) for text in some],
    "from_smiles": lambda some: [from_smiles(text) for text in some],
    "pellucid": lambda some: graphs_of([Chem.MolFromSmiles(text) for text in some]),
}


def main() -> None:
    """Print the ratios."""
    some = texts()
    for one, theirs in zip(WAYS["pellucid"](some), WAYS["from_smiles"](some), strict=True):
        assert np.array_equal(one.nodes, theirs.x)
        assert np.array_equal(one.edges.T, theirs.edge_index)
        assert np.array_equal(one.edge_values, theirs.edge_attr)
    cpu: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, read in WAYS.items():
            begun = time.process_time()
            read(some)
            cpu[way].append(time.process_time() - begun)
    for way in WAYS:
        print(f"{way:14s} {statistics.median(cpu[way]) / len(some) * 1e6:7.0f} CPU-us a molecule")
    ratio = {way: float(np.median(np.array(cpu[way]) / np.array(cpu["pellucid"]))) for way in WAYS}
    print(
        f"pellucid is {ratio['from_smiles']:.2f} times faster than from_smiles (aim: 1.5 at least), and takes "
        f"{1 / ratio['MolFromSmiles']:.2f} times as long as MolFromSmiles"
    )
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PELLUCID_CACHE"] = folder
        for what in ("first", "second"):
            begun = time.process_time()
            structures(some, "smiles", "keep", Keeping())
            print(
                f"{what} opening, scaffolds too: {(time.process_time() - begun) / len(some) * 1e6:.0f} CPU-us a molecule"
            )


if __name__ == "__main__":
    main()
