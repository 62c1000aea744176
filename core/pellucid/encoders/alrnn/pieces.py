"""The linear pieces of an almost-linear map: their names, Jacobians, fixed points and cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

Floats = npt.NDArray[np.float64]

WHOLE = "everywhere"
"""Name of the one region of a map without rectified units."""


def pattern_names(rectified: int) -> tuple[str, ...]:
    """Signs of the rectified units in each region, in the order of region numbers: ``-`` is off.

    Examples
    --------
    >>> pattern_names(2)
    ('--', '-+', '+-', '++')
    """
    if not rectified:
        return (WHOLE,)
    return tuple("".join("+" if on else "-" for on in signs(number, rectified)) for number in range(2**rectified))


def signs(number: int, rectified: int) -> npt.NDArray[np.bool_]:
    """Which rectified units are on in a region, the first of them in the highest place of its number."""
    return (number >> np.arange(rectified - 1, -1, -1) & 1).astype(bool)


@dataclass(frozen=True)
class Point:
    """Where a cycle (of length 1: a fixed point) of the map of some pieces lies.

    Parameters
    ----------
    states : ndarray, shape (step, unit)
        NaN where there is none, or a whole line of them.
    real : bool
        Whether each state lies in the piece whose map it is a solution of. A virtual one is never reached, and yet steers.
    """

    states: Floats
    real: bool


@dataclass(frozen=True)
class Pieces:
    """``z' = A z + W phi(z) + h`` with ``phi`` rectifying the last units, as one affine map a region.

    Parameters
    ----------
    diagonal : ndarray, shape (unit,)
    weight : ndarray, shape (unit, unit)
    bias : ndarray, shape (unit,)
    rectified : int

    Raises
    ------
    DataError
        If a number is NaN or infinite: a map that has not been learnt has no pieces.
    """

    diagonal: Floats
    weight: Floats
    bias: Floats
    rectified: int

    def __post_init__(self) -> None:
        unknown = sum(int((~np.isfinite(one)).sum()) for one in (self.diagonal, self.weight, self.bias))
        if unknown:
            raise DataError(
                f"{unknown} weights of the map are NaN or infinite, so it has no pieces: train again, with a smaller learning rate"
            )

    def jacobian(self, number: int) -> Floats:
        """``A + W D`` of a region, shape (unit, unit)."""
        passes = np.ones(len(self.bias))
        passes[len(passes) - self.rectified :] = signs(number, self.rectified)
        return np.asarray(np.diag(self.diagonal) + self.weight * passes)

    def region_of(self, states: Floats) -> npt.NDArray[np.int64]:
        """Numbers of the regions of states, shape (..., unit) to (...,)."""
        on = states[..., states.shape[-1] - self.rectified :] > 0
        return np.asarray(on @ (1 << np.arange(self.rectified - 1, -1, -1, dtype=np.int64)), np.int64)

    def fixed_point(self, number: int) -> Point:
        """``(I - A - W D)^-1 h`` of a region."""
        return self.cycle([number])

    def cycle(self, numbers: Sequence[int]) -> Point:
        """The states that come back to where they were after these regions, in their order, if the map of each is applied.

        Parameters
        ----------
        numbers : sequence of int
            Regions, one a step.

        Raises
        ------
        DataError
            If there is no region, or none of a number.
        """
        count = 2**self.rectified
        if not len(numbers) or any(not 0 <= number < count for number in numbers):
            raise DataError(f"a cycle goes through regions 0 to {count - 1}, one at least; got {list(numbers)}")
        size = len(self.bias)
        matrix, shift = np.eye(size), np.zeros(size)
        # What grows beyond all numbers comes back nowhere that could be told.
        with np.errstate(over="ignore", invalid="ignore"):
            for number in numbers:
                own = self.jacobian(number)
                matrix, shift = own @ matrix, own @ shift + self.bias
        missing = np.eye(size) - matrix
        if not (np.isfinite(missing).all() and np.isfinite(shift).all()) or np.linalg.cond(missing) > 1e12:
            return Point(np.full((len(numbers), size), np.nan), real=False)
        states = [np.linalg.solve(missing, shift)]
        for number in numbers[:-1]:
            states.append(self.jacobian(number) @ states[-1] + self.bias)
        found = np.stack(states)
        return Point(found, real=bool((self.region_of(found) == np.asarray(numbers)).all()))
