"""A lesion given by a formula: sphere, ellipsoid or ball with spikes, and what it measures in truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from pellucid_ct.scans.geometry import Vector3

_DIRECTIONS = 20_000
"""Directions over which the volume of a lesion with spikes is summed: exact to about 0.2 % for the spikes used here."""

_SURFACE_POINTS = 100_000
"""Points among which the longest diameter is looked for: a tenth of a millimetre apart on a lesion of 15 mm."""


@dataclass(frozen=True)
class PlantedLesion:
    """A lesion of which every point is known.

    Parameters
    ----------
    centre_mm : (float, float, float)
        x, y, z in the patient's frame; (0, 0, 0) is the middle of the phantom.
    radii_mm : (float, float, float)
        Half axes along x, y, z: three equal ones make a sphere.
    hu : float
        Density.
    spikes : int
        Number of cones that stand out of the surface, spread evenly.
    spike_mm : float
        How far they stand out.
    spike_width : float
        Half the angle at the centre under which the foot of a spike is seen, in radians.
    """

    centre_mm: Vector3
    radii_mm: Vector3
    hu: float = 40.0
    spikes: int = 0
    spike_mm: float = 0.0
    spike_width: float = 0.3

    def inside(self, positions_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Whether positions lie in the lesion, shape (..., 3) to (...)."""
        offset = positions_mm - np.asarray(self.centre_mm)
        if not self.spikes:
            return (np.square(offset / np.asarray(self.radii_mm)).sum(-1)) <= 1
        distance = np.sqrt(np.square(offset).sum(-1))
        inside = distance <= self.reach_mm
        inside[inside] = distance[inside] <= self.surface_mm(offset[inside])
        return inside

    def surface_mm(self, directions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Distance from the centre to the surface in some directions of any length, shape (direction, 3)."""
        length = np.sqrt(np.square(directions).sum(-1, keepdims=True))
        unit = directions / np.where(length > 0, length, 1)
        scaled = np.sqrt(np.square(unit / np.asarray(self.radii_mm)).sum(-1))
        surface = 1 / np.where(scaled > 0, scaled, 1 / min(self.radii_mm))
        if self.spikes:
            angle = np.arccos(np.clip(unit @ even_directions(self.spikes).T, -1, 1)).min(-1)
            surface = surface + self.spike_mm * np.maximum(1 - angle / self.spike_width, 0)
        return surface

    @property
    def reach_mm(self) -> float:
        """Radius of a ball around the centre that holds the lesion."""
        return max(self.radii_mm) + (self.spike_mm if self.spikes else 0.0)

    @cached_property
    def volume_mm3(self) -> float:
        """Volume in truth: by formula, or summed over directions where there are spikes."""
        if not self.spikes:
            return float(4 / 3 * np.pi * np.prod(self.radii_mm))
        return float(4 / 3 * np.pi * (self.surface_mm(even_directions(_DIRECTIONS)) ** 3).mean())

    @cached_property
    def diameter_mm(self) -> float:
        """Longest diameter within a plane of equal z, in truth.

        By formula, or, where there are spikes, found among points of the surface in layers 0.1 mm thick: to about 0.1 mm.
        """
        if not self.spikes:
            return 2 * max(self.radii_mm[:2])
        ways = even_directions(_SURFACE_POINTS)
        points = ways * self.surface_mm(ways)[:, None]
        layer = np.floor(points[:, 2] / 0.1).astype(np.int64)
        order = np.argsort(layer, kind="stable")
        longest = 0.0
        for slab in np.split(points[order, :2], np.flatnonzero(np.diff(layer[order])) + 1):
            reach = 2 * float(np.sqrt(np.square(slab).sum(1).max()))
            if len(slab) > 3 and reach > longest:
                longest = max(longest, float(pdist(slab[ConvexHull(slab).vertices]).max()))
        return longest


def even_directions(count: int) -> npt.NDArray[np.float64]:
    """Unit vectors spread evenly over the sphere, on a spiral of golden angles; shape (direction, 3)."""
    number = np.arange(count) + 0.5
    z = 1 - 2 * number / count
    turn = np.pi * (1 + np.sqrt(5)) * number
    across = np.sqrt(1 - z**2)
    return np.stack([across * np.cos(turn), across * np.sin(turn), z], axis=1)
