"""What some encoders can do beside encoding, asked for by protocols: an encoder has an ability if it has its methods."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from pellucid.batch import Batch


@runtime_checkable
class WeighsRelations(Protocol):
    """An encoder of graphs with several relations that says of each sample how much it went by which.

    A choice is what it weighs: a relation, a chain of them, or none. Choices stand in sets (one a layer), and within each set their
    weights add up to one.
    """

    @property
    def choice_names(self) -> tuple[str, ...]:
        """Names of the choices, those of a set one after the other."""

    @property
    def choice_sets(self) -> tuple[int, ...]:
        """Of each choice, which set it stands in, from 0."""

    @property
    def choice_relations(self) -> tuple[tuple[int, ...], ...]:
        """Of each choice, which of the spec's relations it needs; empty where none."""

    def choice_weights(self, batch: Batch) -> Tensor:
        """Weights of the choices, shape (sample, choice); 0 where a sample's input is missing."""
