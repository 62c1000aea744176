"""What an attribution is: a number for each number of an input, and how far they are from the output."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.errors import ContractError


@dataclass(frozen=True)
class Attribution:
    """``output = baseline + values.sum() + gap`` for each sample.

    Parameters
    ----------
    values : Tensor, shape of the input
    output : Tensor, shape (sample,)
        What the model said, in units of the output (a logit, or the predicted number).
    baseline : Tensor, shape (sample,)
        What it says of the baseline input.
    method : str
    input : str
        Name of the input.
    target : str
        Name of the output.
    baseline_name : str
        What the baseline input was.
    """

    values: Tensor
    output: Tensor
    baseline: Tensor
    method: str
    input: str = ""
    target: str = ""
    baseline_name: str = ""

    def __post_init__(self) -> None:
        count = len(self.values)
        if self.output.shape != (count,) or self.baseline.shape != (count,):
            raise ContractError(
                f"outputs of shape {tuple(self.output.shape)} and {tuple(self.baseline.shape)} for {count} samples; "
                "an attribution needs one number a sample"
            )

    @property
    def gap(self) -> Tensor:
        """What the values leave unexplained, shape (sample,): the convergence error of the method on this sample."""
        total = self.values.double().flatten(1).sum(1)
        return (self.output.double() - self.baseline.double() - total).to(self.output.dtype)

    @staticmethod
    def joined(parts: list[Attribution]) -> Attribution:
        """Attributions of several groups of samples as one."""
        first = parts[0]
        return Attribution(
            torch.cat([p.values for p in parts]),
            torch.cat([p.output for p in parts]),
            torch.cat([p.baseline for p in parts]),
            first.method,
            first.input,
            first.target,
            first.baseline_name,
        )
