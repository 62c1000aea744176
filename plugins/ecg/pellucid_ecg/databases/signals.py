"""Many records brought to one shape: the same leads, rate, length and units, with what was found wrong of each.

Every dataset of whole recordings stands on this module.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from pellucid.cache import cache_folder
from pellucid.cards.inside import place as inside
from pellucid.cards.inside import shown, why_unsafe
from pellucid.data.dataset import Dataset
from pellucid.data.prepared import Prepared, Preparing, made_from, prepared
from pellucid.data.samples import Arrays, Finding
from pellucid.data.spec import Frozen
from pellucid.errors import DataError
from pellucid_ecg.databases.shaping import Shape, Shorter, declared, shaped
from pellucid_ecg.recordings.duplicates import near_duplicates, signature
from pellucid_ecg.recordings.foreign import unquoted, with_plain_leads
from pellucid_ecg.recordings.objects import recording_of
from pellucid_ecg.recordings.quality import quality
from pellucid_ecg.recordings.recording import EcgRecording
from pellucid_ecg.wfdb_files.headers import header_path, read_header
from pellucid_ecg.wfdb_files.reading import read_record

FORMAT = 2
"""To be raised whenever signals come out differently: what was kept before is then not found."""

INPUT = "ecg"
"""Name of the input of every dataset here."""

Read = Callable[[Path], EcgRecording]


class RecordsConfig(Frozen):
    """Options of every dataset of whole recordings.

    Parameters
    ----------
    seconds : float
        From the beginning of each recording.
    shorter : {"refused", "masked"}
        A recording that is shorter than that is broken, or filled up with zeros that are masked.
    high_pass_hz : float, optional
        Take out what is slower: a Butterworth filter of first order, forward and backward (ProtoECGNet: 0.5). By default
        signals stay as their files have them.
    skip_broken : bool
        Leave out recordings that cannot be used and list them, instead of refusing all.
    cache : bool
        Whether what was read is kept between runs.
    """

    seconds: float = Field(default=10.0, gt=0, le=3600)
    shorter: Shorter = "refused"
    high_pass_hz: float | None = Field(default=None, gt=0)
    skip_broken: bool = False
    cache: bool = True


class Place(NamedTuple):
    """Where a recording is.

    Parameters
    ----------
    sample : str
        What it is called where people read, in reports too.
    path : Path
        Its file, or the record as WFDB names it.
    shown : str
        What an error calls it: the line of a table, say.
    """

    sample: str
    path: Path
    shown: str


@dataclass(frozen=True, eq=False)
class Signals:
    """Recordings of one shape, kept on disk.

    Parameters
    ----------
    rows : ndarray of int
        Positions, among the places that were asked for, of those that could be used.
    units : str
    broken : tuple of (Place, str)
        Those that could not be used, and why.
    findings : tuple of Finding
        Of those that could.
    store : Prepared
        Arrays ``signals``, float32, shape (lead, time), and ``known``, one bit a sample.
    """

    rows: npt.NDArray[np.int64]
    units: str
    broken: tuple[tuple[Place, str], ...]
    findings: tuple[Finding, ...]
    store: Prepared

    def read(self, indices: npt.NDArray[np.integer]) -> Arrays:
        """Some of them, in the order asked for; with a mask if any sample of any recording is not known."""
        if not self.store.notes["masked"]:
            return Arrays({INPUT: self.store.read(indices, ("signals",))["signals"]})
        found = self.store.read(indices)
        known = np.unpackbits(found["known"], axis=-1, count=found["signals"].shape[-1]).astype(bool)
        return Arrays({INPUT: found["signals"]}, {INPUT: known})


class Records(Dataset):
    """A dataset of whole recordings: what is common to all of them.

    A class of it finds its places and labels, calls :meth:`_take`, and makes its frame of the rows that were kept. Opening it
    for the first time reads every recording, to know which cannot be used; what was read is kept in the cache folder, and
    found again the next time.
    """

    config: RecordsConfig

    def read_file(self, path: Path) -> EcgRecording:
        """One recording, as its file has it."""
        return read_record(path)

    def _take(self, places: Sequence[Place], shape: Shape, name: str) -> npt.NDArray[np.int64]:
        """Read recordings; the positions of those that are kept.

        Raises
        ------
        DataError
            If one cannot be used and none are to be skipped, or none can be used.
        """
        folder = cache_folder()
        if not self.config.cache:
            self._temporary = tempfile.TemporaryDirectory(prefix="pellucid-")
            folder = Path(self._temporary.name)
        self._signals = read_signals(places, shape, self.read_file, folder / name)
        if self._signals.broken and not self.config.skip_broken:
            raise refused(self._signals.broken, len(places), name)
        self.findings = (*left_out(self._signals.broken), *self._signals.findings)
        return self._signals.rows

    def _given(self, objects: Any, shape: Shape, name: str) -> tuple[str, ...]:
        """Take recordings that are open already; what they are called.

        Parameters
        ----------
        objects : EcgRecording, wfdb.Record, ndarray or path, or a list of these
            Of an array, shape ``(lead, time)``, rate and leads are those that the dataset has, and its values are in mV.
        shape : Shape
        name : str

        Raises
        ------
        DataError
            If no recording can be made from one, or it has not the shape of the dataset.
        """
        several = list(objects) if isinstance(objects, list | tuple) else [objects]
        recordings = {}
        for at, one in enumerate(several):
            called = f"given-{at + 1}"
            made = recording_of(one, rate_hz=shape.rate_hz, leads=shape.leads, name=called)
            recordings[called] = made
        self._temporary = tempfile.TemporaryDirectory(prefix="pellucid-")
        places = [
            Place(called, Path(called), f"the {at + 1}. of {len(several)}") for at, called in enumerate(recordings)
        ]
        self._signals = read_signals(
            places, shape, lambda path: recordings[path.name], Path(self._temporary.name) / name
        )
        if self._signals.broken:
            raise refused(self._signals.broken, len(places), name)
        self.findings = self._signals.findings
        return tuple(recordings)

    def read(self, indices: np.ndarray) -> Arrays:
        """Some recordings, in the order asked for."""
        return self._signals.read(indices)


def read_signals(places: Sequence[Place], shape: Shape, read: Read, kept_in: Path) -> Signals:
    """Recordings of one shape, from what was kept of an earlier time, or read and kept.

    Parameters
    ----------
    places : sequence of Place
    shape : Shape
    read : callable
        From a path to a recording; raises :class:`~pellucid.errors.DataError` for what is none.
    kept_in : Path
        Folder and first part of the name of the store; the dataset's name is its last part.

    Raises
    ------
    DataError
        If none can be used.
    """
    if not places:
        raise DataError(f"{kept_in.name}: no recordings are named")
    facts = {"format": FORMAT, "shape": asdict(shape), "missing": [], "places": len(places)}
    files = []
    for row, place in enumerate(places):
        here = files_of(place.path)
        files += here
        if not here:
            facts["missing"].append(row)  # type: ignore[attr-defined]
    store = prepared(kept_in, made_from(facts, files), lambda to: _prepare(to, places, shape, read, kept_in.name))
    notes = store.notes
    broken = tuple((places[row], why) for row, why in notes["broken"])
    found = [Finding(places[row].sample, what, where, done) for row, what, where, done in notes["findings"]]
    found += [Finding(places[row].sample, what, places[first].sample) for row, what, first in notes["alike"]]
    return Signals(store.table["row"].to_numpy(np.int64), notes["units"], broken, tuple(found), store)


def _prepare(to: Preparing, places: Sequence[Place], shape: Shape, read: Read, name: str) -> pd.DataFrame:
    units: str | None = None
    rows: list[int] = []
    broken: list[tuple[int, str]] = []
    findings: list[tuple[int, str, str, str]] = []
    signatures: list[npt.NDArray[np.float32]] = []
    masked = False
    everything = np.packbits(np.ones((len(shape.leads), shape.length), bool), axis=-1)
    for row, place in enumerate(places):
        try:
            recording = read(place.path)
            signal, known, units = shaped(recording, shape, units)
        except DataError as error:
            broken.append((row, str(error)))
            continue
        masked |= known is not None
        to.add(signals=signal, known=everything if known is None else np.packbits(known, axis=-1))
        findings += [
            (row, one.what, one.where, one.done) for one in quality(with_plain_leads(declared(recording), shape.leads))
        ]
        signatures.append(signature(EcgRecording(signal, shape.leads, shape.rate_hz)))
        rows.append(row)
    if not rows:
        raise refused([(places[row], why) for row, why in broken], len(places), name)
    # By their positions, as samples may be called otherwise the next time.
    alike = near_duplicates([str(row) for row in rows], np.stack(signatures))
    twice = [(int(one.sample), one.what, int(one.where)) for one in alike]
    to.notes |= {"units": units, "masked": masked, "broken": broken, "findings": findings, "alike": twice}
    return pd.DataFrame({"row": rows})


def below(folder: Path, names: Iterable[str]) -> list[Path]:
    """Where names of a table stand below a folder; looks once a folder whether it leads out.

    Raises
    ------
    DataError
        If one leads out of the folder.
    """
    safe: set[Path] = set()
    found = []
    for name in names:
        path = folder / name
        if why := why_unsafe(name):
            raise DataError(f"{shown(name)}: {why}; a table names records below its own folder, {folder}")
        if path.parent not in safe:
            path = inside(folder, name)
            safe.add(path.parent)
        found.append(path)
    return found


def files_of(path: Path) -> list[Path]:
    """The files that a recording is made of, as far as they are there."""
    if path.suffix == ".mat":
        return [path] if os.path.isfile(path) else []
    header = Path(header_path(path))
    found = [one for end in (".hea", ".dat", ".mat") if os.path.isfile(one := header.with_suffix(end))]
    if len(found) == 1 and found[0] == header:
        # Data under another name than the record's.
        with suppress(DataError):
            named = {line.file for line in read_header(header).signals}
            found += [one for file in sorted(named) if os.path.isfile(one := header.parent / file)]
    return found


UNUSABLE = "cannot be used"


def refused(broken: Sequence[tuple[Place, str]], count: int, name: str) -> DataError:
    """What to say of recordings that cannot be used, of so many of a dataset."""
    place, why = broken[0]
    called = f"{place.sample} ({place.shown})"
    if len(broken) == count:
        return DataError(
            f"{name}: none of {count:,} recordings can be used. The first is {called}: {why}. Is this the right folder?"
        )
    return DataError(
        f"{name}: {len(broken):,} of {count:,} recordings cannot be used. The first is {called}: {why}. Mend or remove them, or leave "
        "them out with --skip-broken (option skip_broken = true): the report then lists them"
    )


def left_out(broken: Sequence[tuple[Place, str]]) -> tuple[Finding, ...]:
    """Recordings that were left out, for a report: each file by the name that the sample has there."""
    return tuple(
        Finding(place.sample, UNUSABLE, unquoted(why.replace(place.path.name, place.sample), place.sample), "left out")
        for place, why in broken
    )
