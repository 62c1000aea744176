"""Which channels of a file are read: those of the electrodes that are asked for, by their standard names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.errors import DataError, abridged, nearest
from pellucid_eeg.edf_files.headers import read_header
from pellucid_eeg.edf_files.reading import open_checked
from pellucid_eeg.preparing.record import Preparation
from pellucid_eeg.recordings.electrodes import EARS, SCALP, canonical, channel_of, shown, unknown_doubt
from pellucid_eeg.recordings.foreign import open_foreign
from pellucid_eeg.recordings.recording import EegRecording
from pellucid_eeg.recordings.units import microvolts_per

__all__ = ["EDF", "Asked", "asked_of", "is_edf", "labels_in", "open_asked", "scalp_of", "selected"]

EDF = (".edf", ".bdf", ".rec")


@dataclass(frozen=True)
class Asked:
    """What a preparation asks of every recording.

    Parameters
    ----------
    wanted : tuple of str
        Electrodes that come out, in this order.
    others : frozenset of str
        Electrodes that the reference needs.
    all_scalp : bool
        Whether all others of the scalp are needed too: for their mean, to interpolate from, or to tell whether what stands for
        absent ones can be told at all.
    absent_refused : bool
        Whether every one of the wanted has to be there.
    """

    wanted: tuple[str, ...]
    others: frozenset[str] = frozenset()
    all_scalp: bool = False
    absent_refused: bool = True


def asked_of(preparation: Preparation, wanted: Sequence[str]) -> Asked:
    """What a preparation asks of recordings.

    Parameters
    ----------
    preparation : Preparation
    wanted : sequence of str
        Electrodes that come out, in this order, as anybody calls them.

    Raises
    ------
    DataError
        If it names an electrode that none is called; with the nearest.
    """
    reference = preparation.reference if isinstance(preparation.reference, tuple) else ()
    for option, names in (("electrodes", wanted), ("reference", reference)):
        for name in names:
            if channel_of(name).kind not in ("scalp", "reference", "bipolar"):
                raise DataError(
                    f"preparation.{option} names {name!r}, which is no electrode of the 10-20, 10-10 or 10-5 system"
                    f"{nearest(name, (*SCALP, *EARS))}"
                )
    return Asked(
        tuple(canonical(name) for name in wanted),
        frozenset(canonical(name) for name in reference),
        preparation.reference == "average" or preparation.absent != "refused",
        preparation.absent == "refused",
    )


def named_well(preparation: Preparation) -> Preparation:
    """A preparation with the standard names of its electrodes.

    Raises
    ------
    DataError
        As :func:`asked_of`.
    """
    asked_of(preparation, preparation.electrodes)
    names: dict[str, object] = {"electrodes": tuple(canonical(one) for one in preparation.electrodes)}
    if isinstance(preparation.reference, tuple):
        names["reference"] = tuple(canonical(one) for one in preparation.reference)
    return preparation.model_copy(update=names)


def is_edf(path: Path | str) -> bool:
    """Whether a file is of the EDF or BDF kind, by the end of its name."""
    return os.path.splitext(os.fspath(path))[1].lower() in EDF


def labels_in(path: Path) -> tuple[str, ...]:
    """What a file calls its channels; no sample and no annotation is read.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If the file cannot be read, or is of no kind that is.
    """
    if is_edf(path):
        return tuple(one.label for one in read_header(path).signals if not one.annotations)
    return open_foreign(path).channels


def scalp_of(labels: Sequence[str]) -> tuple[str, ...]:
    """Standard names of the scalp's electrodes among channels, each once.

    Parameters
    ----------
    labels : sequence of str
        As files call them.
    """
    return tuple(dict.fromkeys(one.name for one in map(channel_of, labels) if one.kind == "scalp"))


def open_asked(
    path: Path, asked: Asked, unit_of_table: str = "", unit_where_unknown: str = ""
) -> tuple[EegRecording, tuple[tuple[str, str, str], ...], tuple[str, ...]]:
    """Open a file with the channels that are asked for, what is doubtful about it (what, where, done), and all that it has.

    Parameters
    ----------
    path : Path
    asked : Asked
    unit_of_table : str
        What a table beside the file says; it counts where the file says nothing.
    unit_where_unknown : str
        What counts where neither says anything.

    Raises
    ------
    DataError
        If it cannot be read, an electrode is missing that has to be there, or two channels are one electrode.
    """
    labels = labels_in(path)
    picked = _picked(labels, asked, path.name)
    if is_edf(path):
        unit = unit_of_table or unit_where_unknown or None
        recording, doubts = open_checked(path, channels=picked, unit_where_unknown=unit)
        found = [(one.what, one.where, one.done) for one in doubts]
        signals = {one.label: one for one in read_header(path).signals}
        other = [
            label
            for label in picked
            if microvolts_per(signals[label].unit) not in (None, microvolts_per(unit_of_table))
        ]
        if unit_of_table and other:
            told = f"{shown(other)}: the table says {unit_of_table}"
            found.append(("its table says another unit than the file", told, "read as the file says"))
        return recording, tuple(found), labels
    return open_foreign(path).of_channels(picked), (), labels


def selected(recording: EegRecording, asked: Asked) -> EegRecording:
    """A recording that is open already, with the channels that are asked for.

    Parameters
    ----------
    recording : EegRecording
    asked : Asked

    Raises
    ------
    DataError
        As :func:`open_asked`.
    """
    return recording.of_channels(_picked(recording.channels, asked, recording.name))


def _picked(labels: Sequence[str], asked: Asked, name: str) -> list[str]:
    """The channels to be read, in the file's order."""
    found: dict[str, str] = {}
    picked: list[str] = []
    for label in labels:
        channel = channel_of(label)
        needed = channel.name in asked.wanted or channel.name in asked.others
        if not needed and not (asked.all_scalp and channel.kind == "scalp"):
            continue
        if channel.name in found:
            raise DataError(
                f"{name}: {found[channel.name]!r} and {label!r} are both {channel.name}; rename one of them, or take it out"
            )
        found[channel.name] = label
        picked.append(label)
    lacking = [one for one in asked.wanted if one not in found]
    if not picked or (lacking and asked.absent_refused):
        some = abridged(lacking, 6)
        strange = unknown_doubt(labels)
        pairs = sum(channel_of(label).kind == "bipolar" for label in labels)
        if pairs and not scalp_of(labels):
            raise DataError(
                f"{name}: has no electrode {some}: its {pairs} signals are differences of two electrodes each, and models read "
                "single electrodes; give it as it was before electrodes were subtracted"
            )
        here = f"; it has channels that no electrode is called: {strange}" if strange else ""
        raise DataError(
            f"{name}: has no electrode {some}{here}; rename its channels, ask for electrodes that every recording has "
            '(option preparation.electrodes), or say what stands for them: absent = "interpolated" or "masked"'
        )
    return picked
