"""Measures of reconstruction over rows that come in batches, with sums by subject."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import DataError, nearest
from pellucid.measures.dictionaries.exactness import ROUNDING, defined
from pellucid.measures.dictionaries.reconstruction import (
    DEFAULT,
    checked_pair,
    cosine_of_rows,
    legacy_of_rows,
    length_ratio_of_rows,
    nmse_of_rows,
)
from pellucid.measures.dictionaries.subject_moments import SubjectMoments, Weighted
from pellucid.statistics.bootstrap import Statistic


class _Sums(NamedTuple):
    x: Weighted
    residual: Weighted
    rows: Weighted

    def row(self, name: str) -> np.ndarray:
        return self.rows.mean[..., _ROWS.index(name)]

    @property
    def error(self) -> np.ndarray:
        return self.residual.about(0.0)


_ROWS = ("nmse", "cossim", "l2_ratio", "ev_legacy", "length", "product")


def _global_spread(sums: _Sums) -> np.ndarray:
    found = sums.x.about(sums.x.mean.mean(-1, keepdims=True))
    return np.where(found > ROUNDING * sums.x.about(0.0), found, np.nan)


def _centred(moments: Weighted) -> np.ndarray:
    # An error that is the same in every row does not vary, which is known here, not undefined.
    return np.where(np.isnan(moments.squares) & np.isfinite(moments.mean).all(-1), 0.0, moments.squares)


_FORMULAS: dict[str, Callable[[_Sums], np.ndarray]] = {
    "explained_variance": lambda sums: 1 - sums.error / sums.x.squares,
    "fvu": lambda sums: sums.error / sums.x.squares,
    "ev_legacy": lambda sums: sums.row("ev_legacy"),
    "frac_variance_explained": lambda sums: 1 - _centred(sums.residual) / sums.x.squares,
    "r2_global_mean": lambda sums: 1 - sums.error / _global_spread(sums),
    "nmse": lambda sums: sums.row("nmse"),
    "mse": lambda sums: sums.error / sums.residual.mass,
    "cossim": lambda sums: sums.row("cossim"),
    "l2_ratio": lambda sums: sums.row("l2_ratio"),
    "rel_recon_bias": lambda sums: sums.row("length") / sums.row("product"),
}


class RunningReconstruction:
    """The measures of :mod:`~pellucid.measures.dictionaries.reconstruction` over rows that come in batches.

    Sums are kept by subject, for an interval over subjects. Memory is two rows for each subject, whatever the number of rows. All
    measures are those of one call on all rows (to rounding of float64) but
    :func:`~pellucid.measures.dictionaries.reconstruction.ev_legacy`, whose mean is that of each batch.

    Examples
    --------
    >>> from pellucid.statistics.bootstrap import interval, subject_weights
    >>> running = RunningReconstruction()
    >>> for seed in range(3):
    ...     x = torch.randn(20, 4, generator=torch.Generator().manual_seed(seed))
    ...     running.add(x, 0.5 * x, subjects=[f"s{seed}-{row // 2}" for row in range(20)])
    >>> round(running.result()["l2_ratio"], 3)
    0.5
    >>> found = interval(running.statistic("explained_variance"), subject_weights(running.subjects))
    >>> found.low < found.value < found.high
    True
    """

    def __init__(self) -> None:
        self._x, self._residual, self._rows = SubjectMoments(), SubjectMoments(), SubjectMoments()

    @property
    def subjects(self) -> np.ndarray:
        """Subjects in the order in which a statistic expects its weights, shape (subject,)."""
        return self._x.subjects

    def add(self, x: Tensor, reconstruction: Tensor, subjects: Sequence[object] | np.ndarray | None = None) -> None:
        """Take in a batch: ``x`` and ``reconstruction`` of shape (row, unit), ``subjects`` of shape (row,)."""
        x, found = checked_pair(x, reconstruction)
        rows = {
            "nmse": nmse_of_rows(x, found),
            "cossim": cosine_of_rows(x, found),
            "l2_ratio": length_ratio_of_rows(x, found),
            "ev_legacy": legacy_of_rows(x, found),
            "length": found.square().sum(1),
            "product": (x * found).sum(1),
        }
        self._x.add(x, subjects)
        self._residual.add(x - found, subjects)
        self._rows.add(torch.stack([rows[name] for name in _ROWS], dim=1), subjects)

    def merge(self, other: RunningReconstruction) -> None:
        """Take in what another one has seen, subject by subject."""
        self._x.merge(other._x)
        self._residual.merge(other._residual)
        self._rows.merge(other._rows)

    def statistic(self, name: str = DEFAULT) -> Statistic:
        """A measure as a function of weights, shape (..., subject), for the intervals of :mod:`~pellucid.statistics`.

        NaN, with no warning, where the rows drawn leave it undefined.

        Raises
        ------
        DataError
            If there is no such measure.
        """
        if name not in _FORMULAS:
            raise DataError(f"no running measure of reconstruction named {name!r}{nearest(name, _FORMULAS)}")

        def at(weights: np.ndarray) -> np.ndarray:
            if not len(self.subjects):
                return np.full(weights.shape[:-1], np.nan)
            with np.errstate(invalid="ignore", divide="ignore"):
                sums = _Sums(self._x.weighted(weights), self._residual.weighted(weights), self._rows.weighted(weights))
                found = np.asarray(_FORMULAS[name](sums))
                return np.where(np.isfinite(found), found, np.nan)

        return at

    def result(self) -> dict[str, float]:
        """Every measure over all rows so far; NaN, with a warning, where it is not defined."""
        ones = np.ones(len(self.subjects))
        undefined = "nothing was added, x does not vary, or a row has length zero"
        return {name: defined(float(self.statistic(name)(ones)), name, undefined) for name in _FORMULAS}
