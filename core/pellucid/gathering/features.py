"""What the report says of features of dictionaries, gathered inside a fold: what each goes with, and where it is strongest."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np

from pellucid.activations.dataset import ActivationsFolder
from pellucid.data.dataset import Dataset
from pellucid.errors import DataError, PellucidError
from pellucid.heads.dictionaries.base import Dictionary
from pellucid.measures.dictionaries.matching import cosines
from pellucid.measures.spatial import LEAST_ACTIVE, morans_i
from pellucid.model import Model
from pellucid.protocols.base import FittedFold
from pellucid.protocols.dictionaries.codes import LABEL, dictionaries
from pellucid.protocols.dictionaries.features import DictionaryFeatures, association_in_words
from pellucid.protocols.dictionaries.places.placed import layer_of, over_positions
from pellucid.protocols.dictionaries.pooled import Pooled
from pellucid.regions import region_to_json
from pellucid.statistics.bootstrap import interval, subject_weights
from pellucid.statistics.ranking import auroc, spearman
from pellucid.views.patterns import Grid

SHOWN = 8
"""Features of a dictionary that are shown."""

EACH = 3
"""Samples that are shown of a feature, of different subjects."""

NEAREST = 3
"""Features that are named as the nearest of one."""

REPLICATES = 300
"""Resamplings of subjects behind the interval of a card: it is read to two digits."""

FEWEST_POSITIONS = 4
"""Positions of a layer below which a mean over each says nothing of where."""


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
    facts: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    for part, model in parts.items():
        pooled = Pooled.of(model, fold.test(part), seed=fold.seed)
        found = (assessment or DictionaryFeatures()).associated(pooled)
        shown = _shown(found)
        patterns = _patterns(model, fold.test(part), shown)
        for feature in shown:
            one = _facts(part, model, pooled, feature, found[feature], folder)
            facts.append(one | {"associated": len(found), "pattern": patterns.get(feature)})
            if source is not None:
                for strongest in one["strongest"]:
                    arrays |= _inputs(source, strongest["sample"])
    return tuple(facts), arrays, problem


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
    part: str, model: Model, pooled: Pooled, feature: int, goes_with: tuple[str, float, float], folder: ActivationsFolder | None
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
    return {
        "part": part,
        "feature": feature,
        "attributes": len(pooled.attributes),
        "goes_with": association_in_words(name, found.value),
        "low": found.low,
        "high": found.high,
        "q": q,
        "density": float(pooled.counts[feature] / pooled.rows),
        "samples": float((pooled.codes[:, feature] > 0).mean()),
        "nearest": _nearest(head, feature),
        "strongest": _strongest(pooled, feature, folder),
        "source": None if folder is None else json.loads(folder.source_spec.model_dump_json()),
        "input": None if folder is None else folder.document["source"]["input"],
    }


def _nearest(head: Dictionary, feature: int) -> list[dict[str, Any]]:
    """The features whose atoms point most nearly the same way."""
    similar = cosines(head.atoms, head.atoms[[feature]])[:, 0].numpy()
    near = [int(one) for one in np.argsort(-similar) if one != feature][:NEAREST]
    return [{"feature": one, "cosine": float(similar[one])} for one in near]


def _strongest(pooled: Pooled, feature: int, folder: ActivationsFolder | None) -> list[dict[str, Any]]:
    """The samples where a feature is strongest, one a subject: where in them, and what people said of them."""
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    for sample in np.argsort(-pooled.codes[:, feature], kind="stable"):
        if len(found) == EACH or pooled.codes[sample, feature] <= 0:
            break
        if pooled.subjects[sample] in seen:
            continue
        seen.add(str(pooled.subjects[sample]))
        region = None if folder is None else folder.region(int(pooled.places[sample, feature]))
        said = [n.removeprefix(LABEL) for n, v in pooled.attributes.items() if n.startswith(LABEL) and v[sample] == 1]
        found.append(
            {
                "sample": str(pooled.samples[sample]),
                "code": float(pooled.codes[sample, feature]),
                "region": region_to_json(region),
                "said": said,
            }
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
