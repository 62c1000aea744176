"""Scoring a finished run on other data, never on a subject that it has learnt from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pellucid.assembly import build_protocols, context_of
from pellucid.data.splits import Split
from pellucid.errors import LeakageError, RunError
from pellucid.files import write_json
from pellucid.protocols.base import FittedFold
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.protocols.usual import Usual
from pellucid.result import Results
from pellucid.run import FORMAT, Run


def evaluate(run: str | Path, data: str | Path | None = None, out: str | Path | None = None) -> Results:
    """Score the final models of a run on another folder of the same layout.

    Parameters
    ----------
    run : path
        A finished run folder.
    data : path, optional
        Folder or file that the run's dataset can read; its usual place by default.
    out : path, optional
        A JSON file to write: the results, with the digests of the run and the data.

    Returns
    -------
    Results
        Of every assessment of the study. Intervals are over the new subjects.

    Raises
    ------
    LeakageError
        If a model has learnt from any of the subjects; names it and how many.
    RunError
        If the run is not finished, or the data do not have the inputs that its models read.
    """
    done = Run(run)
    if not done.finished:
        raise RunError(f"{run} is not finished: pellucid run {done.study.name} --out {run} continues it")
    study = done.study
    if out is not None and (Path(out).is_dir() or done.path.resolve() in Path(out).resolve().parents):
        raise RunError(f"{out} is a folder or lies inside the run: --out names a JSON file outside it")
    dataset = study.open_dataset(data).labelled(study.target)
    learnt = done.document["dataset"]["spec"]
    now = dataset.spec.model_dump(mode="json")
    for key in ("inputs", "covariates", "concepts", "targets"):
        if learnt[key] != now[key]:
            raise RunError(
                f"{data or 'the dataset'} does not have the {key} that {run} was trained on; the dataset or its options differ"
            )
    models = done.models()
    everyone = np.arange(len(dataset))
    nobody = np.array([], np.int64)
    kept = done.kept()
    baseline = TrivialBaseline.from_json(kept["baseline"], dataset.spec, study.target)
    usual = Usual.from_json(kept["usual"])
    split = Split(0, nobody, nobody, everyone)
    fold = FittedFold(dataset, study.target, split, models, baseline, study.training.seed, usual)
    _refuse_known(fold, (*models, baseline.name), run, data)
    context = context_of(study, dataset.spec)
    results, left_out = [], []
    for name, assessment in build_protocols(study)[1].items():
        if assessment.needs_training:
            left_out.append(name)
        elif not assessment.unfit(context):
            results += assessment.conclude(assessment.examine(fold).assign(fold=0), context)
    if out is not None:
        column = dataset.spec.groups[0]
        document = {
            "format": FORMAT,
            "run": {"study": study.name, "weights_sha256": done.document["weights_sha256"]["weights.safetensors"]},
            "dataset": {"name": study.dataset, "digest": dataset.digest()},
            "n_samples": len(dataset),
            "n_subjects": int(dataset.frame[column].nunique()),
            # These look at the training samples themselves, which an evaluation does not have.
            "not_assessed": left_out,
            "results": [result.to_json() for result in results],
        }
        write_json(Path(out), document)
    return Results(results)


def _refuse_known(fold: FittedFold, parts: Iterable[str], run: str | Path, data: str | Path | None) -> None:
    for part in parts:
        try:
            fold.test(part)
        except LeakageError as error:
            counts = str(error).partition(": ")[2].partition(". ")[0]
            where = data or "its own dataset"
            raise LeakageError(
                f"{run} has learnt from subjects of {where}: {part!r} knows {counts}. Take them out and evaluate on the rest"
            ) from None
