"""What a filter corrects in the forecasts of a model that is wrong: the terms it lacks, seen through noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.assimilation.ensemble import EnsembleKalman, Floats, Forecast, root
from pellucid.errors import DataError


@dataclass(frozen=True)
class Increments:
    """Corrections of forecasts from single observations.

    Parameters
    ----------
    state : ndarray, shape (pair, state)
        Half-way between the filtered states before and after.
    change : ndarray, shape (pair, state)
        The filtered state after, less the model's forecast.
    gain : ndarray, shape (pair, state, state)
        How much of a difference at each place the filter lets through; what is smaller than noise, little.
    """

    state: Floats
    change: Floats
    gain: Floats

    def seen(self, columns: Floats) -> Floats:
        """Candidate terms as the filter would show them, to be compared with ``change``.

        A change is the filter's gain times what the model lacks. Terms that are not passed through the same gain would be made up for what
        it holds back, mostly the finest waves, by others that are no part of the equation.

        Parameters
        ----------
        columns : ndarray, shape (pair * state, term)
            Terms of ``state``, pairs one after the other.
        """
        pairs, size = self.state.shape
        found: Floats = np.einsum("pij,pjt->pit", self.gain, columns.reshape(pairs, size, -1)).reshape(pairs * size, -1)
        return found


def increments(
    before: Floats,
    after: Floats,
    forecast: Forecast,
    *,
    filtering: EnsembleKalman,
    background: Floats,
    members: int,
    spread: float,
    rng: np.random.Generator,
) -> Increments:
    """Filter pairs of observed states, one forecast apart, each pair for itself.

    The first state of a pair is filtered against a background that knows nothing but how large and smooth states are; members around it
    are forecast by the model, and filtered against the second. Pairs are not chained: a model that lacks a term may run away.

    Parameters
    ----------
    before, after : ndarray, shape (pair, state)
        The whole state with noise, at both times.
    forecast : callable
    filtering : EnsembleKalman
        Of the whole state.
    background : ndarray, shape (state, state)
        Covariance of states around 0.
    members : int
        Of each ensemble.
    spread : float
        Deviation of members around the first state, as a share of that of the background.
    rng : Generator

    Raises
    ------
    DataError
        If only a part of the state is observed, or pairs do not match.
    """
    if filtering.observing is not None:
        raise DataError("increments need the whole state observed: leave observing out")
    if before.shape != after.shape or before.ndim != 2:
        raise DataError(f"pairs of states have shapes {before.shape} and {after.shape}, expected the same two numbers")
    smooth = root(background).T

    def draws() -> Floats:
        found: Floats = rng.normal(size=(members, len(smooth))) @ smooth
        return found - found.mean(0)

    states, changes, gains = [], [], []
    for first, second in zip(before, after, strict=True):
        known = filtering.analysed(draws(), first, rng).mean
        found = filtering.analysed(forecast(known + spread * draws()), second, rng)
        states.append((known + found.mean) / 2)
        changes.append(found.mean - found.forecast)
        gains.append(found.gain)
    return Increments(np.stack(states), np.stack(changes), np.stack(gains))
