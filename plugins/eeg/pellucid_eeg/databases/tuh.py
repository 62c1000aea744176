"""The dataset ``tuh-eeg``: the Abnormal (TUAB) and the Seizure (TUSZ) corpus of Temple University Hospital in their own layout."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid_eeg.databases.tuh_annotations import annotation_file, read_annotations
from pellucid_eeg.recordings.recording import EegRecording
from pellucid_eeg.windows.dataset import Windows
from pellucid_eeg.windows.settings import WindowsConfig
from pellucid_eeg.windows.sources import Labels, Source, place_of

NAME = "tuh-eeg"

SIDES = {"train": "train", "dev": "validation", "eval": "test"}
"""Folders of the official split, and the sides that they stand for."""

ABNORMAL = {"normal": 0, "abnormal": 1}

TEN_TWENTY = (
    "Fp1",
    "Fp2",
    "F7",
    "F3",
    "Fz",
    "F4",
    "F8",
    "T7",
    "C3",
    "Cz",
    "C4",
    "T8",
    "P7",
    "P3",
    "Pz",
    "P4",
    "P8",
    "O1",
    "O2",
)

_NAME = re.compile(r"([A-Za-z0-9]+)_s(\d+)_t(\d+)\.edf")

LABELS = {
    "abnormal": Labels("abnormal", ("normal", "abnormal"), ABNORMAL, "recording", about="the clinical report's verdict on the recording"),
    "seizure": Labels(
        "seizure", ("background", "seizure"), {"background": 0, "seizure": 1}, "events", about="what annotators marked as a seizure"
    ),
}  # fmt: skip


class TuhConfig(WindowsConfig):
    """Options of :class:`Tuh`.

    Parameters
    ----------
    labels : {"abnormal", "seizure"}
        Of TUAB, whether the whole recording was called abnormal; of TUSZ, where seizures are.
    """

    labels: Literal["abnormal", "seizure"] = "abnormal"
    window_s: float = Field(default=10.0, gt=0, le=3600)
    cut: Literal["fixed"] = "fixed"
    namespace: str = Field(default=NAME, min_length=1)


class Tuh(Windows):
    """Windows of the TUH corpora, electrodes by their 10-20 names whether the file says ``EEG FP1-REF`` or ``EEG FP1-LE``.

    The column ``split`` holds the official sides (``train``, ``dev`` as validation, ``eval`` as test). Without electrodes in the
    preparation the nineteen of the 10-20 system are taken.

    Parameters
    ----------
    config : TuhConfig, optional
    data : Path
        The folder of a corpus, which holds ``edf/train`` and ``edf/eval``.

    Raises
    ------
    DataError
        If the tree is none of the corpora's, annotations are missing, or a recording cannot be used.

    References
    ----------
    Obeid and Picone (2016), doi:10.3389/fnins.2016.00196; Shah et al. (2018), doi:10.3389/fninf.2018.00083; Lopez et al. (2015),
    doi:10.1109/SPMB.2015.7405423.
    """

    config_type = TuhConfig
    config: TuhConfig

    def __init__(self, config: TuhConfig | None = None, data: Path | None = None) -> None:
        self.config = config = _with_electrodes(config or TuhConfig())
        if data is None:
            raise DataError(f"{NAME} has no usual place: --data names the folder that holds edf/train and edf/eval")
        self._take(NAME, _sources(Path(data), config), LABELS[config.labels], about=_about(config))

    @classmethod
    def of_objects(cls, objects: Any, config: TuhConfig) -> Tuh:
        """Windows of recordings that are open already, without labels; see :func:`pellucid_eeg.windows.given.given_recordings`."""
        made: Tuh = cls._of_objects(NAME, objects, _with_electrodes(config), LABELS[config.labels])
        return made


def _with_electrodes(config: TuhConfig) -> TuhConfig:
    if config.preparation.electrodes:
        return config
    return config.model_copy(update={"preparation": config.preparation.model_copy(update={"electrodes": TEN_TWENTY})})


def _about(config: TuhConfig) -> str:
    if config.labels == "abnormal":
        return (
            "Windows of clinical recordings that a neurologist's report calls normal or abnormal as a whole: a window of an "
            "abnormal recording need not show anything. A score over windows is not one over recordings."
        )
    return (
        f"Windows of clinical recordings; a window is of the class that covers most of it, at least {config.covered:g} of it. "
        "Seizures are rare, and the recordings were chosen for them."
    )


def _sources(folder: Path, config: TuhConfig) -> list[Source]:
    root = folder / "edf" if (folder / "edf").is_dir() else folder
    sides = [one for one in SIDES if (root / one).is_dir()]
    if not sides:
        raise DataError(f"{folder}: holds none of edf/train, edf/dev and edf/eval; --data names the folder of a corpus")
    sources = []
    for side in sides:
        for file in sorted((root / side).rglob("*.edf")):
            place = place_of(file, folder, config.namespace)
            named = _NAME.fullmatch(file.name)
            if named is None:
                raise DataError(
                    f"{place.shown}: is no name of the corpora (SUBJECT_s001_t000.edf), so that nothing says who was recorded; give "
                    "it its name back, or use the dataset eeg-folder"
                )
            label, events, files = float("nan"), None, tuple[Path, ...]()
            if config.labels == "abnormal":
                label = _verdict(file, root / side, place.shown)
            elif (noted := annotation_file(file)) is not None:
                events, files = partial(_events, noted), (noted,)
            else:
                events = partial(_no_events, file)
            subject = pseudonym(named[1], config.namespace)
            sources.append(Source(place, subject, label, events, files, columns={"split": SIDES[side]}))
    if not sources:
        raise DataError(f"{folder}: holds no .edf file below {', '.join(sides)}")
    return sources


def _verdict(file: Path, side: Path, shown: str) -> float:
    found = [part for part in file.relative_to(side).parts[:-1] if part in ABNORMAL]
    if len(found) != 1:
        raise DataError(
            f'{shown}: lies in no folder normal or abnormal; this is not the layout of TUAB. For seizures: labels = "seizure"'
        )
    return float(ABNORMAL[found[0]])


def _no_events(file: Path, recording: EegRecording) -> pd.DataFrame:
    raise DataError(
        f"{file.name}: has no annotations beside it (.csv_bi, .csv, .tse_bi or .tse); fetch the corpus again, or take the recording out"
    )


def _events(noted: Path, recording: EegRecording) -> pd.DataFrame:
    return read_annotations(noted)
