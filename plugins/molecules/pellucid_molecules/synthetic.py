"""Made-up molecules as a dataset: no download, and it is known which atoms make an answer true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from pellucid.data.arrays import ArrayDataset
from pellucid.data.made_up import refuse_folder
from pellucid.data.spec import Binary, DataSpec, Frozen, MultiLabel, Regression, Vector
from pellucid.regions import Region
from pellucid_datasets.molecules import questions
from pellucid_datasets.molecules.grammar import GROUPS, Drawn, compact, long
from pellucid_molecules.featurising.codes import molecule_input
from pellucid_molecules.featurising.graphs import graphs_of
from pellucid_molecules.featurising.scaffolds import scaffold_of
from pellucid_molecules.featurising.structures import molecule_of

NAME = "molecules-synthetic"

TARGETS = {
    "acid": Binary(names=("no acid", "acid"), about="whether there is a carboxylic acid, beside esters, amides and alcohols"),
    "one-kind": Binary(names=("both or none", "one kind"), about="whether there are alcohols or nitriles, but not both"),
    "group-sum": Regression(names=("group sum",), units=("1",), about="what all functional groups add up to, and noise"),
    "far-rings": Binary(
        names=("few far rings", "many far rings"),
        about="whether more than two rings are 11 bonds or more from the nitro group; asked of long molecules alone",
    ),
    "groups": MultiLabel(names=tuple(GROUPS), about="which functional groups there are"),
}  # fmt: skip
"""What is asked; see :mod:`pellucid_datasets.molecules.questions`."""


class MoleculesSyntheticConfig(Frozen):
    """Settings of :class:`MoleculesSynthetic`.

    Parameters
    ----------
    molecules : int
    long : float
        Share of long molecules, of about 50 atoms; others have about 21. Only these are part of the target ``far-rings``.
    noise : float
        Noise in ``group-sum``, as a share of its standard deviation.
    random_labels : bool
        Whether labels go to other molecules of the same shape by lot, so that nothing can be learnt.
    seed : int
    """

    molecules: int = Field(default=1200, ge=20)
    long: float = Field(default=0.25, ge=0, le=1)
    noise: float = Field(default=0.1, ge=0, le=10)
    random_labels: bool = False
    seed: int = Field(default=0, ge=0)


class MoleculesSynthetic(ArrayDataset):
    """Rings, chains and eight functional groups, with questions whose answers lie in known atoms.

    The frame has, beside what the contract asks for, ``smiles`` (atoms stand there in the order of the graph's nodes) and
    ``count:<group>``. Scaffolds are kept apart. The covariate, and the trivial baseline, is the number of atoms.

    Raises
    ------
    DataError
        If a folder is given: nothing is read, and numbers must not pass for those of the folder's data.
    """

    config_type = MoleculesSyntheticConfig

    def __init__(self, config: MoleculesSyntheticConfig | None = None, data: Path | None = None) -> None:
        refuse_folder(NAME, data)
        self.config = config = config or MoleculesSyntheticConfig()
        # Each molecule has a stream of its own: more of them leave the others as they are.
        streams = [np.random.default_rng([config.seed, at]) for at in range(config.molecules)]
        of_long = np.array([rng.random() < config.long for rng in streams])
        self.drawn = [(long if of_long[at] else compact)(rng) for at, rng in enumerate(streams)]
        molecules = [molecule_of(one.smiles) for one in self.drawn]
        frame = pd.DataFrame(
            {
                "scaffold": [scaffold_of(one) for one in molecules],
                "smiles": [one.smiles for one in self.drawn],
                **self._labels(of_long),
                **{f"count:{name}": [one.counts[name] for one in self.drawn] for name in GROUPS},
                "atoms": [one.GetNumAtoms() for one in molecules],
            },
            index=pd.Index([f"molecule-{at:05d}" for at in range(config.molecules)], name="sample"),
        )
        super().__init__(_spec(), frame, {"molecule": graphs_of(molecules)})

    def _labels(self, of_long: np.ndarray) -> dict[str, np.ndarray]:
        """Columns of all targets."""
        rng = np.random.default_rng([self.config.seed, self.config.molecules, 1])
        clean = np.array([questions.total(one) for one in self.drawn])
        far = np.array([float(questions.many_far(one)) for one in self.drawn])
        found = {
            "acid": np.array([float(questions.motif(one)) for one in self.drawn]),
            "one-kind": np.array([float(questions.either(one)) for one in self.drawn]),
            "group-sum": clean + self.config.noise * clean.std() * rng.normal(size=len(clean)),
            "far-rings": np.where(of_long, far, np.nan),
            **{f"groups:{name}": np.array([float(one.counts[name] > 0) for one in self.drawn]) for name in GROUPS},
        }
        if self.config.random_labels:
            order = np.arange(len(clean))
            for side in (of_long, ~of_long):
                order[side] = rng.permutation(order[side])
            found = {name: values[order] for name, values in found.items()}
        return found

    def planted(self, output: str) -> list[tuple[Region, ...]] | None:
        """The atoms that make an answer true, one region for each group or ring; of the sum, all groups.

        With labels by lot these are the atoms that would make it true.
        """
        if not any(output in target.outputs for target in TARGETS.values()):
            return None
        return [_atoms(output, one) for one in self.drawn]


def _atoms(output: str, drawn: Drawn) -> tuple[Region, ...]:
    if output == "group sum":
        return questions.atoms_of(drawn)
    if output == "one kind":
        return questions.atoms_of(drawn, questions.EITHER) if questions.either(drawn) else ()
    if output == "many far rings":
        return questions.far_atoms(drawn) if questions.many_far(drawn) else ()
    return questions.atoms_of(drawn, (output,))


def _spec() -> DataSpec:
    return DataSpec(
        name=NAME,
        inputs={"molecule": molecule_input()},
        targets=TARGETS,
        groups=("scaffold",),
        namespace=NAME,
        group_word=("scaffold", "scaffolds"),
        covariates=Vector(names=("atoms",), units="1"),
        trivial=("atoms",),
        views={"molecule": "molecules/depiction"},
        about="Made up: nothing was measured. A score here tells about the method, not about molecules.",
    )
