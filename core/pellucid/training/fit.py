"""Fit parts and models: statistics first, then the loop, then the record of whom was learnt from."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from pellucid.data.dataset import Dataset
from pellucid.data.subjects import LearnedFrom
from pellucid.encoders.base import Encoder
from pellucid.errors import StudyError
from pellucid.fingerprint import fingerprint
from pellucid.heads.base import Head
from pellucid.model import Model, batches
from pellucid.training.checkpoint import Checkpoint, Progress
from pellucid.training.loop import Diverged, Watcher, train, train_together
from pellucid.training.objectives import EncoderLoss, HeadLoss, ModelLoss
from pellucid.training.reading import as_they_are, pairs, represented
from pellucid.training.settings import TrainingSettings


@dataclass(frozen=True)
class Sides:
    """Samples to learn from and samples to stop by, both on the learning side of a split.

    Parameters
    ----------
    train, validation : Dataset
    target : str
        Whose labels go along; empty where nothing is predicted.
    """

    train: Dataset
    validation: Dataset
    target: str = ""

    @property
    def learned_from(self) -> LearnedFrom:
        """Both sides: early stopping learns from the validation subjects."""
        made_by = self.train.made_by | self.validation.made_by
        return self.train.learned_from | self.validation.learned_from | made_by


@dataclass(frozen=True)
class Session:
    """Where a training leaves checkpoints and whom it tells.

    Parameters
    ----------
    folder : Path, optional
        For checkpoints; none are written without it.
    watcher : Watcher
    prefix : str
        Distinguishes the trainings of a run (``"fold 1"``): part of the stage's name, so of its seed.
    """

    folder: Path | None = None
    watcher: Watcher = field(default_factory=Watcher)
    prefix: str = ""

    def stage(self, name: str) -> str:
        """Full name of a training."""
        return f"{self.prefix} {name}".strip()

    def checkpoint(self, name: str, settings: TrainingSettings) -> Checkpoint | None:
        """The checkpoint of a training."""
        if self.folder is None:
            return None
        return Checkpoint(
            self.folder / f"{name.replace('/', '-').replace(' ', '-')}.safetensors", settings.model_dump()
        )


def fit_encoder(
    encoder: Encoder, sides: Sides, settings: TrainingSettings, *, name: str = "encoder", session: Session | None = None
) -> Progress | None:
    """Learn an encoder's statistics and, if it trains alone, its parameters.

    Parameters
    ----------
    encoder : Encoder
        Changed in place; carries ``learned_from`` afterwards if anything was learnt.
    sides : Sides
    settings : TrainingSettings
    name : str
    session : Session, optional

    Returns
    -------
    Progress, optional
        None where there is nothing to train.
    """
    session = session or Session()
    prepare_encoder(encoder, sides)
    if not encoder.tags.trains_alone:
        return None
    progress = train(
        EncoderLoss(encoder),
        as_they_are(sides.train, sides.target),
        as_they_are(sides.validation, sides.target),
        settings,
        stage=session.stage(name),
        checkpoint=session.checkpoint(name, settings),
        watcher=session.watcher,
    )
    encoder.learned_from = encoder.learned_from | sides.learned_from
    return progress


def prepare_encoder(encoder: Encoder, sides: Sides) -> None:
    """Learn closed-form statistics from the training samples, and remember whom they came from if there were any."""
    before = _state(encoder)
    encoder.prepare(batch for batch, _ in batches(sides.train, sides.target))
    if any(not torch.equal(value, before[name]) for name, value in _state(encoder).items()):
        encoder.learned_from = encoder.learned_from | sides.learned_from


def fit_model(
    encoders: Mapping[str, Encoder],
    head: Head,
    sides: Sides,
    settings: TrainingSettings,
    *,
    name: str = "head",
    session: Session | None = None,
) -> tuple[Model, list[Progress]]:
    """Fit a head on encoders, stage by stage; encoders that do not train alone, or all with ``joint``, learn with it.

    Parameters
    ----------
    encoders : mapping of str to Encoder
        Prepared (and trained, if they train alone). Those that learn with the head are copied first, so that heads that
        stand side by side do not share what one of them learns.
    head : Head
    sides, settings, name, session
        See :func:`fit_encoder`.
    """
    session = session or Session()
    together = {k for k, e in encoders.items() if learns_with_head(e, settings)}
    model = Model({k: copy.deepcopy(e) if k in together else e for k, e in encoders.items()}, head)
    # Tokens of all samples would not fit in memory: encoders that are frozen say them anew in each epoch.
    fixed = not (together or head.tags.needs_tokens or head.tags.learns == "inputs")
    read = represented(model) if fixed else as_they_are
    training, validation = (read(side, sides.target) for side in (sides.train, sides.validation))
    head.prepare(pairs(model, training))
    history = []
    for stage in head.stages():
        if stage.loss is not None:
            objective = HeadLoss(head, stage.loss) if fixed else ModelLoss(model, stage, together)
            limited = settings.model_copy(update={"epochs": max(1, math.ceil(settings.epochs * stage.share))})
            with stage.learning(head):
                if any(p.requires_grad for p in objective.parameters()):
                    history.append(
                        train(
                            objective, training, validation, limited, stage=session.stage(f"{name} {stage.name}"),
                            checkpoint=session.checkpoint(f"{name} {stage.name}", limited), watcher=session.watcher,
                        )
                    )  # fmt: skip
        if stage.finish is not None:
            stage.finish(pairs(model, training))
            if head.tags.remembers:
                head.remember(fingerprint(model.named_encoders()))
    head.learned_from, head.origin = head.learned_from | sides.learned_from, sides.train.origin
    for prefix, encoder in model.named_encoders():
        if prefix in together:
            encoder.learned_from = encoder.learned_from | sides.learned_from
    return model.eval(), history


def fit_codes(
    encoders: Mapping[str, Encoder],
    heads: Mapping[str, Head],
    sides: Sides,
    settings: TrainingSettings,
    *,
    session: Session | None = None,
) -> dict[str, tuple[Model, list[Progress]]]:
    """Fit heads that give codes side by side, on one stream of what frozen encoders say.

    Each learns what it would have learnt alone.

    Parameters
    ----------
    encoders : mapping of str to Encoder
        Prepared and, if they have parameters, trained.
    heads : mapping of str to Head
        By part; none of them predicts.
    sides, settings, session
        See :func:`fit_encoder`.

    Raises
    ------
    StudyError
        If an encoder would have to learn with a head: without labels it would learn to say what is easy to encode.
    DataError
        If the loss of a head is not a number; said once the others have learnt to their end and left their checkpoints.
    """
    session = session or Session()
    check_codes(encoders, settings)
    models = {part: Model(encoders, head) for part, head in heads.items()}
    read = represented(next(iter(models.values())))
    training, validation = (read(side, sides.target) for side in (sides.train, sides.validation))
    history: dict[str, list[Progress]] = {part: [] for part in heads}
    for part, head in heads.items():
        head.prepare(pairs(models[part], training))
    stages = {part: head.stages() for part, head in heads.items()}
    lost: dict[str, str] = {}
    for rank in range(max(map(len, stages.values()))):
        now = {part: some[rank] for part, some in stages.items() if rank < len(some) and part not in lost}
        for share in dict.fromkeys(stage.share for stage in now.values() if stage.loss is not None):
            limited = settings.model_copy(update={"epochs": max(1, math.ceil(settings.epochs * share))})
            objectives, names = {}, {}
            with ExitStack() as learning:
                for part, stage in now.items():
                    if stage.loss is not None and stage.share == share and stage.parameters(heads[part]):
                        learning.enter_context(stage.learning(heads[part]))
                        name = f"head {part} {stage.name}"
                        names[part] = session.stage(name)
                        objectives[names[part]] = (HeadLoss(heads[part], stage.loss), session.checkpoint(name, limited))
                if not objectives:
                    continue
                # The order of rows is the same whoever stands beside, so that a dictionary does not depend on it.
                order = session.stage("rows")
                try:
                    done = train_together(
                        objectives, training, validation, limited, order=order, watcher=session.watcher
                    )
                except Diverged as error:
                    done = error.done
                    lost |= {part: error.why[name] for part, name in names.items() if name in error.why}
            for part, name in names.items():
                if part not in lost:
                    history[part].append(done[name])
        for part, stage in now.items():
            if stage.finish is not None and part not in lost:
                stage.finish(pairs(models[part], training))
    if lost:
        raise _diverged_error(lost, [part for part in heads if part not in lost])
    for head in heads.values():
        head.learned_from, head.origin = head.learned_from | sides.learned_from, sides.train.origin
    return {part: (model.eval(), history[part]) for part, model in models.items()}


def _diverged_error(lost: Mapping[str, str], others: Sequence[str]) -> Diverged:
    """One error for all heads that diverged: which, when, and what is there of the others."""
    named = " and ".join(map(repr, lost))
    told = f"{named} did not learn, so nothing is finished: {'; '.join(lost.values())}"
    if others:
        told += (
            f". {' and '.join(map(repr, others))} learnt beside to the end; the same command does not train them again"
        )
    return Diverged(lost, {}, told)


def check_codes(encoders: Mapping[str, Encoder], settings: TrainingSettings) -> None:
    """Refuse encoders that would have to learn with heads that give codes.

    Raises
    ------
    StudyError
    """
    for prefix, encoder in encoders.items():
        if learns_with_head(encoder, settings):
            raise StudyError(
                f"encoder {prefix!r} has not learnt anything by itself, so what it says is not worth a dictionary: collect the "
                "activations of a finished run first (pellucid activations RUN --layer ...), and read those"
            )


def learns_with_head(encoder: Encoder, settings: TrainingSettings) -> bool:
    """Whether an encoder's parameters learn together with each head."""
    has_parameters = any(True for _ in encoder.parameters())
    return has_parameters and (settings.joint or not encoder.tags.trains_alone)


def _state(part: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in part.state_dict().items()}
