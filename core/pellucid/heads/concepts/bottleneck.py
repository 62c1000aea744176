"""Concept bottleneck: from units to ratings that have names, and from these alone to the output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.errors import ContractError, nearest
from pellucid.explanation import Explanation
from pellucid.heads.base import HeadTags, PredictorConfig, Stage
from pellucid.heads.concepts.ratings import check_each_given, concepts_of, rated
from pellucid.heads.hidden_layers import hidden_layers
from pellucid.heads.scaled import STRIDE, ScaledHead
from pellucid.moments import Moments
from pellucid.representation import Representation

NAME = "concept-bottleneck"


class ConceptBottleneckConfig(PredictorConfig):
    """Settings of :class:`ConceptBottleneck`.

    Parameters
    ----------
    kind : {"soft", "hard"}
        ``"hard"``: only whole ratings (for ratings from 0 to 1: yes or no) are handed on, so that nothing else can hide
        in the decimals.
    trained : {"independent", "sequential", "joint"}
        ``"independent"``, the default: ratings are learnt first and then stay, so that the target cannot bend them, and the
        target is learnt from people's ratings, so that the model means by a rating what people mean; a rating that nobody
        gave is the predicted one. ``"sequential"``: the same, but the target is learnt from predicted ratings, whose errors
        it makes up for. ``"joint"``: both at once; predicts best where ratings do not say all that the target depends on,
        as predicted ratings then carry the rest, and a person who corrects them takes it away.
    concept_weight : float
        Weight of the ratings' loss beside the target's, in joint training.
    hidden : tuple of int
        Widths of the network that predicts the ratings; empty for a linear one.
    dropout : float
    l2 : float
        Penalty on half the squared weights from ratings to outputs.
    """

    kind: Literal["soft", "hard"] = "soft"
    trained: Literal["independent", "sequential", "joint"] = "independent"
    concept_weight: float = Field(1.0, gt=0)
    hidden: tuple[int, ...] = (32,)
    dropout: float = Field(0.1, ge=0, lt=1)
    l2: float = Field(1e-3, ge=0)


class ConceptBottleneck(ScaledHead):
    """Predicts human ratings, then the target from the ratings by a weighted sum.

    A contribution is a rating's weight times its distance from the training mean of the human ratings, and the sum is
    the output exactly. A person who disagrees with a predicted rating can put another in its place: :meth:`intervene`.

    References
    ----------
    Koh et al. (2020), Concept bottleneck models, arXiv 2007.04612. Deviations: ratings are bounded to their scale and
    compared by cross-entropy of their places on it; ratings that nobody gave are left out of the loss; hard ratings are
    rounded to the scale's whole steps, with gradients as if they were not; what is trained independently learns from
    people's mean ratings, decimals and all.
    """

    tags = HeadTags(family="concept", needs_concepts=True)
    config_type = ConceptBottleneckConfig
    config: ConceptBottleneckConfig
    low: Tensor
    high: Tensor
    rating_mean: Tensor
    rating_scale: Tensor

    def __init__(self, config: ConceptBottleneckConfig) -> None:
        super().__init__(config)
        self.named = concepts_of(config, NAME)
        low, high = torch.tensor(self.named.low), torch.tensor(self.named.high)
        count = len(self.named.names)
        self.register_buffer("low", low)
        self.register_buffer("high", high)
        self.register_buffer("rating_mean", (low + high) / 2)
        self.register_buffer("rating_scale", (high - low) / 4)
        widths = (len(config.units), *config.hidden)
        self.rating = nn.Sequential(*hidden_layers(widths, config.dropout))
        # Beside the network a straight way: ratings that are copies or sums of units need no hidden cells.
        self.rating_last = nn.Linear(widths[-1], count)
        self.rating_straight = nn.Parameter(torch.zeros(count, widths[0])) if config.hidden else None
        self.outcome_weight = nn.Parameter(torch.zeros(len(self.outputs), count))
        self.outcome_bias = nn.Parameter(torch.zeros(len(self.outputs)))

    @property
    def concept_names(self) -> tuple[str, ...]:
        """Names of the ratings, in order."""
        return self.named.names

    @property
    def explained_names(self) -> tuple[str, ...]:
        """The ratings."""
        return self.concept_names

    def explained(self, z: Representation) -> Tensor:
        """Ratings as they are handed on, in their own units."""
        return self.handed_on(self.concepts(z))

    def watched(self, parts: Iterable[tuple[Representation, Batch]]) -> Iterator[tuple[Representation, Batch]]:
        """Learn mean and deviation of each rating where it is known.

        Raises
        ------
        ContractError
            If no training sample has some rating.
        """
        moments = Moments()
        for z, batch in parts:
            moments.add(*rated(batch, NAME))
            yield z, batch
        check_each_given(moments, self.concept_names)
        self.rating_mean.copy_(moments.mean)
        self.rating_scale.copy_(moments.deviation)

    def concepts(self, z: Representation) -> Tensor:
        """Predicted ratings in their own units, before any rounding; shape (sample, concept)."""
        return self._soft(self.standardised(z))

    def whole_steps(self, ratings: Tensor) -> Tensor:
        """The nearest whole ratings; for ratings from 0 to 1, yes or no."""
        span = self.high - self.low
        steps = torch.where(span <= 1, (ratings >= self.low + span / 2) * span, (ratings - self.low).round())
        return self.low + steps

    def handed_on(self, ratings: Tensor) -> Tensor:
        """What the target is predicted from: the ratings, or with ``kind="hard"`` their whole steps."""
        if self.config.kind == "soft":
            return ratings
        # Rounding has no slope; in training the gradient passes as if there were none.
        return ratings + (self.whole_steps(ratings) - ratings).detach()

    def outcome(self, ratings: Tensor) -> Tensor:
        """Logits or numbers from ratings in their own units, shape (sample, concept) to (sample, output)."""
        return self.prior + self.scale * self._outcome_score(ratings)

    def score(self, x: Tensor) -> Tensor:
        """Score by way of the ratings."""
        return self._outcome_score(self.handed_on(self._soft(x)))

    def intervene(self, z: Representation, ratings: Mapping[str, float | Tensor]) -> Tensor:
        """Outputs with some predicted ratings replaced by given ones.

        Parameters
        ----------
        z : Representation
        ratings : mapping of str to float or Tensor of shape (sample,)
            In the ratings' own units. NaN keeps the prediction.

        Returns
        -------
        Tensor, shape (sample, output)

        Raises
        ------
        ContractError
            If there is no such concept.
        """
        mended = self.handed_on(self.concepts(z)).clone()
        for name, given in ratings.items():
            if name not in self.concept_names:
                raise ContractError(f"no concept named {name!r}{nearest(name, self.concept_names)}")
            at = self.concept_names.index(name)
            value = torch.as_tensor(given, dtype=mended.dtype, device=mended.device).expand(len(mended))
            mended[:, at] = torch.where(value.isnan(), mended[:, at], value)
        return self.outcome(mended)

    def stages(self) -> tuple[Stage, ...]:
        """Ratings first, or all at once."""
        if self.config.trained == "joint":
            return super().stages()
        # The ratings take as long to learn as everything together does; what follows is a weighted sum.
        return (
            Stage(name="concepts", loss=self.concept_loss, learns=("rating",)),
            Stage(name="target", loss=self.outcome_loss, learns=("outcome",), share=0.5, encoders=False),
        )

    def concept_loss(self, z: Representation, batch: Batch) -> Tensor:
        """How far ratings that somebody gave are from the predicted ones, mean over them; 0 where all agree.

        A rating's place on its scale, 0 to 1, is compared as a probability is: by cross-entropy, less what remains where both
        agree. For a prediction that has run to an end of the scale the squared error has no slope left, this has. Weighted
        so that near the mean rating it is half the squared error in standard deviations.
        """
        ratings, known = rated(batch, NAME)
        span = self.high - self.low
        place, usual = ((ratings - self.low) / span).clamp(0, 1), self._usual_place()
        weight = usual * (1 - usual) * (span / self.rating_scale).square() * known
        crossed = functional.binary_cross_entropy_with_logits(
            self._logit(self.standardised(z)), place, reduction="none"
        )
        least = functional.binary_cross_entropy(place, place, reduction="none")
        return (weight * (crossed - least)).sum() / known.sum().clamp(min=1)

    def outcome_loss(self, z: Representation, batch: Batch) -> Tensor:
        """Negative log-likelihood of the target where the ratings, and what they are read from, stay as they are."""
        ratings = self.handed_on(self.concepts(z)).detach()
        if self.config.trained == "independent":
            said, known = rated(batch, NAME)
            ratings = torch.where(known, said, ratings)
        return self.likelihood_loss(self.outcome(ratings), batch) + self._penalty()

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Both losses and the penalty."""
        likelihood = self.likelihood_loss(self(z), batch)
        return likelihood + self.config.concept_weight * self.concept_loss(z, batch) + self._penalty()

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each predicted rating adds to one output."""
        at = self.output_index(target)
        ratings = self.handed_on(self.concepts(z))
        weight = self.scale[at] * STRIDE * self.outcome_weight[at] / self.rating_scale
        baseline = (self.prior[at] + self.scale[at] * self.outcome_bias[at]).expand(len(ratings))
        contributions = (ratings - self.rating_mean) * weight
        return Explanation("concept", target, self.concept_names, contributions, baseline, self(z)[:, at], ratings)

    def _soft(self, x: Tensor) -> Tensor:
        return self.low + (self.high - self.low) * self._logit(x).sigmoid()

    def _logit(self, x: Tensor) -> Tensor:
        """Place of each rating on its scale, as a logit."""
        logit = self.rating_last(self.rating(x))
        if self.rating_straight is not None:
            logit = logit + functional.linear(x, STRIDE * self.rating_straight)
        # The logit of the mean rating is added, so that an untrained network says what is usual.
        return self._usual_place().logit() + logit

    def _usual_place(self) -> Tensor:
        """Place of the mean rating on its scale, 0 to 1, not quite at an end."""
        return ((self.rating_mean - self.low) / (self.high - self.low)).clamp(0.01, 0.99)

    def _outcome_score(self, ratings: Tensor) -> Tensor:
        x = (ratings - self.rating_mean) / self.rating_scale
        return functional.linear(x, STRIDE * self.outcome_weight, self.outcome_bias)

    def _penalty(self) -> Tensor:
        return 0.5 * self.config.l2 * (STRIDE * self.outcome_weight).square().sum()
