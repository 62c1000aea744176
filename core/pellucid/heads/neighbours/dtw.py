"""The training sample that a series is nearest to, class by class, where time may be warped."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from pydantic import Field
from torch import Tensor

from pellucid.batch import Batch
from pellucid.errors import ContractError
from pellucid.explanation import Evidence, Explanation
from pellucid.heads.base import HeadTags, PredictorConfig, labels_of, target_loss
from pellucid.heads.neighbours.warping import warped
from pellucid.heads.one_pass import OnePass, check_every_class
from pellucid.heads.prototypes.sets import directions, is_of_class
from pellucid.heads.reads_tokens import chosen_tokens
from pellucid.heads.remembering import Remembers
from pellucid.regions import around
from pellucid.representation import Representation
from pellucid.sample_ids import decoded_ids, encoded_ids

NAME = "dtw-neighbours"

SLOPES = torch.logspace(-3, 3, 241)
"""Logits for each unit of distance that are tried."""


class DtwNeighboursConfig(PredictorConfig):
    """Settings of :class:`DtwNeighbours`.

    Parameters
    ----------
    tokens_name : str
        Set of tokens that are the steps of the series; may be left out where there is only one. The encoder ``steps`` hands them on.
    neighbours : int
        Distance to a class is the mean over so many of its nearest training samples; 1 is the classifier of one nearest neighbour.
    band : float
        How far a series may run ahead of another, as a share of its length; 0 compares step by step.
    """

    tokens_name: str = ""
    neighbours: int = Field(1, gt=0)
    band: float = Field(0.2, ge=0, le=1)


class DtwNeighbours(OnePass, Remembers):
    """A sample is of the class that the nearest training sample is of, by dynamic time warping over all channels.

    A logit falls with the distance to the nearest training sample of its class, and rises with the distances to those of other classes.
    A contribution is what one of them, nearer or farther than usual, adds, and evidence is the training sample itself. Nothing is learnt
    by steps: how many logits a unit of distance is worth is the one number that is fitted, by the likelihood of training samples
    that are compared with all others.

    References
    ----------
    The baseline of Bagnall et al. (2017), doi:10.1007/s10618-016-0483-9. Deviations: the band is set and not searched for, and
    distances become logits as said above, which leaves the likeliest class that of the nearest neighbour.
    """

    tags = HeadTags(family="prototype", targets=("binary", "multiclass"), needs_tokens=True, remembers=True)
    never = "this model has seen no training samples to compare with"
    then = "this model compared training samples"
    config_type = DtwNeighboursConfig
    config: DtwNeighboursConfig
    grown = ("series", "lengths", "classes", "ids")
    series: Tensor
    lengths: Tensor
    classes: Tensor
    ids: Tensor
    usual: Tensor
    slope: Tensor

    def __init__(self, config: DtwNeighboursConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = chosen_tokens(NAME, config.tokens_name, config.tokens)
        shape = config.tokens[self.tokens]
        # A parameter, although no step moves it: it is what an audit draws anew to see whether explanations notice.
        self.series = torch.nn.Parameter(torch.zeros(0, shape.count, shape.width))
        self.register_buffer("lengths", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("classes", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("ids", torch.zeros(0, 0, dtype=torch.uint8))
        self.register_buffer("usual", torch.zeros(len(self.class_names)))
        self.register_buffer("slope", torch.ones(()))
        self.begin_memory()

    @property
    def class_names(self) -> tuple[str, ...]:
        """What training samples are of."""
        names: tuple[str, ...] = self.config.target.categories
        return names

    @property
    def explained_names(self) -> tuple[str, ...]:
        """``"nearest <class>"``, one a class."""
        return tuple(f"nearest {name}" for name in self.class_names)

    @property
    def remembered(self) -> bool:
        """Whether it has seen training samples."""
        return bool(len(self.series))

    @torch.no_grad()
    def finish(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Keep all training samples, and find out what a distance is worth.

        Raises
        ------
        ContractError
            If the samples carry no labels or no ids.
        DataError
            If there is none of a class.
        """
        seen = list(parts)
        labels = torch.cat([labels_of(batch) for _, batch in seen])
        names = [name for _, batch in seen for name in batch.samples]
        if len(names) != len(labels):
            raise ContractError(
                f"head {NAME!r} names training samples, and these have no ids; make the batches with collate or batch_of"
            )
        of_class = is_of_class(self.config.target, labels)
        check_every_class(NAME, self.class_names, of_class.sum(0).tolist())
        self.grow("series", torch.cat([z.of(self.tokens).values for z, _ in seen]).float())
        self.grow("lengths", torch.cat([self._steps(z) for z, _ in seen]))
        self.grow("classes", of_class.float().argmax(1))
        self.grow("ids", encoded_ids(names))
        between = self._between(self.series, self.lengths)
        between.fill_diagonal_(torch.inf)
        left_out = self._by_class(between)[0]
        # A class of one training sample has nobody else to be near to.
        usable = left_out.isfinite().all(1)
        if not usable.any():
            return
        self.usual.copy_(left_out[usable].mean(0))
        batch = Batch({}, targets=labels[usable])
        losses = [target_loss(self.config.target, self._logits(left_out[usable], slope), batch) for slope in SLOPES]
        self.slope.copy_(SLOPES[int(torch.stack(losses).argmin())])

    def distances(self, z: Representation) -> tuple[Tensor, Tensor]:
        """Distance to each class, and the training sample that is nearest, both of shape (sample, class)."""
        return self._by_class(self._between(z.of(self.tokens).values, self._steps(z)))

    def explained(self, z: Representation) -> Tensor:
        """Distances, shape (sample, class)."""
        return self.distances(z)[0]

    def outcome(self, explained: Tensor) -> Tensor:
        """Logits from distances."""
        return self._logits(explained, self.slope)

    def forward(self, z: Representation) -> Tensor:
        """Logits."""
        return self.outcome(self.explained(z))

    def explain(self, z: Representation, target: str) -> Explanation:
        """What the distance to each class adds to one output, with the nearest training sample of each."""
        at = self.output_index(target)
        found, nearest = self.distances(z)
        weights = -self.slope * self._directions[at]
        ids, tokens = decoded_ids(self.ids), z.of(self.tokens)
        whole = around(tokens.regions) if tokens.regions else None
        evidence = tuple(
            tuple(
                Evidence(name, whole, ids[source], f"distance {distance:.3g}", whole, tokens.input)
                for name, distance, source in zip(self.explained_names, far, sources, strict=True)
            )
            for far, sources in zip(found.tolist(), nearest.tolist(), strict=True)
        )
        return Explanation(
            "prototype",
            target,
            self.explained_names,
            (found - self.usual) * weights,
            (self.usual * weights).sum().expand(len(found)),
            self.outcome(found)[:, at],
            found,
            evidence,
        )

    @property
    def _directions(self) -> Tensor:
        """How much nearness to each class speaks for each output, shape (output, class)."""
        found = directions(self.config.target).to(self.slope.device)
        # Nearness to one of several classes speaks against all others; which class is likeliest does not change.
        return found - found.mean(0) if len(found) > 1 else found

    def _logits(self, distances: Tensor, slope: Tensor) -> Tensor:
        return -slope * distances @ self._directions.T

    def _steps(self, z: Representation) -> Tensor:
        """How many steps each sample has: up to the last one that is there."""
        there = z.of(self.tokens).there
        count = torch.arange(1, there.shape[1] + 1, device=there.device)
        return (there * count).amax(1).clamp(min=1)

    def _between(self, series: Tensor, lengths: Tensor) -> Tensor:
        return warped(series, self.series, self.config.band, (lengths, self.lengths))

    def _by_class(self, between: Tensor) -> tuple[Tensor, Tensor]:
        far, nearest = [], []
        for at in range(len(self.class_names)):
            own = torch.nonzero(self.classes == at)[:, 0]
            least = between[:, own].topk(min(self.config.neighbours, len(own)), dim=1, largest=False)
            far.append(least.values.mean(1))
            nearest.append(own[least.indices[:, 0]])
        return torch.stack(far, 1), torch.stack(nearest, 1)
