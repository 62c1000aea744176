"""What encoders of discrete codes can do beside encoding, asked for by protocols: an encoder has it if it has the methods."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from pellucid.batch import Batch


@runtime_checkable
class WithPatches(Protocol):
    """An encoder that can show what stands behind each token: numbers along an axis."""

    patch_axis: str
    """What the axis is, with its unit: ``"frequency (Hz)"``."""

    patch_values: str
    """What the numbers are, with their unit."""

    def patches(self, batch: Batch) -> Tensor:
        """Shape (sample, token, value)."""

    def patch_positions(self) -> Tensor:
        """Where along the axis each value is, shape (token, value); NaN where it is padding."""
