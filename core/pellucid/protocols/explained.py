"""The space in which a head explains itself: the units it reads, or the concepts between them and the output."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.heads.base import Predictor
from pellucid.representation import Representation


@dataclass(frozen=True)
class Explained:
    """Outputs of a head as a function of the values that its explanations speak of.

    Parameters
    ----------
    head : Predictor
        In evaluation mode.
    names : tuple of str
        What contributions are of.
    """

    head: Predictor
    names: tuple[str, ...]

    def values(self, z: Representation) -> Tensor:
        """What is explained, shape (sample, value)."""
        return self.head.explained(z)

    def outputs(self, values: Tensor) -> Tensor:
        """Logits or numbers of the head, shape (row, value) to (row, output)."""
        return self.head.outcome(values)


def explained_space(head: Predictor, z: Representation) -> Explained | None:
    """The space that a head's explanations are in; None if it is one in which the output cannot be computed.

    Parameters
    ----------
    head : Predictor
    z : Representation
        Of any samples.
    """
    names = head.explain(z.rows(slice(0, 1)), head.outputs[0]).names
    return Explained(head, names) if names == head.explained_names else None


def known_units(head: Predictor, z: Representation) -> Tensor | None:
    """Which units of its explanations each sample has, bool, shape (sample, value); None where all have all."""
    return head.explain(z, head.outputs[0]).known


def contributions(head: Predictor, z: Representation) -> tuple[Tensor, Tensor]:
    """Contributions, shape (sample, output, value), and baselines, shape (sample, output), of every output."""
    found = [head.explain(z, name) for name in head.outputs]
    return (
        torch.stack([e.contributions.detach() for e in found], dim=1),
        torch.stack([e.baseline.detach() for e in found], dim=1),
    )
