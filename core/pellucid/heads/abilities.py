"""What some heads can do beside predicting, asked for by protocols: a head has an ability if it has its methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from torch import Tensor

from pellucid.heads.base import PredictorConfig
from pellucid.representation import Representation

if TYPE_CHECKING:
    from pellucid.data.dataset import Dataset


@runtime_checkable
class ByConcepts(Protocol):
    """A head whose output is a function of predicted concepts, which a person may correct."""

    @property
    def concept_names(self) -> tuple[str, ...]:
        """Names of the concepts."""

    def concepts(self, z: Representation) -> Tensor:
        """Predicted concepts, in their own units."""

    def whole_steps(self, ratings: Tensor) -> Tensor:
        """The nearest ratings that a person can give."""

    def handed_on(self, ratings: Tensor) -> Tensor:
        """What the output is computed from."""

    def outcome(self, ratings: Tensor) -> Tensor:
        """Outputs from concepts."""


@runtime_checkable
class ByIntermediate(Protocol):
    """A head that first says something that a person can read, and decides by it and by the sample.

    A plan or a summary: what :class:`ByConcepts` is where ratings alone decide. ``intermediate-necessity`` tries whether the
    output follows it.
    """

    @property
    def intermediate_names(self) -> tuple[str, ...]:
        """Names of its numbers."""

    def intermediate(self, z: Representation) -> Tensor:
        """What it says, in the numbers' own units, shape (sample, number)."""

    def decided(self, z: Representation, intermediate: Tensor) -> Tensor:
        """Outputs with another one in its place, all else as in the sample; with its own, the outputs as they are."""


@runtime_checkable
class ReadsCounts(Protocol):
    """A head that takes the units of some encoders for counts, which are never negative."""

    @property
    def counted(self) -> tuple[str, ...]:
        """Prefixes of these encoders."""


@runtime_checkable
class ByText(Protocol):
    """A head that compares samples with sentences, and may write one."""

    text_name: str

    @property
    def writes(self) -> bool:
        """Whether it can write a sentence."""

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """A vector for each text, to be compared by cosine with what the head says of samples."""

    def write(self, z: Representation) -> list[str]:
        """A sentence for each sample."""


@runtime_checkable
class AnswersWithout(Protocol):
    """A head that can write without any sample: from its question, or from nothing."""

    def write_without(self, count: int) -> list[str]:
        """What it writes so many times."""


@runtime_checkable
class ByPlaces(Protocol):
    """A head whose output is a sum over tokens, so that it says of itself what each place of the input adds."""

    tokens_name: str

    def place_contributions(self, z: Representation, target: str) -> Tensor:
        """What each token adds to one output, shape (sample, token); 0 where there is none.

        All together are what the contributions of an explanation are that speak of no unit of an encoder.
        """


@runtime_checkable
class KnowsWords(Protocol):
    """A head that can say of a text that it knows none of its words."""

    def lacking(self, text: str, dataset: Dataset) -> tuple[str, ...]:
        """Words of a text of which it knows none, or before it is fitted could learn none from a dataset."""


@runtime_checkable
class HasEquations(Protocol):
    """A head whose outputs are sums of terms times coefficients."""

    coefficients: Tensor
    inclusion: Tensor
    low: Tensor
    high: Tensor
    level: Tensor
    """Of each output and unit of the representation, shape (output, unit): the coefficient, how sure it is that the term belongs there
    (0 to 1), the 5 and 95 % quantiles of the coefficient, and the size below which one is taken for 0."""

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of the units without the encoder that says them, where they then still differ."""

    def equations(self) -> Mapping[str, str]:
        """Each output as a sum of terms, for people."""


@runtime_checkable
class StepByStep(Protocol):
    """A head that has an output after every step of an encoder."""

    config: PredictorConfig
    tokens_name: str
    step_names: tuple[str, ...]

    def outputs_by_step(self, z: Representation) -> Tensor:
        """Outputs at the start and after each step, shape (sample, step + 1, output)."""


@runtime_checkable
class Draws(Protocol):
    """A head that can give several answers for a sample, where its prediction is one of them, or what lies between them."""

    config: PredictorConfig

    def draw(self, z: Representation, count: int, seed: int = 0) -> Tensor:
        """So many answers for each sample, shape (draw, sample, output); the same seed gives the same for the same samples."""
