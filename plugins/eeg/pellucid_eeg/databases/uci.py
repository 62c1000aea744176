"""The dataset ``uci-eeg``: a second of 64 electrodes after each of two pictures, of people with and without alcoholism."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.cache import cache_folder
from pellucid.data import Binary, DataSpec, pseudonym
from pellucid.data.dataset import Dataset
from pellucid.data.samples import Arrays, Finding
from pellucid.data.spec import Frozen, Signal
from pellucid.errors import DataError
from pellucid.loading.unusable import shared_reason
from pellucid.store.prepared import Preparing, made_from, prepared
from pellucid_eeg.databases.uci_trials import RATE_HZ, SAMPLES, Trial, read_trial
from pellucid_eeg.preparing.applying import prepare, refuse_unfit, windows_of
from pellucid_eeg.preparing.montage import brought_to, described_as, differences, signal_of
from pellucid_eeg.preparing.record import Preparation
from pellucid_eeg.recordings.electrodes import canonical
from pellucid_eeg.windows.channels import named_well

NAME = "uci-eeg"
INPUT = "eeg"
FORMAT = 1
"""To be raised whenever signals come out differently: what was kept before is then not found."""

NOT_SCALP = frozenset({"X", "Y", "ND"})
"""Two electrodes beside the eyes, and the reference."""

OLD_NAMES = {"AF1": "AF3", "AF2": "AF4", "PO1": "PO3", "PO2": "PO4"}
"""Places that the 10-10 system names otherwise: half-way between POz and PO7 there is PO3."""

TOLD = 5


class UciEegConfig(Frozen):
    """Options of :class:`UciEeg`.

    Parameters
    ----------
    preparation : Preparation
        What is done to each trial. A trial is a second long: slow filters are refused.
    sensitive : bool
        Whether the frame holds whether a person was diagnosed with alcoholism, as the target ``alcoholic``. Nothing needs it
        but a study of that very question, and sixteen people cannot answer it.
    skip_broken : bool
        Leave out trials that cannot be used and list them, instead of refusing all.
    cache : bool
        Whether what was read is kept between runs.
    """

    preparation: Preparation = Preparation()
    sensitive: bool = False
    skip_broken: bool = False
    cache: bool = True


class UciEeg(Dataset):
    """Trials of the UCI EEG Database: a first picture, and a second one that is the same or another.

    One sample is one trial of 256 samples at 256 Hz on 61 electrodes of the scalp, in uV. Targets: ``picture`` (whether the
    first or the second picture came up), ``match`` (whether the second is the first again; trials of the first have no label).

    Parameters
    ----------
    config : UciEegConfig, optional
    data : Path
        A folder with one folder a person: ``co2a0000364/co2a0000364.rd.000.gz``.

    Raises
    ------
    DataError
        If there is no trial, or one cannot be used.

    References
    ----------
    Begleiter (1999), EEG Database, doi:10.24432/C5TS3D; Zhang et al. (1995), Brain Research Bulletin 38(6):531-538.
    """

    config_type = UciEegConfig
    config: UciEegConfig

    def __init__(
        self, config: UciEegConfig | None = None, data: Path | None = None, *, learnt: DataSpec | None = None
    ) -> None:
        self.config = config = config or UciEegConfig()
        if data is None:
            raise DataError(f"{NAME} has no usual place: --data names the folder that holds one folder for each person")
        files = _files(Path(data))
        folder = cache_folder()
        if not config.cache:
            self._temporary = tempfile.TemporaryDirectory(prefix="pellucid-")
            folder = Path(self._temporary.name)
        like = None if learnt is None else signal_of(learnt, INPUT)
        preparation = named_well(config.preparation) if like is None else brought_to(config.preparation, like)
        # All trials are alike: what none of them can have is said before thousands are read.
        refuse_unfit(preparation, RATE_HZ, SAMPLES)
        facts = {"format": FORMAT, "preparation": preparation.model_dump(mode="json"), "like": like is not None}
        self._store = prepared(folder / NAME, made_from(facts, files), lambda to: _read(to, files, preparation, like))
        notes = self._store.notes
        if notes["broken"] and not config.skip_broken:
            raise _refused(notes["broken"], len(files))
        self.findings = tuple(
            Finding(sample, what, where, done) for sample, what, where, done in (*notes["left_out"], *notes["findings"])
        )
        self.frame = _frame(self._store.table, config)
        self.spec = _spec(notes, config)
        if learnt is not None:
            self.spec = described_as(self.spec, learnt)
        self.check()

    @classmethod
    def opened_like(cls, config: UciEegConfig, data: Path | None, learnt: DataSpec) -> UciEeg:
        """Other trials, brought to the electrodes and the rate that models have learnt from; findings say what was done."""
        return cls(config, data, learnt=learnt)

    @classmethod
    def of_objects_like(cls, objects: Any, config: UciEegConfig, learnt: DataSpec) -> Dataset:
        """Recordings that are open already, see :meth:`~pellucid_eeg.windows.trials.OpenTrials.like`."""
        from pellucid_eeg.windows.trials import OpenTrials

        return OpenTrials.like(objects, config.preparation, learnt)

    def read(self, indices: npt.NDArray[np.integer]) -> Arrays:
        """Some trials, in the order asked for; with a mask if an electrode of any trial is not known."""
        found = self._store.read(indices)
        signals, known = found["signals"], found["known"]
        if not self._store.notes["masked"]:
            return Arrays({INPUT: signals})
        return Arrays({INPUT: signals}, {INPUT: np.repeat(known[:, :, None], signals.shape[-1], axis=2)})


def standard_name(channel: str) -> str:
    """The 10-10 name of a channel as the files write it.

    Examples
    --------
    >>> standard_name("FP1"), standard_name("AFZ"), standard_name("PO2"), standard_name("CPZ")
    ('Fp1', 'AFz', 'PO4', 'CPz')
    """
    return canonical(OLD_NAMES.get(channel.upper(), channel))


def _files(folder: Path) -> list[Path]:
    found = [file for file in sorted(folder.glob("*/*.rd.*")) if file.suffix == ".gz" or file.suffix[1:].isdigit()]
    if not found:
        raise DataError(
            f"{folder}: holds no trial; expected one folder for each person, with files such as co2a0000364.rd.000.gz"
        )
    return found


def _read(to: Preparing, files: Sequence[Path], preparation: Preparation, like: Signal | None) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    broken: list[tuple[str, str]] = []
    left_out: list[tuple[str, str, str, str]] = []
    findings: list[tuple[str, str, str, str]] = []
    wanted: tuple[str, ...] = preparation.electrodes
    rate_hz = RATE_HZ
    masked = False
    for file in files:
        person, name = file.parent.name, _sample(file)
        try:
            trial = read_trial(file)
            names, signals, flat = _scalp(trial)
            wanted = wanted or names
            bad = flat if preparation.absent != "refused" else ()
            done = prepare(signals, names, RATE_HZ, preparation, wanted, bad)
            windows, usable = windows_of(done.signals_uv[None], done.rate_hz, preparation)
        except DataError as error:
            broken.append((name, str(error).replace(file.name, "the trial")))
            left_out.append((name, "cannot be used", broken[-1][1], "left out"))
            continue
        findings += [(name, "flat channel", ", ".join(flat), "; ".join(done.done) or "kept")] if flat else []
        if like is not None:
            # All trials have one rate: where models have learnt from another, their study asks for it.
            told = differences(done.good, like.rate_hz, done.there, like, preparation)
            findings += [(name, *one) for one in told]
        if not usable[0]:
            left_out.append((name, f"swings by more than {preparation.reject_uv:g} uV", "", "left out"))
            continue
        rate_hz = done.rate_hz
        masked |= not done.known.all()
        to.add(signals=windows[0], known=done.known)
        rows.append(
            {"sample": name, "person": pseudonym(person, NAME), "alcoholic": _group(person),
             "condition": trial.condition, "error": trial.error}
        )  # fmt: skip
    if not rows:
        raise _refused(broken, len(files)) if broken else DataError(f"{NAME}: no trial is left; raise reject_uv")
    to.notes |= {
        "electrodes": list(wanted), "rate_hz": rate_hz, "broken": broken, "left_out": left_out, "findings": findings,
        "masked": masked,
    }  # fmt: skip
    return pd.DataFrame(rows)


def _sample(file: Path) -> str:
    """A name that may be shown: names of files tell who it is, and with which diagnosis."""
    number = next(part for part in reversed(file.name.split(".")) if part.isdigit())
    return f"eeg-{pseudonym(file.parent.name, NAME)}-{int(number):03d}"


def _group(person: str) -> float:
    """1 where the fourth letter of a person's name says alcoholic, 0 where control; nothing else is known."""
    return {"a": 1.0, "c": 0.0}.get(person[3:4].lower(), float("nan"))


def _scalp(trial: Trial) -> tuple[tuple[str, ...], npt.NDArray[np.float32], tuple[str, ...]]:
    """Names and signals of the scalp's electrodes, and which of them are flat."""
    rows = [at for at, name in enumerate(trial.channels) if name.upper() not in NOT_SCALP]
    names = tuple(standard_name(trial.channels[at]) for at in rows)
    signals = trial.signals_uv[rows]
    return names, signals, tuple(name for name, one in zip(names, signals, strict=True) if np.ptp(one) == 0)


def _refused(broken: Sequence[Sequence[str]], of: int) -> DataError:
    if len(broken) == of and (same := shared_reason([(one[0], one[1]) for one in broken])):
        return DataError(f"{NAME}: {same} (the same for all of its {of:,} trials)")
    some = "; ".join(f"{name}: {why}" for name, why in broken[:TOLD])
    more = f"; and {len(broken) - TOLD} more" if len(broken) > TOLD else ""
    return DataError(
        f"{NAME}: {len(broken)} of {of} trials cannot be used ({some}{more}); mend them, or leave them out with --skip-broken"
    )


def _frame(table: pd.DataFrame, config: UciEegConfig) -> pd.DataFrame:
    second = (table["condition"] != "S1 obj").to_numpy(float)
    match = np.where(second == 1, (table["condition"] == "S2 match").to_numpy(float), np.nan)
    columns: dict[str, Any] = {"subject": table["person"].to_numpy(), "picture": second, "match": match}
    if config.sensitive:
        columns["alcoholic"] = table["alcoholic"].to_numpy(float)
    return pd.DataFrame(columns, index=pd.Index(table["sample"].to_numpy(), name="sample"))


def _spec(notes: Mapping[str, Any], config: UciEegConfig) -> DataSpec:
    targets = {
        "picture": Binary(names=("first", "second"), about="which picture came up"),
        "match": Binary(names=("another", "the same"), about="whether the second picture was the first again"),
    }
    if config.sensitive:
        targets["alcoholic"] = Binary(names=("control", "alcoholic"), about="group of the person, by the donor's files")
    length = round(SAMPLES * notes["rate_hz"] / RATE_HZ)
    signal = Signal(
        channels=tuple(notes["electrodes"]),
        length=length,
        rate_hz=notes["rate_hz"],
        units="uV",
        preparation=config.preparation.model_dump(mode="json", exclude_defaults=True),
    )
    return DataSpec(
        name=NAME,
        inputs={INPUT: signal},
        targets=targets,
        namespace=NAME,
        views={INPUT: "eeg/butterfly"},
        group_word=("person", "people"),
        about=(
            "One second after a picture came up, referenced and filtered as it was recorded in the 1990s, a trial at a time. Who was "
            "diagnosed with alcoholism is not part of the data unless it is asked for (option sensitive)."
        ),
    )
