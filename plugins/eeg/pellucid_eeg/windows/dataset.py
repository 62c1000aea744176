"""What is common to every dataset of windows: how recordings become samples, and how these are read."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pellucid.cache import cache_folder
from pellucid.data import Binary, DataSpec, MultiClass, Signal, Target, Vector, pseudonym
from pellucid.data.dataset import Dataset
from pellucid.data.samples import Arrays, Finding
from pellucid.errors import DataError
from pellucid.loading.unusable import left_out, refused
from pellucid.store.prepared import Prepared
from pellucid_eeg.preparing.montage import described_as, signal_of
from pellucid_eeg.recordings.electrodes import channel_of
from pellucid_eeg.windows.channels import asked_of, labels_in, named_well, scalp_of
from pellucid_eeg.windows.given import given_recordings
from pellucid_eeg.windows.like import brought, told_of
from pellucid_eeg.windows.settings import WindowsConfig
from pellucid_eeg.windows.sources import Labels, Source
from pellucid_eeg.windows.storing import Making, stored

__all__ = ["ENDINGS", "INPUT", "Windows"]

INPUT = "eeg"

ENDINGS = (
    "edf", "bdf", "rec", "vhdr", "vmrk", "eeg", "set", "fdt", "fif", "gz", "tsv", "json", "csv", "csv_bi", "tse", "ts",
)  # fmt: skip
"""Of files that an error may name."""


class Windows(Dataset):
    """Windows of recordings: what is common to all such datasets.

    A class of it finds its recordings (:class:`~pellucid_eeg.windows.sources.Source`) and labels, and calls :meth:`_take`.
    Opening it for the first time prepares every recording into a store of its own in the cache folder; they are found again the
    next time, and a run that was cut off goes on with the first that is not there.

    Groups are the subject, and the recording by a digest of its samples: a recording that is there twice under two names stands
    on one side of every split.
    """

    config: WindowsConfig

    def _take(
        self,
        name: str,
        sources: Sequence[Source],
        labels: Labels,
        *,
        about: str = "",
        covariates: Sequence[str] = (),
        trivial: Sequence[str] = (),
        group_word: tuple[str, str] = ("subject", "subjects"),
    ) -> None:
        """Prepare recordings, and make frame, spec and findings of them.

        Raises
        ------
        DataError
            If there is none, one cannot be used and none are to be skipped, or they do not fit together.
        """
        unusable = [(one.place, one.unusable) for one in sources if one.unusable]
        if unusable and len(unusable) == len(sources):
            raise refused(unusable, len(sources), name)
        folder = cache_folder()
        if not self.config.cache:
            self._temporary = tempfile.TemporaryDirectory(prefix="pellucid-")
            folder = Path(self._temporary.name)
        making = _making(self.config, labels, _wanted(self.config, sources, name))
        stores: list[Prepared] = []
        kept: list[Source] = []
        broken = []
        unlabelled = [one for one in sources if labels.by == "recording" and np.isnan(one.label) and not one.unusable]
        for source in (one for one in sources if one not in unlabelled):
            try:
                if source.unusable:
                    raise DataError(source.unusable)
                stores.append(stored(source, making, folder / name))
                kept.append(source)
            except DataError as error:
                broken.append((source.place, str(error)))
        if broken and (not kept or not self.config.skip_broken):
            raise refused(broken, len(sources), name)
        if not kept:
            raise DataError(
                f"{name}: none of {len(sources)} recordings is of a class that is named ({', '.join(labels.of)})"
            )
        self._put(name, kept, stores, making, labels, about, covariates, trivial, group_word)
        self.findings = (
            *left_out(broken, _is_known, ENDINGS),
            *(Finding(one.place.sample, "no class that is named", done="left out") for one in unlabelled),
            *self.findings,
        )

    def _put(
        self, name: str, sources: Sequence[Source], stores: Sequence[Prepared], making: Making, labels: Labels | None, about: str,
        covariates: Sequence[str], trivial: Sequence[str], group_word: tuple[str, str],
    ) -> None:  # fmt: skip
        _agree(sources, stores)
        self._stores, self._recordings = list(stores), [source.place.sample for source in sources]
        sizes = [len(store) for store in stores]
        self._of = np.repeat(np.arange(len(stores)), sizes)
        self._row = np.concatenate([np.arange(size) for size in sizes])
        self._masked = any(store.notes["masked"] for store in stores)
        frames = [
            _rows(source, store, labels, self.config.namespace) for source, store in zip(sources, stores, strict=True)
        ]
        self.frame = pd.concat(frames)
        findings = [
            Finding(source.place.sample, what, where, done)
            for source, store in zip(sources, stores, strict=True)
            for what, where, done in store.notes["findings"]
        ]
        self.findings = (*findings, *_alike(sources, stores), *_other_reference(sources, stores, making))
        self.spec = DataSpec(
            name=name,
            inputs={
                INPUT: Signal(
                    channels=making.asked.wanted,
                    length=stores[0].notes["length"],
                    rate_hz=stores[0].notes["rate_hz"],
                    units="uV",
                    preparation=making.preparation.model_dump(mode="json", exclude_defaults=True),
                )
            },
            targets={} if labels is None else {labels.target: _target(labels)},
            groups=("subject", "recording"),
            namespace=self.config.namespace,
            covariates=Vector(names=tuple(covariates)) if covariates else None,
            trivial=tuple(trivial),
            views={INPUT: "eeg/butterfly"},
            group_word=group_word,
            about=about,
        )
        self.check()

    @classmethod
    def opened_like(cls, config: Any, data: Path | None, learnt: DataSpec) -> Windows:
        """Other recordings, brought to the electrodes and the rate that models have learnt from; findings say what was done."""
        made: Any = cls
        return cls._told(made(brought(config, signal_of(learnt, INPUT)), data), config, learnt)

    @classmethod
    def of_objects_like(cls, objects: Any, config: Any, learnt: DataSpec) -> Windows:
        """Recordings that are open already, brought to the same; arrays have the models' electrodes and rate."""
        return cls._told(cls.of_objects(objects, brought(config, signal_of(learnt, INPUT))), config, learnt)

    @staticmethod
    def _told(made: Any, config: WindowsConfig, learnt: DataSpec) -> Any:
        signal = signal_of(learnt, INPUT)
        made.findings = told_of(made.findings, made._recordings, made._stores, signal, config.preparation)
        made.spec = described_as(made.spec, learnt)
        return made

    @classmethod
    def _of_objects(cls, name: str, objects: Any, config: WindowsConfig, labels: Labels | None) -> Any:
        """Windows of recordings that are open already, without labels; see :mod:`pellucid_eeg.windows.given`.

        Without classes (``labels``) they are trials of a dataset that has no windows.
        """
        made = cls.__new__(cls)
        made.config = config
        named = labels.of if labels is not None and labels.by == "events" else ()
        recordings = given_recordings(objects, config, named, trials=labels is None)
        wanted = config.preparation.electrodes or scalp_of(recordings[0][0].channels)
        made._temporary = tempfile.TemporaryDirectory(prefix="pellucid-")
        sources, stores = [], []
        for recording, how in recordings:
            making = _making(how.model_copy(update={"precision": "float32"}), None, wanted)
            source = Source.given(recording, config.namespace)
            sources.append(source)
            stores.append(stored(source, making, Path(made._temporary.name) / name, recording))
        made._put(name, sources, stores, making, labels, "", (), (), ("subject", "subjects"))
        return made

    def read(self, indices: np.ndarray) -> Arrays:
        """Some windows, float32, in the order asked for; with a mask if an electrode of any recording is not known."""
        signal = self.spec.inputs[INPUT]
        out = np.empty((len(indices), *signal.shape), np.float32)
        known = np.ones((len(indices), signal.shape[0]), bool)
        of, rows = self._of[indices], self._row[indices]
        for store in np.unique(of).tolist():
            mine = np.flatnonzero(of == store)
            # By rows and not by maps: a data set may have more recordings than a process may have files open.
            arrays = self._stores[store].arrays
            out[mine] = arrays["signals"][rows[mine]]
            if self._masked:
                known[mine] = arrays["known"][rows[mine]]
        if not self._masked:
            return Arrays({INPUT: out})
        return Arrays({INPUT: out}, {INPUT: np.repeat(known[:, :, None], out.shape[-1], axis=2)})


def _making(config: WindowsConfig, labels: Labels | None, wanted: Sequence[str]) -> Making:
    return Making(config, named_well(config.preparation), asked_of(config.preparation, wanted), labels)


def _wanted(config: WindowsConfig, sources: Sequence[Source], name: str) -> tuple[str, ...]:
    """The electrodes that somebody named, else those of the scalp that all recordings have, in the order of the first."""
    if config.preparation.electrodes:
        return config.preparation.electrodes
    common: tuple[str, ...] | None = None
    for source in (one for one in sources if not one.unusable):
        try:
            opened = source.opens(source.place.path).channels if source.opens else labels_in(source.place.path)
        except DataError:
            continue  # told of when it is read
        here = scalp_of(opened)
        if here:
            common = here if common is None else tuple(one for one in common if one in here)
    if not common:
        what = "no electrode of the scalp is there" if common is None else "its recordings share no electrode"
        raise DataError(
            f"{name}: {what} by its 10-20, 10-10 or 10-5 name; name those that you want (option preparation.electrodes)"
        )
    return common


def _rows(source: Source, store: Prepared, labels: Labels | None, namespace: str) -> pd.DataFrame:
    sample = source.place.sample
    columns: dict[str, Any] = {
        "subject": source.subject,
        "recording": pseudonym(store.notes["digest"], namespace),
        **source.columns,
    }
    if labels is not None:
        columns[labels.target] = source.label if labels.by == "recording" else store.table["label"].to_numpy(float)
    columns["start_s"] = store.table["start_s"].to_numpy(float)
    return pd.DataFrame(columns, index=pd.Index([f"{sample}-{at:05d}" for at in range(len(store))], name="sample"))


def _agree(sources: Sequence[Source], stores: Sequence[Prepared]) -> None:
    first = stores[0].notes
    for source, store in zip(sources, stores, strict=True):
        if (found := store.notes["rate_hz"]) != first["rate_hz"]:
            raise DataError(
                f"{source.place.shown}: its rate is {found:g} Hz, that of {sources[0].place.shown} {first['rate_hz']:g} Hz; "
                "bring all to one rate (option preparation.rate_hz)"
            )


def _alike(sources: Sequence[Source], stores: Sequence[Prepared]) -> list[Finding]:
    """Recordings whose samples are those of an earlier one."""
    first: dict[str, Source] = {}
    found = []
    for source, store in zip(sources, stores, strict=True):
        other = first.setdefault(store.notes["digest"], source)
        if other is not source:
            whose = "another subject's" if other.subject != source.subject else "the same subject's"
            found.append(
                Finding(
                    source.place.sample, "the same samples as another recording", f"{other.place.sample}, {whose}",
                    "kept on one side of a split",
                )
            )  # fmt: skip
    return found


def _other_reference(sources: Sequence[Source], stores: Sequence[Prepared], making: Making) -> list[Finding]:
    """Recordings that were made against another reference than most, where nothing puts them on one."""
    if making.preparation.reference != "recorded":
        return []
    said = [", ".join(store.notes["references"]) for store in stores]
    usual = max(sorted(set(said), reverse=True), key=said.count)
    return [
        Finding(
            source.place.sample, "recorded against another reference than most", f"{own or 'not said'}, not {usual}"
        )
        for source, own in zip(sources, said, strict=True)
        if own != usual and usual
    ]


def _target(labels: Labels) -> Target:
    if len(labels.names) == 2:
        return Binary(names=(labels.names[0], labels.names[1]), about=labels.about)
    return MultiClass(names=labels.names, about=labels.about)


def _is_known(word: str) -> bool:
    return channel_of(word).kind in ("scalp", "bipolar")
