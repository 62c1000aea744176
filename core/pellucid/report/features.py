"""Features of dictionaries as the report shows them: what each goes with, and where in new samples it is strongest."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.activations.dataset import ActivationsFolder
from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec
from pellucid.errors import DataError, PellucidError
from pellucid.heads.dictionaries.base import Dictionary
from pellucid.measures.spatial import LEAST_ACTIVE, morans_i
from pellucid.model import Model
from pellucid.protocols.base import FittedFold
from pellucid.protocols.dictionaries.codes import LABEL, dictionaries
from pellucid.protocols.dictionaries.features import DictionaryFeatures, association_in_words
from pellucid.protocols.dictionaries.placed import layer_of, over_positions
from pellucid.protocols.dictionaries.pooled import Pooled
from pellucid.report import figures, places
from pellucid.report.figures import Picture
from pellucid.report.folder import RunFolder
from pellucid.report.places import place
from pellucid.statistics.bootstrap import interval, subject_weights
from pellucid.statistics.ranking import auroc, spearman
from pellucid.unit_names import readable
from pellucid.views import Marked, Shown, view_for
from pellucid.views.patterns import Grid, draw_pattern

SHOWN = 8
"""Features of a dictionary that are shown."""

EACH = 3
"""Samples that are shown of a feature, of different subjects."""

NEAREST = 3

REPLICATES = 300

FEWEST_POSITIONS = 4
"""Positions of a layer below which a mean over each says nothing of where."""


@dataclass(frozen=True)
class Card:
    """One feature for the page."""

    name: str
    facts: tuple[tuple[str, str], ...]
    pictures: tuple[Picture, ...]


def gather(
    fold: FittedFold, assessment: DictionaryFeatures | None = None
) -> tuple[tuple[dict[str, Any], ...], dict[str, np.ndarray], str]:
    """Facts of the features that go with something most surely, and the inputs of the samples where they are strongest.

    Parameters
    ----------
    fold : FittedFold
    assessment : DictionaryFeatures, optional
        The study's own, so that cards are of the features that it counts.

    Returns
    -------
    facts : tuple of dict
        Plain values, one a feature.
    arrays : mapping of str to ndarray
        ``feature-source/<sample>/<input>``.
    problem : str
        Why no inputs can be shown, or empty.
    """
    parts = dictionaries(fold)
    if not parts or not (fold.dataset.spec.targets or fold.dataset.spec.concepts):
        return (), {}, ""
    folder = layer_of(fold.dataset)
    source, problem = _source(folder)
    cards: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    for part, model in parts.items():
        pooled = Pooled.of(model, fold.test(part))
        found = (assessment or DictionaryFeatures()).associated(pooled)
        shown = _shown(found)
        patterns = _patterns(model, fold.test(part), shown)
        for feature in shown:
            card = _facts(part, model, pooled, feature, found[feature], folder, len(found))
            cards.append(card | {"pattern": patterns.get(feature)})
            if source is not None:
                for one in card["strongest"]:
                    arrays |= _inputs(source, one["sample"])
    return tuple(cards), arrays, problem


def _shown(found: dict[int, tuple[str, float, float]]) -> list[int]:
    """The surest features: the surest of every label or rating first, then the second surest of each, and so on."""
    order = sorted(found, key=lambda feature: found[feature][2])
    turn: dict[int, int] = {}
    counts: dict[str, int] = {}
    for feature in order:
        name = found[feature][0]
        turn[feature] = counts.setdefault(name, 0)
        counts[name] += 1
    return sorted(order, key=lambda feature: turn[feature])[:SHOWN]


def _patterns(model: Model, test: Dataset, shown: list[int]) -> dict[int, dict[str, Any]]:
    """Mean code over the layer's positions, and Moran's I of it where there are places enough; nothing of one position."""
    folder = layer_of(test)
    if folder is None or int(np.prod(folder.shape)) < FEWEST_POSITIONS or not shown:
        return {}
    name = folder.document["source"]["input"]
    spec = None if name is None else folder.source_spec.inputs[name]
    try:
        placed = over_positions(model, test)
    except DataError:
        # Nobody knows which positions are neighbours: a bar each says little without it.
        return {}
    codes = placed.codes[:, shown]
    found = np.full(len(shown), np.nan)
    if len(codes) >= LEAST_ACTIVE:
        with warnings.catch_warnings():
            # A feature at few positions has no I, and the card says so.
            warnings.filterwarnings("ignore", message="of .* features", category=UserWarning)
            found = morans_i(codes, placed.neighbours)
    whole = np.full((int(np.prod(folder.shape)), len(shown)), np.nan)
    whole[placed.where[:, 0].astype(int)] = codes
    grid = Grid.of(spec, folder.shape).to_json()
    return {
        feature: {
            "grid": grid,
            "mean": [None if np.isnan(value) else float(value) for value in whole[:, at]],
            "i": float(found[at]) if np.isfinite(found[at]) else None,
            "places": len(codes),
        }
        for at, feature in enumerate(shown)
    }


def _facts(
    part: str, model: Model, pooled: Pooled, feature: int, goes_with: tuple[str, float, float],
    folder: ActivationsFolder | None, associated: int,
) -> dict[str, Any]:  # fmt: skip
    head = model.head
    assert isinstance(head, Dictionary)
    name, _, q = goes_with
    at = pooled.one_a_subject
    at = at[np.isfinite(pooled.attributes[name][at])]
    weights = subject_weights(pooled.subjects[at], replicates=REPLICATES)
    formula = auroc if name.startswith(LABEL) else spearman
    found = interval(
        lambda w: formula(pooled.attributes[name][at], pooled.codes[at, feature].astype(float), w), weights
    )
    directions = head.atoms / head.atoms.norm(dim=1, keepdim=True).clamp(min=1e-12)
    cosines = (directions @ directions[feature]).detach().numpy()
    near = [int(one) for one in np.argsort(-cosines) if one != feature][:NEAREST]
    strongest: list[dict[str, Any]] = []
    seen: set[str] = set()
    for sample in np.argsort(-pooled.codes[:, feature], kind="stable"):
        if len(strongest) == EACH or pooled.codes[sample, feature] <= 0:
            break
        if pooled.subjects[sample] in seen:
            continue
        seen.add(str(pooled.subjects[sample]))
        position = int(pooled.places[sample, feature])
        region = None if folder is None else folder.region(position)
        said = [n.removeprefix(LABEL) for n, v in pooled.attributes.items() if n.startswith(LABEL) and v[sample] == 1]
        strongest.append(
            {
                "sample": str(pooled.samples[sample]),
                "code": float(pooled.codes[sample, feature]),
                "region": places.region_to_json(region),
                "said": said,
            }
        )
    return {
        "part": part,
        "feature": feature,
        "associated": associated,
        "attributes": len(pooled.attributes),
        "goes_with": association_in_words(name, found.value),
        "low": found.low,
        "high": found.high,
        "q": q,
        "density": float(pooled.counts[feature] / pooled.rows),
        "samples": float((pooled.codes[:, feature] > 0).mean()),
        "nearest": [{"feature": one, "cosine": float(cosines[one])} for one in near],
        "strongest": strongest,
        "source": None if folder is None else json.loads(folder.source_spec.model_dump_json()),
        "input": None if folder is None else folder.document["source"]["input"],
    }


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
        region = places.region_from_json(one["region"])
        kept = {name: run.gallery.arrays.get(f"feature-source/{one['sample']}/{name}") for name in spec.inputs}
        for name, values in kept.items():
            # What the layer reads; other inputs stand beside it, as a lesion's outline does.
            if values is None or facts.get("input") not in (None, name):
                continue
            others = {other: value for other, value in kept.items() if other != name and value is not None}
            said = f", labelled {', '.join(one['said'])}" if one["said"] else ""
            whole = region is not None and places.covers(region, spec.inputs[name])
            # A cell of a picture says nothing without what lies around it; of a signal the rest would be too small to read.
            framed = spec.inputs[name].kind in ("image", "volume")
            marked = () if region is None else (Marked(region, 0.0, "" if framed else f"{one['code']:.2f}"),)
            shown = Shown(
                caption=f"{at + 1}. sample {one['sample']}",
                beside=others,
                regions=marked,
                only=None if whole or framed else region,
            )
            where = "" if region is None or whole else f" at {place(region)}"
            caption = f"Code {one['code']:.2f}{where}{said}."
            alt = f"{readable(name)} of sample {one['sample']}, where feature f{facts['feature']} is strongest{where}"
            found.append(
                figures.view_picture(view_for(spec, name), np.asarray(values), spec.inputs[name], shown, alt, caption)
            )
    return found


def _source(folder: ActivationsFolder | None) -> tuple[Dataset | None, str]:
    if folder is None:
        return None, ""
    try:
        return folder.source_data(), ""
    except PellucidError as error:
        return None, f"The samples behind features cannot be shown: {error}"


def _inputs(source: Dataset, sample: str) -> dict[str, np.ndarray]:
    import pandas as pd

    at = int(source.frame.index.astype(str).get_indexer(pd.Index([sample]))[0])
    opened = source[at]
    return {f"feature-source/{sample}/{name}": opened.with_gaps(name) for name in opened.inputs}
