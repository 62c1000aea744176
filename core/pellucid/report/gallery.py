"""What the report shows of single cases, gathered inside each fold so that every case shown is a test case.

Cases are drawn by lot: every test case gets a number from the seed and its own name, and of each kind (rightly or wrongly
called this or that) those with the smallest numbers are shown. The draw is the same whatever the order of folds, and
looks neither at how good nor at how pretty a case is.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import ContractError
from pellucid.files import write_json, writing
from pellucid.report.explained import explanation_rows
from pellucid.report.names import listed, number

if TYPE_CHECKING:
    import pandas as pd

    from pellucid.data.dataset import Dataset
    from pellucid.data.samples import Sample
    from pellucid.heads.base import HeadTags
    from pellucid.protocols.base import Context, FittedFold

EACH = 2
"""Cases of each kind that are kept of a model."""

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
        ``case/<sample>/<input>`` and ``source/<sample>/<input>`` (NaN where masked), ``evidence/<part>/<sample>/<input>``
        of the same shape, ``feature-source/<sample>/<input>``, and ``traversal/<part>/<input>`` of shape (step, *input shape)
        with ``traversal-sd/<part>/<input>``.
    features : tuple of dict
        Features of dictionaries; see :func:`~pellucid.report.features.gather`.
    problem : str
        Why something could not be gathered, or empty.
    """

    cases: tuple[dict[str, Any], ...] = ()
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    features: tuple[dict[str, Any], ...] = ()
    problem: str = ""

    def save(self, folder: Path) -> None:
        """Write ``gallery.json`` and ``gallery.npz``."""
        with writing(folder / "gallery.npz") as temporary, temporary.open("wb") as file:
            arrays: dict[str, Any] = dict(self.arrays)
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
        return cls(tuple(said["cases"]), kept, tuple(said.get("features", ())), said.get("problem", ""))

    @classmethod
    def joined(cls, folds: Iterable[Gallery]) -> Gallery:
        """The galleries of all folds as one: again the smallest lots of each kind, and the first fold's whole-model pictures."""
        kinds: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        arrays: dict[str, np.ndarray] = {}
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


def interpretable(tags: HeadTags) -> bool:
    """Whether a head's explanation is how its output comes about."""
    return tags.stage == "ante_hoc"


def with_cases(parts: Mapping[str, HeadTags]) -> tuple[str, ...]:
    """The parts of which the report shows cases: the interpretable ones, or the first part where there is none."""
    return tuple(part for part, tags in parts.items() if interpretable(tags)) or tuple(parts)[:1]


def lot(seed: int, part: str, sample: str) -> str:
    """The number that decides whether a case is shown: uniform, and of no other meaning.

    Examples
    --------
    >>> lot(0, "additive", "a") == lot(0, "additive", "a") != lot(1, "additive", "a")
    True
    """
    return hashlib.blake2b(f"{seed}\x1f{part}\x1f{sample}".encode(), digest_size=8).hexdigest()


def drawn(cases: Iterable[Mapping[str, Any]]) -> list[Any]:
    """The cases of one group that are shown: those with the smallest lots, of as many outputs as there are.

    The first by lot of each output come before the second of any. What is drawn from all folds is among what is drawn from
    each, so folds can be drawn from one after the other.

    Examples
    --------
    >>> [c["lot"] for c in drawn([{"target": t, "lot": n} for t, n in (("MI", 3), ("MI", 1), ("CD", 5), ("CD", 4), ("MI", 2))])]
    [1, 4]
    """
    each: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for case in sorted(cases, key=lambda c: c["lot"]):
        each[case["target"]].append(case)
    ranked = [(rank, case["lot"], case) for some in each.values() for rank, case in enumerate(some)]
    return [case for _, _, case in sorted(ranked, key=lambda one: one[:2])][:EACH]


def group_of(case: Mapping[str, Any]) -> str:
    """Of which the same number of cases is shown: the kind, without the label's name where there are several labels.

    Folders of earlier versions know the kind alone.
    """
    return str(case.get("group", case["kind"]))


def kind_of(target: Any, label: float, predicted: float, output: str = "") -> str:
    """In words, how a case went; numbers have no right and wrong.

    ``output`` is the label that is spoken of, where there are several.

    Examples
    --------
    >>> from pellucid.data.spec import Binary
    >>> kind_of(Binary(names=("benign", "malignant")), label=0, predicted=1)
    'wrongly called malignant'
    """
    if target.kind == "regression":
        return "drawn by lot"
    if not np.isfinite(label):
        return "of unknown label"
    output = output or target.outputs[0]
    names = (f"not {output}", output) if target.kind in ("multilabel", "links") else target.names
    how = "rightly" if label == predicted else "wrongly"
    return f"{how} called {names[int(predicted)]}"


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
    from pellucid.report import places
    from pellucid.report.latent import traversals

    rows = explanation_rows(fold) if rows is None else rows
    if not fold.target:
        return Gallery()
    rows = rows[rows["part"].isin(with_cases(context.predictors))]
    target = fold.dataset.spec.target(fold.target)
    train = fold.dataset.subset(fold.split.train)
    # One pass over the training samples an input, whatever the number of models that read it.
    usual = cache(lambda name: training_mean(train, name))
    cases: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    for part, some in rows.groupby("part", sort=False):
        model, samples = fold.models[str(part)], fold.test(str(part))
        chosen = _chosen(target, str(part), some, context.seed)
        at = samples.frame.index.get_indexer(pd.Index([case["sample"] for case in chosen]))
        for case, sample in zip(chosen, (samples[int(i)] for i in at), strict=True):
            arrays |= {f"case/{case['sample']}/{name}": _known(sample, name) for name in sample.inputs}
        shown = samples.subset(at)
        evidence, maps = places.strongest_places(model, shown, [case["target"] for case in chosen], usual)
        for name, drawn in maps.items():
            arrays |= {f"evidence/{part}/{c['sample']}/{name}": one for c, one in zip(chosen, drawn, strict=True)}
        reasons = [_reasons(fold, str(part), some[some["sample"] == case["sample"]]) for case in chosen]
        for source in {one["source"] for told in reasons for one in told if one["source"]}:
            sample = train[int(train.frame.index.get_indexer(pd.Index([source]))[0])]
            arrays |= {f"source/{source}/{name}": _known(sample, name) for name in sample.inputs}
        labels = _every_label(target, model.predict(shown).to_numpy(float), shown.target_values(fold.target))
        filled = [[{**places.to_json(one), "adds": fall} for one, fall in found] for found in evidence]
        cases += [
            {**_with_row(case, samples), **every, "evidence": found, "reasons": told}
            for case, every, found, told in zip(chosen, labels, filled, reasons, strict=True)
        ]
        if fold.split.fold == 0:
            arrays |= traversals(str(part), model, fold)
    return Gallery(tuple(cases), arrays)


def _reasons(fold: FittedFold, part: str, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """What the strongest contributions of one case point at, by the head's own account."""
    if "evidence" not in rows:
        return []
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
    values = fold.dataset.subset(fold.split.train).target_values(fold.target)[at]
    if target.kind in ("multilabel", "links"):
        return listed(name for name, value in zip(target.outputs, values, strict=True) if value == 1) or "none"
    if target.kind == "regression":
        return ", ".join(f"{number(float(v))} {u}".strip() for v, u in zip(values, target.units, strict=True))
    return str(target.names[int(values[0])])


def _chosen(target: Any, part: str, rows: pd.DataFrame, seed: int) -> list[dict[str, Any]]:
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    columns = ["fold", "sample", "label", "predicted", "probability", "threshold", "target"]
    for row in rows.drop_duplicates("sample")[columns].to_dict("records"):
        several = target.kind == "multilabel"
        kind = kind_of(target, row["label"], row["predicted"], row["target"] if several else "")
        # Of seventy labels each would have four kinds of its own.
        group = kind_of(target, row["label"], row["predicted"], "it") if several else kind
        kinds[group].append(
            {
                "part": part,
                "kind": kind,
                "group": group,
                "lot": lot(seed, part, row["sample"]),
                **{str(name): value for name, value in row.items()},
            }
        )
    return [case for some in kinds.values() for case in drawn(some)]


def _every_label(target: Any, chances: np.ndarray, labels: np.ndarray) -> list[dict[str, Any]]:
    """Where there are several labels, of each case those that it has, and what the model says of all."""
    if target.kind != "multilabel":
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
        "concepts": known({name: f"concept:{name}" for name in spec.concepts.names}) if spec.concepts else {},
    }


def _known(sample: Sample, name: str) -> np.ndarray:
    """An input with NaN where it is masked."""
    values, mask = np.asarray(sample.inputs[name]), sample.masks.get(name)
    if mask is None or np.issubdtype(values.dtype, np.integer):
        return values
    return np.where(np.reshape(mask, np.shape(mask) + (1,) * (values.ndim - np.ndim(mask))), values, np.float32(np.nan))


def _belongs(name: str, kept: set[tuple[str, str]]) -> bool:
    what, _, rest = name.partition("/")
    if what in ("case", "source", "feature-source"):
        return any(who == what and rest.startswith(f"{sample}/") for who, sample in kept)
    if what == "evidence":
        return any(rest.startswith(f"{part}/{sample}/") for part, sample in kept)
    return True
