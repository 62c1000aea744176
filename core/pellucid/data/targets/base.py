"""What follows from the kind of a target, whichever it is: columns, steps between classes, decisions, words.

No torch here; :meth:`BaseTarget.steps` takes tensors as well as arrays.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np

from pellucid.data.frozen import Frozen

Array = TypeVar("Array")
"""A numpy array or a torch tensor."""


class BaseTarget(Frozen):
    """What every kind of target says of itself."""

    about: str = ""

    yes_or_no: ClassVar[bool] = False
    """Whether one output says yes or no of a sample, at a threshold that is chosen."""

    exclusive: ClassVar[bool] = False
    """Whether just one of the outputs is true of a sample, so that their probabilities add up to 1."""

    several_labels: ClassVar[bool] = False
    """Whether any number of the outputs are true of a sample."""

    numeric: ClassVar[bool] = False
    """Whether outputs are numbers with units and no probabilities."""

    one_class_each: ClassVar[bool] = True
    """Whether each sample has one class, so that two classes at least are needed to learn anything."""

    each_output: ClassVar[str] = ""
    """What a mean over outputs is a mean over, in words."""

    decided_by: ClassVar[str] = "at the threshold, which was chosen beforehand"
    """How outputs come down to a class, in words."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """Names of what a head says: logits, or numbers."""

    @property
    def classes(self) -> int | None:
        """How many values a label may have, 0 .. n - 1; None for numbers."""
        return 2

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

    @property
    def is_partial(self) -> bool:
        """Whether single labels of a sample may be unknown."""
        return False

    @property
    def categories(self) -> tuple[str, ...]:
        """What a sample can be of: each class, both of a yes or no; of several labels the labels; none for numbers."""
        return self.outputs if self.several_labels else self.class_names()

    def class_names(self, output: str = "") -> tuple[str, ...]:
        """What each value of a label is called; of several labels those of ``output``, the first by default; none of numbers."""
        return (self.no_name(output), output or self.outputs[0])

    def no_name(self, output: str = "", mark: str = "{}") -> str:
        """What a no is called; ``mark`` sets off names of the data (``"“{}”"``)."""
        return f"not {mark.format(output or self.outputs[0])}"

    def said(self, values: np.ndarray) -> str:
        """The labels of one sample in words, from shape (column,)."""
        return self.class_names()[int(values[0])]

    @abstractmethod
    def question(self) -> str:
        """What is asked of a sample, as a reader would ask it."""

    def output_columns(self) -> list[str]:
        """Columns of a table that hold what was said: ``probability`` for yes or no, else ``probability:<output>``."""
        return [f"probability:{name}" for name in self.outputs]

    def labels(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """1, 0 or NaN of each sample by the name of each label that is there or not, from shape (sample, column)."""
        return {name: values[:, at] for at, name in enumerate(self.outputs)}

    def halves(self, values: np.ndarray) -> np.ndarray:
        """A question that labels answer: the first label, the commonest class, or above the median; bool, shape (sample,)."""
        return np.asarray(values[:, 0] > 0.5)

    def strata(self, values: np.ndarray) -> np.ndarray:
        """A class for each sample to balance folds by, shape (sample,): the label, the first of several, or quintiles of a number."""
        # A label that is unknown is a class of its own: -1.
        return np.nan_to_num(values[:, 0], nan=-1.0)

    def balance(self, values: np.ndarray) -> dict[str, Any]:
        """How many samples have each label, or the means of numbers, by name."""
        return {name: int((values[:, 0] == i).sum()) for i, name in enumerate(self.class_names())}

    @property
    def leading(self) -> int:
        """Position of the output that stands for all where one must: of steps between classes the middle one."""
        return 0

    @property
    def followed(self) -> tuple[str, ...]:
        """Outputs that are looked at one by one: all, or the leading one where the others say much the same."""
        return self.outputs

    def explained_output(self, chances: np.ndarray, labels: np.ndarray, threshold: float) -> np.ndarray:
        """Position of the output to explain of each sample: the predicted class, what :func:`explained_label` says, or the leading one.

        Parameters
        ----------
        chances : ndarray, shape (sample, output)
        labels : ndarray, shape (sample, column)
        threshold : float
        """
        return np.full(len(chances), self.leading)

    def decided_output(self, chances: np.ndarray, threshold: float, output: int) -> np.ndarray:
        """What was called of each sample where an output is explained, float, shape (sample,)."""
        return self.decide(chances, threshold).astype(float)


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *most, last = names or [""]
    return f"{', '.join(most)} and {last}" if most else last
