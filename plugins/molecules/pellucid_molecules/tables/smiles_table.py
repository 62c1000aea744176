"""The dataset ``smiles-table``: any table with a column of SMILES."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, model_validator

from pellucid.data import Dataset, DataSpec
from pellucid.errors import DataError
from pellucid.loading.csv_tables import CsvTable
from pellucid_molecules.tables.example import example
from pellucid_molecules.tables.labels import Kind, labels_of
from pellucid_molecules.tables.molecules import RESERVED, Molecules, MoleculesConfig, folder_of
from pellucid_molecules.tables.written import numeric_columns, read_table, smiles_column, table_at, written

NAME = "smiles-table"


class SmilesTableConfig(MoleculesConfig):
    """Options of :class:`SmilesTable`.

    Parameters
    ----------
    table : str
        The table, where ``--data`` names a folder: ``.csv``, ``.tsv`` or ``.parquet``.
    smiles : str
        Column of SMILES. Empty: the one that is called ``smiles``, ``canonical_smiles``, ``structure``, ``molecule`` or ``mol``, in any
        case.
    targets : tuple of str
        Columns of labels, empty cells where nothing is known; each is a target of its own. Empty: the one column of numbers that
        there is.
    kinds : mapping of str to {"binary", "regression"}
        Of columns whose kind is not what it looks like: 0 and 1 alone are ``binary``.
    units : mapping of str to str
        Of numbers: ``{ "pIC50" = "-log10(mol/L)" }``.
    identity : str
        Column with a name for each row. Empty: rows are counted.
    split : str
        Column with ``train``, ``validation`` or ``test``, where somebody laid down what is judged on.
    about : str
        What a reader of a score must know of these labels.
    """

    table: str = "molecules.csv"
    smiles: str = ""
    targets: tuple[str, ...] = ()
    kinds: Mapping[str, Kind] = Field(default_factory=dict)
    units: Mapping[str, str] = Field(default_factory=dict)
    identity: str = ""
    split: str = ""
    about: str = ""

    @model_validator(mode="after")
    def _columns_fit(self) -> SmilesTableConfig:
        taken = {*RESERVED, "labels"} & set(self.targets)
        if taken:
            raise ValueError(f"a column of labels cannot be called {min(taken)!r} here; rename it in the table")
        if len(set(self.targets)) != len(self.targets):
            raise ValueError("targets names each column once")
        for option, named in (("kinds", self.kinds), ("units", self.units)):
            for column in named:
                if self.targets and column not in self.targets:
                    raise ValueError(f"{option} names {column!r}, which is none of the targets")
        if self.split and self.scaffold_split:
            raise ValueError("split names a column and scaffold_split makes one; say one of them")
        return self


class SmilesTable(Molecules):
    """Molecules of your own: a table with a column of SMILES and columns of labels.

    Whatever is in the table beside the columns that options name is not read.

    Parameters
    ----------
    config : SmilesTableConfig, optional
    data : Path
        The table, or its folder.

    Raises
    ------
    DataError
        If a column is missing (the nearest one is named), a cell holds something else, or a structure cannot be used.
    """

    config_type = SmilesTableConfig
    config: SmilesTableConfig

    def __init__(self, config: SmilesTableConfig | None = None, data: Path | None = None) -> None:
        self.config = config = config or SmilesTableConfig()
        place = folder_of(data, NAME, "the table, or its folder,")
        table = read_table(table_at(place, (config.table,), f"name it with the option table of [options.{NAME}]"))
        smiles = smiles_column(table, config.smiles)
        targets, labels = labels_of(table, self._targets(table, smiles), config.kinds, config.units)
        told = config.about or (
            "Structures and labels of the user's own. What a score is worth depends on how these labels were found."
        )
        self._open(NAME, written(table, smiles, config.identity, labels, config.split), targets, told)

    @classmethod
    def opened_like(cls, config: SmilesTableConfig, data: Path | None, learnt: DataSpec) -> SmilesTable:
        """The same columns, of the same kinds: numbers of a few rows may be 0 and 1 alone."""
        kinds: dict[str, Kind] = {
            name: "binary" if target.kind == "binary" else "regression"
            for name, target in learnt.targets.items()
            if target.kind in ("binary", "regression")
        }
        return cls(config.model_copy(update={"targets": config.targets or tuple(kinds), "kinds": kinds}), data)

    def _targets(self, table: CsvTable, smiles: str) -> tuple[str, ...]:
        config = self.config
        if config.targets:
            table.need(config.targets, dict.fromkeys(config.targets, "the option targets"))
            if smiles in config.targets:
                raise DataError(
                    f"{table.path}: {smiles!r} is the column of SMILES, and the option targets names it too"
                )
            return config.targets
        found = numeric_columns(table, (smiles, config.identity, config.split, *RESERVED), "targets")
        if len(found) != 1:
            here = f"{len(found)} columns hold numbers ({', '.join(found)})" if found else "no column holds numbers"
            raise DataError(f"{table.path}: {here}; name the labels with the option targets of [options.{NAME}]")
        return (found[0],)

    @classmethod
    def _name(cls) -> str:
        return NAME

    @classmethod
    def example_data(cls) -> Dataset:
        """Made-up molecules with a label of each kind."""
        with example(("nitro", "weight")) as folder:
            config = SmilesTableConfig(
                targets=("nitro", "weight"), units={"weight": "g/mol"}, morgan=64, descriptors=True, cache=False
            )
            return cls(config, folder)
