"""What the core's own heads share: units in standard deviations, outputs that start at the prevalence."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.heads.base import Predictor, PredictorConfig, labels_of, prior_logits, target_loss
from pellucid.moments import Moments
from pellucid.representation import Representation

STRIDE = 10.0
"""Weights of linear layers are stored divided by this. Adam moves a stored number by about the learning rate a step,
whatever its gradient: without the factor some hundred steps at 1e-3 would end short of a regression's optimum."""


class ScaledHead(Predictor):
    """``output = prior + scale * score(standardised units)``.

    Parameters
    ----------
    config : PredictorConfig
    width : int, optional
        How many units there are, where they are not those of the representation; see :meth:`measured`.

    Notes
    -----
    The statistics are learnt from training samples and saved with the weights. ``prior`` is the output of somebody
    about whom nothing is known: the log odds of the prevalence or, for numbers, their mean; ``scale`` is 1 or, for
    numbers, their standard deviation.
    """

    unit_mean: Tensor
    unit_scale: Tensor
    prior: Tensor
    scale: Tensor

    def __init__(self, config: PredictorConfig, width: int | None = None) -> None:
        super().__init__()
        self.config = config
        units, outputs = len(config.units) if width is None else width, len(config.target.outputs)
        self.register_buffer("unit_mean", torch.zeros(units))
        self.register_buffer("unit_scale", torch.ones(units))
        self.register_buffer("prior", torch.zeros(outputs))
        self.register_buffer("scale", torch.ones(outputs))

    @abstractmethod
    def score(self, x: Tensor) -> Tensor:
        """Score of standardised units, shape (sample, unit) to (sample, output)."""

    def measured(self, z: Representation) -> Tensor:
        """What is standardised: the representation's units, or those of every token.

        Returns
        -------
        Tensor, shape (sample, unit) or (sample, token, unit)
        """
        return z.values

    def prepare(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn means and deviations of units and the prior of the outputs."""
        units, labels = Moments(), Moments()
        for z, batch in self.watched(parts):
            given = labels_of(batch)
            units.add(self.measured(z).flatten(0, -2))
            labels.add(
                self.config.target.steps(given.nan_to_num(0.0)),
                ~given.isnan().expand(-1, len(self.outputs)),
            )
        self.unit_mean.copy_(units.mean)
        self.unit_scale.copy_(units.deviation)
        if self.config.target.numeric:
            self.prior.copy_(labels.mean)
            self.scale.copy_(labels.deviation)
            return
        # Half a sample is added to each side: a class that no training sample has keeps a finite prior.
        chance = (labels.mean * labels.count + 0.5) / (labels.count + 1)
        self.prior.copy_(prior_logits(self.config.target, chance))

    def watched(self, parts: Iterable[tuple[Representation, Batch]]) -> Iterator[tuple[Representation, Batch]]:
        """The training samples as they pass by: a head that learns more statistics looks at them here."""
        yield from parts

    def standardised(self, z: Representation) -> Tensor:
        """Units in standard deviations from their training mean, of the shape of :meth:`measured`."""
        return (self.measured(z) - self.unit_mean) / self.unit_scale

    def forward(self, z: Representation) -> Tensor:
        """Logits or numbers, shape (sample, output)."""
        return self.prior + self.scale * self.score(self.standardised(z))

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Negative log-likelihood."""
        return self.likelihood_loss(self(z), batch)

    def likelihood_loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Negative log-likelihood; numbers are compared in standard deviations, so that penalties weigh the same."""
        if self.config.target.numeric and batch.targets is not None:
            return 0.5 * functional.mse_loss(output / self.scale, batch.targets / self.scale)
        return target_loss(self.config.target, output, batch)
