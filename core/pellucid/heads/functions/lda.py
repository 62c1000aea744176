"""Linear discriminant analysis: classes as normal distributions of one covariance, learnt in closed form."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.explanation import Explanation
from pellucid.heads.base import HeadTags, PredictorConfig, labels_of
from pellucid.heads.one_pass import OnePass, check_every_class
from pellucid.representation import Representation


class LdaConfig(PredictorConfig):
    """Settings of :class:`Lda`.

    Parameters
    ----------
    shrinkage : float
        Share of the covariance that is replaced by its mean variance, the same in all directions: for few samples of many
        units.
    """

    shrinkage: float = Field(default=0.0, ge=0, le=1)


class Lda(OnePass):
    """A weighted sum of units for each class, with the weights that are best if classes are normal and equally wide.

    The explanation is the model. Its baseline is the output of a sample whose every unit is at the training mean. Nothing is
    learnt by steps.

    References
    ----------
    Fisher (1936), doi:10.1111/j.1469-1809.1936.tb02137.x; Blankertz et al. (2011), doi:10.1016/j.neuroimage.2010.06.048 for
    shrinkage.

    Examples
    --------
    >>> from pellucid.data.spec import Binary
    >>> head = Lda(LdaConfig(units=("a",), target=Binary(names=("no", "yes"))))
    >>> x, y = torch.tensor([[0.0], [1.0], [4.0], [5.0]]), torch.tensor([[0.0], [0.0], [1.0], [1.0]])
    >>> head.finish([(Representation(x, ("a",)), Batch({}, targets=y))])
    >>> head(Representation(torch.tensor([[2.5], [3.5]]), ("a",)))[:, 0].tolist()
    [0.0, 16.0]
    """

    tags = HeadTags(family="function", targets=("binary", "multiclass"))
    config_type = LdaConfig
    config: LdaConfig
    unit_mean: Tensor

    def __init__(self, config: LdaConfig) -> None:
        super().__init__()
        self.config = config
        units, outputs = len(config.units), len(self.outputs)
        # Parameters, although no step moves them: they are what an audit draws anew to see whether explanations notice.
        self.weight = nn.Parameter(torch.zeros(outputs, units))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("unit_mean", torch.zeros(units))

    @torch.no_grad()
    def finish(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn means and covariance from the training samples.

        Raises
        ------
        ContractError
            If the samples carry no labels.
        DataError
            If no training sample is of some class.
        """
        classes = len(self.config.target.categories)
        counts = torch.zeros(classes, dtype=torch.float64)
        sums = torch.zeros(classes, len(self.config.units), dtype=torch.float64)
        squares, origin = torch.zeros(sums.shape[1], sums.shape[1], dtype=torch.float64), None
        for z, batch in parts:
            x = z.values.double()
            # Near the data, so that squares of large numbers do not swallow small differences.
            origin = x.mean(0) if origin is None else origin
            x, member = x - origin, functional.one_hot(labels_of(batch)[:, 0].long(), classes).double()
            counts += member.sum(0)
            sums += member.T @ x
            squares += x.T @ x
        check_every_class("lda", self.config.target.categories, counts.tolist())
        assert origin is not None
        means = sums / counts[:, None]
        within = (squares - means.T @ (counts[:, None] * means)) / counts.sum()
        shrinkage, variance = self.config.shrinkage, within.diagonal().mean()
        within = (1 - shrinkage) * within + shrinkage * variance * torch.eye(len(within), dtype=torch.float64)
        weight = means @ torch.linalg.pinv(within, hermitian=True)
        bias = (counts / counts.sum()).log() - 0.5 * (weight * means).sum(1)
        if len(self.outputs) == 1:
            weight, bias = weight[1:] - weight[:1], bias[1:] - bias[:1]
        centre = sums.sum(0) / counts.sum()
        self.weight.copy_(weight)
        # Of a sample at the training mean.
        self.bias.copy_(bias + weight @ centre)
        self.unit_mean.copy_(origin + centre)

    def forward(self, z: Representation) -> Tensor:
        """Logits, shape (sample, output): log densities of the classes up to a number that all share."""
        return functional.linear(z.values - self.unit_mean, self.weight, self.bias)

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each unit adds to one output."""
        at = self.output_index(target)
        contributions = (z.values - self.unit_mean) * self.weight[at]
        baseline = self.bias[at].expand(len(contributions))
        return Explanation("function", target, z.names, contributions, baseline, self(z)[:, at], z.values)
