"""A chest as small as a newborn's with lesions planted in it: every size, place and density is known in advance.

Examples
--------
>>> from pellucid_ct.phantom import Phantom, PlantedLesion
>>> phantom = Phantom(lesions=(PlantedLesion(centre_mm=(-30.0, 0.0, 0.0), radii_mm=(6.0, 6.0, 6.0)),))
>>> scan, mask = phantom.scan(spacing_mm=(2.0, 1.5, 1.5))
>>> scan.hu.shape, int(mask.labels.max())
((64, 96, 96), 1)
"""

from pellucid_ct.phantom.body import ORIENTATIONS, Phantom, oriented
from pellucid_ct.phantom.cohort import write_cohort
from pellucid_ct.phantom.files import DicomStyle, write_nifti, write_nifti_mask, write_series
from pellucid_ct.phantom.planted import PlantedLesion

__all__ = [
    "ORIENTATIONS",
    "DicomStyle",
    "Phantom",
    "PlantedLesion",
    "oriented",
    "write_cohort",
    "write_nifti",
    "write_nifti_mask",
    "write_series",
]  # fmt: skip
