"""What can be predicted, and the rules that follow from the kind: columns, steps between classes, decisions.

No torch here; :meth:`steps` takes tensors as well as arrays.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import Field

from pellucid.data.frozen import Frozen

Array = TypeVar("Array")
"""A numpy array or a torch tensor."""


class _Target(Frozen):
    about: str = ""

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """Names of what a head says: logits, or numbers."""

    @property
    def classes(self) -> int | None:
        """How many values a label may have, 0 .. n - 1; None for numbers."""
        return 2

    @property
    def class_names(self) -> tuple[str, ...]:
        """What a sample can be of: each class, both of a yes or no; of several labels the labels; none for numbers."""
        return self.outputs

    def columns(self, name: str) -> list[str]:
        """Columns of a table that hold this target under a name: ``name``, or ``name:<label>`` for several labels."""
        return [name]

    def steps(self, labels: Array) -> Array:
        """Labels with one column an output: yes or no for each class or step between classes, else as they are.

        Parameters
        ----------
        labels : ndarray or Tensor, shape (sample, column)

        Returns
        -------
        ndarray or Tensor, shape (sample, output)
        """
        return labels

    def decide(self, outputs: np.ndarray, threshold: float | np.ndarray = 0.5) -> np.ndarray:
        """What outputs come down to: yes at or above the threshold, the likeliest class, the number of steps passed.

        Parameters
        ----------
        outputs : ndarray, shape (sample, output)
            Probabilities, or numbers for regression.
        threshold : float or ndarray of shape (sample,)
            Where a probability becomes a yes. Of several labels the first is decided.

        Returns
        -------
        ndarray, shape (sample,)
            Classes as int; for regression the first number as it is.
        """
        return (outputs[:, 0] >= threshold).astype(int)


class Binary(_Target):
    """Yes or no; values 0 and 1. ``names`` are the names of the classes 0 and 1."""

    kind: Literal["binary"] = "binary"
    names: tuple[str, str]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the logits: one, for class 1."""
        return (self.names[1],)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Both."""
        return self.names


class MultiClass(_Target):
    """One of several classes; values 0 .. n - 1."""

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


class MultiLabel(_Target):
    """Any of several labels; the frame holds one 0/1 column ``target:name`` for each.

    Parameters
    ----------
    names : tuple of str
    partial : bool
        Whether single labels of a sample may be unknown (``NaN``): a table of many assays, each made of some of the samples.
        A sample then counts where it has any, and each label is learnt and judged from those that have it.
    """

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


class Ordinal(_Target):
    """One of several ordered classes; values 0 .. n - 1, increasing."""

    kind: Literal["ordinal"] = "ordinal"
    names: tuple[str, ...] = Field(min_length=3)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the logits: ``above the first class``, ``above the second`` ..., one fewer than classes."""
        return tuple(f"above {name}" for name in self.names[:-1])

    @property
    def class_names(self) -> tuple[str, ...]:
        """All, one more than outputs."""
        return self.names

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


class Regression(_Target):
    """Numbers with units; one frame column ``target`` or, for several names, ``target:name`` each."""

    kind: Literal["regression"] = "regression"
    names: tuple[str, ...] = Field(min_length=1)
    units: tuple[str, ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the predicted numbers."""
        return self.names

    @property
    def classes(self) -> None:
        """None."""
        return

    @property
    def class_names(self) -> tuple[str, ...]:
        """None."""
        return ()

    def columns(self, name: str) -> list[str]:
        """One a number."""
        return [f"{name}:{number}" for number in self.names] if len(self.names) > 1 else [name]

    def decide(self, outputs: np.ndarray, threshold: float | np.ndarray = 0.5) -> np.ndarray:
        """The first number, as it is."""
        return outputs[:, 0]


class Links(_Target):
    """Presence of an edge between two nodes of a graph; values 0 and 1."""

    kind: Literal["links"] = "links"
    relation: str

    @property
    def outputs(self) -> tuple[str, ...]:
        """Name of the one logit."""
        return (self.relation,)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Without it and with it."""
        return (f"no {self.relation}", self.relation)


ONE_CLASS_EACH = ("binary", "multiclass", "ordinal", "links")
"""Kinds whose samples have one class each, so that two classes at least are needed to learn anything."""

Target = Annotated[Binary | MultiClass | MultiLabel | Ordinal | Regression | Links, Field(discriminator="kind")]


def _counted(count: int, like: Any) -> Any:
    """0 .. count - 1, as a tensor on the same device where labels are one."""
    return like.new_tensor(range(count)) if hasattr(like, "new_tensor") else np.arange(count)
