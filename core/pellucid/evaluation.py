"""Scoring a finished run on other data, never on a subject that it has learnt from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pellucid.assembly import build_protocols
from pellucid.data.splits import Split
from pellucid.errors import RunError
from pellucid.files import write_json
from pellucid.plugins import load as load_component
from pellucid.protocols.base import Context, FittedFold
from pellucid.result import Results
from pellucid.run import FORMAT, Run


def evaluate(run: str | Path, data: str | Path, out: str | Path | None = None) -> Results:
    """Score the final models of a run on another folder of the same layout.

    Parameters
    ----------
    run : path
        A finished run folder.
    data : path
        Folder or file that the run's dataset can read.
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
    dataset = study.open_dataset(data).labelled(study.target)
    learnt = done.document["dataset"]["spec"]
    now = dataset.spec.model_dump(mode="json")
    for key in ("inputs", "covariates", "concepts", "targets"):
        if learnt[key] != now[key]:
            raise RunError(
                f"{data} does not have the {key} that {run} was trained on; the dataset or its options differ"
            )
    models = done.models()
    everyone = np.arange(len(dataset))
    nobody = np.array([], np.int64)
    baseline = done.baseline(dataset)
    fold = FittedFold(dataset, study.target, Split(0, nobody, nobody, everyone), models, baseline, study.training.seed)
    for part in (*models, baseline.name):
        fold.test(part)
    tags = {entry.part: load_component("head", entry.name).tags for entry in study.head}
    context = Context(dataset.spec, study.target, tags, baseline.name, study.training.seed)
    results = []
    for assessment in build_protocols(study)[1].values():
        if not assessment.unfit(context):
            results += assessment.conclude(assessment.examine(fold).assign(fold=0), context)
    if out is not None:
        column = dataset.spec.groups[0]
        document = {
            "format": FORMAT,
            "run": {"study": study.name, "weights_sha256": done.document["weights_sha256"]["weights.safetensors"]},
            "dataset": {"name": study.dataset, "digest": dataset.digest()},
            "n_samples": len(dataset),
            "n_subjects": int(dataset.frame[column].nunique()),
            "results": [result.to_json() for result in results],
        }
        write_json(Path(out), document)
    return Results(results)
