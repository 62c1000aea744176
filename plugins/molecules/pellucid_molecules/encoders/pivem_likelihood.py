"""Exact likelihood of events between nodes that move at constant velocities: integrals of rates, and what events add."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SHORT = 1e-4
"""Below this length of way, in units of the plane, the closed form loses digits to cancellation and a quadrature is exact."""

GAUSS_LEGENDRE = ((-math.sqrt(0.6), 5 / 18), (0.0, 8 / 18), (math.sqrt(0.6), 5 / 18))
"""Places on (-1, 1) and weights, which add up to 1, of three points."""


@dataclass(frozen=True)
class Motion:
    """How the two nodes of each pair move against each other, bin by bin.

    Parameters
    ----------
    base : Tensor, shape (pair,)
        Sum of the two nodes' log-rates at distance 0.
    apart : Tensor, shape (pair, bin, dimension)
        Difference of their places when a bin begins.
    velocity : Tensor, shape (pair, bin, dimension)
        Difference of their velocities in the bin, for each unit of time.
    """

    base: Tensor
    apart: Tensor
    velocity: Tensor

    def square_distance(self, time: Tensor | float) -> Tensor:
        """Squared distance so long after the beginning of each bin, shape (pair, bin)."""
        at = torch.as_tensor(time, dtype=self.apart.dtype, device=self.apart.device)
        return (self.apart + at[..., None] * self.velocity).square().sum(-1)

    def integral(self, start: Tensor | float, stop: Tensor | float) -> Tensor:
        """Expected number of events between two times after the beginning of each bin, shape (pair, bin)."""
        return self.base.exp()[:, None] * integral(self.apart, self.velocity, start, stop)

    def of_events(self, count: Tensor, time: Tensor, squares: Tensor) -> Tensor:
        """Sum over events of their log-rates, from their number and the sums of times and squared times, shape (pair, bin).

        Parameters
        ----------
        count, time, squares : Tensor, shape (pair, bin)
            Times after the beginning of the bin.
        """
        fixed = self.base[:, None] - self.apart.square().sum(-1)
        along = (self.apart * self.velocity).sum(-1)
        return count * fixed - 2 * along * time - self.velocity.square().sum(-1) * squares


def integral(apart: Tensor, velocity: Tensor, start: Tensor | float, stop: Tensor | float) -> Tensor:
    """Integral of ``exp(-|apart + t velocity|^2)`` from ``start`` to ``stop``.

    With ``s = |velocity|``, ``A`` and ``C`` the places of both ends along the way (0 where the two are nearest) and ``d`` the
    distance, it is ``sqrt(pi) / (2 s)`` times

    - ``exp(-d(start)^2) erfcx(A) - exp(-d(stop)^2) erfcx(C)`` where they only part,
    - the same from the other end where they only approach,
    - ``exp(-nearest^2) (erf(C) - erf(A))`` where they pass each other;

    no power is ever positive, so nothing overflows. On ways shorter than :data:`SHORT` it is taken at three points.

    Parameters
    ----------
    apart, velocity : Tensor, shape (..., dimension)
    start, stop : Tensor of shape (...) or float

    Returns
    -------
    Tensor, shape (...)

    References
    ----------
    Celikkanat, Nakis and Morup (2022), arXiv 2212.12345 for the integral. Scaled complementary error functions stand in place of
    a product that overflows, a quadrature in place of a constant where velocities are nearly 0.

    Examples
    --------
    >>> still, moving = torch.zeros(2, dtype=torch.float64), torch.tensor([1.0, 0.0], dtype=torch.float64)
    >>> round(float(integral(still, still, 0.0, 2.0)), 6), round(float(integral(still, moving, 0.0, 100.0)), 6)
    (2.0, 0.886227)
    """
    start, stop = (torch.as_tensor(one, dtype=apart.dtype, device=apart.device) for one in (start, stop))
    square = velocity.square().sum(-1)
    short = square * (stop - start).square() < SHORT**2
    # Values that are not taken must have gradients that are numbers.
    speed = torch.where(short, torch.ones_like(square), square).sqrt()
    nearest = (apart * velocity).sum(-1) / speed
    first, last = start * speed + nearest, stop * speed + nearest
    began, ended = (-(apart + at[..., None] * velocity).square().sum(-1) for at in (start, stop))
    passed = -(apart - (nearest / speed)[..., None] * velocity).square().sum(-1)
    parting, nearing = first >= 0, last <= 0
    zero = torch.zeros_like(first)
    # Each branch sees numbers of its own side alone: elsewhere erfcx and its gradient would be infinite.
    parted = began.exp() * torch.special.erfcx(torch.where(parting, first, zero)) - ended.exp() * torch.special.erfcx(
        torch.where(parting, last, zero)
    )
    neared = ended.exp() * torch.special.erfcx(torch.where(nearing, -last, zero)) - began.exp() * torch.special.erfcx(
        torch.where(nearing, -first, zero)
    )
    through = torch.where(parting | nearing, zero, passed).exp() * (torch.erf(last) - torch.erf(first))
    closed = torch.where(parting, parted, torch.where(nearing, neared, through)) * (math.sqrt(math.pi) / 2) / speed
    middle, half = (start + stop) / 2, (stop - start) / 2
    points = [
        weight * (-(apart + (middle + half * place)[..., None] * velocity).square().sum(-1)).exp()
        for place, weight in GAUSS_LEGENDRE
    ]
    return torch.where(short, (stop - start) * torch.stack(points).sum(0), closed)
