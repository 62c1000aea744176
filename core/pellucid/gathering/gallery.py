"""What the report shows of single cases, gathered inside each fold so that every case shown is a test case."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.data.graphs import Graphs
from pellucid.errors import ContractError
from pellucid.explanation import Evidence
from pellucid.files import write_json, writing
from pellucid.gathering import places
from pellucid.gathering.explained import explanation_rows
from pellucid.gathering.lots import drawn, drawn_cases, group_of, with_cases

if TYPE_CHECKING:
    import pandas as pd

    from pellucid.data.dataset import Dataset
    from pellucid.protocols.base import Context, FittedFold

OF_GRAPH = " of graph: "
"""Between the name of a kept graph and that of an array that it is made of."""

REASONS = 3
"""Contributions of a case of which it is shown what they point at."""


@dataclass(frozen=True)
class Gallery:
    """Cases, and pictures of a whole model.

    Parameters
    ----------
    cases : tuple of dict
        Plain values, one a case: part, fold, sample, kind, group, lot, target (the output explained), label, predicted,
        probability, threshold, covariates, concepts. Of several labels, as ``labels`` those that the case has (None where
        none is known) and as ``said`` the probabilities of all. As ``evidence`` the strongest places of its inputs, found by
        filling them; and as ``reasons`` what the strongest contributions point at by the head's own account, each with
        ``adds`` and, for a training sample that the case looks like, ``source_label``.
    arrays : mapping of str to ndarray
        ``case/<sample>/<input>`` and ``source/<sample>/<input>`` (NaN where masked; graphs as such),
        ``evidence/<part>/<sample>/<input>`` of the same shape (one number a node of a graph),
        ``network/<part>/<sample>/<input>/<array>`` (see :func:`~pellucid.attribution.network.network_around`),
        ``feature-source/<sample>/<input>``, and ``traversal/<part>/<input>`` of shape (step, *input shape) with
        ``traversal-sd/<part>/<input>``.
    features : tuple of dict
        Features of dictionaries; see :func:`~pellucid.gathering.features.gather`.
    problem : str
        Why something could not be gathered, or empty.
    """

    cases: tuple[dict[str, Any], ...] = ()
    arrays: Mapping[str, Any] = field(default_factory=dict)
    features: tuple[dict[str, Any], ...] = ()
    problem: str = ""

    def save(self, folder: Path) -> None:
        """Write ``gallery.json`` and ``gallery.npz``."""
        with writing(folder / "gallery.npz") as temporary, temporary.open("wb") as file:
            arrays: dict[str, Any] = dict(_flat(self.arrays))
            np.savez_compressed(file, **arrays)
        write_json(folder / "gallery.json", {"cases": self.cases, "features": self.features, "problem": self.problem})

    @classmethod
    def load(cls, folder: Path) -> Gallery:
        """Read what :meth:`save` wrote; an empty gallery if there is none."""
        if not (folder / "gallery.json").is_file() or not (folder / "gallery.npz").is_file():
            return cls()
        said = json.loads((folder / "gallery.json").read_text("utf-8"))
        with np.load(folder / "gallery.npz", allow_pickle=False) as arrays:
            kept = {name: arrays[name] for name in arrays.files}
        return cls(tuple(said["cases"]), _whole(kept), tuple(said.get("features", ())), said.get("problem", ""))

    @classmethod
    def joined(cls, folds: Iterable[Gallery]) -> Gallery:
        """The galleries of all folds as one: again the smallest lots of each kind, and the first fold's whole-model pictures."""
        kinds: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        arrays: dict[str, Any] = {}
        features: tuple[dict[str, Any], ...] = ()
        problem = ""
        for fold in folds:
            features, problem = features or fold.features, problem or fold.problem
            for case in fold.cases:
                kinds[case["part"], group_of(case)].append(case)
            arrays = {**fold.arrays, **arrays}
        cases = tuple(case for some in kinds.values() for case in drawn(some))
        kept = {("case", case["sample"]) for case in cases} | {(case["part"], case["sample"]) for case in cases}
        kept |= {("source", one["source"]) for case in cases for one in case.get("reasons", ()) if one["source"]}
        kept |= {("feature-source", one["sample"]) for facts in features for one in facts["strongest"]}
        return cls(cases, {name: array for name, array in arrays.items() if _belongs(name, kept)}, features, problem)


def _flat(arrays: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    """Graphs as the arrays that they are made of, under names of their own."""
    for name, values in arrays.items():
        if isinstance(values, Graphs):
            yield from ((f"{name}{OF_GRAPH}{part}", one) for part, one in values.arrays().items())
        else:
            yield name, values


def _whole(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Inverse of :func:`_flat`."""
    found: dict[str, Any] = {}
    parts: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    for name, values in arrays.items():
        of, cut, part = name.partition(OF_GRAPH)
        if cut:
            parts[of][part] = values
        else:
            found[name] = values
    return found | {name: Graphs(**own) for name, own in parts.items()}


def collect(fold: FittedFold, context: Context, rows: pd.DataFrame | None = None) -> Gallery:
    """Gather the cases of one fold, and in the first fold the pictures of whole models.

    Parameters
    ----------
    fold : FittedFold
    context : Context
    rows : DataFrame, optional
        What :func:`explanation_rows` gave for this fold, so that nothing is computed twice.
    """
    import pandas as pd

    from pellucid.attribution import training_mean
    from pellucid.attribution.counted import counted_inputs
    from pellucid.attribution.network import network_around
    from pellucid.gathering.latent import traversals

    rows = explanation_rows(fold) if rows is None else rows
    if not fold.target:
        return Gallery()
    rows = rows[rows["part"].isin(with_cases(context.predictors))]
    target = fold.dataset.spec.target(fold.target)
    train = fold.train
    # One pass over the training samples an input, whatever the number of models that read it.
    usual = cache(lambda name: training_mean(train, name))
    cases: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    for part, some in rows.groupby("part", sort=False):
        model, samples = fold.models[str(part)], fold.test(str(part))
        chosen = drawn_cases(target, str(part), some, context.seed)
        at = samples.frame.index.get_indexer(pd.Index([case["sample"] for case in chosen]))
        for case, sample in zip(chosen, (samples[int(i)] for i in at), strict=True):
            arrays |= {f"case/{case['sample']}/{name}": sample.with_gaps(name) for name in sample.inputs}
        shown = samples.subset(at)
        evidence, maps = places.strongest_places(model, shown, [case["target"] for case in chosen], usual)
        maps |= places.own_places(model, shown, [case["target"] for case in chosen])
        for name, dense in maps.items():
            for case, one in zip(chosen, dense, strict=True):
                drawn_over = arrays[f"case/{case['sample']}/{name}"]
                # Graphs have different numbers of nodes, and a table of them is filled up with zeros.
                size = len(drawn_over.nodes) if isinstance(drawn_over, Graphs) else len(one)
                arrays[f"evidence/{part}/{case['sample']}/{name}"] = one[:size]
        around = network_around(model, shown, [case["target"] for case in chosen])
        for case, by_input in zip(chosen, around, strict=True):
            for name, known in by_input.items():
                arrays |= {f"network/{part}/{case['sample']}/{name}/{what}": one for what, one in known.items()}
        counted = counted_inputs(model, shown)
        reasons = [
            _reasons(fold, str(part), some[some["sample"] == case["sample"]], _places(shown, row, counted))
            for row, case in enumerate(chosen)
        ]
        for source in {one["source"] for told in reasons for one in told if one["source"]}:
            sample = train[int(train.frame.index.get_indexer(pd.Index([source]))[0])]
            arrays |= {f"source/{source}/{name}": sample.with_gaps(name) for name in sample.inputs}
        labels = _every_label(target, model.predict(shown).to_numpy(float), shown.target_values(fold.target))
        filled = [[{**places.to_json(one), "adds": fall} for one, fall in found] for found in evidence]
        cases += [
            {**_with_row(case, samples), **every, "evidence": found, "reasons": told}
            for case, every, found, told in zip(chosen, labels, filled, reasons, strict=True)
        ]
        if fold.split.fold == 0:
            arrays |= traversals(str(part), model, fold)
    return Gallery(tuple(cases), arrays)


def _places(samples: Dataset, row: int, counted: Mapping[str, str]) -> dict[str, str]:
    """By unit, the first place where it was counted in a sample, as JSON."""
    found = {}
    for prefix, input in counted.items():
        for name, some in samples.places(input, row).items():
            unit, more = f"{prefix}:{name}", f" (one of {len(some)})" if len(some) > 1 else ""
            one = Evidence(unit, some[0].region, text=f"{some[0].text}{more}".strip(), input=some[0].input)
            found[unit] = json.dumps(places.to_json(one))
    return found


def _reasons(fold: FittedFold, part: str, rows: pd.DataFrame, where: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the strongest contributions of one case point at, by the head's own account or by the data's (``where``)."""
    if "evidence" not in rows:
        return []
    told_by = zip(rows["unit"], rows["evidence"], strict=True)
    rows = rows.assign(evidence=[evidence or where.get(unit, "") for unit, evidence in told_by])
    rows = rows[rows["evidence"] != ""]
    rows = rows.iloc[np.argsort(-rows["contribution"].abs().to_numpy(), kind="stable")[:REASONS]]
    told = []
    for pointed, adds in zip(rows["evidence"], rows["contribution"], strict=True):
        one = json.loads(pointed)
        if one["source"] is not None:
            one["source_label"] = _label_of(fold, part, one["source"])
        told.append({**one, "adds": float(adds)})
    return told


def _label_of(fold: FittedFold, part: str, source: str) -> str:
    """The label of a training sample, in words.

    Raises
    ------
    ContractError
        If it is none of the samples that this fold has learnt from.
    """
    import pandas as pd

    frame, target = fold.dataset.frame, fold.dataset.spec.target(fold.target)
    known = frame.index[fold.split.train]
    at = int(known.get_indexer(pd.Index([source]))[0])
    if at < 0:
        raise ContractError(
            f"head {part!r} says that a case looks like sample {source!r}, which is none of the {len(known)} training samples "
            "of this fold; a head may point only at samples that it was fitted on"
        )
    values = fold.train.target_values(fold.target)[at]
    return str(target.said(values))


def _every_label(target: Any, chances: np.ndarray, labels: np.ndarray) -> list[dict[str, Any]]:
    """Where there are several labels, of each case those that it has, and what the model says of all."""
    if not target.several_labels:
        return [{} for _ in chances]

    def named(values: np.ndarray) -> dict[str, float]:
        return {name: float(value) for name, value in zip(target.outputs, values, strict=True)}

    return [
        {
            "labels": [name for name, value in named(own).items() if value == 1] if np.isfinite(own).any() else None,
            "said": named(said),
        }
        for said, own in zip(chances, labels, strict=True)
    ]


def _with_row(case: dict[str, Any], samples: Dataset) -> dict[str, Any]:
    row, spec = samples.frame.loc[case["sample"]], samples.spec

    def known(columns: dict[str, str]) -> dict[str, float]:
        return {name: float(row[column]) for name, column in columns.items() if np.isfinite(row[column])}

    return {
        **case,
        "covariates": known({name: name for name in spec.covariates.names}) if spec.covariates else {},
        "concepts": known(dict(zip(spec.concepts.names, spec.concepts.columns, strict=True))) if spec.concepts else {},
    }


def _belongs(name: str, kept: set[tuple[str, str]]) -> bool:
    what, _, rest = name.partition("/")
    if what in ("case", "source", "feature-source"):
        return any(who == what and rest.startswith(f"{sample}/") for who, sample in kept)
    if what in ("evidence", "network"):
        return any(rest.startswith(f"{part}/{sample}/") for part, sample in kept)
    return True
