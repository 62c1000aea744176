"""Fit parts and models: statistics first, then the loop, then the record of whom was learnt from."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.batch import Batch, collate
from pellucid.data.dataset import Dataset
from pellucid.data.subjects import LearnedFrom
from pellucid.encoders.base import Encoder
from pellucid.fingerprint import fingerprint
from pellucid.heads.base import Head, Loss, Stage
from pellucid.model import BATCH, Model, batches
from pellucid.representation import Representation
from pellucid.training.checkpoint import Checkpoint, Progress
from pellucid.training.loop import Samples, Watcher, train
from pellucid.training.settings import TrainingSettings

LATENT = "representation"
"""Input name under which precomputed representations travel in a batch."""


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
        _EncoderLoss(encoder),
        _samples(sides.train, sides.target),
        _samples(sides.validation, sides.target),
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
    fixed = not together and not head.tags.needs_tokens
    training = _encoded(model, sides.train, sides.target) if fixed else _samples(sides.train, sides.target)
    validation = _encoded(model, sides.validation, sides.target) if fixed else _samples(sides.validation, sides.target)
    head.prepare(_pairs(model, training, fixed))
    history = []
    for stage in head.stages():
        if stage.loss is not None:
            objective = _HeadLoss(head, stage.loss) if fixed else _ModelLoss(model, stage, together)
            limited = settings.model_copy(update={"epochs": max(1, math.ceil(settings.epochs * stage.share))})
            with _learning(head, stage):
                if any(p.requires_grad for p in objective.parameters()):
                    history.append(
                        train(
                            objective, training, validation, limited, stage=session.stage(f"{name} {stage.name}"),
                            checkpoint=session.checkpoint(f"{name} {stage.name}", limited), watcher=session.watcher,
                        )
                    )  # fmt: skip
        if stage.finish is not None:
            stage.finish(_pairs(model, training, fixed))
            if head.tags.remembers:
                head.remember(fingerprint(model.named_encoders()))
    head.learned_from = head.learned_from | sides.learned_from
    for prefix, encoder in model.named_encoders():
        if prefix in together:
            encoder.learned_from = encoder.learned_from | sides.learned_from
    return model.eval(), history


def learns_with_head(encoder: Encoder, settings: TrainingSettings) -> bool:
    """Whether an encoder's parameters learn together with each head."""
    has_parameters = any(True for _ in encoder.parameters())
    return has_parameters and (settings.joint or not encoder.tags.trains_alone)


class _EncoderLoss(nn.Module):
    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, batch: Batch) -> Tensor:
        return self.encoder.loss(batch)


class _HeadLoss(nn.Module):
    def __init__(self, head: Head, loss: Loss) -> None:
        super().__init__()
        self.head, self._loss = head, loss

    def forward(self, batch: Batch) -> Tensor:
        return self._loss(Representation(batch.inputs[LATENT], self.head.config.units), batch)


class _ModelLoss(nn.Module):
    def __init__(self, model: Model, stage: Stage, together: set[str]) -> None:
        super().__init__()
        assert stage.loss is not None
        self.model, self._loss, self._together = model, stage.loss, together
        self._with_encoders = stage.encoders
        for prefix, encoder in model.named_encoders():
            encoder.requires_grad_(stage.encoders and prefix in together)

    def train(self, mode: bool = True) -> _ModelLoss:
        """Encoders that do not learn in this stage say what they will say afterwards: no dropout, no moving statistics."""
        super().train(mode)
        for prefix, encoder in self.model.named_encoders():
            encoder.train(mode and self._with_encoders and prefix in self._together)
        return self

    def forward(self, batch: Batch) -> Tensor:
        loss = self._loss(self.model.encode(batch), batch)
        for prefix, encoder in self.model.named_encoders():
            if self._with_encoders and prefix in self._together and encoder.tags.trains_alone:
                loss = loss + encoder.loss(batch)
        return loss


@contextmanager
def _learning(head: Head, stage: Stage) -> Iterator[None]:
    """Let those of a head's parameters learn that a stage names, for its length."""
    before = {name: parameter.requires_grad for name, parameter in head.named_parameters()}
    head.requires_grad_(False)
    for parameter in stage.parameters(head):
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for name, parameter in head.named_parameters():
            parameter.requires_grad_(before[name])


def _state(part: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in part.state_dict().items()}


def _samples(dataset: Dataset, target: str | None = None) -> Samples:
    return Samples(lambda indices: collate(dataset, indices, target), len(dataset))


@torch.no_grad()
def _encoded(model: Model, dataset: Dataset, target: str) -> Samples:
    """Representations computed once: frozen encoders say the same in every epoch."""
    model.eval()
    read = [(model.encode(batch).values, batch) for batch, _ in batches(dataset, target)]
    values = torch.cat([v for v, _ in read])
    targets = torch.cat([b.targets for _, b in read if b.targets is not None])
    has_concepts = read[0][1].concepts is not None
    concepts = torch.cat([b.concepts for _, b in read if b.concepts is not None]) if has_concepts else None
    known = torch.cat([b.concept_mask for _, b in read if b.concept_mask is not None]) if has_concepts else None

    def at(indices: np.ndarray) -> Batch:
        i = torch.from_numpy(indices)
        return Batch(
            {LATENT: values[i]},
            {},
            targets[i],
            None if concepts is None else concepts[i],
            None if known is None else known[i],
        )

    return Samples(at, len(dataset))


@torch.no_grad()
def _pairs(model: Model, samples: Samples, fixed: bool) -> Iterator[tuple[Representation, Batch]]:
    names: tuple[str, ...] = model.head.config.units
    model.eval()
    for start in range(0, samples.count, BATCH):
        batch = samples.read(np.arange(start, min(start + BATCH, samples.count)))
        yield (Representation(batch.inputs[LATENT], names) if fixed else model.encode(batch)), batch
