"""Scoring a finished run on other data, never on a subject that it has learnt from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.assembly import build_protocols, context_of
from pellucid.data.dataset import Dataset
from pellucid.data.frozen import Frozen
from pellucid.data.same_inputs import differs_from
from pellucid.data.samples import Finding
from pellucid.data.splits import Split
from pellucid.data.subjects import LearnedFrom
from pellucid.errors import DataError, LeakageError, RunError
from pellucid.files import refuse_below_a_file, write_json
from pellucid.protocols.base import FittedFold
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.protocols.measuring import concluded, examined
from pellucid.protocols.usual import Usual
from pellucid.result import NotMeasured, Result, Results
from pellucid.run import FORMAT, Run
from pellucid.wording import listed

NEEDS_TRAINING = "it looks at the training samples themselves, which an evaluation does not have"
IN_THE_RUN = "read what the run itself found on its own test samples"


def evaluate(
    run: str | Path,
    data: str | Path | None = None,
    out: str | Path | None = None,
    *,
    skip_known: bool = False,
    skip_broken: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Results:
    """Score the final models of a run on another folder of the same layout.

    Parameters
    ----------
    run : path
        A finished run folder.
    data : path, optional
        Folder or file that the run's dataset can read; its usual place by default.
    out : path, optional
        A JSON file to write: the results, with the digests of the run and the data, and how many were skipped.
    skip_known : bool
        Leave out the samples of whom any part of the run has learnt from, and score the rest. Without, they are refused.
    skip_broken : bool
        Leave out samples whose files cannot be used, also where the run itself was made without doing so.
    options : mapping, optional
        Of the dataset, where they are to differ from the run's: of made-up data the seed. The file says them.

    Returns
    -------
    Results
        Of every assessment of the study. Intervals are over the new subjects. What these samples cannot carry stands in
        ``not_measured`` with its reason.

    Raises
    ------
    LeakageError
        If the run (a model, its trivial baseline, or what it keeps of what is usual) has learnt from any of the subjects; says how
        many of how many. With ``skip_known`` only if nobody else is there.
    RunError
        If the run is not finished or was changed, its subjects were digested with another salt or named in another namespace, or
        the data do not have the inputs that its models read.
    DataError
        If what is left cannot be scored, for instance as all labels are of one class.
    """
    return assess(run, data, out, skip_known=skip_known, skip_broken=skip_broken, options=options).results


@dataclass(frozen=True)
class Evaluation:
    """Results, and on how many they were had.

    Parameters
    ----------
    results : Results
    scored, skipped : mapping of str to int
        How many ``subjects`` and ``samples``.
    findings : tuple of Finding
        What was found in the data: samples that were left out as they could not be used, and what is odd in the others.
    """

    results: Results
    scored: Mapping[str, int]
    skipped: Mapping[str, int]
    findings: tuple[Finding, ...] = ()


def assess(
    run: str | Path,
    data: str | Path | None = None,
    out: str | Path | None = None,
    *,
    skip_known: bool = False,
    skip_broken: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Evaluation:
    """:func:`evaluate`, with the counts of who was scored and who was skipped, and what was found in the data."""
    done = Run(run)
    done.refuse_unfinished()
    if out is not None and (Path(out).is_dir() or done.path.resolve() in Path(out).resolve().parents):
        raise RunError(f"{out} is a folder or lies inside the run: --out names a JSON file outside it")
    if out is not None:
        refuse_below_a_file(Path(out))
    whole = _opened(done, data, skip_broken, options or {})
    study, models, kept = done.study, done.models(), done.kept()
    usual = Usual.from_json(kept["usual"])
    parts = {"what its data were made by": whole.made_by, "what it keeps of what is usual": usual.learned_from}
    baseline = None
    if study.target:
        baseline = TrivialBaseline.from_json(kept["baseline"], whole.spec, study.target)
        parts[f"its trivial baseline, {baseline.name}"] = baseline.learned_from
    parts = {f"“{name}”": model.learned_from for name, model in models.items()} | parts
    seen = LearnedFrom()
    for one in parts.values():
        seen = seen | one
    if seen and whole.spec.namespace not in seen.namespaces:
        # The models' own record is checked by its digest; the study, which says how to open the data, is not.
        raise RunError(
            f"{run}: its models have learnt from subjects named otherwise (namespace) than those of {data or 'the dataset'}, so "
            "leakage cannot be ruled out: run.json was changed; restore it"
        )
    who = f"{run} has learnt from"
    dataset = _unknown(whole, study.target, seen, parts, who, data, skip_known)
    nobody = np.array([], np.int64)
    split = Split(0, nobody, nobody, np.arange(len(dataset)))
    fold = FittedFold(dataset, study.target, split, models, baseline, study.training.seed, usual)
    context, heads = context_of(study, dataset.spec), {part: model.head for part, model in models.items()}
    results: list[Result] = []
    left_out: list[NotMeasured] = []
    not_measured: list[NotMeasured] = []
    for name, assessment in build_protocols(study)[1].items():
        if assessment.needs_training:
            left_out.append(NotMeasured(protocol=name, because=NEEDS_TRAINING, helps=IN_THE_RUN))
        elif reason := assessment.unfit(context) or assessment.unfit_for(dataset, heads, context):
            not_measured.append(NotMeasured(protocol=name, because=reason))
        else:
            scored_by, lacking = concluded(assessment, [examined(assessment, fold, context)], context)
            results += scored_by
            not_measured += lacking
    there, scored = _counts(whole), _counts(dataset)
    skipped = {what: n - scored[what] for what, n in there.items()}
    found = Evaluation(Results(results, [*not_measured, *left_out]), scored, skipped, tuple(dataset.findings))
    if out is not None:
        document = _document(done, dataset, found, [one.protocol for one in left_out], not_measured)
        if options:
            document["dataset"]["options"] = dict(options)
        write_json(Path(out), document)
    return found


def _difference(learnt: Any, here: Any) -> str:
    """What differs between two descriptions, in a few words; nothing where only what is said for people does."""
    if isinstance(learnt, Mapping) and isinstance(here, Mapping):
        if lacking := [name for name in learnt if name not in here]:
            return f"{listed(lacking)} not here"
        if more := [name for name in here if name not in learnt]:
            return f"{listed(more)} not there"
        told = ((name, _difference(learnt[name], here[name])) for name in learnt)
        return next((f"{name!r} has {words}" for name, words in told if words), "")
    if isinstance(learnt, Frozen) and isinstance(here, Frozen):
        return differs_from(here, learnt)
    return "" if learnt == here else "one is not described"


def _opened(done: Run, data: str | Path | None, skip_broken: bool, options: Mapping[str, Any]) -> Dataset:
    study = done.study.skipping_broken() if skip_broken else done.study
    if options:
        study = study.with_settings({f"options.{study.dataset}.{key}": value for key, value in options.items()})
    learnt = done.learnt
    dataset = study.open_dataset(data, learnt)
    for key in ("inputs", "covariates", "concepts", "targets"):
        if told := _difference(getattr(learnt, key), getattr(dataset.spec, key)):
            raise RunError(
                f"{data or 'the dataset'} does not have the {key} that {done.path} was trained on: {told}; the dataset or its options "
                "differ"
            )
    origin = done.document["dataset"].get("origin", "")
    if origin and dataset.origin != origin:
        raise RunError(
            f"{data or 'the dataset'} holds what {dataset.origin} says, but {done.path} has learnt from {origin}: collect that "
            "layer of that model (pellucid activations RUN --layer LAYER --data DIR)"
        )
    return dataset


def _document(
    done: Run, dataset: Dataset, found: Evaluation, left_out: list[str], not_measured: list[NotMeasured]
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "run": {"study": done.study.name, "weights_sha256": done.document["weights_sha256"]["weights.safetensors"]},
        "dataset": {"name": done.study.dataset, "digest": dataset.digest()},
        "n_samples": found.scored["samples"],
        "n_subjects": found.scored["subjects"],
        # Left out before anything was scored, as the run has learnt from them; the digest above is that of the rest.
        "skipped": dict(found.skipped),
        # These look at the training samples themselves, which an evaluation does not have.
        "not_assessed": left_out,
        # These samples cannot carry it, each with its reason.
        "not_measured": [one.to_json() for one in not_measured],
        "findings": [asdict(finding) for finding in found.findings],
        "results": [result.to_json() for result in found.results],
    }


def _counts(dataset: Dataset) -> dict[str, int]:
    return {"subjects": int(dataset.frame[dataset.spec.groups[0]].nunique()), "samples": len(dataset)}


def _unknown(
    dataset: Dataset, target: str, seen: LearnedFrom, parts: Mapping[str, LearnedFrom], who: str, data: str | Path | None,
    skip: bool,
) -> Dataset:  # fmt: skip
    """The samples that nothing was learnt from; all of them, or without ``skip`` a refusal."""
    # Where the two cannot be compared (another salt, columns of other names) this says so.
    shared = seen.shared_with(dataset.learned_from)
    if not shared:
        return dataset
    groups = {column: dataset.frame[column].to_numpy(object) for column in dataset.spec.groups}
    known = seen.knows(groups, dataset.spec.namespace)
    several = dataset.spec.group_word[1]
    counts = listed(
        f"{shared[column]} of {len(set(groups[column]))} {dataset.spec.word_of(column)[1]}"
        for column in dataset.spec.groups
        if column in shared
    )
    told = f"{who} {counts} ({int(known.sum())} of {len(dataset)} samples) in {data or 'its own dataset'}"
    told += (
        f"; of its parts, {listed(name for name, one in parts.items() if one.shared_with(dataset.learned_from))} have"
    )
    if known.all():
        raise LeakageError(f"{told}: nobody is left to score it on. Evaluate it on other {several}")
    if not skip:
        raise LeakageError(
            f"{told}. Take them out, or score the rest alone with --skip-known (from Python: skip_known=True)"
        )
    try:
        left = dataset.subset(np.flatnonzero(~known))
        return left.labelled(target) if target else left
    except DataError as error:
        raise DataError(f"{told}; what is left without them cannot be scored: {error}") from None
