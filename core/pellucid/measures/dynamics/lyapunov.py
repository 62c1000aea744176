"""How fast neighbours part: Lyapunov exponents from the Jacobians along a path."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

Floats = npt.NDArray[np.float64]


def lyapunov_exponents(
    jacobians: Iterable[npt.NDArray[np.floating]], *, step_s: float = 1.0, skip: int = 0, count: int | None = None
) -> Floats:
    """Exponents of a map along a path of it, by QR decomposition at every step.

    Parameters
    ----------
    jacobians : iterable of ndarray, shape (variable, variable)
        Of the map at each state of the path, in their order; an array of shape (step, variable, variable) will do.
    step_s : float
        What a step lasts: exponents are per second, or per step with 1.
    skip : int
        First steps that only turn directions the right way and do not count.
    count : int, optional
        How many of the largest are asked for; all by default.

    Returns
    -------
    ndarray, shape (count,)
        Largest first. -inf for a direction that the map wipes out.

    Raises
    ------
    DataError
        If no step is left after those that are skipped, or a Jacobian is no finite square.

    References
    ----------
    Benettin et al. (1980), doi:10.1007/BF02128236; Eckmann and Ruelle (1985), doi:10.1103/RevModPhys.57.617.

    Examples
    --------
    >>> lyapunov_exponents(np.tile(np.diag([2.0, 0.5]), (100, 1, 1)), skip=50).round(4).tolist()
    [0.6931, -0.6931]
    """
    total: Floats | None = None
    directions: Floats = np.zeros((0, 0))
    steps = 0
    for at, jacobian in enumerate(jacobians):
        matrix = np.asarray(jacobian, np.float64)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
            raise DataError(f"the Jacobian of step {at} has shape {matrix.shape} or holds what is no finite number")
        if total is None:
            wide = min(len(matrix), count or len(matrix))
            # Any directions will do but those along axes, which a triangular map keeps apart.
            start = np.random.default_rng(0).standard_normal((len(matrix), wide))
            directions, total = np.linalg.qr(start)[0], np.zeros(wide)
        directions, stretched = np.linalg.qr(matrix @ directions)
        if at >= skip:
            with np.errstate(divide="ignore"):
                total += np.log(np.abs(np.diag(stretched)))
            steps += 1
    if total is None or not steps:
        raise DataError(f"no step of the path is left after the {skip} that are skipped")
    return np.asarray(np.sort(total / (steps * step_s))[::-1])


def lyapunov_exponent(jacobians: Iterable[npt.NDArray[np.floating]], *, step_s: float = 1.0, skip: int = 0) -> float:
    """The largest of :func:`lyapunov_exponents`: above 0 neighbours part, as in chaos; below 0 they meet."""
    return float(lyapunov_exponents(jacobians, step_s=step_s, skip=skip, count=1)[0])
