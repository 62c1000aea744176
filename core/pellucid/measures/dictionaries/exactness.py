"""What all measures do with numbers: float64 throughout, and NaN said aloud where nothing is defined."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

from pellucid.errors import DataError

ROUNDING = 1e-24
"""A sum of squared distances below this share of the sum of squares is rounding of what does not vary."""


def exact(values: Tensor) -> Tensor:
    """The same numbers in float64, without gradient; on the processor where a device has no float64."""
    values = values.detach()
    return (values.cpu() if values.device.type == "mps" else values).to(torch.float64)


def defined(value: Tensor | float, name: str, unless: str) -> float:
    """A number as it is, or NaN with a warning that says why it is not one.

    Parameters
    ----------
    value : Tensor of one number, or float
    name : str
        What is measured.
    unless : str
        When it is not defined, as a sentence without its full stop.

    Examples
    --------
    >>> defined(torch.tensor(0.5), "explained_variance", "x does not vary")
    0.5
    """
    value = float(value)
    if math.isfinite(value):
        return value
    warnings.warn(f"{name} is not defined: {unless}, or what was given is not finite", UserWarning, stacklevel=3)
    return math.nan


def same_shape(first: Tensor, second: Tensor, names: tuple[str, str]) -> None:
    """Refuse two tensors that do not stand row by row for the same thing.

    Raises
    ------
    DataError
        If they are not both of shape (row, column), the same one.
    """
    if first.ndim != 2 or first.shape != second.shape:
        raise DataError(
            f"{names[0]} has shape {tuple(first.shape)} and {names[1]} {tuple(second.shape)}, expected the same "
            "(row, column): flatten positions to rows and leave padding out first"
        )


def same_rows(**tensors: Tensor) -> None:
    """Refuse tensors with different numbers of rows.

    Raises
    ------
    DataError
        Names each with its number of rows.
    """
    if len({len(each) for each in tensors.values()}) > 1:
        told = ", ".join(f"{name} {len(each)}" for name, each in tensors.items())
        raise DataError(f"rows differ: {told}; pass the same rows in the same order")


def unit_rows(vectors: Tensor) -> Tensor:
    """Each row divided by its length, in float64; rows of length zero stay zero."""
    vectors = exact(vectors)
    length = vectors.norm(dim=1, keepdim=True)
    return torch.where(length > 0, vectors / length, torch.zeros_like(vectors))


def indices_of_strongest(values: Tensor, count: int) -> Tensor:
    """Positions of the ``count`` largest of some numbers, strongest first; of equal ones the first, always."""
    return values.sort(descending=True, stable=True).indices[:count]
