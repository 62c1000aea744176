"""Targets of which each sample has one class."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from pellucid.data.targets.base import BaseTarget, listed


class Binary(BaseTarget):
    """Yes or no; values 0 and 1. ``names`` are the names of the classes 0 and 1."""

    yes_or_no: ClassVar[bool] = True
    kind: Literal["binary"] = "binary"
    names: tuple[str, str]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the logits: one, for class 1."""
        return (self.names[1],)

    def no_name(self, output: str = "", mark: str = "{}") -> str:
        """The name of class 0."""
        return mark.format(self.names[0])

    def question(self) -> str:
        """This or that?"""
        return f"{_sentence_case(self.names[1])} or {self.names[0]}?"

    def output_columns(self) -> list[str]:
        """One."""
        return ["probability"]


class MultiClass(BaseTarget):
    """One of several classes; values 0 .. n - 1."""

    exclusive: ClassVar[bool] = True
    each_output: ClassVar[str] = "each class against the others"
    decided_by: ClassVar[str] = "by the likeliest class"
    kind: Literal["multiclass"] = "multiclass"
    names: tuple[str, ...] = Field(min_length=2)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the logits, one a class."""
        return self.names

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.names)

    def steps(self, labels: Any) -> Any:
        """Whether each sample is of each class."""
        return labels == _counted(len(self.names), labels)

    def decide(self, outputs: np.ndarray, threshold: float | np.ndarray = 0.5) -> np.ndarray:
        """The likeliest class."""
        return outputs.argmax(1)

    def class_names(self, output: str = "") -> tuple[str, ...]:
        """Its names."""
        return self.names

    def question(self) -> str:
        """Which one?"""
        return f"Which one: {listed(self.names)}?"

    def labels(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """Whether each sample is of each class."""
        known = np.isfinite(values[:, 0])
        return {name: np.where(known, values[:, 0] == at, np.nan) for at, name in enumerate(self.names)}

    def halves(self, values: np.ndarray) -> np.ndarray:
        """Whether a sample is of the commonest class."""
        classes, counts = np.unique(values[:, 0], return_counts=True)
        return np.asarray(values[:, 0] == classes[counts.argmax()])

    def explained_output(self, chances: np.ndarray, labels: np.ndarray, threshold: float) -> np.ndarray:
        """The likeliest class."""
        return np.asarray(chances.argmax(1))


class Ordinal(BaseTarget):
    """One of several ordered classes; values 0 .. n - 1, increasing."""

    each_output: ClassVar[str] = "each step"
    decided_by: ClassVar[str] = "by the number of steps thought likelier than not"
    kind: Literal["ordinal"] = "ordinal"
    names: tuple[str, ...] = Field(min_length=3)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the logits: ``above the first class``, ``above the second`` ..., one fewer than classes."""
        return tuple(f"above {name}" for name in self.names[:-1])

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.names)

    def steps(self, labels: Any) -> Any:
        """Whether each sample lies above each class but the last."""
        return labels > _counted(len(self.outputs), labels)

    def decide(self, outputs: np.ndarray, threshold: float | np.ndarray = 0.5) -> np.ndarray:
        """The number of steps thought likelier than not."""
        return (outputs > 0.5).sum(1)

    def class_names(self, output: str = "") -> tuple[str, ...]:
        """Its names."""
        return self.names

    def question(self) -> str:
        """Which step?"""
        return f"Which step, from {self.names[0]} to {self.names[-1]}?"

    def labels(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """None."""
        return {}

    def halves(self, values: np.ndarray) -> np.ndarray:
        """Whether a sample lies above the median class."""
        return np.asarray(values[:, 0] > np.median(values[:, 0]))

    @property
    def leading(self) -> int:
        """The middle step."""
        return (len(self.outputs) - 1) // 2

    @property
    def followed(self) -> tuple[str, ...]:
        """The middle step."""
        return (self.outputs[self.leading],)


def _counted(count: int, like: Any) -> Any:
    """0 .. count - 1, as a tensor on the same device where labels are one."""
    return like.new_tensor(range(count)) if hasattr(like, "new_tensor") else np.arange(count)


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
