"""Logistic or linear regression on named units."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.explanation import Explanation
from pellucid.heads.base import HeadTags, PredictorConfig
from pellucid.heads.scaled import STRIDE, ScaledHead
from pellucid.representation import Representation


class LinearConfig(PredictorConfig):
    """Settings of :class:`Linear`.

    Parameters
    ----------
    l2 : float
        Penalty on half the squared weights, per standard deviation of a unit.
    """

    l2: float = Field(1e-3, ge=0)


class Linear(ScaledHead):
    """A weighted sum of standardised units: each adds its weight times its distance from the training mean.

    The explanation is the model. Its baseline is the output of a sample whose every unit is at the training mean.

    Examples
    --------
    >>> from pellucid.data.spec import Binary
    >>> head = Linear(LinearConfig(units=("a", "b"), target=Binary(names=("no", "yes"))))
    >>> explanation = head.explain(Representation(torch.ones(1, 2), ("a", "b")), "yes")
    >>> explanation.gap.item()
    0.0
    """

    tags = HeadTags(family="function", partial_labels=True)
    config_type = LinearConfig
    config: LinearConfig

    def __init__(self, config: LinearConfig) -> None:
        super().__init__(config)
        self.weight = nn.Parameter(torch.zeros(len(self.outputs), len(config.units)))
        self.bias = nn.Parameter(torch.zeros(len(self.outputs)))

    def score(self, x: Tensor) -> Tensor:
        """Weighted sum."""
        return functional.linear(x, STRIDE * self.weight, self.bias)

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Negative log-likelihood and the penalty."""
        return self.likelihood_loss(self(z), batch) + 0.5 * self.config.l2 * (STRIDE * self.weight).square().sum()

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each unit adds to one output."""
        at = self.output_index(target)
        contributions = self.standardised(z) * (self.scale[at] * STRIDE * self.weight[at])
        baseline = (self.prior[at] + self.scale[at] * self.bias[at]).expand(len(contributions))
        return Explanation("function", target, z.names, contributions, baseline, self(z)[:, at], z.values)
