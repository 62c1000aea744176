"""How lesions and readers' ratings are drawn; the contract of a view stands in :mod:`pellucid.views`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pellucid.views import (
    INK,
    LOWERS,
    NEUTRAL,
    RAISES,
    Shown,
    box_in_plane,
    evidence_layer,
    frame,
    look_at,
    mark_box,
    middle,
    scale_bar,
)
from pellucid_ct.lidc.annotations.database import RATING_RANGES, RATINGS
from pellucid_ct.lidc.annotations.nodules import RATING_NAMES
from pellucid_ct.views.pixels import standing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.data import Image, Vector, Volume

OUTLINE = 0.5
"""Share of a pixel from which it counts as lesion."""

FAINT = 0.02
"""Share of a pixel below which nothing is shown: what arithmetic leaves behind is no lesion."""

RANGES = {shown: RATING_RANGES[name] for shown, name in zip(RATING_NAMES, RATINGS, strict=True)}


def lesion(ax: Axes, values: np.ndarray, spec: Image, shown: Shown) -> None:
    """Draw a lesion's slice: its pixels in grey, its outline as a line, evidence inside it, a scale bar in mm."""
    _slice(ax, values[0], None if shown.evidence is None else shown.evidence[0], spec.spacing_mm)
    _mark(ax, shown, spec.size)
    if spec.spacing_mm is not None:
        scale_bar(ax, spec.spacing_mm[1])
    ax.set_title(shown.caption, fontsize=8)


def lesion_volume(ax: Axes, values: np.ndarray, spec: Volume, shown: Shown) -> None:
    """Draw the three planes in which a lesion is largest, side by side."""
    mask, spacing = values[0], spec.spacing_mm
    zoom = _zoom(mask)
    for panel, name in enumerate(("axial", "coronal", "sagittal")):
        others = tuple(axis for axis in range(3) if axis != panel)
        asked = box_in_plane(shown.only, panel) is not None
        at = middle(shown.only, panel, mask.shape[panel]) if asked else int(np.argmax(mask.sum(axis=others)))
        plane = ax.inset_axes((0.34 * panel, 0.0, 0.32, 1.0))
        # As in :func:`~pellucid_ct.views.pixels.ct_volume`: the lowest slice is the first, and a person stands upright.
        up = slice(None, None, -1) if panel else slice(None)
        evidence = None if shown.evidence is None else np.take(shown.evidence[0], at, panel)[up]
        across = None if spacing is None else (spacing[others[0]], spacing[others[1]])
        _slice(plane, np.take(mask, at, panel)[up], evidence, across, zoom)
        _mark(plane, shown, (mask.shape[others[0]], mask.shape[others[1]]), panel)
        plane.set_title(name, fontsize=7)
        if panel == 0 and spacing is not None:
            scale_bar(plane, spacing[2])
    ax.set_axis_off()
    ax.set_title(shown.caption, fontsize=8, pad=14)


def ratings(ax: Axes, values: np.ndarray, spec: Vector, shown: Shown) -> None:
    """Draw the readers' mean ratings on their scales; a whisker of one standard deviation says how far they disagree.

    Names ``<rating>`` are means and ``<rating>:sd`` disagreements. No whisker: one reader, or no disagreement in the
    data.
    """
    known, evidence = dict(zip(spec.names, values, strict=True)), shown.evidence
    weight = dict(zip(spec.names, np.zeros(len(values)) if evidence is None else evidence, strict=True))
    rated = [name for name in spec.names if not name.endswith(":sd")]
    for row, name in enumerate(rated):
        low, high = RANGES.get(name, (1, 5))
        ax.plot([low, high], [row, row], color="#d5d9de", linewidth=5, solid_capstyle="butt", zorder=0)
        value, spread = float(known[name]), float(known.get(f"{name}:sd", np.nan))
        if not np.isfinite(value):
            ax.text(low, row, "not rated", va="center", fontsize=7, color=NEUTRAL)
            continue
        colour = INK if weight[name] == 0 else RAISES if weight[name] > 0 else LOWERS
        if np.isfinite(spread):
            ends = np.clip([value - spread, value + spread], low, high)
            ax.plot(ends, [row, row], color=colour, linewidth=1.4)
        ax.plot([value], [row], marker="o", markersize=5, color=colour)
        ax.text(6.25, row, f"{value:.1f}", va="center", fontsize=8)
    ax.set_xlim(0.8, 7.0)
    ax.set_xticks(range(1, 7))
    ax.set_yticks(range(len(rated)), rated)
    ax.set_ylim(len(rated) - 0.5, -0.5)
    ax.tick_params(length=0, labelsize=8)
    for side in ax.spines.values():
        side.set_visible(False)
    ax.set_title(shown.caption, fontsize=8)


def _mark(ax: Axes, shown: Shown, size: tuple[int, int], axis: int | None = None) -> None:
    """Frame the places that lie in a slice, or show one of them alone."""
    look_at(ax, standing(box_in_plane(shown.only, axis), size[0], axis), size)
    for marked in shown.regions:
        if (box := standing(box_in_plane(marked.region, axis), size[0], axis)) is not None:
            mark_box(ax, *box, marked)


def _slice(
    ax: Axes, mask: np.ndarray, evidence: np.ndarray | None, spacing: tuple[float, ...] | None, zoom: int | None = None
) -> None:
    aspect = spacing[0] / spacing[1] if spacing else 1.0
    ax.imshow(mask, cmap="Greys", vmin=0, vmax=2.2, interpolation="nearest", aspect=aspect)
    if evidence is not None:
        layer = evidence_layer(np.where(mask > FAINT, evidence, 0.0))
        # As strong as the pixel is covered: a place outside the lesion has no say.
        layer[..., 3] *= np.clip(mask, 0.0, 1.0)
        ax.imshow(layer, interpolation="nearest", aspect=aspect)
    if mask.max() > OUTLINE:
        # What lies outside the frame is no lesion, so that an outline at the edge closes too.
        padded = np.pad(mask, 1)
        rows, columns = (np.arange(-1, n + 1) for n in mask.shape)
        ax.contour(columns, rows, padded, levels=[OUTLINE], colors=[INK], linewidths=1.2)
    half = zoom if zoom is not None else _zoom(mask)
    centre_row, centre_column = ((n - 1) / 2 for n in mask.shape)
    ax.set_xlim(centre_column - half, centre_column + half)
    ax.set_ylim(centre_row + half, centre_row - half)
    frame(ax)


def _zoom(mask: np.ndarray) -> int:
    """Half the width shown: the frame, or a half or a quarter of it where the lesion fits with room to spare."""
    size = max(mask.shape)
    # By what is inside the outline: a decoded picture may be faintly grey anywhere.
    inside = np.argwhere(mask >= OUTLINE if (mask >= OUTLINE).any() else mask > FAINT)
    if not len(inside):
        return size // 2
    reach = float(np.abs(inside - (np.asarray(mask.shape) - 1) / 2).max()) + 1.5
    return next((size // part for part in (8, 4) if reach * 1.15 <= size / part), size // 2)
