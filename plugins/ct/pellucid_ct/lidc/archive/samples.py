"""Samples of the dataset ``lidc``: which nodules or slices, their table, and what is to be cut for each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.data import pseudonym
from pellucid_ct.lidc.annotations.consensus import Consensus, consensus_masks
from pellucid_ct.lidc.annotations.database import RATING_RANGES
from pellucid_ct.lidc.annotations.grouping import group_annotations
from pellucid_ct.lidc.annotations.labels import CONCEPT_NAMES, NAMESPACE, TARGETS
from pellucid_ct.lidc.annotations.nodules import measure_nodules
from pellucid_ct.lidc.archive.cutting import NoduleToCut, ScanToCut
from pellucid_ct.lidc.archive.found import Found
from pellucid_ct.lidc.archive.joined import record
from pellucid_ct.lidc.archive.options import LidcConfig
from pellucid_ct.scans.crops import native_places

LEAST_PIXELS = 8
"""Pixels of a nodule that a slice needs to be a sample of its own."""


def samples_of(folder: Path, found: Found, config: LidcConfig) -> tuple[list[ScanToCut], pd.DataFrame, int]:
    """What to cut from which scan, the frame in the same order, and how many slices had to be dropped."""
    database = record([scan.joined for scan in found.scans], folder)
    nodule = group_annotations(database)
    consensus = consensus_masks(database, nodule, config.agreement)
    table, _, largest = measure_nodules(database, nodule, consensus, config.median)
    first = np.unique(nodule, return_index=True)[1]
    names = [drawing.name for scan in found.scans for drawing in scan.joined.reading.drawings]
    nodules = _frame(table, database.annotations, nodule)
    nodules["nodule"] = [f"nodule-{pseudonym(names[at], NAMESPACE)}" for at in first]
    nodules["scan"] = [
        f"scan-{pseudonym(found.scans[number - 1].joined.reading.scan, NAMESPACE)}" for number in table["scan"]
    ]
    scans, rows, ids, dropped = [], [], [], 0
    for number, scan in enumerate(found.scans, start=1):
        mine, samples = [], []
        for at in np.flatnonzero(table["scan"].to_numpy() == number).tolist():
            slices, lost = _slices(consensus, at, scan.joined.canonical.shape[1:], int(largest[at]), config)
            dropped += lost
            if slices is not None and not slices:
                continue
            corner = tuple(consensus.corner[at].tolist())
            mine.append(NoduleToCut(consensus.mask(at), corner, slices))
            name = nodules["nodule"].iloc[at]
            if config.samples == "slices":
                samples += [f"slice-{pseudonym(f'{name} {s - corner[0]}', NAMESPACE)}" for s in slices or ()]
            else:
                samples.append(name)
            rows += [at] * (len(slices) if slices else 1)
        if samples:
            where = scan.record
            scans.append(
                ScanToCut(where.folder, where.series, where.files, scan.joined.canonical, mine, tuple(samples))
            )
        ids += samples
    frame = nodules.iloc[rows].set_axis(pd.Index(ids, name="sample"))
    return scans, frame, dropped


def _slices(
    consensus: Consensus, nodule: int, image: tuple[int, ...], largest: int, config: LidcConfig
) -> tuple[tuple[int, ...] | None, int]:
    """Slices of a nodule that are cut one by one (None: one crop around its centroid), and how many leave the image."""
    if config.samples == "nodules" and config.crops == "isotropic":
        return None, 0
    inside, corner = consensus.mask(nodule), tuple(consensus.corner[nodule].tolist())
    if config.crops == "isotropic":
        return tuple((np.flatnonzero(inside.sum((1, 2)) >= LEAST_PIXELS) + corner[0]).tolist()), 0
    least = LEAST_PIXELS if config.samples == "slices" else 1
    slices, _, _, dropped = native_places(inside, corner, image, size=config.size, least_pixels=least)
    if config.samples == "slices":
        return tuple(slices.tolist()), dropped
    there = largest in slices.tolist()
    return ((largest,) if there else ()), int(not there)


def _frame(table: pd.DataFrame, annotations: pd.DataFrame, nodule: npt.NDArray[np.int64]) -> pd.DataFrame:
    """One row a nodule."""
    kept = ("n_readers", "n_slices", "pixel_spacing_mm", "slice_spacing_mm", "diameter_mm", "area_mm2", "volume_mm3")
    frame = table[["patient", *kept, *TARGETS]].rename(columns={"patient": "subject"}).reset_index(drop=True)
    for covariate, measure in (("log_diameter", "diameter_mm"), ("log_area", "area_mm2"), ("log_volume", "volume_mm3")):
        frame[covariate] = np.log(frame[measure])
    ratings = annotations.groupby(nodule)[list(RATING_RANGES)]
    mean, deviation = ratings.mean(), ratings.std(ddof=0)
    deviation[ratings.size().to_numpy() == 1] = np.nan
    for name, stored in zip(CONCEPT_NAMES, RATING_RANGES, strict=True):
        frame[f"concept:{name}"] = mean[stored].to_numpy()
        frame[f"concept-sd:{name}"] = deviation[stored].to_numpy()
    return frame
