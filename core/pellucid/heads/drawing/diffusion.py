"""A head that draws its numbers by taking noise away: where several answers are right, it gives one of them and not their mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.heads.base import HeadTags, labels_of
from pellucid.heads.drawing.base import Denoising, DenoisingConfig
from pellucid.heads.drawing.schedule import step_waves
from pellucid.heads.hidden_layers import hidden_layers
from pellucid.representation import Representation

WAVES = 32
"""Numbers that tell the network the step."""


class DiffusionConfig(DenoisingConfig):
    """Settings of :class:`Diffusion`, beside those of :class:`~pellucid.heads.drawing.base.DenoisingConfig`.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers.
    predicts : {"noise", "clean"}
        What the network is asked for.
    scaling : {"range", "deviation"}
        Outputs are learnt in half ranges of the training samples (what is drawn stays in the range), or in standard deviations.
    noise_steps, sampler, sampler_steps, among, seed, steps
        See there.
    """

    hidden: tuple[int, ...] = (256, 256, 256)
    predicts: Literal["noise", "clean"] = "noise"
    scaling: Literal["range", "deviation"] = "range"


class Diffusion(Denoising):
    """Numbers that are drawn: noise is taken away step by step by layers that read the units.

    For published results train with ``[training] averaging``: the running mean of the weights is then what is kept. How its answer comes
    about, and what its explanation says, stands at :class:`~pellucid.heads.drawing.base.Denoising`.

    References
    ----------
    Chi et al. (2023), Diffusion policy, RSS, arXiv 2303.04137; the schedule is the squared cosine of arXiv 2102.09672. Deviations: a plain
    network of hidden layers in place of a convolutional one, and any sampler of :mod:`pellucid.heads.drawing.schedule`.
    """

    tags = HeadTags(family="attribution", stage="post_hoc", faithful_by_construction=False, targets=("regression",))
    config_type = DiffusionConfig
    config: DiffusionConfig

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__(config)
        outputs = len(self.outputs)
        widths = (outputs + WAVES + len(config.units), *config.hidden)
        self.layers = nn.Sequential(*hidden_layers(widths), nn.Linear(widths[-1], outputs))
        self._ends: tuple[Tensor, Tensor] | None = None

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings for a trial: an untrained network's answers would all lie at the ends of the range."""
        return {"hidden": (16,), "scaling": "deviation"}

    def watched(self, parts: Iterable[tuple[Representation, Batch]]) -> Iterator[tuple[Representation, Batch]]:
        """The training samples as they pass by: the range of each output."""
        for z, batch in parts:
            labels = labels_of(batch)
            low, high = labels.amin(0), labels.amax(0)
            if self._ends is not None:
                low, high = torch.minimum(low, self._ends[0]), torch.maximum(high, self._ends[1])
            self._ends = low, high
            yield z, batch

    def prepare(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn means and deviations, and ranges where these are the scale."""
        self._ends = None
        super().prepare(parts)
        if self.config.scaling == "range" and self._ends is not None:
            low, high = self._ends
            self.prior.copy_((low + high) / 2)
            self.scale.copy_(torch.where(high > low, (high - low) / 2, torch.ones_like(low)))

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Mean squared error of what the network is asked for, at a step drawn for each sample."""
        clean = (labels_of(batch) - self.prior) / self.scale
        step, noise, noisy = self.noised(clean)
        said = self.layers(torch.cat([noisy, step_waves(step, WAVES), self.standardised(z)], 1))
        return functional.mse_loss(said, noise if self.config.predicts == "noise" else clean)

    def clean(self, x: Tensor, noisy: Tensor, step: int) -> Tensor:
        """What the network takes noisy outputs for; within the training samples' range where that is the scale."""
        waves = step_waves(float(step), WAVES).to(x).expand(len(x), -1)
        said = self.layers(torch.cat([noisy, waves, x], 1))
        if self.config.predicts == "noise":
            left = float(self.left[step])
            said = (noisy - (1 - left) ** 0.5 * said) / left**0.5
        return said.clamp(-1, 1) if self.config.scaling == "range" else said
