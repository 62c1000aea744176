"""What was found out about structures, kept between runs: looked at once, in several processes where asked for."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.cache import cache_folder
from pellucid.data.graphs import Graphs
from pellucid.store.prepared import Prepared, Preparing, made_from, prepared
from pellucid_molecules.featurising.codes import ATOM_FEATURES
from pellucid_molecules.featurising.descriptors import descriptors_of
from pellucid_molecules.featurising.examining import Examined, examined
from pellucid_molecules.featurising.fingerprints import COUNTS, RADIUS
from pellucid_molecules.featurising.graphs import Packed, unpacked
from pellucid_molecules.featurising.structures import Format, Salts, molecule_of

VERSION = 2
"""To be raised whenever anything here comes out differently: what was kept before is then not found."""

AT_ONCE = 500
"""Structures that one task of a process looks at."""


@dataclass(frozen=True)
class Keeping:
    """How structures are looked at, and where what was found out is kept.

    Parameters
    ----------
    jobs : int
        Processes; -1 for one a core.
    cache : bool
        Whether it is kept between runs, in the cache folder.
    """

    jobs: int = 1
    cache: bool = True
    _temporary: list[Any] = field(default_factory=list, compare=False, repr=False)

    def _folder(self) -> Path:
        if self.cache:
            return cache_folder()
        if not self._temporary:
            self._temporary.append(tempfile.TemporaryDirectory(prefix="pellucid-"))
        return Path(self._temporary[0].name)

    def store(self, name: str, texts: Sequence[str], facts: dict[str, Any], make: Any) -> Prepared:
        """The store of these texts, found or made."""
        import rdkit

        total = hashlib.blake2b(digest_size=16)
        for text in texts:
            total.update(text.encode("utf-8", "surrogatepass") + b"\x00")
        # Another RDKit may see other rings, charges and canonical SMILES.
        said = {"version": VERSION, "rdkit": rdkit.__version__, "texts": total.hexdigest(), "count": len(texts)} | facts
        return prepared(self._folder() / f"molecules-{name}", made_from(said), make)

    def in_parts(self, work: Callable[..., Any], texts: Sequence[str], *more: Any) -> Iterator[Any]:
        """What ``work(some_texts, *more)`` gives for one part of the texts after the other, in order."""
        parts = [texts[at : at + AT_ONCE] for at in range(0, len(texts), AT_ONCE)]
        if self.jobs == 1 or len(parts) < 2:
            yield from (work(part, *more) for part in parts)
            return
        from joblib import Parallel, delayed

        yield from Parallel(n_jobs=self.jobs, return_as="generator")(delayed(work)(part, *more) for part in parts)


class Structures:
    """Some structures that were looked at; those that cannot be used among them.

    Parameters
    ----------
    table : DataFrame
        One row a structure: ``smiles``, ``scaffold``, ``parent``, ``parts``, ``left_out``, ``why``, and the graph's ``atoms``, ``ends`` and
        ``bonds``. See :class:`~pellucid_molecules.featurising.examining.Examined`.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table.drop(columns=["atoms", "ends", "bonds"])
        self._graphs = [table[name].to_numpy(object) for name in ("atoms", "ends", "bonds")]
        self.table["atoms"] = np.array([len(one) for one in self._graphs[0]], np.int64) // len(ATOM_FEATURES)

    def graphs(self, rows: npt.NDArray[np.integer]) -> Graphs:
        """Graphs of some, in the order asked for."""
        return unpacked(map(Packed, *(some[rows].tolist() for some in self._graphs)))


def structures(texts: Sequence[str], format: Format, salts: Salts, keeping: Keeping) -> Structures:
    """Look at structures, or find what was found out about them before.

    Parameters
    ----------
    texts : sequence of str
    format : {"smiles", "block"}
    salts : {"keep", "largest"}
    keeping : Keeping
    """

    def make(to: Preparing) -> pd.DataFrame:
        return pd.concat(
            [table_of(some) for some in keeping.in_parts(examined, texts, format, salts)], ignore_index=True
        )

    return Structures(keeping.store("graphs", texts, {"format": format, "salts": salts}, make).table)


def table_of(some: Sequence[Examined]) -> pd.DataFrame:
    """Structures that were looked at, as :class:`Structures` takes them."""
    return pd.DataFrame(
        {
            "smiles": [one.smiles for one in some],
            "scaffold": [one.scaffold for one in some],
            "parent": [one.parent for one in some],
            "parts": np.array([one.parts for one in some], np.int32),
            "left_out": np.array([one.left_out for one in some], np.int32),
            "why": [one.why for one in some],
            "atoms": [one.graph.atoms for one in some],
            "ends": [one.graph.ends for one in some],
            "bonds": [one.graph.bonds for one in some],
        }
    )


class Fingerprints:
    """Fingerprints of molecules, kept as the bits that are set.

    Parameters
    ----------
    kind : str
        Of :data:`~pellucid_molecules.featurising.fingerprints.COUNTS`.
    smiles : sequence of str
    bits : int
    keeping : Keeping
    """

    def __init__(self, kind: str, smiles: Sequence[str], bits: int, keeping: Keeping) -> None:
        def make(to: Preparing) -> pd.DataFrame:
            rows = [row for part in keeping.in_parts(_fingerprints, smiles, bits, kind) for row in part]
            return pd.DataFrame(rows, columns=["bits", "counts"])

        self.bits = bits
        table = keeping.store(kind, smiles, {"bits": bits, "radius": RADIUS}, make).table
        self._bits, self._counts = (table[name].to_numpy(object) for name in ("bits", "counts"))

    def read(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """Counts of some molecules, shape (molecule, bit)."""
        found = np.zeros((len(rows), self.bits), np.float32)
        for at, row in enumerate(rows.tolist()):
            found[at, np.frombuffer(self._bits[row], np.uint32)] = np.frombuffer(self._counts[row], np.uint32)
        return found


def descriptors(smiles: Sequence[str], keeping: Keeping) -> npt.NDArray[np.float32]:
    """Descriptors of molecules, shape (molecule, descriptor), NaN where one is not known."""

    def make(to: Preparing) -> pd.DataFrame:
        for part in keeping.in_parts(_descriptors, smiles):
            to.extend(values=part)
        return pd.DataFrame(index=pd.RangeIndex(len(smiles)))

    store = keeping.store("descriptors", smiles, {}, make)
    values: npt.NDArray[np.float32] = store.arrays["values"][:]
    return values


def _fingerprints(smiles: Sequence[str], bits: int, kind: str) -> list[tuple[bytes, bytes]]:
    found = []
    for text in smiles:
        counts = COUNTS[kind](molecule_of(text), bits)
        at = counts.nonzero()[0]
        found.append((at.astype(np.uint32).tobytes(), counts[at].astype(np.uint32).tobytes()))
    return found


def _descriptors(smiles: Sequence[str]) -> npt.NDArray[np.float32]:
    return np.stack([descriptors_of(molecule_of(text)) for text in smiles])
