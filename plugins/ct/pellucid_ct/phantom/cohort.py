"""A small cohort of phantoms in a folder: scans, masks and a table of cases with labels that follow from the lesions."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from pellucid.files import writing
from pellucid_ct.phantom.body import ORIENTATIONS, Phantom, oriented
from pellucid_ct.phantom.files import DicomStyle, write_nifti, write_nifti_mask, write_series
from pellucid_ct.phantom.planted import PlantedLesion
from pellucid_ct.scans.geometry import Vector3
from pellucid_ct.scans.volume import CtVolume

Kind = Literal["dicom", "nifti", "mixed"]

_LUNGS = ((-29.0, 0.0, 6.0), (36.0, 22.0, 0.0), (-29.0, 12.0, -24.0), (-29.0, -10.0, 36.0), (34.0, 8.0, 34.0))
"""Places in the lungs where lesions stand: their middles are more than 25 mm apart, and as far from every wall as fits."""


def write_cohort(
    folder: Path,
    *,
    subjects: int = 12,
    seed: int = 0,
    kind: Kind = "mixed",
    spacing_mm: Vector3 = (2.0, 1.5, 1.5),
    label_noise: float = 0.6,
) -> pd.DataFrame:
    """Write phantoms with one to three lesions each, and ``cases.csv``.

    ``malignant`` is drawn with the odds ``exp(0.5 * (diameter_mm - 11) + 3 * (spiculated - 0.5))``, on which noise of
    standard deviation ``label_noise`` is put: larger lesions and those with spikes are more often 1, neither decides.

    Parameters
    ----------
    folder : Path
        ``cases.csv`` has a row for each lesion with ``case``, ``subject``, ``image``, ``mask``, ``lesion`` (its number
        in the mask) and ``malignant``; paths are relative to the folder.
    subjects : int
    seed : int
        The same seed writes the same bytes, but for DICOM masks: these get new names (UIDs) each time.
    kind : "dicom", "nifti" or "mixed"
        DICOM series with DICOM masks, NIfTI with NIfTI, or one subject the one, the next the other way, with the
        orientation of the series changing from subject to subject.
    spacing_mm : (float, float, float)
        Between slices, rows and columns; up to a fifth larger from one subject to the next.
    label_noise : float

    Returns
    -------
    DataFrame
        The table with what was planted beside it: ``diameter_mm``, ``volume_mm3``, ``hu``, ``spiculated``.
    """
    rows = []
    for number in range(subjects):
        rng = np.random.default_rng([seed, number])
        name = f"PHANTOM-{number:03d}"
        count = int(rng.integers(1, 4))
        lesions = tuple(_lesion(rng, _LUNGS[at]) for at in rng.permutation(len(_LUNGS))[:count])
        phantom = Phantom(lesions, texture_hu=25, noise_hu=20, seed=int(rng.integers(2**31)), name=name)
        wide = tuple(float(s * rng.uniform(1, 1.2)) for s in spacing_mm)
        image, mask = _write(folder, phantom, number, kind, wide)  # type: ignore[arg-type]
        for label, lesion in enumerate(lesions, 1):
            logit = 0.5 * (lesion.diameter_mm - 11) + 3 * (bool(lesion.spikes) - 0.5) + rng.normal(0, label_noise)
            rows.append(
                {
                    "case": f"{name}-{label}",
                    "subject": name,
                    "image": image,
                    "mask": mask,
                    "lesion": label,
                    "malignant": int(rng.random() < 1 / (1 + np.exp(-logit))),
                    "diameter_mm": lesion.diameter_mm,
                    "volume_mm3": lesion.volume_mm3,
                    "hu": lesion.hu,
                    "spiculated": int(bool(lesion.spikes)),
                }
            )
    table = pd.DataFrame(rows)
    with writing(folder / "cases.csv") as temporary:
        table.iloc[:, :6].to_csv(temporary, index=False)
    return table


def _lesion(rng: np.random.Generator, place: Vector3) -> PlantedLesion:
    size = rng.uniform(3.5, 7)
    radii = size * rng.uniform(0.8, 1.2, 3)
    spiculated = rng.random() < 0.5
    return PlantedLesion(
        centre_mm=tuple((np.asarray(place) + rng.uniform(-1.5, 1.5, 3)).tolist()),
        radii_mm=tuple(radii.tolist()),
        hu=float(np.rint(rng.uniform(-100, 80))),
        spikes=int(rng.integers(10, 20)) if spiculated else 0,
        spike_mm=float(rng.uniform(2, 4)) if spiculated else 0.0,
    )


def _write(folder: Path, phantom: Phantom, number: int, kind: Kind, spacing_mm: Vector3) -> tuple[str, str]:
    """Write a scan and its mask; where they are, relative to the folder."""
    from pellucid_ct.dicom.segmentation import write_segmentation

    scan, mask = phantom.scan(spacing_mm)
    way = list(ORIENTATIONS)[number % len(ORIENTATIONS)]
    scan, mask = oriented(scan, mask, way)
    if kind == "nifti" or (kind == "mixed" and number % 2):
        image, drawn = f"scans/{phantom.name}.nii.gz", f"masks/{phantom.name}.nii.gz"
        write_nifti(folder / image, scan)
        write_nifti_mask(folder / drawn, mask)
        return image, drawn
    image, drawn = f"scans/{phantom.name}", f"masks/{phantom.name}.dcm"
    style = DicomStyle(
        implicit=number % 4 > 1, signed=number % 3 == 1, intercept=0.0 if number % 3 == 1 else -1024.0, shuffled=number
    )
    files = write_series(folder / image, scan, patient=phantom.name, style=style)
    sourced = CtVolume(scan.hu, scan.geometry, scan.subject, scan.series, files, scan.where)
    write_segmentation(folder / drawn, sourced, mask)
    return image, drawn
