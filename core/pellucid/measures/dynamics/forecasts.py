"""How far off a forecast is after so many steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

Floats = npt.NDArray[np.float64]


def n_step_errors(
    series: npt.NDArray[np.floating], forecasts: npt.NDArray[np.floating], starts: Sequence[int] | npt.NDArray[np.integer]
) -> Floats:  # fmt: skip
    """Mean squared error of forecasts from several steps of a series, by how far ahead they are.

    Parameters
    ----------
    series : ndarray, shape (step, variable)
    forecasts : ndarray, shape (start, ahead, variable)
        ``forecasts[i, k]`` is of step ``starts[i] + k + 1``.
    starts : sequence of int
        The last step that each forecast knows. One that reaches beyond the end of the series counts as far as that.

    Returns
    -------
    ndarray, shape (ahead,)
        Mean over starts and variables, in squared units of the series; NaN where the series is over for every start.

    Raises
    ------
    DataError
        If shapes do not agree, or a start lies outside the series.

    Examples
    --------
    >>> series = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> n_step_errors(series, np.zeros((2, 3, 1)), [0, 1]).tolist()
    [2.5, 6.5, 9.0]
    """
    real, said, at = np.asarray(series, np.float64), np.asarray(forecasts, np.float64), np.asarray(starts, np.int64)
    if real.ndim != 2 or said.ndim != 3 or len(said) != len(at) or said.shape[2] != real.shape[1]:
        raise DataError(
            f"forecasts of shape {said.shape} from {len(at)} starts are none of a series of shape {real.shape}: (start, ahead, variable)"
        )
    if ((at < 0) | (at >= len(real))).any():
        raise DataError(f"forecasts start within the {len(real)} steps of the series, not at {at.min()} to {at.max()}")
    ahead = at[:, None] + 1 + np.arange(said.shape[1])
    there = ahead < len(real)
    squares = ((said - real[np.minimum(ahead, len(real) - 1)]) ** 2).mean(2)
    counted = there.sum(0)
    return np.where(counted > 0, (squares * there).sum(0) / np.maximum(counted, 1), np.nan)
