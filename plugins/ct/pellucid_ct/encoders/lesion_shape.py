"""Size and form of lesions on a grid: volume, surface and moments of many masks at once."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import torch
from torch import Tensor

Offset = tuple[int, ...]

_POINTS = 20_000
"""Points on the sphere by which directions are weighed: weights are then right to a thousandth."""


def steps(axes: int) -> tuple[Offset, ...]:
    """To half of a voxel's neighbours, one of each opposite pair: 4 in the plane, 13 in space.

    Examples
    --------
    >>> steps(2)
    ((0, 1), (1, -1), (1, 0), (1, 1))
    """
    every = itertools.product((-1, 0, 1), repeat=axes)
    return tuple(step for step in every if step > (0,) * axes)


@lru_cache(maxsize=16)
def directions(spacing_mm: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """For each of :func:`steps` its length in mm, and the share of all directions that are nearest to it."""
    vectors = torch.tensor(steps(len(spacing_mm)), dtype=torch.float64) * torch.tensor(spacing_mm, dtype=torch.float64)
    length = vectors.norm(dim=1)
    at = torch.arange(_POINTS, dtype=torch.float64) + 0.5
    if len(spacing_mm) == 2:
        angle = at * (math.pi / _POINTS)
        sphere = torch.stack([angle.sin(), angle.cos()], 1)
    else:
        # A spiral in steps of the golden angle spreads points evenly.
        height, angle = 1 - 2 * at / _POINTS, at * (math.pi * (3 - math.sqrt(5)))
        across = (1 - height.square()).sqrt()
        sphere = torch.stack([height, across * angle.sin(), across * angle.cos()], 1)
    nearest = (sphere @ (vectors / length[:, None]).T).abs().argmax(1)
    share = torch.bincount(nearest, minlength=len(vectors)) / _POINTS
    return tuple(zip(length.tolist(), share.tolist(), strict=True))


def volume(coverage: Tensor, spacing_mm: tuple[float, ...]) -> Tensor:
    """Volume in mm3, or in the plane area in mm2; shape (sample, *size) to (sample,)."""
    return coverage.flatten(1).sum(1) * math.prod(spacing_mm)


def surface(coverage: Tensor, spacing_mm: tuple[float, ...]) -> Tensor:
    """Surface in mm2, or in the plane perimeter in mm; shape (sample, *size) to (sample,).

    Crofton's formula: lines in all directions meet a surface in proportion to its area. Along the lines of the grid a
    mask rises and falls by 1 wherever they meet it, a soft mask by as much over several voxels. Between directions of
    the grid each stands for those nearest to it. Right to some per cent for what is round or lies across the grid; flat
    faces along the grid come out up to a tenth too small, as few directions see them.

    References
    ----------
    Ohser and Mücklich (2000), Statistical analysis of microstructures in materials science. Deviations: weights of
    directions are counted on a sphere of points for any spacing; coverage may be soft.
    """
    axes = len(spacing_mm)
    padded = torch.nn.functional.pad(coverage, (1, 1) * axes)
    total = coverage.new_zeros(len(coverage))
    for step, (length, share) in zip(steps(axes), directions(spacing_mm), strict=True):
        here, there = padded, padded
        for axis, by in enumerate(step, start=1):
            size = padded.shape[axis] - abs(by)
            here = here.narrow(axis, max(-by, 0), size)
            there = there.narrow(axis, max(by, 0), size)
        met = (here - there).abs().flatten(1).sum(1)
        total = total + met * (share * math.prod(spacing_mm) / length)
    # A unit of surface is met by as many lines as its mean projection: a half in space, 2 / pi in the plane.
    return total * (2 if axes == 3 else math.pi / 2)


def principal_variances(coverage: Tensor, spacing_mm: tuple[float, ...]) -> Tensor:
    """Variances of a mask's matter along its principal axes in mm2, largest first; (sample, *size) to (sample, axis).

    A voxel's own extent counts, so that a mask of a single voxel has one too.
    """
    axes = len(spacing_mm)
    weight = coverage.double()
    total = weight.flatten(1).sum(1).clamp(min=1e-12)
    at = [torch.arange(n, dtype=torch.float64) * mm for n, mm in zip(coverage.shape[1:], spacing_mm, strict=True)]
    marginal = [weight.sum([o + 1 for o in range(axes) if o != axis]) for axis in range(axes)]
    mean = [(m @ x) / total for m, x in zip(marginal, at, strict=True)]
    spread = weight.new_zeros(len(weight), axes, axes)
    for a, b in itertools.combinations_with_replacement(range(axes), 2):
        if a == b:
            moment = (marginal[a] @ at[a].square()) / total - mean[a].square() + spacing_mm[a] ** 2 / 12
        else:
            both = weight if axes == 2 else weight.sum([o + 1 for o in range(axes) if o not in (a, b)])
            moment = torch.einsum("nab,a,b->n", both, at[a], at[b]) / total - mean[a] * mean[b]
        spread[:, a, b] = spread[:, b, a] = moment
    return torch.linalg.eigvalsh(spread).flip(1).to(coverage.dtype)


def ellipsoid_volume(variances: Tensor) -> Tensor:
    """Volume of the ellipsoid (in the plane area of the ellipse) with these variances, shape (sample, axis) to (sample,).

    No body of this volume has smaller variances.
    """
    if variances.shape[1] == 2:
        return math.pi * 4 * variances.clamp(min=0).prod(1).sqrt()
    return 4 / 3 * math.pi * 5**1.5 * variances.clamp(min=0).prod(1).sqrt()
