"""What heads share that draw their numbers by taking noise away."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from pydantic import Field, model_validator
from torch import Tensor

from pellucid.heads.base import PredictorConfig
from pellucid.heads.drawing.schedule import Fresh, Sampler, denoised, squared_cosine
from pellucid.heads.path_explained import PathExplained
from pellucid.representation import Representation


class DenoisingConfig(PredictorConfig):
    """Settings of every head that takes noise away.

    Parameters
    ----------
    noise_steps : int
        Steps from data to noise.
    sampler : {"ddpm", "ddim", "dpm-solver++"}
        How noise is taken away.
    sampler_steps : int
        In how many steps; no more than ``noise_steps``.
    among : int
        The head's answer is the most central of so many draws.
    seed : int
        Of the noise from which the draws of the head's answer come.
    steps : int
        Points on the path along which an explanation integrates gradients.
    """

    noise_steps: int = Field(50, ge=2)
    sampler: Sampler = "dpm-solver++"
    sampler_steps: int = Field(8, ge=1)
    among: int = Field(5, ge=1)
    seed: int = Field(0, ge=0)
    steps: int = Field(16, ge=2)

    @model_validator(mode="after")
    def _no_more_steps_than_there_are(self) -> DenoisingConfig:
        if self.sampler_steps > self.noise_steps:
            raise ValueError(
                f"sampler_steps = {self.sampler_steps} is more than noise_steps = {self.noise_steps}; noise is taken away in no more"
            )
        return self


class Denoising(PathExplained):
    """Numbers that are drawn: noise is taken away step by step by a network that reads the units.

    Its answer (``forward``) is one of several draws, the one nearest to all others. Their noise comes from the setting ``seed`` and
    is the same for every sample, so the answer is a function of the units, and can be explained. :meth:`draw` gives others. The mean of
    many draws would be the answer of a regression, which where two answers are right is neither of them. The explanation integrates
    gradients of the answer from the training mean, and its error is the gap: an answer jumps where it changes its mind, and no sum of
    contributions says why.
    """

    config: Any
    left: Tensor

    def __init__(self, config: DenoisingConfig) -> None:
        super().__init__(config)
        self.register_buffer("left", squared_cosine(config.noise_steps), persistent=False)

    @abstractmethod
    def clean(self, x: Tensor, noisy: Tensor, step: int) -> Tensor:
        """What the network takes noisy outputs for, in the scale of learning.

        Parameters
        ----------
        x : Tensor, shape (sample, unit)
            As :meth:`standardised` gives them.
        noisy : Tensor, shape (sample, output)
        step : int
        """

    def noised(self, clean: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs of a training step at a step drawn for each sample: steps, noise, and what is left of the outputs with it."""
        step = torch.randint(len(self.left), (len(clean),), device=clean.device)
        noise = torch.randn_like(clean)
        left = self.left[step, None].to(clean.dtype)
        return step, noise, left.sqrt() * clean + (1 - left).sqrt() * noise

    def score(self, x: Tensor) -> Tensor:
        """The most central of the draws of the setting ``seed``, in the scale of learning."""
        chance, many = torch.Generator().manual_seed(self.config.seed), self.config.among

        def fresh() -> Tensor:
            noise = torch.randn(many, 1, len(self.outputs), generator=chance).to(x)
            return noise.expand(-1, len(x), -1).reshape(many * len(x), -1)

        drawn = self._drawn(x.repeat(many, 1), fresh).reshape(many, len(x), -1).transpose(0, 1)
        far = (drawn[:, :, None] - drawn[:, None]).detach().square().sum(3).sqrt().sum(2)
        return drawn[torch.arange(len(x), device=x.device), far.argmin(1)]

    @torch.no_grad()
    def draw(self, z: Representation, count: int, seed: int = 0) -> Tensor:
        """So many answers for each sample, shape (draw, sample, output); see :class:`pellucid.heads.abilities.Draws`."""
        chance, x = torch.Generator().manual_seed(seed), self.standardised(z)
        shape = (count * len(x), len(self.outputs))
        found = self._drawn(x.repeat(count, 1), lambda: torch.randn(shape, generator=chance).to(x))
        return (self.prior + self.scale * found).reshape(count, len(x), -1)

    def _drawn(self, x: Tensor, fresh: Fresh) -> Tensor:
        return denoised(
            fresh(),
            lambda noisy, step: self.clean(x, noisy, step),
            self.left,
            self.config.sampler_steps,
            self.config.sampler,
            fresh,
        )
