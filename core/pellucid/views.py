"""Views: how one input of one sample is drawn. A plugin draws its own; what has no view is drawn plainly here.

The contract of a view, whether of the core or of a plugin::

    view(ax, values, spec, *, evidence=None, caption="", beside=None) -> None

``ax`` is a matplotlib axis, free to be divided by :meth:`~matplotlib.axes.Axes.inset_axes`. ``values`` is one sample of
the input, of shape ``spec.shape``, NaN where it is missing. ``evidence``, of the same shape, says how much each value
raises (above 0) or lowers (below 0) the explained output; its scale is the view's business. ``caption`` goes above the
picture. ``beside`` holds the other inputs of the same sample by name (the mask whose outline belongs on the pixels), or
is None where they are not at hand. A view draws into ``ax`` alone, reads nothing, and works for a decoded input as for a
measured one: values need not be exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pellucid import plugins

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

    from pellucid.data.spec import DataSpec, Image, Signal, Trajectory, Vector, Volume

RAISES = "#b8500a"
LOWERS = "#0b6aa8"
NEUTRAL = "#767676"
INK = "#1b1f24"
"""Colours of the whole report: orange raises and blue lowers an output. They differ in lightness as well as in hue for
every common colour blindness, reach 4.5:1 against white, and are never the only sign of what they say."""


Beside = Mapping[str, np.ndarray]
"""The other inputs of a sample, by name."""


class View(Protocol):
    """Draws one input of one sample; see the module for the contract."""

    def __call__(
        self,
        ax: Axes,
        values: np.ndarray,
        spec: Any,
        *,
        evidence: np.ndarray | None = None,
        caption: str = "",
        beside: Beside | None = None,
    ) -> None:
        """Draw into ``ax``."""


def view_for(spec: DataSpec, input: str) -> View:
    """The view that draws an input: the one the dataset names, else the core's for its kind.

    Raises
    ------
    StudyError
        If the dataset has no such input.
    UnknownComponent
        If the view that it names is not installed.
    """
    kind = spec.input(input).kind
    return plugins.load("view", spec.views[input]) if input in spec.views else DEFAULT[kind]


def evidence_colours() -> Colormap:
    """Blue for lowers, white for nothing, orange for raises."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("evidence", [LOWERS, "#ffffff", RAISES])


def evidence_layer(evidence: np.ndarray) -> np.ndarray:
    """A picture of evidence to lay over another: RGBA, shape (row, column, 4), opaque where evidence is strong.

    Examples
    --------
    >>> layer = evidence_layer(np.array([[0.0, 2.0], [-2.0, 1.0]]))
    >>> [round(float(a), 2) for a in layer[..., 3].ravel()]
    [0.0, 0.85, 0.85, 0.42]
    """
    top = float(np.abs(evidence).max())
    scaled = evidence / top if top > 0 else np.zeros_like(evidence, dtype=float)
    layer = evidence_colours()(0.5 + 0.5 * np.sign(scaled))
    layer[..., 3] = 0.85 * np.abs(scaled)
    return layer


def scale_bar(ax: Axes, spacing_mm: float, *, colour: str = INK) -> float:
    """Draw a bar of a round length below a picture, about a quarter of its width, and say how long it is.

    Parameters
    ----------
    ax : Axes
        With the picture drawn and its limits set. The bar stays true when they are changed later.
    spacing_mm : float
        Width of a pixel.

    Returns
    -------
    float
        Its length in mm.
    """
    left, right = ax.get_xlim()
    lengths = [n * 10.0**e for e in range(-2, 4) for n in (1, 2, 5)]
    length = min(lengths, key=lambda mm: abs(mm - 0.25 * (right - left) * spacing_mm))
    end = left + length / spacing_mm
    across = ax.get_xaxis_transform()
    ax.plot(
        [left, end], [-0.04, -0.04], color=colour, linewidth=2, solid_capstyle="butt", transform=across, clip_on=False
    )
    ax.text(end, -0.04, f"  {length:g} mm", transform=across, va="center", fontsize=7, color=colour)
    ax.set_xlim(left, right)
    return length


def frame(ax: Axes) -> None:
    """Put a thin frame around a picture, in place of axes."""
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set(visible=True, color="#c9cdd2", linewidth=0.8)


def image(
    ax: Axes,
    values: np.ndarray,
    spec: Image,
    *,
    evidence: np.ndarray | None = None,
    caption: str = "",
    beside: Beside | None = None,
) -> None:
    """Draw the first channel of an image in grey, true to its spacing, with evidence over it."""
    _plane(ax, values[0], None if evidence is None else evidence.sum(0), spec.spacing_mm)
    if spec.spacing_mm is not None:
        scale_bar(ax, spec.spacing_mm[1])
    ax.set_title(caption, fontsize=8)


def volume(
    ax: Axes,
    values: np.ndarray,
    spec: Volume,
    *,
    evidence: np.ndarray | None = None,
    caption: str = "",
    beside: Beside | None = None,
) -> None:
    """Draw the three planes through the middle of a volume's first channel, side by side."""
    spacing = spec.spacing_mm
    middle = tuple(n // 2 for n in values.shape[1:])
    for panel, (axis, name) in enumerate(zip(range(3), ("axial", "coronal", "sagittal"), strict=True)):
        inside = ax.inset_axes((0.34 * panel, 0.0, 0.32, 1.0))
        across = tuple(s for i, s in enumerate(spacing) if i != axis) if spacing else None
        shown = None if evidence is None else np.take(evidence.sum(0), middle[axis], axis)
        _plane(inside, np.take(values[0], middle[axis], axis), shown, across)
        inside.set_title(name, fontsize=7)
    ax.set_axis_off()
    ax.set_title(caption, fontsize=8, pad=14)


def signal(
    ax: Axes,
    values: np.ndarray,
    spec: Signal,
    *,
    evidence: np.ndarray | None = None,
    caption: str = "",
    beside: Beside | None = None,
) -> None:
    """Draw the channels of a signal below each other over seconds, evidence as shading behind them."""
    seconds = np.arange(values.shape[1]) / spec.rate_hz
    _lines(ax, seconds, values, spec.channels, evidence)
    ax.set_xlabel("time (s)", fontsize=8)
    ax.set_title(caption, fontsize=8)


def trajectory(
    ax: Axes,
    values: np.ndarray,
    spec: Trajectory,
    *,
    evidence: np.ndarray | None = None,
    caption: str = "",
    beside: Beside | None = None,
) -> None:
    """Draw each named state of a trajectory over seconds."""
    seconds = np.arange(len(values)) * spec.dt_s
    _lines(ax, seconds, values.T, spec.names, None if evidence is None else evidence.T)
    ax.set_xlabel("time (s)", fontsize=8)
    ax.set_title(caption, fontsize=8)


def vector(
    ax: Axes,
    values: np.ndarray,
    spec: Vector,
    *,
    evidence: np.ndarray | None = None,
    caption: str = "",
    beside: Beside | None = None,
) -> None:
    """Write the values of a vector beside their names, coloured by their evidence; at most twelve."""
    order = np.arange(len(values)) if evidence is None else np.argsort(-np.abs(evidence), kind="stable")
    shown = order[:12]
    for row, at in enumerate(shown):
        unit = spec.units if isinstance(spec.units, str) else spec.units[at]
        colour = INK if evidence is None or evidence[at] == 0 else RAISES if evidence[at] > 0 else LOWERS
        text = (
            "missing"
            if np.isnan(values[at])
            else f"{values[at]:.3g}" + ("" if unit in ("", "1", "rating") else f" {unit}")
        )
        height = 1 - (row + 0.5) / max(len(shown), 1)
        ax.text(0.6, height, spec.names[at], ha="right", va="center", fontsize=8, color=INK, transform=ax.transAxes)
        ax.text(0.64, height, text, ha="left", va="center", fontsize=8, color=colour, transform=ax.transAxes)
    ax.set_axis_off()
    more = f" ({len(values) - len(shown)} more)" if len(values) > len(shown) else ""
    ax.set_title(caption + more, fontsize=8)


def words(
    ax: Axes,
    values: np.ndarray,
    spec: Any,
    *,
    evidence: np.ndarray | None = None,
    caption: str = "",
    beside: Beside | None = None,
) -> None:
    """Say of what kind an input is that the core cannot draw (graphs, token numbers): its plugin has no view for it."""
    ax.set_axis_off()
    ax.text(
        0.5,
        0.5,
        f"no picture: {spec.kind} input",
        ha="center",
        va="center",
        fontsize=8,
        color=NEUTRAL,
        transform=ax.transAxes,
    )
    ax.set_title(caption, fontsize=8)


def _plane(ax: Axes, values: np.ndarray, evidence: np.ndarray | None, spacing: tuple[float, ...] | None) -> None:
    aspect = spacing[0] / spacing[1] if spacing else 1.0
    ax.imshow(values, cmap="gray", interpolation="nearest", aspect=aspect)
    if evidence is not None:
        ax.imshow(evidence_layer(evidence), interpolation="nearest", aspect=aspect)
    frame(ax)


def _lines(ax: Axes, x: np.ndarray, rows: np.ndarray, names: tuple[str, ...], evidence: np.ndarray | None) -> None:
    spread = float(np.ptp(rows)) or 1.0
    for row, (line, name) in enumerate(zip(rows, names, strict=True)):
        offset = -spread * row
        ax.plot(x, line + offset, color=INK, linewidth=0.7)
        ax.text(x[0], offset + float(line[0]), f"{name} ", ha="right", va="center", fontsize=7)
        if evidence is not None:
            edges = (x[0], x[-1], offset - spread / 2, offset + spread / 2)
            ax.imshow(
                evidence_layer(evidence)[row][None], extent=edges, aspect="auto", interpolation="nearest", zorder=0
            )
    ax.set_ylim(-spread * (len(rows) - 0.5), 1.5 * spread)
    ax.set_yticks([])
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)


DEFAULT: dict[str, View] = {
    "image": image,
    "volume": volume,
    "signal": signal,
    "vector": vector,
    "trajectory": trajectory,
    "text": words,
    "graph": words,
}
