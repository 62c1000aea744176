"""Where the voxels of a grid lie in the patient, and whether two grids are one."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

Vector3 = tuple[float, float, float]

OBLIQUE = 1e-3
"""Largest sine of the angle between an axis of the grid and one of the patient: beyond, a grid is oblique. One
thousandth is half a voxel at the far side of 512 columns."""

SAME_MM = 1e-2
"""Two grids are the same where no corner of one is farther than this from that of the other."""

_PATIENT = (("left", "right"), ("back", "front"), ("head", "feet"))
"""Towards what the patient's axes x, y and z grow, and fall: DICOM's frame (LPS)."""


@dataclass(frozen=True)
class Geometry:
    """A regular grid of voxels in the patient's frame as DICOM has it: x grows to the left, y to the back, z to the head.

    Parameters
    ----------
    shape : (int, int, int)
        Slices, rows, columns.
    spacing_mm : (float, float, float)
        Distance between the centres of neighbouring slices, rows, columns.
    origin_mm : (float, float, float)
        x, y, z of the centre of voxel (0, 0, 0).
    directions : ((float, float, float), ...)
        Three unit vectors in x, y, z: where the slice, row and column number grow.
    """

    shape: tuple[int, int, int]
    spacing_mm: Vector3
    origin_mm: Vector3
    directions: tuple[Vector3, Vector3, Vector3]

    @cached_property
    def step_mm(self) -> npt.NDArray[np.float64]:
        """Displacement in x, y, z (columns) of one slice, row, column (rows); shape (3, 3)."""
        return np.asarray(self.directions) * np.asarray(self.spacing_mm)[:, None]

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel."""
        return float(np.prod(self.spacing_mm))

    def positions_mm(self, indices: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """x, y, z of voxel indices (slice, row, column), shape (..., 3) to (..., 3)."""
        return np.asarray(indices, np.float64) @ self.step_mm + np.asarray(self.origin_mm)

    def indices(self, positions_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Fractional slice, row, column of positions in x, y, z, shape (..., 3) to (..., 3)."""
        offset = np.asarray(positions_mm, np.float64) - np.asarray(self.origin_mm)
        return offset @ np.linalg.inv(self.step_mm)

    @property
    def corners_mm(self) -> npt.NDArray[np.float64]:
        """Centres of the eight corner voxels, shape (8, 3)."""
        return self.positions_mm(list(itertools.product(*((0, n - 1) for n in self.shape))))

    @property
    def handed(self) -> int:
        """1 where slice, row and column directions form a right-handed frame, else -1."""
        return 1 if np.linalg.det(np.asarray(self.directions)) > 0 else -1

    # --- axis-parallel grids ------------------------------------------------------------------------------------------

    def patient_axes(self, where: str) -> tuple[tuple[int, int], ...]:
        """For the slice, row and column axis, the patient's axis (0, 1, 2 for x, y, z) and the sign.

        Parameters
        ----------
        where : str
            File or folder, for the message.

        Raises
        ------
        DataError
            If the grid is oblique, or sheared (gantry tilt): it would have to be resampled first.
        """
        found = []
        for direction in self.directions:
            axis = int(np.argmax(np.abs(direction)))
            across = float(np.linalg.norm(np.delete(np.asarray(direction), axis)))
            if across > OBLIQUE:
                degrees = float(np.degrees(np.arcsin(min(across, 1.0))))
                raise DataError(
                    f"{where}: the grid is oblique or tilted, {degrees:.1f} degrees from the patient's axes; "
                    "reformat the series to axial slices first"
                )
            found.append((axis, 1 if direction[axis] > 0 else -1))
        if len({axis for axis, _ in found}) < 3:
            raise DataError(f"{where}: two axes of the grid point along the same axis of the patient")
        return tuple(found)

    def reoriented(self, order: tuple[int, int, int], flipped: tuple[bool, bool, bool]) -> Geometry:
        """The same grid with axes in another order, then some of them reversed."""
        start = [n - 1 if flip else 0 for n, flip in zip(np.take(self.shape, order), flipped, strict=True)]
        corner = np.zeros(3)
        corner[list(order)] = start
        return Geometry(
            tuple(self.shape[axis] for axis in order),  # type: ignore[arg-type]
            tuple(self.spacing_mm[axis] for axis in order),  # type: ignore[arg-type]
            tuple(float(v) for v in self.positions_mm(corner)),  # type: ignore[arg-type]
            tuple(  # type: ignore[arg-type]
                tuple(-v if flip else v for v in self.directions[axis])
                for axis, flip in zip(order, flipped, strict=True)
            ),
        )

    def to_match(self, other: Geometry, where: str) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
        """Order and flips that bring this grid's axes to those of another one; see :meth:`reoriented`."""
        mine, wanted = self.patient_axes(where), other.patient_axes(where)
        order, flipped = [], []
        for axis, sign in wanted:
            at = next(i for i, (a, _) in enumerate(mine) if a == axis)
            order.append(at)
            flipped.append(mine[at][1] != sign)
        return tuple(order), tuple(flipped)  # type: ignore[return-value]

    def difference(self, other: Geometry) -> str:
        """What tells two grids of equal orientation apart, in words with figures; empty where they are the same."""
        if self.shape != other.shape:
            return f"{_times(self.shape)} voxels against {_times(other.shape)} (slices, rows, columns)"
        for mine, theirs, name in zip(self.spacing_mm, other.spacing_mm, ("slice", "row", "column"), strict=True):
            if abs(mine - theirs) * max(self.shape) > SAME_MM * 10 and abs(mine - theirs) > 1e-4:
                return f"{name} spacing {mine:g} mm against {theirs:g} mm"
        apart = float(np.abs(self.corners_mm - other.corners_mm).max())
        return f"its corners lie up to {apart:.3g} mm apart" if apart > SAME_MM else ""


CANONICAL = ((2, 1), (1, 1), (0, 1))
"""Axial slices from feet to head, rows from front to back, columns from the patient's right to left: what an axial
series of a patient on the back holds, in the order of its positions."""


def to_canonical(geometry: Geometry, where: str) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Order and flips that bring a grid to :data:`CANONICAL`; see :meth:`Geometry.reoriented`."""
    mine = geometry.patient_axes(where)
    order = tuple(next(i for i, (a, _) in enumerate(mine) if a == axis) for axis, _ in CANONICAL)
    flipped = tuple(mine[at][1] != sign for at, (_, sign) in zip(order, CANONICAL, strict=True))
    return order, flipped  # type: ignore[return-value]


Scalar = TypeVar("Scalar", bound=np.generic)


def rearranged(
    values: npt.NDArray[Scalar], order: tuple[int, int, int], flipped: tuple[bool, bool, bool]
) -> npt.NDArray[Scalar]:
    """Values of a grid after :meth:`Geometry.reoriented`; a view, nothing is copied."""
    return values.transpose(order)[tuple(slice(None, None, -1 if flip else 1) for flip in flipped)]


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
