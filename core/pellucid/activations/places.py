"""Where in its input a position of a layer lies, if the layer divides the input evenly; and which positions are neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from scipy import sparse

from pellucid.data.axes import CHANNEL
from pellucid.data.axes import UNORDERED as INPUT_UNORDERED
from pellucid.errors import DataError
from pellucid.measures.neighbours import grid_neighbours, linked_neighbours
from pellucid.regions import Region


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
    along = _along(spec, shape)
    if not along:
        return None
    at = np.unravel_index(position, shape)[-len(along) :]
    inside = [
        slice(*_cell(int(one), *sizes)) for one, *sizes in zip(at, shape[-len(along) :], spec.extent, strict=True)
    ]
    # Of all channels, also where a network keeps them apart: it has seen the others too.
    return cast("Region", spec.region((*[slice(None)] * (len(spec.axes) - len(along)), *inside)))


def _along(spec: Any, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Axes of an input along which a layer's last positions lie; none where they are no places of it.

    A layer of positions has one axis for each of them. Where channels are looked at one by one, a network may keep theirs before.
    """
    if spec is None or not spec.extent:
        return ()
    along = tuple(axis for axis in spec.axes if axis not in INPUT_UNORDERED)
    return along if len(shape) - len(along) in ((0, 1) if spec.channels_apart else (0,)) else ()


POSITION = "position"
"""Axis of a layer that is none of its input's."""

UNORDERED = (CHANNEL, POSITION)
"""Axes of which nobody knows who stands beside whom."""


def axes_of(spec: Any, shape: tuple[int, ...]) -> tuple[str, ...]:
    """What the axes of a layer's positions are: time, step, token, slice, row, column, channel; or no more than positions.

    Parameters
    ----------
    spec : InputSpec, optional
        Of the input that the positions lie in.
    shape : tuple of int
        Of the layer's positions.

    Examples
    --------
    >>> from pellucid.data.spec import Image, Signal
    >>> signal = Signal(channels=("a", "b"), length=100, rate_hz=10.0, units="mV")
    >>> axes_of(signal, (25,)), axes_of(signal, (2, 25))
    (('time',), ('channel', 'time'))
    >>> axes_of(Image(channels=("grey",), size=(8, 8), units="1"), (4, 4))
    ('row', 'column')
    """
    if along := _along(spec, shape):
        before = (CHANNEL if shape[0] == len(spec.channels) else POSITION,) if len(shape) > len(along) else ()
        return (*before, *along)
    return (POSITION,) * len(shape)


def position_neighbours(
    spec: Any, shape: tuple[int, ...], links: Sequence[tuple[str, str]] = (), *, diagonal: bool = False
) -> sparse.csr_array:
    """Which positions of a layer are neighbours: those beside each other in time or space, and those that are linked.

    Channels stand in no order: without links, positions of different channels are no neighbours.

    Parameters
    ----------
    spec : InputSpec, optional
    shape : tuple of int
        Of the layer's positions.
    links : sequence of (str, str)
        Names of channels, of which positions at the same time are neighbours then; or numbers of positions, from 0. A layer
        with as many positions as there are channels has one for each, where links name channels.
    diagonal : bool
        Whether positions that share no more than a corner are neighbours too.

    Returns
    -------
    csr_array, shape (position, position)
        In the order of ``ravel``; rows sum to one, or are empty.

    Raises
    ------
    DataError
        If a link names what is not there, or nobody has a neighbour.

    Examples
    --------
    >>> from pellucid.data.spec import Signal
    >>> signal = Signal(channels=("a", "b", "c"), length=100, rate_hz=10.0, units="mV")
    >>> position_neighbours(signal, (3,), [("a", "c")]).toarray().tolist()
    [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    axes = axes_of(spec, shape)
    channels: tuple[str, ...] = spec.channels if spec is not None and spec.channels_apart else ()
    if shape == (len(channels),) and any(one in channels for link in links for one in link):
        axes = (CHANNEL,)
    places = int(np.prod(shape))
    ordered = tuple(n for n, axis in zip(shape, axes, strict=True) if axis not in UNORDERED)
    pairs = [np.zeros((0, 2), np.int64)]
    if ordered:
        # Axes without an order stand before those with one.
        inside = np.stack(grid_neighbours(ordered, diagonal=diagonal).nonzero(), axis=1)
        size = int(np.prod(ordered))
        pairs += [inside + start for start in range(0, places, size)]
    along = np.arange(places).reshape(shape)
    for link in links:
        if axes and axes[0] == CHANNEL and all(one in channels for one in link):
            pairs.append(np.stack([along[channels.index(one)].ravel() for one in link], axis=1))
        elif all(one.isdecimal() and int(one) < places for one in link):
            pairs.append(np.array([[int(one) for one in link]]))
        else:
            known = (
                f"channels are {', '.join(channels)}" if CHANNEL in axes else "no axis of this layer is one of channels"
            )
            raise DataError(
                f"no positions {' - '.join(link)} to link: {known}, and positions have the numbers 0 to {places - 1}"
            )
    found = linked_neighbours(np.concatenate(pairs), places)
    if not found.nnz:
        raise DataError(
            f"the layer's {places} positions stand in no order that is known: say which are neighbours (links)"
        )
    return found


def _cell(at: int, count: int, size: int) -> tuple[float, float]:
    return at * size / count, (at + 1) * size / count
