"""Attribution by gradients: integrated along a path, or at the sample alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.attribution.memory import Function, rows_at_once, still
from pellucid.attribution.values import Attribution


def integrated_gradients(
    function: Function,
    x: Tensor,
    baseline: Tensor,
    *,
    steps: int = 50,
    module: nn.Module | None = None,
    rows: int | None = None,
) -> Attribution:
    """Gradients integrated along the straight path from a baseline.

    Plain torch and not captum, with which it agrees: captum passes over the inputs several times for each point, which
    costs more than a small model's own work, and takes all points at once unless told otherwise.

    Parameters
    ----------
    function : Function
    x, baseline : Tensor, shape (sample, \\*input shape)
    steps : int
        Points of the Gauss-Legendre quadrature.
    module : nn.Module, optional
        What ``function`` calls: put in evaluation mode, its parameters frozen, for the time being.
    rows : int, optional
        Points evaluated at once, over all samples; chosen from a byte budget by default.

    References
    ----------
    Sundararajan et al. (2017), Axiomatic attribution for deep networks, arXiv 1703.01365. Deviation: Gauss-Legendre
    points and not equal steps, which need several times as many for the same gap.

    Examples
    --------
    >>> found = integrated_gradients(lambda x, rows: x.square().sum(1), torch.ones(1, 2), torch.zeros(1, 2))
    >>> found.values.tolist(), round(found.gap.item(), 6)
    ([[1.0, 1.0]], 0.0)
    """
    points, weights = np.polynomial.legendre.leggauss(steps)
    along = torch.tensor((points + 1) / 2, dtype=x.dtype, device=x.device)
    share = torch.tensor(weights / 2, dtype=x.dtype, device=x.device)
    with still(module):
        rows = rows or rows_at_once(function, x)
        parts = []
        for some, base, of in _groups(x, baseline, rows):
            way = some - base
            total = torch.zeros_like(way)
            several = max(1, rows // len(some))
            for at, weight in zip(along.split(several), share.split(several), strict=True):
                # One point at a time needs no copies of the batch, which would cost as much as a small model's layer.
                if len(at) == 1:
                    slopes = _gradient(function, torch.add(base, way, alpha=float(at)), of)
                    total.add_(slopes, alpha=float(weight))
                else:
                    path = (base + at.reshape(-1, *[1] * x.ndim) * way).flatten(0, 1)
                    slopes = _gradient(function, path, of.repeat(len(at))).unflatten(0, (len(at), len(some)))
                    total += torch.tensordot(weight, slopes, 1)
            parts.append(_measured(function, some, base, of, total.mul_(way), "integrated gradients"))
    return Attribution.joined(parts)


def gradient_times_input(
    function: Function, x: Tensor, baseline: Tensor, *, module: nn.Module | None = None, rows: int | None = None
) -> Attribution:
    """The gradient at the sample times its distance from a baseline: one backward pass, exact for linear models."""
    with still(module):
        parts = []
        for some, base, of in _groups(x, baseline, rows or rows_at_once(function, x)):
            values = _gradient(function, some, of) * (some - base)
            parts.append(_measured(function, some, base, of, values, "gradient x input"))
    return Attribution.joined(parts)


def _groups(x: Tensor, baseline: Tensor, rows: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Samples, their baselines and their positions, as many at a time as may be evaluated at once."""
    of = torch.arange(len(x), device=x.device)
    return list(zip(x.detach().split(rows), baseline.detach().split(rows), of.split(rows), strict=True))


def _gradient(function: Function, x: Tensor, of: Tensor) -> Tensor:
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        output = function(leaf, of).sum()
        # A function of steps (decision trees) has no slope anywhere, and is not connected to its input by any.
        gradient = torch.autograd.grad(output, leaf, allow_unused=True)[0] if output.requires_grad else None
    return torch.zeros_like(x) if gradient is None else gradient


@torch.no_grad()
def _measured(function: Function, x: Tensor, baseline: Tensor, of: Tensor, values: Tensor, method: str) -> Attribution:
    return Attribution(values, function(x, of), function(baseline, of), method)
