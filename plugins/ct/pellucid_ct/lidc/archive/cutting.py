"""Crops of one scan's nodules: the scan is read once, and only what was cut out of it is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid_ct.dicom.series import read_series
from pellucid_ct.scans.crops import Dimensions, isotropic_crop, native_crops
from pellucid_ct.scans.geometry import Geometry
from pellucid_ct.scans.kept import Crops, kept, key_of
from pellucid_ct.scans.lesions import find_lesions
from pellucid_ct.scans.volume import CtVolume, LesionMask


@dataclass(frozen=True, kw_only=True)
class CropOptions:
    """How crops are cut.

    Parameters
    ----------
    crops : {"native", "isotropic"}
    dimensions : {"2", "2.5", "3"}
    size : int
    spacing_mm : float
    """

    crops: Literal["native", "isotropic"]
    dimensions: Dimensions
    size: int
    spacing_mm: float


@dataclass(frozen=True, eq=False)
class NoduleToCut:
    """One nodule of a scan.

    Parameters
    ----------
    inside : ndarray of bool, shape (slice, row, column)
        In its box.
    corner : (int, int, int)
        First slice, row and column of the box, in the canonical grid.
    slices : tuple of int, or None
        Slices of the scan to cut one by one; None for one crop around the centroid.
    """

    inside: npt.NDArray[np.bool_]
    corner: tuple[int, int, int]
    slices: tuple[int, ...] | None


@dataclass(frozen=True, eq=False)
class ScanToCut:
    """One scan, and what to cut out of it.

    Parameters
    ----------
    folder : Path
    series : str
        Pseudonym.
    files : tuple of Path
    canonical : Geometry
        As its headers said.
    nodules : sequence of NoduleToCut
    samples : tuple of str
        Ids, one a crop.
    """

    folder: Path
    series: str
    files: tuple[Path, ...]
    canonical: Geometry
    nodules: Sequence[NoduleToCut]
    samples: tuple[str, ...]


def cut_scan(scan: ScanToCut, options: CropOptions, *, namespace: str, cache: Path | None) -> Crops:
    """Crops of a scan, from the cache where it has them.

    Parameters
    ----------
    scan : ScanToCut
    options : CropOptions
    namespace : str
        See :func:`pellucid.data.pseudonym`.
    cache : Path, optional
        See :func:`~pellucid_ct.scans.kept.kept`.

    Raises
    ------
    DataError
        If the series cannot be read, or is not what its headers said when the dataset was opened.
    """
    total = hashlib.blake2b(digest_size=12)
    for nodule in scan.nodules:
        total.update(f"\x1f{nodule.corner}{nodule.inside.shape}{nodule.slices}".encode())
        total.update(np.ascontiguousarray(nodule.inside).tobytes())
    facts = {**vars(options), "nodules": total.hexdigest(), "samples": scan.samples}
    key = key_of(sorted(scan.files), facts, lambda name: pseudonym(name, namespace))
    return kept(key, lambda: _cut(scan, options, namespace), cache)


def _cut(scan: ScanToCut, options: CropOptions, namespace: str) -> Crops:
    volume = read_series(scan.folder, namespace=namespace, series=scan.series).canonical()
    if told := scan.canonical.difference(volume.geometry):
        raise DataError(f"{scan.folder}: the series has changed since the dataset was opened: {told}; open it again")
    cut = [part for nodule in scan.nodules for part in _of_nodule(volume, nodule, options)]
    hu, mask = (np.stack([part[i] for part in cut]) for i in (0, 1))
    return Crops.of(hu, mask, pd.DataFrame(index=pd.Index(scan.samples, name="sample")))


Pair = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


def _of_nodule(volume: CtVolume, nodule: NoduleToCut, options: CropOptions) -> list[Pair]:
    """Hounsfield units and mask of each crop of a nodule, shape (channel, ...)."""
    first = nodule.corner[0]
    reach = 0
    if options.crops == "isotropic":
        reach = int(np.ceil(options.size * options.spacing_mm / 2 / volume.geometry.spacing_mm[0])) + 2
    # Only the slices that the crops can touch: a mask of a whole scan for each nodule would be most of the work.
    low, high = max(first - reach, 0), min(first + len(nodule.inside) + reach, len(volume.hu))
    shape = (high - low, *volume.hu.shape[1:])
    part = replace(volume.geometry, shape=shape, origin_mm=tuple(volume.geometry.positions_mm((low, 0, 0)).tolist()))
    labels = np.zeros(shape, np.uint16)
    start = (first - low, *nodule.corner[1:])
    labels[tuple(slice(a, a + n) for a, n in zip(start, nodule.inside.shape, strict=True))] = nodule.inside
    here = replace(volume, hu=volume.hu[low:high], geometry=part, sources=())
    mask = LesionMask(labels, part, volume.where)
    (lesion,) = find_lesions(here, mask)
    if options.crops == "native":
        native = native_crops(here, mask, lesion, size=options.size, least_pixels=1)
        at = {int(number) + low: i for i, number in enumerate(native.slices)}
        return [(native.hu[at[number]][None], native.mask[at[number]][None]) for number in nodule.slices or ()]
    centres = [lesion.centroid_mm]
    if nodule.slices is not None:
        centres = [
            tuple(part.positions_mm((number - low, *np.argwhere(labels[number - low]).mean(0))).tolist())
            for number in nodule.slices
        ]
    crops = [
        isotropic_crop(
            here,
            mask,
            replace(lesion, centroid_mm=centre),
            dimensions=options.dimensions,
            size=options.size,
            spacing_mm=options.spacing_mm,
        )
        for centre in centres
    ]
    return [(crop.hu, crop.mask) for crop in crops]
