"""How much noise there is at each step of a diffusion, and how it is taken away again in few steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Sampler = Literal["ddpm", "ddim", "dpm-solver++"]

OFFSET, MOST = 0.008, 0.999
"""Of the squared cosine: how far it begins from its top, and the largest share of noise of one step."""

Clean = Callable[[Tensor, int], Tensor]
"""From noisy values and the step, what they are without noise."""

Fresh = Callable[[], Tensor]
"""Gives standard normal numbers."""


def squared_cosine(steps: int) -> Tensor:
    """Share of the signal's variance that is left after each step, float64, shape (step,).

    References
    ----------
    Nichol and Dhariwal (2021), Improved denoising diffusion probabilistic models, arXiv 2102.09672.

    Examples
    --------
    >>> squared_cosine(100)[[0, 49, 99]].numpy().round(4).tolist()
    [0.9994, 0.4938, 0.0]
    """
    time = torch.arange(steps + 1, dtype=torch.float64) / steps
    left = torch.cos((time + OFFSET) / (1 + OFFSET) * torch.pi / 2).square()
    noise = (1 - left[1:] / left[:-1]).clamp(max=MOST)
    return torch.cumprod(1 - noise, 0)


def visited(steps: int, few: int) -> list[int]:
    """So many of the steps, evenly spread from the last one down; the end, without noise, follows at the same distance.

    Examples
    --------
    >>> visited(51, 5), visited(3, 9)
    ([50, 40, 30, 20, 10], [2, 1, 0])
    """
    if few >= steps:
        return list(range(steps - 1, -1, -1))
    return [round((steps - 1) * (few - at) / few) for at in range(few)]


def denoised(
    noise: Tensor, clean: Clean, left: Tensor, few: int, sampler: Sampler, fresh: Fresh | None = None
) -> Tensor:
    """Take the noise away, step by step.

    Parameters
    ----------
    noise : Tensor
        Standard normal numbers to begin with.
    clean : callable
    left : Tensor, shape (step,)
        From :func:`squared_cosine`.
    few : int
        Steps that are taken.
    sampler : {"ddpm", "ddim", "dpm-solver++"}
        The first adds ``fresh`` noise on the way, the others are functions of the noise that they begin with. The third looks back at
        the step before (second order) but for the first and the last step.
    fresh : callable, optional
        Gives standard normal numbers of the shape of ``noise``, or one that broadcasts.

    References
    ----------
    Ho et al. (2020), arXiv 2006.11239; Song et al. (2021), arXiv 2010.02502; Lu et al. (2022), DPM-Solver++, arXiv 2211.01095.
    """
    x, before = noise, None
    steps = visited(len(left), few)
    for now, after in zip(steps, [*steps[1:], None], strict=True):
        found = clean(x, now)
        if after is None:
            # Nothing is left of the noise after the last step, whichever the sampler.
            return found
        a, b = float(left[now]), float(left[after])
        if sampler == "ddpm":
            assert fresh is not None
            kept = a / b
            mean = found * (b**0.5 * (1 - kept) / (1 - a)) + x * (kept**0.5 * (1 - b) / (1 - a))
            x = mean + fresh() * ((1 - b) / (1 - a) * (1 - kept)) ** 0.5
            continue
        ahead = found
        if sampler == "dpm-solver++" and before is not None:
            was, then = before
            ahead = found + (found - was) * ((_log_ratio(b) - _log_ratio(a)) / (2 * (_log_ratio(a) - then)))
        x = x * ((1 - b) / (1 - a)) ** 0.5 + ahead * (b**0.5 - (a * (1 - b) / (1 - a)) ** 0.5)
        before = found, _log_ratio(a)
    raise AssertionError("a schedule has one step at least")


def _log_ratio(left: float) -> float:
    """Logarithm of the signal's over the noise's standard deviation."""
    return 0.5 * float(torch.log(torch.tensor(left / (1 - left), dtype=torch.float64)))


def step_waves(step: Tensor | float, width: int) -> Tensor:
    """Sines and cosines of a step, or of another positive number; shape (..., width) for an even width."""
    step = torch.as_tensor(step, dtype=torch.float32)
    rates = torch.exp(
        -torch.arange(width // 2, dtype=torch.float32) * (torch.log(torch.tensor(1e4)) / (width // 2 - 1))
    )
    angles = step[..., None] * rates.to(step.device)
    return torch.cat([angles.sin(), angles.cos()], -1)
