"""Data that know the equations behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pellucid.data.dataset import Dataset


@runtime_checkable
class KnowsEquations(Protocol):
    """A dataset whose targets are made by known equations, reached by :meth:`pellucid.data.dataset.Dataset.ability`."""

    def true_equations(self, target: str) -> Mapping[str, Mapping[str, float]]:
        """Of each output of a target, the coefficient of each term of its equation; empty where they are not known.

        Terms are named as ``polynomial-library`` names products: ``"x*y"``, ``"x^2"``, ``"1"``, variables in the order of the input.
        """


def true_equations(dataset: Dataset, target: str) -> Mapping[str, Mapping[str, float]]:
    """What :class:`KnowsEquations` says, of any part or changed copy of a dataset; empty where nobody knows."""
    known = dataset.ability(KnowsEquations)  # type: ignore[type-abstract]
    return {} if known is None else known.true_equations(target)
