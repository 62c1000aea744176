"""Where in the input: the regions that evidence points at. A plugin's view draws them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TimeSpan:
    """Some channels of a signal from one moment to another."""

    channels: tuple[str, ...]
    start_s: float
    stop_s: float


@dataclass(frozen=True)
class Box:
    """A rectangle of an image or a cuboid of a volume: half-open index ranges, one pair an axis."""

    start: tuple[int, ...]
    stop: tuple[int, ...]


@dataclass(frozen=True)
class Voxels:
    """A set of pixels or voxels: index tuples."""

    indices: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Atoms:
    """Some atoms of a molecule, and bonds between them as pairs of atoms."""

    atoms: tuple[int, ...]
    bonds: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Steps:
    """Some variables of a trajectory from one step (included) to another (excluded)."""

    variables: tuple[str, ...]
    start: int
    stop: int


@dataclass(frozen=True)
class Words:
    """Token positions of a text, from one (included) to another (excluded)."""

    start: int
    stop: int


Region = TimeSpan | Box | Voxels | Atoms | Steps | Words
