"""A variational auto-encoder whose latent is Gaussian."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pellucid.encoders.vae import Vae, VaeConfig

LOG_VARIANCE = (-8.0, 8.0)
"""Bounds of the posterior's log variance: below, a posterior is a point and the bound on the likelihood means
nothing."""


def gaussian_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) in nats, summed over the last axis.

    Examples
    --------
    >>> gaussian_divergence(torch.tensor([1.0, 0.0]), torch.zeros(2))
    tensor(0.5000)
    """
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(-1)


class VaeGaussian(Vae):
    """A convolutional auto-encoder with named Gaussian units; each sample's units are the mean of its posterior."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__(config)
        self.parameters_of = nn.Linear(self.hidden, 2 * config.latent)

    def posterior(self, hidden: Tensor) -> tuple[Tensor, ...]:
        """Mean and log variance."""
        mean, log_variance = self.parameters_of(hidden).chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCE)

    def centre(self, posterior: tuple[Tensor, ...]) -> Tensor:
        """The mean."""
        return posterior[0]

    def draw(self, posterior: tuple[Tensor, ...]) -> Tensor:
        """Mean plus noise of the posterior's deviation."""
        mean, log_variance = posterior
        return mean + (0.5 * log_variance).exp() * torch.randn_like(mean)

    def divergence(self, posterior: tuple[Tensor, ...]) -> Tensor:
        """See :func:`gaussian_divergence`."""
        return gaussian_divergence(*posterior)

    def prior_mean(self) -> float:
        """0."""
        return 0.0
