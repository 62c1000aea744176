"""How mean codes over the positions of a layer are drawn: a curve, bars of channels, a picture, the middle slice of a volume."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.activations.places import POSITION, axes_of
from pellucid.data.axes import CHANNEL
from pellucid.views.drawing import LOWERS, evidence_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

MOST_NAMED = 24
"""Channels that are named beside a picture."""

GREY = "#8a8f95"
"""Lines that only help the eye."""

AXIS_WORDS = {"step": "step", "token": "token", POSITION: "position of the layer", CHANNEL: "channel"}


@dataclass(frozen=True)
class Grid:
    """Positions of a layer, ready to be drawn or kept as JSON.

    Parameters
    ----------
    shape : tuple of int
    axes : tuple of str
        As :func:`~pellucid.activations.places.axes_of` calls them.
    channels : tuple of str
        Names along an axis of channels.
    extent : tuple of float
        How far each axis reaches: seconds, millimetres, pixels, steps or positions.
    spacing_is_known : bool
        Whether rows and columns are in millimetres.
    """

    shape: tuple[int, ...]
    axes: tuple[str, ...]
    channels: tuple[str, ...] = ()
    extent: tuple[float, ...] = ()
    spacing_is_known: bool = False

    @classmethod
    def of(cls, spec: Any, shape: tuple[int, ...], *, by_channel: bool = False) -> Grid:
        """Of the input that the positions lie in; ``by_channel`` where a single axis is one of channels."""
        axes = (CHANNEL,) if by_channel else axes_of(spec, shape)
        extent = tuple(
            _extent(spec, axis, at, length) for at, (axis, length) in enumerate(zip(axes, shape, strict=True))
        )
        known = getattr(spec, "spacing_mm", None) is not None
        return cls(shape, axes, spec.channels if CHANNEL in axes else (), extent, known)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Grid:
        """Inverse of :meth:`to_json`."""
        shape, axes, channels, extent = (tuple(data[name]) for name in ("shape", "axes", "channels", "extent"))
        return cls(shape, axes, channels, extent, bool(data["spacing_is_known"]))

    @property
    def size_in(self) -> tuple[float, float]:
        """Inches that a drawing asks for."""
        if not self._drawn or self._drawn == (CHANNEL,):
            return (2.6, max(1.6, 0.17 * min(len(self.channels) or 8, MOST_NAMED) + 0.6))
        if "column" in self._drawn:
            return (2.6, 2.2)
        return (3.4, 1.6) if len(self._drawn) == 1 else (3.4, max(1.8, 0.15 * min(self.shape[0], MOST_NAMED) + 0.6))

    @property
    def _drawn(self) -> tuple[str, ...]:
        """Axes of more than one position."""
        return tuple(axis for axis, length in zip(self.axes, self.shape, strict=True) if length > 1)


def draw_pattern(ax: Axes, values: np.ndarray, grid: Grid) -> None:
    """Draw mean codes over positions.

    Parameters
    ----------
    ax : Axes
    values : ndarray, shape (position,)
        NaN where a position is no place.
    grid : Grid
    """
    kept = [at for at, length in enumerate(grid.shape) if length > 1]
    axes, reach = tuple(grid.axes[at] for at in kept), tuple(grid.extent[at] for at in kept)
    over = np.asarray(values, float).reshape(tuple(grid.shape[at] for at in kept))
    if axes == (CHANNEL,):
        _bars(ax, over, grid.channels)
    elif len(axes) == 1:
        _curve(ax, over, axes[0], reach[0])
    elif axes[-2:] == ("row", "column") or len(axes) == 2:
        if len(axes) == 3:
            ax.set_title(f"middle slice ({over.shape[0] // 2 + 1} of {over.shape[0]})", fontsize=8)
            over, reach, axes = over[over.shape[0] // 2], reach[1:], axes[1:]
        _picture(ax, over, axes, reach, grid)
    else:
        _curve(ax, over.ravel(), POSITION, float(over.size))


def draw_scatter(ax: Axes, values: np.ndarray, where: np.ndarray, names: tuple[str, ...]) -> None:
    """Draw numbers at coordinates, the strongest last; of three axes the first two are drawn.

    Parameters
    ----------
    ax : Axes
    values : ndarray, shape (place,)
    where : ndarray, shape (place, axis)
        Across and up, or one axis alone.
    names : tuple of str
        Of the axes.
    """
    order = np.argsort(np.abs(values), kind="stable")
    if where.shape[1] == 1:
        ax.plot(where[order, 0], values[order], ".", color=LOWERS, markersize=3)
        ax.set_xlabel(names[0])
        return
    colours, low, high = _colours(values)
    size = float(np.clip(1800 / len(values), 4, 28))
    drawn = ax.scatter(
        where[order, 0], where[order, 1], c=values[order], cmap=colours, vmin=low, vmax=high, s=size,
        edgecolors=GREY, linewidths=0.3,
    )  # fmt: skip
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    ax.set_aspect("equal", adjustable="datalim")
    _bar(ax, drawn)


def _extent(spec: Any, axis: str, at: int, length: int) -> float:
    """How far an axis reaches, in the units of :attr:`Grid.extent`."""
    if axis == "time":
        return float(spec.length / spec.rate_hz)
    if axis in ("step", "token"):
        return float(spec.length)
    if axis in ("slice", "row", "column"):
        return float(spec.size[at] * (spec.spacing_mm[at] if spec.spacing_mm else 1.0))
    return float(length)


def _colours(values: np.ndarray) -> tuple[Colormap, float, float]:
    """White is zero; two colours where numbers stand on both sides of it."""
    from matplotlib.colors import LinearSegmentedColormap

    top = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    if np.nanmin(values, initial=0.0) < 0:
        return evidence_colours(), -top, top
    return LinearSegmentedColormap.from_list("strength", ["#ffffff", "#9cc4e0", LOWERS, "#06395c"]), 0.0, top


def _bar(ax: Axes, drawn: Any) -> None:
    bar = ax.figure.colorbar(drawn, ax=ax, fraction=0.06, pad=0.03)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7, length=2)
    bar.ax.locator_params(nbins=4)


def _curve(ax: Axes, values: np.ndarray, axis: str, reach: float) -> None:
    at = (np.arange(len(values)) + 0.5) * reach / len(values)
    if axis == POSITION:
        ax.bar(np.arange(len(values)), values, color=LOWERS, width=0.8)
    else:
        ax.fill_between(at, 0, values, color=LOWERS, alpha=0.15, linewidth=0)
        ax.plot(at, values, color=LOWERS, linewidth=1.2)
        ax.set_xlim(0, reach)
    ax.axhline(0, color=GREY, linewidth=0.8)
    if not np.nanmin(values, initial=0.0) < 0:
        ax.set_ylim(bottom=0)
    ax.locator_params(axis="y", nbins=4)
    ax.set_xlabel("time (s)" if axis == "time" else AXIS_WORDS[axis])
    ax.set_ylabel("mean code")


def _bars(ax: Axes, values: np.ndarray, names: tuple[str, ...]) -> None:
    rows = np.arange(len(values))
    ax.barh(rows, values, color=LOWERS, height=0.7)
    if len(names) == len(values) <= MOST_NAMED:
        ax.set_yticks(rows, names)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.locator_params(axis="x", nbins=4)
    ax.set_xlabel("mean code")


def _picture(ax: Axes, values: np.ndarray, axes: tuple[str, ...], reach: tuple[float, ...], grid: Grid) -> None:
    colours, low, high = _colours(values)
    plane = axes == ("row", "column")
    extent = (0.0, reach[1], reach[0], 0.0) if plane else (0.0, reach[1], len(values) - 0.5, -0.5)
    drawn = ax.imshow(
        values, cmap=colours, vmin=low, vmax=high, extent=extent, aspect="equal" if plane else "auto",
        interpolation="nearest",
    )  # fmt: skip
    for spine in ax.spines.values():
        spine.set_visible(True)
    if plane:
        unit = "mm" if grid.spacing_is_known else "pixels"
        ax.set_xlabel(f"columns ({unit})")
        ax.set_ylabel(f"rows ({unit})")
        ax.locator_params(nbins=4)
    else:
        if axes[0] == CHANNEL and len(grid.channels) == len(values) <= MOST_NAMED:
            ax.set_yticks(np.arange(len(values)), grid.channels)
            ax.tick_params(axis="y", length=0, labelsize=7)
        ax.set_xlabel("time (s)" if axes[1] == "time" else AXIS_WORDS.get(axes[1], axes[1]))
    _bar(ax, drawn)
