"""What every region of an input can do, and what is done with regions of any kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self, TypeVar

from pellucid.errors import ContractError
from pellucid.phrases import listed

_KINDS: dict[str, type[Region]] = {}

_FORMER: Mapping[str, tuple[str, Mapping[str, str]]] = {"Atoms": ("Subgraph", {"atoms": "nodes", "bonds": "edges"})}
"""What folders of earlier versions call a kind and its fields, and what these are called now."""

AnyRegion = TypeVar("AnyRegion", bound="Region")


@dataclass(frozen=True)
class Region(ABC):
    """A part of an input. Every kind is a frozen dataclass of plain values, so that it is told apart, hashed and kept as JSON.

    A plugin adds a kind by deriving from this class; the kind's name is what folders know it by.

    Attributes
    ----------
    kinds : tuple of str
        Kinds of input that it may lie in.
    stands_alone : bool
        Whether a picture of it without what is around it says something.
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    stands_alone: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        known = _KINDS.setdefault(cls.__name__, cls)
        # A module that is loaded anew brings its own kinds again.
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ContractError(
                f"{cls.__module__} has a region {cls.__name__!r}, and so has {known.__module__}: folders know regions by name"
            )
        _KINDS[cls.__name__] = cls

    @abstractmethod
    def around(self, others: Sequence[Self]) -> Self:
        """The smallest region of this kind that covers this one and others."""

    @abstractmethod
    def overlaps(self, other: Self) -> bool:
        """Whether it has a place in common with another of its kind; channels and variables do not matter."""

    @abstractmethod
    def covers(self, spec: Any) -> bool:
        """Whether it is an input as a whole, or nearly so: what is said of it is said of all of it."""

    @abstractmethod
    def in_words(self, spec: Any = None) -> str:
        """Where it is; rows, columns, slices, steps and nodes are counted from 1.

        Parameters
        ----------
        spec : InputSpec, optional
            Of the input that it lies in, where that knows words of its own.
        """

    def without_channels(self) -> Self:
        """The same place of no channel in particular."""
        return self


def around(regions: Sequence[AnyRegion]) -> AnyRegion:
    """The smallest region that covers some regions of one kind.

    Raises
    ------
    ContractError
        If they are not of one kind.

    Examples
    --------
    >>> from pellucid.regions import TimeSpan
    >>> around([TimeSpan(("a",), 0.0, 1.0), TimeSpan(("b",), 1.0, 2.0)])
    TimeSpan(channels=('a', 'b'), start_s=0.0, stop_s=2.0)
    """
    first, *others = regions
    for one in regions:
        _refuse_strange(one)
    strange = sorted({type(one).__name__ for one in others if type(one) is not type(first)})
    if strange:
        raise ContractError(f"no region lies around a {type(first).__name__} and {listed(strange)}: give one kind")
    return first.around(others) if others else first


def merged(regions: Iterable[AnyRegion]) -> list[AnyRegion]:
    """Regions of which those that differ in their channels alone are one, in the order in which they first come.

    Examples
    --------
    >>> from pellucid.regions import FrequencyBand
    >>> merged([FrequencyBand(("O1",), 8.0, 13.0), FrequencyBand(("O2",), 8.0, 13.0), FrequencyBand(("O2",), 1.0, 4.0)])
    [FrequencyBand(channels=('O1', 'O2'), low_hz=8.0, high_hz=13.0), FrequencyBand(channels=('O2',), low_hz=1.0, high_hz=4.0)]
    """
    found: dict[AnyRegion, AnyRegion] = {}
    for region in regions:
        _refuse_strange(region)
        place = region.without_channels()
        found[place] = around([found[place], region]) if place in found else region
    return list(found.values())


def overlap(first: Region, second: Region) -> bool:
    """Whether two regions are of one kind and have a place in common; channels and variables do not matter.

    Examples
    --------
    >>> from pellucid.regions import TimeSpan
    >>> overlap(TimeSpan(("a",), 0.0, 1.0), TimeSpan(("b",), 1.0, 2.0))
    False
    """
    _refuse_strange(first)
    _refuse_strange(second)
    return type(first) is type(second) and first.overlaps(second)


def _refuse_strange(region: object) -> None:
    if not isinstance(region, Region):
        raise ContractError(f"a {type(region).__name__} is no region: derive it from pellucid.regions.Region")


def region_to_json(region: Region | None) -> dict[str, Any] | None:
    """Plain values of a region."""
    return None if region is None else {"kind": type(region).__name__, **asdict(region)}


def region_from_json(data: Mapping[str, Any] | None) -> Region | None:
    """Inverse of :func:`region_to_json`; knows what kinds were called in folders of earlier versions.

    Raises
    ------
    ContractError
        If no module that is loaded has such a kind.
    """
    from pydantic import TypeAdapter

    if data is None:
        return None
    kind, renamed = _FORMER.get(data["kind"], (data["kind"], {}))
    if kind not in _KINDS:
        known = ", ".join(sorted(_KINDS))
        raise ContractError(
            f"no region of kind {kind!r}: import the plugin that has it; kinds that are loaded: {known}"
        )
    plain = {renamed.get(name, name): value for name, value in data.items() if name != "kind"}
    region: Region = TypeAdapter(_KINDS[kind]).validate_python(plain)
    return region
