"""One training: an objective with its optimizer, its progress, the best it has been, and chance of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.seeds import seed_of
from pellucid.training.averaging import RunningMean
from pellucid.training.batching import Samples, watched_batches
from pellucid.training.checkpoint import Checkpoint, Progress
from pellucid.training.settings import TrainingSettings


class Learner:
    """An objective on its way to a minimum.

    Parameters
    ----------
    objective : nn.Module
    settings : TrainingSettings
    accelerator : Accelerator
    stage : str
        With the seed and the epoch it decides all chance.
    steps : int
        In an epoch.
    checkpoint : Checkpoint, optional
        Read here, where there is one.
    """

    def __init__(
        self, objective: nn.Module, settings: TrainingSettings, accelerator: Any, *, stage: str, steps: int,
        checkpoint: Checkpoint | None = None,
    ) -> None:  # fmt: skip
        self.objective, self.settings, self.accelerator, self.stage = objective, settings, accelerator, stage
        self.checkpoint, self.progress = checkpoint, Progress()
        self.diverged = ""
        """Why this cannot go on: in which epoch the loss or a parameter was no number any more."""
        self._best: dict[str, Tensor] = {}
        self._learning = [p for p in objective.parameters() if p.requires_grad]
        objective.to(accelerator.device)
        self._optimizer = torch.optim.AdamW(
            self._learning, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        self._mean = RunningMean(objective, settings.averaging * steps) if settings.averaging else None
        if checkpoint is not None and (found := checkpoint.load(objective, self._optimizer, self._mean)) is not None:
            self.progress, self._best = found
        self._settle: Callable[[], None] | None = getattr(objective, "settle", None)
        self._wrapped, self._prepared = accelerator.prepare(objective, self._optimizer)

    def begin(self) -> None:
        """An epoch begins."""
        self._seed = seed_of(self.settings.seed, self.stage, self.progress.epoch)
        torch.manual_seed(self._seed + self.accelerator.process_index)
        self._chance = torch.get_rng_state()
        self.objective.train()
        self._total = torch.zeros((), device=self.accelerator.device)
        self._learnt = 0

    def step(self, batch: Batch, share: float, within: float) -> None:
        """Learn from a batch; ``share`` is its weight beside those of other processes, ``within`` the epoch's part done."""
        # Chance goes on where this learner left it, whoever else has learnt from the batch.
        torch.set_rng_state(self._chance)
        for group in self._optimizer.param_groups:
            group["lr"] = _rate(self.settings, self.progress.epoch, within)
        with self.accelerator.autocast():
            loss = self._wrapped(batch)
        self.accelerator.backward(loss * share)
        if self.settings.clip_norm is not None:
            self.accelerator.clip_grad_norm_(self._learning, self.settings.clip_norm)
        self._prepared.step()
        self._prepared.zero_grad()
        if self._settle is not None:
            self._settle()
        if self._mean is not None:
            self._mean.add()
        self._total += loss.detach() * len(batch)
        self._learnt += len(batch)
        self._chance = torch.get_rng_state()

    def watch(self, validation: Samples | None) -> None:
        """An epoch is complete: look at the validation samples, keep what is best, see whether this is the end.

        Where the loss, or a parameter, is no number it is the end; see :attr:`diverged`.
        """
        progress = self.progress
        learnt = self._total.new_tensor(self._learnt)
        # Batches without repeats leave a remainder out, so what was learnt from is counted.
        loss = float(self.accelerator.reduce(self._total, "sum")) / float(self.accelerator.reduce(learnt, "sum"))
        # The last step of an epoch is in no training loss of it.
        bad = [name for name, p in self.objective.named_parameters() if p.requires_grad and not p.isfinite().all()]
        if not math.isfinite(loss) or bad:
            what = f"the loss is {loss}" if not math.isfinite(loss) else f"{bad[0]} is no number any more"
            where = f"{self.stage}: {what} in epoch {progress.epoch + 1}"
            self.diverged = f"{where}; look for extreme inputs, or lower [training] learning_rate"
            return
        progress.training.append(loss)
        if validation is not None:
            with self._mean.shown() if self._mean is not None else nullcontext():
                progress.validation.append(self._watched(validation))
        progress.epoch += 1
        self._judge(validation is not None)
        if (validation is not None or self._mean is not None) and progress.best_epoch == progress.epoch:
            kept = self.objective.state_dict() if self._mean is None else self._mean.values
            self._best = {k: v.detach().clone() for k, v in kept.items()}

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to learn."""
        return self.progress.done or bool(self.diverged)

    def save(self) -> None:
        """Write the checkpoint, if there is to be one; not of what has diverged."""
        if self.checkpoint is not None and not self.diverged:
            self.checkpoint.save(self.objective, self._best, self._optimizer, self.progress, self._mean)

    def end(self) -> None:
        """The objective is what it was at its best."""
        if self._best:
            self.objective.load_state_dict(self._best)
        self.objective.to("cpu").eval()

    @torch.no_grad()
    def _watched(self, samples: Samples) -> float:
        # The seed makes an objective that samples (a variational one) the same function in every process.
        torch.manual_seed(self._seed + 1)
        self.objective.eval()
        device = self.accelerator.device
        total, watched = torch.zeros((), device=device), 0
        for indices in watched_batches(samples, self.settings):
            total += self.objective(samples.read(indices).to(device)) * len(indices)
            watched += len(indices)
        return float(total) / watched

    def _judge(self, validated: bool) -> None:
        progress, settings = self.progress, self.settings
        judged = progress.validation if validated else progress.training
        if judged[-1] < progress.best_loss or not validated or settings.keep == "last":
            progress.best_loss, progress.best_epoch = judged[-1], progress.epoch
        waited = progress.epoch - progress.best_epoch
        stop_early = validated and settings.patience is not None and waited >= settings.patience
        progress.done = progress.epoch >= settings.epochs or stop_early


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
