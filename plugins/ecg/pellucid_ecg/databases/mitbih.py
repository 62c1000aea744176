"""The dataset ``mit-bih``: heart beats of the MIT-BIH Arrhythmia Database, one sample a beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field, model_validator

from pellucid.data import Binary, DataSpec, MultiClass, Signal, Vector, pseudonym
from pellucid.data.dataset import Dataset
from pellucid.data.samples import Arrays, Finding
from pellucid.data.spec import Frozen
from pellucid.errors import DataError
from pellucid_ecg.databases.beats import AAMI, Beats, intervals, read_annotations, read_beats_table
from pellucid_ecg.databases.broken import left_out, refused
from pellucid_ecg.databases.places import FilePlace
from pellucid_ecg.databases.signals import INPUT
from pellucid_ecg.recordings.leads import canonical
from pellucid_ecg.recordings.recording import EcgRecording
from pellucid_ecg.recordings.units import in_millivolts
from pellucid_ecg.wfdb_files.reading import read_record

NAME = "mit-bih"
RATE_HZ = 360.0

DS1 = frozenset("101 106 108 109 112 114 115 116 118 119 122 124 201 203 205 207 208 209 215 220 223 230".split())  # noqa: SIM905
DS2 = frozenset("100 103 105 111 113 117 121 123 200 202 210 212 213 214 219 221 222 228 231 232 233 234".split())  # noqa: SIM905
"""The division of de Chazal et al. (2004), doi:10.1109/TBME.2004.827359: recordings to learn from, and to be judged on."""

PACED = frozenset(("102", "104", "107", "217"))
"""Recordings with a pacemaker, which ANSI/AAMI EC57 leaves out."""

SAME_PERSON = {"202": "201"}
"""Recordings of one person, the later one first."""

FIRST = "first"
MOST_RECORDS = 10_000

COVARIATES = {"rr_before_s": "s", "rr_after_s": "s", "rr_ratio": "1"}


class MitBihConfig(Frozen):
    """Options of :class:`MitBih`.

    Parameters
    ----------
    before_s, after_s : float
        The window around each R wave.
    lead : str
        ``"first"``: the first channel of each recording, mostly MLII; or a lead's name: recordings that lack it are left out.
    paced : {"left out", "kept"}
        Recordings with a pacemaker; ANSI/AAMI EC57 leaves them out.
    division : {"mended", "published"}
        What the column ``split`` says. The published division has one person on both sides (recordings 201 and 202); mended, 202
        stands with 201 among those to learn from.
    skip_broken : bool
        Leave out recordings that cannot be used and list them, instead of refusing all.
    """

    before_s: float = Field(default=0.25, gt=0, le=5)
    after_s: float = Field(default=0.45, gt=0, le=5)
    lead: str = Field(default=FIRST, min_length=1)
    paced: Literal["left out", "kept"] = "left out"
    division: Literal["mended", "published"] = "mended"
    skip_broken: bool = False

    @model_validator(mode="after")
    def _window_has_samples(self) -> MitBihConfig:
        if round(self.before_s * RATE_HZ) + round(self.after_s * RATE_HZ) < 2:
            raise ValueError(f"the window is shorter than two samples at {RATE_HZ:g} Hz")
        return self


@dataclass(frozen=True, eq=False)
class _Recording:
    """One lead of a recording, and those of its beats whose window lies inside."""

    name: str
    lead: str
    signal: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_] | None
    beats: pd.DataFrame
    cut_off: int


class MitBih(Dataset):
    """Heart beats of half-hour recordings: a window around each R wave in one lead.

    A folder holds WFDB records with ``<record>.atr``, as PhysioNet has them, or with ``<record>_beats.csv`` (``sample``, ``pvc``).
    Targets are ``aami`` (N, S, V, F, Q), known where there is an ``.atr`` file, and ``pvc``. Covariates are times between beats:
    before and after, and before in terms of the mean around. The column ``split`` has the division of de Chazal et al., where it
    knows all recordings.

    Parameters
    ----------
    config : MitBihConfig, optional
    data : Path
        The folder.

    Raises
    ------
    DataError
        If there is no recording with beats, or one cannot be used.

    References
    ----------
    Moody and Mark (2001), doi:10.1109/51.932724; de Chazal et al. (2004), doi:10.1109/TBME.2004.827359, mended where it has one
    person on both sides.
    """

    config_type = MitBihConfig

    def __init__(self, config: MitBihConfig | None = None, data: Path | None = None) -> None:
        self.config = config = config or MitBihConfig()
        if data is None:
            raise DataError(
                f"dataset {NAME!r} is not part of a package: pellucid data fetch {NAME} --to DIR, then name the folder with --data DIR"
            )
        places = _places(data, config)
        self._recordings, self.findings = _read(places, config)
        self._at = np.concatenate([r.beats["at"].to_numpy() for r in self._recordings])
        self._from = np.repeat(np.arange(len(self._recordings)), [len(r.beats) for r in self._recordings])
        self.frame = _frame(self._recordings, config)
        self.spec = _spec(self._recordings, config)
        self.check()

    def read(self, indices: np.ndarray) -> Arrays:
        """Cut windows out of the recordings."""
        before, length = _window(self.config)
        values = np.empty((len(indices), 1, length), np.float32)
        whole = all(recording.known is None for recording in self._recordings)
        known = np.ones(values.shape, bool)
        for row, index in enumerate(indices):
            recording = self._recordings[self._from[index]]
            window = slice(self._at[index] - before, self._at[index] - before + length)
            values[row, 0] = recording.signal[window]
            if recording.known is not None:
                known[row, 0] = recording.known[window]
        return Arrays({INPUT: values}, {} if whole else {INPUT: known})


def _window(config: MitBihConfig) -> tuple[int, int]:
    before = round(config.before_s * RATE_HZ)
    return before, before + round(config.after_s * RATE_HZ)


def _places(folder: Path, config: MitBihConfig) -> list[FilePlace]:
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; name the one that holds 100.hea, 100.dat, 100.atr ...")
    headers = sorted(folder.glob("*.hea"))
    if len(headers) > MOST_RECORDS:
        raise DataError(f"{folder}: {len(headers):,} .hea files; name the folder of the MIT-BIH Arrhythmia Database")
    names = [path.stem for path in headers if config.paced == "kept" or path.stem not in PACED]
    if not names:
        raise DataError(
            f"{folder}: no .hea file of a recording here; name the folder of the MIT-BIH Arrhythmia Database"
        )
    return [FilePlace(name, folder / name, f"{name}.hea") for name in names]


def _read(places: Sequence[FilePlace], config: MitBihConfig) -> tuple[list[_Recording], tuple[Finding, ...]]:
    found: list[_Recording] = []
    findings: list[Finding] = []
    broken: list[tuple[FilePlace, str]] = []
    for place in places:
        try:
            recording = read_record(place.path)
            leads = [canonical(name) for name in recording.leads]
            lead = leads[0] if config.lead == FIRST else canonical(config.lead)
            if lead not in leads:
                findings.append(
                    Finding(place.sample, "without the lead asked for", ", ".join(recording.leads), "left out")
                )
                continue
            found.append(_one(place.path, in_millivolts(recording), leads.index(lead), config))
        except DataError as error:
            broken.append((place, str(error)))
    if broken and (not config.skip_broken or not found):
        raise refused(broken, len(places), NAME)
    if not found:
        raise DataError(
            f"{NAME}: no recording has a lead {config.lead!r}; ask for another, or for the first (option lead)"
        )
    if len({one.lead for one in found}) > 1:
        usual = max({one.lead for one in found}, key=[one.lead for one in found].count)
        findings += [Finding(one.name, "another lead than most", one.lead) for one in found if one.lead != usual]
    findings += [
        Finding(one.name, "beats at its ends, whose window leaves the recording", str(one.cut_off), "left out")
        for one in found
        if one.cut_off
    ]
    return found, (*left_out(broken), *findings)


def _one(path: Path, recording: EcgRecording, row: int, config: MitBihConfig) -> _Recording:
    if recording.rate_hz != RATE_HZ:
        raise DataError(f"its rate is {recording.rate_hz:g} Hz, expected {RATE_HZ:g} Hz")
    beats = _beats(path)
    if beats.at[-1] >= recording.length:
        raise DataError(f"its last beat lies at sample {beats.at[-1]:,}, but it has {recording.length:,}")
    table = pd.DataFrame({"at": beats.at, "aami": beats.aami, "pvc": beats.pvc, **intervals(beats.at, RATE_HZ)})
    before, length = _window(config)
    inside = (beats.at >= before) & (beats.at - before + length <= recording.length)
    if not inside.any():
        raise DataError("none of its beats has room for the window; ask for a shorter one")
    known = None if recording.known is None or recording.known[row].all() else recording.known[row]
    lead = canonical(recording.leads[row])
    return _Recording(path.name, lead, recording.signals[row], known, table[inside], int((~inside).sum()))


def _beats(path: Path) -> Beats:
    annotated = path.with_name(f"{path.name}.atr")
    if annotated.is_file():
        return read_annotations(annotated)
    table = path.with_name(f"{path.name}_beats.csv")
    if table.is_file():
        return read_beats_table(table)
    raise DataError(f"there is neither {annotated.name} nor {table.name}, so nobody says where its beats are")


def _frame(recordings: Sequence[_Recording], config: MitBihConfig) -> pd.DataFrame:
    parts = []
    for one in recordings:
        person = SAME_PERSON.get(one.name, one.name)
        beats = one.beats.drop(columns="at").assign(subject=pseudonym(person, NAME), lead=one.lead, recording=one.name)
        beats.index = pd.Index([f"{one.name}-{at}" for at in one.beats["at"]], name="beat")
        parts.append(beats)
    frame = pd.concat(parts)
    sides = {one.name: _side(one.name, config) for one in recordings}
    if "" not in sides.values():
        frame["split"] = frame["recording"].map(sides)
    return frame


def _side(name: str, config: MitBihConfig) -> str:
    if config.division == "mended":
        name = SAME_PERSON.get(name, name)
    return "train" if name in DS1 else "test" if name in DS2 else ""


def _spec(recordings: Sequence[_Recording], config: MitBihConfig) -> DataSpec:
    length = _window(config)[1]
    channel = "first lead" if config.lead == FIRST else config.lead
    told = [
        f"Beats of {len(recordings)} recordings: within one they are much alike, so a score is worth what the number of people makes it. "
        "The time after a beat is known only once the next has come."
    ]
    if config.paced == "left out":
        told.append("Recordings with a pacemaker are not part of it.")
    if config.division == "mended" and any(one.name in SAME_PERSON for one in recordings):
        told.append(
            "In the column split, recording 202 stands with 201 of the same person, other than in the published division."
        )
    return DataSpec(
        name=NAME,
        inputs={INPUT: Signal(channels=(channel,), length=length, rate_hz=RATE_HZ, units="mV")},
        targets={
            "pvc": Binary(
                names=("another beat", "premature ventricular contraction"),
                about="annotated V; others may be ectopic too",
            ),
            "aami": MultiClass(names=AAMI, about="classes of ANSI/AAMI EC57, of recordings with an annotation file"),
        },
        groups=("subject",),
        views={INPUT: "ecg/beat"},
        group_word=("patient", "patients"),
        namespace=NAME,
        covariates=Vector(names=tuple(COVARIATES), units=tuple(COVARIATES.values())),
        trivial=("rr_ratio",),
        about=" ".join(told),
    )
