"""Many recordings brought to one shape: the same leads, rate, length and units, with what was found wrong of each; kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.data.samples import Arrays, Finding
from pellucid.errors import DataError
from pellucid.store.prepared import Prepared, Preparing, made_from, prepared
from pellucid_ecg.databases.broken import refused
from pellucid_ecg.databases.places import FilePlace, files_of
from pellucid_ecg.databases.shaping import Shape, declared, shaped
from pellucid_ecg.recordings.duplicates import near_duplicates, signature
from pellucid_ecg.recordings.foreign import with_plain_leads
from pellucid_ecg.recordings.quality import quality
from pellucid_ecg.recordings.recording import EcgRecording

FORMAT = 3
"""To be raised whenever signals come out differently: what was kept before is then not found."""

INPUT = "ecg"
"""Name of the input of every dataset here."""

Read = Callable[[Path], EcgRecording]


@dataclass(frozen=True, eq=False)
class Signals:
    """Recordings of one shape, kept on disk.

    Parameters
    ----------
    rows : ndarray of int
        Positions, among the places that were asked for, of those that could be used.
    units : str
    broken : tuple of (FilePlace, str)
        Those that could not be used, and why.
    findings : tuple of Finding
        Of those that could.
    store : Prepared
        Arrays ``signals``, float32, shape (lead, time), and ``known``, one bit a sample.
    """

    rows: npt.NDArray[np.int64]
    units: str
    broken: tuple[tuple[FilePlace, str], ...]
    findings: tuple[Finding, ...]
    store: Prepared

    def read(self, indices: npt.NDArray[np.integer]) -> Arrays:
        """Some of them, in the order asked for; with a mask if any sample of any recording is not known."""
        if not self.store.notes["masked"]:
            return Arrays({INPUT: self.store.read(indices, ("signals",))["signals"]})
        found = self.store.read(indices)
        known = np.unpackbits(found["known"], axis=-1, count=found["signals"].shape[-1]).astype(bool)
        return Arrays({INPUT: found["signals"]}, {INPUT: known})


def read_signals(places: Sequence[FilePlace], shape: Shape, read: Read, kept_in: Path) -> Signals:
    """Recordings of one shape, from what was kept of an earlier time, or read and kept.

    Parameters
    ----------
    places : sequence of FilePlace
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


def _prepare(to: Preparing, places: Sequence[FilePlace], shape: Shape, read: Read, name: str) -> pd.DataFrame:
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
        if recording.rate_hz < shape.rate_hz:
            where = f"{recording.rate_hz:g} Hz: nothing faster than {recording.rate_hz / 2:g} Hz is in it"
            findings.append((row, "recorded more slowly than asked for", where, f"resampled to {shape.rate_hz:g} Hz"))
        signatures.append(signature(EcgRecording(signal, shape.leads, shape.rate_hz)))
        rows.append(row)
    if not rows:
        raise refused([(places[row], why) for row, why in broken], len(places), name)
    # By their positions, as samples may be called otherwise the next time.
    alike = near_duplicates([str(row) for row in rows], np.stack(signatures))
    twice = [(int(one.sample), one.what, int(one.where)) for one in alike]
    to.notes |= {"units": units, "masked": masked, "broken": broken, "findings": findings, "alike": twice}
    return pd.DataFrame({"row": rows})
