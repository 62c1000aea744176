"""Small folders of crops, written by hand."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pellucid_ct.lidc.annotations.database import RATING_RANGES

SIDE = 64


@dataclass
class Written:
    """A folder of crops that a test fills and writes."""

    path: Path
    nodules: list[dict[str, Any]] = field(default_factory=list)
    slices: list[dict[str, Any]] = field(default_factory=list)
    pixels: list[np.ndarray] = field(default_factory=list)

    def nodule(
        self,
        crops: list[np.ndarray],
        *,
        z_mm: list[float | str] | None = None,
        order: list[int] | None = None,
        number: int | None = None,
        **facts: Any,
    ) -> int:
        """Add a nodule with some crops; facts are columns of its row."""
        number = len(self.nodules) if number is None else number
        row: dict[str, Any] = {
            "nodule": number,
            "label": number % 2,
            "lidc_patient_id": f"NAMED-{number:04d}",
            "pylidc_scan_id": 900_000 + number,
            "pylidc_annotation_id": 800_000 + number,
            "slice_thickness_mm": 1.0,
            "pixel_spacing_mm": 1.0,
            "diameter_mm": 10.0,
            "volume_mm3": 500.0,
            "n_readers": 2,
            **{f"mean_{name}": 2.0 for name in RATING_RANGES},
        }
        self.nodules.append({**row, **facts})
        for at, crop in enumerate(crops):
            z = z_mm[at] if z_mm is not None else float(at)
            place = order[at] if order is not None else at
            self.slices.append({"slice": len(self.pixels), "nodule": number, "order": place, "z_mm": z})
            self.pixels.append(crop)
        return number

    def write(self) -> Path:
        """Write the three files."""
        self.path.mkdir(parents=True, exist_ok=True)
        for name, rows in (("nodules.csv", self.nodules), ("slices.csv", self.slices)):
            with (self.path / name).open("w", newline="") as file:
                table = csv.DictWriter(file, list(rows[0]))
                table.writeheader()
                table.writerows(rows)
        np.savez_compressed(self.path / "slices.npz", pixels=np.stack(self.pixels).astype(np.uint8))
        return self.path


def disc(radius: float, grey: int = 200, *, row: float = 31.5, column: float = 31.5, side: int = SIDE) -> np.ndarray:
    """A crop with a disc of pixels whose centres lie within a radius."""
    rows, columns = np.mgrid[:side, :side]
    return np.where(np.hypot(rows - row, columns - column) <= radius, grey, 0).astype(np.uint8)


def two_patients(path: Path) -> Written:
    """Two nodules of two patients, three slices each."""
    made = Written(path)
    for radius in (6, 9):
        made.nodule([disc(radius - 1), disc(radius), disc(radius - 1)])
    return made
