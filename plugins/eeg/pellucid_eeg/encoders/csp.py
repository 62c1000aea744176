"""Common spatial patterns: weights of channels whose power tells classes apart, learnt in closed form."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from pydantic import Field, model_validator
from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.data.spec import Signal
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.errors import DataError, StudyError
from pellucid.regions import Region
from pellucid.representation import Representation
from pellucid.signals.bands import Bands
from pellucid_eeg.encoders.absent import Together, filled, from_before, untold
from pellucid_eeg.encoders.network import spans
from pellucid_eeg.examples import example

RANK = 1e-7
"""Directions of less power than this, for the strongest one of 1, are none: a common reference takes one away."""

LEAST_POWER = 1e-12

MOST_CLASSES = 50


class CspConfig(EncoderConfig):
    """Settings of :class:`CommonSpatialPatterns`.

    Parameters
    ----------
    components : int
        At most as many as channels; where there are more than two classes they are dealt to the classes in turn.
    band_hz : (float, float)
        Frequencies that are looked at.
    order : int
        Of the Butterworth filter, which is applied to the amplitude forwards and backwards.
    relative : bool
        Whether each trial's power is taken relative to that of all its channels, so that a trial that is louder as a whole
        says nothing.
    """

    components: int = Field(default=8, ge=1)
    band_hz: tuple[float, float] = (8.0, 30.0)
    order: int = Field(default=4, ge=1, le=10)
    relative: bool = True

    @model_validator(mode="after")
    def _a_band(self) -> CspConfig:
        low, high = self.band_hz
        if not 0 < low < high:
            raise ValueError(f"band_hz = {self.band_hz}: a band is from a frequency above 0 to a higher one")
        return self


class CommonSpatialPatterns(Encoder):
    """Log power of channels weighted so that one class has much and the others little, or the other way round.

    With the head ``lda`` it is the reference of imagined movements. :attr:`patterns` says what each component's source looks
    like at the electrodes, :attr:`filters` how it is found. For more than two classes each is set against all others.

    References
    ----------
    Ramoser et al. (2000), doi:10.1109/86.895946; Blankertz et al. (2008), doi:10.1109/MSP.2008.4408441. Components are in the
    order of how far their share of power lies from one half, as in mne, not from both ends alike.
    """

    tags = EncoderTags(accepts=("signal",))
    config_type = CspConfig
    config: CspConfig
    filters: Tensor
    patterns: Tensor
    contrast: Tensor
    share: Tensor
    covariance: Tensor

    def __init__(self, config: CspConfig) -> None:
        super().__init__()
        self.config = config
        (spec,) = config.inputs.values()
        assert isinstance(spec, Signal)
        self.spec, channels = spec, len(spec.channels)
        if config.components > channels:
            raise StudyError(f"encoder 'csp' has {config.components} components, but there are {channels} channels")
        if config.band_hz[1] >= spec.rate_hz / 2:
            raise StudyError(
                f"encoder 'csp' looks at {config.band_hz[0]:g} to {config.band_hz[1]:g} Hz, but signals of {spec.rate_hz:g} "
                f"samples a second end at {spec.rate_hz / 2:g} Hz"
            )
        self.register_buffer("filters", torch.eye(channels)[: config.components].clone())
        self.register_buffer("patterns", torch.eye(channels)[: config.components].clone())
        self.register_buffer("contrast", torch.zeros(config.components, dtype=torch.int64))
        self.register_buffer("covariance", torch.eye(channels))
        self.register_load_state_dict_pre_hook(from_before)
        self.register_buffer("share", torch.full((config.components,), 0.5))
        self.band = Bands([config.band_hz], spec.length, spec.rate_hz, config.order)

    @classmethod
    def example_data(cls) -> Dataset:
        """A few made-up trials."""
        return example()

    @property
    def names(self) -> tuple[str, ...]:
        """``csp0``, ``csp1`` ..., the one that tells most first."""
        return tuple(f"csp{number}" for number in range(self.config.components))

    def band_passed(self, batch: Batch) -> Tensor:
        """What is looked at of a batch, shape (sample, channel, time).

        Masked values are 0; of an electrode that is masked throughout, what the others let expect.
        """
        x, known = self.read(batch), self.known(batch)
        if known is not None:
            x = torch.where(known, x, torch.zeros_like(x))
        passed = filled(self.band(x)[0], known, self.covariance)
        if self.config.relative:
            # Of all channels: those that are absent have the power that the others tell, and what they do not tell beside it.
            rest = untold(known, self.covariance)
            less = 0.0 if rest is None else rest.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
            power = passed.square().mean((1, 2), keepdim=True) / (1 - less)
            passed = passed / power.clamp(min=LEAST_POWER).sqrt()
        return passed

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn filters from the mean covariance of each class; of two channels by the samples in which both are known.

        Raises
        ------
        StudyError
            If the samples carry no classes.
        DataError
            If there is one class alone, or fewer directions than components.
        """
        sums: dict[int, Tensor] = {}
        counts: dict[int, Tensor] = {}
        together = Together(len(self.spec.channels))
        for batch in batches:
            x, labels, known = self.band_passed(batch).double(), self._classes(batch), self.known(batch)
            together.add(x.float(), known)
            there = torch.ones_like(x) if known is None else known.double()
            x, values = x * there, there @ there.transpose(1, 2)
            covariances, seen = x @ x.transpose(1, 2) / values.clamp(min=1), (values > 0).double()
            for label in labels.unique().tolist():
                mine = labels == label
                sums[label] = sums.get(label, 0) + covariances[mine].sum(0)
                counts[label] = counts.get(label, 0) + seen[mine].sum(0)
        classes = sorted(sums)
        if not 2 <= len(classes) <= MOST_CLASSES:
            raise DataError(
                f"encoder 'csp' tells 2 to {MOST_CLASSES} classes apart, but the training samples have {len(classes)}"
            )
        means = torch.stack([sums[label] / counts[label].clamp(min=1) for label in classes])
        found, patterns, contrast, share = components(means, self.config.components)
        self.filters.copy_(found)
        self.patterns.copy_(patterns)
        self.contrast.copy_(torch.tensor(classes)[contrast])
        self.share.copy_(share)
        self.covariance.copy_(together.covariance)

    def _classes(self, batch: Batch) -> Tensor:
        labels = batch.targets
        if labels is None or labels.shape[1] != 1 or bool((labels != labels.round()).any()):
            raise StudyError(
                "encoder 'csp' learns from classes: give the study a target of two or more classes, of which each sample has one"
            )
        return labels[:, 0].long()

    def spans(self) -> tuple[Region, ...]:
        """The whole signal, the one place that it looks at."""
        return spans(self.spec, [(0, self.spec.length)])

    def forward(self, batch: Batch) -> Representation:
        """Log power of each component."""
        power = (self.filters @ self.band_passed(batch)).square().mean(2)
        rest = untold(self.known(batch), self.covariance)
        if rest is not None:
            power = power + ((self.filters @ rest) * self.filters).sum(2)
        values, there = power.clamp(min=LEAST_POWER).log(), self.present(batch)
        if there is not None:
            values = values * there[:, None]
        return Representation(values, self.names)


def components(means: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Filters from the mean covariances of classes.

    Parameters
    ----------
    means : Tensor, shape (class, channel, channel)
    count : int

    Returns
    -------
    filters : Tensor, shape (component, channel)
        The power of each is 1 in the sum of both sides of its contrast.
    patterns : Tensor, shape (component, channel)
        What its source looks like, by :func:`~pellucid_eeg.patterns.haufe`: within a contrast sources are uncorrelated, so
        each pattern follows from its filter alone. Those of other contrasts may be the same sources again, and inverting
        the covariance of all would tear them apart.
    contrast : Tensor of int64, shape (component,)
        The class that is set against the others: always the first one of two.
    share : Tensor, shape (component,)
        Of the power, that this class has.

    Raises
    ------
    DataError
        If there are fewer directions than components.
    """
    sides = range(1 if len(means) == 2 else len(means))
    every = []
    for side in sides:
        mine, rest = means[side], torch.cat([means[:side], means[side + 1 :]]).mean(0)
        value, vector = torch.linalg.eigh(mine + rest)
        kept = value > RANK * value[-1]
        white = vector[:, kept] / value[kept].sqrt()
        share, turn = torch.linalg.eigh(white.T @ mine @ white)
        order = (share - 0.5).abs().argsort(descending=True)
        filters = (white @ turn).T[order]
        every.append((filters, filters @ (mine + rest), share[order]))
    fewest = min(len(one[2]) for one in every)
    if count > fewest * len(every):
        raise DataError(f"encoder 'csp' is to find {count} components, but its channels have {fewest} directions alone")
    dealt = [(side, rank) for rank in range(fewest) for side in sides][:count]
    return (
        torch.stack([every[side][0][rank] for side, rank in dealt]),
        torch.stack([every[side][1][rank] for side, rank in dealt]),
        torch.tensor([side for side, _ in dealt]),
        torch.stack([every[side][2][rank] for side, rank in dealt]),
    )
