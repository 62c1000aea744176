"""Sections of the report that are pictures: curves of protocols, whole models, learnt codes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import plugins
from pellucid.data.spec import COVARIATES
from pellucid.errors import PellucidError
from pellucid.part import configured
from pellucid.protocols.audited import EARLIER
from pellucid.report import figures
from pellucid.report.counted import Counted, counted_units
from pellucid.report.figures import Picture
from pellucid.report.folder import RunFolder
from pellucid.unit_names import distinct, measured, readable, unit_sign
from pellucid.views import DEFAULT, Shown, View, is_to_scale, view_for
from pellucid.wording import number

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pellucid.heads.base import HeadTags

TOP_CURVES = 9


@dataclass(frozen=True)
class Whole:
    """What one interpretable model does in general."""

    part: str
    output: str
    importance: Picture
    curves: tuple[Picture, ...]
    is_function: bool
    first_fold: str = ""
    """Why it is about the first fold alone, where it is."""
    counted: Counted | None = None
    """What it counts, one by one, where it counts."""
    cases_counted: str = ""
    """How many of all test cases it is about, where those are not all."""


def protocol_figures(run: RunFolder) -> tuple[dict[str, list[Picture]], list[str]]:
    """Figures that assessments draw of their rows, by protocol, and why some could not be drawn."""
    import matplotlib as mpl

    found: dict[str, list[Picture]] = {}
    problems = []
    for name, rows in run.rows().items():
        if any(str(column).startswith(EARLIER) for column in rows):
            problems.append(
                f"The figures of {name} are left out: the run was made by an earlier version, whose rows "
                "are not read any more; run the study again"
            )
            continue
        options = (run.document["study"].get("options") or {}).get(name, {})
        try:
            kind = plugins.load("protocol", name)
            with mpl.rc_context(figures.STYLE):
                protocol = kind(configured("protocol", name, kind.config_type, options))
                drawn = protocol.figures(rows, run.context)
        except PellucidError as error:
            problems.append(f"The figures of {name} are left out: {error}")
            continue
        found[name] = [figures.embedded(figure, f"Figure: {caption}", caption) for caption, figure in drawn.items()]
    return found, problems


def whole_models(run: RunFolder) -> list[Whole]:
    """Importance and curves of each model that is shown, from the explanations of all test cases."""
    found = []
    for part in run.shown:
        rows = run.explanations[run.explanations["part"] == part]
        # Another fold's prototypes are other samples, and its codes other codes: what they do cannot be put together.
        alone = run.tags[part].singly and not rows["comparable"].all()
        if alone:
            rows = rows[rows["fold"] == rows["fold"].min()]
        if len(rows):
            output = str(rows["target"].mode().iloc[0])
            own = rows[rows["target"] == output]
            whole = _whole(run, part, output, own, run.tags[part].family in ("function", "concept"))
            if alone:
                whole = replace(whole, first_fold=_first_fold(run, run.tags[part]))
            counts = [len(some[["fold", "sample"]].drop_duplicates()) for some in (own, rows)]
            found.append(
                replace(whole, cases_counted="" if len(set(counts)) == 1 else f"{counts[0]:,} of {counts[1]:,} cases")
            )
    return found


def _whole(run: RunFolder, part: str, output: str, rows: pd.DataFrame, is_function: bool) -> Whole:
    source, singly = rows["unit"].str.partition(":")[0], rows["comparable"].astype(bool) | run.tags[part].singly
    shown = rows.assign(shown=rows["unit"].where(singly, "learnt code of " + source))
    each = shown.groupby(["fold", "sample", "shown"], sort=False)["contribution"].sum().reset_index()
    # Within folds, as the models of two folds may start from different baselines.
    spread = (
        each.groupby(["shown", "fold"])["contribution"].std(ddof=0).groupby("shown").mean().sort_values(ascending=False)
    )
    # What adds nothing to any case, as most terms of an equation, is not shown, unless that is all there is.
    adds = (each["contribution"] != 0).groupby(each["shown"]).any()
    told_of = spread[adds[spread.index]] if adds.any() else spread
    units = units_of(run)
    names = distinct(measured(name, 0.0, units.get(name, ""))[0] for name in told_of.index[:12])
    told = ", ".join(f"{name} {number(width, 2)}" for name, width in zip(names, told_of, strict=False))
    bars = figures.picture(
        lambda figure: figures.importance(figure.add_subplot(), names, told_of.to_numpy()[:12]),
        (3.9, 0.26 * len(names) + 0.6),
        f"Bars, largest first: {told}",
    )
    curves = rows[rows["comparable"].astype(bool) & np.isfinite(rows["value"].to_numpy(float))]
    there = set(curves["unit"].unique())
    top = [unit for unit in told_of.index if unit in there][:TOP_CURVES]
    # One scale for all, and not that of a few far outliers.
    ends = curves[curves["unit"].isin(top)].groupby("unit")["contribution"].quantile([0.001, 0.999])
    edge = 0.08 * float(np.ptp(ends)) if len(ends) else 0.0
    limits = (float(ends.min()) - edge, float(ends.max()) + edge) if edge > 0 else (-1.0, 1.0)
    pictures = tuple(
        _curve(unit, units.get(unit, ""), curves[curves["unit"] == unit], is_function, limits) for unit in top
    )
    tags = run.tags[part]
    counted = counted_units(rows, list(spread.index), output, run.spec.inputs) if tags.counts else None
    return Whole(part, output, bars, pictures, is_function, counted=counted)


def _first_fold(run: RunFolder, tags: HeadTags) -> str:
    if run.explanations["fold"].nunique() < 2:
        return ""
    if tags.remembers:
        return "From the first fold: another fold compares with other training samples."
    return "From the first fold: another fold has codes of its own." if tags.counts else ""


def _curve(unit: str, measured_in: str, rows: pd.DataFrame, is_function: bool, limits: tuple[float, float]) -> Picture:
    logarithm = measured_in.startswith("ln ")
    name, _ = measured(unit, 0.0, measured_in)
    sign = unit_sign(measured_in)
    name = name.partition(" · ")[0] + (f" ({sign})" if sign and sign not in name.split() else "")
    if logarithm:
        rows = rows.assign(value=np.exp(rows["value"].to_numpy(float)))
    tenth = max(1, len(rows) // 10)
    low, high = rows.nsmallest(tenth, "value"), rows.nlargest(tenth, "value")
    alt = (
        f"{name}: lowest tenth of values ({low['value'].mean():.3g} on average) adds {low['contribution'].mean():+.2f}, "
        f"highest tenth ({high['value'].mean():.3g}) adds {high['contribution'].mean():+.2f}"
    )

    def draw(figure: Figure) -> None:
        ax = figure.add_subplot()
        figures.shape_function(ax, rows, is_function=is_function, limits=limits)
        if logarithm:
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter("{x:g}")
        ax.set_title("\n".join(textwrap.wrap(name, 28)), fontsize=8.5)

    return figures.picture(draw, (2.1, 1.65), alt)


def view_of(run: RunFolder, name: str) -> View:
    """The view of an input; the core's plain one where the plugin that has it is gone."""
    try:
        return view_for(run.spec, name)
    except PellucidError:
        # A report is rebuilt where the domain's plugin may be gone: its inputs are drawn plainly then.
        return DEFAULT[run.spec.input(name).kind]


def units_of(run: RunFolder) -> dict[str, str]:
    """Physical units of named numbers, by ``input:name``."""
    spec = run.spec
    found = dict(run.units)
    vectors: dict[str, Any] = {name: one for name, one in spec.inputs.items() if one.kind == "vector"}
    if spec.covariates is not None:
        vectors[COVARIATES] = spec.covariates
    prefixes = {name: [name] for name in vectors}
    for entry in run.document["study"].get("encoder") or ():
        reads = entry.get("inputs") or [entry.get("input", "")]
        prefixes |= {
            name: [*prefixes[name], entry.get("label") or "+".join(reads)] for name in reads if name in vectors
        }
    for source, one in vectors.items():
        for at, name in enumerate(one.names):
            unit = one.units if isinstance(one.units, str) else one.units[at]
            found |= {f"{prefix}:{name}": unit for prefix in prefixes[source]}
    return found


def traversals(run: RunFolder) -> list[tuple[str, Picture]]:
    """Decoded codes along the direction in which a model's output grows, one strip a model and input."""
    found = []
    for key, decoded in run.gallery.arrays.items():
        what, _, rest = key.partition("/")
        part, _, name = rest.rpartition("/")
        if what == "traversal" and part in run.tags and name in run.spec.inputs:
            found.append((part, _strip(run, part, name, decoded, run.gallery.arrays[f"traversal-sd/{part}/{name}"])))
    return found


def _strip(run: RunFolder, part: str, name: str, decoded: np.ndarray, steps: np.ndarray) -> Picture:
    spec, view = run.spec.input(name), view_of(run, name)
    captions = ["average" if step == 0 else f"{step:+g} SD" for step in steps]
    ends = f"from {steps[0]:+g} to {steps[-1]:+g} standard deviations"
    outputs = run.target.outputs
    grows = f"“{outputs[(len(outputs) - 1) // 2]}” of {part}" if len(outputs) > 1 else f"the output of {part}"
    alt = f"{readable(name)} decoded at {len(steps)} steps, {ends}, along the direction in which {grows} grows"
    if is_to_scale(view):
        drawn = [(view, values, spec, Shown(caption=said)) for values, said in zip(decoded, captions, strict=True)]
        return figures.scaled_picture(drawn, alt)
    wide = spec.kind != "image"

    def draw(figure: Figure) -> None:
        axes = figure.subplots(*((len(steps), 1) if wide else (1, len(steps))), squeeze=False).ravel()
        for ax, values, said in zip(axes, decoded, captions, strict=True):
            view(ax, values, spec, Shown(caption=said))
        _alike(list(axes))

    return figures.picture(draw, (3.9, 1.6 * len(steps)) if wide else (3.9, 1.3), alt)


def _alike(axes: Sequence[Axes]) -> None:
    """Give the pictures of a strip one frame and one scale of greys, or steps could not be compared."""
    rows = [[ax, *ax.child_axes] for ax in axes]
    for alike in zip(*rows, strict=True):
        images = [image for ax in alike for image in ax.images if image.get_array().ndim == 2]
        if not images:
            continue
        low, high = (pick(image.get_clim()[at] for image in images) for at, pick in ((0, min), (1, max)))
        for image in images:
            image.set_clim(low, high)
        left, right = min(ax.get_xlim()[0] for ax in alike), max(ax.get_xlim()[1] for ax in alike)
        bottom, top = max(ax.get_ylim()[0] for ax in alike), min(ax.get_ylim()[1] for ax in alike)
        for ax in alike:
            ax.set(xlim=(left, right), ylim=(bottom, top))
