"""What is common to datasets of crystals: their options, their inputs and what stands in their frames."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from pellucid.cache import cache_folder
from pellucid.data import DataSpec, Target, Vector, Volume
from pellucid.data.dataset import Dataset
from pellucid.data.graphs import Graphs
from pellucid.data.samples import Arrays
from pellucid.data.spec import Frozen
from pellucid.store.prepared import Prepared, Preparing, prepared
from pellucid_molecules.crystals.descriptors import composition_input, pores_input
from pellucid_molecules.crystals.given import crystals_of
from pellucid_molecules.crystals.store import (
    GRID,
    Examined,
    Reading,
    arrays_of,
    crystal_input,
    examined,
    graph_kept,
    seen,
    table_of,
)

INPUT = "crystal"
NAMESPACE = "crystals"
"""Of reduced formulas, which are the same in every collection."""

AT_ONCE = 25
"""Structures that one task of a process looks at."""

CELL = Vector(
    names=("a", "b", "c", "alpha", "beta", "gamma"), units=("angstrom", "angstrom", "angstrom", "deg", "deg", "deg")
)
CAVITY = Vector(names=("a", "b", "c", "radius"), units=("1", "1", "1", "angstrom"))
"""Centre of the largest ball that touches no atom, in parts of the cell's edges, and its radius."""


class CrystalsConfig(Frozen):
    """Options of every dataset of crystals.

    Parameters
    ----------
    radius_angstrom : float
        How far an atom's neighbours are at most; periodic images count for themselves.
    nearest : int
        How many neighbours an atom has at most, the nearest ones; 0: all within the radius.
    jobs : int
        Processes that look at structures when a dataset is opened for the first time; -1 for one a core.
    cache : bool
        Whether what was found out is kept between runs.
    """

    radius_angstrom: float = Field(default=8.0, gt=0, le=20)
    nearest: int = Field(default=12, ge=0)
    jobs: int = Field(default=1, ge=-1)
    cache: bool = True

    @property
    def reading(self) -> Reading:
        """How structures become graphs."""
        return Reading(self.radius_angstrom, self.nearest)


class Crystals(Dataset):
    """A dataset of crystals: periodic graphs of atoms, numbers of each crystal, and a grid of its pores.

    Inputs are ``crystal`` (atoms and neighbours), ``composition`` and ``pores`` (numbers by name), ``pore_grid`` (how far each of 16
    x 16 x 16 points of the cell is from the surface of the nearest atom), ``cell`` and ``cavity``. Pores are those of the structure
    as it is written, with atoms as balls of van der Waals radius.

    The frame has ``framework``, ``formula``, ``metals``, ``density`` and labels. Both ``framework`` and ``formula`` are groups. The
    density is the trivial baseline.
    """

    config: CrystalsConfig
    _store: Prepared
    _rows: npt.NDArray[np.int64]

    @classmethod
    def _name(cls) -> str:
        """As it is registered."""
        raise NotImplementedError

    @classmethod
    def of_objects(cls, objects: Any, config: Any) -> Dataset:
        """Crystals without labels.

        Parameters
        ----------
        objects : pymatgen.core.Structure, Path or str of a CIF file, or a list of these
        config : CrystalsConfig
            As the model was trained with.
        """
        return cls._given(objects, config, cls._name(), {})

    @classmethod
    def of_objects_like(cls, objects: Any, config: Any, learnt: DataSpec) -> Dataset:
        """:meth:`of_objects` with the targets of what the models have learnt from."""
        return cls._given(objects, config, learnt.name, learnt.targets)

    @classmethod
    def _given(cls, objects: Any, config: Any, name: str, targets: Mapping[str, Target]) -> Self:
        made = cls.__new__(cls)
        # What is in memory is not kept between runs.
        made.config = config.model_copy(update={"cache": False})
        some = [seen(one, config.reading) for one in crystals_of(objects)]
        samples = [f"given-{at + 1}" for at in range(len(some))]
        made._hold(made._kept("given", "0", lambda to: written(to, some)), np.arange(len(some)))
        labels = {column: np.full(len(some), np.nan) for key, one in targets.items() for column in one.columns(key)}
        made.frame = made._frame(samples, samples, labels)
        made.spec = made._spec(name, targets, "")
        made.check()
        return made

    def _kept(self, name: str, key: str, make: Any) -> Prepared:
        """The store of this dataset, found or made."""
        folder = cache_folder()
        if not self.config.cache:
            self._temporary = tempfile.TemporaryDirectory(prefix="pellucid-")
            folder = Path(self._temporary.name)
        return prepared(folder / f"crystals-{name}", key, make)

    def _examined(self, texts: Iterable[Sequence[tuple[str, str]]]) -> Iterator[list[Examined]]:
        """What was found out about one batch of structures after the other, in order."""
        config = self.config
        if config.jobs == 1:
            yield from (examined(some, config.reading) for some in texts)
            return
        from joblib import Parallel, delayed

        yield from Parallel(n_jobs=config.jobs, return_as="generator", pre_dispatch="2*n_jobs")(
            delayed(examined)(some, config.reading) for some in texts
        )

    def _hold(self, store: Prepared, rows: npt.NDArray[np.int64]) -> None:
        self._store, self._rows = store, rows
        self._graphs = [store.table[name].to_numpy(object) for name in ("nodes", "edges", "distances")]

    def _frame(
        self, samples: Sequence[str], frameworks: Sequence[str], labels: Mapping[str, npt.NDArray[np.float64]]
    ) -> pd.DataFrame:
        table = self._store.table.iloc[self._rows]
        density = self._store.arrays["composition"][:][self._rows, 0]
        columns: dict[str, Any] = {
            "framework": list(frameworks),
            "formula": table["formula"].tolist(),
            "metals": table["metals"].tolist(),
            "density": density.astype(float),
        }
        return pd.DataFrame(columns | dict(labels), index=pd.Index(list(samples), name="sample"))

    def _spec(self, name: str, targets: Mapping[str, Target], about: str) -> DataSpec:
        return DataSpec(
            name=name,
            inputs={
                INPUT: crystal_input(),
                "composition": composition_input(),
                "pores": pores_input(),
                "pore_grid": Volume(channels=("surface_distance",), size=(GRID, GRID, GRID), units="angstrom"),
                "cell": CELL,
                "cavity": CAVITY,
            },
            targets=dict(targets),
            groups=("framework", "formula"),
            group_word=("framework", "frameworks"),
            namespace=NAMESPACE,
            covariates=Vector(names=("density",), units="g/cm3"),
            trivial=("density",),
            views={INPUT: "molecules/crystal"},
            about=about,
        )

    def read(self, indices: npt.NDArray[np.integer]) -> Arrays:
        """Graphs, numbers and grids of some crystals, in the order asked for."""
        at = self._rows[np.asarray(indices, np.int64)]
        found = self._store.read(at)
        kept = [some[at].tolist() for some in self._graphs]
        inputs: dict[str, Any] = {
            INPUT: Graphs.joined([graph_kept(*one) for one in zip(*kept, strict=True)]),
            "pores": found["pores"],
            "pore_grid": found["grid"],
            "cell": found["cell"],
            "cavity": found["cavity"],
        }
        known = ~np.isnan(found["composition"])
        inputs["composition"] = np.where(known, found["composition"], np.float32(0))
        return Arrays(inputs, {"composition": known})


def written(to: Preparing, some: Sequence[Examined]) -> pd.DataFrame:
    """Write structures to a store and give their table."""
    if some:
        to.extend(**arrays_of(some))
    return table_of(some)


def batches(texts: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Texts, so many at once as a process looks at."""
    some: list[tuple[str, str]] = []
    for one in texts:
        some.append(one)
        if len(some) == AT_ONCE:
            yield some
            some = []
    if some:
        yield some
