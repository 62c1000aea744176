"""The document of a run: begun before anything is trained, found again when the run goes on; and the run's log."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pellucid import plugins
from pellucid.data.splits import Split
from pellucid.errors import PellucidError, RunError
from pellucid.files import refuse_below_a_file, write_json
from pellucid.heads.base import HeadTags
from pellucid.provenance import card_of, cohort, versions
from pellucid.run import DOCUMENT, FORMAT, read_document
from pellucid.running.repeating import repeated_by
from pellucid.running.task import Task
from pellucid.sections import with_digests
from pellucid.training.loop import Diverged


def refuse_other_folder(folder: Path) -> None:
    """Refuse a place that can be no run folder, before hours of data are read.

    Raises
    ------
    RunError
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file; --out names the folder of the run")
    refuse_below_a_file(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / DOCUMENT).exists():
        raise RunError(
            f"{folder} holds other files and no {DOCUMENT}, so it is no run folder: --out names a new folder, or that of a run to "
            "go on with"
        )


def begin_or_continue(task: Task, splits: list[Split]) -> dict[str, Any]:
    """The document of a new run, or of the one that is continued."""
    study, dataset, folder = task.study, task.dataset, task.folder
    digest = dataset.digest()
    document = None
    if folder.exists() and any(folder.iterdir()):
        document = read_document(folder)
        if document["study"] != study.settings():
            stopped = f" (which has stopped: {document['stopped']})" if document.get("stopped") else ""
            raise RunError(
                f"{folder} holds another study, or this one with other settings{stopped}; choose another --out or delete it"
            )
        if document["dataset"]["digest"] != digest:
            raise RunError(
                f"{folder} was begun on other data than {study.dataset!r} holds now; choose another --out or delete it"
            )
    task.together()
    if document is not None:
        return document
    document = {
        "format": FORMAT,
        "state": "running",
        "study": study.settings(),
        "seed": study.training.seed,
        "dataset": {
            "name": study.dataset,
            "digest": digest,
            "about": dataset.spec.about,
            "origin": dataset.origin,
            "spec": dataset.spec.model_dump(mode="json"),
            "card": card_of(study.dataset),
        },
        "target": dataset.spec.target(study.target).model_dump(mode="json") if study.target else None,
        "versions": versions(),
        "device": task.accelerator.device.type,
        "processes": task.accelerator.num_processes,
        "started": time.strftime("%Y-%m-%d"),
        "command": repeated_by(task),
        "duration_s": 0.0,
        "findings": [asdict(finding) for finding in dataset.findings],
        "published": [s.model_dump(mode="json") for s in (dataset.published(study.target) if study.target else ())],
        "cohort": cohort(dataset, study.target, splits),
        "subjects": {
            str(s.fold): {
                side: dataset.subset(getattr(s, side)).learned_from.to_json()["digests"]
                for side in ("train", "validation", "test")
            }
            for s in splits
        },
        "parts": {part: {"tags": asdict(tags)} for part, tags in task.context.parts.items()},
        # Tags are the classes' own, written down so that a report asks no plugin for them.
        "encoders": {prefix: asdict(tags) for prefix, tags in (task.context.encoders or {}).items()},
        "reads": list(task.context.reads or ()),
        "units": units_said(task),
        "baseline_name": task.context.baseline_name,
        "black_box": _black_box(task.context.parts),
        "results": [],
        "not_measured": [],
        "weights_sha256": {},
        "notes": [],
    }
    document = with_digests(document)
    if task.writes:
        write_json(folder / DOCUMENT, document)
    task.together()
    return document


class Stopping:
    """While a run goes on, its document says so; where an error ends it, that it has stopped and why.

    A run that is broken off from outside (a key, a full disk, a killed process) is still under way, and goes on.
    """

    def __init__(self, task: Task, document: dict[str, Any]) -> None:
        self.task, self.document = task, document

    def __enter__(self) -> None:
        # The same settings are tried again: the reason may have been the machine, or has been mended.
        if self.document.pop("stopped", None):
            self._write("running")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, PellucidError) and not isinstance(error, RunError):
            # As in the log: a message may quote data, and only of a training that diverged is it known that it does not.
            why = str(error) if isinstance(error, Diverged) else f"{type(error).__name__}, as the command said"
            self._write("stopped", stopped=why)

    def _write(self, state: str, **more: str) -> None:
        self.document["state"] = state
        if self.task.writes:
            write_json(self.task.folder / DOCUMENT, self.document | more)


def units_said(task: Task) -> dict[str, str]:
    """Physical unit of all that an encoder says, by its prefix, where there is one."""
    found = {}
    for entry in task.study.encoder:
        form = plugins.load("encoder", entry.name).unit(entry.options)
        written = [getattr(task.dataset.spec.input(name), "units", None) for name in entry.reads]
        if form and len(written) == 1 and isinstance(written[0], str):
            found[entry.prefix] = form.format(written[0])
    return found


def _black_box(parts: Mapping[str, HeadTags]) -> str | None:
    """The first part whose explanation is not how it decides: what the others are compared with."""
    return next((part for part, tags in parts.items() if tags.predicts and tags.stage == "post_hoc"), None)


class RunLog:
    """Write the log of a run to its folder while it runs."""

    def __init__(self, task: Task) -> None:
        self.path = task.folder / "log.txt" if task.writes else None

    def __enter__(self) -> None:
        self.handler: logging.Handler = (
            logging.FileHandler(self.path, "a", "utf-8") if self.path else logging.NullHandler()
        )
        self.handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.getLogger("pellucid").addHandler(self.handler)
        logging.getLogger("pellucid").setLevel(logging.INFO)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is not None:
            # The kind alone: a message may quote data, and a log travels with the folder.
            logging.getLogger(__name__).error("stopped by %s", kind.__name__ if kind else "?")
        logging.getLogger("pellucid").removeHandler(self.handler)
        self.handler.close()
