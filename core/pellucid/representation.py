"""Representations: what an encoder makes of a batch, with a name for every unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.errors import ContractError
from pellucid.regions import Region


@dataclass(frozen=True)
class Representation:
    """Values with names, and optionally tokens with the regions they cover.

    Parameters
    ----------
    values : Tensor, shape (sample, unit)
    names : tuple of str
        One a unit.
    tokens : Tensor, optional, shape (sample, token, width)
    regions : tuple of Region, optional
        The region of the input that each token covers, the same for every sample.
    """

    values: Tensor
    names: tuple[str, ...]
    tokens: Tensor | None = None
    regions: tuple[Region, ...] = ()

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names):
            raise ContractError(
                f"a representation of shape {tuple(self.values.shape)} has {len(self.names)} names; it needs one a unit"
            )

    def with_values(self, values: Tensor) -> Representation:
        """The same units with other values: for perturbations. Tokens would no longer belong to them and are left out."""
        return Representation(values, self.names)


def joined(parts: Sequence[tuple[str, Representation]]) -> Representation:
    """Representations side by side; names become ``input:unit`` so that each says where it comes from."""
    if len(parts) == 1:
        prefix, only = parts[0]
        return Representation(only.values, tuple(f"{prefix}:{n}" for n in only.names), only.tokens, only.regions)
    names = tuple(f"{prefix}:{name}" for prefix, part in parts for name in part.names)
    return Representation(torch.cat([part.values for _, part in parts], dim=1), names)
