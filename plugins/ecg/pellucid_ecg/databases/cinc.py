"""The dataset ``cinc``: recordings of the PhysioNet/Computing in Cardiology Challenges 2020 and 2021."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from pydantic import Field, model_validator

from pellucid.data import DataSpec, MultiLabel, Vector
from pellucid.errors import DataError
from pellucid.loading.csv_tables import number
from pellucid.loading.people import COVARIATES, ages, female, record_pseudonyms
from pellucid_ecg.databases.places import FilePlace
from pellucid_ecg.databases.records import Records, RecordsConfig
from pellucid_ecg.databases.shaping import Shape
from pellucid_ecg.databases.signals import INPUT
from pellucid_ecg.databases.snomed import SCORED, in_words
from pellucid_ecg.recordings.leads import TWELVE_LEADS
from pellucid_ecg.recordings.recording import EcgRecording
from pellucid_ecg.wfdb_files.headers import read_header
from pellucid_ecg.wfdb_files.reading import read_record

NAME = "cinc"
TARGET = "diagnoses"
MOST_RECORDS = 500_000


class CincConfig(RecordsConfig):
    """Options of :class:`Cinc`.

    Parameters
    ----------
    rate_hz : float
        Recordings of another rate (most have 500 Hz) are resampled to it.
    codes : tuple of str
        SNOMED CT codes to be told apart. Empty: those that at least ``minimum`` recordings have. Name them where a run is to be
        evaluated on another folder, which may hold others often enough.
    minimum : int
    scored : bool
        Only codes that the Challenge of 2021 scored.
    """

    rate_hz: float = Field(default=500.0, gt=0, le=10_000)
    codes: tuple[str, ...] = ()
    minimum: int = Field(default=10, ge=1)
    scored: bool = False

    @model_validator(mode="after")
    def _are_codes(self) -> CincConfig:
        for code in self.codes:
            if not (code.isascii() and code.isdigit()) or self.codes.count(code) > 1:
                raise ValueError(f"codes holds {code!r}: a SNOMED CT code is a number, and stands once")
        return self


class Cinc(Records):
    """Twelve-lead electrocardiograms with SNOMED CT codes: ``.hea`` with ``.mat`` or ``.dat``, in any folders below.

    The target ``diagnoses`` has a label for each code; labels have names in words where the Challenges give one. Of a header's
    comments, ``Age``, ``Sex`` and ``Dx`` are read. Codes that the Challenge scores as one (complete and other right bundle
    branch block, say) stay apart here.

    Parameters
    ----------
    config : CincConfig, optional
    data : Path
        A folder of it.

    Raises
    ------
    DataError
        If there is no recording, one cannot be used, or no code is frequent enough.

    References
    ----------
    Perez Alday et al. (2020), doi:10.1088/1361-6579/abc960; Reyna et al. (2021), doi:10.23919/CinC53138.2021.9662687.
    """

    config_type = CincConfig
    config: CincConfig

    def __init__(self, config: CincConfig | None = None, data: Path | None = None) -> None:
        self.config = config = config or CincConfig()
        if data is None:
            raise DataError(
                f"dataset {NAME!r} is not part of a package: pellucid data fetch {NAME} --to DIR, then name a folder of it with --data DIR"
            )
        places = [FilePlace(path.stem, path, str(path.relative_to(data))) for path in find_headers(data)]
        shape = Shape(TWELVE_LEADS, config.rate_hz, config.seconds, config.shorter, config.high_pass_hz, resample=True)
        _refuse_twice(places)
        rows = self._take(places, shape, NAME)
        notes = [read_note(places[row].path) for row in rows]
        names = [places[row].sample for row in rows]
        codes = _codes(notes, config)
        self.frame = _frame(names, notes, codes)
        self.spec = _spec(shape, self._signals.units, codes, config)
        self.check()

    def read_file(self, path: Path) -> EcgRecording:
        """A recording of whose header the codes can be read too."""
        read_note(path)
        return read_record(path)


def find_headers(folder: Path) -> list[Path]:
    """Headers below a folder, in order of their names; links to folders are not followed.

    Raises
    ------
    DataError
        If there is none, or very many.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; name one that holds .hea files")
    walk = (Path(where, name) for where, _, names in os.walk(folder) for name in names if name.endswith(".hea"))
    found = sorted(islice(walk, MOST_RECORDS + 1))
    if not found:
        raise DataError(f"{folder}: no .hea file here or in its folders; is this a folder of the Challenge?")
    if len(found) > MOST_RECORDS:
        raise DataError(
            f"{folder}: more than {MOST_RECORDS:,} .hea files; name a folder that holds the Challenge alone"
        )
    return found


class Note(NamedTuple):
    """What is read of a header's comments: years, 0 or 1 (NaN where not known), and codes."""

    age_years: float
    female: float
    codes: tuple[str, ...]


def read_note(header: Path) -> Note:
    """Age, sex and codes of a recording; every other comment is left behind.

    Raises
    ------
    DataError
        If the header cannot be read, or its ``Dx`` holds something else than codes.
    """
    said: dict[str, str] = {}
    for comment in read_header(header).comments:
        key, colon, value = comment.partition(":")
        if colon and key.strip() in ("Age", "Sex", "Dx"):
            said.setdefault(key.strip(), value.strip())
    codes = tuple(dict.fromkeys(code.strip() for code in said.get("Dx", "").split(",") if code.strip()))
    codes = () if codes == ("Unknown",) else codes
    if any(not (code.isascii() and code.isdigit()) for code in codes):
        raise DataError(f"{header.name}: the comment Dx holds something else than SNOMED CT codes; correct the header")
    return Note(float(ages(number(said.get("Age", "")))), female(said.get("Sex", "")), codes)


def _refuse_twice(places: Sequence[FilePlace]) -> None:
    seen: dict[str, str] = {}
    for place in places:
        if (first := seen.setdefault(place.sample, place.shown)) != place.shown:
            raise DataError(
                f"{first} and {place.shown} have one name; a recording stands once: name the folder of one year's Challenge"
            )


def _codes(notes: Sequence[Note], config: CincConfig) -> tuple[str, ...]:
    count = Counter(code for note in notes for code in note.codes)
    if config.codes:
        return config.codes
    wanted = [c for c, n in count.items() if n >= config.minimum and (not config.scored or c in SCORED)]
    if not wanted:
        top = ", ".join(f"{in_words(code)} {n}" for code, n in count.most_common(3)) or "none at all"
        raise DataError(
            f"{NAME}: no code stands in at least {config.minimum} of {len(notes)} recordings (most frequent: {top}); ask for fewer "
            "(option minimum)"
        )
    return tuple(sorted(wanted, key=lambda code: (-count[code], code)))


def _frame(names: Sequence[str], notes: Sequence[Note], codes: Sequence[str]) -> pd.DataFrame:
    columns: dict[str, list[float] | tuple[str, ...]] = {
        "subject": record_pseudonyms(names, NAME),
        "age_years": [note.age_years for note in notes],
        "female": [note.female for note in notes],
    }
    columns |= {
        # Where a header gives no code at all nobody has said what is to be seen.
        f"{TARGET}:{in_words(code)}": [float(code in note.codes) if note.codes else math.nan for note in notes]
        for code in codes
    }
    return pd.DataFrame(columns, index=pd.Index(names, name="recording"))


def _spec(shape: Shape, units: str, codes: Sequence[str], config: CincConfig) -> DataSpec:
    told = [
        "Headers do not say who is who, so each recording counts as a person of its own. Labels are codes of several hospitals, "
        "each with habits of its own: a code that is missing does not say that its finding is."
    ]
    if config.high_pass_hz is not None:
        told.append(f"What is slower than {config.high_pass_hz:g} Hz was filtered out.")
    return DataSpec(
        name=NAME,
        inputs={INPUT: shape.spec(units)},
        targets={
            TARGET: MultiLabel(names=tuple(in_words(code) for code in codes), about="SNOMED CT codes of the headers")
        },
        groups=("subject",),
        views={INPUT: "ecg/paper"},
        group_word=("patient", "patients"),
        namespace=NAME,
        covariates=Vector(names=tuple(COVARIATES), units=tuple(COVARIATES.values())),
        trivial=tuple(COVARIATES),
        about=" ".join(told),
    )
