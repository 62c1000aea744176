"""The phantom's body, and scans of it on any grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid_ct.phantom.planted import PlantedLesion
from pellucid_ct.scans.geometry import Geometry, Vector3, rearranged
from pellucid_ct.scans.volume import CtVolume, LesionMask

NAMESPACE = "phantom"
"""Where phantoms' names come from, for :func:`pellucid.data.pseudonym`."""

_L, _R, _B, _F, _H, _D = (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)

ORIENTATIONS: dict[str, tuple[Vector3, Vector3, Vector3]] = {
    "head first, on the back": (_H, _B, _L),
    "head first, on the back, downwards": (_D, _B, _L),
    "head first, face down": (_H, _F, _R),
    "feet first, on the back": (_D, _B, _R),
    "feet first, face down": (_D, _F, _L),
    "coronal": (_B, _D, _L),
    "sagittal": (_R, _D, _B),
}
"""Towards which side of the patient slices, rows and columns of a series go: left, right, back, front, head or down."""

_AIR, _TISSUE, _LUNG, _HEART, _BONE, _LIVER = -1000, 30, -850, 45, 500, 60

_LOWEST, _HIGHEST = -1024, 3071
"""What scanners of 12 bits can tell apart."""


@dataclass(frozen=True)
class Phantom:
    """A small chest: two lungs, the heart on the left, the spine at the back, the liver below on the right.

    No two sides are alike, so a scan that is turned or mirrored by mistake shows it.

    Parameters
    ----------
    lesions : tuple of PlantedLesion
        They stand in the mask as 1, 2, ...; where two overlap, the later one.
    extent_mm : (float, float, float)
        Of the field of view along z, y, x.
    texture_hu : float
        Standard deviation of the lungs' texture at points 3 mm apart, between which it goes over smoothly. It belongs to
        the body: every scan shows the same one.
    noise_hu : float
        Standard deviation of the noise of a scan, independent from voxel to voxel.
    seed : int
    name : str
        The patient's id in files.
    """

    lesions: tuple[PlantedLesion, ...]
    extent_mm: Vector3 = (128.0, 144.0, 144.0)
    texture_hu: float = 0.0
    noise_hu: float = 0.0
    seed: int = 0
    name: str = "PHANTOM-1"

    def grid(self, spacing_mm: Vector3) -> Geometry:
        """A canonical grid that fills the field of view: as many voxels as fit, around the middle."""
        shape = tuple(int(np.floor(e / s + 1e-9)) for e, s in zip(self.extent_mm, spacing_mm, strict=True))
        if min(shape) < 1:
            raise DataError(f"a spacing of {spacing_mm} mm leaves no voxel in {self.extent_mm} mm")
        z, y, x = (-(n - 1) / 2 * s for n, s in zip(shape, spacing_mm, strict=True))
        return Geometry(shape, spacing_mm, (x, y, z), ORIENTATIONS["head first, on the back"])  # type: ignore[arg-type]

    def scan(self, spacing_mm: Vector3 = (2.0, 1.5, 1.5), *, oversampling: int = 4) -> tuple[CtVolume, LesionMask]:
        """Scan the phantom.

        Parameters
        ----------
        spacing_mm : (float, float, float)
            Between slices, rows and columns.
        oversampling : int
            Points along each side of a voxel at which lesions are looked for. A voxel holds the mean of lesion and
            surroundings by the share of points inside (partial volume, as in a scanner), and stands in the mask where
            that share is at least a half. With 1 a voxel is what its centre is, and edges are hard.

        Returns
        -------
        volume : CtVolume
            On a canonical grid; see :func:`oriented`. Whole Hounsfield units, so that any file holds them exactly.
        mask : LesionMask
        """
        geometry = self.grid(spacing_mm)
        hu = self._body(geometry)
        labels = np.zeros(geometry.shape, np.uint16)
        for label, lesion in enumerate(self.lesions, 1):
            box = _box(geometry, lesion)
            share = _share(geometry, lesion, box, oversampling)
            hu[box] += share * (lesion.hu - hu[box])
            labels[box][share >= 0.5] = label
        if self.noise_hu:
            hu += np.random.default_rng(self.seed).normal(0, self.noise_hu, hu.shape)
        subject, where = pseudonym(self.name, NAMESPACE), "phantom"
        return (
            CtVolume(
                np.rint(hu).clip(_LOWEST, _HIGHEST).astype(np.float32),
                geometry,
                subject,
                pseudonym(where, NAMESPACE),
                where=where,
            ),
            LesionMask(labels, geometry, f"{where}'s mask"),
        )

    def _body(self, geometry: Geometry) -> npt.NDArray[np.float64]:
        """Hounsfield units without lesions, on a canonical grid."""
        half = np.asarray(self.extent_mm) / 2
        z, y, x = (
            (o + np.arange(n) * s) / h
            for o, n, s, h in zip(geometry.origin_mm[::-1], geometry.shape, geometry.spacing_mm, half, strict=True)
        )
        z, y, x = z[:, None, None], y[:, None], x

        def ball(centre: Vector3, radii: Vector3) -> npt.NDArray[np.bool_]:
            at = zip((x, y, z), centre, radii, strict=True)
            return np.asarray(sum(((p - c) / r) ** 2 for p, c, r in at) <= 1)

        hu = np.full(geometry.shape, float(_AIR))
        hu[ball((0, 0, 0), (0.95, 0.8, 9))] = _TISSUE
        lungs = ball((-0.45, 0, 0), (0.4, 0.62, 0.9)) | ball((0.48, 0, 0), (0.36, 0.6, 0.9))
        hu[lungs] = _LUNG
        if self.texture_hu:
            hu[lungs] += self._texture(geometry)[lungs]
        hu[ball((0.2, -0.2, -0.1), (0.3, 0.3, 0.4))] = _HEART
        hu[ball((0, 0.62, 0), (0.12, 0.14, 9))] = _BONE
        hu[ball((-0.5, 0, -1.05), (0.45, 0.7, 0.5))] = _LIVER
        return hu

    def _texture(self, geometry: Geometry) -> npt.NDArray[np.float64]:
        """Smooth texture, the same at the same place of the body whatever the grid."""
        step = 3.0
        count = [int(np.ceil(e / step)) + 3 for e in self.extent_mm]
        coarse = np.random.default_rng([self.seed, 1]).normal(0, self.texture_hu, count)
        along = [
            ((o + np.arange(n) * s) + e / 2) / step + 1
            for o, n, s, e in zip(
                geometry.origin_mm[::-1], geometry.shape, geometry.spacing_mm, self.extent_mm, strict=True
            )
        ]
        for axis, places in enumerate(along):
            before = np.floor(places).astype(np.int64)
            share = (places - before).reshape([-1 if a == axis else 1 for a in range(3)])
            coarse = coarse.take(before, axis) * (1 - share) + coarse.take(before + 1, axis) * share
        return coarse


def oriented(volume: CtVolume, mask: LesionMask, orientation: str) -> tuple[CtVolume, LesionMask]:
    """The same scan and mask as a series acquired in one of :data:`ORIENTATIONS` holds them.

    Raises
    ------
    DataError
        If there is no such orientation.
    """
    if orientation not in ORIENTATIONS:
        raise DataError(f"no orientation {orientation!r}; there are {', '.join(ORIENTATIONS)}")
    wanted = Geometry((1, 1, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), ORIENTATIONS[orientation])
    order, flipped = volume.geometry.to_match(wanted, volume.where)
    geometry = volume.geometry.reoriented(order, flipped)
    return (
        CtVolume(rearranged(volume.hu, order, flipped), geometry, volume.subject, volume.series, (), volume.where),
        LesionMask(rearranged(mask.labels, order, flipped), geometry, mask.where),
    )


def _box(geometry: Geometry, lesion: PlantedLesion) -> tuple[slice, ...]:
    middle = geometry.indices(lesion.centre_mm)
    reach = lesion.reach_mm / np.asarray(geometry.spacing_mm)
    low = np.clip(np.floor(middle - reach), 0, geometry.shape).astype(int)
    high = np.clip(np.ceil(middle + reach) + 1, 0, geometry.shape).astype(int)
    return tuple(slice(a, b) for a, b in zip(low, high, strict=True))


def _share(
    geometry: Geometry, lesion: PlantedLesion, box: tuple[slice, ...], oversampling: int
) -> npt.NDArray[np.float64]:
    within = (np.arange(oversampling) + 0.5) / oversampling - 0.5
    along = [(np.arange(s.start, s.stop)[:, None] + within).ravel() for s in box]
    points = np.stack(np.meshgrid(*along, indexing="ij"), axis=-1)
    inside = lesion.inside(geometry.positions_mm(points))
    counts = [n for s in box for n in (s.stop - s.start, oversampling)]
    return inside.reshape(counts).mean((1, 3, 5))
