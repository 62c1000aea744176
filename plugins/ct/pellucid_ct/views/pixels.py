"""How pixels are drawn: in a named window, with the lesion's outline, and evidence over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pellucid.regions import Region
from pellucid.views import NEUTRAL, Shown, box_in_plane, evidence_layer, frame, look_at, mark_box, middle, scale_bar

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.data import Image, Volume

OUTLINE = "#ffd23f"
"""Of the lesion: yellow stands out from grey, and is no colour of evidence."""

VEIL = 0.65
"""How opaque the strongest evidence is, of what the house's evidence is: anatomy has to stay visible under it."""

MASK = "mask"
"""Name of the input that holds the lesion on the same grid."""


@dataclass(frozen=True)
class Window:
    """Which values are shown from black to white.

    Parameters
    ----------
    name : str
    low, high : float
        In units of the pixels.
    units : str
    """

    name: str
    low: float
    high: float
    units: str

    def __str__(self) -> str:
        if self.units != "HU":
            return f"{self.name}: {self.low:g} to {self.high:g}"
        return f"{self.name}: level {(self.low + self.high) / 2:g}, width {self.high - self.low:g} HU"


LUNG = Window("lung window", -1350.0, 150.0, "HU")
"""Level -600, width 1500: the usual one for lung tissue; the inside of solid lesions is near its white end."""

GREY = Window("grey values", 0.0, 255.0, "grey")
"""All of 8-bit pixels whose window is not known."""


def window_of(units: str) -> Window:
    """The window for pixels of these units: lung for Hounsfield units, everything for 8-bit grey."""
    return LUNG if units == "HU" else GREY


def ct_slice(ax: Axes, values: np.ndarray, spec: Image, shown: Shown) -> None:
    """Draw slices in a named window: the outline of the lesion, evidence, a scale bar in mm; one panel a channel."""
    mask, evidence = _mask(values, shown.beside), shown.evidence
    for panel, name in enumerate(spec.channels):
        inside = _panel(ax, panel, len(spec.channels))
        dense = None if evidence is None else evidence[panel]
        outline = None if mask is None else mask[panel]
        _plane(inside, values[panel], spec.units, spec.spacing_mm, dense, outline, _top(evidence))
        # A rectangle of the image is one of each of its channels.
        look_at(inside, box_in_plane(shown.only), spec.size)
        for marked in shown.regions:
            if (box := box_in_plane(marked.region)) is not None:
                mark_box(inside, *box, marked)
        if len(spec.channels) > 1:
            inside.set_title(name, fontsize=7)
        if panel == 0 and spec.spacing_mm is not None:
            scale_bar(inside, spec.spacing_mm[1])
    _finish(ax, spec.units, shown.caption)


def ct_volume(ax: Axes, values: np.ndarray, spec: Volume, shown: Shown) -> None:
    """Draw the three planes in which the lesion is largest in a named window, with its outline and evidence.

    Through the middle of a place where a single one is marked; where there is neither place nor mask, of the volume.
    """
    mask, evidence = _mask(values, shown.beside), shown.evidence
    asked = shown.only or (shown.regions[0].region if len(shown.regions) == 1 else None)
    for panel, name in enumerate(("axial", "coronal", "sagittal")):
        others = tuple(axis for axis in range(3) if axis != panel)
        at = _cut(mask, asked, panel, values.shape[1 + panel])
        spacing = None if spec.spacing_mm is None else (spec.spacing_mm[others[0]], spec.spacing_mm[others[1]])
        inside = _panel(ax, panel, 3)
        # The lowest slice is the first; a person stands the other way up.
        up = slice(None, None, -1) if panel else slice(None)
        dense = None if evidence is None else np.take(evidence[0], at, panel)[up]
        outline = None if mask is None else np.take(mask[0], at, panel)[up]
        plane = np.take(values[0], at, panel)[up]
        _plane(inside, plane, spec.units, spacing, dense, outline, _top(evidence))
        size = (plane.shape[0], plane.shape[1])
        look_at(inside, standing(box_in_plane(shown.only, panel), size[0], panel), size)
        for marked in shown.regions:
            if (box := standing(box_in_plane(marked.region, panel), size[0], panel)) is not None:
                mark_box(inside, *box, marked)
        inside.set_title(name, fontsize=7)
        if panel == 0 and spacing is not None:
            scale_bar(inside, spacing[1])
    _finish(ax, spec.units, shown.caption)


Rectangle = tuple[tuple[int, int], tuple[int, int]]


def _cut(mask: np.ndarray | None, only: Region | None, axis: int, length: int) -> int:
    """Which plane across an axis is drawn: through the place asked for, else where the lesion is largest."""
    if mask is None or box_in_plane(only, axis) is not None:
        return middle(only, axis, length)
    return int(np.argmax(mask[0].sum(axis=tuple(other for other in range(3) if other != axis))))


def standing(box: Rectangle | None, rows: int, panel: int | None) -> Rectangle | None:
    """A rectangle in a plane whose rows are drawn from the feet up, all but the axial one's and those of images."""
    if box is None or not panel:
        return box
    (top, left), (bottom, right) = box
    return (rows - bottom, left), (rows - top, right)


def _mask(values: np.ndarray, beside: Mapping[str, np.ndarray]) -> np.ndarray | None:
    mask = beside.get(MASK)
    return mask if mask is not None and mask.shape == values.shape and np.nanmax(mask) > 0 else None


def _top(evidence: np.ndarray | None) -> float:
    return 0.0 if evidence is None else float(np.abs(evidence).max())


def _panel(ax: Axes, panel: int, count: int) -> Axes:
    width = 1 / count
    return ax.inset_axes((width * panel, 0.0, 0.94 * width if count > 1 else 1.0, 1.0))


def _plane(
    ax: Axes,
    pixels: np.ndarray,
    units: str,
    spacing: tuple[float, float] | None,
    evidence: np.ndarray | None,
    mask: np.ndarray | None,
    top: float,
) -> None:
    window = window_of(units)
    aspect = spacing[0] / spacing[1] if spacing else 1.0
    ax.imshow(pixels, cmap="gray", vmin=window.low, vmax=window.high, interpolation="nearest", aspect=aspect)
    if evidence is not None and top > 0:
        # One scale for all panels of a sample: evidence of one plane is compared with that of the next.
        layer = evidence_layer(evidence)
        layer[..., 3] *= VEIL * float(np.abs(evidence).max()) / top
        ax.imshow(layer, interpolation="nearest", aspect=aspect)
    if mask is not None and mask.max() > 0.5:
        padded = np.pad(mask, 1)
        rows, columns = (np.arange(-1, n + 1) for n in mask.shape)
        ax.contour(columns, rows, padded, levels=[0.5], colors=[OUTLINE], linewidths=0.9)
    ax.set_xlim(-0.5, pixels.shape[1] - 0.5)
    ax.set_ylim(pixels.shape[0] - 0.5, -0.5)
    frame(ax)


def _finish(ax: Axes, units: str, caption: str) -> None:
    ax.set_axis_off()
    ax.text(1.0, -0.1, str(window_of(units)), ha="right", va="top", fontsize=6.5, color=NEUTRAL, transform=ax.transAxes)
    ax.set_title(caption, fontsize=8, pad=14)
