"""The table of codes: for each n-gram how often it occurs, what stands behind it, where it is, and which class it speaks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec
from pellucid.encoders.abilities import WithPatches
from pellucid.encoders.base import Encoder
from pellucid.model import batches
from pellucid.ngrams import NONE
from pellucid.protocols.audited import told
from pellucid.protocols.base import Context
from pellucid.protocols.codes.conclusions import CodesConclusions, classes_of
from pellucid.protocols.codes.selected import Coded, Selected, Vocabulary
from pellucid.protocols.codes.stretches import stretch_figure
from pellucid.regions import around
from pellucid.views import INK, LOWERS, NEUTRAL, RAISES
from pellucid.views.choice import view_for
from pellucid.views.contract import channels_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_IN = 1.25
"""Height of a row in inches."""

COLUMNS = (2.1, 2.6, 1.7, 1.9)
"""Widths: words, what stands behind it, where, odds."""

NAMED = 3
"""Channels of an n-gram that are named, the commonest."""


@torch.no_grad()
def table_of(
    spec: DataSpec, encoder: Encoder, name: str, train: Dataset, vocabulary: Vocabulary, test: Coded,
    chosen: Mapping[str, Selected],
) -> dict[str, Any]:  # fmt: skip
    """What the table shows, as plain values: of training samples what stands behind each n-gram, of test samples where it is."""
    grams = test.grams
    batch, _ = next(batches(train.subset(np.arange(1))))
    regions = encoder.eval()(batch).tokens[name].regions
    input = next(iter(encoder.config.inputs))
    first: list[tuple[str, ...]] = [getattr(region, "channels", ()) for region in regions[:: grams.line]]
    channels = [name for some in first if len(some) == 1 for name in some]
    patterns = _Patterns(encoder, train, vocabulary.train) if isinstance(encoder, WithPatches) and name == "" else None
    rows = []
    for one, selected in chosen.items():
        for key, odds, start in zip(selected.keys, selected.odds, selected.starts, strict=True):
            length = len(grams.codes_of(key))
            at = test.where(key).sum(0)
            lines = np.bincount(test.lines, at)
            row = {
                "class": one, "name": grams.name(key), "odds": odds, "times": float(at.sum()),
                "share": float(at.sum() / max(1.0, test.known.sum())),
                "lines": (lines / max(1.0, lines.sum())).tolist(),
                "at_start": float(at[test.starts == start].sum() / max(1.0, at.sum())),
            }  # fmt: skip
            if regions:
                row["where"] = (
                    around(regions[start : start + length]).without_channels().in_words(spec.inputs.get(input))
                )
            if patterns is not None:
                row |= patterns.of(key, start, length)
            rows.append(row)
    axis = {"axis": encoder.patch_axis, "values": encoder.patch_values} if isinstance(encoder, WithPatches) else {}
    return {"rows": rows, "channels": channels, "input": input, **axis}


class _Patterns:
    """Mean patches over training samples, of n-grams at the place where they mostly stand, and of all tokens there with a code."""

    def __init__(self, encoder: WithPatches, train: Dataset, coded: Coded) -> None:
        self.coded, self.positions = coded, encoder.patch_positions().double().numpy()
        self.values = torch.cat([encoder.patches(batch) for batch, _ in batches(train)]).numpy()
        # The shortest n-grams come first, a token each. What is not known is drawn as nothing, and is not what is usual.
        self.known = (coded.keys[:, : self.values.shape[1]] != NONE).double().numpy()

    def of(self, key: int, start: int, length: int) -> dict[str, Any]:
        grams, line = self.coded.grams, self.coded.grams.line
        lines = self.values.shape[1] // line
        found = self.coded.where(key)
        here = [
            (at, place.line)
            for at, place in enumerate(grams.occurrences)
            if place.start == start and place.length == length
        ]
        total = np.zeros((length, self.values.shape[2]))
        for at, number in here:
            tokens = slice(number * line + start, number * line + start + length)
            total += np.einsum("n,ntv->tv", found[:, at], self.values[:, tokens])
        count = sum(found[:, at].sum() for at, _ in here)
        there = self.known.reshape(len(self.known), lines, line)[:, :, start : start + length]
        every = self.values.reshape(len(self.values), lines, line, -1)[:, :, start : start + length]
        usual = np.einsum("nlt,nltv->tv", there, every) / there.sum((0, 1)).clip(min=1)[:, None]
        positions = self.positions[start : start + length]
        real = np.isfinite(positions).ravel()
        return {
            "positions": positions.ravel()[real].tolist(),
            "pattern": (total / max(1.0, count)).ravel()[real].tolist(),
            "usual": usual.ravel()[real].tolist(),
        }


def code_table(rows: pd.DataFrame, part: str, context: Context, replicates: int) -> dict[str, Figure]:
    """By caption, for each class the n-grams of the first fold that speak most for it, and the signals behind them."""
    fold = rows["fold"].min() if "fold" in rows else 0
    own = rows[rows["fold"] == fold] if "fold" in rows else rows
    kept = told(own, "table")[0]
    conclusions = CodesConclusions(own, part, context, replicates)
    found = {}
    for one in classes_of(context.spec.target(context.target)):
        entries = [entry for entry in kept["rows"] if entry["class"] == one]
        if entries:
            caption = (
                f"N-grams of codes of “{part}” that speak most for “{one}”, chosen among the training {context.several}"
            )
            found[caption] = _drawn(kept, entries, one, conclusions, context)
            found |= stretch_figure(own, part, one, context)
    return found


def _drawn(
    kept: Mapping[str, Any], entries: list[dict[str, Any]], one: str, conclusions: CodesConclusions, context: Context
) -> Figure:
    from matplotlib.figure import Figure

    behind = "pattern" in entries[0]
    widths = [width for at, width in enumerate(COLUMNS) if behind or at != 1]
    figure = Figure(figsize=(sum(widths), ROW_IN * len(entries) + 0.5), layout="constrained")
    axes = figure.subplots(len(entries), len(widths), squeeze=False, width_ratios=widths)
    spans = _intervals(one, len(entries), conclusions)
    ends = [one for entry, span in zip(entries, spans, strict=True) for one in (0.0, entry["odds"], *span)]
    room = 0.1 * (np.nanmax(ends) - np.nanmin(ends))
    limits = (np.nanmin(ends) - room, np.nanmax(ends) + room)
    for row, (entry, span) in enumerate(zip(entries, spans, strict=True)):
        last = row == len(entries) - 1
        panels = list(axes[row])
        _words(panels.pop(0), entry, tuple(kept["channels"]))
        if behind:
            _pattern(panels.pop(0), entry, kept, last)
        _where(panels.pop(0), entry, kept, context)
        _odds(panels.pop(0), entry, span, limits, last)
    titles = ["n-gram", kept.get("values", ""), "where it is", f"log odds of “{one}”"]
    for ax, title in zip(axes[0], titles if behind else [titles[0], *titles[2:]], strict=True):
        ax.set_title(title, fontsize=8, loc="left")
    return figure


def _intervals(one: str, count: int, conclusions: CodesConclusions) -> list[tuple[float, float, float]]:
    """Log odds of each n-gram among the test subjects, with an interval."""
    grams, label = conclusions.column("grams"), conclusions.column(f"label:{one}")
    vocabulary = float(conclusions.once_a_fold("vocabulary").mean())
    found = []
    for rank in range(count):
        times = conclusions.column(f"times:{rank}:{one}")

        def odds(weights: np.ndarray, times: np.ndarray = times) -> np.ndarray:
            sides = [
                np.log((weights @ (times * side) + 1) / (weights @ (grams * side) + vocabulary))
                for side in (label, 1 - label)
            ]
            return np.asarray(sides[0] - sides[1])

        value, low, high = conclusions.interval(odds)
        found.append((value, low, high))
    return found


def _words(ax: Axes, entry: Mapping[str, Any], channels: tuple[str, ...]) -> None:
    ax.set_axis_off()
    told = [f"{entry['times']:.0f} times, {entry['share']:.2%} of all n-grams"]
    if entry.get("where"):
        told.append(f"{entry['at_start']:.0%} of them at {entry['where']}")
    if len(channels) == len(entry["lines"]):
        best = [at for at in np.argsort(-np.asarray(entry["lines"]), kind="stable")[:NAMED] if entry["lines"][at] > 0]
        told.append(", ".join(f"{channels[at]} {entry['lines'][at]:.0%}" for at in best))
    ax.text(0.0, 0.95, entry["name"], fontsize=9, weight="bold", va="top", transform=ax.transAxes)
    ax.text(0.0, 0.68, "\n".join(told), fontsize=7, va="top", linespacing=1.6, transform=ax.transAxes)


def _pattern(ax: Axes, entry: Mapping[str, Any], kept: Mapping[str, Any], last: bool) -> None:
    ax.plot(entry["positions"], entry["usual"], color=NEUTRAL, linewidth=1.0, linestyle="--")
    ax.plot(entry["positions"], entry["pattern"], color=INK, linewidth=1.4)
    ax.set_ylim(bottom=0)
    ax.tick_params(labelsize=6)
    ax.locator_params(axis="y", nbins=3)
    if last:
        ax.set_xlabel(f"{kept['axis']}\nline: this n-gram, dashes: all that is there", fontsize=7)


def _where(ax: Axes, entry: Mapping[str, Any], kept: Mapping[str, Any], context: Context) -> None:
    """Share of the occurrences in each channel: as the input's own view draws channels, else as bars."""
    shares, channels = np.asarray(entry["lines"], float), tuple(kept["channels"])
    draw = channels_of(view_for(context.spec, kept["input"])) if len(channels) == len(shares) else None
    if draw is None or not draw(ax, shares, channels):
        ax.bar(np.arange(len(shares)), shares, color=LOWERS)
        ax.set_ylim(bottom=0)
        if len(channels) == len(shares) <= 12:
            ax.set_xticks(np.arange(len(shares)), channels, fontsize=6)
        ax.tick_params(labelsize=6)
        ax.locator_params(axis="y", nbins=3)


def _odds(
    ax: Axes, entry: Mapping[str, Any], span: tuple[float, float, float], limits: tuple[float, float], last: bool
) -> None:
    value, low, high = span
    ax.barh(0, value, color=RAISES if value > 0 else LOWERS, height=0.5)
    if np.isfinite(low):
        ax.plot([low, high], [0, 0], color=INK, linewidth=1.4)
    ax.plot(entry["odds"], 0, marker="D", markersize=5, markerfacecolor="white", markeredgecolor=INK)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_xlim(*limits)
    ax.set_ylim(-0.9, 0.9)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.tick_params(labelsize=6)
    if last:
        ax.set_xlabel("bar: these, with interval\ndiamond: training subjects", fontsize=7)
