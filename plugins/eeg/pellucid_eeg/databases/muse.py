"""The dataset ``muse-n170``: faces and houses seen with a headband of four electrodes, in the native CSV files."""

from __future__ import annotations

import gzip
import io
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid_eeg.recordings.recording import EegRecording, Segment, event_table
from pellucid_eeg.windows.dataset import Windows
from pellucid_eeg.windows.settings import WindowsConfig
from pellucid_eeg.windows.sources import Labels, Source, place_of

NAME = "muse-n170"
RATE_HZ = 256.0
CHANNELS = ("TP9", "AF7", "AF8", "TP10")
COLUMNS = ("timestamps", *CHANNELS, "Marker0")
MARKERS = {1: "house", 2: "face"}
LARGEST_BYTES = 256 << 20

GAP_S = 0.25
"""Times are those at which packets came in, and jitter by some hundredths of a second; what is further off was not recorded."""

LABELS = Labels("picture", ("house", "face"), {"house": 0, "face": 1}, "events", about="which picture was shown")


class MuseN170Config(WindowsConfig):
    """Options of :class:`MuseN170`; windows lie around pictures, from 0.1 s before them."""

    cut: str = Field(default="events", pattern="^events$")  # type: ignore[assignment]
    window_s: float = Field(default=0.9, gt=0, le=10)
    onset_s: float = Field(default=-0.1, ge=-10, le=10)
    namespace: str = Field(default=NAME, min_length=1)


class MuseN170(Windows):
    """Faces and houses, four electrodes of a consumer headband at 256 Hz.

    Parameters
    ----------
    config : MuseN170Config, optional
    data : Path
        A folder with ``subject1/session1/data_....csv.gz`` and so on.

    Raises
    ------
    DataError
        If there is no recording, or one is something else.

    References
    ----------
    Barachant et al. (2019), muse-lsl, doi:10.5281/zenodo.3228861.
    """

    config_type = MuseN170Config
    config: MuseN170Config

    def __init__(self, config: MuseN170Config | None = None, data: Path | None = None) -> None:
        self.config = config = _with_electrodes(config or MuseN170Config())
        if data is None:
            raise DataError(
                f"{NAME} has no usual place: --data names the folder with subject1/session1/data_....csv.gz"
            )
        folder = Path(data)
        files = sorted((*folder.glob("subject*/session*/*.csv.gz"), *folder.glob("subject*/session*/*.csv")))
        if not files:
            raise DataError(f"{folder}: holds no recording; expected subject1/session1/data_....csv.gz")
        sources = [
            Source(
                place_of(file, folder, config.namespace),
                pseudonym(file.relative_to(folder).parts[0], config.namespace),
                opens=read_muse,
            )
            for file in files
        ]
        about = (
            "Single trials of few people with four dry electrodes of a headband. The wave that tells faces from houses is half a "
            "microvolt in the mean: single trials can hardly be told apart."
        )
        self._take(NAME, sources, LABELS, about=about)

    @classmethod
    def of_objects(cls, objects: Any, config: MuseN170Config) -> MuseN170:
        """Windows of recordings that are open already, without labels; see :func:`pellucid_eeg.windows.given.given_recordings`."""
        made: MuseN170 = cls._of_objects(NAME, objects, _with_electrodes(config), LABELS)
        return made


def _with_electrodes(config: MuseN170Config) -> MuseN170Config:
    if config.preparation.electrodes:
        return config
    return config.model_copy(update={"preparation": config.preparation.model_copy(update={"electrodes": CHANNELS})})


def read_muse(path: Path) -> EegRecording:
    """Read one native file: ``timestamps``, the electrodes in microvolts, ``Marker0`` (1 house, 2 face).

    Samples follow one another at 256 Hz; where times jump by a quarter of a second or more there is an interruption.

    Parameters
    ----------
    path : Path
        A table of comma-separated values, packed by gzip or not.

    Raises
    ------
    DataError
        If columns are missing, a value is no number, a marker is another, or time runs backward by so much.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            with gzip.open(io.BytesIO(content)) as file:
                content = file.read(LARGEST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise DataError(f"{path.name}: cannot be read ({reason}); fetch it again") from None
    if len(content) > LARGEST_BYTES:
        raise DataError(
            f"{path.name}: holds more than {LARGEST_BYTES >> 20} MB of text; that is no recording of minutes"
        )
    try:
        table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    except (ValueError, UnicodeDecodeError):
        raise DataError(f"{path.name}: is no comma-separated table; fetch it again") from None
    missing = [one for one in COLUMNS if one not in table.columns]
    if missing or not len(table):
        raise DataError(f"{path.name}, line 1: lacks the columns {', '.join(missing) or 'filled with samples'}")
    values = {}
    for name in COLUMNS:
        values[name] = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64)
        wrong = ~np.isfinite(values[name])
        if wrong.any():
            raise DataError(
                f"{path.name}, line {int(wrong.argmax()) + 2}, column {name!r}: is no number; fetch the file again"
            )
    jumps = np.diff(values["timestamps"]) - 1 / RATE_HZ
    if (jumps < -GAP_S).any():
        line = int((jumps < -GAP_S).argmax()) + 3
        raise DataError(
            f"{path.name}, line {line}: time runs backward by {-jumps.min():.2f} s; the file was put together wrongly"
        )
    markers = values["Marker0"]
    strange = ~np.isin(markers, (0, *MARKERS))
    if strange.any():
        raise DataError(
            f"{path.name}, line {int(strange.argmax()) + 2}, column 'Marker0': is {markers[strange][0]:g}; expected 0, 1 or 2"
        )
    edges = [0, *(np.flatnonzero(jumps >= GAP_S) + 1).tolist(), len(table)]
    times = values["timestamps"] - values["timestamps"][0]
    segments = tuple(Segment(start, stop, 0.0 if not start else float(times[start])) for start, stop in pairwise(edges))
    recording = EegRecording(
        np.stack([values[name] for name in CHANNELS]).astype(np.float32),
        CHANNELS,
        RATE_HZ,
        segments=segments,
        name=path.stem,
    )
    shown = np.flatnonzero(markers)
    onsets = [recording.seconds_of(int(at)) for at in shown]
    events = event_table(onsets, [0.0] * len(onsets), [MARKERS[int(markers[at])] for at in shown])
    return EegRecording(recording.signals, CHANNELS, RATE_HZ, events, segments, name=path.stem)
