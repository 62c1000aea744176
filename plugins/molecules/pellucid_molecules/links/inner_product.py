"""The inner product as a head: products of two embeddings, all dimensions counting alike."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pellucid.explanation import Explanation
from pellucid.heads.base import HeadTags, PredictorConfig
from pellucid.heads.scaled import ScaledHead
from pellucid.representation import Representation


class InnerProductConfig(PredictorConfig):
    """No settings beside what is read and predicted."""


class InnerProduct(ScaledHead):
    """One weight for the sum of all units, and an offset: of products by dimension, the inner product brought to log odds.

    It cannot favour a dimension because training links, which the embeddings have been made of, happen to be told by it; a linear
    head can. The explanation is the model: each dimension adds its part of the inner product, counted from its training mean.

    References
    ----------
    The decoder of Kipf and Welling (2016), arXiv 1611.07308, with a weight and an offset, as its own are those of links weighted
    up.
    """

    tags = HeadTags(family="function", targets=("binary", "links"))
    config_type = InnerProductConfig
    config: InnerProductConfig

    def __init__(self, config: InnerProductConfig) -> None:
        super().__init__(config)
        self.weight = nn.Parameter(torch.ones(()))
        self.bias = nn.Parameter(torch.zeros(()))

    def score(self, x: Tensor) -> Tensor:
        """Weighted sum, shape (sample, 1)."""
        return (x * self._share()).sum(1, keepdim=True) + self.bias

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each dimension adds to the logit."""
        at = self.output_index(target)
        contributions = self.standardised(z) * (self.scale[at] * self._share())
        baseline = (self.prior[at] + self.scale[at] * self.bias).expand(len(contributions))
        return Explanation("function", target, z.names, contributions, baseline, self(z)[:, at], z.values)

    def _share(self) -> Tensor:
        """Weight of each standardised unit: the same for each unit as it is, over the length of all deviations."""
        return self.weight * self.unit_scale / self.unit_scale.norm()
