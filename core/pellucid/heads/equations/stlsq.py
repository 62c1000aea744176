"""Sequentially thresholded least squares: which few columns, with what coefficients, make several targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

Floats = npt.NDArray[np.float64]

ILL_CONDITIONED = 1e10
"""Condition of the scaled normal equations from which rows are decomposed instead: of 16 digits 6 would be left."""

DEPENDENT = 1e-10
"""Share of the largest singular value below which a direction of the scaled columns counts as none."""


@dataclass(frozen=True)
class NormalEquations:
    """What least squares needs of rows, with columns brought to one length.

    Parameters
    ----------
    gram : ndarray, shape (column, column)
        Of the scaled columns.
    moment : ndarray, shape (column, target)
    lengths : ndarray, shape (column,)
        What each column was divided by; 1 where it is zero throughout.
    rows : int
    """

    gram: Floats
    moment: Floats
    lengths: Floats
    rows: int

    @classmethod
    def of(cls, columns: Floats, targets: Floats) -> NormalEquations:
        """From shape (row, column) and (row, target)."""
        both = columns.T @ columns
        lengths = np.sqrt(both.diagonal())
        lengths = np.where(lengths > 0, lengths, 1.0)
        return cls(both / np.outer(lengths, lengths), (columns.T @ targets) / lengths[:, None], lengths, len(columns))


def stlsq(
    columns: Floats, targets: Floats, *, threshold: float, alpha: float = 0.0, iterations: int = 20,
    kept: npt.NDArray[np.bool_] | None = None,
) -> Floats:  # fmt: skip
    """Sequentially thresholded least squares.

    Solve with a ridge, drop columns whose coefficient is below the threshold, solve with the others, until nothing more is dropped.

    Parameters
    ----------
    columns : ndarray, shape (row, column)
    targets : ndarray, shape (row, target)
    threshold : float
        In units of the coefficients as they are, not of scaled columns.
    alpha : float
        Of the ridge, with columns brought to length 1: as a share of each column's own sum of squares.
    iterations : int
        Rounds at most.
    kept : ndarray of bool, optional, shape (column,) or (column, target)
        Columns that may be used; all by default.

    Returns
    -------
    ndarray, shape (column, target)
        Exact zeros where a column was dropped.

    Notes
    -----
    Normal equations cost one pass over the rows, whatever the number of rounds. They square the condition number, so columns are
    scaled, and where the condition is above :data:`ILL_CONDITIONED` each solution is taken from a decomposition of the rows. Columns
    that depend on others (duplicates) then share what they explain, so that coefficients are the least that explain it; a column that is
    zero throughout has the coefficient 0.

    References
    ----------
    Brunton, Proctor and Kutz (2016), doi:10.1073/pnas.1517384113. Deviation: the ridge acts on scaled columns.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 50)
    >>> found = stlsq(np.stack([x, x**2, x**3], 1), (2 * x - x**3)[:, None], threshold=0.1)
    >>> [round(float(c), 6) + 0.0 for c in found[:, 0]]
    [2.0, 0.0, -1.0]
    """
    if not (np.isfinite(columns).all() and np.isfinite(targets).all()):
        raise DataError(
            "terms or targets hold NaN or infinity, and least squares has no answer: leave out these samples"
        )
    equations = NormalEquations.of(columns, targets)
    count = targets.shape[1]
    live = np.ones((columns.shape[1], count), bool)
    live &= (np.diag(equations.gram) > 0)[:, None]
    if kept is not None:
        live &= kept if kept.ndim == 2 else kept[:, None]
    values = np.linalg.eigvalsh(equations.gram)
    ill = values[0] + alpha <= (values[-1] + alpha) / ILL_CONDITIONED
    found = np.zeros((columns.shape[1], count))
    for _ in range(iterations):
        found = np.zeros_like(found)
        # Targets of one support are solved together.
        supports, which = np.unique(live, axis=1, return_inverse=True)
        for number, support in enumerate(supports.T):
            same = which.ravel() == number
            if not support.any():
                continue
            if ill:
                some = _from_rows(columns, targets[:, same], equations.lengths, support, alpha)
            else:
                gram = equations.gram[np.ix_(support, support)] + alpha * np.eye(int(support.sum()))
                some = np.asarray(np.linalg.solve(gram, equations.moment[np.ix_(support, same)]), np.float64)
            found[np.ix_(support, same)] = some / equations.lengths[support, None]
        still = live & (np.abs(found) >= threshold)
        if (still == live).all():
            return found
        live = still
    return np.where(live, found, 0.0)


def _from_rows(
    columns: Floats, targets: Floats, lengths: Floats, support: npt.NDArray[np.bool_], alpha: float
) -> Floats:
    """Coefficients of scaled columns by QR and singular values of the triangle, shape (column of the support, target)."""
    scaled = columns[:, support] / lengths[support]
    width = scaled.shape[1]
    if alpha:
        scaled = np.vstack([scaled, np.sqrt(alpha) * np.eye(width)])
        targets = np.vstack([targets, np.zeros((width, targets.shape[1]))])
    q, r = np.linalg.qr(scaled)
    found: Floats = np.linalg.lstsq(r, q.T @ targets, rcond=DEPENDENT)[0]
    return found
