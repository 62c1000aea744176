"""What every model says of every test case, unit by unit: the rows of ``explanations.parquet``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from pellucid.batch import collate
from pellucid.gathering import places

if TYPE_CHECKING:
    import pandas as pd

    from pellucid.data.dataset import Dataset
    from pellucid.explanation import Explanation
    from pellucid.model import Model
    from pellucid.protocols.base import FittedFold

ROWS = ("part", "fold", "sample", "subject", "label", "predicted", "probability", "threshold", "target", "output", "baseline",
        "gap", "unit", "comparable", "value", "contribution", "evidence")  # fmt: skip
"""Columns."""

POINTING = 5
"""Units of a case of which it is kept what they point at."""


def explanation_rows(fold: FittedFold) -> pd.DataFrame:
    """Explain every test case of a fold by every model.

    The output explained is that of class 1 for yes or no, of the predicted class for several classes, of the middle step
    for ordered classes, what :func:`~pellucid.data.targets.explained_label` says for several labels, and the first one otherwise.

    Returns
    -------
    DataFrame
        One row a part, case and unit; columns :data:`ROWS`. ``comparable`` says whether the unit means the same in every
        fold: a rating does, a unit that an encoder has learnt does not. ``evidence`` is JSON of
        :func:`pellucid.gathering.places.to_json` for the strongest units that point at something, and empty for all others.

    Raises
    ------
    LeakageError
        If a model has learnt from a test subject.
    """
    import pandas as pd

    frames = [_explained(fold, part, model) for part, model in fold.predictors.items()]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(ROWS))


def _explained(fold: FittedFold, part: str, model: Model) -> pd.DataFrame:
    import pandas as pd

    samples = fold.test(part)
    target = fold.dataset.spec.target(fold.target)
    chances = model.predict(samples).to_numpy(np.float64)
    labels = samples.target_values(fold.target)
    explained = target.explained_output(chances, labels, model.threshold.value)
    learnt = tuple(f"{name}:" for name, encoder in model.named_encoders() if any(True for _ in encoder.parameters()))
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
            "sample": np.asarray(found.samples), "subject": samples.subjects[at],
            "label": labels[at, output if labels.shape[1] > 1 else 0],
            "predicted": target.decided_output(chances[at], model.threshold.value, output), "probability": chances[at, output],
            "output": found.output.numpy(), "baseline": found.baseline.numpy(), "gap": found.gap.numpy(),
        }  # fmt: skip
        long = pd.DataFrame({name: np.repeat(column, units) for name, column in row.items()})
        long["unit"] = np.tile(np.asarray(found.names, dtype=object), count)
        # What a head remembers of its own training samples is another thing in every fold.
        comparable = [model.head.lasting(name) and not name.startswith(learnt) for name in found.names]
        long["comparable"] = np.tile(comparable, count)
        long["value"], long["contribution"] = values.ravel(), found.contributions.numpy().ravel()
        long["evidence"] = _evidence(found)
        if found.known is not None:
            long = long[found.known.numpy().ravel()]
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


def _evidence(found: Explanation) -> np.ndarray:
    """For each case and unit what the unit points at, as JSON; the strongest of a case alone, as a head may have thousands."""
    told = np.full((len(found), len(found.names)), "", dtype=object)
    at = {name: unit for unit, name in enumerate(found.names)}
    strength = found.contributions.abs().numpy()
    for case, evidence in enumerate(found.evidence):
        strongest = sorted((one for one in evidence if one.unit in at), key=lambda one: -strength[case, at[one.unit]])
        for one in strongest[:POINTING]:
            told[case, at[one.unit]] = told[case, at[one.unit]] or json.dumps(places.to_json(one))
    return told.ravel()
