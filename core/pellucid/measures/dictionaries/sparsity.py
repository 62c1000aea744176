"""How many features are on in a row, how often each one is, and which never are.

Codes count as on above zero. Codes that carry a sign (a variational code, say) need ``signed=True``; without it they
are warned about, as negative ones would count as off.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import DataError, nearest
from pellucid.measures.dictionaries.exactness import defined, exact
from pellucid.measures.dictionaries.subject_moments import SubjectMoments
from pellucid.statistics.bootstrap import Statistic

LEAST_ROWS = 50_000
"""Rows that must have been seen, and ten for each feature at least, before a feature that was never on is called dead."""

ROWS_A_FEATURE = 10


def l0(codes: Tensor, *, signed: bool = False) -> float:
    """Features that are on, mean over rows. Used by all.

    The trap: a measure of reconstruction at another L0 flatters whichever is denser.

    Parameters
    ----------
    codes : Tensor, shape (row, feature)
    signed : bool
        Negative codes count as on.

    Examples
    --------
    >>> l0(torch.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]]))
    1.5
    """
    return defined(exact(_counts(_on(codes, signed), 1)).mean(), "l0", "there are no rows")


def l1(codes: Tensor, *, signed: bool = False) -> float:
    """Sum of the codes of a row, of their sizes if ``signed``; mean over rows.

    The trap: it says nothing unless atoms have length 1, as codes can shrink while atoms grow.
    """
    _on(codes, signed)  # refuses what is no table of codes, warns about negative ones
    return defined(_sums(exact(codes), signed).mean(), "l1", "there are no rows")


def hoyer(codes: Tensor) -> float:
    """Hoyer's sparsity, mean over rows: 1 if one feature is on, 0 if all are equally on. Used by overcomplete.

    NaN, with a warning, if there is a row with nothing on, or one feature only.

    References
    ----------
    Hoyer (2004), JMLR 5, 1457-1469.
    """
    unless = "a row has nothing on, or there is one feature only"
    return defined(_hoyer_rows(exact(codes)).mean(), "hoyer", unless)


def density(codes: Tensor, *, signed: bool = False) -> Tensor:
    """Share of rows in which each feature is on, shape (feature,), float64; NaN, with a warning, without rows."""
    if not len(codes):
        defined(torch.nan, "density", "there are no rows")
    return exact(_counts(_on(codes, signed), 0)) / len(codes)


def dead_fraction(codes: Tensor, *, signed: bool = False, least_rows: int | None = None) -> float:
    """Share of features that are off in every row, of enough rows.

    The trap: on few rows rare features look dead. With fewer rows than ``least_rows`` (50 000, and ten for each
    feature) this is NaN, with a warning; :func:`frac_alive` has no such condition. In training others count a feature
    as dead after 10 000 000 rows (dictionary_learning) or some steps (OpenAI) without firing, which is another number.
    """
    return _dead(_counts(_on(codes, signed), 0), len(codes), least_rows)


def frac_alive(codes: Tensor, *, signed: bool = False) -> float:
    """Share of features that are on in at least one of the rows given, however few. Used by dictionary_learning."""
    return defined(_alive(_counts(_on(codes, signed), 0), len(codes)), "frac_alive", "there are no rows")


_ROWS = ("l0", "l1", "hoyer")


class RunningSparsity:
    """The measures of this module over rows that come in batches, with sums kept by subject for an interval.

    ``l0``, ``l1`` and ``hoyer`` can be had as statistics of weights. What counts features that were ever on cannot: a
    resample of subjects can only lose features, so its replicates would all be on one side.

    Parameters
    ----------
    signed : bool
        Negative codes count as on.
    least_rows : int, optional
        See :func:`dead_fraction`.

    Examples
    --------
    >>> running = RunningSparsity(least_rows=2)
    >>> running.add(torch.tensor([[1.0, 0.0, 2.0]])); running.add(torch.tensor([[0.0, 0.0, 3.0]]))
    >>> running.result()["l0"], round(running.result()["dead_fraction"], 3)
    (1.5, 0.333)
    """

    def __init__(self, *, signed: bool = False, least_rows: int | None = None) -> None:
        self.signed, self.least_rows = signed, least_rows
        self._rows = SubjectMoments()
        self._on = torch.zeros(0, dtype=torch.int64)
        self._count = 0

    @property
    def subjects(self) -> np.ndarray:
        """Subjects in the order in which a statistic expects its weights, shape (subject,)."""
        return self._rows.subjects

    @property
    def density(self) -> Tensor:
        """Share of rows in which each feature is on, shape (feature,), float64."""
        return self._on.to(torch.float64) / self._count

    def add(self, codes: Tensor, subjects: Sequence[object] | np.ndarray | None = None) -> None:
        """Take in a batch of codes, shape (row, feature), with ``subjects`` of shape (row,)."""
        on, whole = _on(codes, self.signed), exact(codes)
        self._join(_counts(on, 0).to("cpu", torch.int64), len(codes))
        rows = (exact(_counts(on, 1)), _sums(whole, self.signed), _hoyer_rows(whole))
        self._rows.add(torch.stack(rows, dim=1), subjects)

    def merge(self, other: RunningSparsity) -> None:
        """Take in what another one has seen, subject by subject."""
        self._rows.merge(other._rows)
        self._join(other._on, other._count)

    def _join(self, on: Tensor, count: int) -> None:
        if not count:
            return
        if self._count and len(on) != len(self._on):
            raise DataError(f"codes of {len(on)} features after codes of {len(self._on)}: one dictionary, please")
        self._on = on + self._on if self._count else on.clone()
        self._count += count

    def statistic(self, name: str = "l0") -> Statistic:
        """``l0``, ``l1`` or ``hoyer`` as a function of weights, shape (..., subject).

        Raises
        ------
        DataError
            If there is no such measure.
        """
        if name not in _ROWS:
            raise DataError(f"no running measure of sparsity named {name!r}{nearest(name, _ROWS)}")
        column = _ROWS.index(name)

        def at(weights: np.ndarray) -> np.ndarray:
            if not len(self.subjects):
                return np.full(weights.shape[:-1], np.nan)
            found = self._rows.weighted(weights).mean[..., column]
            return np.where(np.isfinite(found), found, np.nan)

        return at

    def result(self) -> dict[str, float]:
        """Every measure over all rows so far; NaN, with a warning, where it is not defined."""
        nothing = "nothing was added"
        ones = np.ones(len(self.subjects))
        found = {name: float(self.statistic(name)(ones)) for name in _ROWS}
        hoyer_unless = "a row has nothing on, or there is one feature only"
        return {
            **{name: defined(found[name], name, hoyer_unless if name == "hoyer" else nothing) for name in _ROWS},
            "frac_alive": defined(_alive(self._on, self._count), "frac_alive", nothing),
            "dead_fraction": _dead(self._on, self._count, self.least_rows),
        }


def _on(codes: Tensor, signed: bool) -> Tensor:
    if codes.ndim != 2:
        raise DataError(f"codes have shape {tuple(codes.shape)}, expected (row, feature): flatten positions to rows")
    if signed:
        return codes != 0
    if _negative(codes):
        warnings.warn(
            "codes hold negative values, which count as off: pass signed=True if their sign says something",
            UserWarning,
            stacklevel=3,
        )
    return codes > 0


def _counts(on: Tensor, dim: int) -> Tensor:
    """How many are on, as a product in float32, which is exact up to 16 million and far faster than a sum of bools."""
    ones = torch.ones(on.shape[dim], device=on.device)
    return on.float() @ ones if dim == 1 else ones @ on.float()


def _negative(codes: Tensor) -> bool:
    return codes.numel() > 0 and bool(codes.amin() < 0)


def _sums(codes: Tensor, signed: bool) -> Tensor:
    return (codes.abs() if signed else codes).sum(1)


def _hoyer_rows(codes: Tensor) -> Tensor:
    most = codes.shape[1] ** 0.5
    ratio = _sums(codes, signed=_negative(codes)) / codes.norm(dim=1)
    return (most - ratio) / (most - 1) if most > 1 else torch.full_like(ratio, torch.nan)


def _alive(on: Tensor, rows: int) -> float:
    return float((on > 0).double().mean()) if rows else torch.nan


def _dead(on: Tensor, rows: int, least_rows: int | None) -> float:
    needed = max(ROWS_A_FEATURE * len(on), LEAST_ROWS) if least_rows is None else least_rows
    share = 1 - _alive(on, rows) if rows >= needed else torch.nan
    return defined(share, "dead_fraction", f"{rows} rows were seen and {needed} are needed to call a feature dead")
