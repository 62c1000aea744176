"""Running a study: split, fit, score, explain, and leave a run folder. Goes on where it was cut off."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from pellucid.assembly import build_protocols, check_fit
from pellucid.data.spec import DataSpec
from pellucid.plugins import load
from pellucid.protocols.base import Context
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.run import Run
from pellucid.running.concluding import conclude
from pellucid.running.document import RunLog, begin_or_continue
from pellucid.running.folds import fit_and_examine, fit_on_everybody
from pellucid.running.progress import bars
from pellucid.running.task import Task
from pellucid.studies import Study
from pellucid.training.engine import described, engine
from pellucid.training.loop import Watcher


def run_study(study: Study, folder: Path, data: str | Path | None = None, watcher: Watcher | None = None) -> Run:
    """Run a study into a folder; see :meth:`pellucid.studies.Study.run`.

    Raises
    ------
    StudyError
        If components do not fit, before anything is written.
    RunError
        If the folder holds another study, other data or another format, or cannot be written.
    """
    begun = time.monotonic()
    # Settings, components and data are checked before the folder is touched: a study that cannot run leaves nothing.
    splitting, assessments = build_protocols(study)
    dataset = study.open_dataset(data).labelled(study.target)
    context = _context(study, dataset.spec)
    check_fit(study, dataset.spec, assessments, context)
    splits = list(splitting.splits(dataset, study.target, study.training.seed))
    accelerator = engine(study.training)
    watcher = watcher or bars(visible=bool(accelerator.is_main_process))
    task = Task(study, dataset, splitting, assessments, context, folder, watcher, accelerator)
    document = begin_or_continue(task, splits)
    if document["state"] == "finished":
        return Run(folder)
    with RunLog(task):
        logging.getLogger(__name__).info("%s: %s", study.title, described(accelerator))
        watcher.say(f"{study.title}: {len(dataset)} samples, {len(splits)} fold(s), {described(accelerator)}")
        for split in splits:
            fit_and_examine(task, split, len(splits))
        fit_on_everybody(task)
        if task.writes:
            conclude(task, document, splits, time.monotonic() - begun)
        task.together()
    return Run(folder)


def _context(study: Study, spec: DataSpec) -> Context:
    parts = {entry.part: load("head", entry.name).tags for entry in study.head}
    baseline = TrivialBaseline(spec, study.target).name
    encoders = {entry.prefix: load("encoder", entry.name).tags for entry in study.encoder}
    return Context(spec, study.target, parts, baseline, study.training.seed, encoders)
