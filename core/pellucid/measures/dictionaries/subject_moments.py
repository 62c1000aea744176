"""Moments of rows that come in batches, kept for each subject, so that subjects can be resampled afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import DataError
from pellucid.measures.dictionaries.exactness import ROUNDING, exact

NOBODY = ""
"""The subject of rows that were given without one."""


class Weighted(NamedTuple):
    """Moments of all rows under weights of shape (..., subject)."""

    mass: np.ndarray
    """Rows, each counted as often as its subject: shape (...,)."""
    mean: np.ndarray
    """Shape (..., column)."""
    squares: np.ndarray
    """Squared distances from that mean, summed over rows and columns: shape (...,). NaN where nothing varies."""

    def about(self, point: np.ndarray | float) -> np.ndarray:
        """Squared distances from another point than the mean, summed over rows and columns."""
        away = self.mass * np.square(self.mean - point).sum(-1)
        return np.where(np.isnan(self.squares), 0.0, self.squares) + away


@dataclass(frozen=True)
class MomentsBySubject:
    """Moments of each subject's rows, in the order of weights.

    Parameters
    ----------
    count : ndarray, shape (subject,)
        Rows.
    mean : ndarray, shape (subject, column)
    squares : ndarray, shape (subject,)
        Squared distances of the subject's rows from its own mean, summed over rows and columns.
    """

    count: np.ndarray
    mean: np.ndarray
    squares: np.ndarray

    def weighted(self, weights: np.ndarray) -> Weighted:
        """Moments of all rows when each subject counts with a weight, shape (..., subject)."""
        count, mean, squares = self.count, self.mean, self.squares
        with np.errstate(invalid="ignore", divide="ignore"):
            centre = count @ mean / count.sum()
            away = mean - centre
            mass = weights @ count
            shift = (weights * count) @ away / mass[..., None]
            whole = weights @ (squares + count * np.square(away).sum(1))
            found = whole - mass * np.square(shift).sum(-1)
            # Below this, what is left of the difference is rounding: of the difference itself, or of the means.
            level = np.maximum(1e-12 * whole, ROUNDING * mass * np.square(centre + shift).sum(-1))
            return Weighted(mass, centre + shift, np.where(found > level, found, np.nan))


class SubjectMoments:
    """Count, mean and squared distances from the mean of the rows of each subject, in float64.

    Batches are joined by the update of Chan, Golub and LeVeque (1979), which never subtracts large numbers: the result
    is that of two passes over all rows.

    Examples
    --------
    >>> moments = SubjectMoments()
    >>> moments.add(torch.tensor([[1.0], [3.0]]), ["a", "b"]); moments.add(torch.tensor([[5.0]]), ["a"])
    >>> moments.weighted(np.array([1.0, 1.0])).mean
    array([3.])
    >>> moments.weighted(np.array([2.0, 0.0])).squares      # subject a drawn twice: 1, 1, 5, 5
    array(16.)
    """

    def __init__(self) -> None:
        self._place: dict[str, int] = {}
        self._count = torch.zeros(0, dtype=torch.float64)
        self._mean = torch.zeros(0, 0, dtype=torch.float64)
        self._squares = torch.zeros(0, dtype=torch.float64)

    @property
    def subjects(self) -> np.ndarray:
        """Subjects in the order in which weights are expected, shape (subject,)."""
        return np.array(list(self._place), dtype=str)

    def add(self, rows: Tensor, subjects: Sequence[object] | np.ndarray | None = None) -> None:
        """Take in rows of shape (row, column); without ``subjects``, shape (row,), all belong to one.

        Raises
        ------
        DataError
            If there is not one subject for each row, or the columns are others than before.
        """
        rows = exact(rows)
        if not len(rows):
            return
        given = np.full(len(rows), NOBODY) if subjects is None else np.asarray(subjects).astype(str)
        if given.shape != (len(rows),):
            raise DataError(f"{len(rows)} rows with subjects of shape {given.shape}: one subject for each row, please")
        names, inverse = np.unique(given, return_inverse=True)
        of = torch.from_numpy(inverse).to(rows.device)
        count = torch.bincount(of, minlength=len(names)).to(torch.float64)
        mean = rows.new_zeros(len(names), rows.shape[1]).index_add_(0, of, rows) / count[:, None]
        squares = rows.new_zeros(len(names)).index_add_(0, of, (rows - mean[of]).square().sum(1))
        self._join(names.tolist(), count.cpu(), mean.cpu(), squares.cpu())

    def merge(self, other: SubjectMoments) -> None:
        """Take in what another one has seen, subject by subject: parts of a data set can be read by several workers."""
        if len(other._place):
            self._join(list(other._place), other._count, other._mean, other._squares)

    def _join(self, names: list[str], count: Tensor, mean: Tensor, squares: Tensor) -> None:
        if not self._place:
            self._mean = mean.new_zeros(0, mean.shape[1])
        if mean.shape[1] != self._mean.shape[1]:
            raise DataError(f"rows of {mean.shape[1]} columns after rows of {self._mean.shape[1]}: one width, please")
        for name in names:
            self._place.setdefault(name, len(self._place))
        new = len(self._place) - len(self._count)
        self._count = torch.cat([self._count, count.new_zeros(new)])
        self._mean = torch.cat([self._mean, mean.new_zeros(new, mean.shape[1])])
        self._squares = torch.cat([self._squares, squares.new_zeros(new)])
        at = torch.tensor([self._place[name] for name in names])
        before, total = self._count[at], self._count[at] + count
        # Without rows before there is nothing to be away from, whatever is in the new mean (infinite, even).
        away = torch.where(before[:, None] > 0, mean - self._mean[at], torch.zeros_like(mean))
        self._squares[at] += squares + away.square().sum(1) * before * count / total
        self._mean[at] = torch.where(before[:, None] > 0, self._mean[at] + away * (count / total)[:, None], mean)
        self._count[at] = total

    def of(self, subjects: Sequence[object] | np.ndarray) -> MomentsBySubject:
        """Moments of some subjects, in their order.

        Raises
        ------
        KeyError
            If a subject has no rows.
        """
        at = [self._place[str(name)] for name in subjects]
        return MomentsBySubject(self._count.numpy()[at], self._mean.numpy()[at], self._squares.numpy()[at])

    def weighted(self, weights: np.ndarray) -> Weighted:
        """Moments of all rows when each subject counts with a weight, shape (..., subject)."""
        return MomentsBySubject(self._count.numpy(), self._mean.numpy(), self._squares.numpy()).weighted(weights)
