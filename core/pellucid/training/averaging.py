"""A running mean of the weights: what a network knows on the way, rather than where its last step fell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class RunningMean:
    """Mean of a module's weights (and moving statistics) over its last steps, the older the less.

    The first steps are averaged plainly, until there are as many as the mean is long; from then on each step takes its
    share of what was there before.

    Parameters
    ----------
    module : nn.Module
        Whose numbers are averaged. Whole numbers (counters) are taken as they are.
    steps : float
        How many steps the mean is long; 1 is the module itself.

    References
    ----------
    Polyak and Juditsky (1992), doi:10.1137/0330046, in the exponential form that deep learning uses.

    Examples
    --------
    >>> module = nn.Linear(1, 1, bias=False)
    >>> mean = RunningMean(module, steps=2)
    >>> for weight in (1.0, 3.0, 6.0):
    ...     _ = module.weight.data.fill_(weight)
    ...     mean.add()
    >>> mean.values["weight"].item()
    4.0
    """

    def __init__(self, module: nn.Module, steps: float) -> None:
        self.module, self.share = module, 1 / max(1.0, steps)
        self.values = {name: value.detach().clone() for name, value in module.state_dict().items()}
        self.added = 0

    @torch.no_grad()
    def add(self) -> None:
        """Take in the module as it is now."""
        self.added += 1
        share = max(self.share, 1 / self.added)
        for name, now in self.module.state_dict().items():
            mean = self.values[name]
            if mean.is_floating_point():
                mean.lerp_(now, share)
            else:
                mean.copy_(now)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The module has the mean's numbers for the length of a block, and its own again afterwards."""
        own = {name: value.detach().clone() for name, value in self.module.state_dict().items()}
        self.module.load_state_dict(self.values)
        try:
            yield
        finally:
            self.module.load_state_dict(own)

    def continued(self, values: dict[str, Tensor], added: int) -> None:
        """Go on where another mean of the same module was."""
        self.values = {name: value.to(self.values[name].device) for name, value in values.items()}
        self.added = added
