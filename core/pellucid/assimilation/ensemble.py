"""The stochastic ensemble Kalman filter, with inflation and localisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

Floats = npt.NDArray[np.float64]

Forecast = Callable[[Floats], Floats]
"""Members, shape (member, state), to where a model takes them by the next observation."""


def gaspari_cohn(distance: Floats, half_support: float) -> Floats:
    """A correlation that falls from 1 to 0 at twice ``half_support``, smoothly, like a normal curve before; for localisation.

    Parameters
    ----------
    distance : ndarray
        Not negative.
    half_support : float
        In the unit of distances.

    References
    ----------
    Gaspari and Cohn (1999), doi:10.1002/qj.49712555417, equation 4.10.

    Examples
    --------
    >>> [round(float(one), 4) for one in gaspari_cohn(np.array([0.0, 5.0, 10.0, 20.0]), 10.0)]
    [1.0, 0.6849, 0.2083, 0.0]
    """
    if not half_support > 0:
        raise DataError(f"half_support is {half_support:g}, expected above 0")
    r = np.abs(np.asarray(distance, np.float64)) / half_support
    near = 1 - 5 / 3 * r**2 + 5 / 8 * r**3 + r**4 / 2 - r**5 / 4
    with np.errstate(divide="ignore", invalid="ignore"):
        far = 4 - 5 * r + 5 / 3 * r**2 + 5 / 8 * r**3 - r**4 / 2 + r**5 / 12 - 2 / (3 * r)
    return np.where(r < 1, near, np.where(r < 2, far, 0.0))


def normal_draws(covariance: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Normal draws with mean 0, shape (count, state); a covariance that is singular will do."""
    found: Floats = rng.normal(size=(count, len(covariance))) @ root(covariance).T
    return found


def root(covariance: Floats) -> Floats:
    """A matrix whose product with its own transpose is a covariance, which may be singular."""
    value, vector = np.linalg.eigh(covariance)
    found: Floats = vector * np.sqrt(np.clip(value, 0, None))
    return found


@dataclass(frozen=True)
class Analysis:
    """What an observation made of an ensemble.

    Parameters
    ----------
    members : ndarray, shape (member, state)
    forecast : ndarray, shape (state,)
        Mean before.
    gain : ndarray, shape (state, observation)
    """

    members: Floats
    forecast: Floats
    gain: Floats

    @property
    def mean(self) -> Floats:
        """Of the members, shape (state,)."""
        return np.asarray(self.members.mean(0))


@dataclass(frozen=True)
class Filtered:
    """A series of analyses.

    Parameters
    ----------
    mean, variance : ndarray, shape (time, state)
        After each observation.
    forecast : ndarray, shape (time, state)
        Mean before each.
    members : ndarray, shape (member, state)
        After the last.
    """

    mean: Floats
    variance: Floats
    forecast: Floats
    members: Floats


@dataclass(frozen=True, kw_only=True)
class EnsembleKalman:
    """A filter: each member is drawn towards the observation, perturbed by noise of its own.

    Parameters
    ----------
    noise_sd : float
        Standard deviation of the observations' noise, which is independent.
    inflation : float
        What members' distances from their mean are multiplied by before each analysis; above 1 it makes up for an ensemble that is too
        sure of itself.
    taper : ndarray, shape (state, state), optional
        Localisation: what covariances are multiplied by, 1 on the diagonal (:func:`gaspari_cohn` of distances). With it an ensemble may
        be smaller than the state.
    observing : ndarray, shape (observation, state), optional
        What is observed of a state; without it the state itself.

    References
    ----------
    Evensen (1994), doi:10.1029/94JC00572; Burgers, van Leeuwen and Evensen (1998),
    doi:10.1175/1520-0493(1998)126<1719:ASITEK>2.0.CO;2, for perturbed observations, here with the perturbations' mean taken off.
    """

    noise_sd: float
    inflation: float = 1.0
    taper: Floats | None = None
    observing: Floats | None = None

    def __post_init__(self) -> None:
        if not 0 < self.noise_sd < np.inf:
            raise DataError(
                f"noise_sd is {self.noise_sd:g}, expected a number above 0: observations without noise need no filter"
            )
        if not 1 <= self.inflation < np.inf:
            raise DataError(f"inflation is {self.inflation:g}, expected 1 or more")
        for name, matrix in (("taper", self.taper), ("observing", self.observing)):
            if matrix is not None and (np.ndim(matrix) != 2 or not np.isfinite(matrix).all()):
                raise DataError(f"{name} has shape {np.shape(matrix)}, expected a matrix of finite numbers")

    def analysed(self, members: Floats, observed: Floats, rng: np.random.Generator) -> Analysis:
        """Draw an ensemble towards one observation.

        Parameters
        ----------
        members : ndarray, shape (member, state)
            Two at least.
        observed : ndarray, shape (observation,)
        rng : Generator

        Raises
        ------
        DataError
            If shapes do not fit, an observation is unknown, or a member is no finite number: the model has left the states that it is
            made for.
        """
        if np.ndim(members) != 2:
            raise DataError(f"an ensemble has shape {np.shape(members)}, expected (member, state)")
        members, observed = np.asarray(members, np.float64), np.asarray(observed, np.float64)
        count, size = members.shape
        seen = size if self.observing is None else len(self.observing)
        if count < 2:
            raise DataError(f"an ensemble of {count} has no spread: take two members at least")
        if observed.shape != (seen,):
            raise DataError(f"the observation has shape {observed.shape}, expected ({seen},)")
        if not np.isfinite(observed).all():
            raise DataError(
                "the observation holds NaN or infinite numbers: name what is seen in observing, or leave it out"
            )
        if self.observing is not None and self.observing.shape[1] != size:
            raise DataError(f"observing has shape {self.observing.shape}, expected {size} columns, one a state")
        if self.taper is not None and self.taper.shape != (size, size):
            raise DataError(f"the taper has shape {self.taper.shape}, expected ({size}, {size})")
        if not np.isfinite(members).all():
            raise DataError(
                "members are no finite numbers: the model ran away between two observations; take a shorter step"
            )
        forecast = members.mean(0)
        apart = self.inflation * (members - forecast)
        members = forecast + apart
        covariance = apart.T @ apart / (count - 1)
        if self.taper is not None:
            covariance = covariance * self.taper
        across = covariance if self.observing is None else covariance @ self.observing.T
        within = across if self.observing is None else self.observing @ across
        gain = np.linalg.solve(within + self.noise_sd**2 * np.eye(seen), across.T).T
        noise = self.noise_sd * rng.normal(size=(count, seen))
        # Of few members the perturbations' mean would be noise on the mean.
        noise -= noise.mean(0)
        said = members if self.observing is None else members @ self.observing.T
        return Analysis(members + (observed + noise - said) @ gain.T, forecast, gain)

    def filtered(
        self,
        members: Floats,
        observations: Floats,
        forecast: Forecast,
        rng: np.random.Generator,
        *,
        model_noise: Floats | None = None,
    ) -> Filtered:
        """Forecast and analyse in turn.

        Parameters
        ----------
        members : ndarray, shape (member, state)
            After the observation before the first.
        observations : ndarray, shape (time, observation)
        forecast : callable
        rng : Generator
        model_noise : ndarray, shape (state, state), optional
            Covariance of what the model leaves out at each step, added to every member's forecast.

        Raises
        ------
        DataError
            As in :meth:`analysed`, with the step from 0; or if there is no observation, or noise or a forecast has another shape.
        """
        shape = np.shape(members)
        if not len(observations):
            raise DataError("there are no observations to follow")
        if model_noise is not None and (
            model_noise.shape != (*shape[1:], *shape[1:]) or not np.isfinite(model_noise).all()
        ):
            raise DataError(
                f"model_noise has shape {model_noise.shape}, expected finite numbers, one row and column a state"
            )
        means, variances, before = [], [], []
        for step, observed in enumerate(observations):
            members = forecast(members)
            if np.shape(members) != shape:
                raise DataError(f"step {step}: the model's forecast has shape {np.shape(members)}, expected {shape}")
            if model_noise is not None:
                members = members + normal_draws(model_noise, len(members), rng)
            try:
                found = self.analysed(members, observed, rng)
            except DataError as error:
                raise DataError(f"step {step}: {error}") from None
            members = found.members
            before.append(found.forecast)
            means.append(found.mean)
            variances.append(members.var(0, ddof=1))
        return Filtered(np.stack(means), np.stack(variances), np.stack(before), members)
