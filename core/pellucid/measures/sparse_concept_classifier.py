"""A linear classifier that reads only the strongest of a sample's similarities to concepts, and how it is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pellucid.errors import DataError

LEARNING_RATES = (1e-3, 1e-2, 1e-1)

DECAY = 0.95
"""Factor on the learning rate after each epoch; the paper decays exponentially and does not say how fast."""

INITIAL_SPREAD = 0.02
"""Standard deviation of the weights at the start."""


def kept(concepts: int, ratio: float) -> int:
    """How many concepts of a sample speak: ``concepts - floor(concepts * ratio) - 1``, but one at least.

    The published rule keeps what is larger than the number at place ``floor(concepts * ratio)`` of the sorted ones. Of few
    concepts at a large ratio that is nothing, and the accuracy that of a coin; here the strongest one stays.

    Examples
    --------
    >>> kept(200, 0.9), kept(40, 0.98)
    (19, 1)
    """
    # Rounded up a little: 0.29 * 100 is 28.999999999999996.
    return max(1, concepts - math.floor(concepts * ratio + 1e-9) - 1)


def strongest(scores: Tensor, ratio: float) -> Tensor:
    """Scores with all but the strongest of each sample set to zero, whatever their sign.

    Parameters
    ----------
    scores : Tensor, shape (sample, concept)
    ratio : float, from 0, below 1
        Share that is set to zero; see :func:`kept`. At 0, the weakest one goes, as published.

    Returns
    -------
    Tensor, shape (sample, concept)
        What stays is unchanged, gradients included. Of equal scores at the limit all go, unless nothing were left.
    """
    sizes = scores.detach().abs()
    concepts = scores.shape[1]
    limit = torch.sort(sizes, dim=1).values[:, concepts - kept(concepts, ratio) - 1, None]
    stays = sizes > limit
    return scores * torch.where(stays.any(1, keepdim=True), stays, sizes >= limit)


class SparseConceptBottleneck(nn.Module):
    """A linear classifier that reads few similarities to concepts.

    Parameters
    ----------
    concepts : Tensor, shape (concept, feature)
        Unit rows; a buffer, not learnt. Two at least.
    classes : int
    ratio : float
        Share of concepts that is set to zero in each sample, from 0 and below 1.

    Notes
    -----
    Similarities are normalised over the concepts of a sample with a learnable factor and shift, so the limit is one of each
    sample. ``contributions(x).sum(-1) + bias == forward(x)``.

    References
    ----------
    Shen et al. (2025), ICLR, Enhancing pre-trained representation classifiability can boost its interpretability.
    Deviations: one concept stays at least; best epoch and learning rate are chosen on validation samples.
    """

    concepts: Tensor

    def __init__(self, concepts: Tensor, classes: int, ratio: float) -> None:
        super().__init__()
        if not 0 <= ratio < 1:
            raise DataError(f"the share of concepts set to zero is {ratio}, expected from 0 and below 1")
        if len(concepts) < 2:
            raise DataError(f"a library needs two concepts, got {len(concepts)}")
        self.ratio = ratio
        self.register_buffer("concepts", concepts.detach().clone())
        self.norm = nn.LayerNorm(len(concepts))
        self.linear = linear_classifier(len(concepts), classes)

    def scores(self, x: Tensor) -> Tensor:
        """The concepts that speak, shape (sample, concept); others are zero."""
        return strongest(self.norm(x @ self.concepts.t()), self.ratio)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (sample, class), of representations of shape (sample, feature)."""
        return self.linear(self.scores(x))

    def contributions(self, x: Tensor) -> Tensor:
        """What each concept adds to each logit, shape (sample, class, concept)."""
        return self.scores(x)[:, None] * self.linear.weight


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


def linear_classifier(width: int, classes: int) -> nn.Linear:
    """A linear layer at its start: small random weights, no bias."""
    layer = nn.Linear(width, classes)
    nn.init.trunc_normal_(layer.weight, std=INITIAL_SPREAD)
    nn.init.zeros_(layer.bias)
    return layer


@torch.no_grad()
def accuracy(model: nn.Module, rows: LabelledRows) -> float:
    """Share of rows whose largest logit is that of their class."""
    return float((model(rows.x).argmax(1) == rows.y).double().mean())
