"""Fitting and examining one fold; and the models fitted on everybody, which a user loads."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from pellucid.assembly import build_encoders, build_head, encoders_of
from pellucid.data.dataset import Dataset
from pellucid.data.splits import Split, inner_split
from pellucid.files import write_json, write_rows
from pellucid.heads.base import Head, Predictor
from pellucid.model import Model, Threshold
from pellucid.protocols.base import FittedFold, Gathered
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.protocols.measuring import examined
from pellucid.protocols.usual import Usual
from pellucid.report.unmeasured import in_words
from pellucid.result import NotMeasured
from pellucid.running.task import Task
from pellucid.training.fit import Session, Sides, fit_codes, fit_encoder, fit_model
from pellucid.training.settings import TrainingSettings
from pellucid.weights import save_models

NOT_MEASURED = "not_measured.json"
"""File of a fold: what its samples could not carry."""


def fit_and_examine(task: Task, split: Split, folds: int) -> None:
    """Fit all models of a fold, examine them on its test subjects, and leave rows and weights; once.

    Parameters
    ----------
    task : Task
    split : Split
    folds : int
        How many there are, for messages.
    """
    folder = task.folder / "folds" / str(split.fold)
    complete = (folder / "done.json").exists()
    task.together()
    if complete:
        return
    sides = Sides(task.dataset.subset(split.train), task.dataset.subset(split.validation), task.study.target)
    models, epochs = _fitted(task, sides, f"fold {split.fold + 1} of {folds}", folder / "checkpoints")
    if task.writes:
        baseline = _baseline(task, sides.train)
        fold = FittedFold(
            task.dataset, task.study.target, split, models, baseline, task.study.training.seed, training=_settings(task)
        )
        task.watcher.say(
            f"fold {split.fold + 1} of {folds}: scoring, explaining and auditing the test {task.context.several}"
        )
        _examine(task, fold, folder)
        digest = save_models(folder / "weights.safetensors", models)
        write_json(folder / "done.json", {"weights_sha256": digest, "epochs": epochs})
        _remove(folder / "checkpoints")
        logging.getLogger(__name__).info("fold %d is complete", split.fold)
    task.together()


def _baseline(task: Task, dataset: Dataset) -> TrivialBaseline | None:
    return TrivialBaseline(dataset.spec, task.study.target).fit(dataset) if task.study.target else None


def _examine(task: Task, fold: FittedFold, folder: Path) -> None:
    from pellucid.gathering.explained import explanation_rows
    from pellucid.gathering.gallery import collect

    lacking: list[NotMeasured] = []
    for name, assessment in task.assessments.items():
        found = examined(assessment, fold, task.context)
        if found.rows is not None:
            write_rows(folder / f"{name}.parquet", found.rows)
        for one in found.not_measured:
            lacking.append(one)
            task.watcher.say(f"not measured in fold {fold.split.fold + 1}: {in_words(one)}")
            logging.getLogger(__name__).warning("fold %d cannot be measured by %s", fold.split.fold, name)
    write_json(folder / NOT_MEASURED, [one.to_json() for one in lacking])
    rows = explanation_rows(fold)
    write_rows(folder / "explanations.parquet", rows)
    gallery = collect(fold, task.context, rows)
    if fold.split.fold == 0:
        # Another fold's features are others.
        features, arrays, problem = _gathered(task, fold)
        gallery = replace(gallery, arrays={**gallery.arrays, **arrays}, features=features, problem=problem)
    gallery.save(folder)


def _gathered(task: Task, fold: FittedFold) -> Gathered:
    """What is shown of single features: of those that an assessment decides on, else as the report chooses."""
    from pellucid.gathering.features import gather

    told = (assessment.gathered(fold, task.context) for assessment in task.assessments.values())
    return next((one for one in told if one is not None), None) or gather(fold)


def _settings(task: Task) -> dict[str, TrainingSettings]:
    """How each encoder and head of the study is trained."""
    study = task.study
    return {f"encoder {entry.prefix}": study.training_of(entry) for entry in study.encoder} | {
        f"head {entry.part}": study.training_of(entry) for entry in study.head
    }


def _fitted(task: Task, sides: Sides, where: str, checkpoints: Path) -> tuple[dict[str, Model], dict[str, list[int]]]:
    study, spec = task.study, task.dataset.spec
    session = Session(checkpoints, task.watcher, where)
    encoders = build_encoders(study, spec, seed=where)
    epochs = {}
    for asked in study.encoder:
        name, settings = f"encoder {asked.prefix}", study.training_of(asked)
        progress = fit_encoder(encoders[asked.prefix], sides, settings, name=name, session=session)
        epochs[asked.prefix] = [progress.epoch] if progress else []
    models: dict[str, Model] = {}
    beside: dict[str, dict[str, Head]] = {}
    for entry in study.head:
        own, settings = encoders_of(entry, encoders), study.training_of(entry)
        head = build_head(entry, own, spec, study.target, seed=f"{study.training.seed}/{where}")
        if head.tags.learns == "rows":
            # Those that read the same with the same settings learn from one stream.
            beside.setdefault(f"{tuple(own)} {settings.model_dump_json()}", {})[entry.part] = head
            continue
        model, history = fit_model(own, head, sides, settings, name=f"head {entry.part}", session=session)
        model.threshold = threshold_of(model, sides)
        models[entry.part] = model
        epochs[entry.part] = [progress.epoch for progress in history]
    for heads in beside.values():
        first = next(entry for entry in study.head if entry.part in heads)
        found = fit_codes(encoders_of(first, encoders), heads, sides, study.training_of(first), session=session)
        for part, (model, history) in found.items():
            models[part], epochs[part] = model, [progress.epoch for progress in history]
    models = {entry.part: models[entry.part] for entry in study.head}
    return models, epochs


def threshold_of(model: Model, sides: Sides) -> Threshold:
    """The threshold of a yes-or-no model, chosen on the validation subjects and on nobody else."""
    from pellucid.protocols.prediction.assessment import choose_threshold

    if not isinstance(model.head, Predictor) or not model.head.config.target.yes_or_no:
        return Threshold()
    chances = model.chances(sides.validation)[:, 0].astype(np.float64)
    value = choose_threshold(sides.validation.target_values(sides.target)[:, 0], chances)
    return Threshold(value, sides.validation.learned_from)


def fit_on_everybody(task: Task) -> None:
    """Models fitted on all subjects: what a user loads. They are scored on nobody here."""
    done = (task.folder / "final.json").exists()
    task.together()
    if done:
        return
    dataset, target = task.dataset, task.study.target
    sets, strata = task.splitting.sets(dataset), task.splitting.strata(dataset, target)
    several, share = dataset.spec.group_word[1], task.splitting.validation
    train, validation = inner_split(sets, strata, validation=share, seed=task.study.training.seed, several=several)
    sides = Sides(dataset.subset(train), dataset.subset(validation), target)
    models, epochs = _fitted(task, sides, "all subjects", task.folder / "checkpoints")
    if task.writes:
        baseline, predictors = _baseline(task, dataset), {p: m for p, m in models.items() if m.head.tags.predicts}
        kept = {
            "baseline": None if baseline is None else baseline.to_json(),
            "usual": Usual.of(predictors, sides.train, target).to_json(),
        }
        digest = save_models(task.folder / "weights.safetensors", models, kept)
        parts = {
            part: {
                "head": next(e.name for e in task.study.head if e.part == part),
                "encoders": [prefix for prefix, _ in model.named_encoders()],
                "parameters": sum(p.numel() for p in model.parameters()),
                "epochs": sum(epochs[part]),
            }
            for part, model in models.items()
        }
        write_json(task.folder / "final.json", {"weights_sha256": digest, "parts": parts})
        _remove(task.folder / "checkpoints")
    task.together()


def _remove(folder: Path) -> None:
    if folder.exists():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
