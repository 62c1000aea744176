"""Made-up electrocardiograms as a dataset: no download, and it is known where in each recording a label can be seen."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from pellucid.data.arrays import ArrayDataset
from pellucid.data.made_up import refuse_folder
from pellucid.data.spec import DataSpec, Frozen, MultiLabel, Signal, Vector
from pellucid.data.subjects import pseudonym
from pellucid.regions import Region
from pellucid_datasets.electrocardiograms.hearts import Heart, drawn_heart
from pellucid_datasets.electrocardiograms.leads import LEADS
from pellucid_datasets.electrocardiograms.measured import mean_rr_s, rms_mv
from pellucid_datasets.electrocardiograms.recordings import Made, made
from pellucid_datasets.electrocardiograms.signs import LABELS, PREVALENCE, drawn_labels, signs_of

NAME = "ecg-synthetic"


class EcgSyntheticConfig(Frozen):
    """Settings of :class:`EcgSynthetic`.

    Parameters
    ----------
    records : int
        Recordings in all; they are dealt to the subjects in turn.
    subjects : int
        Made-up people. Recordings of one share heart, build and most labels.
    labels : {"signs", "diagnoses"}
        Name of the target: :data:`~pellucid_datasets.electrocardiograms.signs.LABELS`.
    st_beats : {"all", "some", "one"}
        Whether a shift of the ST segment is seen in every beat, in a share of them, or in one alone; nothing else changes.
    noise : float
        Factor of all noise; 0 for none.
    rate_hz : float
        Samples a second.
    length_s : float
    seed : int
    """

    records: int = Field(default=600, ge=2)
    subjects: int = Field(default=300, ge=2)
    labels: Literal["signs", "diagnoses"] = "signs"
    st_beats: Literal["all", "some", "one"] = "all"
    noise: float = Field(default=1.0, ge=0, le=10)
    rate_hz: float = Field(default=100.0, ge=100, le=2000)
    length_s: float = Field(default=10.0, ge=5, le=60)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _a_recording_each(self) -> EcgSyntheticConfig:
        if self.subjects > self.records:
            raise ValueError(f"{self.subjects} subjects need at least as many records, got {self.records}")
        return self


class EcgSynthetic(ArrayDataset):
    """Twelve leads of made-up hearts, with planted signs.

    The frame has, beside what the contract asks for, ``rate_bpm``: the true heart rate. The covariates are what a monitor
    would count: ``mean_rr_s`` and ``rms_mv``; they are the trivial baseline too. Every subject tends to have some labels and
    shows them in nine of ten recordings, so recordings of one subject on both sides of a split would be rewarded.

    Raises
    ------
    DataError
        If a folder is given: nothing is read, and numbers must not pass for those of the folder's data.
    """

    config_type = EcgSyntheticConfig

    def __init__(self, config: EcgSyntheticConfig | None = None, data: Path | None = None) -> None:
        refuse_folder(NAME, data)
        config = config or EcgSyntheticConfig()
        self.config = config
        people = [_person(config, subject) for subject in range(config.subjects)]
        recordings = [_recording(config, people, record) for record in range(config.records)]
        self._places = [one.places for one in recordings]
        signals = np.stack([one.signals for one in recordings])
        of, number = np.arange(config.records) % config.subjects, np.arange(config.records) // config.subjects
        names = LABELS[config.labels]
        frame = pd.DataFrame(
            {
                "subject": [pseudonym(f"{config.seed}-{subject}", NAME) for subject in of],
                **{f"{config.labels}:{name}": [float(name in one.places) for one in recordings] for name in names},
                "mean_rr_s": [mean_rr_s(one, config.rate_hz) for one in signals],
                "rms_mv": [rms_mv(one) for one in signals],
                "rate_bpm": [60 / float(one.beats.rr_s.mean()) for one in recordings],
            }
        )
        frame.index = pd.Index([f"ecg-{s:04d}-{n}" for s, n in zip(of, number, strict=True)], name="sample")
        super().__init__(_spec(config), frame, {"ecg": signals})

    def planted(self, output: str) -> list[tuple[Region, ...]] | None:
        """Where a label can be seen: the whole recording for rhythms, else parts of beats in some leads."""
        if output not in LABELS[self.config.labels]:
            return None
        return [places.get(output, ()) for places in self._places]


def _person(config: EcgSyntheticConfig, subject: int) -> tuple[Heart, np.ndarray]:
    """A heart, and which labels its owner tends to have. A stream of its own: more subjects leave it as it is."""
    rng = np.random.default_rng([config.seed, subject])
    heart = drawn_heart(rng)
    return heart, rng.random(len(LABELS[config.labels])) < PREVALENCE


def _recording(config: EcgSyntheticConfig, people: list[tuple[Heart, np.ndarray]], record: int) -> Made:
    subject, number = record % config.subjects, record // config.subjects
    heart, tends = people[subject]
    seed = (config.seed, subject, 1 + number)
    rng = np.random.default_rng(seed)
    shown = drawn_labels(config.labels, tends, rng)
    signs = signs_of(config.labels, shown, rng, config.st_beats)
    true = tuple(name for name, yes in zip(LABELS[config.labels], shown, strict=True) if yes)
    return made(heart, signs, true, seed, rate_hz=config.rate_hz, length_s=config.length_s, noise=config.noise)


def _spec(config: EcgSyntheticConfig) -> DataSpec:
    about = "signs planted in the signal" if config.labels == "signs" else "what five common diagnoses look like"
    return DataSpec(
        name=NAME,
        inputs={
            "ecg": Signal(
                channels=LEADS, length=round(config.length_s * config.rate_hz), rate_hz=config.rate_hz, units="mV"
            )
        },
        targets={config.labels: MultiLabel(names=LABELS[config.labels], about=about)},
        namespace=NAME,
        covariates=Vector(names=("mean_rr_s", "rms_mv"), units=("s", "mV")),
        trivial=("mean_rr_s", "rms_mv"),
        views={"ecg": "ecg/paper"},
        about="Made up: no patient stands behind it. A score here tells about the method, not about hearts.",
    )
