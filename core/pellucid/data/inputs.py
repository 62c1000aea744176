"""Kinds of input, each with its shape and units, and the texts that belong to samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, JsonValue, model_validator

from pellucid.data.axes import CHANNEL, OnAxes
from pellucid.data.frozen import Frozen
from pellucid.data.nodes import Graph, Nodes
from pellucid.errors import ContractError
from pellucid.regions import Box, Region, Steps, TimeSpan, Words


class Signal(OnAxes):
    """Channels over time; a sample has shape ``(channel, time)``.

    ``preparation`` is the dataset's record of what was done to the recordings (filters, reference ...), where it keeps one.
    """

    axes: ClassVar[tuple[str, ...]] = (CHANNEL, "time")
    has_places: ClassVar[bool] = True
    channels_apart: ClassVar[bool] = True

    kind: Literal["signal"] = "signal"
    channels: tuple[str, ...]
    length: int = Field(gt=0)
    rate_hz: float = Field(gt=0, allow_inf_nan=False)
    units: str
    preparation: Mapping[str, JsonValue] = Field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (len(self.channels), self.length)

    @property
    def channel_units(self) -> tuple[str, ...]:
        """Unit of each channel."""
        return (self.units,) * len(self.channels)

    def _region(self, ends: list[tuple[Any, Any]]) -> Region:
        (first, last), (start, stop) = ends
        return TimeSpan(self.channels[first:last], start / self.rate_hz, stop / self.rate_hz)

    def steps(self, region: TimeSpan | Steps) -> slice:
        """Which samples along time a region covers, the nearest whole ones.

        Raises
        ------
        ContractError
            If it is a region of another kind of input.
        """
        if not isinstance(region, TimeSpan):
            raise ContractError(f"a {type(region).__name__} is no stretch of a signal")
        return slice(round(region.start_s * self.rate_hz), round(region.stop_s * self.rate_hz))


class Image(OnAxes):
    """Channels over a plane; a sample has shape ``(channel, row, column)``.

    A channel named ``"mask"`` holds how much of each pixel is covered, 0 to 1.
    """

    axes: ClassVar[tuple[str, ...]] = (CHANNEL, "row", "column")
    has_places: ClassVar[bool] = True

    kind: Literal["image"] = "image"
    channels: tuple[str, ...]
    size: tuple[int, int]
    spacing_mm: tuple[float, float] | None = None
    units: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (len(self.channels), *self.size)

    def _region(self, ends: list[tuple[Any, Any]]) -> Region:
        return _box(ends[1:])


class Volume(OnAxes):
    """Channels over space; a sample has shape ``(channel, slice, row, column)``."""

    axes: ClassVar[tuple[str, ...]] = (CHANNEL, "slice", "row", "column")
    has_places: ClassVar[bool] = True

    kind: Literal["volume"] = "volume"
    channels: tuple[str, ...]
    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None = None
    units: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (len(self.channels), *self.size)

    def _region(self, ends: list[tuple[Any, Any]]) -> Region:
        return _box(ends[1:])


class Vector(OnAxes):
    """Named numbers; a sample has shape ``(name,)``. One unit for all, or one for each name."""

    axes: ClassVar[tuple[str, ...]] = ("name",)

    kind: Literal["vector"] = "vector"
    names: tuple[str, ...]
    units: str | tuple[str, ...] = "1"

    @model_validator(mode="after")
    def _one_unit_a_name(self) -> Vector:
        _refuse_unnamed(self.names, self.units if isinstance(self.units, tuple) else None)
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (len(self.names),)


class Trajectory(OnAxes):
    """States and actions of something that moves, over time steps; a sample has shape ``(name, step)``.

    It is read by whatever reads channels over time: its names are the channels. Unlike a signal's, they have units of their own.

    Parameters
    ----------
    names : tuple of str
        States and actions (``"elbow"``, ``"elbow_torque"``), in the order of the array.
    actions : tuple of str
        Those of the names that were done and not observed; all others are states.
    length : int
        Steps of a sample.
    dt_s : float
        From one step to the next.
    units : tuple of str
        One a name.
    levels : mapping of str to tuple of str
        What the values 0, 1 ... of a name stand for, where it is one of several and no number (``{"move": ("left", "right")}``).
    """

    axes: ClassVar[tuple[str, ...]] = (CHANNEL, "step")
    has_places: ClassVar[bool] = True
    channels_apart: ClassVar[bool] = True

    kind: Literal["trajectory"] = "trajectory"
    names: tuple[str, ...]
    actions: tuple[str, ...] = ()
    length: int = Field(gt=0)
    dt_s: float = Field(gt=0, allow_inf_nan=False)
    units: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _levels_of_names(self) -> Trajectory:
        for name, levels in self.levels.items():
            if name not in self.names:
                raise ValueError(f"levels are said of {name!r}, which is not among the names: {', '.join(self.names)}")
            if len(levels) < 2 or len(set(levels)) != len(levels):
                raise ValueError(f"levels of {name!r} must be two or more that differ from each other")
        return self

    @model_validator(mode="after")
    def _states_and_actions(self) -> Trajectory:
        _refuse_unnamed(self.names, self.units)
        if strange := [name for name in self.actions if name not in self.names]:
            raise ValueError(
                f"actions {', '.join(map(repr, strange))} are not among the names: {', '.join(self.names)}"
            )
        if len(set(self.actions)) != len(self.actions):
            raise ValueError("actions must differ from each other")
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (len(self.names), self.length)

    @property
    def states(self) -> tuple[str, ...]:
        """The names that are no actions."""
        return tuple(name for name in self.names if name not in self.actions)

    @property
    def channels(self) -> tuple[str, ...]:
        """The names, as what reads signals calls them."""
        return self.names

    def no_level(self, values: Any, known: Any = True) -> tuple[int, str, int] | None:
        """The first known value that is none of its name's levels, as sample, name and step; None where all are.

        Parameters
        ----------
        values : ndarray, shape (sample, name, step)
        known : ndarray of bool, optional
            Of the same shape, or of one that stretches to it.
        """
        for name, levels in self.levels.items():
            at = self.names.index(name)
            own = values[:, at]
            # Written so that a value which is no number is none of the levels.
            bad = ~((own >= 0) & (own < len(levels)) & (own % 1 == 0))
            if known is not True:
                bad = bad & known[:, at]
            if bad.any():
                sample, step = (int(one[0]) for one in bad.nonzero())
                return sample, name, step
        return None

    @property
    def channel_units(self) -> tuple[str, ...]:
        """Unit of each channel."""
        return self.units

    @property
    def rate_hz(self) -> float:
        """Steps a second."""
        return 1 / self.dt_s

    def _region(self, ends: list[tuple[Any, Any]]) -> Region:
        first, last = ends[0]
        return Steps(self.names[first:last], *_outwards(ends[1]))

    def steps(self, region: TimeSpan | Steps) -> slice:
        """Which steps a region covers.

        Raises
        ------
        ContractError
            If it is a region of another kind of input.
        """
        if not isinstance(region, Steps):
            raise ContractError(f"a {type(region).__name__} is no stretch of a trajectory")
        return slice(region.start, region.stop)


OverTime = Signal | Trajectory
"""Kinds of input with channels over evenly spaced moments: ``channels``, ``channel_units``, ``length``, ``rate_hz``, ``steps``."""


class Text(OnAxes):
    """Tokens of a closed vocabulary; a sample has shape ``(position,)``, int64, padded and masked."""

    axes: ClassVar[tuple[str, ...]] = ("token",)

    kind: Literal["text"] = "text"
    vocabulary: int = Field(gt=0)
    length: int = Field(gt=0)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (self.length,)

    def window(self, parts: int) -> tuple[int, ...]:
        """One token, whatever is asked."""
        return (1,)

    def _region(self, ends: list[tuple[Any, Any]]) -> Region:
        return Words(*_outwards(ends[0]))


InputSpec = Annotated[Signal | Image | Volume | Vector | Trajectory | Text | Graph | Nodes, Field(discriminator="kind")]


def _refuse_unnamed(names: tuple[str, ...], units: tuple[str, ...] | None) -> None:
    if units is not None and len(units) != len(names):
        raise ValueError(f"{len(names)} names but {len(units)} units")
    if len(set(names)) != len(names):
        raise ValueError("names must differ from each other")
    if not all(name.strip() for name in names):
        raise ValueError(f"name {[bool(name.strip()) for name in names].index(False) + 1} of {len(names)} is empty")


def _outwards(ends: tuple[float, float]) -> tuple[int, int]:
    return math.floor(ends[0]), math.ceil(ends[1])


def _box(ends: Iterable[tuple[float, float]]) -> Box:
    starts, stops = zip(*map(_outwards, ends), strict=True)
    return Box(starts, stops)


class Sentences(Frozen):
    """A text in plain words that belongs to each sample: what was read, a report, the description of a molecule.

    It is no input: a head that :attr:`~pellucid.heads.base.HeadTags.learns` from texts learns from it, with a text model of its own
    that turns words into numbers. The frame has a column ``text:<name>``, and ``text:<name>:1`` ... for variants.

    Parameters
    ----------
    variants : int
        In how many other ways the frame says the same of each sample.
    about : str
        What it is, for people.
    """

    variants: int = Field(default=0, ge=0)
    about: str = ""

    def columns(self, name: str) -> tuple[str, ...]:
        """Frame columns: the text itself first, then its variants."""
        return (f"text:{name}", *(f"text:{name}:{at + 1}" for at in range(self.variants)))
