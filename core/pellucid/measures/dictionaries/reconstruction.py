"""How much of ``x`` a reconstruction keeps. :func:`explained_variance` is the measure to report; the others carry the
names under which they are published, and differ from it where their docstrings say.

Not offered, as it is a mistake: the ``explained_variance`` that SAELens and SAEBench printed from March 2025 to March
2026 took the variance about zero, not about the mean, and can exceed 1. Numbers of that time compare to nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import DataError, nearest
from pellucid.measures.dictionaries.exactness import ROUNDING, defined, exact, same_shape
from pellucid.measures.dictionaries.subject_moments import SubjectMoments, Weighted
from pellucid.statistics.bootstrap import Statistic

DEFAULT = "explained_variance"
"""The measure to report where only one is."""

_FLAT = "x does not vary"
_NO_LENGTH = "a row of x has length zero"


def explained_variance(x: Tensor, reconstruction: Tensor) -> float:
    """One minus the squared error over the squared distance from the mean, both summed over all rows. The default.

    1 is a perfect reconstruction, 0 is what predicting the mean of the rows reaches; there is no lower bound. Used by
    whoever says R2 and means it. The trap: averaged over batches it is another number, as each batch has its own mean;
    use :class:`RunningReconstruction`.

    Parameters
    ----------
    x, reconstruction : Tensor, shape (row, unit)

    Returns
    -------
    float
        NaN, with a warning, if ``x`` does not vary.

    Raises
    ------
    DataError
        If the shapes differ.

    Examples
    --------
    >>> explained_variance(torch.tensor([[2.0, 0.0], [0.0, 4.0]]), torch.tensor([[2.0, 1.0], [0.0, 3.0]]))
    0.8
    """
    x, found = _pair(x, reconstruction)
    return defined(1 - (x - found).square().sum() / _spread(x), "explained_variance", _FLAT)


def fvu(x: Tensor, reconstruction: Tensor) -> float:
    """Fraction of variance unexplained: 1 - :func:`explained_variance`. Used by EleutherAI and RecSAE; less is better."""
    x, found = _pair(x, reconstruction)
    return defined((x - found).square().sum() / _spread(x), "fvu", _FLAT)


def ev_legacy(x: Tensor, reconstruction: Tensor) -> float:
    """Mean over rows of one minus each row's squared error over its own squared distance from the mean.

    The numbers in the SAEBench paper; SAELens and SAEBench still print them as legacy. The trap: rows near the mean
    weigh without bound (one row on it, and the number is not defined), and the mean is that of the batch, so the number
    depends on how rows are batched.
    """
    x, found = _pair(x, reconstruction)
    return defined(_legacy_rows(x, found).mean(), "ev_legacy", "a row of x is the mean of all rows")


def frac_variance_explained(x: Tensor, reconstruction: Tensor) -> float:
    """One minus the variance of the error over the variance of ``x``, both summed over units.

    Used by dictionary_learning, averaged over batches there. The trap: the error is centred, so a reconstruction that
    is off by the same amount in every row is forgiven.
    """
    x, found = _pair(x, reconstruction)
    residual = x - found
    centred = (residual - residual.mean(0)).square().sum()
    return defined(1 - centred / _spread(x), "frac_variance_explained", _FLAT)


def r2_global_mean(x: Tensor, reconstruction: Tensor) -> float:
    """One minus the squared error over the squared distance from ONE number, the mean of all entries.

    Used by overcomplete. The trap: where units have different means, predicting the mean row scores above 0.
    """
    x, found = _pair(x, reconstruction)
    flat = (x - x.mean()).square().sum()
    flat = torch.where(flat > ROUNDING * x.square().sum(), flat, torch.nan)
    return defined(1 - (x - found).square().sum() / flat, "r2_global_mean", "all entries of x are equal")


def nmse(x: Tensor, reconstruction: Tensor) -> float:
    """Mean over rows of the squared error over the squared length of the row; less is better.

    Used by OpenAI. The trap: nothing is centred, so activations with a large mean look easy.
    """
    x, found = _pair(x, reconstruction)
    return defined(_nmse_rows(x, found).mean(), "nmse", _NO_LENGTH)


def mse(x: Tensor, reconstruction: Tensor) -> float:
    """Mean over rows of the squared error SUMMED over units; less is better.

    The trap: others take the mean over units too, or the square root of each row (dictionary_learning's ``l2_loss``).
    """
    x, found = _pair(x, reconstruction)
    return defined((x - found).square().sum(1).mean(), "mse", "there are no rows")


def cossim(x: Tensor, reconstruction: Tensor) -> float:
    """Mean over rows of the cosine between row and reconstruction.

    Used by all. The trap: it does not see a reconstruction that is too short, see :func:`l2_ratio`.
    """
    x, found = _pair(x, reconstruction)
    return defined(_cosine_rows(x, found).mean(), "cossim", "a row or its reconstruction has length zero")


def l2_ratio(x: Tensor, reconstruction: Tensor) -> float:
    """Mean over rows of the length of the reconstruction over that of the row; below 1 where codes shrink.

    Used by dictionary_learning and SAEBench. The trap: 1 is not perfect, only of the right length.
    """
    x, found = _pair(x, reconstruction)
    return defined(_length_rows(x, found).mean(), "l2_ratio", _NO_LENGTH)


def rel_recon_bias(x: Tensor, reconstruction: Tensor) -> float:
    """Mean squared length of the reconstruction over its mean product with ``x``: 1 unbiased, below 1 shrunk.

    Used by dictionary_learning and SAEBench (equation 10 of arXiv 2404.16014, whose gamma is its inverse).
    """
    x, found = _pair(x, reconstruction)
    share = found.square().sum() / (x * found).sum()
    return defined(share, "rel_recon_bias", "the reconstruction is at right angles to x or zero")


MEASURES: dict[str, Callable[[Tensor, Tensor], float]] = {
    measure.__name__: measure
    for measure in (
        explained_variance,
        fvu,
        ev_legacy,
        frac_variance_explained,
        r2_global_mean,
        nmse,
        mse,
        cossim,
        l2_ratio,
        rel_recon_bias,
    )
}
"""Every measure of this module by its name, the default first."""


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
    """The measures of this module over rows that come in batches, with sums kept by subject for an interval.

    Memory is two rows for each subject, whatever the number of rows. All measures are those of one call on all rows
    (to rounding of float64) but :func:`ev_legacy`, whose mean is that of each batch.

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
        x, found = _pair(x, reconstruction)
        rows = {
            "nmse": _nmse_rows(x, found),
            "cossim": _cosine_rows(x, found),
            "l2_ratio": _length_rows(x, found),
            "ev_legacy": _legacy_rows(x, found),
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


def _pair(x: Tensor, reconstruction: Tensor) -> tuple[Tensor, Tensor]:
    same_shape(x, reconstruction, ("x", "reconstruction"))
    return exact(x), exact(reconstruction)


def _spread(x: Tensor) -> Tensor:
    spread = (x - x.mean(0)).square().sum()
    return torch.where(spread > ROUNDING * x.square().sum(), spread, torch.nan)


def _legacy_rows(x: Tensor, found: Tensor) -> Tensor:
    away = (x - x.mean(0)).square().sum(1)
    away = torch.where(away > ROUNDING * x.square().sum(1), away, torch.nan)
    return 1 - (x - found).square().sum(1) / away


def _nmse_rows(x: Tensor, found: Tensor) -> Tensor:
    return (x - found).square().sum(1) / x.square().sum(1)


def _cosine_rows(x: Tensor, found: Tensor) -> Tensor:
    return (x * found).sum(1) / (x.norm(dim=1) * found.norm(dim=1))


def _length_rows(x: Tensor, found: Tensor) -> Tensor:
    return found.norm(dim=1) / x.norm(dim=1)
