"""What is common to every dataset of molecules: its options, and how structures become samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from pellucid.data import DataSpec, Target, Vector
from pellucid.data.dataset import Dataset
from pellucid.data.samples import Arrays, Place
from pellucid.data.spec import Frozen
from pellucid.data.splits import components_of
from pellucid.errors import DataError
from pellucid.regions import Subgraph
from pellucid_molecules.featurising.codes import molecule_input
from pellucid_molecules.featurising.descriptors import descriptor_names, descriptors_input, readable_names
from pellucid_molecules.featurising.drawable import molecule_from
from pellucid_molecules.featurising.fingerprints import morgan_input, pairs_input, places_of_bits, places_of_pairs
from pellucid_molecules.featurising.scaffolds import largest_first
from pellucid_molecules.featurising.store import Fingerprints, Keeping, Structures, descriptors, structures, table_of
from pellucid_molecules.featurising.structures import Salts
from pellucid_molecules.tables import findings
from pellucid_molecules.tables.objects import given
from pellucid_molecules.tables.written import Written

if TYPE_CHECKING:
    from rdkit.Chem import Mol

INPUT = "molecule"
NAMESPACE = "molecules"
"""Of scaffolds and molecules, which are the same in every table: a model refuses to be scored on those of another table too."""

RESERVED = ("scaffold", "molecule", "parent", "smiles", "heavy_atoms", "split")
"""Columns of every frame; no label can be called so."""


class MoleculesConfig(Frozen):
    """Options of every dataset of molecules.

    Parameters
    ----------
    salts : {"keep", "largest"}
        Whether a structure of several molecules (salts, solvates, mixtures) is one sample with all of them, or its largest
        molecule. The report lists them.
    morgan : int
        How many bits of a Morgan fingerprint (radius 2, counts) are given as a further input ``morgan``; 0: none.
    atom_pairs : int
        How many bits of a fingerprint of pairs of atoms and the bonds between them (counts) are given as a further input
        ``atom_pairs``; 0: none.
    descriptors : bool or "readable"
        Whether RDKit's descriptors are given as a further input ``descriptors``: all, or those that are read as they are called.
    scaffold_split : bool
        Whether the frame gets the column ``split`` of MoleculeNet's scaffold split, for ``subject-holdout`` with ``column = "split"``.
    skip_broken : bool
        Leave out structures that cannot be used and list them, instead of refusing all.
    jobs : int
        Processes that look at structures when a table is opened for the first time; -1 for one a core.
    cache : bool
        Whether what was found out is kept between runs.
    """

    salts: Salts = "keep"
    morgan: int = Field(default=0, ge=0, le=1_048_576)
    atom_pairs: int = Field(default=0, ge=0, le=1_048_576)
    descriptors: bool | Literal["readable"] = False
    scaffold_split: bool = False
    skip_broken: bool = False
    jobs: int = Field(default=1, ge=-1)
    cache: bool = True

    @field_validator("jobs")
    @classmethod
    def _are_processes(cls, value: int) -> int:
        if not value:
            raise ValueError("jobs is a number of processes, or -1 for one a core")
        return value


class Molecules(Dataset):
    """A dataset of molecules: graphs of atoms and bonds, split by scaffold.

    A class of it reads what its file says and calls :meth:`_open`. Structures are looked at when a dataset is opened for the first
    time; what was found out is kept in the cache folder.

    The frame has ``scaffold``, ``molecule`` (canonical SMILES), ``parent`` (the same for ions, tautomers, salts and stereoisomers of one
    molecule), ``smiles`` (as written), ``heavy_atoms``, labels, and perhaps ``split``. The first three are groups: two scaffolds that one
    molecule has, as one charge or tautomer is drawn or another, stand on one side. A protocol with ``apart = ["parent"]`` deals molecules
    whatever their scaffold, and all results say so. How many atoms beside hydrogen a molecule has is the trivial baseline.
    """

    config: MoleculesConfig

    def _open(self, name: str, found: Written, targets: Mapping[str, Target], about: str) -> None:
        """Look at structures and make the frame, the spec and the findings.

        Raises
        ------
        DataError
            If one cannot be used and none are to be skipped, or none can be used.
        """
        config = self.config
        keeping = Keeping(config.jobs, config.cache)
        seen = structures(found.texts, found.format, config.salts, keeping)
        why = seen.table["why"].to_numpy(object)
        bad, kept = np.flatnonzero(why != ""), np.flatnonzero(why == "")
        broken = [(found.samples[row], found.where[row], str(why[row])) for row in bad]
        if broken and (not config.skip_broken or not len(kept)):
            raise findings.refused(broken, len(why), name)
        rows = seen.table.iloc[kept]
        texts = rows["smiles"].tolist() if found.format == "block" else [found.texts[row] for row in kept]
        columns = _columns(rows, texts)
        if found.split is not None:
            columns["split"] = [found.split[row] for row in kept]
        if config.scaffold_split:
            joined = components_of(rows[["scaffold", "parent"]].to_numpy(object))
            columns["split"] = largest_first(list(map(str, joined)))
        columns |= {column: values[kept] for column, values in found.labels.items()}
        samples = [found.samples[row] for row in kept]
        self.frame = pd.DataFrame(columns, index=pd.Index(samples, name="sample"))
        # Of several labels together, each is a column of its own as well.
        own = [key for key, one in targets.items() if one.columns(key) == [key]]
        self.findings = (
            *findings.left_out(broken),
            *findings.of_several(samples, rows["parts"].tolist(), rows["left_out"].tolist(), config.salts == "largest"),
            *findings.conflicts(self.frame, own),
        )
        self._hold(seen, kept, keeping)
        told = findings.told(self.frame, own)
        self.spec = self._spec(name, targets, f"{about} {told}".strip())
        self.check()

    @classmethod
    def _given(cls, objects: Any, config: MoleculesConfig, name: str, targets: Mapping[str, Target]) -> Self:
        """A dataset of molecules in memory, without labels."""
        made = cls.__new__(cls)
        made.config = config
        seen, texts = given(objects, config.salts)
        made.findings = findings.of_several(
            [f"given-{at + 1}" for at in range(len(seen))],
            [one.parts for one in seen],
            [one.left_out for one in seen],
            config.salts == "largest",
        )
        found = Structures(table_of(seen))
        columns = _columns(found.table, texts)
        columns |= {column: np.nan for key, target in targets.items() for column in target.columns(key)}
        index = pd.Index([f"given-{at + 1}" for at in range(len(seen))], name="sample")
        made.frame = pd.DataFrame(columns, index=index)
        made._hold(found, np.arange(len(seen)), Keeping(1, cache=False))
        made.spec = made._spec(name, targets, "")
        made.check()
        return made

    @classmethod
    def of_objects(cls, objects: Any, config: Any) -> Dataset:
        """Molecules without labels.

        Parameters
        ----------
        objects : str, rdkit.Chem.Mol or torch_geometric.data.Data, or a list of these
            SMILES; molecules, whose atoms keep their order; graphs with the features of ``torch_geometric.utils.from_smiles``.
        config : MoleculesConfig
            As the model was trained with.
        """
        return cls._given(objects, config, cls._name(), {})

    @classmethod
    def of_objects_like(cls, objects: Any, config: Any, learnt: DataSpec) -> Dataset:
        """:meth:`of_objects` with the targets of what the models have learnt from."""
        return cls._given(objects, config, learnt.name, learnt.targets)

    @classmethod
    def _name(cls) -> str:
        """As it is registered."""
        raise NotImplementedError

    def _hold(self, seen: Structures, rows: np.ndarray, keeping: Keeping) -> None:
        self._structures, self._rows = seen, rows
        smiles = self.frame["molecule"].tolist()
        asked = {"morgan": self.config.morgan, "atom_pairs": self.config.atom_pairs}
        self._counts = {kind: Fingerprints(kind, smiles, bits, keeping) for kind, bits in asked.items() if bits}
        self._descriptors = descriptors(smiles, keeping) if self.config.descriptors else None
        if self._descriptors is not None and self.config.descriptors == "readable":
            every, kept = descriptor_names(), readable_names()
            self._descriptors = self._descriptors[:, [every.index(name) for name in kept]]

    def _spec(self, name: str, targets: Mapping[str, Target], about: str) -> DataSpec:
        inputs: dict[str, Any] = {INPUT: molecule_input()}
        if self.config.morgan:
            inputs["morgan"] = morgan_input(self.config.morgan)
        if self.config.atom_pairs:
            inputs["atom_pairs"] = pairs_input(self.config.atom_pairs)
        if self.config.descriptors:
            inputs["descriptors"] = descriptors_input(readable=self.config.descriptors == "readable")
        return DataSpec(
            name=name,
            inputs=inputs,
            targets=dict(targets),
            groups=("scaffold", "molecule", "parent"),
            group_word=("scaffold", "scaffolds"),
            namespace=NAMESPACE,
            covariates=Vector(names=("heavy_atoms",), units="atoms"),
            trivial=("heavy_atoms",),
            views={INPUT: "molecules/depiction"},
            about=about,
        )

    def read(self, indices: np.ndarray) -> Arrays:
        """Graphs, and the further inputs that options ask for, in the order asked for."""
        at = np.asarray(indices, np.int64)
        inputs: dict[str, Any] = {INPUT: self._structures.graphs(self._rows[at])}
        masks: dict[str, np.ndarray] = {}
        inputs |= {kind: counts.read(at) for kind, counts in self._counts.items()}
        if self._descriptors is not None:
            values = self._descriptors[at]
            masks["descriptors"] = known = ~np.isnan(values)
            inputs["descriptors"] = np.where(known, values, np.float32(0))
        return Arrays(inputs, masks)

    def places(self, input: str, index: int) -> Mapping[str, tuple[Place, ...]]:
        """The atoms that bits of fingerprints stand for in a molecule, by the bit's name."""
        if input not in self._counts:
            return {}
        molecule, bits = molecule_from(self._structures.graphs(self._rows[[index]])), self._counts[input].bits
        if input == "atom_pairs":
            return {
                f"pair {bit}": tuple(Place(INPUT, Subgraph(pair), text=_pair(molecule, pair)) for pair in pairs)
                for bit, pairs in places_of_pairs(molecule, bits).items()
            }
        return {
            f"bit {bit}": tuple(Place(INPUT, one.region, text=f"substructure {one.smiles}") for one in some)
            for bit, some in places_of_bits(molecule, bits).items()
        }


def _pair(molecule: Mol, pair: tuple[int, int]) -> str:
    from rdkit import Chem

    first, second = (molecule.GetAtomWithIdx(at).GetSymbol() for at in pair)
    path = Chem.GetShortestPath(molecule, *pair) if pair[0] != pair[1] else pair[:1]
    if not path:
        return f"{first} and {second}, of two parts"
    return f"{first} and {second}, {len(path) - 1} bond{'s' if len(path) != 2 else ''} apart"


def _columns(rows: pd.DataFrame, texts: Sequence[str]) -> dict[str, Any]:
    return {
        "scaffold": rows["scaffold"].tolist(),
        "molecule": rows["smiles"].tolist(),
        "parent": rows["parent"].tolist(),
        "smiles": list(texts),
        "heavy_atoms": rows["atoms"].to_numpy(np.float64),
    }


def folder_of(data: Path | None, name: str, what: str) -> Path:
    """The place that ``--data`` names.

    Raises
    ------
    DataError
        If none is named.
    """
    if data is None:
        raise DataError(f"dataset {name!r} is not part of a package: name {what} with --data")
    return data
