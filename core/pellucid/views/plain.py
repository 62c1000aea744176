"""The core's own views: each kind of input, drawn plainly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.regions import Region, Steps, TimeSpan
from pellucid.unit_names import unit_sign
from pellucid.views.contract import Shown, View
from pellucid.views.drawing import (
    INK,
    LOWERS,
    NEUTRAL,
    RAISES,
    box_in_plane,
    evidence_layer,
    frame,
    look_at,
    mark_box,
    mark_style,
    scale_bar,
)
from pellucid.views.network import neighbourhood
from pellucid.views.spectra import about_bands, spectra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.data.spec import Image, Signal, Trajectory, Vector, Volume

AROUND = 0.5
"""What is drawn on each side of a place that is drawn alone, as a share of its length."""


def image(ax: Axes, values: np.ndarray, spec: Image, shown: Shown) -> None:
    """Draw the first channel of an image in grey, true to its spacing, with evidence over it and places framed."""
    _plane(ax, values[0], None if shown.evidence is None else shown.evidence.sum(0), spec.spacing_mm)
    look_at(ax, box_in_plane(shown.only), spec.size)
    for marked in shown.regions:
        if (box := box_in_plane(marked.region)) is not None:
            mark_box(ax, *box, marked)
    if spec.spacing_mm is not None:
        scale_bar(ax, spec.spacing_mm[1])
    ax.set_title(shown.caption, fontsize=8)


def volume(ax: Axes, values: np.ndarray, spec: Volume, shown: Shown) -> None:
    """Draw three planes of a volume's first channel side by side: through its middle, or that of the first place."""
    spacing = spec.spacing_mm
    first = shown.only or (shown.regions[0].region if shown.regions else None)
    for panel, (axis, name) in enumerate(zip(range(3), ("axial", "coronal", "sagittal"), strict=True)):
        inside = ax.inset_axes((0.34 * panel, 0.0, 0.32, 1.0))
        across = tuple(s for i, s in enumerate(spacing) if i != axis) if spacing else None
        at = middle(first, axis, values.shape[1 + axis])
        dense = None if shown.evidence is None else np.take(shown.evidence.sum(0), at, axis)
        plane = np.take(values[0], at, axis)
        _plane(inside, plane, dense, across)
        look_at(inside, box_in_plane(shown.only, axis), (plane.shape[0], plane.shape[1]))
        for marked in shown.regions:
            if (box := box_in_plane(marked.region, axis)) is not None:
                mark_box(inside, *box, marked)
        inside.set_title(name, fontsize=7)
    ax.set_axis_off()
    ax.set_title(shown.caption, fontsize=8, pad=14)


def middle(region: Region | None, axis: int, length: int) -> int:
    """Which plane across an axis goes through a region's middle; that of the volume where there is no such region."""
    # Seen from another axis, this one is a row or a column of the rectangle.
    box = box_in_plane(region, 2 if axis < 2 else 0)
    if box is None:
        return length // 2
    at = axis if axis < 2 else 1
    return (box[0][at] + box[1][at]) // 2


def signal(ax: Axes, values: np.ndarray, spec: Signal, shown: Shown) -> None:
    """Draw the channels of a signal below each other over seconds: evidence as shading behind them, places as boxes.

    Where places lie between frequencies it draws spectra instead.
    """
    if about_bands(shown):
        spectra(ax, values, spec, shown)
        return
    seconds = np.arange(values.shape[1]) / spec.rate_hz
    only = shown.only if isinstance(shown.only, TimeSpan) else None
    spans = [(m, m.region) for m in shown.regions if isinstance(m.region, TimeSpan)]
    boxes = [(m, span.channels, span.start_s, span.stop_s) for m, span in spans]
    _lines(ax, seconds, values, spec.channels, shown.evidence, boxes, only.channels if only else None)
    _look_along(ax, (only.start_s, only.stop_s) if only else None, (seconds[0], seconds[-1]))
    ax.set_xlabel("time (s)", fontsize=8)
    ax.set_title(shown.caption, fontsize=8)


def trajectory(ax: Axes, values: np.ndarray, spec: Trajectory, shown: Shown) -> None:
    """Draw the states of a trajectory below each other over seconds, and its actions below these, each from its least to its most."""
    seconds, dt = np.arange(values.shape[1]) * spec.dt_s, spec.dt_s
    only = shown.only if isinstance(shown.only, Steps) else None
    spans = [(m, m.region) for m in shown.regions if isinstance(m.region, Steps)]
    boxes = [(m, span.variables, span.start * dt, span.stop * dt) for m, span in spans]
    order = [spec.names.index(name) for name in (*spec.states, *spec.actions)]
    evidence = None if shown.evidence is None else shown.evidence[order]
    names = tuple(spec.names[at] for at in order)
    said = [f"{name}, action" if name in spec.actions else name for name in names]
    signs = [unit_sign(spec.units[at]) for at in order]
    labels = tuple(f"{one} ({sign})" if sign else one for one, sign in zip(said, signs, strict=True))
    rows = np.stack([_scaled(values[at]) for at in order])
    _lines(ax, seconds, rows, names, evidence, boxes, only.variables if only else None, labels)
    _look_along(ax, (only.start * dt, only.stop * dt) if only else None, (seconds[0], seconds[-1]))
    ax.set_xlabel("time (s)", fontsize=8)
    ax.set_title(shown.caption, fontsize=8)


def vector(ax: Axes, values: np.ndarray, spec: Vector, shown: Shown) -> None:
    """Write the values of a vector beside their names, coloured by their evidence; at most twelve."""
    evidence = shown.evidence
    order = np.arange(len(values)) if evidence is None else np.argsort(-np.abs(evidence), kind="stable")
    first = order[:12]
    for row, at in enumerate(first):
        unit = spec.units if isinstance(spec.units, str) else spec.units[at]
        colour = INK if evidence is None or evidence[at] == 0 else RAISES if evidence[at] > 0 else LOWERS
        text = (
            "missing"
            if np.isnan(values[at])
            else f"{values[at]:.3g}" + ("" if unit in ("", "1", "rating") else f" {unit}")
        )
        height = 1 - (row + 0.5) / max(len(first), 1)
        ax.text(0.6, height, spec.names[at], ha="right", va="center", fontsize=8, color=INK, transform=ax.transAxes)
        ax.text(0.64, height, text, ha="left", va="center", fontsize=8, color=colour, transform=ax.transAxes)
    ax.set_axis_off()
    more = f" ({len(values) - len(first)} more)" if len(values) > len(first) else ""
    ax.set_title(shown.caption + more, fontsize=8)


def words(ax: Axes, values: np.ndarray, spec: Any, shown: Shown) -> None:
    """Say of what kind an input is that the core cannot draw (graphs, token numbers): its plugin has no view for it."""
    ax.set_axis_off()
    said = f"no picture: {spec.kind} input"
    ax.text(0.5, 0.5, said, ha="center", va="center", fontsize=8, color=NEUTRAL, transform=ax.transAxes)
    ax.set_title(shown.caption, fontsize=8)


def named(ax: Axes, values: np.ndarray, spec: Any, shown: Shown) -> None:
    """Names of nodes, each after its role; of a pair of which a model knows links, these too."""
    if "links" in shown.network and len(values) == 2:
        neighbourhood(ax, values, spec, shown)
        return
    lines = [
        f"{role}: {spec.names[of][int(node)]}" for role, of, node in zip(spec.roles, spec.types, values, strict=True)
    ]
    ax.set_axis_off()
    ax.text(0.02, 0.5, "\n".join(lines), ha="left", va="center", fontsize=8, color=INK, transform=ax.transAxes)
    ax.set_title(shown.caption, fontsize=8)


def _plane(ax: Axes, values: np.ndarray, evidence: np.ndarray | None, spacing: tuple[float, ...] | None) -> None:
    aspect = spacing[0] / spacing[1] if spacing else 1.0
    ax.imshow(values, cmap="gray", interpolation="nearest", aspect=aspect)
    if evidence is not None:
        ax.imshow(evidence_layer(evidence), interpolation="nearest", aspect=aspect)
    frame(ax)


def _lines(
    ax: Axes,
    x: np.ndarray,
    rows: np.ndarray,
    names: tuple[str, ...],
    evidence: np.ndarray | None,
    boxes: list[tuple[Any, tuple[str, ...], float, float]],
    only: tuple[str, ...] | None,
    labels: tuple[str, ...] | None = None,
) -> None:
    from matplotlib.patches import Rectangle

    kept = [row for row, name in enumerate(names) if only is None or name in only] or list(range(len(names)))
    shown = rows[kept]
    known = shown[np.isfinite(shown)]
    spread = float(np.ptp(known)) if known.size and np.ptp(known) > 0 else 1.0
    layer = None if evidence is None else evidence_layer(evidence)
    for place, row in enumerate(kept):
        offset = -spread * place
        ax.plot(x, rows[row] + offset, color=INK, linewidth=0.7)
        first = rows[row][np.isfinite(rows[row])][:1]
        height = offset + float(first.sum())
        ax.text(
            0,
            height,
            f"{(labels or names)[row]} ",
            ha="right",
            va="center",
            fontsize=7,
            transform=ax.get_yaxis_transform(),
        )
        if layer is not None:
            edges = (x[0], x[-1], offset - spread / 2, offset + spread / 2)
            ax.imshow(layer[row][None], extent=edges, aspect="auto", interpolation="nearest", zorder=0)
        for marked, channels, start, stop in boxes:
            if names[row] in channels:
                colour, line = mark_style(marked.weight)
                low = offset - spread / 2
                box = Rectangle((start, low), stop - start, spread, facecolor=(*_rgb(colour), 0.12), edgecolor=colour)
                box.set(linestyle=line, linewidth=1.0, zorder=0.5)
                ax.add_patch(box)
                said = f" {marked.label}"
                ax.text(start, low + spread, said, fontsize=7, color=colour, va="top", clip_on=True)
    ax.set_ylim(-spread * (len(kept) - 0.5), 1.5 * spread)
    ax.set_yticks([])
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)


def _scaled(row: np.ndarray) -> np.ndarray:
    """From 0 to 1, as units differ between variables; 0 throughout where nothing changes."""
    known = row[np.isfinite(row)]
    low, wide = (float(known.min()), float(np.ptp(known))) if known.size else (0.0, 0.0)
    return (row - low) / (wide or 1.0)


def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)


def _look_along(ax: Axes, span: tuple[float, float] | None, whole: tuple[float, float]) -> None:
    if span is None:
        if whole[1] > whole[0]:
            ax.set_xlim(*whole)
        return
    around = AROUND * (span[1] - span[0])
    ax.set_xlim(max(whole[0], span[0] - around), min(whole[1], span[1] + around))
    for edge in span:
        ax.axvline(edge, color=NEUTRAL, linewidth=0.8, linestyle=":")


DEFAULT: dict[str, View] = {
    "image": image,
    "volume": volume,
    "signal": signal,
    "vector": vector,
    "trajectory": trajectory,
    "text": words,
    "graph": words,
    "nodes": named,
}
