"""What views draw with: colours of evidence, marks of places, a bar of length, a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pellucid.regions import Box, Region, Voxels
from pellucid.views.contract import Marked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

RAISES = "#b8500a"
LOWERS = "#0b6aa8"
NEUTRAL = "#767676"
INK = "#1b1f24"
"""Colours of the whole report: orange raises and blue lowers an output. They differ in lightness as well as in hue for
every common colour blindness, reach 4.5:1 against white, and are never the only sign of what they say."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
MARKS = "osD^vP"
"""Of several things in one picture, in this order; each has a mark of its own, as no colour is the only sign either. Colours are those of
Okabe and Ito (2008), less the yellow, which fades in print."""


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


def mark_style(weight: float) -> tuple[str, str]:
    """Colour and line of a mark: solid where it raises, broken where it lowers, dotted where it only marks.

    Examples
    --------
    >>> [mark_style(weight)[1] for weight in (0.3, -0.3, 0.0)]
    ['-', '--', ':']
    """
    return (RAISES, "-") if weight > 0 else (LOWERS, "--") if weight < 0 else (INK, ":")


def mark_box(ax: Axes, start: tuple[float, float], stop: tuple[float, float], marked: Marked) -> None:
    """Draw a line around a rectangle of a picture, its label above it; the limits grow until it is inside.

    Parameters
    ----------
    ax : Axes
        With the picture drawn.
    start, stop : (float, float)
        Rows and columns, half-open: pixels are drawn around whole numbers.
    marked : Marked
    """
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    (top, left), (bottom, right) = start, stop
    colour, line = mark_style(marked.weight)
    around = Rectangle(
        (left - 0.5, top - 0.5), right - left, bottom - top, fill=False, edgecolor=colour, linestyle=line
    )
    halo = [withStroke(linewidth=2.8, foreground="white")]
    around.set(linewidth=1.4, path_effects=halo)
    ax.add_patch(around)
    # A view may have zoomed in.
    x, y = sorted(ax.get_xlim()), sorted(ax.get_ylim())
    ax.set_xlim(min(x[0], left - 0.5), max(x[1], right - 0.5))
    ax.set_ylim(max(y[1], bottom - 0.5), min(y[0], top - 0.5))
    if marked.label:
        ax.text(left - 0.5, top - 0.6, marked.label, fontsize=7, color=colour, va="bottom", path_effects=halo)


def box_in_plane(region: Region | None, axis: int | None = None) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The rectangle that a region of an image covers, or of a volume in the plane across an axis; None for other regions.

    Examples
    --------
    >>> box_in_plane(Box((1, 2, 3), (4, 5, 6)), axis=1), box_in_plane(Voxels(((0, 3), (2, 1))))
    (((1, 3), (4, 6)), ((0, 1), (3, 4)))
    """
    if isinstance(region, Voxels) and region.indices:
        points = np.asarray(region.indices)
        region = Box(tuple(points.min(0).tolist()), tuple((points.max(0) + 1).tolist()))
    if not isinstance(region, Box) or len(region.start) != (2 if axis is None else 3):
        return None
    kept = [at for at in range(len(region.start)) if at != axis]
    (top, left), (bottom, right) = ([ends[at] for at in kept] for ends in (region.start, region.stop))
    return (top, left), (bottom, right)


def look_at(ax: Axes, box: tuple[tuple[int, int], tuple[int, int]] | None, size: tuple[int, int]) -> None:
    """Show a rectangle of a picture with half its length around it, at least two pixels, and never beyond the picture.

    Parameters
    ----------
    ax : Axes
    box : ((row, column), (row, column)), optional
        As :func:`box_in_plane` gives it; nothing is changed where there is none.
    size : (int, int)
        Rows and columns of the picture.
    """
    if box is None:
        return
    (top, left), (bottom, right) = box
    around = max(2.0, 0.5 * max(bottom - top, right - left))
    ax.set_xlim(max(-0.5, left - 0.5 - around), min(size[1] - 0.5, right - 0.5 + around))
    ax.set_ylim(min(size[0] - 0.5, bottom - 0.5 + around), max(-0.5, top - 0.5 - around))


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
