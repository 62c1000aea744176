"""Prototypes in bundles: an output is a sum over a few weighted means of prototypes, of different sets of tokens at will."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.explanation import Evidence, Explanation
from pellucid.heads.prototypes.bundles import Bundling, activations
from pellucid.heads.prototypes.head import SHOWN, Prototypes, PrototypesConfig
from pellucid.heads.prototypes.last_layer import Penalties, fit_last_layer
from pellucid.heads.prototypes.sets import Similarity, directions
from pellucid.representation import Representation
from pellucid.seeds import seed_of


class PrototypesGroupedConfig(PrototypesConfig):
    """Settings of :class:`PrototypesGrouped`, beside those of :class:`~pellucid.heads.prototypes.head.Prototypes`.

    Parameters
    ----------
    bundles : int
        Bundles of each class.
    entropy : float
        Weight of the entropy of a bundle's shares; more leaves fewer prototypes. The paper has 0.05 and takes many more steps.
    bundle_steps : int
        Steps in which shares are learnt, on the similarities of all training samples at once.
    """

    bundles: int = Field(3, gt=0)
    entropy: float = Field(0.15, ge=0)
    bundle_steps: int = Field(400, gt=0)
    similarity: Similarity = "l2"
    distinct_places: float = Field(0.25, ge=0)
    l1: float = Field(1e-3, ge=0)


class PrototypesGrouped(Prototypes):
    """Prototypes of several scales, read as a few bundles of each class.

    Prototypes are learnt and projected as by :class:`~pellucid.heads.prototypes.head.Prototypes`; those of a class and a
    set of tokens (a scale) are kept at different places. Then, for each class, a few weighted means of its prototypes are
    learnt, of shares that add up to 1 and are mostly 0: the bundles. A logit is a weighted sum of what is the exponential of a
    bundle's mean similarity; a contribution is that of a bundle, and its evidence is the prototype that it rests on most.

    References
    ----------
    Porta et al. (2025), ScaleProtoSeg, arXiv 2409.09497 (there bundles are called groups). Deviations: samples are classified,
    not places; activations are over the largest among training samples, and centred; after shares are learnt, so are the weights of
    bundles, to the end.
    """

    config_type = PrototypesGroupedConfig
    config: PrototypesGroupedConfig
    bundle_centre: Tensor
    bundle_full_at: Tensor
    bundle_direction: Tensor

    def __init__(self, config: PrototypesGroupedConfig) -> None:
        super().__init__(config)
        classes = len(self.classes)
        direction = directions(config.target).repeat_interleave(config.bundles, dim=1)
        self.register_buffer("bundle_direction", direction, persistent=False)
        self.register_buffer("bundle_centre", torch.zeros(classes * config.bundles))
        self.register_buffer("bundle_full_at", torch.zeros(()))
        self.mix = nn.Parameter(torch.zeros(classes, config.bundles, len(self.class_of)))
        self.bundle_weight = nn.Parameter(torch.zeros(len(self.outputs), classes * config.bundles))

    @property
    def explained_names(self) -> tuple[str, ...]:
        """The bundles, ``"<class> bundle <number>"``."""
        return tuple(f"{name} bundle {at + 1}" for name in self.classes for at in range(self.config.bundles))

    def explained(self, z: Representation) -> Tensor:
        """How active each bundle is, shape (sample, bundle)."""
        return self.bundled(self.similarities(z))

    def bundled(self, similarities: Tensor) -> Tensor:
        """Activations from similarities."""
        return activations(similarities, self.mix, self.bundle_full_at)

    def outcome(self, explained: Tensor) -> Tensor:
        """Logits from activations."""
        moved = (explained - self.bundle_centre).double()
        return functional.linear(moved, self.bundle_weight.double(), self.bias.double()).to(explained.dtype)

    def forward(self, z: Representation) -> Tensor:
        """Logits."""
        return self.outcome(self.explained(z))

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each bundle adds to one output, with the prototypes that it rests on."""
        at = self.output_index(target)
        similarities = self.similarities(z)
        active = self.bundled(similarities)
        contributions = (active - self.bundle_centre) * self.bundle_weight[at]
        return Explanation(
            "prototype", target, self.explained_names, contributions, self.bias[at].expand(len(active)),
            self.outcome(active)[:, at], active, self.resting_on(z, similarities, contributions),
        )  # fmt: skip

    @torch.no_grad()
    def resting_on(
        self, z: Representation, similarities: Tensor, contributions: Tensor
    ) -> tuple[tuple[Evidence, ...], ...]:
        """For each sample the strongest bundles, each with the prototype that has most part in its mean."""
        shares = self.mix.flatten(0, 1)
        strongest = contributions.abs().topk(min(SHOWN, contributions.shape[1]), dim=1).indices
        prototypes = (shares[strongest] * similarities[:, None]).argmax(2)
        names, bundle_names = self.prototype_names, self.explained_names
        return tuple(
            tuple(
                self.evidence_of(
                    z,
                    match,
                    unit=bundle_names[bundle],
                    before=f"rests by {float(shares[bundle, match.prototype]):.0%} on {names[match.prototype]}: ",
                )
                for bundle, match in zip(bundles, of_sample, strict=True)
            )
            for bundles, of_sample in zip(
                strongest.tolist(), self.matches(z, similarities, prototypes.tolist()), strict=True
            )
        )

    def prototype_contributions(self, z: Representation, target: str) -> Tensor:
        """Each prototype's part in the contributions of bundles, shape (sample, prototype).

        A bundle's activation is divided among its prototypes as their similarities above the training mean have part in it,
        to first order.
        """
        similarities = self.similarities(z)
        slope = self.bundled(similarities) * self.bundle_weight[self.output_index(target)]
        return (slope @ self.mix.flatten(0, 1)) * (similarities - self.centre)

    @torch.no_grad()
    def refit(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn shares, then weights of bundles, from the similarities of all training samples."""
        x, labels = self.learnt_similarities(parts)
        usable = ((self.class_of == torch.arange(len(self.classes))[:, None]) & self.projected)[:, None].expand_as(
            self.mix
        )
        # A sample that is even more like a prototype, as its own source is, is taken to be as alike: exponentials of perfect
        # matches would be thousands of times those of anything else.
        self.bundle_full_at.copy_(x.max())
        own = self.bundle_direction.bool()
        generator = torch.Generator().manual_seed(seed_of("bundles"))
        # Bundles of a class begin apart, or they would stay the same.
        begin = usable / usable.sum(-1, keepdim=True).clamp(min=1) + 0.3 * torch.randn(
            usable.shape, generator=generator
        )
        weight = (self.bundle_direction - 0.5 * (~own).float()) / self.config.bundles
        one_class = self.config.target.exclusive
        bundling = Bundling(self.config.entropy, self.config.l1, self.config.bundle_steps)
        mix = bundling.learn(x, labels, begin, usable, weight, self.bias, own, self.bundle_full_at, one_class=one_class)
        self.mix.copy_(mix)
        active = self.bundled(x)
        self.bundle_centre.copy_(active.double().mean(0))
        there = usable.any(-1).flatten()
        scale = active.std(0).clamp(min=1e-9)
        fitted, bias = fit_last_layer(
            active - self.bundle_centre, labels, torch.where(there, weight / scale, 0.0), self.bias, self.bundle_direction,
            there, Penalties(self.config.l1, self.config.pull), one_class=one_class,
        )  # fmt: skip
        self.bundle_weight.copy_(fitted)
        self.bias.copy_(bias)
