"""Codes that are drawn while learning: a Gaussian around each mean, pulled towards the standard one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.heads.dictionaries.autoencoder import Codes
from pellucid.heads.dictionaries.sparse import SparseCodes
from pellucid.heads.dictionaries.topk import TopK, TopKConfig
from pellucid.representation import Representation

LOG_VARIANCE = (-6.0, 2.0)
"""Between which a learnt log variance is kept."""

STARTS = -2.0
"""Where a learnt log variance starts."""

WEIGHTS = 0.1
"""Length at which the encoder's weights start."""


class VariationalConfig(TopKConfig):
    """Settings of :class:`Variational`.

    Parameters
    ----------
    noise : {"none", "unit", "learned"}
        Of what spread codes are drawn while learning: none at all, one, or one that is learnt for each row and feature. One
        is in the scale in which a row's squared distance from the offset is as large as there are units.
    kl : float
        Weight of the pull towards the standard Gaussian. 0 means 0.
    warm_up : float
        Passes over the training rows in which that weight grows from nothing.
    """

    noise: Literal["none", "unit", "learned"] = "unit"
    kl: float = Field(default=1.0, ge=0)
    warm_up: float = Field(default=1.0, ge=0)


class Variational(TopK):
    """The k codes farthest from zero, of codes drawn around their means; with their signs. Afterwards the means' own.

    What was found with it: noise as large as the codes themselves spoils what is recovered, and the pull silences features.
    Take :class:`~pellucid.heads.dictionaries.topk.TopK` to find features; this one is for comparing.

    References
    ----------
    Baker and Li (2025), arXiv 2509.22994. Their text and their code differ in whether a fixed spread means noise: ``noise``
    is named in every run. Deviations: atoms, of length 0.1 there at first, have unit length throughout, as
    there with a fixed spread; dead features are revived by their means.
    """

    config_type = VariationalConfig
    config: VariationalConfig
    learnt_in: Tensor

    def __init__(self, config: VariationalConfig) -> None:
        super().__init__(config)
        with torch.no_grad():
            self.weight.mul_(WEIGHTS)
        self.register_buffer("learnt_in", torch.ones(()))
        if config.noise == "learned":
            self.spread_weight = nn.Parameter(torch.zeros(config.features, len(config.units)))
            self.spread_bias = nn.Parameter(torch.full((config.features,), STARTS))

    def active(self, x: Tensor) -> Codes:
        """Of means."""
        return self._farthest(self.linear(x).relu())

    def learnt(self, x: Tensor) -> tuple[Codes, Tensor]:
        """Codes of what is drawn while training, and the pull on all features, active or not."""
        mean, log_variance = self.linear(x).relu(), self.log_variance(x)
        drawn = mean
        if self.training and self.config.noise != "none":
            noise = torch.randn_like(mean)
            drawn = mean + (noise if log_variance is None else noise * (0.5 * log_variance).exp())
        pull = self.config.kl * self.warmth(self.config.warm_up)
        return self._farthest(drawn), pull * kl_to_standard(mean, log_variance).mean()

    def log_variance(self, x: Tensor) -> Tensor | None:
        """Learnt log variance of scaled rows less the offset; None where the spread is fixed."""
        if self.config.noise != "learned":
            return None
        return torch.addmm(self.spread_bias, x / self.learnt_in, self.spread_weight.T).clamp(*LOG_VARIANCE)

    @torch.no_grad()
    def spread(self, x: Tensor) -> Tensor:
        """Standard deviations of representations' codes, in the representation's own units, shape (row, feature)."""
        log_variance = self.log_variance(x / self.scale - self.centre)
        one = x.new_full((len(x), self.config.features), float(self.config.noise == "unit"))
        return self.learnt_in * self.scale * (one if log_variance is None else (0.5 * log_variance).exp())

    @torch.no_grad()
    def fold(self, parts: Iterable[tuple[Representation, Batch]] = ()) -> None:
        """A spread is of the scale that it was learnt in."""
        self.learnt_in.mul_(self.scale)
        super().fold(parts)

    def _farthest(self, codes: Tensor) -> SparseCodes:
        at = codes.abs().topk(self.config.k, dim=1, sorted=False).indices
        starts = torch.arange(0, at.numel() + 1, self.config.k, device=codes.device)
        return SparseCodes(starts, at.reshape(-1), codes.gather(1, at).reshape(-1), codes.shape[1])


def kl_to_standard(mean: Tensor, log_variance: Tensor | None = None) -> Tensor:
    """Divergence of Gaussians from the standard one, summed over features: (row, feature) to (row,).

    Parameters
    ----------
    mean : Tensor
    log_variance : Tensor, optional
        Of a variance of one, where there is none.

    Examples
    --------
    >>> kl_to_standard(torch.tensor([[1.0, 0.0]])).tolist()
    [0.5]
    """
    parts = mean.square()
    if log_variance is not None:
        parts = parts + log_variance.exp() - 1 - log_variance
    return 0.5 * parts.sum(1).clamp(min=0)
