"""A predictor that speaks in concept vectors: how far a sample lies along the direction of each human concept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.errors import DataError
from pellucid.explanation import Explanation
from pellucid.heads.base import HeadTags, PredictorConfig, Stage
from pellucid.heads.concepts.ratings import concepts_of, rated
from pellucid.heads.scaled import STRIDE, ScaledHead
from pellucid.measures.concept_vectors import PENALTY, logistic_vectors, mean_difference_vectors
from pellucid.moments import Moments
from pellucid.representation import Representation

NAME = "cav"
ADVICE = (
    "Each concept needs samples rated above its mean and others below: have more of them rated, or leave such concepts out of the "
    "data"
)


class CavConfig(PredictorConfig):
    """Settings of :class:`Cav`.

    Parameters
    ----------
    direction : {"logistic", "means"}
        ``"logistic"``: weights of the regression that tells samples with the concept from those without it, which turns away
        from directions that carry much noise or other concepts. ``"means"``: from the mean of those without it to the mean
        of those with it, which needs fewer samples.
    direction_l2 : float
        Penalty on half the squared weights of that regression.
    l2 : float
        Penalty on half the squared weights from concepts to outputs.
    """

    direction: Literal["logistic", "means"] = "logistic"
    direction_l2: float = Field(PENALTY, gt=0)
    l2: float = Field(1e-3, ge=0)


class Cav(ScaledHead):
    """A direction for each human concept in the representation, then the target as a weighted sum of places along them.

    A rating above its training mean counts as having the concept; what nobody rated counts neither way. Encoders that learn with
    the head learn the concepts first; then each direction is found in closed form on the training samples, and the target is
    learnt from places along the directions alone, in standard deviations from the training mean. What the representation knows
    beside the directions cannot reach the output. A contribution is weight times place, and the sum is the output exactly.

    Directions of concepts that go together are alike, and weights on them then share what either tells.

    References
    ----------
    Kim et al. (2018), Interpretability beyond feature attribution: quantitative testing with concept activation vectors, arXiv
    1711.11279. Deviations: the vectors are not asked about a finished network (for that see
    :mod:`pellucid.measures.concept_vectors`) but are what the output is made of.
    """

    tags = HeadTags(family="concept", needs_concepts=True)
    config_type = CavConfig
    config: CavConfig
    rating_mean: Tensor
    direction: Tensor
    place_mean: Tensor
    place_scale: Tensor

    def __init__(self, config: CavConfig) -> None:
        super().__init__(config)
        self.concept_names = concepts_of(config, NAME).names
        count, units = len(self.concept_names), len(config.units)
        self.register_buffer("rating_mean", torch.zeros(count))
        self.register_buffer("direction", torch.zeros(count, units))
        self.register_buffer("place_mean", torch.zeros(count))
        self.register_buffer("place_scale", torch.ones(count))
        self.concept_weight = nn.Parameter(torch.zeros(count, units))
        self.concept_bias = nn.Parameter(torch.zeros(count))
        self.outcome_weight = nn.Parameter(torch.zeros(len(self.outputs), count))
        self.outcome_bias = nn.Parameter(torch.zeros(len(self.outputs)))

    def unfit_for(self, dataset: Dataset) -> str:
        """Each concept must be rated, and not alike for everybody."""
        ratings = dataset.concept_values()
        known = np.isfinite(ratings)
        lowest, highest = (np.where(known, ratings, end).T for end in (np.inf, -np.inf))
        return _alike(self.concept_names, lowest.min(1), highest.max(1), "in these data")

    @property
    def explained_names(self) -> tuple[str, ...]:
        """The concepts."""
        return self.concept_names

    def explained(self, z: Representation) -> Tensor:
        """Places along the directions, in standard deviations from the training mean; shape (sample, concept)."""
        return self._places(self.standardised(z))

    def outcome(self, explained: Tensor) -> Tensor:
        """Logits or numbers from places along the directions."""
        return self.prior + self.scale * self._score(explained)

    def score(self, x: Tensor) -> Tensor:
        """Weighted sum of places along the directions."""
        return self._score(self._places(x))

    def watched(self, parts: Iterable[tuple[Representation, Batch]]) -> Iterator[tuple[Representation, Batch]]:
        """Learn the mean of each rating: above it a sample has the concept.

        Raises
        ------
        DataError
            If of some concept all training samples have the same rating, or none has one.
        """
        moments = Moments()
        lowest = torch.full((len(self.concept_names),), torch.inf)
        highest = -lowest
        for z, batch in parts:
            ratings, known = rated(batch, NAME)
            moments.add(ratings, known)
            lowest = torch.minimum(lowest, torch.where(known, ratings, torch.inf).amin(0).cpu())
            highest = torch.maximum(highest, torch.where(known, ratings, -torch.inf).amax(0).cpu())
            yield z, batch
        # Said before anything is trained: without samples on either side of the mean there is no direction to be found later.
        if reason := _alike(self.concept_names, lowest.numpy(), highest.numpy(), "on the training side"):
            raise DataError(f"head 'cav' {reason}")
        self.rating_mean.copy_(moments.mean)

    def stages(self) -> tuple[Stage, ...]:
        """Concepts, their directions, then the target."""
        return (
            Stage(name="concepts", loss=self.concept_loss, learns=("concept",), share=0.5, finish=self.find_directions),
            Stage(name="target", loss=self.loss, learns=("outcome",), encoders=False),
        )

    def concept_loss(self, z: Representation, batch: Batch) -> Tensor:
        """Cross-entropy of having each concept, mean over what is known; it teaches encoders, directions come after."""
        yes, known = self._yes(batch)
        logits = functional.linear(self.standardised(z), STRIDE * self.concept_weight, self.concept_bias)
        each = functional.binary_cross_entropy_with_logits(logits, yes.to(logits), reduction="none")
        return (each * known).sum() / known.sum().clamp(min=1)

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Negative log-likelihood of the target and the penalty."""
        penalty = 0.5 * self.config.l2 * (STRIDE * self.outcome_weight).square().sum()
        return self.likelihood_loss(self(z), batch) + penalty

    def find_directions(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Find the direction of each concept, and how far training samples spread along it.

        Raises
        ------
        DataError
            If no training sample has a concept, or all have it.
        """
        seen = [(self.standardised(z).detach(), *self._yes(batch)) for z, batch in parts]
        x, yes, known = (torch.cat(one) for one in zip(*seen, strict=True))
        having, lacking = (yes & known).sum(0), (~yes & known).sum(0)
        for name, some, others in zip(self.concept_names, having.tolist(), lacking.tolist(), strict=True):
            if not some or not others:
                raise DataError(
                    f"concept {name!r} has no direction: {some} training samples have it and {others} do not. {ADVICE}"
                )
        if self.config.direction == "means":
            found = mean_difference_vectors(x, yes, known)
        else:
            found = logistic_vectors(x, yes, known, l2=self.config.direction_l2)
        self.direction.copy_(found)
        places = Moments()
        places.add(functional.linear(x, self.direction))
        self.place_mean.copy_(places.mean)
        self.place_scale.copy_(places.deviation)

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each concept adds to one output."""
        at, places = self.output_index(target), self.explained(z)
        contributions = places * (self.scale[at] * STRIDE * self.outcome_weight[at])
        baseline = (self.prior[at] + self.scale[at] * self.outcome_bias[at]).expand(len(places))
        return Explanation("concept", target, self.concept_names, contributions, baseline, self(z)[:, at], places)

    def _places(self, x: Tensor) -> Tensor:
        return (functional.linear(x, self.direction) - self.place_mean) / self.place_scale

    def _score(self, places: Tensor) -> Tensor:
        return functional.linear(places, STRIDE * self.outcome_weight, self.outcome_bias)

    def _yes(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Whether samples have each concept, and where that is known."""
        ratings, known = rated(batch, NAME)
        return ratings > self.rating_mean, known


def _alike(names: Sequence[str], lowest: np.ndarray, highest: np.ndarray, where: str) -> str:
    """Why concepts have no direction, or an empty string; infinite ends are those of a concept that nobody rated."""
    found = []
    for name, low, high in zip(names, lowest.tolist(), highest.tolist(), strict=True):
        if low > high:
            found.append(f"no sample has a rating of {name!r}")
        elif low == high:
            found.append(f"all samples have the same rating of {name!r} ({low:g})")
    return f"finds no direction of a concept: {where} {', and '.join(found)}. {ADVICE}" if found else ""
