"""Cards of features: what was gathered of each, in words and pictures for the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.data.spec import DataSpec
from pellucid.measures.spatial import LEAST_ACTIVE
from pellucid.regions import region_from_json
from pellucid.report import figures
from pellucid.report.figures import Picture
from pellucid.report.folder import RunFolder
from pellucid.unit_names import readable
from pellucid.views import Marked, Shown, view_for
from pellucid.views.patterns import Grid, draw_pattern


@dataclass(frozen=True)
class Card:
    """One feature for the page."""

    name: str
    facts: tuple[tuple[str, str], ...]
    pictures: tuple[Picture, ...]


def cards(run: RunFolder) -> dict[str, tuple[Card, ...]]:
    """Cards of each dictionary, in the study's order."""
    found: dict[str, list[Card]] = {}
    for facts in run.gallery.features:
        found.setdefault(facts["part"], []).append(_card(run, facts))
    return {part: tuple(found[part]) for part in run.tags if part in found}


def _card(run: RunFolder, facts: Mapping[str, Any]) -> Card:
    ends = f" (95 % interval {facts['low']:.2f} to {facts['high']:.2f}), q {facts['q']:.1g}"
    near = ", ".join(f"f{one['feature']} ({one['cosine']:.2f})" for one in facts["nearest"])
    told = [
        ("Goes with", f"{facts['goes_with']}{ends}{_of_several(facts, run.spec.group_word[1])}"),
        ("Active in", f"{facts['density']:.1%} of all positions, {facts['samples']:.0%} of the samples"),
        ("Nearest features", f"{near} (cosine)"),
    ]
    # Folders of earlier versions have no pattern.
    pattern = facts.get("pattern")
    pictures = _pictures(run, facts)
    if pattern is not None:
        told.append(("Over the layer", _pattern_in_words(pattern)))
        pictures.append(_pattern_picture(facts["feature"], pattern))
    return Card(f"f{facts['feature']}", tuple(told), tuple(pictures))


def _of_several(facts: Mapping[str, Any], subjects: str) -> str:
    """That the strongest of several is stronger where it was found than it will be elsewhere."""
    several = facts.get("attributes", 1)
    which = f"the surest of {several} labels or ratings" if several > 1 else "one of the surest features"
    return f"; {which}, chosen on the same {subjects}, so expect less of others"


def _pattern_in_words(pattern: Mapping[str, Any]) -> str:
    """How alike neighbouring positions are, in words.

    Examples
    --------
    >>> _pattern_in_words({"i": 0.8213, "places": 124})
    "Moran's I 0.82 over 124 positions (1: neighbours are alike; 0: no pattern; below: they differ)"
    """
    if pattern["i"] is not None:
        scale = "1: neighbours are alike; 0: no pattern; below: they differ"
        return f"Moran's I {pattern['i']:.2f} over {pattern['places']} positions ({scale})"
    if pattern["places"] < LEAST_ACTIVE:
        return f"{pattern['places']} positions are too few to ask for a pattern"
    return f"active at too few of {pattern['places']} positions to ask for a pattern, or everywhere alike"


def _pattern_picture(feature: int, pattern: Mapping[str, Any]) -> Picture:
    grid = Grid.from_json(pattern["grid"])
    values = np.array([np.nan if value is None else value for value in pattern["mean"]], float)
    return figures.picture(
        lambda figure: draw_pattern(figure.add_subplot(), values, grid),
        grid.size_in,
        f"Mean code of feature f{feature} at each position of the layer",
        "Mean code at each position of the layer, over all test samples.",
    )


def _pictures(run: RunFolder, facts: Mapping[str, Any]) -> list[Picture]:
    if facts["source"] is None:
        return []
    spec = DataSpec.model_validate(facts["source"])
    found = []
    for at, one in enumerate(facts["strongest"]):
        region = region_from_json(one["region"])
        kept = {name: run.gallery.arrays.get(f"feature-source/{one['sample']}/{name}") for name in spec.inputs}
        for name, values in kept.items():
            # What the layer reads; other inputs stand beside it, as a lesion's outline does.
            if values is None or facts.get("input") not in (None, name):
                continue
            others = {other: value for other, value in kept.items() if other != name and value is not None}
            said = f", labelled {', '.join(one['said'])}" if one["said"] else ""
            whole = region is not None and region.covers(spec.inputs[name])
            # A cell of a picture says nothing without what lies around it; of a signal the rest would be too small to read.
            framed = spec.inputs[name].kind in ("image", "volume")
            marked = () if region is None else (Marked(region, 0.0, "" if framed else f"{one['code']:.2f}"),)
            shown = Shown(
                caption=f"{at + 1}. sample {one['sample']}",
                beside=others,
                regions=marked,
                only=None if whole or framed else region,
            )
            where = "" if region is None or whole else f" at {region.in_words(spec.inputs[name])}"
            caption = f"Code {one['code']:.2f}{where}{said}."
            alt = f"{readable(name)} of sample {one['sample']}, where feature f{facts['feature']} is strongest{where}"
            found.append(
                figures.view_picture(view_for(spec, name), np.asarray(values), spec.inputs[name], shown, alt, caption)
            )
    return found
