"""The contract of encoders: from a batch to named values."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.spec import InputSpec
from pellucid.graph_batch import GraphBatch
from pellucid.part import Config, Part
from pellucid.representation import Representation, TokenShape


class EncoderConfig(Config):
    """Settings every encoder has.

    Parameters
    ----------
    inputs : mapping of str to InputSpec
        The named inputs it reads; most encoders read one.
    """

    inputs: Mapping[str, InputSpec]


@dataclass(frozen=True, kw_only=True)
class EncoderTags:
    """What an encoder is fit for; checked before anything is built.

    Parameters
    ----------
    accepts : tuple of str
        Kinds of input it reads (``"image"``, ``"vector"`` ...).
    several_inputs : bool
        Whether it reads more than one named input at once.
    trains_alone : bool
        Whether it has a :meth:`Encoder.loss` of its own. If so it is trained first and then frozen, unless the study asks
        for joint training; if not, its parameters learn together with each head.
    adds_loss : bool
        Whether its :meth:`Encoder.loss` is added to that of the head with which it learns, though it is no loss to train by alone.
    decodes : bool
        Whether it can :meth:`Encoder.decode` values back into its input.
    deterministic : bool
        Whether two calls in evaluation mode give the same values.
    gives_codes : bool
        Whether its tokens have codes: entries of a codebook.
    """

    accepts: tuple[str, ...]
    several_inputs: bool = False
    trains_alone: bool = False
    adds_loss: bool = False
    decodes: bool = False
    deterministic: bool = True
    gives_codes: bool = False


class Encoder(Part):
    """``Batch -> Representation``."""

    tags: ClassVar[EncoderTags]
    config: EncoderConfig

    @property
    def input_name(self) -> str:
        """Name of the input, for encoders that read one."""
        (name,) = self.config.inputs
        return name

    def read(self, batch: Batch) -> Tensor:
        """The one input of this encoder, which is an array."""
        values: Tensor = batch.inputs[self.input_name]
        return values

    def graphs(self, batch: Batch) -> GraphBatch:
        """The one input of this encoder, which are graphs."""
        values: GraphBatch = batch.inputs[self.input_name]
        return values

    def known(self, batch: Batch) -> Tensor | None:
        """See :meth:`~pellucid.batch.Batch.known`, of the one input."""
        return batch.known(self.input_name)

    def present(self, batch: Batch) -> Tensor | None:
        """See :meth:`~pellucid.batch.Batch.present`, of the one input."""
        return batch.present(self.input_name)

    @classmethod
    def unit(cls, options: Mapping[str, Any]) -> str:
        """The physical unit of all its values with these settings, ``{}`` standing for that of its input.

        ``"{}"`` for a mean, ``"ln {}2"`` for the logarithm of a power. Empty, the default: they have none, or each its own.
        """
        return ""

    @property
    def centred(self) -> bool:
        """Whether units are measured from their mean over the training samples, so that some are negative. Default: no."""
        return False

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the units, before any batch is seen."""

    @property
    def token_shapes(self) -> Mapping[str, TokenShape]:
        """The sets of tokens that it hands on in evaluation mode, before any batch is seen. Default: none."""
        return {}

    @abstractmethod
    def forward(self, batch: Batch) -> Representation:
        """Encode a batch; in evaluation mode each sample is encoded as if it were alone."""

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn statistics in closed form (means, scales) from one pass over the training samples. Default: none."""

    def loss(self, batch: Batch) -> Tensor:
        """Loss of the encoder alone, mean over samples; only with ``tags.trains_alone`` or ``tags.adds_loss``."""
        raise TypeError(f"{type(self).__name__} has no loss of its own")

    def decode(self, values: Tensor) -> Tensor:
        """Input that the values stand for, shape ``(sample, *input shape)``; only with ``tags.decodes``."""
        raise TypeError(f"{type(self).__name__} cannot decode")
