"""Running a study: split, fit, score, explain, and leave a run folder. Goes on where it was cut off."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from pellucid.assembly import build_protocols, check_columns, check_fit, context_of
from pellucid.data.splits import Split
from pellucid.errors import LeakageError, RunError
from pellucid.run import Run
from pellucid.running.concluding import conclude
from pellucid.running.document import RunLog, Stopping, begin_or_continue, refuse_other_folder
from pellucid.running.folds import fit_and_examine, fit_on_everybody
from pellucid.running.lock import RunLock
from pellucid.running.progress import Lines, bars
from pellucid.running.task import Task
from pellucid.studies import Study
from pellucid.training.engine import described, engine
from pellucid.training.loop import Watcher


def run_study(
    study: Study,
    folder: Path,
    data: str | Path | None = None,
    watcher: Watcher | None = None,
    jobs: int = 1,
) -> Run:
    """Run a study into a folder; see :meth:`pellucid.studies.Study.run`.

    Raises
    ------
    StudyError
        If components do not fit, before anything is written.
    RunError
        If the folder holds another study, other data or another format, or cannot be written.
    """
    begun = time.monotonic()
    refuse_other_folder(folder)
    task = _task(study, folder, data, watcher)
    splits = _splits(task)
    _refuse_known(task, splits)
    if jobs > 1 and task.accelerator.num_processes > 1:
        raise RunError(
            f"{task.accelerator.num_processes} processes train each model together already: leave --jobs at 1"
        )
    document = begin_or_continue(task, splits)
    if document["state"] == "finished":
        return Run(folder)
    with RunLock(folder, hold=task.writes), RunLog(task), Stopping(task, document):
        where = (
            described(task.accelerator) if jobs == 1 else f"{jobs} folds at a time on {task.accelerator.device.type}"
        )
        logging.getLogger(__name__).info("%s: %s", study.title, where)
        left = len({one.sample for one in task.dataset.findings if one.done == "left out"})
        told = f" ({left} left out, each with its reason in the report)" if left else ""
        task.watcher.say(f"{study.title}: {len(task.dataset)} samples{told}, {len(splits)} fold(s), {where}")
        if jobs == 1:
            for fold in (*range(len(splits)), EVERYBODY):
                _step(task, splits, fold)
        else:
            _side_by_side(task, len(splits), data, jobs)
        if task.writes:
            conclude(task, document, splits, time.monotonic() - begun)
        task.together()
    return Run(folder)


EVERYBODY = -1
"""Stands in place of a fold's number for the models that are fitted on all subjects."""


def _task(study: Study, folder: Path, data: str | Path | None, watcher: Watcher | None) -> Task:
    # Settings, components and data are checked before the folder is touched: a study that cannot run leaves nothing.
    splitting, assessments = build_protocols(study)
    dataset = study.open_dataset(data)
    context = context_of(study, dataset.spec)
    check_columns(study, dataset)
    check_fit(study, dataset.spec, assessments, context, dataset)
    accelerator = engine(study.training)
    watcher = watcher or bars(visible=bool(accelerator.is_main_process))
    return Task(study, dataset, splitting, assessments, context, folder, watcher, accelerator, data)


def _splits(task: Task) -> list[Split]:
    return list(task.splitting.splits(task.dataset, task.study.target, task.study.training.seed))


def _refuse_known(task: Task, splits: list[Split]) -> None:
    """Samples that a model made are judged on nobody whom it has learnt from; said before anything is fitted."""
    for split in splits:
        judged = task.dataset.subset(split.test).learned_from
        shared = task.dataset.made_by.shared_with(judged)
        if shared:
            counts = ", ".join(f"{n} of {len(judged.digests[c])} in column {c!r}" for c, n in shared.items())
            raise LeakageError(
                f"fold {split.fold} would be scored on {task.dataset.spec.group_word[1]} from whom the model that made "
                f"{task.dataset.spec.name!r} has "
                f'learnt: {counts}. Keep that model\'s own split ([options.subject-holdout] column = "side"), or collect '
                "activations of other people (pellucid activations RUN --data DIR)"
            )


def _step(task: Task, splits: list[Split], fold: int) -> None:
    if fold == EVERYBODY:
        fit_on_everybody(task)
    else:
        fit_and_examine(task, splits[fold], len(splits))


def _side_by_side(task: Task, folds: int, data: str | Path | None, jobs: int) -> None:
    """Folds in processes of their own: they share nothing but the run folder, and each leaves its own part of it."""
    from joblib import Parallel, delayed

    # The models on everybody first: they are the longest, and a last long job would leave the other processes idle.
    todo = (EVERYBODY, *range(folds))
    settings = task.study.settings()
    Parallel(n_jobs=jobs, batch_size=1)(delayed(_apart)(settings, task.folder, data, fold) for fold in todo)


def _apart(settings: dict[str, Any], folder: Path, data: str | Path | None, fold: int) -> None:
    import torch

    # One thread a process: as many processes as cores, each with as many threads, would only wait for each other.
    torch.set_num_threads(1)
    task = _task(Study.from_mapping(settings), folder, data, Lines())
    with RunLog(task):
        _step(task, _splits(task), fold)
