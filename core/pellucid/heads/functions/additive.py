"""Neural additive model: one curve for each named unit, and their sum."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.errors import ContractError, nearest
from pellucid.explanation import Explanation
from pellucid.heads.base import HeadTags, PredictorConfig
from pellucid.heads.scaled import STRIDE, ScaledHead
from pellucid.representation import Representation

KNOTS = 128
"""Quantiles of each unit that are kept beside the extremes: curves are centred on them, and drawn where samples were."""


class AdditiveConfig(PredictorConfig):
    """Settings of :class:`Additive`.

    Parameters
    ----------
    hidden : tuple of int
        Widths of each unit's own network; empty leaves the linear part alone.
    dropout : float
        Share of hidden cells that are silent in a training step.
    feature_dropout : float
        Share of units whose curve is silent in a training step, so that no unit leans on another.
    output_penalty : float
        Weight of the curves' mean square beyond their straight part: bends must earn their place.
    l2 : float
        Penalty on half the squared slopes of the straight parts.
    """

    hidden: tuple[int, ...] = (32, 16)
    dropout: float = Field(0.1, ge=0, lt=1)
    feature_dropout: float = Field(0.05, ge=0, lt=1)
    output_penalty: float = Field(0.05, ge=0)
    l2: float = Field(1e-3, ge=0)


class Additive(ScaledHead):
    """``output = bias + sum of f_u(unit u)``: each curve can be drawn, and together they are the whole model.

    The networks of all units are evaluated at once by batched matrix products. Beyond the range met in training a curve
    goes on straight. Curves are centred on the training samples, so that the baseline is the mean output over units as
    they were in training, and a contribution is a distance from what is usual.

    References
    ----------
    Agarwal et al. (2021), Neural additive models, arXiv 2004.13912. Deviations: GELU and not exponential units; a
    straight part of its own for each unit, which the penalty spares, so that without bends the model is the logistic
    regression; curves are centred after the fact, at quantiles of the training samples, which changes no output.
    """

    tags = HeadTags(family="function", partial_labels=True)
    config_type = AdditiveConfig
    config: AdditiveConfig
    knots: Tensor

    def __init__(self, config: AdditiveConfig) -> None:
        super().__init__(config)
        units, outputs = len(config.units), len(self.outputs)
        self.slope = nn.Parameter(torch.zeros(units, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        widths = (1, *config.hidden)
        self.weights, self.offsets = nn.ParameterList(), nn.ParameterList()
        for before, after in itertools.pairwise(widths):
            weight = torch.randn(units, before, after) * (2 / before) ** 0.5
            # Bends of the first layer start where standardised samples are, and not all at the mean.
            offset = -weight * torch.randn_like(weight) if before == 1 else torch.zeros(units, 1, after)
            self.weights.append(nn.Parameter(weight))
            self.offsets.append(nn.Parameter(offset))
        self.last = nn.Parameter(torch.zeros(units, widths[-1], outputs)) if config.hidden else None
        self.register_buffer("knots", torch.linspace(-2, 2, KNOTS + 2)[:, None].repeat(1, units))

    def watched(self, parts: Iterable[tuple[Representation, Batch]]) -> Iterator[tuple[Representation, Batch]]:
        """Keep quantiles of each unit; holds the units of all training samples meanwhile."""
        seen = []
        for z, batch in parts:
            seen.append(z.values)
            yield z, batch
        ordered = torch.cat(seen).sort(0).values
        # The knots between the extremes are the middles of equal shares of the samples, so their mean stands for the
        # samples' mean; the extremes themselves would weigh too much in it.
        middle = (torch.arange(KNOTS) + 0.5) / KNOTS * len(ordered) - 0.5
        at = torch.cat([torch.tensor([0.0]), middle, torch.tensor([len(ordered) - 1.0])])
        self.knots.copy_(ordered[at.round().long()])

    def curves(self, x: Tensor) -> Tensor:
        """What each unit adds to the scores before centring, shape (sample, unit) to (sample, unit, output)."""
        return x.unsqueeze(-1) * (STRIDE * self.slope) + self._bends(x, 0.0)

    def score(self, x: Tensor) -> Tensor:
        """Bias and sum of the curves."""
        return self.bias + self.curves(x).sum(1)

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Negative log-likelihood with dropout, and the penalties."""
        x = self.standardised(z)
        bends = self._bends(x, self.config.dropout)
        parts = x.unsqueeze(-1) * (STRIDE * self.slope) + bends
        silent = functional.dropout(torch.ones_like(x), self.config.feature_dropout, self.training)
        output = self.prior + self.scale * (self.bias + (parts * silent.unsqueeze(-1)).sum(1))
        roughness = bends.square().sum(1).mean()
        penalty = self.config.output_penalty * roughness + 0.5 * self.config.l2 * (STRIDE * self.slope).square().sum()
        return self.likelihood_loss(output, batch) + penalty

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each unit adds to one output: the height of its centred curve."""
        at = self.output_index(target)
        heights = self.curves(self.standardised(z))[..., at]
        centre = self._centre()[:, at]
        baseline = (self.prior[at] + self.scale[at] * (self.bias[at] + centre.sum())).expand(len(heights))
        contributions = self.scale[at] * (heights - centre)
        return Explanation("function", target, z.names, contributions, baseline, self(z)[:, at], z.values)

    @torch.no_grad()
    def shape_function(self, unit: str, grid: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The curve of one unit, for drawing.

        Parameters
        ----------
        unit : str
        grid : Tensor, optional, shape (point,)
            Values of the unit; by default its quantiles in training, so that points lie where samples were.

        Returns
        -------
        grid : Tensor, shape (point,)
        heights : Tensor, shape (point, output)
            What the unit adds to each output, in units of the output.

        Raises
        ------
        ContractError
            If there is no such unit.
        """
        names = self.config.units
        if unit not in names:
            raise ContractError(f"no unit named {unit!r}{nearest(unit, names)}")
        at = names.index(unit)
        grid = self.knots[:, at] if grid is None else grid
        # The other units stand still at their means: the networks of all units are evaluated together.
        x = torch.zeros(len(grid), len(names), device=self.knots.device)
        x[:, at] = (grid.to(x) - self.unit_mean[at]) / self.unit_scale[at]
        return grid, self.scale * (self.curves(x)[:, at] - self._centre()[at])

    def _centre(self) -> Tensor:
        """Mean height of each curve over the training samples, shape (unit, output)."""
        return self.curves((self.knots[1:-1] - self.unit_mean) / self.unit_scale).mean(0)

    def _bends(self, x: Tensor, dropout: float) -> Tensor:
        """What the networks add to the straight parts, shape (sample, unit, output)."""
        if self.last is None:
            return x.new_zeros(*x.shape, len(self.outputs))
        lowest, highest = self.knots[0], self.knots[-1]
        inside = x.clamp((lowest - self.unit_mean) / self.unit_scale, (highest - self.unit_mean) / self.unit_scale)
        h = inside.t().unsqueeze(-1)
        for weight, offset in zip(self.weights, self.offsets, strict=True):
            # A product with a single column is a plain multiplication, several times faster than a batched product.
            h = functional.gelu(h * weight + offset if weight.shape[1] == 1 else torch.baddbmm(offset, h, weight))
            h = functional.dropout(h, dropout, self.training)
        return torch.bmm(h, self.last).transpose(0, 1)
