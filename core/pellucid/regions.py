"""Where in the input: the regions that evidence points at. A plugin's view draws them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class TimeSpan:
    """Some channels of a signal from one moment to another."""

    channels: tuple[str, ...]
    start_s: float
    stop_s: float


@dataclass(frozen=True)
class FrequencyBand:
    """Some channels of a signal between two frequencies, over the whole of its time."""

    channels: tuple[str, ...]
    low_hz: float
    high_hz: float


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


Region = TimeSpan | FrequencyBand | Box | Voxels | Atoms | Steps | Words


def around(regions: Sequence[Region]) -> Region:
    """The smallest region that covers some regions of one kind.

    Examples
    --------
    >>> around([TimeSpan(("a",), 0.0, 1.0), TimeSpan(("b",), 1.0, 2.0)])
    TimeSpan(channels=('a', 'b'), start_s=0.0, stop_s=2.0)
    """
    first = regions[0]
    if len(regions) == 1:
        return first
    if isinstance(first, TimeSpan):
        spans = [one for one in regions if isinstance(one, TimeSpan)]
        channels = tuple(dict.fromkeys(name for one in spans for name in one.channels))
        return TimeSpan(channels, min(one.start_s for one in spans), max(one.stop_s for one in spans))
    if isinstance(first, FrequencyBand):
        bands = [one for one in regions if isinstance(one, FrequencyBand)]
        channels = tuple(dict.fromkeys(name for one in bands for name in one.channels))
        return FrequencyBand(channels, min(one.low_hz for one in bands), max(one.high_hz for one in bands))
    if isinstance(first, Box):
        boxes = [one for one in regions if isinstance(one, Box)]
        start, stop = (zip(*ends, strict=True) for ends in ([one.start for one in boxes], [one.stop for one in boxes]))
        return Box(tuple(map(min, start)), tuple(map(max, stop)))
    if isinstance(first, Steps):
        steps = [one for one in regions if isinstance(one, Steps)]
        variables = tuple(dict.fromkeys(name for one in steps for name in one.variables))
        return Steps(variables, min(one.start for one in steps), max(one.stop for one in steps))
    if isinstance(first, Words):
        words = [one for one in regions if isinstance(one, Words)]
        return Words(min(one.start for one in words), max(one.stop for one in words))
    if isinstance(first, Voxels):
        voxels = (index for one in regions if isinstance(one, Voxels) for index in one.indices)
        return Voxels(tuple(dict.fromkeys(voxels)))
    parts = [one for one in regions if isinstance(one, Atoms)]
    atoms = tuple(dict.fromkeys(atom for one in parts for atom in one.atoms))
    return Atoms(atoms, tuple(dict.fromkeys(bond for one in parts for bond in one.bonds)))


def merged(regions: Iterable[Region]) -> list[Region]:
    """Regions of which those that differ in their channels alone are one, in the order in which they first come.

    Examples
    --------
    >>> merged([FrequencyBand(("O1",), 8.0, 13.0), FrequencyBand(("O2",), 8.0, 13.0), FrequencyBand(("O2",), 1.0, 4.0)])
    [FrequencyBand(channels=('O1', 'O2'), low_hz=8.0, high_hz=13.0), FrequencyBand(channels=('O2',), low_hz=1.0, high_hz=4.0)]
    """
    found: dict[Region, Region] = {}
    for region in regions:
        place = replace(region, channels=()) if isinstance(region, TimeSpan | FrequencyBand) else region
        found[place] = around([found[place], region]) if place in found else region
    return list(found.values())


def overlap(first: Region, second: Region) -> bool:
    """Whether two regions of one kind have a place in common; channels and variables do not matter.

    Examples
    --------
    >>> overlap(TimeSpan(("a",), 0.0, 1.0), TimeSpan(("b",), 1.0, 2.0))
    False
    """
    if isinstance(first, TimeSpan) and isinstance(second, TimeSpan):
        return first.start_s < second.stop_s and second.start_s < first.stop_s
    if isinstance(first, FrequencyBand) and isinstance(second, FrequencyBand):
        return first.low_hz < second.high_hz and second.low_hz < first.high_hz
    if isinstance(first, Steps | Words) and isinstance(second, Steps | Words):
        return first.start < second.stop and second.start < first.stop
    if isinstance(first, Box) and isinstance(second, Box):
        ends = zip(first.start, first.stop, second.start, second.stop, strict=True)
        return all(a < d and c < b for a, b, c, d in ends)
    if isinstance(first, Voxels) and isinstance(second, Voxels):
        return not set(first.indices).isdisjoint(second.indices)
    if isinstance(first, Atoms) and isinstance(second, Atoms):
        return not set(first.atoms).isdisjoint(second.atoms)
    return False
