"""The layout of a BIDS tree, as far as electroencephalograms go: recordings, their entities, and the files that belong to them.

What lies in ``derivatives``, ``code`` and ``sourcedata`` is not looked at. The package mne-bids serves the tests, which read trees that
it wrote; here it would import mne to find files, and say nothing of units, bad channels and participants that the tables do not.

References
----------
Pernet et al. (2019), EEG-BIDS, doi:10.1038/s41597-019-0104-8.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pellucid.errors import DataError

__all__ = ["ENDINGS", "BidsRecording", "recordings_of", "sidecar", "sidecar_json"]

ENDINGS = (".edf", ".bdf", ".vhdr", ".set", ".fif")

LARGEST_BYTES = 1 << 20


@dataclass(frozen=True)
class BidsRecording:
    """A recording in a tree.

    Parameters
    ----------
    root : Path
    path : Path
    """

    root: Path
    path: Path

    @cached_property
    def entities(self) -> Mapping[str, str]:
        """``{"sub": "01", "task": "rest", ...}``."""
        return _entities(self.path.name)

    @property
    def shown(self) -> str:
        """Its path below the root."""
        return self.path.relative_to(self.root).as_posix()


def recordings_of(
    root: Path, sessions: tuple[str, ...] = (), tasks: tuple[str, ...] = (), runs: tuple[str, ...] = ()
) -> list[BidsRecording]:
    """The recordings of a tree, of some sessions, tasks and runs where these are named.

    Raises
    ------
    DataError
        If the folder is no tree, a name lacks its subject, or nothing is left.
    """
    if not any(root.glob("sub-*")):
        nearer = sorted(one.parent.name for one in root.glob("*/sub-*"))[:1]
        hint = f"; name the folder {nearer[0]!r} in it" if nearer else ""
        raise DataError(f"{root}: holds no folder sub-..., so that it is no BIDS tree{hint}")
    found = []
    for path in sorted((*root.glob("sub-*/eeg/*_eeg.*"), *root.glob("sub-*/ses-*/eeg/*_eeg.*"))):
        if path.suffix.lower() not in ENDINGS:
            continue
        one = BidsRecording(root, path)
        if one.entities.get("sub") != path.relative_to(root).parts[0].removeprefix("sub-"):
            raise DataError(f"{one.shown}: its name says another subject than its folder; mend one of the two")
        found.append(one)
    if not found:
        raise DataError(f"{root}: holds no recording; expected sub-XX/[ses-XX/]eeg/*_eeg with {', '.join(ENDINGS)}")
    kept = list(found)
    for entity, wanted in (("ses", sessions), ("task", tasks), ("run", runs)):
        if wanted:
            there = {one.entities.get(entity, "") for one in found}
            kept = [one for one in kept if one.entities.get(entity, "") in wanted]
            if lacking := sorted(set(wanted) - there):
                raise DataError(
                    f"{root}: no recording has {entity}-{lacking[0]}; there are {', '.join(sorted(there - {''})) or 'none'}"
                )
    if not kept:
        raise DataError(f"{root}: no recording is of the sessions, tasks and runs that are asked for together")
    return kept


def sidecar(recording: BidsRecording, suffix: str) -> Path | None:
    """The nearest file that belongs to a recording: beside it, or inherited from a folder above.

    Parameters
    ----------
    recording : BidsRecording
    suffix : str
        With its ending: ``"events.tsv"``.
    """
    return next(_belonging(recording, suffix), None)


def sidecar_json(recording: BidsRecording, suffix: str) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """What JSON files say of a recording, the nearest first, and which they are.

    Parameters
    ----------
    recording : BidsRecording
    suffix : str
        How their names end: ``eeg.json``.

    Raises
    ------
    DataError
        If one is no JSON object; quotes nothing.
    """
    files = tuple(_belonging(recording, suffix))
    told: dict[str, Any] = {}
    for file in reversed(files):
        try:
            if file.stat().st_size > LARGEST_BYTES:
                raise ValueError
            document = json.loads(file.read_text("utf-8-sig"))
        except (OSError, ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise DataError(
                f"{file.relative_to(recording.root).as_posix()}: is no JSON object; mend it, or take it out"
            )
        told |= document
    return told, files


def _belonging(recording: BidsRecording, suffix: str) -> Iterator[Path]:
    folder = recording.path.parent
    while True:
        fitting = []
        for file in folder.glob(f"*{suffix}"):
            if file.name != suffix and not file.name.endswith(f"_{suffix}"):
                continue
            own = _entities(file.name)
            if all(recording.entities.get(key) == value for key, value in own.items()):
                fitting.append((len(own), file.name, file))
        yield from (file for *_, file in sorted(fitting, reverse=True))
        if folder == recording.root:
            return
        folder = folder.parent


def _entities(name: str) -> dict[str, str]:
    stem = name.partition(".")[0]
    return dict(part.split("-", 1) for part in stem.split("_") if "-" in part)
