"""Lesions cut out of their grids: most of a grid is empty, and what is empty need not be measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

SIDES = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Sides of the boxes. Few, so that many lesions share one and are measured at once."""


def boxes(filled: Tensor, arrays: Sequence[Tensor]) -> Iterator[tuple[Tensor, list[Tensor]]]:
    """Cut the part that is filled out of each sample, lesions of like extent together.

    Parameters
    ----------
    filled : Tensor of bool, shape (sample, *size)
    arrays : sequence of Tensor, shape (sample, *size) each

    Yields
    ------
    rows : Tensor of int64, shape (some,)
        Which samples; those without anything filled never come.
    cut : list of Tensor, shape (some, *side)
        The arrays, in boxes as large as the smallest of :data:`SIDES` that holds each of these samples, or the grid.
    """
    axes = filled.ndim - 1
    first, extent = [], []
    for axis in range(axes):
        along = filled.any(dim=tuple(o + 1 for o in range(axes) if o != axis)) if axes > 1 else filled
        low = along.byte().argmax(1)
        first.append(low)
        extent.append(along.shape[1] - along.flip(1).byte().argmax(1) - low)
    reach, start = torch.stack(extent, 1), torch.stack(first, 1)
    some = filled.flatten(1).any(1)
    bucket = torch.bucketize(reach.max(1).values, torch.tensor(SIDES))
    for number in torch.unique(bucket[some]).tolist():
        rows = (some & (bucket == number)).nonzero()[:, 0]
        side = SIDES[number] if number < len(SIDES) else max(filled.shape[1:])
        sides = [min(side, length) for length in filled.shape[1:]]
        room = torch.tensor([length - own for length, own in zip(filled.shape[1:], sides, strict=True)])
        corner = torch.minimum(start[rows], room).tolist()
        yield (
            rows,
            [
                torch.stack([_cut(array[r], c, sides) for r, c in zip(rows.tolist(), corner, strict=True)])
                for array in arrays
            ],
        )


def _cut(sample: Tensor, corner: Sequence[int], sides: Sequence[int]) -> Tensor:
    for axis, (at, length) in enumerate(zip(corner, sides, strict=True)):
        sample = sample.narrow(axis, at, length)
    return sample
