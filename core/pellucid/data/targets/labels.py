"""Targets of labels that are there or not: any of several, and links between nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from pellucid.data.targets.base import BaseTarget, listed


class MultiLabel(BaseTarget):
    """Any of several labels; the frame holds one 0/1 column ``target:name`` for each.

    Parameters
    ----------
    names : tuple of str
    partial : bool
        Whether single labels of a sample may be unknown (``NaN``): a table of many assays, each made of some of the samples.
        A sample then counts where it has any, and each label is learnt and judged from those that have it.
    """

    several_labels: ClassVar[bool] = True
    one_class_each: ClassVar[bool] = False
    each_output: ClassVar[str] = "each label"
    kind: Literal["multilabel"] = "multilabel"
    names: tuple[str, ...] = Field(min_length=1)
    partial: bool = False

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the logits, one a label."""
        return self.names

    def columns(self, name: str) -> list[str]:
        """One a label."""
        return [f"{name}:{label}" for label in self.names]

    @property
    def is_partial(self) -> bool:
        """Whether it is ``partial``."""
        return self.partial

    def said(self, values: np.ndarray) -> str:
        """Those that it has."""
        return _those_of(self.outputs, values)

    def question(self) -> str:
        """Which of these?"""
        return f"Which of these: {listed(self.names)}?"

    def balance(self, values: np.ndarray) -> dict[str, Any]:
        """How many samples have each."""
        return _counts(self.outputs, values)

    def explained_output(self, chances: np.ndarray, labels: np.ndarray, threshold: float) -> np.ndarray:
        """See :func:`explained_label`."""
        return explained_label(chances, labels, threshold)

    def decided_output(self, chances: np.ndarray, threshold: float, output: int) -> np.ndarray:
        """Whether that label is called."""
        return (chances[:, output] >= threshold).astype(float)


class Links(BaseTarget):
    """Presence of an edge between two nodes of a graph; values 0 and 1."""

    yes_or_no: ClassVar[bool] = True
    kind: Literal["links"] = "links"
    relation: str

    @property
    def outputs(self) -> tuple[str, ...]:
        """Name of the one logit."""
        return (self.relation,)

    def said(self, values: np.ndarray) -> str:
        """The relation, or none."""
        return _those_of(self.outputs, values)

    def question(self) -> str:
        """Which pairs?"""
        return f"Which pairs are linked by {self.relation}?"

    def output_columns(self) -> list[str]:
        """One."""
        return ["probability"]

    def balance(self, values: np.ndarray) -> dict[str, Any]:
        """How many are linked."""
        return _counts(self.outputs, values)


def explained_label(chances: np.ndarray, labels: np.ndarray, threshold: float) -> np.ndarray:
    """Of several labels the one to explain of each sample: what the model is most wrong about, else what it says most strongly.

    A case that is shown as an error must explain the error: the wrong label furthest from the truth. Where all labels are
    right, it is the one with the highest probability.

    Parameters
    ----------
    chances : ndarray, shape (sample, label)
        Probabilities.
    labels : ndarray, shape (sample, label)
        0 and 1; NaN where a label is not known, which is explained only where none is.
    threshold : float

    Returns
    -------
    ndarray of int, shape (sample,)

    Examples
    --------
    >>> chances = np.array([[0.9, 0.8, 0.1], [0.9, 0.8, 0.1], [0.2, 0.3, 0.1]])
    >>> explained_label(chances, np.array([[1, 1, 0], [1, 0, 1], [0, 0, 0]]), 0.5).tolist()
    [0, 2, 1]
    """
    known = np.isfinite(labels)
    error = np.where(known, np.abs(chances - labels), -1.0)
    wrong = known & ((chances >= threshold) != (labels == 1))
    strength = np.where(known | ~known.any(1, keepdims=True), chances, -1.0)
    found = np.where(wrong.any(1), np.where(wrong, error, -1.0).argmax(1), strength.argmax(1))
    return np.asarray(found, np.int64)


def _those_of(outputs: Sequence[str], values: np.ndarray) -> str:
    return listed([name for name, value in zip(outputs, values, strict=True) if value == 1]) or "none"


def _counts(outputs: Sequence[str], values: np.ndarray) -> dict[str, Any]:
    return {name: int(np.nansum(values[:, i])) for i, name in enumerate(outputs)}
