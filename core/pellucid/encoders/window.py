"""Windows of intensity, as a viewer of images sets them: values are clipped to two bounds and mapped to 0..1."""

from __future__ import annotations

from torch import Tensor

from pellucid.errors import DataError

Window = tuple[float, float]
"""Lower and upper bound in units of the input: ``(-1000, 400)`` for lungs on CT."""


def checked_window(window: Window, input_name: str) -> Window:
    """The window itself.

    Raises
    ------
    DataError
        If its first number is not the smaller one.
    """
    low, high = window
    if not low < high:
        raise DataError(
            f"window {low:g} to {high:g} of input {input_name!r} is empty; its first number must be smaller"
        )
    return window


def windowed(x: Tensor, window: Window) -> Tensor:
    """Values clipped to a window, from 0 at its lower bound to 1 at its upper one.

    Examples
    --------
    >>> import torch
    >>> windowed(torch.tensor([-2000.0, -300.0, 900.0]), (-1000.0, 400.0)).tolist()
    [0.0, 0.5, 1.0]
    """
    low, high = window
    return ((x - low) / (high - low)).clamp(0, 1)
