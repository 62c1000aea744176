"""The baseline of all models of events in networks: whoever has many events has them with everybody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.encoders.base import EncoderConfig, EncoderTags
from pellucid.errors import DataError
from pellucid.representation import Representation
from pellucid_molecules.encoders.pivem_reading import RateEncoder

UNSEEN = 0.5
"""Events that a node is given on top, so that one without any has a rate too."""


class DegreeRateConfig(EncoderConfig):
    """Settings of :class:`DegreeRate`."""


class DegreeRate(RateEncoder):
    """The rate of a pair as a product of what both nodes have with others on average, the same at all times.

    It knows training pairs and bins that are not hidden. A node's events are divided by the time in which its pairs were seen, so
    that one with fewer training pairs is not taken for a quiet one.
    """

    tags: ClassVar[EncoderTags] = EncoderTags(accepts=("nodes", "signal"), several_inputs=True)
    config_type = DegreeRateConfig
    config: DegreeRateConfig
    activity: Tensor
    overall: Tensor

    def __init__(self, config: DegreeRateConfig) -> None:
        super().__init__()
        self.config = config
        self.read_two_inputs()
        self.register_buffer("activity", torch.ones(len(self.nodes)))
        self.register_buffer("overall", torch.ones(()))

    @property
    def names(self) -> tuple[str, ...]:
        """One unit."""
        return ("log rate",)

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Count the events of each node, and the time in which they could happen.

        Raises
        ------
        DataError
            If there are no events.
        """
        events = torch.full((len(self.nodes),), UNSEEN, dtype=torch.float64)
        time = torch.zeros(len(self.nodes), dtype=torch.float64)
        total, seen = 0.0, 0.0
        for batch in batches:
            pairs, told = batch.inputs[self.pair_name], self.told(batch)
            count, exposed = told.count.sum(1), told.known.double().sum(1) / self.bins
            total, seen = total + float(count.sum()), seen + float(exposed.sum())
            for end in range(2):
                events.index_add_(0, pairs[:, end], count)
                time.index_add_(0, pairs[:, end], exposed)
        if not total:
            raise DataError(
                "DegreeRate learns from events, but the training pairs have none in any bin that is not hidden"
            )
        # A node that stands in no training pair is as active as the mean.
        self.activity.copy_(torch.where(time > 0, events / time.clamp(min=1e-12), torch.tensor(total / seen).double()))
        self.overall.fill_(total / seen)

    def forward(self, batch: Batch) -> Representation:
        """Logarithm of the rate of each pair, for the whole of time; a hidden node is as active as the mean."""
        pairs, known = self.ends(batch)
        return Representation(self._log_rate(pairs, known).float()[:, None], self.names)

    @torch.no_grad()
    def expected(self, pairs: Tensor) -> Tensor:
        """Expected number of events in each bin, float64, shape (pair, bin): the same in all."""
        rate = self._log_rate(pairs, torch.ones_like(pairs, dtype=torch.bool)).exp()
        return (rate / self.bins)[:, None].expand(-1, self.bins)

    def paths(self) -> None:
        """None: nodes are nowhere."""
        return

    def _log_rate(self, pairs: Tensor, known: Tensor) -> Tensor:
        overall = self.overall.double().log()
        return torch.where(known, self.activity.double().log()[pairs], overall).sum(1) - overall

    @classmethod
    def example_data(cls) -> Dataset:
        """Made-up nodes that change their groups."""
        from pellucid_molecules.events.synthetic import EventsSynthetic

        return EventsSynthetic.example_data()
