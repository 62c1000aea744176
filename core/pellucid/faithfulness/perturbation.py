"""Agreement between contributions and what the output does when units are perturbed."""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.faithfulness.removal import Output


@torch.no_grad()
def faithfulness_correlation(
    output: Output,
    x: Tensor,
    baseline: Tensor,
    contributions: Tensor,
    *,
    size: int,
    draws: int = 100,
    generator: torch.Generator,
) -> Tensor:
    """Correlation, over random sets of units, of their summed contributions with the fall of the output without them.

    Parameters
    ----------
    output : Output
    x, contributions : Tensor, shape (sample, unit)
    baseline : Tensor, shape (unit,)
    size : int
        Units in a set.
    draws : int
        Sets for each sample.
    generator : torch.Generator

    Returns
    -------
    Tensor, shape (sample,)
        Pearson's r; NaN where one of the two does not vary.

    References
    ----------
    Bhatt et al. (2020), arXiv 2005.00631.
    """
    samples, units = x.shape
    of = torch.arange(samples, device=x.device)
    whole = output(x, of)
    sums, falls = [], []
    for _ in range(draws):
        chosen = torch.rand(samples, units, generator=generator).argsort(dim=1) < size
        sums.append((contributions * chosen).sum(1))
        falls.append(whole - output(torch.where(chosen, baseline, x), of))
    a, b = torch.stack(sums).double(), torch.stack(falls).double()
    a, b = a - a.mean(0), b - b.mean(0)
    return (a * b).sum(0) / (a.square().sum(0) * b.square().sum(0)).sqrt()


@torch.no_grad()
def infidelity(output: Output, x: Tensor, slopes: Tensor, perturbations: Tensor) -> Tensor:
    """Mean square of ``I . slopes - (f(x) - f(x - I))`` over perturbations ``I``, shape (sample,).

    Parameters
    ----------
    output : Output
    x : Tensor, shape (sample, unit)
    slopes : Tensor, shape (sample, unit)
        Change of the output for a unit's change by one; contributions divided by the distance from the baseline.
    perturbations : Tensor, shape (draw, sample, unit)

    References
    ----------
    Yeh et al. (2019), arXiv 1901.09392, without the optimal scaling of the slopes.
    """
    of = torch.arange(len(x), device=x.device)
    whole = output(x, of)
    errors = [((some * slopes).sum(1) - (whole - output(x - some, of))).square() for some in perturbations]
    return torch.stack(errors).mean(0)
