"""The dataset ``cif-folder``: crystals of one's own as CIF files, with a table of what is known of them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from pellucid.data import Dataset, Target
from pellucid.data.samples import Finding
from pellucid.errors import DataError
from pellucid.loading.csv_tables import CsvTable, read_csv
from pellucid.loading.unusable import UNUSABLE
from pellucid.store.prepared import Preparing, made_from
from pellucid_molecules.crystals.crystals import Crystals, CrystalsConfig, batches, written
from pellucid_molecules.crystals.frameworks import framework_of, made_up
from pellucid_molecules.crystals.store import VERSION, Examined
from pellucid_molecules.tables.labels import Kind, labels_of

NAME = "cif-folder"
ENDING = ".cif"


class CifFolderConfig(CrystalsConfig):
    """Options of :class:`CifFolder`.

    Parameters
    ----------
    table : str
        Table of labels in the folder, one row a structure; empty: all structures, without labels.
    file : str
        Column with the names of files, with or without ``.cif``.
    targets : tuple of str
        Columns of labels, empty cells where nothing is known; each is a target of its own.
    kinds : mapping of str to {"binary", "regression"}
        Of columns whose kind is not what it looks like: 0 and 1 alone are ``binary``.
    units : mapping of str to str
        Of numbers: ``{ "pld" = "angstrom" }``.
    framework : str
        Column that says which structures are of one framework, and never stand on two sides of a split. Empty: by name, those with
        the same six letters of a reference code are.
    skip_broken : bool
        Leave out structures that cannot be used and list them, instead of refusing all.
    """

    table: str = ""
    file: str = "file"
    targets: tuple[str, ...] = ()
    kinds: Mapping[str, Kind] = Field(default_factory=dict)
    units: Mapping[str, str] = Field(default_factory=dict)
    framework: str = ""
    skip_broken: bool = False


class CifFolder(Crystals):
    """Crystals of your own: a folder of CIF files, and perhaps a table with columns of labels.

    Whatever is in the table beside the columns that options name is not read.

    Parameters
    ----------
    config : CifFolderConfig, optional
    data : Path
        The folder.

    Raises
    ------
    DataError
        If there is no CIF file, the table names one that is not there, lacks a column, or a structure cannot be used: a partial
        occupancy, atoms that overlap, an unknown element, each with file and line.
    """

    config_type = CifFolderConfig
    config: CifFolderConfig

    def __init__(self, config: CifFolderConfig | None = None, data: Path | None = None) -> None:
        self.config = config = config or CifFolderConfig()
        if data is None:
            raise DataError(f"dataset {NAME!r} is not part of a package: name a folder of CIF files with --data")
        if not data.is_dir():
            raise DataError(f"{data}: is no folder of CIF files")
        table = read_csv(data / config.table) if config.table else None
        files = _files(data, table, config)
        targets: dict[str, Target] = {}
        labels: dict[str, np.ndarray] = {}
        if table is not None and config.targets:
            table.need(config.targets, dict.fromkeys(config.targets, "the option targets"))
            targets, labels = labels_of(table, config.targets, config.kinds, config.units)
        facts = {"version": VERSION, "radius": config.radius_angstrom, "nearest": config.nearest}
        store = self._kept(NAME, made_from(facts, files), lambda to: self._read(to, files))
        broken = {name: why for name, why in store.notes["broken"]}
        kept = np.array([at for at, file in enumerate(files) if file.stem not in broken], np.int64)
        if broken and (not config.skip_broken or not len(kept)):
            first = next(iter(broken.values()))
            raise DataError(
                f"{NAME}: {len(broken):,} of {len(files):,} structures cannot be used. The first is {first}. Mend or remove them, or "
                "leave them out with --skip-broken (option skip_broken = true): the report then lists them"
            )
        self.findings = tuple(Finding(name, UNUSABLE, why, "left out") for name, why in broken.items())
        self._hold(store, np.arange(len(kept)))
        names = [files[at].stem for at in kept]
        frameworks = [framework_of(name) for name in names]
        if table is not None and config.framework:
            table.need([config.framework], {config.framework: "the option framework"})
            every = table.full(config.framework)
            frameworks = [every[at] for at in kept]
        self.frame = self._frame(names, frameworks, {name: values[kept] for name, values in labels.items()})
        self.spec = self._spec(NAME, targets, "Structures and labels of the user's own.")
        self.check()

    def _read(self, to: Preparing, files: list[Path]) -> pd.DataFrame:
        parts, broken, at = list[pd.DataFrame](), list[tuple[str, str]](), 0
        texts = ((_text(file), file.name) for file in files)
        for some in self._examined(batches(texts)):
            found = list[Examined]()
            for one in some:
                if one.why:
                    broken.append((files[at].stem, one.why))
                else:
                    found.append(one)
                at += 1
            parts.append(written(to, found))
        to.notes["broken"] = broken
        return pd.concat(parts, ignore_index=True)

    @classmethod
    def _name(cls) -> str:
        return NAME

    @classmethod
    def example_data(cls) -> Dataset:
        """Made-up crystals with a label of each kind."""
        with tempfile.TemporaryDirectory(prefix="pellucid-") as name:
            folder, rows = Path(name), ["file,cavity,bare"]
            for at in range(40):
                text, cavity, bare = made_up(at)
                (folder / f"m{at}{ENDING}").write_text(text)
                rows.append(f"m{at}{ENDING},{cavity:.4f},{int(bare)}")
            (folder / "labels.csv").write_text("\n".join(rows) + "\n")
            config = CifFolderConfig(
                table="labels.csv", targets=("cavity", "bare"), units={"cavity": "angstrom"}, cache=False
            )
            return cls(config, folder)


def _files(folder: Path, table: CsvTable | None, config: CifFolderConfig) -> list[Path]:
    here = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() == ENDING and path.is_file()}
    if not here:
        raise DataError(f"{folder}: holds no file that ends in {ENDING}")
    if table is None:
        return list(here.values())
    table.need([config.file], {config.file: "the option file"})
    files, seen = [], dict[str, int]()
    for row, cell in enumerate(table.full(config.file)):
        stem = cell[: -len(ENDING)] if cell.lower().endswith(ENDING) else cell
        if stem not in here:
            raise DataError(f"{table.where(row, config.file)}: there is no file {stem}{ENDING} in {folder}")
        if stem in seen:
            raise DataError(f"{table.where(row, config.file)}: {stem} stands in line {table.lines[seen[stem]]} too")
        seen[stem] = row
        files.append(here[stem])
    return files


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
