"""PiVeM: nodes that move in a plane, each at a constant velocity in each bin of time; the nearer two are, the more events."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.encoders.base import EncoderConfig, EncoderTags
from pellucid.encoders.rates import NodePaths
from pellucid.errors import DataError
from pellucid.representation import Representation
from pellucid_molecules.encoders.pivem_likelihood import Motion
from pellucid_molecules.encoders.pivem_prior import log_density, time_covariance
from pellucid_molecules.encoders.pivem_reading import RateEncoder

WIDE = 1e5
"""Scale of the prior to begin with: as good as none until its settings are learnt."""

LEAST_NOISE = 5.0
"""The noise of the prior is at least so much, divided by the number of bins."""


class PivemConfig(EncoderConfig):
    """Settings of :class:`Pivem`.

    Parameters
    ----------
    dimensions : int
        Of the space in which nodes move; 2 can be looked at.
    moving : bool
        Whether nodes move. If not, it is the latent distance model: one place a node for the whole of time.
    stages : (int, int)
        After how many steps velocities learn too, and after how many the settings of the prior.
    kinds : int
        Of nodes, in the prior: those of a kind tend to move alike. No more than there are nodes.
    prior : bool
        Whether there is one on places and velocities.
    beyond : {"velocity", "still"}
        What nodes do after the last bin that events were learnt from: go on as they moved there, or stay.
    says : {"log-rate", "parts"}
        What the units are: the logarithm of the rate at the middle of each bin, or what it is the sum of: ``levels`` (of both
        nodes) and ``-distance^2`` in each bin.
    """

    dimensions: int = Field(2, ge=1, le=64)
    moving: bool = True
    stages: tuple[int, int] = (100, 200)
    kinds: int = Field(10, ge=1)
    prior: bool = True
    beyond: Literal["velocity", "still"] = "velocity"
    says: Literal["log-rate", "parts"] = "log-rate"

    @model_validator(mode="after")
    def _stages_follow(self) -> PivemConfig:
        if not 0 <= self.stages[0] <= self.stages[1]:
            raise ValueError(
                "stages counts steps from the beginning: two numbers from 0, the second not below the first"
            )
        return self


class Pivem(RateEncoder):
    """Nodes on paths of piecewise constant velocity: two of them have events at the rate ``exp(b_i + b_j - distance^2)``.

    It learns from the exact likelihood of the events of training pairs in all bins that are not hidden, which costs the same however
    many events there are: their number and the sums of times and squared times in each bin are all that it takes. What it says of a
    pair depends on which two nodes these are and on nothing else, so pairs and bins that were hidden are judged honestly.

    A step should hold all pairs (``batch_size``), and ``stages`` count steps: places and levels first, then velocities, then the
    settings of the prior. Learning rates near 0.1 with a constant schedule are usual.

    References
    ----------
    Celikkanat, Nakis and Morup (2022), Learning on Graphs, PMLR 198:36, arXiv 2212.12345. Deviations: the numerics of the integral
    (:func:`~pellucid_molecules.encoders.pivem_likelihood.integral`) and of the prior
    (:func:`~pellucid_molecules.encoders.pivem_prior.log_density`, always of all nodes); the prior's scale is learnt as a logarithm;
    levels are what differs from the mean rate of training pairs; stages are counted in steps; pairs that were held out are left
    out of the likelihood and nothing is scaled up for them; translation is taken out by centring places and velocities over nodes.
    """

    tags: ClassVar[EncoderTags] = EncoderTags(accepts=("nodes", "signal"), several_inputs=True, trains_alone=True)
    config_type = PivemConfig
    config: PivemConfig
    mean_level: Tensor
    learnt_pairs: Tensor
    learnt_bins: Tensor
    steps: Tensor

    def __init__(self, config: PivemConfig) -> None:
        super().__init__()
        self.config = config
        self.read_two_inputs()
        count, width = len(self.nodes), config.dimensions
        self.levels = nn.Parameter(torch.zeros(count))
        self.start = nn.Parameter(0.5 * torch.randn(count, width))
        self.register_buffer("mean_level", torch.zeros(()))
        self.register_buffer("learnt_pairs", torch.ones(()))
        self.register_buffer("learnt_bins", torch.ones(self.bins, dtype=torch.bool))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        if config.moving:
            self.velocity = nn.Parameter(torch.zeros(self.bins, count, width))
        if config.moving and config.prior:
            self.kinds = nn.Parameter(torch.randn(count, min(config.kinds, count)))
            self.log_scale = nn.Parameter(torch.tensor(math.log(WIDE)))
            self.log_noise = nn.Parameter(torch.tensor(math.log(max(1.0, LEAST_NOISE / self.bins))))
            self.log_length = nn.Parameter(torch.tensor(math.log(2 / self.bins)))
            self.log_start = nn.Parameter(torch.zeros(()))

    @property
    def names(self) -> tuple[str, ...]:
        """``log rate at 0.025`` ...: of the middle of each bin, 1 being the whole of time; or parts of it."""
        digits = max(3, len(str(2 * self.bins)))
        middles = [f"{(at + 0.5) / self.bins:.{digits}f}" for at in range(self.bins)]
        if self.config.says == "log-rate":
            return tuple(f"log rate at {one}" for one in middles)
        return ("levels", *(f"-distance^2 at {one}" for one in middles))

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn how many pairs there are, in which bins, and the mean rate of events.

        Raises
        ------
        DataError
            If the training pairs have no event in any bin that may be learnt from.
        """
        pairs, events, cells = 0, 0.0, 0
        bins = torch.zeros(self.bins, dtype=torch.bool)
        for batch in batches:
            told = self.told(batch)
            pairs, events, cells = pairs + len(batch), events + float(told.count.sum()), cells + int(told.known.sum())
            bins |= told.known.any(0)
        if not events:
            raise DataError("Pivem learns from events, but the training pairs have none in any bin that is not hidden")
        self.learnt_pairs.fill_(pairs)
        self.learnt_bins.copy_(bins)
        self.mean_level.fill_(math.log(events * self.bins / cells))

    def forward(self, batch: Batch) -> Representation:
        """Log-rates of each pair at the middle of each bin, or their parts; of a hidden node there is neither level nor distance."""
        pairs, known = self.ends(batch)
        motion = self._motion(pairs, known)
        near = -motion.square_distance(0.5 / self.bins)
        base = motion.base[:, None]
        values = base + near if self.config.says == "log-rate" else torch.cat([base, near], 1)
        return Representation(values.float(), self.names)

    def loss(self, batch: Batch) -> Tensor:
        """Negative log-likelihood of a pair's events in all known bins, mean over pairs, with their share of the prior."""
        told = self.told(batch)
        motion = self._motion(*self.ends(batch))
        surprise = motion.integral(0.0, 1 / self.bins) - motion.of_events(told.count, told.time, told.squares)
        total = torch.where(told.known, surprise, torch.zeros_like(surprise)).sum(1).mean()
        if self.config.moving and self.config.prior:
            total = total - self._log_prior() / self.learnt_pairs
        return total

    def settle(self) -> None:
        """Count a step."""
        self.steps += 1

    @torch.no_grad()
    def expected(self, pairs: Tensor) -> Tensor:
        """Expected number of events in each bin, float64, shape (pair, bin)."""
        return self._motion(pairs, torch.ones_like(pairs, dtype=torch.bool)).integral(0.0, 1 / self.bins)

    @torch.no_grad()
    def paths(self) -> NodePaths:
        """The paths of all nodes."""
        places = self._places()[0]
        edges = torch.linspace(0, 1, self.bins + 1, dtype=torch.float64)
        levels = self.mean_level.double() / 2 + self.levels.double()
        return NodePaths(edges.numpy(), places.numpy(), levels.numpy(), self.nodes)

    def _share(self, stage: int) -> float:
        return float(self.steps >= self.config.stages[stage])

    def _path(self) -> tuple[Tensor, Tensor]:
        """Places when time begins, shape (node, dimension), and velocities, shape (bin, node, dimension), centred over nodes."""
        start = self.start.double()
        start = start - start.mean(0)
        if not self.config.moving:
            return start, start.new_zeros(self.bins, *start.shape)
        # Before their turn they are multiplied by 0, so that they have gradients, of 0, in every process.
        velocity = self._share(0) * self.velocity.double()
        return start, velocity - velocity.mean(1, keepdim=True)

    def _places(self) -> tuple[Tensor, Tensor]:
        """Places at all edges of bins, shape (bin + 1, node, dimension), and velocities between them."""
        start, velocity = self._path()
        last = int(self.learnt_bins.nonzero().max()) if self.learnt_bins.any() else self.bins - 1
        on = torch.arange(self.bins, device=velocity.device).clamp(max=last)
        velocity = velocity[on]
        if self.config.beyond == "still":
            beyond = torch.arange(self.bins, device=velocity.device) > last
            velocity = torch.where(beyond[:, None, None], torch.zeros_like(velocity), velocity)
        return torch.cat([start[None], start + velocity.cumsum(0) / self.bins]), velocity

    def _motion(self, pairs: Tensor, known: Tensor) -> Motion:
        places, velocity = self._places()
        levels = torch.where(known, self.levels.double()[pairs], torch.zeros_like(pairs, dtype=torch.float64))
        both = known.all(1)[:, None, None]

        def differ(of: Tensor) -> Tensor:
            away = (of[:, pairs[:, 0]] - of[:, pairs[:, 1]]).transpose(0, 1)
            return torch.where(both, away, torch.zeros_like(away))

        return Motion(self.mean_level.double() + levels.sum(1), differ(places[:-1]), differ(velocity))

    def _log_prior(self) -> Tensor:
        share = self._share(1)

        def learnt(value: Tensor) -> Tensor:
            value = value.double()
            return value.detach() + share * (value - value.detach())

        start, velocity = self._path()
        noise = learnt(self.log_noise).exp().clamp(min=LEAST_NOISE / self.bins)
        time = time_covariance(self.bins, learnt(self.log_length).exp(), learnt(self.log_start).exp())
        kinds = learnt(self.kinds).softmax(1)
        return log_density(torch.cat([start[None], velocity]), time, kinds, learnt(self.log_scale).exp(), noise)

    @classmethod
    def example_data(cls) -> Dataset:
        """Made-up nodes that change their groups."""
        from pellucid_molecules.events.synthetic import EventsSynthetic

        return EventsSynthetic.example_data()
