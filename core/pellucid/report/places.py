"""Places of an input that a case's output rests on: found by filling them, kept as JSON, said in words, drawn as a frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from pellucid.explanation import Evidence
from pellucid.regions import Box, Region, Steps, TimeSpan, Voxels, Words
from pellucid.report.names import listed, number, plural
from pellucid.views import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor

    from pellucid.data.dataset import Dataset
    from pellucid.model import Model

PLACED = ("image", "volume", "signal", "trajectory")
"""Kinds of input whose places can be filled with what is usual there; tokens have no mean."""

TOP = 3
"""Strongest places kept of each input."""

_KINDS: Mapping[str, Any] = {kind.__name__: kind for kind in get_args(Region)}


def strongest_places(
    model: Model, samples: Dataset, targets: Sequence[str], usual: Callable[[str], Tensor]
) -> tuple[list[list[Evidence]], dict[str, np.ndarray]]:
    """Fill one place of an input after the other with what is usual there, and watch an output.

    Parameters
    ----------
    model : Model
    samples : Dataset
    targets : sequence of str, one a sample
        Which output is watched.
    usual : callable
        From an input's name to its mean over training samples, of the input's shape.

    Returns
    -------
    evidence : list of list of Evidence
        For each sample the strongest places of each input, strongest first; places that change nothing are left out.
    maps : dict of str to ndarray of float32, shape (sample, *input shape)
        By input, how much the output falls without each place.
    """
    from pellucid.attribution import region_map
    from pellucid.batch import collate

    evidence: list[list[Evidence]] = [[] for _ in range(len(samples))]
    maps: dict[str, np.ndarray] = {}
    read = {name: spec for _, encoder in model.named_encoders() for name, spec in encoder.config.inputs.items()}
    for name in sorted(name for name, spec in read.items() if spec.kind in PLACED):
        maps[name] = np.zeros((len(samples), *read[name].shape), np.float32)
        for target in dict.fromkeys(targets):
            at = np.flatnonzero(np.asarray(targets) == target)
            found = region_map(model, collate(samples, at), input=name, target=target, baseline=usual(name))
            maps[name][at] = found.values.numpy()
            for row, sample in enumerate(at):
                evidence[sample] += [
                    Evidence(name, region, text=_sentence(region, fall))
                    for region, fall in found.strongest(row, TOP)
                    if fall != 0
                ]
    return evidence, maps


def _sentence(region: Region, fall: float) -> str:
    way = "falls" if fall > 0 else "rises"
    return f"{place(region)}: filled with the training mean, the output {way} by {number(abs(fall), 2)}"


def place(region: Region) -> str:
    """Where a region is, in words; rows, columns, slices and steps are counted from 1.

    Examples
    --------
    >>> place(Box((8, 12), (12, 16))), place(TimeSpan(("II",), 0.5, 0.75))
    ('rows 9 to 12, columns 13 to 16', 'II from 0.5 s to 0.75 s')
    """
    if isinstance(region, Box):
        axes = ("slices", "rows", "columns")[-len(region.start) :]
        return ", ".join(_span(axis, *ends) for axis, *ends in zip(axes, region.start, region.stop, strict=True))
    if isinstance(region, TimeSpan):
        return f"{listed(region.channels)} from {region.start_s:.3g} s to {region.stop_s:.3g} s"
    if isinstance(region, Steps):
        return f"{listed(region.variables)}, {_span('steps', region.start, region.stop)}"
    if isinstance(region, Words):
        return _span("tokens", region.start, region.stop)
    return plural(len(region.indices), "voxel") if isinstance(region, Voxels) else plural(len(region.atoms), "atom")


def _span(several: str, start: int, stop: int) -> str:
    return f"{several} {start + 1} to {stop}" if stop - start > 1 else f"{several.removesuffix('s')} {stop}"


def to_json(evidence: Evidence) -> dict[str, Any]:
    """Plain values of one piece of evidence."""
    region = None if evidence.region is None else {"kind": type(evidence.region).__name__, **asdict(evidence.region)}
    return {"unit": evidence.unit, "region": region, "source": evidence.source, "text": evidence.text}


def from_json(data: Mapping[str, Any]) -> Evidence:
    """Inverse of :func:`to_json`."""
    from pydantic import TypeAdapter

    region = data["region"]
    if region is not None:
        plain = {name: value for name, value in region.items() if name != "kind"}
        region = TypeAdapter(_KINDS[region["kind"]]).validate_python(plain)
    return Evidence(data["unit"], region, data["source"], data["text"])


def frame_place(ax: Axes, region: Region | None) -> None:
    """Draw a broken line around a rectangle of an image; other regions are said in words alone."""
    if not isinstance(region, Box) or len(region.start) != 2 or not ax.images:
        return
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    (top, left), (bottom, right) = region.start, region.stop
    # Pixels are drawn around whole numbers.
    around = Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, edgecolor=INK, linestyle="--")
    around.set(linewidth=1.3, path_effects=[withStroke(linewidth=2.6, foreground="white")])
    ax.add_patch(around)
    # A view may have zoomed in.
    x, y = sorted(ax.get_xlim()), sorted(ax.get_ylim())
    ax.set_xlim(min(x[0], left - 0.5), max(x[1], right - 0.5))
    ax.set_ylim(max(y[1], bottom - 0.5), min(y[0], top - 0.5))
