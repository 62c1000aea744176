"""What one part said of all test samples, beside what is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Predictions:
    """What one part said of all test samples.

    Parameters
    ----------
    target : Target
    labels : ndarray, shape (sample, label)
    outputs : ndarray, shape (sample, output)
        Probabilities, or numbers for regression.
    threshold, folds, subjects : ndarray, shape (sample,)
    noun : str
        What is counted, in the words of the data: ``"samples"``, or what several members of the group are called.
    by_subject : bool
        Whether there is one row a subject.
    """

    target: Any
    labels: np.ndarray
    outputs: np.ndarray
    threshold: np.ndarray
    folds: np.ndarray
    subjects: np.ndarray
    noun: str = "samples"
    by_subject: bool = False

    @classmethod
    def of(
        cls, rows: pd.DataFrame, target: Any, columns: Sequence[str], *, threshold: float | str = 0.5
    ) -> Predictions:
        """What rows of an assessment say.

        Parameters
        ----------
        rows : DataFrame
            Of one part: ``subject``, ``fold`` (0 throughout, if left out), and labels in the columns that the target has of ``label``.
        target : Target
        columns : sequence of str
            Where the outputs are, in the target's order.
        threshold : float or str
            From which probability on it is a yes, or the column that says so.
        """
        at = rows[threshold].to_numpy(np.float64) if isinstance(threshold, str) else np.full(len(rows), threshold)
        return cls(
            target,
            rows[list(target.columns("label"))].to_numpy(np.float64),
            rows[list(columns)].to_numpy(np.float64),
            at,
            rows["fold"].to_numpy() if "fold" in rows else np.zeros(len(rows), int),
            rows["subject"].to_numpy(str),
        )

    @property
    def decisions(self) -> np.ndarray:
        """Class of each sample: yes at or above the threshold, the likeliest class, or the number of steps above."""
        return np.asarray(self.target.decide(self.outputs, self.threshold))

    @property
    def indicators(self) -> np.ndarray:
        """A yes or no for every output, shape (sample, output)."""
        return np.asarray(self.target.steps(self.labels), np.float64)

    @property
    def stated(self) -> tuple[np.ndarray, np.ndarray]:
        """What is so, and with which probability it was stated: yes, or for several classes that the likeliest is right."""
        if self.target.exclusive:
            return (self.labels[:, 0] == self.decisions).astype(float), self.outputs.max(1)
        return self.labels[:, 0], self.outputs[:, 0]

    def per_subject(self, several: str) -> Predictions:
        """One row a subject (``several`` is what they are called): the highest probability of its samples, and yes if any is yes."""
        names, first, of = np.unique(self.subjects, return_index=True, return_inverse=True)
        labels = np.full((len(names), self.labels.shape[1]), -np.inf)
        outputs = np.full((len(names), self.outputs.shape[1]), -np.inf)
        np.fmax.at(labels, of, self.labels)
        labels[np.isneginf(labels)] = np.nan
        np.maximum.at(outputs, of, self.outputs)
        return replace(
            self,
            labels=labels,
            outputs=outputs,
            threshold=self.threshold[first],
            folds=self.folds[first],
            subjects=names,
            noun=several,
            by_subject=True,
        )
