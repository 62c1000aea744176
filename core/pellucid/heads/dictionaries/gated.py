"""Whether a code is there and how large it is, decided apart, so that a penalty on the first does not shrink the second."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from pellucid.heads.dictionaries.autoencoder import Codes, SparseAutoencoder, SparseAutoencoderConfig


class GatedConfig(SparseAutoencoderConfig):
    """Settings of :class:`Gated`.

    Parameters
    ----------
    l1 : float
        Weight of the sum of a row's gates, where a row's squared distance from the offset is as large as there are units.
    warm_up : float
        Passes over the training rows in which the weight grows from nothing.
    """

    l1: float = Field(default=1.0, ge=0)
    warm_up: float = Field(default=1.0, ge=0)


class Gated(SparseAutoencoder):
    """A gate opens where one linear function is positive; another, along the same directions, says how large the code is.

    The gates' own values must explain a row too, by atoms that do not learn from that: it is how gates learn.

    References
    ----------
    Rajamanoharan et al. (2024), arXiv 2404.16014. Deviation: the penalty's weight grows at first.
    """

    config_type = GatedConfig
    config: GatedConfig

    def __init__(self, config: GatedConfig) -> None:
        super().__init__(config)
        self.stretch = nn.Parameter(torch.zeros(config.features))
        self.magnitude = nn.Parameter(torch.zeros(config.features))

    def active(self, x: Tensor) -> Tensor:
        """Magnitudes behind open gates."""
        return self._behind(self.linear(x))

    def learnt(self, x: Tensor) -> tuple[Codes, Tensor]:
        """Codes; the gates' sum, and what they fail to explain."""
        gate = self.linear(x)
        opened = gate.relu()
        left = (x.detach() - opened @ self.directions.detach()).square().sum(1).mean()
        return self._behind(gate), self.config.l1 * self.warmth(self.config.warm_up) * opened.sum(1).mean() + left

    def _behind(self, gate: Tensor) -> Tensor:
        # The magnitude's weights are the gate's, each row stretched: one product does for both.
        return (gate > 0) * ((gate - self.bias) * self.stretch.exp() + self.magnitude).relu()

    def thresholds(self) -> tuple[Tensor, ...]:
        """Biases of both."""
        return (*super().thresholds(), self.magnitude)
