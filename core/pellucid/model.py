"""A model: encoders side by side, and one head that reads what they say."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.batch import Batch, batch_of, collate
from pellucid.data.blocks import index_blocks
from pellucid.data.dataset import Dataset
from pellucid.data.samples import Sample
from pellucid.data.subjects import LearnedFrom
from pellucid.encoders.base import Encoder
from pellucid.errors import ContractError, DataError, abridged
from pellucid.explanation import Explanation
from pellucid.fingerprint import fingerprint
from pellucid.heads.base import Head, Predictor, probabilities
from pellucid.representation import Representation, concatenated, joined

if TYPE_CHECKING:
    import pandas as pd

BATCH = 256
"""Samples read at once where a model only looks; bounds memory, not results."""


@dataclass(frozen=True)
class Threshold:
    """Where a probability becomes a yes, chosen on validation subjects, and whom it has learnt from."""

    value: float = 0.5
    learned_from: LearnedFrom = field(default_factory=LearnedFrom)


class Model(nn.Module):
    """Encoders and a head, fitted or not.

    Parameters
    ----------
    encoders : mapping of str to Encoder
        By the prefix that their units' names get; in the order in which their units are joined.
    head : Head
    """

    def __init__(self, encoders: Mapping[str, Encoder], head: Head) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(encoders)
        self.head = head
        self.threshold = Threshold()
        self.opens: Callable[[Any], Dataset] | None = None
        """Makes a dataset from the domain's own objects; set where a model is loaded from a run."""

    @property
    def learned_from(self) -> LearnedFrom:
        """Everybody that any part of this model has learnt from, the threshold included."""
        total = self.head.learned_from | self.threshold.learned_from
        for _, encoder in self.named_encoders():
            total = total | encoder.learned_from
        return total

    @property
    def predictor(self) -> Predictor:
        """The head of a model that predicts.

        Raises
        ------
        ContractError
            If its head gives codes.
        """
        if not isinstance(self.head, Predictor):
            raise ContractError(f"head {type(self.head).__name__} predicts nothing: ask the model for its `codes`")
        return self.head

    def check(self) -> None:
        """Refuse a head that remembers encoders as they are no longer.

        Raises
        ------
        ContractError
            If an encoder has changed since training samples were remembered of it, or nothing was remembered yet.
        """
        if self.head.tags.remembers and (why := self.head.stale(fingerprint(self.named_encoders()))):
            raise ContractError(why)

    @torch.no_grad()
    def project(self, dataset: Dataset, target: str) -> None:
        """Let the head look at training samples again and remember them as the encoders see them now.

        What a fit does once the encoders have learnt all they will (projection, refit) is done again.

        Parameters
        ----------
        dataset : Dataset
            Training samples; this model has learnt from their subjects afterwards.
        target : str
            Name of the labels.

        Raises
        ------
        ContractError
            If the head remembers nothing.
        """
        if not self.head.tags.remembers:
            raise ContractError(f"head {type(self.head).__name__} remembers no training samples: nothing to project")
        self.eval()
        stages = self.head.stages()
        last = max((at for at, stage in enumerate(stages) if stage.moves_encoders), default=0)
        for stage in stages[last:]:
            if stage.finish is not None:
                samples = (batch for batch, _ in batches(dataset, target))
                stage.finish((self.encode(batch), batch) for batch in samples)
        self.head.remember(fingerprint(self.named_encoders()))
        self.head.learned_from = self.head.learned_from | dataset.learned_from | dataset.made_by

    def named_encoders(self) -> Iterator[tuple[str, Encoder]]:
        """Prefix and encoder, in order."""
        for name, encoder in self.encoders.items():
            assert isinstance(encoder, Encoder)
            yield name, encoder

    def encode(self, batch: Batch) -> Representation:
        """All encoders' units side by side, named ``prefix:unit``."""
        return joined([(name, encoder(batch)) for name, encoder in self.named_encoders()])

    def forward(self, batch: Batch) -> Tensor:
        """Logits, shape (sample, output)."""
        return self.head(self.encode(batch))

    @torch.no_grad()
    def logits(self, data: Dataset | Sample | Sequence[Sample]) -> Tensor:
        """Logits (or codes) in evaluation mode, shape (sample, output)."""
        self.check()
        return torch.cat([self.eval()(batch) for batch, _ in self._batches(data)])

    @torch.no_grad()
    def codes(self, data: Any) -> pd.DataFrame:
        """What a head that gives codes says, one row a sample, one column a feature.

        Parameters
        ----------
        data : Dataset, Sample, list of Sample, or the domain's own objects
            See :meth:`predict`.

        Raises
        ------
        ContractError
            If the head predicts a target.
        DataError
            If these are activations of another model or layer than it has learnt from.
        """
        import pandas as pd

        if isinstance(self.head, Predictor):
            raise ContractError(f"head {type(self.head).__name__} predicts a target: ask the model to `predict`")
        data = self._opened(data)
        ids = [i for _, some in self._batches(data) for i in some]
        found = self.logits(data).cpu().numpy()
        return pd.DataFrame(found, index=pd.Index(ids, name="sample"), columns=list(self.head.explained_names))

    @torch.no_grad()
    def representation(self, data: Dataset | Sample | Sequence[Sample]) -> Representation:
        """What the encoders say, in evaluation mode."""
        parts = [self.eval().encode(batch) for batch, _ in self._batches(data)]
        return concatenated(parts)

    def predict(self, data: Any) -> pd.DataFrame:
        """Probabilities (numbers for regression), one row a sample, one column an output.

        Parameters
        ----------
        data : Dataset, Sample, list of Sample, or the domain's own objects
            Objects (an open scan with its mask, a recording) are understood by a model that was loaded from a run, if
            its dataset can be made from them; see :meth:`~pellucid.data.dataset.Dataset.of_objects`.
        """
        import pandas as pd

        data = self._opened(data)
        ids = [i for _, some in self._batches(data) for i in some]
        return pd.DataFrame(
            self.chances(data), index=pd.Index(ids, name="sample"), columns=list(self.predictor.outputs)
        )

    def chances(self, data: Dataset | Sample | Sequence[Sample]) -> np.ndarray:
        """What :meth:`predict` says, float32, shape (sample, output), without the samples' names."""
        with torch.no_grad():
            return probabilities(self.predictor.config.target, self.logits(data)).cpu().numpy()

    def explain(self, data: Any, target: str | None = None) -> Explanation:
        """Explain one output for each sample, in evaluation mode.

        Parameters
        ----------
        data : Dataset, Sample, list of Sample, or the domain's own objects
            See :meth:`predict`.
        target : str, optional
            Name of the output; the first by default.

        Raises
        ------
        DataError
            If these are activations of another model or layer than it has learnt from.
        """
        self.eval()
        self.check()
        parts = []
        for batch, ids in self._batches(self._opened(data)):
            with torch.no_grad():
                z = self.encode(batch)
            found = self.head.explain(z, target or self.head.outputs[0])
            parts.append(
                replace(
                    found,
                    contributions=found.contributions.detach(),
                    baseline=found.baseline.detach(),
                    output=found.output.detach(),
                    values=None if found.values is None else found.values.detach(),
                    samples=tuple(ids),
                )
            )
        return Explanation.joined(parts)

    def _batches(self, data: Dataset | Sample | Sequence[Sample]) -> Iterator[tuple[Batch, list[str]]]:
        """:func:`batches`, unless another model has made the samples than those that the head has learnt from."""
        if isinstance(data, Dataset) and data.origin and self.head.origin and data.origin != self.head.origin:
            raise DataError(
                f"dataset {data.spec.name!r} holds what {data.origin} says, but this model has learnt from {self.head.origin}: its "
                "features mean nothing there. Collect that layer of that model (pellucid activations RUN --layer LAYER)"
            )
        return batches(data)

    def _opened(self, data: Any) -> Any:
        if self.opens is None or isinstance(data, Dataset | Sample):
            return data
        if isinstance(data, Sequence) and all(isinstance(one, Sample) for one in data):
            return data
        opened = self.opens(data)
        if opened.findings:
            told = [f"{one.sample}: {one.what} {one.where}".strip() for one in opened.findings]
            some = abridged(told, 3, between="; ")
            warnings.warn(f"what is judged is not as it should be: {some}", UserWarning, stacklevel=3)
        return opened


def batches(data: Dataset | Sample | Sequence[Sample], target: str | None = None) -> Iterator[tuple[Batch, list[str]]]:
    """Batches with sample ids, of a dataset in chunks or of loose samples at once.

    Raises
    ------
    DataError
        If there is nothing to read.
    """
    if isinstance(data, Sample):
        data = [data]
    if not isinstance(data, Dataset) and not (isinstance(data, Sequence) and all(isinstance(s, Sample) for s in data)):
        raise DataError(
            f"a model reads a dataset, one of its samples or a list of samples, not a {type(data).__name__}"
        )
    if len(data) == 0:
        raise DataError("nothing to read: no samples were given")
    if isinstance(data, Dataset):
        for at in index_blocks(len(data), BATCH):
            yield collate(data, at, target), [str(i) for i in data.frame.index[at]]
    else:
        yield batch_of(data), [sample.id for sample in data]
