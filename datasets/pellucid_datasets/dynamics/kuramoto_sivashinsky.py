"""The Kuramoto-Sivashinsky equation on a ring: a true motion, and one step of a model with other coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ORDERS = 4
"""Highest derivative, and highest power of the state before a derivative, among the products of :meth:`Ring.library`."""


@dataclass(frozen=True)
class Ring:
    """Places around a ring and derivatives along it, by its Fourier series.

    Parameters
    ----------
    length : float
    points : int
        Even.
    """

    length: float = 100.0
    points: int = 256

    @cached_property
    def wave_numbers(self) -> Floats:
        """Of the terms of a real series, shape (points // 2 + 1,)."""
        return np.asarray(2 * np.pi / self.length * np.arange(self.points // 2 + 1))

    @property
    def distances(self) -> Floats:
        """Of places from each other, the shorter way round, shape (point, point)."""
        x = self.length / self.points * np.arange(self.points)
        apart = np.abs(x[:, None] - x)
        return np.asarray(np.minimum(apart, self.length - apart))

    def derivative(self, u: Floats, order: int) -> Floats:
        """A derivative along the last axis."""
        factor = (1j * self.wave_numbers) ** order
        if order % 2:
            # Of the highest wave an odd derivative cannot be told.
            factor[-1] = 0
        return np.fft.irfft(factor * np.fft.rfft(u), self.points)

    def library(self, u: Floats) -> tuple[tuple[str, ...], Floats]:
        """Products of powers of the state and one derivative, without the constant.

        Parameters
        ----------
        u : ndarray, shape (snapshot, point)

        Returns
        -------
        names : tuple of str
            ``"u^2*u_xxx"``, 24 of them.
        values : ndarray, shape (snapshot * point, product)
        """
        names, values = [], []
        for order in range(ORDERS + 1):
            along = self.derivative(u, order) if order else np.ones_like(u)
            for power in range(ORDERS + 1):
                state = {0: "", 1: "u"}.get(power, f"u^{power}")
                name = "*".join(part for part in (state, f"u_{'x' * order}" if order else "") if part)
                if name:
                    names.append(name)
                    values.append((u**power * along).ravel())
        return tuple(names), np.stack(values, 1)


def snapshots(
    ring: Ring,
    *,
    count: int,
    step: float,
    between: int = 1,
    dispersion: float = 0.0,
    cubic: float = 0.0,
    apart: float = 12.0,
    settle: float = 100.0,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Pairs of states of the true motion, close to each other and far from other pairs.

    ``u_t = -u u_x - u_xx - u_xxxx - dispersion u_xxx - cubic u^2 u_x``.

    Parameters
    ----------
    ring : Ring
    count : int
    step : float
        Of the method.
    between : int
        Steps between the two of a pair.
    dispersion, cubic : float
        Terms that a model may not know of.
    apart, settle : float
        Time between pairs, and before the first.
    seed : int
        Of the start: a few waves of random height.

    Returns
    -------
    before, after : ndarray, shape (count, point)

    References
    ----------
    Kassam and Trefethen (2005), doi:10.1137/S1064827502410633 (ETDRK4). Real series are used throughout: with complex ones an
    imaginary part grows out of rounding.
    """
    k = ring.wave_numbers
    linear = k**2 - k**4
    if dispersion:
        linear = linear - dispersion * (1j * k) ** 3
        # Of the highest wave an odd derivative cannot be told.
        linear[-1] = linear[-1].real
    whole, half = np.exp(step * linear), np.exp(step * linear / 2)
    q, f1, f2, f3 = _weights(linear, step)
    slope = -0.5j * k

    def force(v: npt.NDArray[np.complex128]) -> npt.NDArray[np.complex128]:
        u = np.fft.irfft(v, ring.points)
        found = slope * np.fft.rfft(u**2)
        return found - 1j * k * cubic / 3 * np.fft.rfft(u**3) if cubic else found

    def moved(v: npt.NDArray[np.complex128]) -> npt.NDArray[np.complex128]:
        at_start = force(v)
        a = half * v + q * at_start
        at_a = force(a)
        b = half * v + q * at_a
        at_b = force(b)
        c = half * a + q * (2 * at_b - at_start)
        return whole * v + f1 * at_start + 2 * f2 * (at_a + at_b) + f3 * force(c)

    rng = np.random.default_rng(seed)
    v = np.zeros(len(k), np.complex128)
    v[1:9] = ring.points * 0.2 * (rng.normal(size=8) + 1j * rng.normal(size=8))
    before, after = [], []
    wait = round(settle / step)
    for _ in range(count):
        for _ in range(wait):
            v = moved(v)
        before.append(np.fft.irfft(v, ring.points))
        for _ in range(between):
            v = moved(v)
        after.append(np.fft.irfft(v, ring.points))
        wait = round(apart / step)
    return np.stack(before), np.stack(after)


def model_step(
    ring: Ring, u: Floats, step: float, *, advection: float, diffusion: float, hyperdiffusion: float
) -> Floats:
    """One step of ``u_t = -advection u u_x - diffusion u_xx - hyperdiffusion u_xxxx``: linear terms by Crank-Nicolson, the other by Euler.

    A single state has no earlier one, of which the second-order method of Adams and Bashforth would be made.

    Parameters
    ----------
    ring : Ring
    u : ndarray, shape (snapshot, point)
    step : float
    advection, diffusion, hyperdiffusion : float
        All 1 in the true equation.
    """
    k = ring.wave_numbers
    linear = diffusion * k**2 - hyperdiffusion * k**4
    force = -0.5j * k * advection * np.fft.rfft(u**2)
    v = ((1 + step / 2 * linear) * np.fft.rfft(u) + step * force) / (1 - step / 2 * linear)
    return np.fft.irfft(v, ring.points)


def _weights(linear: npt.NDArray[Any], step: float) -> tuple[npt.NDArray[Any], ...]:
    """What the method's four evaluations of the force count, for each wave: within the step, and at its start, middle and end."""
    # Means over a circle, which avoid the cancellation of the formulas at small arguments; of real ones half of it will do.
    real = not np.iscomplexobj(linear)
    z = step * linear[:, None] + np.exp(1j * np.pi * (1 if real else 2) * (np.arange(1, 33) - 0.5) / 32)
    return tuple(
        step * (mean.real if real else mean)
        for mean in (
            ((np.exp(z / 2) - 1) / z).mean(1),
            ((-4 - z + np.exp(z) * (4 - 3 * z + z**2)) / z**3).mean(1),
            ((2 + z + np.exp(z) * (z - 2)) / z**3).mean(1),
            ((-4 - 3 * z - z**2 + np.exp(z) * (4 - z)) / z**3).mean(1),
        )
    )
