"""A head that draws its numbers from a latent: an auto-encoder of the outputs that reads the units."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.heads.base import HeadTags, PredictorConfig, labels_of
from pellucid.heads.hidden_layers import hidden_layers
from pellucid.heads.path_explained import PathExplained
from pellucid.representation import Representation


class ConditionalVaeConfig(PredictorConfig):
    """Settings of :class:`ConditionalVae`.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers, of both networks.
    latent : int
        Numbers of the latent.
    kl_weight : float
        Weight of the divergence from the standard normal, summed over the latent.
    one_scale : bool
        Outputs are learnt in the largest of their standard deviations and not each in its own: for outputs of one unit, of which those that
        hardly vary are not worth the latent's room.
    steps : int
        Points on the path along which an explanation integrates gradients.
    """

    hidden: tuple[int, ...] = (256, 256)
    latent: int = Field(8, ge=1)
    kl_weight: float = Field(0.01, ge=0)
    one_scale: bool = False
    steps: int = Field(50, ge=2)


class ConditionalVae(PathExplained):
    """Numbers from a latent that has learnt what the units leave open.

    Its answer (``forward``) is that of the latent 0, as Action Chunking with Transformers (ACT) has it. Where several answers are right
    that one lies between them and may be none; :meth:`draw` draws the latent. The explanation is of the answer at 0: gradients integrated
    from the training mean, whose error is the gap.

    References
    ----------
    Zhao et al. (2023), Learning fine-grained bimanual manipulation with low-cost hardware, arXiv 2304.13705. Deviations: plain networks
    of hidden layers and no transformers; outputs in standard deviations; the weight of the divergence is a setting (there 10, here 0.01).
    """

    tags = HeadTags(family="attribution", stage="post_hoc", faithful_by_construction=False, targets=("regression",))
    config_type = ConditionalVaeConfig
    config: ConditionalVaeConfig

    def __init__(self, config: ConditionalVaeConfig) -> None:
        super().__init__(config)
        units, outputs = len(config.units), len(self.outputs)
        self.encoder = _network(units + outputs, config.hidden, 2 * config.latent)
        self.decoder = _network(units + config.latent, config.hidden, outputs)

    def prepare(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn means and deviations."""
        super().prepare(parts)
        if self.config.one_scale:
            self.scale.fill_(self.scale.max())

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Mean absolute error of what the latent gives back, in standard deviations, and the divergence."""
        x, wanted = self.standardised(z), (labels_of(batch) - self.prior) / self.scale
        mean, log_variance = self.encoder(torch.cat([x, wanted], 1)).chunk(2, dim=1)
        latent = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        said = self.decoder(torch.cat([x, latent], 1))
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
        return functional.l1_loss(said, wanted) + self.config.kl_weight * divergence

    def score(self, x: Tensor) -> Tensor:
        """The answer of the latent 0, in standard deviations."""
        return self.decoder(torch.cat([x, x.new_zeros(len(x), self.config.latent)], 1))

    @torch.no_grad()
    def draw(self, z: Representation, count: int, seed: int = 0) -> Tensor:
        """So many answers for each sample, shape (draw, sample, output); see :class:`pellucid.heads.abilities.Draws`."""
        x = self.standardised(z)
        latent = torch.randn(count, len(x), self.config.latent, generator=torch.Generator().manual_seed(seed)).to(x)
        said = self.decoder(torch.cat([x.expand(count, -1, -1), latent], 2))
        return self.prior + self.scale * said


def _network(reads: int, hidden: tuple[int, ...], gives: int) -> nn.Sequential:
    widths = (reads, *hidden)
    return nn.Sequential(*hidden_layers(widths), nn.Linear(widths[-1], gives))
