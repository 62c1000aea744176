"""What the core's own heads share: units in standard deviations, outputs that start at the prevalence."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.data.spec import Target
from pellucid.errors import ContractError
from pellucid.heads.base import Head, HeadConfig, target_loss
from pellucid.representation import Representation

STRIDE = 10.0
"""Weights of linear layers are stored divided by this. Adam moves a stored number by about the learning rate a step,
whatever its gradient: without the factor some hundred steps at 1e-3 would end short of a regression's optimum."""


class Moments:
    """Mean and standard deviation of numbers that come in batches, in float64, unknown ones left out.

    Examples
    --------
    >>> moments = Moments()
    >>> moments.add(torch.tensor([[1.0], [3.0]])); moments.add(torch.tensor([[5.0]]))
    >>> moments.mean.item(), round(moments.deviation.item(), 3)
    (3.0, 1.633)
    """

    def __init__(self) -> None:
        self._count: Tensor | None = None

    def add(self, values: Tensor, known: Tensor | None = None) -> None:
        """Take in values of shape (sample, column); ``known`` is False where there is none."""
        there = torch.ones_like(values, dtype=torch.float64) if known is None else known.double()
        values = values.double()
        count = there.sum(0)
        mean = (values * there).sum(0) / count.clamp(min=1)
        squares = ((values - mean).square() * there).sum(0)
        if self._count is None:
            self._count, self.mean, self._squares = count, mean, squares
            return
        total = (self._count + count).clamp(min=1)
        shift = mean - self.mean
        self._squares = self._squares + squares + shift.square() * self._count * count / total
        self.mean = self.mean + shift * count / total
        self._count = self._count + count

    @property
    def count(self) -> Tensor:
        """Known values of each column.

        Raises
        ------
        ContractError
            If nothing was added.
        """
        if self._count is None:
            raise ContractError("a head was prepared with no training samples")
        return self._count

    @property
    def deviation(self) -> Tensor:
        """Standard deviation of each column; 1 where it does not vary, so that dividing by it is harmless."""
        found = (self._squares / self.count.clamp(min=1)).sqrt()
        # Below this a deviation is rounding of a constant in float32, not variation.
        constant = found <= 1e-6 * self.mean.abs().clamp(min=1e-30)
        return torch.where(constant, torch.ones_like(found), found)


class ScaledHead(Head):
    """``output = prior + scale * score(standardised units)``.

    The statistics are learnt from training samples and saved with the weights. ``prior`` is the output of somebody
    about whom nothing is known: the log odds of the prevalence or, for numbers, their mean; ``scale`` is 1 or, for
    numbers, their standard deviation.
    """

    unit_mean: Tensor
    unit_scale: Tensor
    prior: Tensor
    scale: Tensor

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self.config = config
        units, outputs = len(config.units), len(config.target.outputs)
        self.register_buffer("unit_mean", torch.zeros(units))
        self.register_buffer("unit_scale", torch.ones(units))
        self.register_buffer("prior", torch.zeros(outputs))
        self.register_buffer("scale", torch.ones(outputs))

    @abstractmethod
    def score(self, x: Tensor) -> Tensor:
        """Score of standardised units, shape (sample, unit) to (sample, output)."""

    def prepare(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn means and deviations of units and the prior of the outputs."""
        units, labels = Moments(), Moments()
        for z, batch in self.watched(parts):
            if batch.targets is None:
                raise ContractError("a head is prepared with labelled samples; collate the batches with a target")
            units.add(z.values)
            labels.add(_steps(self.config.target, batch.targets))
        self.unit_mean.copy_(units.mean)
        self.unit_scale.copy_(units.deviation)
        if self.config.target.kind == "regression":
            self.prior.copy_(labels.mean)
            self.scale.copy_(labels.deviation)
            return
        # Half a sample is added to each side: a class that no training sample has keeps a finite prior.
        chance = (labels.mean * labels.count + 0.5) / (labels.count + 1)
        self.prior.copy_(chance.log() if self.config.target.kind == "multiclass" else chance.logit())

    def watched(self, parts: Iterable[tuple[Representation, Batch]]) -> Iterator[tuple[Representation, Batch]]:
        """The training samples as they pass by: a head that learns more statistics looks at them here."""
        yield from parts

    def standardised(self, z: Representation) -> Tensor:
        """Units in standard deviations from their training mean, shape (sample, unit)."""
        return (z.values - self.unit_mean) / self.unit_scale

    def forward(self, z: Representation) -> Tensor:
        """Logits or numbers, shape (sample, output)."""
        return self.prior + self.scale * self.score(self.standardised(z))

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Negative log-likelihood."""
        return self.likelihood_loss(self(z), batch)

    def likelihood_loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Negative log-likelihood; numbers are compared in standard deviations, so that penalties weigh the same."""
        if self.config.target.kind == "regression" and batch.targets is not None:
            return 0.5 * functional.mse_loss(output / self.scale, batch.targets / self.scale)
        return target_loss(self.config.target, output, batch)


def _steps(target: Target, labels: Tensor) -> Tensor:
    """Labels with one column an output: one-hot classes, steps between ordered classes, or as they are."""
    if target.kind == "multiclass":
        return functional.one_hot(labels[:, 0].long(), len(target.outputs))
    if target.kind == "ordinal":
        return labels > torch.arange(len(target.outputs), device=labels.device)
    return labels
