"""The loop: epochs over shuffled batches, for one learner or for several side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from pellucid.batch import Batch
from pellucid.errors import DataError
from pellucid.seeds import seed_of
from pellucid.training.batching import Reader, Samples, batches_of
from pellucid.training.checkpoint import Checkpoint, Progress
from pellucid.training.engine import engine
from pellucid.training.learner import Learner
from pellucid.training.settings import TrainingSettings

__all__ = ["Diverged", "Samples", "Watcher", "train", "train_together"]


class Diverged(DataError):
    """Objectives whose loss was no number any more; those beside them have learnt to their end.

    Parameters
    ----------
    why : mapping of str to str
        By stage.
    done : mapping of str to Progress
        The others, by stage. Their checkpoints are kept: the same training goes on without doing them again.
    told : str
        The message; by default what ``why`` says.
    """

    def __init__(self, why: Mapping[str, str], done: Mapping[str, Progress], told: str = "") -> None:
        self.why, self.done = dict(why), dict(done)
        super().__init__(told or "; ".join(self.why.values()))

    def __reduce__(self) -> tuple[type[Diverged], tuple[Mapping[str, str], Mapping[str, Progress], str]]:
        # By what it is made from: it may come out of a process of its own.
        return Diverged, (self.why, self.done, str(self))


class Watcher:
    """What a run reports to while it goes on. This one is silent; the command line's draws bars."""

    def say(self, message: str) -> None:
        """Something worth a line."""

    def start(self, what: str, epochs: int) -> None:
        """A training begins."""

    def epoch(self, done: int, training: float, validation: float) -> None:
        """An epoch is complete; the validation loss is NaN where nothing is watched."""

    def stop(self) -> None:
        """The training has ended."""


def train(
    objective: nn.Module,
    training: Samples,
    validation: Samples | None,
    settings: TrainingSettings,
    *,
    stage: str,
    order: str | None = None,
    checkpoint: Checkpoint | None = None,
    watcher: Watcher | None = None,
) -> Progress:
    """Minimise an objective.

    Parameters
    ----------
    objective : nn.Module
        Called with a batch it returns the mean loss of its samples. Parameters that do not require gradients stay. Where it
        has a method ``settle`` this is called after each step.
    training, validation : Samples
        Without validation samples the last epoch is kept, and nothing is read but what is learnt from.
    settings : TrainingSettings
    stage : str
        Names this training; with the seed and the epoch it decides all chance in it, so that a resumed training is the
        uninterrupted one.
    order : str, optional
        Names the order of samples; the stage by default.
    checkpoint : Checkpoint, optional
        Written after each epoch, read at the start.
    watcher : Watcher, optional

    Returns
    -------
    Progress

    Raises
    ------
    Diverged
        If the loss is not a number, with the epoch.
    """
    told = {stage: (objective, checkpoint)}
    return train_together(told, training, validation, settings, order=order or stage, watcher=watcher)[stage]


def train_together(
    objectives: Mapping[str, tuple[nn.Module, Checkpoint | None]],
    training: Samples,
    validation: Samples | None,
    settings: TrainingSettings,
    *,
    order: str,
    watcher: Watcher | None = None,
) -> dict[str, Progress]:
    """Minimise several objectives that share nothing but the samples, which are read once for all of them.

    Each is trained as if it were alone: with an optimizer, chance and an end of its own.

    Parameters
    ----------
    objectives : mapping of str to (nn.Module, Checkpoint or None)
        By stage; see :func:`train`.
    training, validation, settings, order, watcher
        See :func:`train`.

    Returns
    -------
    dict of str to Progress

    Raises
    ------
    Diverged
        If the loss of one is not a number; once the others have learnt to their end.
    """
    # One accelerator a training: it keeps all that it prepares, so one for a whole run would grow with the folds.
    accelerator = engine(settings)
    steps = math.ceil(training.count / settings.batch_size)
    learners = [
        Learner(objective, settings, accelerator, stage=stage, steps=steps, checkpoint=checkpoint)
        for stage, (objective, checkpoint) in objectives.items()
    ]
    watcher = watcher or Watcher()
    watcher.start(", ".join(objectives), settings.epochs)
    epoch = min(learner.progress.epoch for learner in learners)
    while any(not learner.ended for learner in learners):
        # One that was cut off earlier than the others catches up first.
        active = [one for one in learners if not one.ended and one.progress.epoch == epoch]
        for learner in active:
            learner.begin()
        seed = seed_of(settings.seed, order, epoch)
        for step, (batch, share) in enumerate(_shares(training, settings, seed, accelerator) if active else ()):
            for learner in active:
                learner.step(batch, share, step / steps)
        for learner in active:
            learner.watch(validation)
            if accelerator.is_main_process:
                learner.save()
            if learner.diverged and len(learners) > 1:
                watcher.say(f"{learner.diverged}. What learns beside it goes on")
        epoch += 1
        alive = [one for one in active if not one.diverged]
        if alive:
            last = alive[-1].progress
            watcher.epoch(epoch, last.training[-1], last.validation[-1] if validation is not None else math.nan)
    for learner in learners:
        learner.end()
    watcher.stop()
    done = {learner.stage: learner.progress for learner in learners if not learner.diverged}
    if len(done) < len(learners):
        raise Diverged({one.stage: one.diverged for one in learners if one.diverged}, done)
    return done


def _shares(
    training: Samples, settings: TrainingSettings, seed: int, accelerator: Any
) -> Iterator[tuple[Batch, float]]:
    """This process's part of each batch, and the weight that makes the mean over processes the mean over the batch."""
    world, rank = accelerator.num_processes, accelerator.process_index
    cuts = batches_of(training, settings, seed)
    # A last batch smaller than the number of processes would leave one of them with nothing to do.
    if len(cuts) > 1 and len(cuts[-1]) < world:
        cuts[-2:] = [np.concatenate(cuts[-2:])]
    mine = [cut[rank::world] for cut in cuts]
    if settings.workers:
        loader = torch.utils.data.DataLoader(
            _Reads(training.read, mine), batch_size=None, num_workers=settings.workers, shuffle=False
        )
        batches: Iterator[Batch] = iter(loader)
    else:
        batches = map(training.read, mine)
    for batch, cut, own in zip(batches, cuts, mine, strict=True):
        yield (batch if accelerator.device.type == "cpu" else batch.to(accelerator.device)), len(own) * world / len(cut)


class _Reads(torch.utils.data.Dataset):
    def __init__(self, read: Reader, cuts: list[np.ndarray]) -> None:
        self.read, self.cuts = read, cuts

    def __len__(self) -> int:
        return len(self.cuts)

    def __getitem__(self, index: int) -> Batch:
        return self.read(self.cuts[index])
