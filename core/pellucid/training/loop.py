"""The loop: epochs over shuffled batches, a look at the validation subjects, the best epoch kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.errors import DataError
from pellucid.seeds import seed_of
from pellucid.training.averaging import RunningMean
from pellucid.training.checkpoint import Checkpoint, Progress
from pellucid.training.engine import engine
from pellucid.training.settings import TrainingSettings

Reader = Callable[[np.ndarray], Batch]
"""Gives the batch of some sample positions."""


@dataclass(frozen=True)
class Samples:
    """Samples to learn from or to watch, and how to read them."""

    read: Reader
    count: int


class Watcher:
    """What a run reports to while it goes on. This one is silent; the command line's draws bars."""

    def say(self, message: str) -> None:
        """Something worth a line."""

    def start(self, what: str, epochs: int) -> None:
        """A training begins."""

    def epoch(self, done: int, training: float, validation: float) -> None:
        """An epoch is complete."""

    def stop(self) -> None:
        """The training has ended."""


def train(
    objective: nn.Module,
    training: Samples,
    validation: Samples | None,
    settings: TrainingSettings,
    *,
    stage: str,
    checkpoint: Checkpoint | None = None,
    watcher: Watcher | None = None,
) -> Progress:
    """Minimise an objective.

    Parameters
    ----------
    objective : nn.Module
        Called with a batch it returns the mean loss of its samples. Parameters that do not require gradients stay.
    training, validation : Samples
        Without validation samples the last epoch is kept.
    settings : TrainingSettings
    stage : str
        Names this training; with the seed and the epoch it decides all chance in it, so that a resumed training is the
        uninterrupted one.
    checkpoint : Checkpoint, optional
        Written after each epoch, read at the start.
    watcher : Watcher, optional

    Returns
    -------
    Progress

    Raises
    ------
    DataError
        If the loss is not a number, with the epoch.
    """
    # One accelerator a training: it keeps all that it prepares, so one for a whole run would grow with the folds.
    accelerator = engine(settings)
    learning = [p for p in objective.parameters() if p.requires_grad]
    objective.to(accelerator.device)
    optimizer = torch.optim.AdamW(learning, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    progress = Progress()
    best: dict[str, Tensor] = {}
    steps = math.ceil(training.count / settings.batch_size)
    mean = RunningMean(objective, settings.averaging * steps) if settings.averaging else None
    if checkpoint is not None and (found := checkpoint.load(objective, optimizer, mean)) is not None:
        progress, best = found
    watcher = watcher or Watcher()
    watcher.start(stage, settings.epochs)
    wrapped, prepared = accelerator.prepare(objective, optimizer)
    while not progress.done:
        epoch = progress.epoch
        seed = seed_of(settings.seed, stage, epoch)
        torch.manual_seed(seed + accelerator.process_index)
        objective.train()
        total = torch.zeros((), device=accelerator.device)
        for step, (batch, share) in enumerate(_shares(training, settings, seed, accelerator)):
            for group in optimizer.param_groups:
                group["lr"] = _rate(settings, epoch, step / steps)
            with accelerator.autocast():
                loss = wrapped(batch)
            accelerator.backward(loss * share)
            if settings.clip_norm is not None:
                accelerator.clip_grad_norm_(learning, settings.clip_norm)
            prepared.step()
            prepared.zero_grad()
            if mean is not None:
                mean.add()
            total += loss.detach() * len(batch)
        progress.training.append(float(accelerator.reduce(total, "sum")) / training.count)
        with mean.shown() if mean is not None else nullcontext():
            progress.validation.append(_watched(objective, validation or training, settings, seed, accelerator.device))
        progress.epoch += 1
        _judge(progress, settings, validation is not None)
        if not math.isfinite(progress.training[-1]):
            raise DataError(
                f"{stage}: the loss is {progress.training[-1]} in epoch {progress.epoch}; look for extreme inputs, or lower "
                "[training] learning_rate"
            )
        if (validation is not None or mean is not None) and progress.best_epoch == progress.epoch:
            kept = objective.state_dict() if mean is None else mean.values
            best = {k: v.detach().clone() for k, v in kept.items()}
        if checkpoint is not None and accelerator.is_main_process:
            checkpoint.save(objective, best, optimizer, progress, mean)
        watcher.epoch(progress.epoch, progress.training[-1], progress.validation[-1])
    if best:
        objective.load_state_dict(best)
    watcher.stop()
    objective.to("cpu").eval()
    return progress


RISE = 0.25
"""Share of a one-cycle schedule in which the learning rate rises."""

LOWEST = 0.04
"""Share of the learning rate with which it begins."""


def _rate(settings: TrainingSettings, epoch: int, within: float) -> float:
    """Learning rate of a step; ``within`` is the share of the epoch that lies behind it."""
    if settings.schedule == "constant":
        return settings.learning_rate
    if settings.schedule == "one-cycle":
        done = (epoch + within) / settings.epochs
        if done < RISE:
            return settings.learning_rate * (LOWEST + (1 - LOWEST) * 0.5 * (1 - math.cos(math.pi * done / RISE)))
        return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (done - RISE) / (1 - RISE)))
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / settings.epochs))


def _shares(
    training: Samples, settings: TrainingSettings, seed: int, accelerator: Any
) -> Iterator[tuple[Batch, float]]:
    """This process's part of each batch, and the weight that makes the mean over processes the mean over the batch."""
    order = np.random.default_rng(seed).permutation(training.count)
    world, rank = accelerator.num_processes, accelerator.process_index
    cuts = [order[at : at + settings.batch_size] for at in range(0, training.count, settings.batch_size)]
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


@torch.no_grad()
def _watched(
    objective: nn.Module, samples: Samples, settings: TrainingSettings, seed: int, device: torch.device
) -> float:
    # The seed makes an objective that samples (a variational one) the same function in every process.
    torch.manual_seed(seed + 1)
    objective.eval()
    total = torch.zeros((), device=device)
    step = max(256, settings.batch_size)
    for at in range(0, samples.count, step):
        indices = np.arange(at, min(at + step, samples.count))
        total += objective(samples.read(indices).to(device)) * len(indices)
    return float(total) / samples.count


def _judge(progress: Progress, settings: TrainingSettings, validated: bool) -> None:
    if progress.validation[-1] < progress.best_loss or not validated:
        progress.best_loss, progress.best_epoch = progress.validation[-1], progress.epoch
    waited = progress.epoch - progress.best_epoch
    stop_early = validated and settings.patience is not None and waited >= settings.patience
    progress.done = progress.epoch >= settings.epochs or stop_early
