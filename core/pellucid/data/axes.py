"""What the axes of an input are, and which region of it a part of its array is: the one place that knows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, ClassVar

from pellucid.data.frozen import Frozen
from pellucid.errors import ContractError
from pellucid.regions import Region

CHANNEL = "channel"
"""The axis of channels: of a picture's colours, of electrodes, of a robot's states and actions."""

UNORDERED = (CHANNEL, "name", "role")
"""Axes of which nobody knows who stands beside whom."""

Part = tuple[slice, ...]
"""A part of an array, one slice an axis. Ends may lie between two places, as those of a layer's cells do."""


class OnAxes(Frozen):
    """An input of which samples are arrays; those without a common shape have no axes.

    Attributes
    ----------
    axes : tuple of str
        What each axis of a sample is, in the order of its shape: ``("channel", "time")``.
    has_places : bool
        Whether parts of it can be taken out, or filled with what is usual there, to see what an output rests on. Numbers have
        no places, and tokens of a text no mean.
    channels_apart : bool
        Whether channels are looked at one by one, as those of signals are, or together, as a picture's colours.
    """

    axes: ClassVar[tuple[str, ...]] = ()
    has_places: ClassVar[bool] = False
    channels_apart: ClassVar[bool] = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample; empty where samples have no common one."""
        return ()

    @property
    def extent(self) -> tuple[int, ...]:
        """Lengths of the axes along which places have an order: time, step, token, slice, row, column."""
        return tuple(n for axis, n in zip(self.axes, self.shape, strict=True) if axis not in UNORDERED)

    def window(self, parts: int) -> tuple[int, ...]:
        """Size of a window that fits about so many times into each axis along which places have an order.

        Returns
        -------
        tuple of int
            One number an axis; of channels one or all, see ``channels_apart``.

        Raises
        ------
        ContractError
            If no axis has an order.
        """
        if not self.extent:
            raise ContractError(f"a {self._kind} has no axis along which places have an order, so no windows")
        beside = {axis: 1 if self.channels_apart else n for axis, n in zip(self.axes, self.shape, strict=True)}
        return tuple(
            beside[axis] if axis in UNORDERED else max(1, -(-n // parts))
            for axis, n in zip(self.axes, self.shape, strict=True)
        )

    def region(self, part: Part) -> Region:
        """Where a part of a sample's array lies.

        Parameters
        ----------
        part : tuple of slice
            One an axis, without a step; ``slice(None)`` is all of it. Ends between two places are kept where time is in seconds,
            and else go outwards to whole places.

        Raises
        ------
        ContractError
            If the input has no axis along which places have an order, or the part lies outside its array.
        """
        if not self.extent:
            raise ContractError(f"a {self._kind} has no axis along which places have an order, so no regions")
        if len(part) != len(self.axes):
            raise ContractError(f"a part of a {self._kind} has one slice for each of its axes, {', '.join(self.axes)}")
        ends = []
        for axis, n, one in zip(self.axes, self.shape, part, strict=True):
            start, stop = 0 if one.start is None else one.start, n if one.stop is None else one.stop
            if one.step not in (None, 1) or not 0 <= start < stop <= n:
                raise ContractError(
                    f"{start} to {stop} is no part of a {self._kind}'s axis {axis!r}, which is {n} long"
                )
            ends.append((start, stop))
        return self._region(ends)

    def regions(self, cuts: Sequence[Sequence[tuple[float, float]]]) -> tuple[Region, ...]:
        """Regions of all channels, one for each way to take a piece of every axis along which places have an order.

        Parameters
        ----------
        cuts : sequence of sequence of (float, float)
            Of each of these axes, start and stop of its pieces. The last axis goes fastest.

        Examples
        --------
        >>> from pellucid.data.spec import Image
        >>> Image(channels=("grey",), size=(4, 4), units="1").regions([[(0, 2), (2, 4)], [(0, 4)]])[1]
        Box(start=(2, 0), stop=(4, 4))
        """
        found = []
        for pieces in product(*cuts):
            left = iter(pieces)
            found.append(self.region(tuple(slice(None) if a in UNORDERED else slice(*next(left)) for a in self.axes)))
        return tuple(found)

    def _region(self, ends: list[tuple[Any, Any]]) -> Region:
        """By start and stop along each axis, which lie within it."""
        raise NotImplementedError

    @property
    def _kind(self) -> str:
        return str(getattr(self, "kind", type(self).__name__))
