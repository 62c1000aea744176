"""What of a model's outputs an audit looks at: for each sample one output, and the side of it that the model takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class View:
    """The output that is explained for each sample, and the side of it that the model takes.

    For classes that is the predicted one; where there are several outputs, the one furthest from undecided.
    """

    target: Any
    at: Tensor
    sign: Tensor
    middle: Tensor
    spread: Tensor

    @classmethod
    def of(cls, target: Any, logits: Tensor, centre: Tensor | None) -> View:
        """From what a model says of each sample, and of one about which nothing is known."""
        if target.exclusive:
            at = logits.argmax(1)
            return cls(target, at, torch.ones(len(at)), torch.zeros(logits.shape[1]), torch.ones(logits.shape[1]))
        middle, spread = torch.zeros(logits.shape[1]), torch.ones(logits.shape[1])
        if target.numeric:
            middle = logits.mean(0) if centre is None else centre.detach()
            spread = logits.std(0, correction=0).clamp(min=1e-12)
        away = (logits - middle) / spread
        at = away.abs().argmax(1)
        side = away.gather(1, at[:, None])[:, 0]
        return cls(target, at, torch.where(side < 0, -1.0, 1.0), middle, spread)

    def pick(self, table: Tensor, rows: Tensor | None = None) -> Tensor:
        """Each sample's own output of a table, shape (sample, output, ...) to (sample, ...)."""
        at = self.at if rows is None else self.at[rows]
        return table[torch.arange(len(table)), at]

    def height(self, logits: Tensor, rows: Tensor) -> Tensor:
        """How far the model takes the side that it took: a probability, or for numbers standard deviations."""
        at = self.at[rows]
        if self.target.exclusive:
            return logits.softmax(1)[torch.arange(len(at)), at]
        side = self.sign[rows] * (self.pick(logits, rows) - self.middle[at]) / self.spread[at]
        return side if self.target.numeric else side.sigmoid()

    def truth(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Probability of what is true, mean over outputs; for numbers minus the error in standard deviations."""
        if self.target.exclusive:
            return logits.softmax(1).gather(1, labels[:, :1].long())[:, 0]
        if self.target.numeric:
            return -((logits - labels) / self.spread).abs().mean(1)
        return ((2 * self.target.steps(labels).float() - 1) * logits).sigmoid().mean(1)

    def yes_or_no(self, labels: Tensor) -> np.ndarray:
        """A question that the labels answer with yes or no: the first label, the commonest class, or above the median."""
        return np.asarray(self.target.halves(labels.numpy()))
