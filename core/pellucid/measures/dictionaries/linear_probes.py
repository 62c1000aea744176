"""Linear probes of several yes-or-no concepts at once, trained by gradient with a penalty on the size of weights."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pellucid.errors import DataError
from pellucid.measures.dictionaries.exactness import same_rows


class LinearProbes(NamedTuple):
    """One probe for each concept: yes where ``x @ weight.T + bias`` is above zero."""

    weight: Tensor
    """Shape (concept, unit)."""
    bias: Tensor
    """Shape (concept,)."""

    def logits(self, x: Tensor) -> Tensor:
        """Shape (..., concept)."""
        return x @ self.weight.T + self.bias

    def accuracy(self, x: Tensor, labels: Tensor, rows: Tensor | None = None) -> Tensor:
        """Share of rows each probe gets right, shape (concept,), float64.

        ``rows`` of bool, shape (row, concept), says which rows count for which concept; NaN where none does.
        """
        right = (self.logits(x) > 0) == (labels > 0)
        counted = torch.ones_like(right) if rows is None else rows
        return (right & counted).sum(0, dtype=torch.float64) / counted.sum(0)


def fit_linear_probes(
    x: Tensor,
    labels: Tensor,
    *,
    rows: Tensor | None = None,
    balanced: bool = False,
    learning_rate: float = 1e-3,
    epochs: int = 20,
    batch_rows: int = 16,
    l1: float = 1e-3,
    seed: int = 0,
) -> LinearProbes:
    """Logistic probes by AdamW; the settings are those of SAEBench for TPP and SCR.

    Parameters
    ----------
    x : Tensor, shape (row, unit)
    labels : Tensor, shape (row, concept)
        Yes above zero.
    rows : Tensor of bool, optional, shape (row, concept)
        Rows that a concept is learnt from; all without it. See :func:`balanced_rows`.
    balanced : bool
        Weigh the yes rows of a concept so that they count as much as its no rows together.
    learning_rate, epochs, batch_rows, seed
    l1 : float
        Times the sum of the sizes of a probe's weights, added to its loss.

    Returns
    -------
    LinearProbes
        On the device of ``x``. The probes do not depend on each other.

    Raises
    ------
    DataError
        If rows differ in number, or labels are not (row, concept).
    """
    same_rows(x=x, labels=labels)
    if labels.ndim != 2:
        raise DataError(f"labels have shape {tuple(labels.shape)}, expected (row, concept)")
    x, truth = x.detach().float(), (labels > 0).float()
    counted = torch.ones_like(truth) if rows is None else rows.float()
    if balanced:
        yes = (truth * counted).sum(0)
        counted = counted * torch.where(truth > 0, (counted.sum(0) - yes) / yes.clamp(min=1), 1.0)
    generator = torch.Generator().manual_seed(seed)
    weight = torch.zeros(truth.shape[1], x.shape[1], device=x.device, requires_grad=True)
    bias = torch.zeros(truth.shape[1], device=x.device, requires_grad=True)
    optimiser = torch.optim.AdamW([weight, bias], lr=learning_rate)
    for _ in range(epochs):
        for batch in torch.randperm(len(x), generator=generator).to(x.device).split(batch_rows):
            each = torch.nn.functional.binary_cross_entropy_with_logits(
                x[batch] @ weight.T + bias, truth[batch], weight=counted[batch], reduction="none"
            )
            loss = (each.sum(0) / counted[batch].sum(0).clamp(min=1e-6)).sum() + l1 * weight.abs().sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return LinearProbes(weight.detach(), bias.detach())


def balanced_rows(labels: Tensor, seed: int = 0) -> Tensor:
    """As many rows of yes as of no for each concept, drawn at random; bool, shape (row, concept).

    Examples
    --------
    >>> balanced_rows(torch.tensor([[1], [0], [0], [0]])).sum().item()
    2
    """
    yes = labels > 0
    draw = torch.rand(yes.shape, generator=torch.Generator().manual_seed(seed)).to(yes.device)
    place = [torch.where(mine, draw, torch.inf).argsort(0).argsort(0) for mine in (yes, ~yes)]
    size = torch.minimum(yes.sum(0), (~yes).sum(0))
    return (yes & (place[0] < size)) | (~yes & (place[1] < size))
