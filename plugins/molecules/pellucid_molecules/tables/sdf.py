"""The dataset ``sdf-file``: molecules of an SDF file with labels among their properties."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from pellucid.data import Dataset
from pellucid.errors import DataError
from pellucid.loading.csv_tables import MAX_ROWS, CsvTable
from pellucid_molecules.tables.example import molecules
from pellucid_molecules.tables.labels import Kind, labels_of
from pellucid_molecules.tables.molecules import Molecules, MoleculesConfig, folder_of
from pellucid_molecules.tables.written import Written, samples_of, table_at

NAME = "sdf-file"

_PROPERTY = re.compile(r"^>.*<([^>]*)>")


class SdfFileConfig(MoleculesConfig):
    """Options of :class:`SdfFile`.

    Parameters
    ----------
    file : str
        The file, where ``--data`` names a folder.
    targets : tuple of str
        Properties that are labels; each is a target of its own.
    kinds, units
        See :class:`~pellucid_molecules.tables.smiles_table.SmilesTableConfig`.
    identity : str
        Property with a name for each record. Empty: records are counted.
    split : str
        Property with ``train``, ``validation`` or ``test``.
    """

    file: str = "molecules.sdf"
    targets: tuple[str, ...] = ()
    kinds: Mapping[str, Kind] = Field(default_factory=dict)
    units: Mapping[str, str] = Field(default_factory=dict)
    identity: str = ""
    split: str = ""


class SdfFile(Molecules):
    """Molecules of an SDF file, atoms in its order; hydrogens that follow from valence are counted and no atoms of their own.

    Coordinates are read for stereo marks alone.

    Parameters
    ----------
    config : SdfFileConfig, optional
    data : Path
        The file, or its folder.

    Raises
    ------
    DataError
        If a property is missing, one holds something else than a number, or a structure cannot be used.
    """

    config_type = SdfFileConfig
    config: SdfFileConfig

    def __init__(self, config: SdfFileConfig | None = None, data: Path | None = None) -> None:
        self.config = config = config or SdfFileConfig()
        place = folder_of(data, NAME, "the file, or its folder,")
        path = table_at(place, (config.file,), f"name it with the option file of [options.{NAME}]")
        if not config.targets:
            raise DataError(f"{path}: name the properties that are labels with the option targets of [options.{NAME}]")
        blocks, table = read_sdf(path)
        for option in ("targets", "identity", "split"):
            named = getattr(config, option)
            table.need(
                [named] if named and isinstance(named, str) else named or (),
                {one: f"the option {option}" for one in table_names(named)},
            )
        targets, labels = labels_of(table, config.targets, config.kinds, config.units)
        where = tuple(f"{path.name}, record {row + 1} (line {line})" for row, line in enumerate(table.lines))
        split = tuple(table[config.split]) if config.split else None
        found = Written(tuple(blocks), "block", samples_of(table, config.identity), where, labels, split)
        self._open(NAME, found, targets, "Structures and labels of the user's own.")

    @classmethod
    def _name(cls) -> str:
        return NAME

    @classmethod
    def example_data(cls) -> Dataset:
        """Made-up molecules, written by RDKit."""
        import tempfile

        from rdkit import Chem

        with tempfile.TemporaryDirectory(prefix="pellucid-") as name:
            path = Path(name) / "molecules.sdf"
            with Chem.SDWriter(str(path)) as writer:
                for text, nitro, _ in molecules():
                    molecule = Chem.MolFromSmiles(text)
                    molecule.SetIntProp("nitro", nitro)
                    writer.write(molecule)
            return cls(SdfFileConfig(targets=("nitro",), cache=False), path)


def table_names(named: str | tuple[str, ...]) -> tuple[str, ...]:
    """One name or several, as several."""
    return named if isinstance(named, tuple) else (named,) if named else ()


def read_sdf(path: Path) -> tuple[list[str], CsvTable]:
    """The structures of an SDF file as text, and their properties as a table; nothing of chemistry is looked at.

    Raises
    ------
    DataError
        If it is no text, or holds no record.
    """
    try:
        lines = path.read_text("utf-8", errors="strict").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: is no text in UTF-8; save it so") from None
    blocks: list[str] = []
    starts: list[int] = []
    properties: list[dict[str, str]] = []
    record: list[str] = []
    begun = 1
    for number, line in enumerate([*lines, *([] if not lines or lines[-1].startswith("$$$$") else ["$$$$"])], 1):
        if not line.startswith("$$$$"):
            record.append(line)
            continue
        if any(one.strip() for one in record):
            block, said = _parted(record)
            blocks.append(block)
            properties.append(said)
            starts.append(begun)
            if len(blocks) > MAX_ROWS:
                raise DataError(f"{path}: more than {MAX_ROWS:,} records")
        record, begun = [], number + 1
    if not blocks:
        raise DataError(f"{path}: holds no record of an SDF file, which ends with a line $$$$")
    names = dict.fromkeys(name for said in properties for name in said)
    columns = {name: tuple(said.get(name, "") for said in properties) for name in names}
    return blocks, CsvTable(path, tuple(starts), columns)


def _parted(record: list[str]) -> tuple[str, dict[str, str]]:
    """A record's structure, and its properties by name; of several lines the first."""
    end = next((at for at, line in enumerate(record) if line.startswith("M  END")), None)
    stop = len(record) if end is None else end + 1
    said: dict[str, str] = {}
    for at in range(stop, len(record) - 1):
        if found := _PROPERTY.match(record[at]):
            said.setdefault(found[1].strip(), record[at + 1].strip())
    return "\n".join(record[:stop]) + "\n", said
