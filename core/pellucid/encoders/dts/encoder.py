"""A sequence auto-encoder whose information and whose disentanglement are weighed apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.data.spec import COVARIATES, Signal
from pellucid.encoders.adversary import ramp
from pellucid.encoders.base import Encoder, EncoderTags
from pellucid.encoders.dts.groups import Domains, Groups, check_labels
from pellucid.encoders.dts.network import Frames, Inward, Outward
from pellucid.encoders.dts.settings import DtsConfig
from pellucid.encoders.kl_decomposition import log_normal, minibatch_group_information, minibatch_log_density
from pellucid.encoders.vae_gaussian import LOG_VARIANCE
from pellucid.errors import ContractError, DataError, StudyError
from pellucid.moments import Moments, by_channel
from pellucid.representation import Representation

STILL = 0
"""Seed of the draws in evaluation mode."""


class Dts(Encoder):
    """A recurrent variational auto-encoder of signals, with information, correlation and prior weighed apart.

    The loss of a sample, averaged over samples (:mod:`~pellucid.encoders.kl_decomposition`; ``w`` is the warm-up)::

        |x' - x|^2 / (2 noise^2) + w * (beta * (TC + sum_j KL(q(z_j) || p(z_j))) + (1 - alpha) * I_q(x; z))

    An auto-encoder that weighs its whole divergence pays for information too, and falls silent where a nat of it costs more
    than it gains in likeness. With ``alpha`` of 1 information is free: only what entangles the units, or takes them away from
    the prior, is paid for.

    With two groups are added: what the class group loses on the class and the domain group on the domain; less what an
    adversary loses that looks for the domain in the class group, or for the class in the domain group (by reversed
    gradients, on posterior means in standard deviations over the batch); with the same weights what a reader finds there that is
    solved for in each batch, linear in units and in their products; and the information between the groups. The
    class is read from the target's training labels, so the encoder belongs to that target, and its record of whom it has
    learnt from holds whoever gave them. A label or a domain that is missing, or a domain that no training sample comes
    from (of a validation subject), weighs nothing. How well a group hides anything must be judged by a fresh probe: an
    adversary that learns lags behind, so that what it looks for is driven from one place to another. The reader that is solved for
    does not, but needs batches with two samples or more to each unit, and to each product of two units if it is to read these.

    In evaluation mode all weights are full, so that epochs can be compared; draws are the same every time. An adversary counts
    no more than one at chance, and one at chance or worse is not worked against. An input that is missing altogether is encoded
    as the mean of the prior and weighs nothing; single masked values are read as the training mean and their reconstruction is
    free.

    Nothing guarantees that single units mean what a person would name: compare several seeds.

    References
    ----------
    Li et al. (2021), arXiv 2105.08179. Written from the paper's statement of its objective; layers and weights are
    pellucid's own. Deviations: frames of several samples a step; the decoder's state starts from the latent; beside the
    adversaries that learn, one solved for in each batch; gradients are turned round from an adversary better than chance only.
    """

    tags = EncoderTags(accepts=("signal", "vector"), several_inputs=True, trains_alone=True, decodes=True)
    config_type: ClassVar[type[DtsConfig]] = DtsConfig
    config: DtsConfig
    mean: Tensor
    scale: Tensor
    count: Tensor
    seen: Tensor

    def __init__(self, config: DtsConfig) -> None:
        super().__init__()
        self.config = config
        signal = self._signal()
        units = config.latent + config.domain_latent
        frames = Frames(len(signal.channels), signal.length, config.frame)
        self.inward = Inward(frames, config.hidden)
        self.parameters_of = nn.Linear(2 * config.hidden, 2 * units)
        self.outward = Outward(frames, units, config.hidden)
        self.domains = Domains(config.domain, config.domains, self._column()) if config.domain else None
        self.groups: Groups | None = None
        if config.domain_latent:
            self.groups = Groups((config.latent, config.domain_latent), config.classes, config.domains)
        self.register_buffer("mean", torch.zeros(frames.channels))
        self.register_buffer("scale", torch.ones(frames.channels))
        self.register_buffer("count", torch.ones((), dtype=torch.int64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    @classmethod
    def example_data(cls) -> Dataset:
        """Data to be tried on: a signal alone, as other vectors than covariates are refused."""
        from pellucid.testing.planted import planted

        return planted(("signal",))

    @property
    def input_name(self) -> str:
        """Name of the signal."""
        return next(name for name, spec in self.config.inputs.items() if spec.kind == "signal")

    @property
    def names(self) -> tuple[str, ...]:
        """``z0``, ``z1`` ..., or ``a0``, ``a1`` ... of the class group and then ``d0``, ``d1`` ... of the domain group."""
        first, second = self.config.latent, self.config.domain_latent
        return tuple(f"{'a' if second else 'z'}{unit}" for unit in range(first)) + tuple(
            f"d{unit}" for unit in range(second)
        )

    @torch.no_grad()
    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn mean and standard deviation of each channel, the number of training samples, and their domains.

        Raises
        ------
        DataError
            If a channel is known in no training sample; if labels or domains are not as many as expected.
        StudyError
            If samples have no such domain column.
        """
        moments, count, domains = Moments(), 0, set()
        for batch in batches:
            x, known, there = self.read(batch), self.known(batch), self.present(batch)
            moments.add(by_channel(x), None if known is None else by_channel(known))
            count += len(batch) if there is None else int(there.sum())
            if self.config.classes:
                check_labels(batch.targets, self.config.classes)
            if self.domains is not None:
                domains |= {digest for digest in self.domains.named(batch) if digest is not None}
        if (moments.count == 0).any():
            raise DataError(f"input {self.input_name!r}: a channel is known in no training sample")
        if self.domains is not None:
            self.domains.learn(domains)
        self.mean.copy_(moments.mean)
        self.scale.copy_(moments.deviation)
        self.count.fill_(count)
        self.seen.zero_()

    def posterior(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Mean and log variance of each sample's posterior, shape (sample, unit) each; the prior where it is missing."""
        mean, log_variance = self._posterior(self._normal(batch))
        there = self.present(batch)
        if there is None:
            return mean, log_variance
        return mean * there[:, None], log_variance * there[:, None]

    def forward(self, batch: Batch) -> Representation:
        """Mean of the posterior of each sample."""
        return Representation(self.posterior(batch)[0], self.names)

    def decode(self, values: Tensor) -> Tensor:
        """The signal that the values stand for, in its own units, shape (sample, channel, time)."""
        again: Tensor = self.outward(values) * self.scale[:, None] + self.mean[:, None]
        return again

    def swap(self, first: Tensor, second: Tensor) -> Tensor:
        """The signal with the class group of the first and the domain group of the second.

        Parameters
        ----------
        first, second : Tensor, shape (sample, unit)
            Values of samples.

        Raises
        ------
        ContractError
            If there is one group only.
        """
        if not self.config.domain_latent:
            raise ContractError("there is nothing to swap: dts has one group of units; set `domain_latent`")
        return self.decode(torch.cat([first[:, : self.config.latent], second[:, self.config.latent :]], dim=1))

    def loss(self, batch: Batch) -> Tensor:
        """See the class; mean over the samples whose input is there."""
        config, there = self.config, self.present(batch)
        rows = torch.arange(len(batch), device=self.mean.device) if there is None else there.nonzero()[:, 0]
        if len(rows) == 0:
            return 0.0 * self.parameters_of.bias.sum()
        x, known = self._normal(batch)[rows], self.known(batch)
        mean, log_variance = self._posterior(x)
        z = mean + (0.5 * log_variance).exp() * self._noise(mean)
        error = (self.outward(z) - x).square()
        if known is not None:
            error = error * known[rows]
        warm, progress = self._progress()
        density = minibatch_log_density(z, mean, log_variance, int(self.count))
        # Total correlation and dimension-wise divergence have one weight, so that their sum is all that is needed.
        divergence = config.beta * (density - log_normal(z).sum(1))
        divergence = divergence + (1 - config.alpha) * (log_normal(z, mean, log_variance).sum(1) - density)
        loss = error.flatten(1).sum(1).mean() / (2 * config.noise**2) + warm * divergence.mean()
        if self.groups is not None:
            between = minibatch_group_information(z, mean, log_variance, config.latent, int(self.count))
            loss = loss + warm * config.independence * between.mean() + self._of_groups(batch, rows, z, mean, progress)
        if self.training:
            self.seen += len(batch) * _processes()
        return loss

    # --- between ------------------------------------------------------------------------------------------------------

    def _of_groups(self, batch: Batch, rows: Tensor, z: Tensor, mean: Tensor, progress: float) -> Tensor:
        assert self.groups is not None
        config = self.config
        labels = None
        if config.classes:
            check_labels(batch.targets, config.classes)
            labels = batch.targets[rows] if batch.targets is not None else None
        domains = None if self.domains is None else self.domains.numbers(batch)[rows]
        of_class, of_domain = self.groups.readers_loss(z, labels, domains)
        loss = config.class_weight * of_class + config.domain_weight * of_domain
        weights = (config.domain_adversary, config.class_adversary)
        now = ramp(progress)
        for weight, found in zip(weights, self.groups.information_of_other(mean, labels, domains), strict=True):
            loss = loss + now * weight * found.clamp(min=0)
        if not self.training:
            hidden = self.groups.adversaries_loss(mean, labels, domains, (0.0, 0.0))
            for weight, lost, chance in zip(weights, hidden, self.groups.chance(labels), strict=True):
                loss = loss - weight * lost.clamp(max=chance)
            return loss
        lost_domain, lost_class = self.groups.adversaries_loss(
            mean, labels, domains, (now * weights[0], now * weights[1])
        )
        return loss + lost_domain + lost_class

    def _progress(self) -> tuple[float, float]:
        """Weight of the divergences, and how far the adversaries' weights have risen."""
        if not self.training:
            return 1.0, 1.0
        passes = int(self.seen) / int(self.count)
        return min(1.0, passes / self.config.warm_up) if self.config.warm_up else 1.0, passes / self.config.ramp

    def _noise(self, like: Tensor) -> Tensor:
        if self.training:
            return torch.randn_like(like)
        still = torch.Generator().manual_seed(STILL)
        return torch.randn(like.shape, generator=still).to(like)

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.parameters_of(self.inward(x)).chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCE)

    def _normal(self, batch: Batch) -> Tensor:
        x, known = self.read(batch), self.known(batch)
        x = (x - self.mean[:, None]) / self.scale[:, None]
        return x if known is None else torch.where(known, x, torch.zeros_like(x))

    def _signal(self) -> Signal:
        signals = [spec for spec in self.config.inputs.values() if isinstance(spec, Signal)]
        others = [name for name, spec in self.config.inputs.items() if not isinstance(spec, Signal)]
        if len(signals) != 1 or others not in ([], [COVARIATES]):
            raise StudyError(
                f"encoder 'dts' reads one signal, and beside it the covariates if one of them is the domain; it is given "
                f"{', '.join(self.config.inputs)}"
            )
        return signals[0]

    def _column(self) -> int | None:
        spec = self.config.inputs.get(COVARIATES)
        if spec is None or spec.kind != "vector" or self.config.domain not in spec.names:
            return None
        return spec.names.index(self.config.domain)


def _processes() -> int:
    """How many processes learn together: each sees its part of the samples."""
    distributed = torch.distributed
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1
