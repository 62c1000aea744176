"""Where in its input a position of a layer lies, if the layer divides the input evenly."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.regions import Box, Region, TimeSpan, Words
from pellucid.regions import Steps as StepRange


def region_of(spec: Any, shape: tuple[int, ...], position: int) -> Region | None:
    """The part of an input that a position covers, as if each position saw its own cell alone.

    A network with wide receptive fields sees more than the cell; what lies in the middle of it counts most.

    Parameters
    ----------
    spec : InputSpec
    shape : tuple of int
        Of the layer's positions.
    position : int
        Counted through all axes, the last one fastest.

    Returns
    -------
    Region, optional
        None where positions are no places of this kind of input.

    Examples
    --------
    >>> from pellucid.data.spec import Signal
    >>> region_of(Signal(channels=("a",), length=100, rate_hz=10.0, units="mV"), (5,), 1)
    TimeSpan(channels=('a',), start_s=2.0, stop_s=4.0)
    """
    if not shape:
        return None
    at = np.unravel_index(position, shape)
    if spec.kind == "signal" and len(shape) <= 2:
        # Networks over (lead, time) pictures keep time last.
        start, stop = _cell(int(at[-1]), shape[-1], spec.length)
        return TimeSpan(spec.channels, start / spec.rate_hz, stop / spec.rate_hz)
    if spec.kind in ("image", "volume") and len(shape) == len(spec.size):
        cells = [_cell(int(one), count, size) for one, count, size in zip(at, shape, spec.size, strict=True)]
        return Box(tuple(int(np.floor(a)) for a, _ in cells), tuple(int(np.ceil(b)) for _, b in cells))
    if spec.kind == "trajectory" and len(shape) == 1:
        start, stop = _cell(int(at[0]), shape[0], spec.length)
        return StepRange(spec.names, int(np.floor(start)), int(np.ceil(stop)))
    if spec.kind == "text" and len(shape) == 1:
        start, stop = _cell(int(at[0]), shape[0], spec.length)
        return Words(int(np.floor(start)), int(np.ceil(stop)))
    return None


def _cell(at: int, count: int, size: int) -> tuple[float, float]:
    return at * size / count, (at + 1) * size / count
