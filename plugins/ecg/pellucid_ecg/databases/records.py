"""What is common to every dataset of whole recordings: its options, and how it reads."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pellucid.cache import cache_folder
from pellucid.data.dataset import Dataset
from pellucid.data.samples import Arrays
from pellucid.data.spec import Frozen
from pellucid_ecg.databases.broken import left_out, refused
from pellucid_ecg.databases.places import FilePlace
from pellucid_ecg.databases.shaping import Shape, Shorter
from pellucid_ecg.databases.signals import read_signals
from pellucid_ecg.recordings.objects import recording_of
from pellucid_ecg.recordings.recording import EcgRecording
from pellucid_ecg.wfdb_files.reading import read_record


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

    def _take(self, places: Sequence[FilePlace], shape: Shape, name: str) -> npt.NDArray[np.int64]:
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
            FilePlace(called, Path(called), f"the {at + 1}. of {len(several)}") for at, called in enumerate(recordings)
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
