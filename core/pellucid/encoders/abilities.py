"""What some encoders can do beside encoding, asked for by protocols: an encoder has an ability if it has its methods."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from pellucid.batch import Batch


@runtime_checkable
class WeighsRelations(Protocol):
    """An encoder of graphs with several relations that says of each sample how much it went by which.

    A choice is what it weighs: relations, chains of them, and perhaps none at all. A choice's weight is a share: within each of the sets
    of choices that it makes (its layers), shares add up to one.
    """

    @property
    def choice_names(self) -> tuple[str, ...]:
        """Names of the choices."""

    @property
    def choice_relations(self) -> tuple[tuple[int, ...], ...]:
        """Of each choice, which of the spec's relations it needs; empty where none."""

    def choice_weights(self, batch: Batch) -> Tensor:
        """Weights of the choices, shape (sample, choice); 0 where a sample's input is missing."""
