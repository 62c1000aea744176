"""A variational auto-encoder whose latent is a Dirichlet: shares of a whole, which sum to one."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.distributions import Dirichlet
from torch.nn import functional

from pellucid.encoders.vae import Vae, VaeConfig

FLOOR = 1e-3
"""Smallest concentration: at zero the density is not defined, and draws of much smaller ones underflow."""


def dirichlet_divergence(a: Tensor, prior: Tensor) -> Tensor:
    """KL(Dir(a) || Dir(prior)) in nats over the last axis.

    The expectation is taken under ``Dir(a)``, so the digamma is that of ``a``; taken at the prior's concentrations, as
    some code has it, the result is no divergence and can be negative.

    Examples
    --------
    >>> dirichlet_divergence(torch.tensor([2.0, 3.0]), torch.tensor([2.0, 3.0]))
    tensor(0.)
    """
    total, prior_total = a.sum(-1), prior.sum(-1)
    spread = torch.lgamma(total) - torch.lgamma(a).sum(-1) - torch.lgamma(prior_total) + torch.lgamma(prior).sum(-1)
    return spread + ((a - prior) * (torch.digamma(a) - torch.digamma(total).unsqueeze(-1))).sum(-1)


class VaeDirichletConfig(VaeConfig):
    """Settings of :class:`VaeDirichlet`.

    Parameters
    ----------
    concentration : float
        Concentration of every unit under the prior: below 1 it favours few active units a sample, 1 is uniform.
    """

    concentration: float = Field(default=1.0, gt=0)


class VaeDirichlet(Vae):
    """A convolutional auto-encoder whose named units are shares that sum to one; the values are the posterior's mean.

    A concentration is ``softplus + 0.001``; draws use implicit reparameterisation. The mean leaves out how sure the
    posterior is (the sum of its concentrations).
    """

    config_type = VaeDirichletConfig
    config: VaeDirichletConfig
    prior: Tensor

    def __init__(self, config: VaeDirichletConfig) -> None:
        super().__init__(config)
        # LayerNorm where the paper has BatchNorm, for the reason given in the base class.
        self.parameters_of = nn.Sequential(
            nn.Linear(self.hidden, self.hidden),
            nn.LayerNorm(self.hidden),
            nn.GELU(),
            nn.Linear(self.hidden, config.latent),
        )
        self.register_buffer("prior", torch.full((config.latent,), config.concentration), persistent=False)

    def posterior(self, hidden: Tensor) -> tuple[Tensor, ...]:
        """Concentrations."""
        return (functional.softplus(self.parameters_of(hidden)) + FLOOR,)

    def centre(self, posterior: tuple[Tensor, ...]) -> Tensor:
        """Each concentration's share of their sum."""
        (a,) = posterior
        return a / a.sum(1, keepdim=True)

    def draw(self, posterior: tuple[Tensor, ...]) -> Tensor:
        """A draw of shares."""
        return Dirichlet(posterior[0], validate_args=False).rsample()

    def divergence(self, posterior: tuple[Tensor, ...]) -> Tensor:
        """See :func:`dirichlet_divergence`."""
        return dirichlet_divergence(posterior[0], self.prior)

    def prior_mean(self) -> float:
        """One share of ``latent``."""
        return 1.0 / self.config.latent

    def latent_input(self, values: Tensor) -> Tensor:
        """Shares put back on the simplex (a traversal leaves it), in multiples of an even share."""
        values = values.clamp(min=0)
        return values / values.sum(1, keepdim=True).clamp(min=1e-6) * self.config.latent
