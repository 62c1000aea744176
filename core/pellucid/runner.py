"""Running a study: split, fit, score, explain, and leave a run folder. Goes on where it was cut off."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pellucid.assembly import build_encoders, build_head, build_protocols, check_fit, encoders_of
from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec
from pellucid.data.splits import Split, inner_split
from pellucid.errors import RunError
from pellucid.files import write_json, writing
from pellucid.heads.base import HeadTags, probabilities
from pellucid.model import Model, Threshold
from pellucid.plugins import load
from pellucid.protocols.base import Assessment, Context, FittedFold, Splitting
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.provenance import card_of, cohort, versions
from pellucid.run import DOCUMENT, FORMAT, Run, read_document
from pellucid.studies import Study
from pellucid.training.engine import described, engine
from pellucid.training.fit import Session, Sides, fit_encoder, fit_model
from pellucid.training.loop import Watcher
from pellucid.weights import save_models

if TYPE_CHECKING:
    import pandas as pd
    from accelerate import Accelerator

FINAL_VALIDATION = 0.2
"""Share of all subjects by which the final models stop and choose their thresholds."""


@dataclass(frozen=True)
class _Task:
    """What every step of a run needs."""

    study: Study
    dataset: Dataset
    splitting: Splitting
    assessments: Mapping[str, Assessment]
    context: Context
    folder: Path
    watcher: Watcher
    accelerator: Accelerator

    @property
    def writes(self) -> bool:
        """Of several processes one writes."""
        return bool(self.accelerator.is_main_process)


def run_study(study: Study, folder: Path, data: str | Path | None = None, watcher: Watcher | None = None) -> Run:
    """Run a study into a folder; see :meth:`pellucid.studies.Study.run`.

    Raises
    ------
    StudyError
        If components do not fit, before anything is written.
    RunError
        If the folder holds another study, other data or another format, or cannot be written.
    """
    from pellucid.progress import bars

    begun = time.monotonic()
    # Settings, components and data are checked before the folder is touched: a study that cannot run leaves nothing.
    splitting, assessments = build_protocols(study)
    dataset = study.open_dataset(data).labelled(study.target)
    context = _context(study, dataset.spec)
    check_fit(study, dataset.spec, assessments, context)
    splits = list(splitting.splits(dataset, study.target, study.training.seed))
    accelerator = engine(study.training)
    watcher = watcher or bars(visible=bool(accelerator.is_main_process))
    task = _Task(study, dataset, splitting, assessments, context, folder, watcher, accelerator)
    document = _opened(task, splits)
    if document["state"] == "finished":
        return Run(folder)
    with _log(task):
        logging.getLogger(__name__).info("%s: %s", study.title, described(accelerator))
        watcher.say(f"{study.title}: {len(dataset)} samples, {len(splits)} fold(s), {described(accelerator)}")
        for split in splits:
            _fold(task, split, len(splits))
        _final(task)
        if task.writes:
            _conclude(task, document, splits, time.monotonic() - begun)
        accelerator.wait_for_everyone()
    return Run(folder)


def _context(study: Study, spec: DataSpec) -> Context:
    parts = {entry.part: load("head", entry.name).tags for entry in study.head}
    baseline = TrivialBaseline(spec, study.target).name
    encoders = {entry.prefix: load("encoder", entry.name).tags for entry in study.encoder}
    return Context(spec, study.target, parts, baseline, study.training.seed, encoders)


# --- the folder -------------------------------------------------------------------------------------------------------


def _opened(task: _Task, splits: list[Split]) -> dict[str, Any]:
    """The document of a new run, or of the one that is continued."""
    study, dataset, folder = task.study, task.dataset, task.folder
    digest = dataset.digest()
    document = None
    if folder.exists() and any(folder.iterdir()):
        document = read_document(folder)
        if document["study"] != study.settings():
            raise RunError(
                f"{folder} holds another study, or this one with other settings; choose another --out or delete it"
            )
        if document["dataset"]["digest"] != digest:
            raise RunError(
                f"{folder} was begun on other data than {study.dataset!r} holds now; choose another --out or delete it"
            )
    task.accelerator.wait_for_everyone()
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
            "spec": dataset.spec.model_dump(mode="json"),
            "card": card_of(study.dataset),
        },
        "target": dataset.spec.target(study.target).model_dump(mode="json"),
        "versions": versions(),
        "device": task.accelerator.device.type,
        "processes": task.accelerator.num_processes,
        "started": time.strftime("%Y-%m-%d"),
        "command": f"pellucid run {study.name}",
        "duration_s": 0.0,
        "cohort": cohort(dataset, study.target, splits),
        "subjects": {
            str(s.fold): {
                side: dataset.subset(getattr(s, side)).learned_from.to_json()["digests"]
                for side in ("train", "validation", "test")
            }
            for s in splits
        },
        "parts": {part: {"tags": asdict(tags)} for part, tags in task.context.parts.items()},
        "baseline_name": task.context.baseline_name,
        "black_box": _black_box(task.context.parts),
        "results": [],
        "weights_sha256": {},
        "notes": [],
    }
    if task.writes:
        write_json(folder / DOCUMENT, document)
    task.accelerator.wait_for_everyone()
    return document


def _black_box(parts: Mapping[str, HeadTags]) -> str | None:
    """The first part whose explanation is not how it decides: what the others are compared with."""
    return next((part for part, tags in parts.items() if tags.stage == "post_hoc"), None)


class _log:
    """Write the log of a run to its folder while it runs."""

    def __init__(self, task: _Task) -> None:
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


# --- fitting ----------------------------------------------------------------------------------------------------------


def _fold(task: _Task, split: Split, folds: int) -> None:
    folder = task.folder / "folds" / str(split.fold)
    complete = (folder / "done.json").exists()
    task.accelerator.wait_for_everyone()
    if complete:
        return
    sides = Sides(task.dataset.subset(split.train), task.dataset.subset(split.validation), task.study.target)
    models, epochs = _fitted(task, sides, f"fold {split.fold + 1} of {folds}", folder / "checkpoints")
    if task.writes:
        baseline = TrivialBaseline(task.dataset.spec, task.study.target).fit(sides.train)
        fold = FittedFold(task.dataset, task.study.target, split, models, baseline, task.study.training.seed)
        task.watcher.say(f"fold {split.fold + 1} of {folds}: scoring, explaining and auditing the test subjects")
        _examine(task, fold, folder)
        digest = save_models(folder / "weights.safetensors", models)
        write_json(folder / "done.json", {"weights_sha256": digest, "epochs": epochs})
        _remove(folder / "checkpoints")
        logging.getLogger(__name__).info("fold %d is complete", split.fold)
    task.accelerator.wait_for_everyone()


def _examine(task: _Task, fold: FittedFold, folder: Path) -> None:
    from pellucid.report.gallery import collect, explanation_rows

    for name, assessment in task.assessments.items():
        write_rows(folder / f"{name}.parquet", assessment.examine(fold).assign(fold=fold.split.fold))
    rows = explanation_rows(fold)
    write_rows(folder / "explanations.parquet", rows)
    collect(fold, task.context, rows).save(folder)


def _fitted(task: _Task, sides: Sides, where: str, checkpoints: Path) -> tuple[dict[str, Model], dict[str, list[int]]]:
    study, spec = task.study, task.dataset.spec
    session = Session(checkpoints, task.watcher, where)
    encoders = build_encoders(study, spec, seed=where)
    epochs = {}
    for entry in study.encoder:
        settings = study.training_of(entry)
        progress = fit_encoder(encoders[entry.prefix], sides, settings, name=f"encoder {entry.prefix}", session=session)
        epochs[entry.prefix] = [progress.epoch] if progress else []
    models = {}
    for head_entry in study.head:
        own = encoders_of(head_entry, encoders)
        head = build_head(head_entry, own, spec, study.target, seed=f"{study.training.seed}/{where}")
        settings = study.training_of(head_entry)
        model, history = fit_model(own, head, sides, settings, name=f"head {head_entry.part}", session=session)
        model.threshold = threshold_of(model, sides)
        models[head_entry.part] = model
        epochs[head_entry.part] = [progress.epoch for progress in history]
    return models, epochs


def threshold_of(model: Model, sides: Sides) -> Threshold:
    """The threshold of a yes-or-no model, chosen on the validation subjects and on nobody else."""
    from pellucid.protocols.prediction import choose_threshold

    if model.head.config.target.kind != "binary":
        return Threshold()
    with torch.no_grad():
        chances = probabilities(model.head.config.target, model.logits(sides.validation))[:, 0]
    value = choose_threshold(sides.validation.target_values(sides.target)[:, 0], chances.numpy().astype(np.float64))
    return Threshold(value, sides.validation.learned_from)


def _final(task: _Task) -> None:
    """Models fitted on all subjects: what a user loads. They are scored on nobody here."""
    done = (task.folder / "final.json").exists()
    task.accelerator.wait_for_everyone()
    if done:
        return
    dataset, target = task.dataset, task.study.target
    sets, strata = task.splitting.sets(dataset), task.splitting.strata(dataset, target)
    train, validation = inner_split(sets, strata, validation=FINAL_VALIDATION, seed=task.study.training.seed)
    sides = Sides(dataset.subset(train), dataset.subset(validation), target)
    models, epochs = _fitted(task, sides, "all subjects", task.folder / "checkpoints")
    if task.writes:
        baseline = TrivialBaseline(dataset.spec, target).fit(dataset)
        digest = save_models(task.folder / "weights.safetensors", models, {"baseline": baseline.to_json()})
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
    task.accelerator.wait_for_everyone()


# --- concluding -------------------------------------------------------------------------------------------------------


def _conclude(task: _Task, document: dict[str, Any], splits: list[Split], seconds: float) -> None:
    import json

    import pandas as pd

    from pellucid.report import build
    from pellucid.report.gallery import Gallery

    folders = [task.folder / "folds" / str(split.fold) for split in splits]
    results = []
    for name, assessment in task.assessments.items():
        rows = pd.concat([pd.read_parquet(folder / f"{name}.parquet") for folder in folders], ignore_index=True)
        write_rows(task.folder / "rows" / f"{name}.parquet", rows)
        results += assessment.conclude(rows, task.context)
    explanations = pd.concat(
        [pd.read_parquet(folder / "explanations.parquet") for folder in folders], ignore_index=True
    )
    write_rows(task.folder / "explanations.parquet", explanations)
    Gallery.joined(Gallery.load(folder) for folder in folders).save(task.folder)
    final = json.loads((task.folder / "final.json").read_text("utf-8"))
    digests = {"weights.safetensors": final["weights_sha256"]}
    for folder in folders:
        digests[f"folds/{folder.name}/weights.safetensors"] = json.loads((folder / "done.json").read_text("utf-8"))[
            "weights_sha256"
        ]
    document |= {
        "state": "finished",
        "results": [result.to_json() for result in results],
        "parts": {part: {**document["parts"][part], **facts} for part, facts in final["parts"].items()},
        "weights_sha256": digests,
        "duration_s": round(seconds, 1),
    }
    # The report is built before the run is called finished, and the folds' own rows go last: a run that is cut off anywhere
    # in here concludes again.
    write_json(task.folder / DOCUMENT, {**document, "state": "concluding"})
    build(task.folder)
    write_json(task.folder / DOCUMENT, document)
    for folder in folders:
        for path in [*folder.glob("*.parquet"), *folder.glob("gallery.*")]:
            path.unlink()
    (task.folder / "final.json").unlink()
    logging.getLogger(__name__).info("finished with %d results", len(results))


def write_rows(path: Path, rows: pd.DataFrame) -> None:
    """Write a frame as parquet, whole or not at all."""
    import io

    buffer = io.BytesIO()
    rows.to_parquet(buffer, index=False)
    with writing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def _remove(folder: Path) -> None:
    if folder.exists():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
