"""How classifiers of the interpretability score are trained: from one start at several rates, the best epoch on other samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

LEARNING_RATES = (1e-3, 1e-2, 1e-1)

DECAY = 0.95
"""Factor on the learning rate after each epoch; the paper decays exponentially and does not say how fast."""


@dataclass(frozen=True)
class Fitted:
    """A classifier at its best epoch.

    Parameters
    ----------
    model : Module
    accuracy : float
        Of the validation samples: it has chosen the epoch and the learning rate.
    learning_rate : float
    epoch : int
        From 1; 0 is the model before any step.
    """

    model: nn.Module
    accuracy: float
    learning_rate: float
    epoch: int


@dataclass(frozen=True)
class LabelledRows:
    """Representations and classes of the samples of one part.

    Parameters
    ----------
    x : Tensor, shape (sample, feature)
    y : Tensor of int, shape (sample,)
    """

    x: Tensor
    y: Tensor


def fitted(
    model: nn.Module,
    train: LabelledRows,
    validation: LabelledRows,
    *,
    learning_rates: Sequence[float] = LEARNING_RATES,
    epochs: int = 30,
    batch_size: int = 1024,
    seed: int = 0,
) -> Fitted:
    """Train a classifier by Adam from the same start with each learning rate; the best epoch of all on validation samples.

    Parameters
    ----------
    model : Module
        Its weights are the start; it holds the best ones afterwards.
    train, validation : LabelledRows
    learning_rates : sequence of float
    epochs, batch_size, seed : int

    Returns
    -------
    Fitted
        Of equally good epochs, the first.
    """
    start = {name: value.clone() for name, value in model.state_dict().items()}
    best, best_state = Fitted(model, -1.0, math.nan, 0), start
    for rate in learning_rates:
        model.load_state_dict(start)
        optimizer = torch.optim.Adam(model.parameters(), lr=rate)
        decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, DECAY)
        generator = torch.Generator().manual_seed(seed)
        for epoch in range(1, epochs + 1):
            order = torch.randperm(len(train.x), generator=generator).to(train.x.device)
            for batch in order.split(batch_size):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(train.x[batch]), train.y[batch]).backward()
                optimizer.step()
            decay.step()
            reached = accuracy(model, validation)
            if reached > best.accuracy:
                best = Fitted(model, reached, rate, epoch)
                best_state = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(best_state)
    return best


@torch.no_grad()
def accuracy(model: nn.Module, rows: LabelledRows) -> float:
    """Share of rows whose largest logit is that of their class."""
    return float((model(rows.x).argmax(1) == rows.y).double().mean())
