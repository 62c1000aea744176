"""A head to walk with: which way in a latent space an output rises, and what decoding shows on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from pellucid.heads.base import Head, HeadTags
from pellucid.heads.mlp import Mlp, MlpConfig
from pellucid.representation import Representation

STEPS_SD = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Steps of a traversal, in standard deviations over the training samples."""


class LatentTraversalConfig(MlpConfig):
    """Settings of :class:`LatentTraversal`.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers.
    dropout : float
        Share of hidden cells that are silent in a training step.
    steps : int
        Points on the path along which an explanation integrates gradients.
    """

    hidden: tuple[int, ...] = (32, 32, 32)
    dropout: float = Field(default=0.4, ge=0, lt=1)


class LatentTraversal(Mlp):
    """A multilayer perceptron on a latent that can be decoded: walk along its gradient and see what it looks for.

    :meth:`direction` gives the way in which an output rises fastest, :meth:`traverse` the units on that way; an
    encoder's ``decode`` turns them into pictures. The explanation is that of :class:`~pellucid.heads.mlp.Mlp`:
    gradients integrated from the training mean, with the integral's error as the gap.

    References
    ----------
    Keel et al., lung-lesion VAEs (BMVC 2023): three hidden layers, GELU, dropout. Deviations: no BatchNorm, as a sample
    must be scored as if it were alone (units are standardised once, at the input), and narrower layers.
    """

    tags: ClassVar[HeadTags] = HeadTags(
        family="attribution", stage="post_hoc", faithful_by_construction=False, needs_decoder=True
    )
    config_type = LatentTraversalConfig
    config: LatentTraversalConfig

    def direction(self, z: Representation, target: str | None = None, units: Sequence[str] | None = None) -> Tensor:
        """The way in which an output rises fastest, from each sample.

        Parameters
        ----------
        z : Representation
        target : str, optional
            Name of the output; the first by default.
        units : sequence of str, optional
            Names of the units that may move; all by default. Those of an encoder that cannot decode are better left
            out.

        Returns
        -------
        Tensor, shape (sample, unit)
            In standard deviations of the training samples; of length 1, or 0 where the output does not change.
        """
        output = self.output_index(target or self.outputs[0])
        moving = torch.tensor([units is None or name in units for name in z.names], device=self.unit_scale.device)
        outputs = torch.full((len(z.values),), output, device=z.values.device)
        return rising(self, z, outputs, self.unit_scale * moving)

    def traverse(self, z: Representation, direction: Tensor, steps_sd: Sequence[float] = STEPS_SD) -> Tensor:
        """Units on the way along a direction, shape (sample, step, unit); see :func:`traverse`."""
        return traverse(z.values, direction, self.unit_scale, steps_sd)


def rising(head: Head, z: Representation, outputs: Tensor, scale: Tensor) -> Tensor:
    """The way in which a head's output rises fastest from each sample.

    Parameters
    ----------
    head : Head
        In evaluation mode.
    z : Representation
    outputs : Tensor of int64, shape (sample,)
        Which output to follow.
    scale : Tensor, shape (unit,)
        Standard deviation of each unit; 0 for units that must not move.

    Returns
    -------
    Tensor, shape (sample, unit)
        The gradient with respect to ``unit / scale``, of length 1; 0 where it vanishes, as in heads that decide in
        steps.
    """
    slope = slopes(head, z, outputs) * scale
    return slope / slope.norm(dim=1, keepdim=True).clamp(min=1e-12)


def mean_rising(head: Head, z: Representation, output: int, scale: Tensor) -> Tensor:
    """The one direction in which an output rises fastest on average over samples, shape (unit,).

    Parameters
    ----------
    head, z, scale
        See :func:`rising`; pass training samples.
    output : int

    Returns
    -------
    Tensor, shape (unit,)
        Of length 1, or 0 where the output does not change.
    """
    slope = slopes(head, z, torch.full((len(z.values),), output, device=z.values.device)).mean(0) * scale
    return slope / slope.norm().clamp(min=1e-12)


def slopes(head: Head, z: Representation, outputs: Tensor) -> Tensor:
    """Gradient of one output of each sample with respect to its units, shape (sample, unit); 0 where there is none."""
    with torch.enable_grad():
        values = z.values.detach().clone().requires_grad_()
        logits = head(z.with_values(values))
        if not logits.requires_grad:
            return torch.zeros_like(z.values)
        # Samples are scored one by one, so the gradient of the sum holds each sample's own.
        (slope,) = torch.autograd.grad(logits.gather(1, outputs[:, None]).sum(), values, allow_unused=True)
    return torch.zeros_like(z.values) if slope is None else slope


def along(unit: int, samples: int, width: int) -> Tensor:
    """The direction of a single unit, for every sample, shape (sample, unit): what one dimension stands for.

    Examples
    --------
    >>> along(1, samples=1, width=3)
    tensor([[0., 1., 0.]])
    """
    direction = torch.zeros(samples, width)
    direction[:, unit] = 1
    return direction


def traverse(values: Tensor, direction: Tensor, scale: Tensor, steps_sd: Sequence[float] = STEPS_SD) -> Tensor:
    """Units on a straight way through each sample.

    Parameters
    ----------
    values, direction : Tensor, shape (sample, unit)
    scale : Tensor, shape (unit,)
        Standard deviation of each unit over the training samples.
    steps_sd : sequence of float

    Returns
    -------
    Tensor, shape (sample, step, unit)

    Examples
    --------
    >>> traverse(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), torch.tensor([3.0, 1.0]), steps_sd=(-1.0, 2.0))
    tensor([[[-3.,  0.],
             [ 6.,  0.]]])
    """
    steps = torch.tensor(steps_sd, dtype=values.dtype, device=values.device)[None, :, None]
    return values[:, None] + steps * (direction * scale)[:, None]
