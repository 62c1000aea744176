"""A predictor that speaks in few concepts of a library: for each sample only the strongest have a say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.errors import DataError
from pellucid.explanation import Evidence, Explanation
from pellucid.heads.base import HeadTags, PredictorConfig, Stage
from pellucid.heads.concepts.few_concepts import FewConceptsClassifier, kept
from pellucid.heads.scaled import STRIDE, ScaledHead
from pellucid.measures.concept_libraries import cluster_concepts, prototype_concepts
from pellucid.representation import Representation

SHOWN = 5
"""Concepts of a sample that are told in units, the strongest first."""

UNITS_TOLD = 3
"""Units of the representation that a concept is told in."""

SHARPNESS = 10.0
"""On the normalised scores by which concepts are chosen end to end: one over the temperature of the paper's code."""


class ConceptBottleneckSparseConfig(PredictorConfig):
    """Settings of :class:`ConceptBottleneckSparse`.

    Parameters
    ----------
    library : {"cluster", "prototype", "end-to-end"}
        ``"cluster"``: centres of k-means clusters of the training representations. ``"prototype"``: training representations
        by lot. ``"end-to-end"``: chosen among ``choices`` times as many by lot, to suit the target.
    count : int
        Concepts in the library.
    ratio : float
        Share of them that is set to zero in each sample; one stays in any case.
    choices : int
    warm_up : float
        Length of a first stage, in which encoders learn with a plain linear layer, as a share of the head's epochs; 0 for
        none. The library is made of what they say afterwards.
    seed : int
        Of the lot and of the clusters.
    """

    library: Literal["cluster", "prototype", "end-to-end"] = "cluster"
    count: int = Field(200, ge=2)
    ratio: float = Field(0.9, ge=0, lt=1)
    choices: int = Field(4, ge=2)
    warm_up: float = Field(0.5, ge=0)
    seed: int = Field(0, ge=0)


class ConceptBottleneckSparse(ScaledHead):
    """A weighted sum of a sample's strongest similarities to concepts that the representation itself brings.

    Similarities of the standardised units to the library are normalised over the concepts of a sample, all but the strongest are set
    to zero, and a linear layer reads the rest. A contribution is a surviving concept's weight times its similarity, zero for
    all others, and the sum is the output exactly. Evidence tells each of them in the units that it points along.

    References
    ----------
    Shen et al. (2025), ICLR, Enhancing pre-trained representation classifiability can boost its interpretability. Deviations:
    units are standardised, so that none rules by its scale; one concept stays at least; segments are whole samples; concepts
    chosen end to end are the likeliest ones when the head is used; no text concepts.
    """

    tags = HeadTags(family="concept")
    config_type = ConceptBottleneckSparseConfig
    config: ConceptBottleneckSparseConfig
    segments: Tensor

    def __init__(self, config: ConceptBottleneckSparseConfig) -> None:
        super().__init__(config)
        units, outputs = len(config.units), len(self.outputs)
        self.body = FewConceptsClassifier(torch.zeros(config.count, units), outputs, config.ratio)
        with torch.no_grad():
            self.body.linear.weight.div_(STRIDE)
        self.plain = nn.Linear(units, outputs)
        nn.init.zeros_(self.plain.weight)
        nn.init.zeros_(self.plain.bias)
        if config.library == "end-to-end":
            self.register_buffer("segments", torch.zeros(config.count * config.choices, units))
            self.choice = nn.Parameter(torch.randn(config.count, len(self.segments)))

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings to try it with on a few samples."""
        return {"count": 8, "ratio": 0.5}

    @property
    def kept(self) -> int:
        """Concepts of a sample that have a say."""
        return kept(self.config.count, self.config.ratio)

    @property
    def explained_names(self) -> tuple[str, ...]:
        """The concepts, by number."""
        return tuple(f"concept {at}" for at in range(self.config.count))

    @property
    def concepts(self) -> Tensor:
        """Directions of the library among standardised units, shape (concept, unit)."""
        if self.config.library != "end-to-end":
            return self.body.concepts
        if not self.training:
            return functional.normalize(self.segments[self.choice.argmax(1)], dim=1)
        scores = SHARPNESS * functional.layer_norm(self.choice, self.choice.shape[1:])
        # Drawn hard, with the gradient of the soft choice: what is learnt is learnt about single segments.
        return functional.normalize(functional.gumbel_softmax(scores, hard=True) @ self.segments, dim=1)

    def explained(self, z: Representation) -> Tensor:
        """Similarities to the concepts that survive, zero for all others; shape (sample, concept)."""
        return self._surviving(self.standardised(z))

    def outcome(self, explained: Tensor) -> Tensor:
        """Logits or numbers from such similarities."""
        return self.prior + self.scale * self._read(explained)

    def score(self, x: Tensor) -> Tensor:
        """Weighted sum of the similarities that survive."""
        return self._read(self._surviving(x))

    def stages(self) -> tuple[Stage, ...]:
        """Encoders with a plain layer, if asked for; the library; then the layer that reads it."""
        learns = ("body", "choice")
        read = Stage(name="concepts", loss=self.loss, learns=learns, encoders=False)
        if not self.config.warm_up:
            return Stage(name="library", finish=self.make_library), read
        plain = Stage(
            name="warm-up", loss=self.plain_loss, learns=("plain",), share=self.config.warm_up, finish=self.make_library
        )
        return plain, read

    def plain_loss(self, z: Representation, batch: Batch) -> Tensor:
        """Negative log-likelihood of a linear layer on the units themselves; it has no say afterwards."""
        output = self.prior + self.scale * functional.linear(
            self.standardised(z), STRIDE * self.plain.weight, self.plain.bias
        )
        return self.likelihood_loss(output, batch)

    def make_library(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Make the library of what encoders say of the training samples.

        Raises
        ------
        DataError
            If there are fewer training samples than concepts to choose among.
        """
        rows = torch.cat([self.standardised(z).detach() for z, _ in parts])
        lot = torch.randperm(len(rows), generator=torch.Generator().manual_seed(self.config.seed)).to(rows.device)
        # What lies at the mean of everything points nowhere.
        rows = rows[lot]
        rows = rows[torch.linalg.vector_norm(rows, dim=1) > 0]
        asked = len(self.segments) if self.config.library == "end-to-end" else self.config.count
        if len(rows) < asked:
            times = f" times choices = {self.config.choices}" if self.config.library == "end-to-end" else ""
            raise DataError(
                f"head 'concept-bottleneck-sparse' makes its library of training samples, and {len(rows)} that differ from the mean "
                f"are too few for count = {self.config.count}{times}: ask for fewer concepts"
            )
        if self.config.library == "cluster":
            self.body.concepts.copy_(cluster_concepts(rows, self.config.count, seed=self.config.seed))
        elif self.config.library == "prototype":
            self.body.concepts.copy_(prototype_concepts(rows, self.config.count))
        else:
            self.segments.copy_(prototype_concepts(rows, len(self.segments)))

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each surviving concept adds to one output."""
        at, similarities = self.output_index(target), self.explained(z)
        contributions = similarities * (self.scale[at] * STRIDE * self.body.linear.weight[at])
        baseline = (self.prior[at] + self.scale[at] * self.body.linear.bias[at]).expand(len(similarities))
        return Explanation(
            "concept", target, self.explained_names, contributions, baseline, self(z)[:, at], similarities,
            self._told(contributions),
        )  # fmt: skip

    def _surviving(self, x: Tensor) -> Tensor:
        return self.body.scores(x, self.concepts)

    def _read(self, similarities: Tensor) -> Tensor:
        return functional.linear(similarities, STRIDE * self.body.linear.weight, self.body.linear.bias)

    def _told(self, contributions: Tensor) -> tuple[tuple[Evidence, ...], ...]:
        concepts = self.concepts.detach()
        count = min(UNITS_TOLD, concepts.shape[1])
        largest = concepts.abs().topk(count, dim=1).indices.tolist()
        texts = [
            "along " + ", ".join(f"{'+' if row[unit] > 0 else '-'}{self.config.units[unit]}" for unit in units)
            for row, units in zip(concepts.tolist(), largest, strict=True)
        ]
        sizes, places = contributions.detach().abs().topk(min(SHOWN, self.kept), dim=1)
        return tuple(
            tuple(Evidence(f"concept {at}", text=texts[at]) for size, at in zip(some, where, strict=True) if size > 0)
            for some, where in zip(sizes.tolist(), places.tolist(), strict=True)
        )
