"""What some datasets know beside their samples, asked for by protocols (:meth:`pellucid.data.dataset.Dataset.ability`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pellucid.data.dataset import Dataset

Act = Callable[[Mapping[str, np.ndarray]], np.ndarray]
"""From inputs by name, each of shape (sample, ...), to outputs, float64, shape (sample, output)."""


@runtime_checkable
class KnowsEquations(Protocol):
    """A dataset whose targets are made by known equations, reached by :meth:`pellucid.data.dataset.Dataset.ability`."""

    def true_equations(self, target: str) -> Mapping[str, Mapping[str, float]]:
        """Of each output of a target, the coefficient of each term of its equation; empty where they are not known.

        Terms are named as ``polynomial-library`` names products: ``"x*y"``, ``"x^2"``, ``"1"``, variables in the order of the input.
        """


@runtime_checkable
class KnowsEdits(Protocol):
    """A dataset whose targets are made by a known rule, reached by :meth:`pellucid.data.dataset.Dataset.ability`."""

    def edited_targets(
        self, target: str, samples: Sequence[str], names: Sequence[str], values: np.ndarray
    ) -> np.ndarray | None:
        """What the target would be of some samples if quantities of them had other values.

        Parameters
        ----------
        target : str
        samples : sequence of str
            Their names.
        names : sequence of str
            Quantities, in the order of the columns of ``values``.
        values : ndarray, shape (sample, quantity)

        Returns
        -------
        ndarray, shape (sample, output), optional
            One column an output; None where these quantities are none of the rule's.
        """


@runtime_checkable
class HasTask(Protocol):
    """A dataset that can try what a model says, reached by :meth:`pellucid.data.dataset.Dataset.ability`."""

    def attempted(self, target: str, rows: npt.NDArray[np.integer], act: Act) -> Mapping[str, np.ndarray]:
        """Try outputs, each from the situation of one sample; a task of many steps asks ``act`` again and again.

        Parameters
        ----------
        target : str
            What ``act`` says.
        rows : ndarray of int
            Samples of this dataset whose situations are begun with.
        act : callable
            What says the outputs. Inputs that are not the samples' own may be asked about.

        Returns
        -------
        mapping of str to ndarray, shape (sample,)
            ``"score"``, from 0 to 1: how far the task was done. ``"success"``, 0 or 1: whether it was. Further columns are shares that
            are told beside (which way was taken); NaN where there is nothing to tell.
        """


def true_equations(dataset: Dataset, target: str) -> Mapping[str, Mapping[str, float]]:
    """What :class:`KnowsEquations` says, of any part or changed copy of a dataset; empty where nobody knows."""
    known = dataset.ability(KnowsEquations)  # type: ignore[type-abstract]
    return {} if known is None else known.true_equations(target)
