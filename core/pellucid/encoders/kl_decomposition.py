"""What the divergence of a Gaussian auto-encoder is made of: information, total correlation, the rest by dimension.

With the aggregate posterior ``q(z) = mean over samples x of q(z|x)``::

    mean KL(q(z|x) || p(z)) = I_q(x; z) + KL(q(z) || prod_j q(z_j)) + sum_j KL(q(z_j) || p(z_j))

Each function looks at draws, one number a draw and part, whose mean estimates the expectation. The three parts of a draw
add up to ``log q(z|x) - log p(z)`` whatever is put for ``q(z)``, so an error in one is made up for by the others.

References
----------
Hoffman and Johnson (2016), "ELBO surgery"; Chen et al. (2018), arXiv 1802.04942, for estimates from minibatches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

LOG_TWO_PI = math.log(2 * math.pi)

ACTIVE_VARIANCE = 0.01
"""A unit is active if its posterior mean varies by more than this over samples (Burda et al. 2015, arXiv 1509.00519)."""

PAIRS_AT_ONCE = 4_000_000
"""Densities of one draw under one posterior and dimension that are held in memory together."""


@dataclass(frozen=True)
class KlParts:
    """The three parts in nats, shape (draw,) each.

    Parameters
    ----------
    information : Tensor
        ``I_q(x; z)``: what the latent says of the sample.
    total_correlation : Tensor
        How far the units are from independent of each other.
    dimension_wise : Tensor
        How far each unit is from the prior, summed.
    """

    information: Tensor
    total_correlation: Tensor
    dimension_wise: Tensor

    @property
    def total(self) -> Tensor:
        """Their sum: the divergence of each posterior from the prior, as its draw sees it."""
        return self.information + self.total_correlation + self.dimension_wise

    def mean(self) -> dict[str, float]:
        """Mean of each part over the draws, by name."""
        return {name: float(value.mean()) for name, value in vars(self).items()}


def minibatch_log_density(z: Tensor, mean: Tensor, log_variance: Tensor, count: int) -> Tensor:
    """``log q(z)`` by minibatch-weighted sampling, ``log sum_j q(z|x_j) / (B N)``, shape (draw,).

    Gradients pass through. It is all that a loss needs: total correlation and dimension-wise divergence add up to ``log q(z)
    - log p(z)``, information is ``log q(z|x) - log q(z)``. Values are to be read with care: N is a constant, so that of a
    batch that is the whole training set the density comes out ``log N`` too low; and in a small batch a draw's own posterior
    weighs 1 in B, not 1 in N, so that no more than ``log B`` nats of information can be told apart.

    Parameters
    ----------
    z : Tensor, shape (draw, unit)
    mean, log_variance : Tensor, shape (sample, unit)
        The posteriors of a batch.
    count : int
        N, the number of training samples.
    """
    # Squares multiplied out, so that the sum over units is a product of matrices; bounded log variances keep it exact enough.
    precision = (-log_variance).exp()
    distance = z.square() @ precision.T - 2 * z @ (mean * precision).T + (mean.square() * precision).sum(1)
    pairs = -0.5 * (distance + log_variance.sum(1) + z.shape[1] * LOG_TWO_PI)
    return pairs.logsumexp(1) - math.log(len(mean) * count)


def minibatch_parts(z: Tensor, mean: Tensor, log_variance: Tensor, count: int) -> KlParts:
    """The parts by minibatch-weighted sampling (:func:`minibatch_log_density`), for losses that weigh all three apart.

    Parameters
    ----------
    z : Tensor, shape (sample, unit)
        One draw from each posterior.
    mean, log_variance : Tensor, shape (sample, unit)
    count : int
        N, the number of training samples. For values to report use :func:`exact_parts`.
    """
    pairs = log_normal(z[:, None], mean[None], log_variance[None])
    return _parts(pairs, z, log_normal(z, mean, log_variance).sum(-1), -math.log(len(z) * count))


@torch.no_grad()
def exact_parts(
    mean: Tensor, log_variance: Tensor, draws: int = 1, generator: torch.Generator | None = None
) -> KlParts:
    """The parts with ``q(z)`` as the mixture of all posteriors given: nothing is estimated but the mean over draws.

    Parameters
    ----------
    mean, log_variance : Tensor, shape (sample, unit)
    draws : int
        From each posterior.
    generator : torch.Generator, optional

    Returns
    -------
    KlParts
        In float64, sample by sample, its draws together.

    Examples
    --------
    Two posteriors far from each other tell which sample it is, and nothing else:

    >>> mean = torch.tensor([[-20.0], [20.0]])
    >>> round(exact_parts(mean, torch.zeros(2, 1)).mean()["information"], 3) == round(math.log(2), 3)
    True
    """
    z, mean, log_variance = _drawn(mean, log_variance, draws, generator)
    own = log_normal(z, mean.repeat_interleave(draws, 0), log_variance.repeat_interleave(draws, 0)).sum(-1)
    found = [
        _parts(log_normal(some[:, None], mean[None], log_variance[None]), some, its, -math.log(len(mean)))
        for some, its in _in_chunks(z, own, each=mean.numel())
    ]
    return KlParts(*(torch.cat([getattr(part, name) for part in found]) for name in KlParts.__dataclass_fields__))


def minibatch_group_information(z: Tensor, mean: Tensor, log_variance: Tensor, first: int, count: int) -> Tensor:
    """``I(z_a; z_d) = KL(q(z) || q(z_a) q(z_d))`` by minibatch-weighted sampling, shape (sample,).

    Parameters
    ----------
    z, mean, log_variance, count
        See :func:`minibatch_parts`.
    first : int
        Units of the first group; the others are the second.
    """
    groups = slice(None), slice(first), slice(first, None)
    whole, one, other = (minibatch_log_density(z[:, g], mean[:, g], log_variance[:, g], count) for g in groups)
    return whole - one - other


@torch.no_grad()
def exact_group_information(
    mean: Tensor, log_variance: Tensor, first: int, draws: int = 1, generator: torch.Generator | None = None
) -> Tensor:
    """``I(z_a; z_d)`` with the mixture of all posteriors given, float64, shape (draw,); see :func:`exact_parts`."""
    z, mean, log_variance = _drawn(mean, log_variance, draws, generator)
    found = [
        _group_information(log_normal(some[:, None], mean[None], log_variance[None]), first, -math.log(len(mean)))
        for (some,) in _in_chunks(z, each=mean.numel())
    ]
    return torch.cat(found)


def log_normal(z: Tensor, mean: Tensor | float = 0.0, log_variance: Tensor | float = 0.0) -> Tensor:
    """Log density of each number under a Gaussian; by default the standard one."""
    log_variance = torch.as_tensor(log_variance, dtype=z.dtype, device=z.device)
    return -0.5 * (LOG_TWO_PI + log_variance + (z - mean).square() * (-log_variance).exp())


def active_units(mean: Tensor) -> Tensor:
    """Which units' posterior means vary over samples by more than :data:`ACTIVE_VARIANCE`, bool, shape (unit,)."""
    return mean.var(0) > ACTIVE_VARIANCE


def _parts(pairs: Tensor, z: Tensor, own: Tensor, log_weight: float) -> KlParts:
    """From densities of shape (draw, posterior, unit)."""
    joint = pairs.sum(-1).logsumexp(1) + log_weight
    marginal = pairs.logsumexp(1) + log_weight
    return KlParts(own - joint, joint - marginal.sum(-1), (marginal - log_normal(z)).sum(-1))


def _group_information(pairs: Tensor, first: int, log_weight: float) -> Tensor:
    joint, one, other = (part.sum(-1).logsumexp(1) for part in (pairs, pairs[..., :first], pairs[..., first:]))
    return joint - one - other - log_weight


def _drawn(
    mean: Tensor, log_variance: Tensor, draws: int, generator: torch.Generator | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Draws, sample by sample, and the posteriors in float64."""
    mean, log_variance = mean.double(), log_variance.double()
    noise = torch.randn((len(mean) * draws, mean.shape[1]), generator=generator, dtype=mean.dtype, device=mean.device)
    spread = (0.5 * log_variance).exp().repeat_interleave(draws, 0)
    return mean.repeat_interleave(draws, 0) + spread * noise, mean, log_variance


def _in_chunks(*rows: Tensor, each: int) -> list[tuple[Tensor, ...]]:
    size = max(1, PAIRS_AT_ONCE // each)
    return list(zip(*(one.split(size) for one in rows), strict=True))
