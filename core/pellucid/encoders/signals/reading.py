"""How networks take in a signal: standardised, gaps closed by zeros, in ways drawn at random while they learn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.encoders.augment import Augment, moved, refuse_unfit
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.encoders.signals.timed import over_time
from pellucid.moments import Moments
from pellucid.representation import Representation, Tokens

SETTLING = 4
"""Batches of training samples of which BatchNorms learn where to begin."""

SETTLING_SAMPLES = 256
"""Samples of each."""

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
        noise, with silent channels; see :data:`~pellucid.encoders.augment.Augment`. By default signals are, and trajectories,
        whose values are what they are, are not.
    """

    standardise: Standardise = "all"
    augment: Augment | None = None


class SignalNetwork(Encoder):
    """A network over a signal, or a trajectory, that learns together with the head that reads it.

    Masked values are read as the mean; a signal that is missing altogether gives units and tokens of 0.
    """

    tags = EncoderTags(accepts=("signal",))
    config: SignalNetworkConfig
    mean: Tensor
    deviation: Tensor

    def __init__(self, config: SignalNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.spec = spec = over_time(config.inputs)
        self.augment: Augment = config.augment or ("signals" if spec.kind == "signal" else "none")
        refuse_unfit(self.augment, spec)
        self.register_buffer("mean", torch.zeros(len(spec.channels), 1))
        self.register_buffer("deviation", torch.ones(len(spec.channels), 1))

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn the mean and the deviation of the training samples' values, and where BatchNorms begin."""
        norms = [m for m in self.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
        some = _Spread(self.input_name)
        seen = some.of(batches) if norms else batches
        if self.config.standardise != "none":
            self._standardise(seen)
        elif norms:
            for _ in seen:
                pass
        if norms:
            self._settle(norms, some.batches())

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
    def _settle(self, norms: Sequence[nn.BatchNorm1d | nn.BatchNorm2d], batches: Iterable[Batch]) -> None:
        # Heads measure units before anything is learnt. As PyTorch begins them, the running statistics would be those of no
        # data at all, and units in evaluation many times smaller than those that the head then learns from.
        learning = self.training
        self.eval()
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over batches
            norm.train()
        for batch in batches:
            self(batch)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        self.train(learning)

    def signal(self, batch: Batch) -> Tensor:
        """What the network sees of a batch, shape (sample, channel, time)."""
        x = (self.read(batch) - self.mean) / self.deviation
        known = self.known(batch)
        if known is not None:
            x = torch.where(known, x, torch.zeros_like(x))
        return moved(x, self.augment) if self.training else x

    def represented(self, values: Tensor, tokens: Mapping[str, Tokens], batch: Batch) -> Representation:
        """Values and tokens of a batch, zeros where a signal is missing altogether."""
        there = self.present(batch)
        if there is not None:
            values = values * there[:, None]
            tokens = {name: _of_those(one, there) for name, one in tokens.items()}
        return Representation(values, self.names, tokens)


def _of_those(tokens: Tokens, there: Tensor) -> Tokens:
    """Tokens that say nothing of samples that are not there."""
    codes = None if tokens.codes is None else tokens.codes.masked_fill(~there[:, None], -1)
    return replace(tokens, values=tokens.values * there[:, None, None], codes=codes)


class _Spread:
    """Every so-many-th sample of the batches that pass by, as many as settling takes; all where there are no more.

    The first ones would do only if samples came in no order. Beats of a recording, or recordings of a hospital, follow each
    other.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.every = 1
        self.kept: list[tuple[int, Tensor, Tensor | None]] = []

    def of(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches, watched."""
        seen = 0
        for batch in batches:
            x, known = batch.inputs[self.name], batch.known(self.name)
            for at in range(-seen % self.every, len(x), self.every):
                # Copies: a view would keep its whole batch.
                self.kept.append((seen + at, x[at].clone(), None if known is None else known[at].clone()))
            while len(self.kept) > SETTLING * SETTLING_SAMPLES:
                self.every *= 2
                self.kept = [one for one in self.kept if one[0] % self.every == 0]
            seen += len(x)
            yield batch

    def batches(self) -> Iterator[Batch]:
        """What was kept. Of a thinned-out order each batch spans all."""
        count = -(-len(self.kept) // SETTLING_SAMPLES)
        for number in range(count):
            start = number * SETTLING_SAMPLES
            some = self.kept[start : start + SETTLING_SAMPLES] if self.every == 1 else self.kept[number::count]
            masks = [torch.ones_like(x, dtype=torch.bool) if known is None else known for _, x, known in some]
            yield Batch({self.name: torch.stack([x for _, x, _ in some])}, {self.name: torch.stack(masks)})
