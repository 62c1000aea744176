"""Each step of a signal or a trajectory as it is: for heads that compare series themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from pellucid.batch import Batch
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.encoders.signals.timed import OVER_TIME, over_time
from pellucid.moments import Moments, by_channel
from pellucid.representation import Representation, Tokens, TokenShape


class StepsConfig(EncoderConfig):
    """Settings of :class:`Steps`; there are none."""


class Steps(Encoder):
    """Each step as a token, its channels in standard deviations from their training mean; units are means over the steps.

    Mean and deviation of a channel are those of all known steps of the training samples. A channel that does not vary in training is
    centred and left unscaled. A step of which no channel is known is no token; a single unknown value is read as the channel's mean.
    """

    tags = EncoderTags(accepts=OVER_TIME)
    config_type = StepsConfig
    config: StepsConfig
    mean: Tensor
    scale: Tensor

    def __init__(self, config: StepsConfig) -> None:
        super().__init__()
        self.config = config
        self.spec = over_time(config.inputs)
        self.register_buffer("mean", torch.zeros(len(self.spec.channels)))
        self.register_buffer("scale", torch.ones(len(self.spec.channels)))
        self._regions = self.spec.regions([[(at, at + 1) for at in range(self.spec.length)]])

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the channels."""
        return self.spec.channels

    @property
    def centred(self) -> bool:
        """Yes."""
        return True

    @property
    def token_shapes(self) -> Mapping[str, TokenShape]:
        """One set: the steps."""
        return {"": TokenShape(count=self.spec.length, width=len(self.spec.channels), word=("step", "steps"))}

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn mean and deviation of each channel."""
        moments = Moments()
        for batch in batches:
            known = self.known(batch)
            moments.add(by_channel(self.read(batch)), None if known is None else by_channel(known))
        self.mean.copy_(moments.mean)
        self.scale.copy_(moments.deviation)

    def forward(self, batch: Batch) -> Representation:
        """Steps, and their mean."""
        steps = ((self.read(batch) - self.mean[:, None]) / self.scale[:, None]).transpose(1, 2)
        known, there = self.known(batch), None
        if known is None:
            values = steps.mean(1)
        else:
            known = known.transpose(1, 2)
            steps, there = torch.where(known, steps, torch.zeros_like(steps)), known.any(2)
            values = steps.sum(1) / known.sum(1).clamp(min=1)
        return Representation(
            values, self.names, {"": Tokens(steps, self._regions, known=there, input=self.input_name)}
        )
