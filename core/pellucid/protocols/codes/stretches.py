"""The stretches of signal behind n-grams of codes, as one mean picture each: the view of the input says of what and how."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from pellucid import plugins
from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec, Signal
from pellucid.encoders.base import Encoder
from pellucid.model import batches
from pellucid.protocols.audited import told
from pellucid.protocols.base import Context
from pellucid.protocols.codes.selected import Coded, Selected
from pellucid.regions import FrequencyBand, Region, TimeSpan, around
from pellucid.views.choice import view_for
from pellucid.views.stretches import DrawsStretches, Floats, MeanStretch, Measured, stretches_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CONTEXT = 1.0
"""What is drawn before and after a span of time, as a share of its length."""

AT_ONCE = 16
"""Samples that are measured at once."""

ACROSS, PANEL_IN = 3, (3.3, 2.5)
"""Pictures side by side, and the width and height of each in inches."""

DIGITS = 4
"""Digits that are kept of a mean."""


def stretch_view(spec: DataSpec, input: str, name: str) -> DrawsStretches | None:
    """How stretches of an input are drawn: by the registered view of this name, else by the input's own, where it can."""
    return stretches_of(plugins.load("view", name) if name else view_for(spec, input))


@torch.no_grad()
def mean_stretches(
    spec: DataSpec, encoder: Encoder, name: str, samples: Dataset, coded: Coded, chosen: Mapping[str, Selected], view: str
) -> dict[str, Any] | None:  # fmt: skip
    """What stands behind each chosen n-gram, averaged over its occurrences, as plain values.

    A code of a span of time has its stretch from :data:`CONTEXT` times its length before it to as much after it, as far as the
    sample reaches. A code of a band of frequency covers all of its sample's time, and what lies before and after a sample is not
    known: its stretch is the sample. Codes of a band are averaged in the band alone in which the n-gram mostly is.

    Parameters
    ----------
    samples : Dataset
        That ``coded`` are the codes of.
    chosen : mapping of str to Selected
        By class.
    view : str
        A registered view; empty for that of the input.

    Returns
    -------
    dict or None
        None where tokens are no places of a signal, or where no view draws stretches.
    """
    inputs = tuple(encoder.config.inputs)
    signal = spec.input(inputs[0])
    draws = stretch_view(spec, inputs[0], view) if len(inputs) == 1 and isinstance(signal, Signal) else None
    batch, _ = next(batches(samples.subset(np.arange(1))))
    regions = encoder.eval()(batch).tokens[name].regions
    if draws is None or not regions or not isinstance(regions[0], TimeSpan | FrequencyBand):
        return None
    sums = [
        (one, _Sum(coded, key, start, regions, signal))
        for one, selected in chosen.items()
        for key, start in zip(selected.keys, selected.starts, strict=True)
    ]
    total, times, first = np.zeros(0), np.zeros(0), 0
    levels: Floats = np.zeros(0)
    for batch, _ in batches(samples):
        known, values = encoder.known(batch), encoder.read(batch)
        x = values.double() if known is None else values.double().masked_fill(~known.bool(), torch.nan)
        for rows in np.array_split(x.cpu().numpy(), max(1, -(-len(x) // AT_ONCE))):
            found = draws.measure(rows.reshape(-1, rows.shape[-1]), signal)
            measured = found.values.reshape(*rows.shape[:2], *found.values.shape[1:])
            if not len(total):
                total, times, levels = (np.zeros(len(found.levels)), np.zeros(len(found.levels)), found.levels)
            total += np.nansum(measured, (0, 1, 3))
            times += np.isfinite(measured).sum((0, 1, 3))
            for _, one in sums:
                one.add(measured, found, first)
            first += len(rows)
    subjects = samples.subjects.astype(str)
    return {
        "input": inputs[0], "view": view, "levels": levels.tolist(), "usual": _rounded(total / np.maximum(times, 1)),
        "rows": [{"class": one, **found.plain(subjects)} for one, found in sums],
    }  # fmt: skip


class _Sum:
    """The sum over the stretches of one n-gram."""

    def __init__(self, coded: Coded, key: int, start: int, regions: Sequence[Region], spec: Signal) -> None:
        self.name, self.where = coded.grams.name(key), coded.where(key) > 0
        self.by_band = isinstance(regions[0], FrequencyBand)
        length, line = len(coded.grams.codes_of(key)), coded.grams.line
        self.places: list[tuple[int, list[int], Any]] = []
        for at, place in enumerate(coded.grams.occurrences):
            if place.length == length and (place.start == start or not self.by_band):
                begin = place.line * line + place.start
                region: Any = around(regions[begin : begin + length])
                self.places.append((at, [spec.channels.index(channel) for channel in region.channels], region))
        self.where = self.where & np.isin(np.arange(self.where.shape[1]), [at for at, _, _ in self.places])
        self.total: Floats = np.zeros(0)
        self.times: Floats = np.zeros(0)
        self.times_s: Floats = np.zeros(0)

    def add(self, measured: Floats, found: Measured, first: int) -> None:
        """Measured samples, shape (sample, channel, level, column), of which the first is that at ``first``."""
        for at, channels, region in self.places:
            here = np.flatnonzero(self.where[first : first + len(measured), at])
            cut, times_s = self._cut(measured[here][:, channels], found.times_s, region)
            if not self.total.size:
                self.total, self.times, self.times_s = np.zeros(cut.shape[2:]), np.zeros(cut.shape[2:]), times_s
            self.total += np.nansum(cut, (0, 1))
            self.times += np.isfinite(cut).sum((0, 1))

    def _cut(self, rows: Floats, times_s: Floats, region: Any) -> tuple[Floats, Floats]:
        """The stretch of a region out of rows, shape (..., column), and its time; NaN where it leaves them."""
        if self.by_band:
            return rows, times_s
        step_s = float(times_s[1] - times_s[0]) if len(times_s) > 1 else 1.0
        wide = max(1, round((region.stop_s - region.start_s) / step_s))
        beside = round(CONTEXT * wide)
        offsets = np.arange(-beside, wide + beside)
        # The first column whose middle is not before the span.
        begin = int(np.ceil((region.start_s - times_s[0]) / step_s - 1e-6))
        at = begin + offsets
        inside = (at >= 0) & (at < len(times_s))
        cut = np.where(inside, rows[..., np.clip(at, 0, len(times_s) - 1)], np.nan)
        return cut, times_s[0] + at * step_s - region.start_s

    def plain(self, subjects: npt.NDArray[Any]) -> dict[str, Any]:
        """The mean, what it covers, and over how many stretches and subjects it is."""
        region = self.places[0][2]
        ends = (region.low_hz, region.high_hz) if self.by_band else (0.0, region.stop_s - region.start_s)
        mean = np.where(self.times > 0, self.total / np.maximum(self.times, 1), np.nan)
        return {
            "name": self.name, "by_band": self.by_band, "covered": [float(one) for one in ends],
            "times_s": _rounded(self.times_s), "mean": [_rounded(one) for one in mean],
            "stretches": int(self.where.sum()), "subjects": len(np.unique(subjects[self.where.any(1)])),
        }  # fmt: skip


def _rounded(values: Floats) -> list[float | None]:
    return [float(f"{one:.{DIGITS}g}") if np.isfinite(one) else None for one in values]


def stretch_figure(rows: pd.DataFrame, part: str, one: str, context: Context) -> dict[str, Figure]:
    """One figure of the n-grams of a class, by caption; none where there is no view that draws stretches."""
    from matplotlib.figure import Figure

    kept: dict[str, Any] = (told(rows, "stretches") or [{}])[0] or {}
    entries = [entry for entry in kept.get("rows", ()) if entry["class"] == one and entry["stretches"]]
    draws = stretch_view(context.spec, kept["input"], kept["view"]) if entries else None
    if draws is None:
        return {}
    across = min(ACROSS, len(entries))
    down = -(-len(entries) // across)
    figure = Figure(figsize=(across * PANEL_IN[0], down * PANEL_IN[1]), layout="constrained")
    axes = list(figure.subplots(down, across, squeeze=False).ravel())
    draws.draw(axes[: len(entries)], [_mean(entry, kept, context) for entry in entries])
    for ax in axes[len(entries) :]:
        ax.set_axis_off()
    covers = (
        "band that the n-gram covers; its codes cover the whole time of a sample"
        if entries[0]["by_band"]
        else ("time that the n-gram covers")
    )
    caption = (
        f"Signals behind the n-grams of “{part}” that speak most for “{one}”, among the {context.spec.group_word[1]} nothing was learnt "
        f"from. {draws.about(context.spec.input(kept['input']))} Lines: the {covers}."
    )
    return {caption: figure}


def _mean(entry: Mapping[str, Any], kept: Mapping[str, Any], context: Context) -> MeanStretch:
    low, high = entry["covered"]
    one, several = context.spec.group_word
    count, subjects = entry["stretches"], entry["subjects"]
    counted = f"{count:,} stretch{'es' if count > 1 else ''}, {subjects:,} {one if subjects == 1 else several}"
    return MeanStretch(
        np.array(entry["mean"], float), np.array(kept["usual"], float), np.array(kept["levels"], float),
        np.array(entry["times_s"], float), FrequencyBand((), low, high) if entry["by_band"] else TimeSpan((), low, high),
        "\n".join([textwrap.shorten(entry["name"], 36), counted]),
    )  # fmt: skip
