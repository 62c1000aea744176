"""Made-up electroencephalograms as a dataset: no download, and it is known which channels and bands a class changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator
from scipy.signal import butter, sosfiltfilt

from pellucid.data.arrays import ArrayDataset
from pellucid.data.dataset import Dataset
from pellucid.data.made_up import refuse_folder
from pellucid.data.spec import Binary, DataSpec, Frozen, MultiClass, Signal, Vector
from pellucid.data.subjects import pseudonym
from pellucid.errors import DataError, nearest
from pellucid.regions import Region, TimeSpan
from pellucid_datasets.electroencephalograms import discharges, imagery
from pellucid_datasets.electroencephalograms.scalp import DISCHARGES, IMAGERY

NAME = "eeg-synthetic"
INPUT = "eeg"

ORDER = 4
"""Of the Butterworth filter, which runs both ways."""

RUN = 40
"""Trials of a run: what is recorded between two breaks."""


class EegSyntheticConfig(Frozen):
    """Settings of :class:`EegSynthetic`.

    Parameters
    ----------
    task : {"imagery", "spike-wave"}
        Imagined movements in 22 channels, or spike-and-wave discharges against alpha in eight.
    subjects : int
        Made-up people.
    train_trials, test_trials : int
        Trials of each of them in the first session, and in a second one in which gains have drifted (``imagery``); windows of
        both sessions together (``spike-wave``).
    subject : int, optional
        This one alone (``imagery``): what is kept apart are runs then, so that one may learn from the first session and be
        judged on the second one, of the same person.
    strength : float
        Factor of what is planted: by how much of its height a rhythm becomes weaker, 1 for 35 %; or the size of discharges.
    noise : float
        Factor of all else (``imagery``).
    rate_hz : float
        Samples a second.
    length_s : float
    band_hz : (float, float), optional
        Frequencies that are kept, as recordings of imagined movements are filtered before anything learns from them:
        ``[4, 38]``. None: all.
    seed : int
    """

    task: Literal["imagery", "spike-wave"] = "imagery"
    subjects: int = Field(default=9, ge=1)
    train_trials: int = Field(default=40, ge=4)
    test_trials: int = Field(default=20, ge=0)
    subject: int | None = Field(default=None, ge=0)
    strength: float = Field(default=1.0, ge=0, le=2.8)
    noise: float = Field(default=1.0, ge=0, le=10)
    rate_hz: float = Field(default=128.0, ge=64, le=2000)
    length_s: float = Field(default=4.0, ge=1, le=60)
    band_hz: tuple[float, float] | None = None
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_of_them(self) -> EegSyntheticConfig:
        if self.subject is not None and (self.task != "imagery" or self.subject >= self.subjects):
            raise ValueError(f"subject = {self.subject} is for task 'imagery', and there are {self.subjects}, from 0")
        if self.band_hz is not None and not 0 < self.band_hz[0] < self.band_hz[1] < self.rate_hz / 2:
            raise ValueError(f"band_hz = {self.band_hz}: from above 0 to below half the rate, {self.rate_hz / 2:g} Hz")
        return self


class EegSynthetic(ArrayDataset):
    """Made-up trials with planted rhythms or discharges.

    The frame has, beside what the contract asks for, ``session`` (``train`` or ``test``, which an official split can be read
    from where one subject is alone) and ``run``. The covariate is what an amplifier would count, ``rms_uv``; it is the
    trivial baseline too. In ``spike-wave`` both classes have the same power but for each one's gains.

    Raises
    ------
    DataError
        If a folder is given: nothing is read, and numbers must not pass for those of the folder's data.
    """

    config_type = EegSyntheticConfig

    def __init__(self, config: EegSyntheticConfig | None = None, data: Path | None = None) -> None:
        refuse_folder(NAME, data)
        config = config or EegSyntheticConfig()
        self.config = config
        people = range(config.subjects) if config.subject is None else [config.subject]
        recorded = [part for subject in people for part in _recorded(config, subject)]
        signals = np.concatenate([x for x, _ in recorded])
        frame = pd.concat([rows for _, rows in recorded])
        frame["rms_uv"] = _rms(signals)
        frame.index = pd.Index(frame.pop("sample"), name="sample")
        super().__init__(_spec(config), frame, {INPUT: signals})

    @classmethod
    def of_objects_like(cls, objects: Any, config: EegSyntheticConfig, learnt: DataSpec) -> Dataset:
        """Recordings that are open already, see :meth:`~pellucid_eeg.windows.trials.OpenTrials.like`; absent electrodes interpolated."""
        from pellucid_eeg.preparing.record import Preparation
        from pellucid_eeg.windows.trials import OpenTrials

        low, high = config.band_hz or (None, None)
        preparation = Preparation(absent="interpolated", high_pass_hz=low, low_pass_hz=high)
        return OpenTrials.like(objects, preparation, learnt, lambda x: {"rms_uv": _rms(x)})

    def planted(self, output: str) -> list[tuple[Region, ...]] | None:
        """Where a class can be seen, one tuple a sample: some channels for the whole time, or nothing in another class."""
        if output not in self._table:
            return None
        places = self._places(output)
        whole = (TimeSpan(places, 0.0, self.config.length_s),) if places else ()
        mine = self.frame[self.config.task].to_numpy() == list(self._table).index(output)
        return [whole if yes else () for yes in mine]

    def planted_bands_hz(self, output: str) -> tuple[tuple[float, float], ...]:
        """Which frequencies a class changes, from and to; none for a class of which nothing is planted.

        Raises
        ------
        DataError
            If no class has this name.
        """
        if not self._places(output):
            return ()
        if self.config.task == "imagery":
            return imagery.BANDS_HZ
        width = 1 / self.config.length_s
        return tuple((hz - width, hz + width) for hz in discharges.PEAKS_HZ[output])

    @property
    def _table(self) -> dict[str, tuple[str, ...]]:
        return imagery.PLACES if self.config.task == "imagery" else discharges.PLACES

    def _places(self, output: str) -> tuple[str, ...]:
        table = self._table
        if output not in table:
            raise DataError(
                f"dataset {NAME!r} has no class {output!r}{nearest(output, table)}; classes: {', '.join(table)}"
            )
        return table[output]


def _rms(signals: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.sqrt(np.square(signals, dtype=np.float64).mean((1, 2)))
    return found


def _recorded(config: EegSyntheticConfig, subject: int) -> list[tuple[np.ndarray, pd.DataFrame]]:
    """Sessions of one person. Streams of their own: more subjects or trials elsewhere leave them as they are."""
    kinds = {"imagery": 4, "spike-wave": 2}[config.task]
    counts = {"train": config.train_trials, "test": config.test_trials}
    if config.task == "spike-wave":
        counts = {"train": config.train_trials + config.test_trials}
    parts = []
    for number, (name, count) in enumerate(counts.items()):
        rng = np.random.default_rng([config.seed, subject, 1 + number])
        classes = rng.permutation(np.arange(count) % kinds)
        shape: dict[str, Any] = {"rate_hz": config.rate_hz, "length_s": config.length_s}
        if config.task == "imagery":
            brain = imagery.drawn_brain(np.random.default_rng([config.seed, subject, 0]))
            x = imagery.session(
                brain, classes, rng, drifted=name == "test", depth=0.35 * config.strength, noise=config.noise, **shape
            )
        else:
            x = discharges.windows(classes, rng, strength=config.strength, **shape)
        if config.band_hz is not None:
            sos = butter(ORDER, config.band_hz, "bandpass", fs=config.rate_hz, output="sos")
            x = sosfiltfilt(sos, x).astype(np.float32)
        runs = [f"{name}-{at // RUN}" for at in range(count)]
        who = f"{config.task}-{config.seed}-{subject}"
        rows = pd.DataFrame(
            {
                "sample": [f"eeg-{subject:03d}-{name}-{at:03d}" for at in range(count)],
                "subject": pseudonym(who, NAME),
                config.task: classes.astype(float),
                "session": name,
                "run": [pseudonym(f"{who}-{run}", NAME) for run in runs],
            }
        )
        parts.append((x, rows))
    return parts


def _spec(config: EegSyntheticConfig) -> DataSpec:
    alone = config.subject is not None
    channels = IMAGERY if config.task == "imagery" else DISCHARGES
    target = {
        "imagery": MultiClass(names=tuple(imagery.PLACES), about="which movement is imagined"),
        "spike-wave": Binary(names=("alpha", "spike-wave"), about="which rhythm was planted"),
    }[config.task]
    seen = "Trials of one person, of unseen runs: nothing is said about other people. " if alone else ""
    return DataSpec(
        name=NAME,
        inputs={
            INPUT: Signal(
                channels=channels,
                length=round(config.length_s * config.rate_hz),
                rate_hz=config.rate_hz,
                units="uV",
            )
        },
        targets={config.task: target},
        groups=("run",) if alone else ("subject",),
        group_word=("run", "runs") if alone else ("subject", "subjects"),
        namespace=NAME,
        covariates=Vector(names=("rms_uv",), units=("uV",)),
        trivial=("rms_uv",),
        views={INPUT: "eeg/butterfly"},
        about=f"{seen}Made up: no person stands behind it. A score here tells about the method, not about brains.",
    )
