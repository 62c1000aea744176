"""The dataset ``core-mof``: metal-organic frameworks of the CoRE MOF database with their published pore diameters."""

from __future__ import annotations

import csv
import lzma
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

import numpy as np
import pandas as pd
from pydantic import Field

from pellucid import plugins
from pellucid.data import Binary, Dataset, Regression, Target
from pellucid.data.inputs import Sentences
from pellucid.data.samples import Finding
from pellucid.errors import DataError
from pellucid.loading.unusable import UNUSABLE
from pellucid.store.prepared import Preparing, made_from
from pellucid_molecules.crystals.crystals import Crystals, CrystalsConfig, batches, written
from pellucid_molecules.crystals.frameworks import examples, framework_of
from pellucid_molecules.crystals.store import VERSION, Examined

NAME = "core-mof"
PACKAGE = "CoRE_MOF"
GET = "pip install --no-deps core-mof==2019.1"

COLUMNS = {"pld": "PLD", "lcd": "LCD", "oms": "Has_OMS"}
"""By target, the column of the table."""

TARGETS: dict[str, Target] = {
    "pld": Regression(
        names=("pld",), units=("angstrom",), about="pore-limiting diameter: of the largest ball that comes through"
    ),
    "lcd": Regression(
        names=("lcd",), units=("angstrom",), about="largest cavity diameter: of the largest ball that fits in"
    ),
    "oms": Binary(
        names=("no open metal site", "open metal site"), about="whether a metal has a free place among its neighbours"
    ),
}

ANSWER = "answer"
"""The text of each sample: its pore-limiting diameter with the unit, for models that answer in words."""

BYTES_AN_ATOM = 60
"""Of a line of a CIF file, about: a file that is far longer than its atoms could be is not opened for nothing."""

HEAD_BYTES = 4000


class CoreMofConfig(CrystalsConfig):
    """Options of :class:`CoreMof`.

    Parameters
    ----------
    collection : {"2019-ASR", "2019-FSR"}
        All solvent removed, or free solvent alone.
    samples : int
        How many structures are drawn.
    most_atoms : int
        Structures with more atoms in a cell are not drawn: they would take most of the time.
    draw_seed : int
    skip_broken : bool
        Leave out structures that cannot be used (overlapping atoms, mostly: one in fourteen) and list them, instead of refusing all.
    """

    collection: Literal["2019-ASR", "2019-FSR"] = "2019-ASR"
    samples: int = Field(default=1000, ge=10)
    most_atoms: int = Field(default=300, ge=1)
    draw_seed: int = Field(default=0, ge=0)
    skip_broken: bool = True


@dataclass(frozen=True)
class _Files:
    table: Path
    structures: Path


class CoreMof(Crystals):
    """Some of the metal-organic frameworks of CoRE MOF 2019: pore-limiting diameter, largest cavity, open metal sites.

    A seeded draw of the structures of at most so many atoms, each split by framework: those of one family of the Cambridge
    Structural Database (the six letters of a reference code, under which measurements of one compound are kept), and those with
    the same reduced formula, stay together.

    Parameters
    ----------
    config : CoreMofConfig, optional
    data : Path, optional
        A folder with ``2019-ASR.csv`` and ``2019-ASR.tar.xz``; by default that of the installed package core-mof, which is not
        imported.

    Raises
    ------
    DataError
        If there are no such files, the table lacks a column, or a structure cannot be used and none are to be skipped.

    References
    ----------
    Chung et al. (2019), doi:10.1021/acs.jced.9b00835. Diameters there are Zeo++'s.
    """

    config_type = CoreMofConfig
    config: CoreMofConfig

    def __init__(self, config: CoreMofConfig | None = None, data: Path | None = None) -> None:
        self.config = config = config or CoreMofConfig()
        files = _files(config.collection, data)
        labels = _labels(files.table)
        facts = config.model_dump(
            include={"collection", "samples", "most_atoms", "draw_seed", "radius_angstrom", "nearest"}
        )
        key = made_from({"version": VERSION, **facts}, [files.table, files.structures])
        store = self._kept(NAME, key, lambda to: self._draw(to, files, labels))
        broken = [Finding(*one) for one in store.notes["broken"]]
        if broken and not config.skip_broken:
            raise DataError(
                f"{NAME}: {len(broken):,} structures that were drawn cannot be used. The first is {broken[0].where}. Leave them out "
                "with --skip-broken (option skip_broken = true): the report then lists them"
            )
        names = list(store.notes["names"])
        if not names:
            raise DataError(
                f"{files.structures}: no structure of at most {config.most_atoms} atoms can be used; raise the option most_atoms"
            )
        self.findings = tuple(broken)
        self._hold(store, np.arange(len(names)))
        known = labels.loc[names]
        self.frame = self._frame(
            names, [framework_of(name) for name in names], {name: known[name].to_numpy(float) for name in TARGETS}
        )
        self.frame[f"text:{ANSWER}"] = [f"{pld:.1f} angstrom" for pld in known["pld"]]
        self.spec = self._spec(
            NAME,
            TARGETS,
            f"{len(names):,} structures drawn (seed {config.draw_seed}) from those of {config.collection} with at most "
            f"{config.most_atoms} atoms in a cell; {len(broken):,} more were drawn and cannot be used. Diameters are computed from the "
            "structures (Zeo++), and are no measurements: the input pores computes nearly the same.",
        )
        self.spec = self.spec.model_copy(update={"texts": {ANSWER: Sentences(about="pore-limiting diameter in words")}})
        self.check()

    def _draw(self, to: Preparing, files: _Files, labels: pd.DataFrame) -> pd.DataFrame:
        """Read structures in a drawn order until there are enough."""
        config = self.config
        texts = _texts(files.structures, config.most_atoms)
        order = np.random.default_rng(config.draw_seed).permutation(sorted(set(texts) & set(labels.index))).tolist()
        names, broken, parts, at = list[str](), list[tuple[str, str, str, str]](), [], 0
        while len(names) < config.samples and at < len(order):
            # As many as are missing, and some more for those that cannot be used.
            asked = order[at : at + int(1.1 * (config.samples - len(names))) + 5]
            at += len(asked)
            seen = (
                one for some in self._examined(batches((texts[name], f"{name}.cif") for name in asked)) for one in some
            )
            found = list[Examined]()
            for name, one in zip(asked, seen, strict=True):
                if len(names) == config.samples:
                    continue
                if one.why:
                    broken.append((name, UNUSABLE, one.why, "left out"))
                elif one.atoms <= config.most_atoms:
                    names.append(name)
                    found.append(one)
            parts.append(written(to, found))
        to.notes |= {"names": names, "broken": broken}
        return pd.concat(parts, ignore_index=True)

    @classmethod
    def _name(cls) -> str:
        return NAME

    @classmethod
    def example_data(cls) -> Dataset:
        """Made-up crystals in the layout of the package."""
        with examples() as folder:
            return cls(CoreMofConfig(samples=60, cache=False), folder)


def _files(collection: str, data: Path | None) -> _Files:
    if data is None:
        package = plugins.package_folder(PACKAGE)
        if package is None:
            raise DataError(
                f"{NAME}: the package core-mof is not installed ({GET}); or --data names a folder with {collection}.csv and "
                f"{collection}.tar.xz"
            )
        data = package / "data"
    files = _Files(data / f"{collection}.csv", data / f"{collection}.tar.xz")
    for file in (files.table, files.structures):
        if not file.is_file():
            raise DataError(f"{data}: holds no {file.name}; the package core-mof has it ({GET})")
    return files


def _labels(path: Path) -> pd.DataFrame:
    # Rows are longer than the header in places, so that the table reader for whole tables would refuse it.
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table: {error}") from None
    header = rows[0] if rows else []
    for column in ("filename", *COLUMNS.values()):
        if column not in header:
            raise DataError(f"{path}, line 1: there is no column {column!r}")
    at: Mapping[str, int] = {name: header.index(column) for name, column in COLUMNS.items()}
    names, values = [], []
    for line, row in enumerate(rows[1:], 2):
        if not any(row):
            continue
        try:
            found = {name: row[column].strip() for name, column in at.items()}
            values.append(
                [
                    float(found["pld"]),
                    float(found["lcd"]),
                    {"Yes": 1.0, "No": 0.0}[found["oms"]],
                ]
            )
        except (ValueError, KeyError, IndexError):
            raise DataError(f"{path}, line {line}: needs numbers in PLD and LCD, and Yes or No in Has_OMS") from None
        names.append(row[header.index("filename")].strip())
    table = pd.DataFrame(values, index=names, columns=list(COLUMNS))
    if not table.index.is_unique:
        raise DataError(f"{path}: {table.index[table.index.duplicated()][0]!r} stands more than once")
    return table


def _texts(path: Path, most_atoms: int) -> dict[str, str]:
    """The CIF files of an archive that can hold at most so many atoms, by name."""
    most = HEAD_BYTES + 2 * BYTES_AN_ATOM * most_atoms
    found = {}
    try:
        # As a stream: an archive of 20 MB is unpacked once, and never as a whole.
        with tarfile.open(path, "r|xz") as archive:
            for member in archive:
                name = Path(member.name)
                if not member.isfile() or name.suffix != ".cif" or name.name.startswith(".") or member.size > most:
                    continue
                text = cast("IO[bytes]", archive.extractfile(member)).read().decode("utf-8", "replace")
                found[name.stem] = text
    except (OSError, EOFError, lzma.LZMAError, tarfile.TarError) as error:
        raise DataError(f"{path}: is no whole archive of CIF files ({error})") from None
    return found
