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

from pellucid.batch import collate
from pellucid.files import write_json, writing

if TYPE_CHECKING:
    import pandas as pd

    from pellucid.data.dataset import Dataset, Sample
    from pellucid.heads.base import HeadTags
    from pellucid.model import Model
    from pellucid.protocols.base import Context, FittedFold

EACH = 2
"""Cases of each kind that are kept of a model."""

ROWS = ("part", "fold", "sample", "subject", "label", "predicted", "probability", "threshold", "target", "output", "baseline",
        "gap", "unit", "comparable", "value", "contribution")  # fmt: skip


@dataclass(frozen=True)
class Gallery:
    """Cases, and pictures of a whole model.

    Parameters
    ----------
    cases : tuple of dict
        Plain values, one a case: part, fold, sample, kind, lot, label, predicted, probability, threshold, covariates,
        concepts, and as ``evidence`` the strongest places of its inputs.
    arrays : mapping of str to ndarray
        ``case/<sample>/<input>`` (NaN where masked), ``evidence/<part>/<sample>/<input>`` of the same shape,
        and ``traversal/<part>/<input>`` of shape (step, *input shape) with ``traversal-sd/<part>/<input>``.
    """

    cases: tuple[dict[str, Any], ...] = ()
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write ``gallery.json`` and ``gallery.npz``."""
        with writing(folder / "gallery.npz") as temporary, temporary.open("wb") as file:
            arrays: dict[str, Any] = dict(self.arrays)
            np.savez_compressed(file, **arrays)
        write_json(folder / "gallery.json", {"cases": self.cases})

    @classmethod
    def load(cls, folder: Path) -> Gallery:
        """Read what :meth:`save` wrote; an empty gallery if there is none."""
        if not (folder / "gallery.json").is_file() or not (folder / "gallery.npz").is_file():
            return cls()
        cases = json.loads((folder / "gallery.json").read_text("utf-8"))["cases"]
        with np.load(folder / "gallery.npz", allow_pickle=False) as arrays:
            return cls(tuple(cases), {name: arrays[name] for name in arrays.files})

    @classmethod
    def joined(cls, folds: Iterable[Gallery]) -> Gallery:
        """The galleries of all folds as one: again the smallest lots of each kind, and the first fold's whole-model pictures."""
        kinds: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        arrays: dict[str, np.ndarray] = {}
        for fold in folds:
            for case in fold.cases:
                kinds[case["part"], case["kind"]].append(case)
            arrays = {**fold.arrays, **arrays}
        cases = tuple(case for some in kinds.values() for case in sorted(some, key=lambda c: c["lot"])[:EACH])
        kept = {("case", case["sample"]) for case in cases} | {(case["part"], case["sample"]) for case in cases}
        return cls(cases, {name: array for name, array in arrays.items() if _belongs(name, kept)})


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


def explanation_rows(fold: FittedFold) -> pd.DataFrame:
    """Explain every test case of a fold by every model.

    The output explained is that of class 1 for yes or no, of the predicted class for several classes, of the middle step
    for ordered classes, and the first one otherwise.

    Returns
    -------
    DataFrame
        One row a part, case and unit; columns :data:`ROWS`. ``comparable`` says whether the unit means the same in every
        fold: a rating does, a unit that an encoder has learnt does not.

    Raises
    ------
    LeakageError
        If a model has learnt from a test subject.
    """
    import pandas as pd

    frames = [_explained(fold, part, model) for part, model in fold.models.items()]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(ROWS))


def _explained(fold: FittedFold, part: str, model: Model) -> pd.DataFrame:
    import pandas as pd

    samples = fold.test(part)
    target = fold.dataset.spec.target(fold.target)
    chances = model.predict(samples).to_numpy(np.float64)
    explained = _explained_output(target, chances)
    learnt = tuple(f"{name}:" for name, encoder in model.named_encoders() if any(True for _ in encoder.parameters()))
    labels = samples.target_values(fold.target)
    raw = _raw(model, samples)
    frames = []
    for output in np.unique(explained):
        at = np.flatnonzero(explained == output)
        found = model.explain(samples.subset(at), target=model.head.outputs[output])
        units, count = len(found.names), len(at)
        values = np.full((count, units), np.nan) if found.values is None else found.values.detach().double().numpy()
        for column, name in enumerate(found.names):
            values[:, column] = raw[name][at] if name in raw else values[:, column]
        row = {
            "sample": np.asarray(found.samples), "subject": samples.frame[samples.spec.groups[0]].astype(str).to_numpy()[at],
            "label": labels[at, output if labels.shape[1] > 1 else 0],
            "predicted": _predicted(target, chances[at], model.threshold.value), "probability": chances[at, output],
            "output": found.output.numpy(), "baseline": found.baseline.numpy(), "gap": found.gap.numpy(),
        }  # fmt: skip
        long = pd.DataFrame({name: np.repeat(column, units) for name, column in row.items()})
        long["unit"] = np.tile(np.asarray(found.names, dtype=object), count)
        long["comparable"] = np.tile([not name.startswith(learnt) if learnt else True for name in found.names], count)
        long["value"], long["contribution"] = values.ravel(), found.contributions.numpy().ravel()
        frames.append(long.assign(target=found.target))
    every = pd.concat(frames, ignore_index=True)
    return every.assign(part=part, fold=fold.split.fold, threshold=model.threshold.value)[list(ROWS)]


def _raw(model: Model, samples: Dataset) -> dict[str, np.ndarray]:
    """Numbers that a head reads more or less as they were measured, by unit name, in their own units; NaN where missing.

    An encoder may standardise a rating or an area. A reader of an explanation asks what was measured.
    """
    batch = collate(samples, np.arange(len(samples)))
    found: dict[str, np.ndarray] = {}
    for prefix, encoder in model.named_encoders():
        for input, spec in encoder.config.inputs.items():
            if spec.kind != "vector":
                continue
            values, mask = batch.inputs[input].double().numpy(), batch.masks.get(input)
            if mask is not None:
                known = mask.numpy()
                values = np.where(known if known.ndim == 2 else known[:, None], values, np.nan)
            found |= {f"{prefix}:{name}": values[:, at] for at, name in enumerate(spec.names)}
    return found


def _explained_output(target: Any, chances: np.ndarray) -> np.ndarray:
    if target.kind == "multiclass":
        return chances.argmax(1)
    return np.full(len(chances), (chances.shape[1] - 1) // 2 if target.kind == "ordinal" else 0)


def _predicted(target: Any, chances: np.ndarray, threshold: float) -> np.ndarray:
    if target.kind == "multiclass":
        return chances.argmax(1).astype(float)
    if target.kind == "ordinal":
        return (chances > 0.5).sum(1).astype(float)
    return chances[:, 0] if target.kind == "regression" else (chances[:, 0] >= threshold).astype(float)


def kind_of(target: Any, label: float, predicted: float) -> str:
    """In words, how a case went; numbers have no right and wrong.

    Examples
    --------
    >>> from pellucid.data.spec import Binary
    >>> kind_of(Binary(names=("benign", "malignant")), label=0, predicted=1)
    'wrongly called malignant'
    """
    if target.kind == "regression":
        return "drawn by lot"
    names = (f"not {target.outputs[0]}", target.outputs[0]) if target.kind in ("multilabel", "links") else target.names
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
    rows = rows[rows["part"].isin(with_cases(context.parts))]
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
        cases += [
            {**_with_row(case, samples), "evidence": [places.to_json(one) for one in some_evidence]}
            for case, some_evidence in zip(chosen, evidence, strict=True)
        ]
        if fold.split.fold == 0:
            arrays |= traversals(str(part), model, fold)
    return Gallery(tuple(cases), arrays)


def _chosen(target: Any, part: str, rows: pd.DataFrame, seed: int) -> list[dict[str, Any]]:
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    columns = ["fold", "sample", "label", "predicted", "probability", "threshold", "target"]
    for row in rows.drop_duplicates("sample")[columns].to_dict("records"):
        kind = kind_of(target, row["label"], row["predicted"])
        kinds[kind].append(
            {
                "part": part,
                "kind": kind,
                "lot": lot(seed, part, row["sample"]),
                **{str(name): value for name, value in row.items()},
            }
        )
    return [case for some in kinds.values() for case in sorted(some, key=lambda c: c["lot"])[:EACH]]


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
    if what == "case":
        return any(who == "case" and rest.startswith(f"{sample}/") for who, sample in kept)
    if what == "evidence":
        return any(rest.startswith(f"{part}/{sample}/") for part, sample in kept)
    return True
