"""Intensities inside many masks at once: each voxel that is inside is taken out once, with the number of its sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from pellucid_ct.encoders.lesion_shape import steps


@dataclass(frozen=True)
class Inside:
    """Voxels inside masks.

    Parameters
    ----------
    values : Tensor, shape (sample, *size)
    mask : Tensor of bool, same shape
    """

    values: Tensor
    mask: Tensor

    @cached_property
    def _padded(self) -> tuple[Tensor, Tensor]:
        around = (1, 1) * (self.mask.ndim - 1)
        mask = functional.pad(self.mask, around, value=False)
        return functional.pad(self.values, around).flatten(), mask

    @cached_property
    def at(self) -> Tensor:
        """Where each voxel stands in the padded, flattened values; shape (voxel,)."""
        return self._padded[1].flatten().nonzero()[:, 0]

    @cached_property
    def sample(self) -> Tensor:
        """Number of each voxel's sample, shape (voxel,)."""
        return self.at // self._padded[1][0].numel()

    @cached_property
    def greys(self) -> Tensor:
        """Value of each voxel in float64, shape (voxel,)."""
        return self._padded[0][self.at].double()

    @cached_property
    def count(self) -> Tensor:
        """Voxels of each sample, shape (sample,)."""
        return torch.bincount(self.sample, minlength=len(self.mask))

    def mean_of(self, numbers: Tensor, sample: Tensor | None = None, *, otherwise: float = 0.0) -> Tensor:
        """Mean of some numbers for each sample they belong to, shape (number,) to (sample,)."""
        sample = self.sample if sample is None else sample
        total = torch.zeros(len(self.mask), dtype=torch.float64).index_add_(0, sample, numbers.double())
        count = torch.bincount(sample, minlength=len(self.mask))
        return torch.where(count > 0, total / count.clamp(min=1), otherwise)

    # --- first order --------------------------------------------------------------------------------------------------

    @cached_property
    def mean(self) -> Tensor:
        """Shape (sample,)."""
        return self.mean_of(self.greys)

    @cached_property
    def deviation(self) -> Tensor:
        """Population standard deviation, shape (sample,)."""
        return self.mean_of((self.greys - self.mean[self.sample]).square()).sqrt()

    def skewness(self) -> Tensor:
        """Third standardised moment; 0 where all values are one."""
        third = self.mean_of((self.greys - self.mean[self.sample]) ** 3)
        return torch.where(self.deviation > 1e-6, third / self.deviation.clamp(min=1e-6) ** 3, 0.0)

    @cached_property
    def _ranked(self) -> Tensor:
        """Values in order, sample by sample."""
        order = torch.argsort(self.greys)
        return self.greys[order][torch.argsort(self.sample[order], stable=True)]

    def percentile(self, share: float) -> Tensor:
        """The value below which a share of the voxels lies, on a line between the nearest ranks; shape (sample,)."""
        ranked = torch.cat([self._ranked, self.greys.new_zeros(1)])
        first = torch.cumsum(self.count, 0) - self.count
        place = share * (self.count - 1).clamp(min=0).double()
        low = place.long()
        high = torch.minimum(low + 1, (self.count - 1).clamp(min=0))
        found = torch.lerp(ranked[first + low], ranked[first + high], place - low)
        return torch.where(self.count > 0, found, 0.0)

    def entropy(self, bin_width: float) -> Tensor:
        """Shannon entropy in bits of the values in bins of one width, shape (sample,)."""
        level = torch.floor(self.greys / bin_width).long()
        # One number for each pair of sample and level.
        level = level - (level.min() if len(level) else 0)
        width = int(level.max()) + 1 if len(level) else 1
        pairs, count = torch.unique(self.sample * width + level, return_counts=True)
        of = pairs // width
        share = count / self.count[of]
        return torch.zeros(len(self.mask), dtype=torch.float64).index_add_(
            0, of, -share.double() * share.double().log2()
        )

    # --- neighbours ---------------------------------------------------------------------------------------------------

    def bin_distances(self, bin_width: float) -> tuple[Tensor, Tensor]:
        """How many bins apart the values of each pair of neighbours are that touch by face, edge or corner, both inside.

        Returns
        -------
        distance : Tensor of float64, shape (pair,)
        sample : Tensor, shape (pair,)
        """
        distance, sample = [], []
        mask, level = self._padded[1].flatten(), torch.floor(self._padded[0].double() / bin_width)
        for by in self._shifts(steps(self.mask.ndim - 1)):
            both = mask[self.at + by]
            here = self.at[both]
            distance.append((level[here + by] - level[here]).abs())
            sample.append(self.sample[both])
        return torch.cat(distance), torch.cat(sample)

    @cached_property
    def rim(self) -> Tensor:
        """Which voxels have a face to the outside, bool, shape (voxel,)."""
        axes = self.mask.ndim - 1
        faces = [tuple(int(a == axis) for a in range(axes)) for axis in range(axes)]
        mask = self._padded[1].flatten()
        rim = torch.zeros(len(self.at), dtype=torch.bool)
        for by in self._shifts(faces):
            rim |= ~mask[self.at + by] | ~mask[self.at - by]
        return rim

    def _shifts(self, offsets: Sequence[tuple[int, ...]]) -> list[int]:
        size = self._padded[1].shape[1:]
        stride = [1]
        for length in reversed(size[1:]):
            stride.insert(0, stride[0] * length)
        return [sum(by * s for by, s in zip(offset, stride, strict=True)) for offset in offsets]
