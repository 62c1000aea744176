"""How networks take in a signal: standardised, gaps closed by zeros, in ways drawn at random while they learn."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.data.spec import Signal
from pellucid.encoders.augment import Augment, moved, refuse_unfit
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.moments import Moments
from pellucid.representation import Representation, Tokens

FIRST = 4
"""Batches of training samples of which BatchNorms learn where to begin."""

MOMENTUM = 0.1
"""How fast BatchNorms follow the batches while the network learns: as everywhere."""

Standardise = Literal["all", "channel", "none"]
"""Whose mean and deviation is taken: one for all values of the training samples, one a channel, or none."""


class SignalNetworkConfig(EncoderConfig):
    """Settings of every :class:`SignalNetwork`.

    Parameters
    ----------
    standardise : {"all", "channel", "none"}
        Values are read in standard deviations from the mean of the training samples' values: of all alike, so that
        channels keep their sizes to each other, or of each channel by itself.
    augment : {"none", "signals"}
        Whether signals are shown as if recorded again while the network learns: moved in time, louder or softer, with some
        noise, with silent channels; see :data:`~pellucid.encoders.augment.Augment`.
    """

    standardise: Standardise = "all"
    augment: Augment = "signals"


class SignalNetwork(Encoder):
    """A network over a signal that learns together with the head that reads it.

    Masked values are read as the mean; a signal that is missing altogether gives units and tokens of 0.
    """

    tags = EncoderTags(accepts=("signal",))
    config: SignalNetworkConfig
    mean: Tensor
    deviation: Tensor

    def __init__(self, config: SignalNetworkConfig) -> None:
        super().__init__()
        self.config = config
        (spec,) = config.inputs.values()
        assert isinstance(spec, Signal)
        self.spec = spec
        refuse_unfit(config.augment, spec)
        self.register_buffer("mean", torch.zeros(len(spec.channels), 1))
        self.register_buffer("deviation", torch.ones(len(spec.channels), 1))

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn the mean and the deviation of the training samples' values, and where BatchNorms begin."""
        every = iter(batches)
        first = list(itertools.islice(every, FIRST))
        if self.config.standardise != "none":
            self._standardise(itertools.chain(first, every))
        self._settle(first)

    def _standardise(self, batches: Iterable[Batch]) -> None:
        moments, apart = Moments(), self.config.standardise == "channel"
        columns = len(self.spec.channels) if apart else 1
        for batch in batches:
            x, known = self.read(batch), self.known(batch)
            rows = x.transpose(1, 2).reshape(-1, columns)
            moments.add(rows, None if known is None else known.transpose(1, 2).reshape(-1, columns))
        self.mean.copy_(moments.mean[:, None].expand_as(self.mean))
        self.deviation.copy_(moments.deviation[:, None].expand_as(self.deviation))

    @torch.no_grad()
    def _settle(self, batches: Iterable[Batch]) -> None:
        # Heads measure units before anything is learnt. As PyTorch begins them, the running statistics would be those of no
        # data at all, and units in evaluation many times smaller than those that the head then learns from.
        norms = [m for m in self.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
        if not norms:
            return
        learning = self.training
        self.eval()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over batches
            norm.train()
        for batch in batches:
            self(batch)
        for norm in norms:
            norm.momentum = MOMENTUM
        self.train(learning)

    def signal(self, batch: Batch) -> Tensor:
        """What the network sees of a batch, shape (sample, channel, time)."""
        x = (self.read(batch) - self.mean) / self.deviation
        known = self.known(batch)
        if known is not None:
            x = torch.where(known, x, torch.zeros_like(x))
        return moved(x, self.config.augment) if self.training else x

    def represented(self, values: Tensor, tokens: Mapping[str, Tokens], batch: Batch) -> Representation:
        """Values and tokens of a batch, zeros where a signal is missing altogether."""
        there = self.there(batch)
        if there is not None:
            values = values * there[:, None]
            tokens = {name: Tokens(one.values * there[:, None, None], one.regions) for name, one in tokens.items()}
        return Representation(values, self.names, tokens)
