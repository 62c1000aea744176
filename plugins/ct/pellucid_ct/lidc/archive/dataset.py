"""The dataset ``lidc``: pixels of lung nodules, from a folder of DICOM series and what radiologists drew on them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pellucid.cache import cache_folder
from pellucid.data import Arrays, Dataset, DataSpec, Target, Vector
from pellucid.errors import DataError
from pellucid_ct.lidc.annotations.labels import NAMESPACE, TARGETS, lone_readers, rating_concepts
from pellucid_ct.lidc.annotations.nodules import Median
from pellucid_ct.lidc.archive.cutting import CropOptions, cut_scan
from pellucid_ct.lidc.archive.found import Found, find_scans, listed, refuse
from pellucid_ct.lidc.archive.options import LidcConfig
from pellucid_ct.lidc.archive.samples import samples_of
from pellucid_ct.scans.inputs import crop_inputs, crop_views
from pellucid_ct.scans.kept import Crops

COVARIATES = {
    "log_diameter": "ln mm",
    "log_area": "ln mm2",
    "log_volume": "ln mm3",
    "n_readers": "readers",
    "pixel_spacing_mm": "mm",
    "slice_spacing_mm": "mm",
}
"""Covariates and their units. Diameter and area are those of the slice in which the nodule is largest."""


class Lidc(Dataset):
    """Lung nodules on CT with their surroundings, and what up to four radiologists drew and rated: LIDC-IDRI.

    Input ``pixels`` is a crop in Hounsfield units; input ``mask`` the share of each pixel that at least half of the readers
    enclosed. Concepts are the means of the nine ratings over readers, with the readers' disagreement. Labels are the same
    readers' opinion, not pathology. The trivial baseline is the diameter.

    Opening the dataset reads the headers of all images and the annotations, no pixels. Each scan is read once, when one of
    its nodules is first asked for; its crops are kept.

    Parameters
    ----------
    config : LidcConfig, optional
    data : Path
        A folder, of any structure, with the CT series and, for ``annotations = "xml"``, the XML files. Other DICOM files
        (radiographs, segmentations) and XML files of other kinds are passed over; so are annotations of series that are
        not there.

    Attributes
    ----------
    left_out : tuple of str
        What could not be used, and why, where ``broken = "leave out"``.

    Raises
    ------
    DataError
        If there is no CT series, no annotated nodule, or something that cannot be used; tells of all of it at once.
    """

    config_type = LidcConfig

    def __init__(self, config: LidcConfig | None = None, data: Path | None = None) -> None:
        self.config = config or LidcConfig()
        if data is None:
            raise DataError(
                "dataset 'lidc' reads CT series and annotations from a folder: name it with --data DIR "
                "(`pellucid data list` says how to get LIDC-IDRI)"
            )
        folder = Path(data)
        found = find_scans(folder, namespace=NAMESPACE, source=self.config.annotations)
        if found.problems and self.config.broken == "refuse":
            raise refuse(folder, found)
        self.left_out = tuple(found.problems)
        if self.left_out:
            warnings.warn(
                listed(f"{folder}: left out, as they cannot be used", self.left_out), RuntimeWarning, stacklevel=2
            )
        if not any(scan.joined.reading.drawings for scan in found.scans):
            raise DataError(f"{folder}: no reader drew a nodule of 3 mm or more on any of its {found.series} CT series")
        self._scans, self.frame, dropped = samples_of(folder, found, self.config)
        self._cut: dict[int, Crops] = {}
        self.spec = _spec(self.config, self.frame, found, dropped)
        owner = [(scan, row) for scan, one in enumerate(self._scans) for row in range(len(one.samples))]
        self._places = np.array(owner, np.int64).reshape(-1, 2)
        self.check()

    def read(self, indices: np.ndarray) -> Arrays:
        """Crops of some samples; scans that have not been cut yet are.

        Raises
        ------
        DataError
            If a series cannot be read, or has changed since the dataset was opened.
        """
        shape = (len(indices), *self.spec.inputs["pixels"].shape)
        pixels, mask = np.empty(shape, np.float32), np.empty(shape, np.float32)
        places = self._places[indices]
        scans = np.unique(places[:, 0])
        for some in np.array_split(scans, max(1, -(-len(scans) // self.config.jobs))):
            for number, crops in zip(some.tolist(), self._crops(some.tolist()), strict=True):
                at = np.flatnonzero(places[:, 0] == number)
                pixels[at] = crops.pixels[places[at, 1]]
                mask[at] = crops.mask[places[at, 1]]
        mask /= 255
        return Arrays({"pixels": pixels, "mask": mask})

    def _crops(self, scans: Sequence[int]) -> list[Crops]:
        config = self.config
        options = CropOptions(**config.model_dump(include={"crops", "dimensions", "size", "spacing_mm"}))
        given: dict[str, Any] = {"namespace": NAMESPACE, "cache": cache_folder() if config.cache else None}
        waiting = [number for number in scans if number not in self._cut]
        if config.jobs > 1 and len(waiting) > 1:
            from joblib import Parallel, delayed

            made = Parallel(n_jobs=config.jobs)(
                delayed(cut_scan)(self._scans[number], options, **given) for number in waiting
            )
        else:
            made = [cut_scan(self._scans[number], options, **given) for number in waiting]
        self._cut.update(zip(waiting, made, strict=True))
        return [self._cut[number] for number in scans]


# --- spec -------------------------------------------------------------------------------------------------------------


def _spec(config: LidcConfig, frame: pd.DataFrame, found: Found, dropped: int) -> DataSpec:
    spacing_mm = None if config.crops == "native" else config.spacing_mm
    return DataSpec(
        name="lidc",
        inputs=crop_inputs(config.dimensions, config.size, spacing_mm),
        targets=_targets(config.median),
        groups=("subject",),
        group_word=("patient", "patients"),
        namespace=NAMESPACE,
        covariates=Vector(names=tuple(COVARIATES), units=tuple(COVARIATES.values())),
        trivial=("log_diameter",),
        views=crop_views(config.dimensions),
        concepts=rating_concepts(targets=TARGETS, disagreement=True),
        about=_about(config, frame, found, dropped),
    )


def _targets(median: Median) -> dict[str, Target]:
    if median == "plain":
        return TARGETS
    high = "median malignancy rating (of two middle ratings the upper)"
    return {
        name: target.model_copy(update={"about": target.about.replace("median malignancy rating", high)})
        for name, target in TARGETS.items()
    }


def _about(config: LidcConfig, frame: pd.DataFrame, found: Found, dropped: int) -> str:
    told = [
        "The label is the median malignancy rating of the radiologists who also drew the outlines and gave the other "
        "ratings: their suspicion, not pathology. A score says how well a model agrees with them, not how well it finds "
        f"cancer.{lone_readers(frame.drop_duplicates('nodule'))}"
    ]
    if config.samples == "slices":
        told.append(
            "Slices of one nodule are no independent samples: they share their label and stay on one side of a split."
        )
    if config.crops == "native":
        widths = frame["pixel_spacing_mm"] * config.size
        told.append(
            f"Pixels are as they were scanned: a crop is {widths.min():.0f} to {widths.max():.0f} mm wide, so that lesions of "
            "one size fill more of one crop than of another."
        )
    if dropped:
        told.append(f"{dropped:,} {config.samples} are left out, as their crops would leave the image.")
    if found.problems:
        lost = found.series - len(found.scans)
        told.append(f"{lost:,} of the {found.series:,} CT series in the folder are left out, as they cannot be used.")
    return " ".join(told)
