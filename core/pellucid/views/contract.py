"""What a view is given and what it may say of itself; the contract stands in :mod:`pellucid.views`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from pellucid.regions import Region

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Marked:
    """A place to mark, and what it adds to the explained output.

    Parameters
    ----------
    region : Region
        In the input that is drawn.
    weight : float
        Above 0 it raises the output (orange, a solid line), below 0 it lowers it (blue, a broken line); 0 only marks.
    label : str
        A few characters that stand beside the mark.
    """

    region: Region
    weight: float = 0.0
    label: str = ""


@dataclass(frozen=True, eq=False)
class Shown:
    """What is drawn beside the values of an input.

    Parameters
    ----------
    evidence : ndarray, optional
        Of the input's shape: how much each value raises (above 0) or lowers (below 0) the explained output. Its scale is
        the view's business.
    caption : str
        Goes above the picture.
    beside : mapping of str to ndarray
        The other inputs of the same sample by name (the mask whose outline belongs on the pixels); empty where they are
        not at hand.
    regions : tuple of Marked
        Places to mark.
    only : Region, optional
        Draw this place alone, larger, with a little around it.
    network : mapping of str to ndarray
        For an input of the kind ``nodes``, what the explained model knows around the sample's nodes: known links, or paths of nodes
        that move (:func:`pellucid.attribution.network.network_around`); empty where no model is at hand.
    """

    evidence: np.ndarray | None = None
    caption: str = ""
    beside: Mapping[str, np.ndarray] = field(default_factory=dict)
    regions: tuple[Marked, ...] = ()
    only: Region | None = None
    network: Mapping[str, np.ndarray] = field(default_factory=dict)


PLAIN = Shown()
"""Nothing but the values."""


class View(Protocol):
    """Draws one input of one sample; see :mod:`pellucid.views`."""

    def __call__(self, ax: Axes, values: np.ndarray, spec: Any, shown: Shown) -> None:
        """Draw into ``ax``."""


class Sized(View, Protocol):
    """A view whose picture has a size of its own."""

    inches: Callable[[np.ndarray, Any, Shown], tuple[float, float]]


Drawing = TypeVar("Drawing", bound=Callable[..., None])


def sized(size: Callable[[np.ndarray, Any, Shown], tuple[float, float]]) -> Callable[[Drawing], Drawing]:
    """Say how wide and high a view's picture is, in inches, from what the view is given: it is drawn to scale.

    Examples
    --------
    >>> @sized(lambda values, spec, shown: (spec.length / spec.rate_hz, 1.0))
    ... def one_inch_a_second(ax, values, spec, shown): ...
    """

    def said(view: Drawing) -> Drawing:
        view.inches = size  # type: ignore[attr-defined]
        return view

    return said


def for_kinds(*kinds: str) -> Callable[[Drawing], Drawing]:
    """Say which kinds of input a view draws, where it is for any dataset and not for those that name it: contract checks try it on these.

    Examples
    --------
    >>> @for_kinds("signal")
    ... def first_channel(ax, values, spec, shown): ...
    >>> kinds_of(first_channel)
    ('signal',)
    """

    def said(view: Drawing) -> Drawing:
        view.kinds = kinds  # type: ignore[attr-defined]
        return view

    return said


def kinds_of(view: View) -> tuple[str, ...]:
    """Kinds of input that a view draws, if it says so."""
    return tuple(getattr(view, "kinds", ()))


DrawsChannels = Callable[["Axes", np.ndarray, tuple[str, ...]], bool]
"""Draws one number from 0 up for each channel into an axis; False where it cannot, and has drawn nothing."""


def with_channels(draw: DrawsChannels) -> Callable[[Drawing], Drawing]:
    """Say how a number for each channel is drawn where this view draws an input: on a map of where channels are.

    Examples
    --------
    >>> def on_the_scalp(ax, numbers, channels):
    ...     return False
    >>> @with_channels(on_the_scalp)
    ... def traces(ax, values, spec, shown): ...
    >>> channels_of(traces) is on_the_scalp
    True
    """

    def said(view: Drawing) -> Drawing:
        view.channels = draw  # type: ignore[attr-defined]
        return view

    return said


def channels_of(view: View) -> DrawsChannels | None:
    """How a view draws a number for each channel, if it says so."""
    return getattr(view, "channels", None)


def is_to_scale(view: View) -> bool:
    """Whether a view's picture has a size of its own."""
    return hasattr(view, "inches")


def inches(view: View, values: np.ndarray, spec: Any, shown: Shown) -> tuple[float, float]:
    """Width and height of the figure that a view's picture fits into.

    Examples
    --------
    >>> from pellucid.data.spec import Vector
    >>> inches(lambda ax, values, spec, shown: None, np.zeros(2), Vector(names=("a", "b")), PLAIN)
    (2.9, 0.98)
    """
    if is_to_scale(view):
        width, height = view.inches(values, spec, shown)  # type: ignore[attr-defined]
        return float(width), float(height)
    if spec.kind == "vector":
        return 2.9, round(0.24 * min(len(spec.names), 12) + 0.5, 2)
    if spec.kind == "nodes":
        return 3.9 if shown.network else 2.9, _height_of_nodes(shown)
    return {"image": (2.1, 2.3), "volume": (3.9, 1.7)}.get(spec.kind, (3.9, 2.2))


def _height_of_nodes(shown: Shown) -> float:
    if "places" in shown.network:
        return 4.4
    return 0.9 if "links" not in shown.network else 1.9
