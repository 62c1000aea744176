"""Encoders that know by themselves what others learn (codes, relations, rates), for trying protocols that ask for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.spec import Nodes
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.encoders.links import LinkEncoder
from pellucid.encoders.rates import NodePaths
from pellucid.regions import TimeSpan
from pellucid.representation import Representation, Tokens, TokenShape


class _Telling(Encoder):
    config_type = EncoderConfig

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config

    @property
    def input_spec(self) -> Any:
        """The one input."""
        return self.config.inputs[self.input_name]


class Levels(_Telling):
    """Each stretch of a signal is the code of its mean level, lowest first."""

    tags = EncoderTags(accepts=("signal",), gives_codes=True)
    CODES, STRETCH, STEP = 6, 8, 1.5

    @property
    def _line(self) -> int:
        return int(self.input_spec.length) // self.STRETCH

    @property
    def names(self) -> tuple[str, ...]:
        """The mean of all."""
        return ("mean",)

    @property
    def token_shapes(self) -> dict[str, TokenShape]:
        """One set: a line of stretches for each channel."""
        count = len(self.input_spec.channels) * self._line
        return {"": TokenShape(count=count, width=1, codebook=self.CODES, line=self._line)}

    def forward(self, batch: Batch) -> Representation:
        """The mean, and the codes as tokens."""
        mean = self.read(batch).unflatten(2, (self._line, self.STRETCH)).mean(3).flatten(1)
        codes = (mean / self.STEP + self.CODES / 2).long().clamp(0, self.CODES - 1)
        seconds = self.STRETCH / self.input_spec.rate_hz
        spans = [
            TimeSpan((name,), at * seconds, (at + 1) * seconds)
            for name in self.input_spec.channels
            for at in range(self._line)
        ]
        tokens = Tokens(mean[..., None], tuple(spans), codes, input=self.input_name)
        return Representation(mean.mean(1, keepdim=True), self.names, {"": tokens})


class CountsRelations(_Telling):
    """How many edges of each relation a graph has; it goes by each as much as by any other."""

    tags = EncoderTags(accepts=("graph",))

    @property
    def names(self) -> tuple[str, ...]:
        """What each relation says."""
        return tuple(name for _, name, _ in self.input_spec.relations)

    def forward(self, batch: Batch) -> Representation:
        """Counts."""
        graphs = self.graphs(batch)
        counts = torch.zeros(len(graphs), len(self.names))
        counts.index_put_((graphs.graph_of_edge, graphs.edge_types), torch.ones(1), accumulate=True)
        return Representation(counts, self.names)

    @property
    def choice_names(self) -> tuple[str, ...]:
        """One a relation."""
        return self.names

    @property
    def choice_sets(self) -> tuple[int, ...]:
        """All are of one set."""
        return (0,) * len(self.names)

    @property
    def choice_relations(self) -> tuple[tuple[int, ...], ...]:
        """Each needs its own."""
        return tuple((at,) for at in range(len(self.names)))

    def choice_weights(self, batch: Batch) -> Tensor:
        """All equal."""
        return torch.full((len(batch), len(self.names)), 1 / len(self.names))


class Degrees(LinkEncoder):
    """How many links of training samples each of the two nodes has, less that between the two."""

    tags = EncoderTags(accepts=("nodes",))
    config_type = EncoderConfig

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.remember_at_most()

    @property
    def names(self) -> tuple[str, ...]:
        """One a role."""
        return self.roles

    def forward(self, batch: Batch) -> Representation:
        """Counts."""
        (one, other), _ = (found.unbind(1) for found in self.nodes(batch))
        between = self.links[one, other]
        return Representation(
            torch.stack([self.links.sum(1)[one] - between, self.links.sum(0)[other] - between], 1), self.names
        )


class MeanRates(_Telling):
    """Every pair meets as often as it is expected to by the mean of the known bins; nodes stand still."""

    tags = EncoderTags(accepts=("nodes", "signal"), several_inputs=True)
    usual: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        kinds = {one.kind: name for name, one in config.inputs.items()}
        self.pair_name, self.events_name = kinds["nodes"], kinds["signal"]
        self.bins = int(config.inputs[self.events_name].shape[1])
        self.register_buffer("usual", torch.zeros(()))

    @property
    def names(self) -> tuple[str, ...]:
        """The expected events of the pair."""
        return ("expected",)

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn the mean."""
        total, count = 0.0, 0.0
        for batch in batches:
            x, known = batch.inputs[self.events_name][:, 0], batch.known(self.events_name)
            seen = torch.ones_like(x, dtype=torch.bool) if known is None else known[:, 0]
            total, count = total + float(x[seen].sum()), count + float(seen.sum())
        self.usual.fill_(total / count)

    def forward(self, batch: Batch) -> Representation:
        """The mean, whoever it is about."""
        return Representation(self.usual.expand(len(batch), 1).clone(), self.names)

    def expected(self, pairs: Tensor) -> Tensor:
        """The mean of all bins, more of it where the numbers of nodes are small."""
        share = 1 / (1 + pairs.double().sum(1, keepdim=True))
        return (self.usual.double() * share).expand(-1, self.bins)

    def paths(self) -> NodePaths:
        """Nodes on a line, at rest."""
        spec = self.config.inputs[self.pair_name]
        assert isinstance(spec, Nodes)
        names = spec.names[spec.types[0]]
        places = np.zeros((self.bins + 1, len(names), 2))
        places[:, :, 0] = np.arange(len(names))
        return NodePaths(np.arange(self.bins + 1) / self.bins, places, np.zeros(len(names)), tuple(names))
