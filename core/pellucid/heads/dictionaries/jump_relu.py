"""Codes above a threshold that each feature learns for itself, by a gradient that lies a little."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from pellucid.heads.dictionaries.autoencoder import Codes, SparseAutoencoder, SparseAutoencoderConfig
from pellucid.heads.dictionaries.sparse import above, encoded


class JumpReluConfig(SparseAutoencoderConfig):
    """Settings of :class:`JumpRelu`; its scale is that in which a row's squared distance is as large as there are units.

    Parameters
    ----------
    l0 : float
        Weight of the number of codes of a row.
    warm_up : float
        Passes over the training rows in which the weight grows from nothing.
    bandwidth : float
        How near to its threshold a code must be to move it.
    threshold : float
        Where all thresholds start. They move by no more than about their learning rate a step: the shorter the training, the
        more is lost by a low start.
    """

    l0: float = Field(default=1.0, ge=0)
    warm_up: float = Field(default=1.0, ge=0)
    bandwidth: float = Field(default=0.5, gt=0)
    threshold: float = Field(default=0.5, ge=0)


class JumpRelu(SparseAutoencoder):
    """Codes above a threshold pass unchanged, the others not at all; the number of codes is what is penalised.

    Neither has a gradient with respect to the threshold: it is taken from the codes within a band around it.

    References
    ----------
    Rajamanoharan et al. (2024), arXiv 2407.14435. Deviations: the threshold itself is learnt, kept above zero, not its
    logarithm, so that a scale can be folded into it; the band is wider and thresholds start higher (0.5 and 0.5; published 0.001
    and 0.001 of rows with a mean square of one), for training that is shorter: see docs/systems.md.
    """

    config_type = JumpReluConfig
    config: JumpReluConfig

    def __init__(self, config: JumpReluConfig) -> None:
        super().__init__(config)
        self.threshold = nn.Parameter(torch.full((config.features,), config.threshold))

    def active(self, x: Tensor) -> Codes:
        """Those above their threshold."""
        return encoded(x, self.weight, self.bias, above(self.threshold.detach().clamp(min=0)))

    def learnt(self, x: Tensor) -> tuple[Codes, Tensor]:
        """Codes, and how many."""
        found, threshold = self.linear(x), self.threshold.clamp(min=0)
        codes: Tensor = _Jump.apply(found, threshold, self.config.bandwidth)
        count: Tensor = _Step.apply(found, threshold, self.config.bandwidth)
        return codes, self.config.l0 * self.warmth(self.config.warm_up) * count.sum(1).mean()

    @torch.no_grad()
    def settle(self) -> None:
        """Thresholds, too, back to where they make sense."""
        super().settle()
        self.threshold.clamp_(min=0)

    def thresholds(self) -> tuple[Tensor, ...]:
        """One a feature, and biases."""
        return (*super().thresholds(), self.threshold)


def _near(found: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
    """A rectangle around the threshold, with an area of one."""
    return ((found - threshold).abs() < bandwidth / 2).to(found.dtype) / bandwidth


class _Jump(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, found: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
        ctx.save_for_backward(found, threshold)
        ctx.bandwidth = bandwidth
        return found * (found > threshold)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        found, threshold = ctx.saved_tensors
        at_threshold = -threshold * (_near(found, threshold, ctx.bandwidth) * gradient).sum(0)
        return gradient * (found > threshold), at_threshold, None


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, found: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
        ctx.save_for_backward(found, threshold)
        ctx.bandwidth = bandwidth
        return (found > threshold).to(found.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        found, threshold = ctx.saved_tensors
        return None, -(_near(found, threshold, ctx.bandwidth) * gradient).sum(0), None
