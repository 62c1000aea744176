"""What models of dynamics say when they go on by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.errors import DataError

LARGEST = 1e6
"""Size of a state, in standard deviations of the data, from which a run counts as diverged: nothing that moves is there."""


@dataclass(frozen=True)
class FreeRun:
    """Runs of a model that sees nothing but where it begins.

    Parameters
    ----------
    values : Tensor, shape (run, step, channel)
        What it says, in units of the input, from the step after the start; always finite.
    states : Tensor, shape (run, step, unit)
        Latent states, always finite.
    lasted : Tensor of int64, shape (run,)
        Steps until a run diverged, or all of them. From there on its values and states are the last ones before.
    codes : Tensor of int64, optional, shape (run, step)
        Which of the model's regions each state lies in, where it has some.
    """

    values: Tensor
    states: Tensor
    lasted: Tensor
    codes: Tensor | None = None

    @property
    def diverged(self) -> Tensor:
        """Which runs did, bool, shape (run,)."""
        return self.lasted < self.values.shape[1]


@torch.no_grad()
def run_on(step: Callable[[Tensor], Tensor], start: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Apply a map again and again; a run whose state is no finite number any more, or beyond :data:`LARGEST`, stays where it was before.

    Parameters
    ----------
    step : callable
        Shape (run, unit) to (run, unit), each run for itself.
    start : Tensor, shape (run, unit)
    steps : int

    Returns
    -------
    Tensor, shape (run, step, unit), and Tensor of int64, shape (run,)
        States after the start, and how many steps each run lasted.

    Raises
    ------
    DataError
        If a run starts at NaN or infinity, or steps are below 0.

    Examples
    --------
    >>> states, lasted = run_on(lambda z: 100 * z, torch.tensor([[1.0], [0.0]]), 5)
    >>> states[:, :, 0].tolist(), lasted.tolist()
    ([[100.0, 10000.0, 1000000.0, 1000000.0, 1000000.0], [0.0, 0.0, 0.0, 0.0, 0.0]], [3, 5])
    """
    if steps < 0:
        raise DataError(f"a free run of {steps} steps is none; ask for 0 or more")
    if nowhere := int((~torch.isfinite(start)).any(1).sum()):
        raise DataError(
            f"{nowhere} of {len(start)} free runs start at NaN or infinity; begin them where the data are known"
        )
    state = start
    goes = torch.ones(len(start), dtype=torch.bool, device=start.device)
    lasted = torch.zeros(len(start), dtype=torch.int64, device=start.device)
    found = start.new_zeros(len(start), steps, start.shape[1])
    for at in range(steps):
        following = step(state)
        goes = goes & (following.abs() <= LARGEST).all(1)
        state = torch.where(goes[:, None], following, state)
        lasted += goes
        found[:, at] = state
    return found, lasted
