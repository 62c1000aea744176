"""Attribution by gradients: integrated along a path, or at the sample alone."""

from __future__ import annotations

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
    """Gradients integrated along the straight path from a baseline (Sundararajan et al. 2017), by captum.

    Parameters
    ----------
    function : Function
    x, baseline : Tensor, shape (sample, *input shape)
    steps : int
        Points of the Gauss-Legendre quadrature.
    module : nn.Module, optional
        What ``function`` calls: put in evaluation mode, its parameters frozen, for the time being.
    rows : int, optional
        Path points evaluated at once, over all samples; chosen from a byte budget by default.
    """
    from captum.attr import IntegratedGradients

    with still(module):
        rows = rows or rows_at_once(function, x)
        parts = []
        for start in range(0, len(x), rows):
            some, base = x[start : start + rows].detach(), baseline[start : start + rows].detach()
            of = torch.arange(start, start + len(some), device=x.device)
            values = IntegratedGradients(function).attribute(
                some,
                base,
                additional_forward_args=(of,),
                n_steps=steps,
                internal_batch_size=max(1, rows // len(some)) * len(some),
            )
            parts.append(_measured(function, some, base, of, values.to(x.dtype), "integrated gradients"))
    return Attribution.joined(parts)


def gradient_times_input(
    function: Function, x: Tensor, baseline: Tensor, *, module: nn.Module | None = None, rows: int | None = None
) -> Attribution:
    """The gradient at the sample times its distance from a baseline: one backward pass, exact for linear models only."""
    from captum.attr import Saliency

    with still(module):
        rows = rows or rows_at_once(function, x)
        parts = []
        for start in range(0, len(x), rows):
            some, base = x[start : start + rows].detach(), baseline[start : start + rows].detach()
            of = torch.arange(start, start + len(some), device=x.device)
            # captum's own gradient x input knows no baseline but zero.
            leaf = some.clone().requires_grad_()
            gradient = Saliency(function).attribute(leaf, abs=False, additional_forward_args=(of,)).detach()
            parts.append(_measured(function, some, base, of, gradient * (some - base), "gradient x input"))
    return Attribution.joined(parts)


@torch.no_grad()
def _measured(function: Function, x: Tensor, baseline: Tensor, of: Tensor, values: Tensor, method: str) -> Attribution:
    return Attribution(values, function(x, of), function(baseline, of), method)
