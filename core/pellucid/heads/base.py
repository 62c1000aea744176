"""The contract of heads: from named values to logits or codes, with an explanation of each output."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field
from torch import Tensor
from torch.nn import Parameter, functional

from pellucid.batch import Batch
from pellucid.data.spec import Concepts, Target
from pellucid.errors import ContractError, nearest
from pellucid.explanation import Explanation
from pellucid.heads.inputs import HeadInputs, unfit_by_tags
from pellucid.heads.tags import HeadTags as HeadTags
from pellucid.part import Config, Part
from pellucid.representation import Representation, TokenShape

if TYPE_CHECKING:
    from pellucid.data.dataset import Dataset


class HeadConfig(Config):
    """Facts every head is built from.

    Parameters
    ----------
    units : tuple of str
        Names of the representation's units, ``input:unit``.
    tokens : mapping of str to TokenShape
        Sets of tokens that the encoders hand on, for heads that read places rather than values.
    """

    units: tuple[str, ...]
    tokens: Mapping[str, TokenShape] = Field(default_factory=dict)


class PredictorConfig(HeadConfig):
    """Facts every head that predicts is built from, beside those of :class:`HeadConfig`.

    Parameters
    ----------
    target : Target
        What is predicted.
    concepts : Concepts, optional
        Human ratings of the dataset, for heads that use them.
    """

    target: Target
    concepts: Concepts | None = None


Loss = Callable[[Representation, Batch], Tensor]
"""Mean loss over the samples of a batch."""

Finish = Callable[[Iterable[tuple[Representation, Batch]]], None]
"""Something done with one pass over the training samples."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One part of a head's training: epochs of steps, then one pass over the training samples, or either alone.

    Parameters
    ----------
    name : str
        Part of the checkpoint's name and of the seed.
    loss : callable, optional
        What steps minimise, a method of the head called with (representation, batch); None: nothing learns by steps.
    learns : tuple of str
        Prefixes of the parameters that learn (``("concepts",)``); ``("",)`` means all.
    share : float
        Share of the head's epochs.
    encoders : bool
        Whether encoders that learn with the head learn in this stage too.
    finish : callable, optional
        A method of the head called when the stage ends (projection, refit) with one pass over the training samples: pairs of
        representation and batch, as :meth:`Head.prepare` gets them, encoders in evaluation mode. A head that
        ``remembers`` is then told the fingerprint of its encoders.
    """

    name: str
    loss: Loss | None = None
    learns: tuple[str, ...] = ("",)
    share: float = 1.0
    encoders: bool = True
    finish: Finish | None = None

    @property
    def moves_encoders(self) -> bool:
        """Whether encoders say something else after this stage."""
        return self.loss is not None and self.encoders

    def parameters(self, head: Head) -> list[Parameter]:
        """The head's parameters that learn in this stage."""
        if self.loss is None:
            return []
        return [parameter for name, parameter in head.named_parameters() if name.startswith(self.learns)]

    @contextmanager
    def learning(self, head: Head) -> Iterator[None]:
        """Let those of a head's parameters learn that this stage names, for the length of a block."""
        before = {name: parameter.requires_grad for name, parameter in head.named_parameters()}
        head.requires_grad_(False)
        for parameter in self.parameters(head):
            parameter.requires_grad_(True)
        try:
            yield
        finally:
            for name, parameter in head.named_parameters():
                parameter.requires_grad_(before[name])


class Head(Part):
    """``Representation -> logits or codes`` with an explanation."""

    tags: ClassVar[HeadTags]
    config: HeadConfig

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """Names of what it can be asked to explain."""

    @abstractmethod
    def forward(self, z: Representation) -> Tensor:
        """Logits or codes, one row a sample."""

    @abstractmethod
    def explain(self, z: Representation, target: str) -> Explanation:
        """Explain one output for each sample. ``target`` is one of :attr:`outputs`."""

    @abstractmethod
    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Mean loss over samples."""

    @classmethod
    def unfit_for_inputs(cls, given: HeadInputs) -> str:
        """Why it cannot read what it would be given, as what follows its name in a message; an empty string where it can.

        Asked before it is built. The default asks what its :attr:`tags` say. A head that needs something else of its encoders
        or of the data (tokens in lines of one length, say) overrides this, and asks ``super()`` first.
        """
        return unfit_by_tags(cls.tags, given)

    def unfit_for(self, dataset: Dataset) -> str:
        """Why nothing could be learnt from data that fit by their description, or an empty string; asked before anything is fitted."""
        return ""

    def prepare(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn statistics in closed form from one pass over the training samples. Default: none."""

    def stages(self) -> tuple[Stage, ...]:
        """How training proceeds. Default: all parameters, one stage."""
        return (Stage(name="fit", loss=self.loss),)

    @property
    def explained_names(self) -> tuple[str, ...]:
        """What its explanations speak of; by default the representation's units."""
        return self.config.units

    def lasting(self, name: str) -> bool:
        """Whether what its explanations call so is the same thing when it is fitted to other samples. Default: if it remembers none."""
        return not self.tags.remembers

    def remember(self, encoders: Tensor) -> None:
        """Keep the fingerprint of the encoders that something was remembered of; only with ``tags.remembers``."""
        raise TypeError(f"{type(self).__name__} remembers nothing of its encoders")

    def stale(self, encoders: Tensor) -> str:
        """Why what was remembered does not belong to encoders of this fingerprint, or an empty string."""
        return ""

    def output_index(self, target: str) -> int:
        """Position of an output.

        Raises
        ------
        ContractError
            If there is none of this name.
        """
        if target not in self.outputs:
            raise ContractError(
                f"no output named {target!r}{nearest(target, self.outputs)}; outputs: {', '.join(self.outputs)}"
            )
        return self.outputs.index(target)


class Predictor(Head):
    """A head that predicts a target: ``Representation -> logits`` (for numbers: predictions), shape (sample, output)."""

    config: PredictorConfig

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the logits."""
        return self.config.target.outputs

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Mean loss over samples; the likelihood of the target by default."""
        return target_loss(self.config.target, self(z), batch)

    def explained(self, z: Representation) -> Tensor:
        """Values of what its explanations speak of (units, concepts, similarities), shape (sample, name)."""
        return z.values

    def outcome(self, explained: Tensor) -> Tensor:
        """Logits from the values of :meth:`explained`, which somebody may have changed; shape (sample, output)."""
        return self(Representation(explained, self.explained_names))


def labels_of(batch: Batch) -> Tensor:
    """Labels of a batch, shape (sample, column).

    Raises
    ------
    ContractError
        If it carries none.
    """
    if batch.targets is None:
        raise ContractError(
            "a head learns from labelled samples, and this batch carries no labels; collate it with a target"
        )
    return batch.targets


def target_loss(target: Target, logits: Tensor, batch: Batch) -> Tensor:
    """Negative log-likelihood of a batch's labels, mean over samples (regression: half the squared error).

    Of several labels those that are unknown (``NaN``) are left out of the mean.
    """
    return LIKELIHOODS[target.kind].loss(target, logits, labels_of(batch))


def probabilities(target: Target, logits: Tensor) -> Tensor:
    """What logits say, shape (sample, output): chances of classes or labels, of lying above for ordinal, or the numbers."""
    return LIKELIHOODS[target.kind].said(logits)


def prior_logits(target: Target, chance: Tensor) -> Tensor:
    """Logits of which the probabilities are these, shape (output,): what to say of a sample of which nothing is known."""
    return LIKELIHOODS[target.kind].undone(chance)


def _of_each(target: Any, logits: Tensor, labels: Tensor) -> Tensor:
    if not target.is_partial:
        return functional.binary_cross_entropy_with_logits(logits, labels)
    known = ~labels.isnan()
    each = functional.binary_cross_entropy_with_logits(logits, labels.nan_to_num(0.0), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


def _of_steps(target: Any, logits: Tensor, labels: Tensor) -> Tensor:
    # Cumulative logits, one for each step between neighbouring classes.
    return functional.binary_cross_entropy_with_logits(logits, target.steps(labels).to(logits.dtype))


def _of_classes(target: Any, logits: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(logits, labels[:, 0].long())


def _of_numbers(target: Any, logits: Tensor, labels: Tensor) -> Tensor:
    return 0.5 * functional.mse_loss(logits, labels)


@dataclass(frozen=True)
class Likelihood:
    """What logits mean for one kind of target.

    Parameters
    ----------
    loss : callable
        Target, logits and labels to the negative log-likelihood, mean over samples.
    said : callable
        Logits to probabilities, or numbers.
    undone : callable
        Its inverse.
    """

    loss: Callable[[Any, Tensor, Tensor], Tensor]
    said: Callable[[Tensor], Tensor]
    undone: Callable[[Tensor], Tensor]


LIKELIHOODS: Mapping[str, Likelihood] = {
    **{kind: Likelihood(_of_each, Tensor.sigmoid, Tensor.logit) for kind in ("binary", "multilabel", "links")},
    "multiclass": Likelihood(_of_classes, lambda logits: logits.softmax(1), Tensor.log),
    "ordinal": Likelihood(_of_steps, Tensor.sigmoid, Tensor.logit),
    "regression": Likelihood(_of_numbers, lambda logits: logits, lambda numbers: numbers),
}
"""By kind of target."""
