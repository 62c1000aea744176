"""What the published networks share: features at cells of time, which samples each cell has seen, and limits of weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.data.spec import OverTime
from pellucid.encoders.augment import Augment
from pellucid.encoders.signals.reading import SignalNetwork, SignalNetworkConfig
from pellucid.errors import StudyError
from pellucid.regions import Region
from pellucid.representation import Representation, Tokens, TokenShape
from pellucid_eeg.encoders.absent import Together, filled, from_before


class EegNetworkConfig(SignalNetworkConfig):
    """Settings of every :class:`EegNetwork`.

    Parameters
    ----------
    augment : {"none", "signals"}
        As of all networks over signals, here none by default: a channel that falls silent is what some classes look like.
    """

    augment: Augment = "none"


class EegNetwork(SignalNetwork):
    """A network whose last layer has features at cells of time; a unit is one feature at one cell, ``f3@0`` and so on.

    The published networks end in a layer over all of these, which is the head ``linear`` here. In place of an electrode that is
    masked they read what the others let expect, see :mod:`pellucid_eeg.encoders.absent`.
    """

    config: EegNetworkConfig
    features: int
    windows: tuple[tuple[int, int], ...]
    covariance: Tensor
    centre: Tensor

    def __init__(self, config: EegNetworkConfig) -> None:
        super().__init__(config)
        self.register_buffer("covariance", torch.eye(len(self.spec.channels)))
        self.register_buffer("centre", torch.zeros(len(self.spec.channels), 1))
        self.register_load_state_dict_pre_hook(from_before)

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn mean and deviation, where BatchNorms begin, and how channels go together."""
        together = Together(len(self.spec.channels))

        def watched() -> Iterator[Batch]:
            for batch in batches:
                together.add(self.read(batch), self.known(batch))
                yield batch

        super().prepare(watched())
        self.centre.copy_((together.means - self.mean) / self.deviation)
        self.covariance.copy_(together.covariance / (self.deviation * self.deviation.T))

    def signal(self, batch: Batch) -> Tensor:
        """What the network sees of a batch, shape (sample, channel, time)."""
        return filled(super().signal(batch), self.known(batch), self.covariance, self.centre)

    @property
    def names(self) -> tuple[str, ...]:
        """``f0@0``, ``f0@1`` ...: the feature, and the cell."""
        return tuple(f"f{feature}@{cell}" for feature in range(self.features) for cell in range(len(self.windows)))

    @property
    def token_shapes(self) -> Mapping[str, TokenShape]:
        """One set: the cells."""
        return {"": TokenShape(count=len(self.windows), width=self.features)}

    def cells(self, batch: Batch) -> Tensor:
        """Features of each cell, shape (sample, feature, cell)."""
        raise NotImplementedError

    def forward(self, batch: Batch) -> Representation:
        """Units, and the features of each cell."""
        found = self.cells(batch)
        return self.represented(
            found.flatten(1), {"": Tokens(found.transpose(1, 2), self.spans(), input=self.input_name)}, batch
        )

    def spans(self) -> tuple[Region, ...]:
        """The seconds of each cell."""
        return spans(self.spec, self.windows)


def spans(spec: OverTime, windows: Iterable[tuple[int, int]]) -> tuple[Region, ...]:
    """Windows of samples as seconds of all channels.

    Parameters
    ----------
    spec : Signal
    windows : iterable of (int, int)
        First sample of each, and the one after its last.
    """
    return spec.regions([list(windows)])


def seen_by(name: str, length: int, layers: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The samples that each cell has seen, after layers without padding.

    Parameters
    ----------
    name : str
        Of the encoder, for the message.
    length : int
        Samples of the signal.
    layers : sequence of (int, int)
        Kernel and stride of convolutions and pools, the first one first.

    Raises
    ------
    StudyError
        If the signal is too short for one cell.

    Examples
    --------
    >>> seen_by("x", 20, [(5, 1), (4, 4)])
    ((0, 8), (4, 12), (8, 16), (12, 20))
    """
    width, step, count = 1, 1, length
    for kernel, stride in layers:
        width += (kernel - 1) * step
        step *= stride
        count = (count - kernel) // stride + 1 if count >= kernel else 0
    if count < 1:
        raise StudyError(
            f"encoder {name!r} needs signals of at least {width} samples, got {length}: give it longer windows or a "
            "higher rate"
        )
    return tuple((at * step, at * step + width) for at in range(count))


@torch.no_grad()
def limit_norms(layer: nn.Conv1d | nn.Conv2d, longest: float | None) -> None:
    """Shorten the filters of a layer that are longer than this; each is one vector.

    Parameters
    ----------
    layer : Conv1d or Conv2d
        Changed in place.
    longest : float, optional
        Euclidean length; None: as long as they are.
    """
    if longest is not None:
        layer.weight.copy_(torch.renorm(layer.weight, 2, 0, longest))
