"""Prototypes: an output is a weighted sum of how alike a sample is to windows of training samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.explanation import Evidence, Explanation
from pellucid.heads.base import HeadTags, Stage, prior_logits, target_loss
from pellucid.heads.prototypes.comparing import Comparing
from pellucid.heads.prototypes.last_layer import Penalties, came_from, fit_last_layer, without_itself
from pellucid.heads.prototypes.losses import CoOccurrence, clustering, cooccurrence, diversity, same_places, separation
from pellucid.heads.prototypes.placing import Placing, initial_weights
from pellucid.heads.prototypes.sets import ComparingConfig, directions
from pellucid.heads.prototypes.similarity import pooled, squared_distance
from pellucid.heads.scaled import STRIDE
from pellucid.representation import Representation

SHOWN = 5
"""Contributions of a sample that are given evidence, the strongest first."""

FIRST_OUTPUT_SD = 1.5
"""Standard deviation of an output over samples where joint training begins, in logits."""


class PrototypesConfig(ComparingConfig):
    """Settings of :class:`Prototypes`.

    Parameters
    ----------
    sets, per_class, window, similarity, pool, top, addon_width, unique
        See :class:`~pellucid.heads.prototypes.sets.ComparingConfig`.
    warm_up : float
        Length of the first stage, in which the encoders learn with a plain linear layer, as a share of the head's epochs;
        0 for none.
    clustering, separation, diversity, cooccurrence, distinct_places : float
        Weights of the losses beside the likelihood: samples near a prototype of their class; away from those of others;
        prototypes unlike each other; prototypes of classes that occur together alike; prototypes of a class at different
        places of a sample.
    separation_as_released : bool
        Separate as the released code of ProtoECGNet does: push samples away from the prototypes of other classes that they are
        of, too.
    l1, pull : float
        Penalties when the last layer is learnt: :class:`~pellucid.heads.prototypes.last_layer.Penalties`.
    """

    warm_up: float = Field(0.5, ge=0)
    clustering: float = Field(0.1, ge=0)
    separation: float = Field(0.01, ge=0)
    diversity: float = Field(0.1, ge=0)
    cooccurrence: float = Field(0.0, ge=0)
    distinct_places: float = Field(0.0, ge=0)
    separation_as_released: bool = False
    l1: float = Field(1e-4, ge=0)
    pull: float = Field(1e-3, ge=0)


class Prototypes(Comparing):
    """Logits are weighted similarities to prototypes, each of which is a window of one training sample.

    It is fitted in stages. Warm-up: encoders learn with a plain linear layer, and prototypes are placed at windows of training
    samples that it takes for their class. Joint: prototypes and encoders learn together under a last layer in which a
    prototype speaks for its own class, and half as much against every other; only its scale, one number a set, learns. Then
    each prototype becomes the most similar window of a training sample of its class. Refit: the last layer is learnt to the
    end, all else still.

    A contribution is the weight of a prototype times how much more alike than the mean training sample the sample is to
    it, and the sum is the output exactly. Evidence are the window that is most alike, and the prototype's source.

    References
    ----------
    Global, partial and mixed sets as ProtoECGNet (2025, PMLR 298); places as ScaleProtoSeg (arXiv 2409.09497). Deviations:
    prototypes begin at training windows, not at random; the initial weights 1 and -0.5 are divided by the number of
    prototypes and by the largest similarity, times a learnt scale, as sums of large similarities that hardly vary leave a
    sigmoid no slope; biases learn throughout; the best window is the default pool; separation spares prototypes of all
    classes that a sample is of; one weight matrix over all sets, learnt in closed form of penalised likelihood.
    """

    tags = HeadTags(
        family="prototype", targets=("binary", "multiclass", "multilabel"), needs_tokens=True, remembers=True
    )
    config_type = PrototypesConfig
    config: PrototypesConfig
    centre: Tensor
    jaccard: Tensor

    def __init__(self, config: PrototypesConfig) -> None:
        super().__init__(config, "prototypes")
        outputs, classes, count = len(self.outputs), len(self.classes), len(self.class_of)
        direction = directions(config.target)
        self.register_buffer("centre", torch.zeros(count))
        self.register_buffer("jaccard", torch.eye(classes))
        self.plain = nn.ModuleList(
            nn.Linear(prototype_set.shape.width, outputs, bias=False) for prototype_set in self.sets
        )
        self.gain = nn.Parameter(torch.zeros(len(self.sets)))
        self.weight = nn.Parameter(initial_weights(self.class_of, direction, self.largest_similarities, self.set_of))
        self.bias = nn.Parameter(torch.zeros(outputs))

    # --- output -------------------------------------------------------------------------------------------------------

    @property
    def explained_names(self) -> tuple[str, ...]:
        """The prototypes."""
        return self.prototype_names

    def explained(self, z: Representation) -> Tensor:
        """Similarities, shape (sample, prototype)."""
        return self.similarities(z)

    def outcome(self, explained: Tensor) -> Tensor:
        """Logits from similarities."""
        return self.weighted(explained)

    def weighted(self, similarities: Tensor) -> Tensor:
        """Weighted sum of similarities."""
        # In float64, so that many contributions of either sign add up to the output but for its own rounding.
        total = functional.linear((similarities - self.centre).double(), self.weights.double(), self.bias.double())
        return total.to(similarities.dtype)

    def forward(self, z: Representation) -> Tensor:
        """Logits."""
        return self.outcome(self.similarities(z))

    @property
    def weights(self) -> Tensor:
        """Weights of similarities, shape (output, prototype)."""
        return self.weight * (STRIDE * self.gain).exp()[self.set_of]

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each prototype adds to one output, with the places that are alike."""
        at = self.output_index(target)
        similarities = self.similarities(z)
        contributions = (similarities - self.centre) * self.weights[at]
        baseline = self.bias[at].expand(len(similarities))
        evidence = self.evidence(z, similarities, contributions)
        return Explanation(
            "prototype",
            target,
            self.prototype_names,
            contributions,
            baseline,
            self.outcome(similarities)[:, at],
            similarities,
            evidence,
        )

    def prototype_contributions(self, z: Representation, target: str) -> Tensor:
        """The contributions of :meth:`explain`."""
        return (self.similarities(z) - self.centre) * self.weights[self.output_index(target)]

    @torch.no_grad()
    def evidence(
        self, z: Representation, similarities: Tensor, contributions: Tensor
    ) -> tuple[tuple[Evidence, ...], ...]:
        """For each sample, the regions and sources behind its strongest contributions."""
        strongest = contributions.abs().topk(min(SHOWN, contributions.shape[1]), dim=1).indices
        names = self.prototype_names
        return tuple(
            tuple(self.evidence_of(z, match, unit=names[match.prototype]) for match in of_sample)
            for of_sample in self.matches(z, similarities, strongest.tolist())
        )

    # --- learning -----------------------------------------------------------------------------------------------------

    def stages(self) -> tuple[Stage, ...]:
        """Warm-up, joint and projection, refit."""
        warm_up = Stage(
            name="warm-up",
            loss=self.warm_up_loss,
            learns=("plain", "bias"),
            share=self.config.warm_up,
            finish=self.place,
        )
        learns = ("addon", "prototypes", "gain", "bias")
        joint = Stage(name="joint", loss=self.loss, learns=learns, finish=self.project)
        refit = Stage(name="refit", finish=self.refit)
        return (warm_up, joint, refit) if self.config.warm_up else (joint, refit)

    def prepare(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn the prevalence of classes and which occur together; without warm-up place the prototypes too."""
        classes_seen = CoOccurrence()

        def watched() -> Iterator[tuple[Representation, Batch]]:
            for z, batch in parts:
                classes_seen.add(self.is_of_class(batch))
                yield z, batch

        self.begin(self.placed(watched(), scores=False))
        self.jaccard.copy_(classes_seen.jaccard)
        # Half a sample is added to each side: a class that no training sample is of keeps a finite bias.
        chance = (classes_seen.counts + 0.5) / (classes_seen.samples + 1)
        prior = prior_logits(self.config.target, chance).float()
        with torch.no_grad():
            self.bias.copy_(prior[-1:] if self.config.target.kind == "binary" else prior)

    def warm_up_loss(self, z: Representation, batch: Batch) -> Tensor:
        """Likelihood by a plain linear layer over tokens, pooled as similarities are."""
        scores = [
            pooled(self.plain_scores(z, at), prototype_set.pool, prototype_set.top)
            for at, prototype_set in enumerate(self.sets)
        ]
        return self.likelihood(self.bias + torch.stack(scores).sum(0), batch)

    def plain_scores(self, z: Representation, set_index: int) -> Tensor:
        """What the plain layer says of each window, shape (sample, window, output): the mean over its tokens.

        A set speaks of the outputs that it serves and is silent on others: had another set learnt them as well, there
        would be nothing left to find in the tokens that their prototypes are compared with.
        """
        classes = list(self.sets[set_index].classes)
        served = (directions(self.config.target)[:, classes] != 0).any(1).to(self.bias)
        scores: Tensor = self.plain[set_index](self.tokens(z, set_index)) * served
        return scores.unfold(1, self.sets[set_index].window, 1).mean(3)

    def window_scores(self, z: Representation, set_index: int) -> Tensor:
        """What the plain layer says of each window and class."""
        return self.plain_scores(z, set_index) @ directions(self.config.target).to(self.bias)

    def place(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Put the prototypes where the plain layer found their classes."""
        self.begin(self.placed(parts, scores=True))

    @torch.no_grad()
    def begin(self, placing: list[Placing]) -> None:
        """Centre and scale outputs as they are before prototypes learn."""
        for at, (of_set, prototypes) in enumerate(zip(placing, self.prototypes, strict=True)):
            similarities, own = of_set.similarities(prototypes), self.span(at)
            self.centre[own] = similarities.mean(0)
            varying = ((similarities - similarities.mean(0)) @ self.weight[:, own].t()).square().mean().sqrt()
            self.gain[at] = (FIRST_OUTPUT_SD / varying.clamp(min=1e-4)).log() / STRIDE

    def likelihood(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Negative log-likelihood of the labels."""
        return target_loss(self.config.target, outputs, batch)

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Likelihood and what makes prototypes good examples; each of these per set, mean over sets."""
        config, is_of_class = self.config, self.is_of_class(batch)
        similarities, total = [], torch.zeros((), device=self.bias.device)
        for at, (prototype_set, prototypes) in enumerate(zip(self.sets, self.prototypes, strict=True)):
            of_set = pooled(self.window_similarities(z, at), prototype_set.pool, prototype_set.top)
            similarities.append(of_set)
            class_of = self.class_of[self.span(at)]
            owner = class_of[None] == torch.arange(len(self.classes), device=class_of.device)[:, None]
            scaled = of_set / self.largest_similarities[at]
            distance = partial(squared_distance, self.patches(z, at), prototypes, prototype_set)
            terms: list[tuple[float, Any]] = [
                (config.clustering, lambda s=scaled, o=owner: clustering(s, is_of_class, o)),
                (config.separation, lambda s=scaled, o=owner: separation(s, is_of_class, o, as_released=config.separation_as_released)),
                (config.diversity, lambda p=prototypes: diversity(p)),
                (config.cooccurrence, lambda p=prototypes, c=class_of: cooccurrence(p, c, self.jaccard)),
                (config.distinct_places, lambda d=distance, c=class_of: same_places(d(), is_of_class, c)),
            ]  # fmt: skip
            total = total + sum(weight * term() for weight, term in terms if weight) / len(self.sets)
        return self.likelihood(self.weighted(torch.cat(similarities, dim=1)), batch) + total

    @torch.no_grad()
    def refit(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn the last layer from the similarities of all training samples, which are kept for the length of it."""
        x, labels = self.learnt_similarities(parts)
        weight, bias = fit_last_layer(
            x - self.centre, labels, self.weights, self.bias, self.direction, self.projected,
            Penalties(self.config.l1, self.config.pull), one_class=self.config.target.exclusive,
        )  # fmt: skip
        self.weight.copy_(weight)
        self.bias.copy_(bias)
        self.gain.zero_()

    def learnt_similarities(self, parts: Iterable[tuple[Representation, Batch]]) -> tuple[Tensor, Tensor]:
        """Similarities of all training samples, of none to itself, and their labels by output; both (sample, ...).

        The mean and the percentiles of the similarities as they are, likeness to itself included, are kept.
        """
        similarities, labels, is_of_class, itself = [], [], [], []
        sources = self.sources
        for z, batch in parts:
            assert batch.targets is not None
            similarities.append(self.similarities(z))
            labels.append(self.config.target.steps(batch.targets).float())
            is_of_class.append(self.is_of_class(batch))
            itself.append(came_from(batch.samples, sources))
        x = torch.cat(similarities)
        self.centre.copy_(x.double().mean(0))
        self.learn_levels(x)
        return without_itself(x, torch.cat(is_of_class)[:, self.class_of], torch.cat(itself)), torch.cat(labels)
