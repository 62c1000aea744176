"""How many perturbed samples a model may see at once: chosen from what one sample costs, and not all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

BUDGET_BYTES = 16 * 2**20
"""Intermediate values held at once. A few times a processor's cache: with more, evaluation slows down and memory grows;
with much less, small models spend their time on calls."""

UNSPLIT = 4
"""A batch is evaluated in one piece up to so many budgets: whoever made it had room for it, and pieces cost calls."""

Function = Callable[[Tensor, Tensor], Tensor]
"""Outputs, shape (row,), of values, shape (row, *input shape), and of the sample that each row stands for, shape (row,)."""


def rows_at_once(function: Function, x: Tensor, *, budget_bytes: int = BUDGET_BYTES) -> int:
    """Rows whose intermediate values fit into a budget, at least one; the whole of ``x`` up to a few budgets.

    What one row costs is measured: the bytes that a forward pass of two rows keeps for its gradients, less those of one
    row, so that parameters do not count.

    Examples
    --------
    >>> rows_at_once(lambda x, rows: x.exp().sum(1), torch.zeros(3, 1000), budget_bytes=80_000)
    10
    """
    # The row itself and its gradient are there too.
    cost = _kept_bytes(function, x, 2) - _kept_bytes(function, x, 1) + x[0].numel() * x.element_size()
    cost = max(1, cost)
    return max(1, budget_bytes // cost, min(len(x), UNSPLIT * budget_bytes // cost))


def _kept_bytes(function: Function, x: Tensor, count: int) -> int:
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    some = x[:1].detach().repeat(count, *[1] * (x.ndim - 1)).requires_grad_(x.is_floating_point())
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        function(some, torch.zeros(count, dtype=torch.int64, device=x.device))
    return sum(kept.values())


@contextmanager
def still(module: nn.Module | None) -> Iterator[None]:
    """Evaluation mode, and no gradients for parameters; everything is put back afterwards."""
    if module is None:
        yield
        return
    training = {m: m.training for m in module.modules()}
    learning = [p for p in module.parameters() if p.requires_grad]
    module.eval()
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
        for part, mode in training.items():
            part.training = mode
