"""The space in which a head explains itself: the units it reads, or the concepts between them and the output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from pellucid.heads.base import Head
from pellucid.representation import Representation


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


@dataclass(frozen=True)
class Explained:
    """Outputs and contributions of a head as functions of the values that its explanations speak of.

    Parameters
    ----------
    head : Head
        In evaluation mode.
    names : tuple of str
        What contributions are of.
    by_concepts : bool
        Whether these are concepts; otherwise they are the representation's units.
    """

    head: Head
    names: tuple[str, ...]
    by_concepts: bool

    def values(self, z: Representation) -> Tensor:
        """What is explained, shape (sample, value)."""
        return _values(self.head, z, self.by_concepts)

    def outputs(self, values: Tensor) -> Tensor:
        """Logits or numbers of the head, shape (row, value) to (row, output)."""
        if self.by_concepts:
            assert isinstance(self.head, ByConcepts)
            return self.head.outcome(values)
        return self.head(Representation(values, self.names))


def explained_space(head: Head, z: Representation) -> Explained | None:
    """The space that a head's explanations are in; None if it is one in which the output cannot be computed.

    Parameters
    ----------
    head : Head
    z : Representation
        Of any samples: the names of its units are compared with those of an explanation.
    """
    some = Representation(z.values[:1], z.names)
    names = head.explain(some, head.outputs[0]).names
    by_concepts = names != z.names
    if by_concepts and not (isinstance(head, ByConcepts) and head.concept_names == names):
        return None
    return Explained(head, names, by_concepts)


def contributions(head: Head, z: Representation) -> tuple[Tensor, Tensor]:
    """Contributions, shape (sample, output, value), and baselines, shape (sample, output), of every output."""
    found = [head.explain(z, name) for name in head.outputs]
    return (
        torch.stack([e.contributions.detach() for e in found], dim=1),
        torch.stack([e.baseline.detach() for e in found], dim=1),
    )


def _values(head: Head, z: Representation, by_concepts: bool) -> Tensor:
    if not by_concepts:
        return z.values
    assert isinstance(head, ByConcepts)
    return head.handed_on(head.concepts(z))
