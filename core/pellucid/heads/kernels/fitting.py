"""Fitting a Gaussian process with several kernels: their weights by marginal likelihood, then all samples at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ENOUGH = 900
"""Samples, drawn at random, that the weights of kernels are chosen on."""

JITTER = 1e-6

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fitted:
    """A posterior mean ``sum over samples of alpha * weighted kernel``.

    Parameters
    ----------
    weights : ndarray, shape (kernel,)
    noise : float
        Variance of labels about it.
    alpha : ndarray, shape (sample,)
    left_out : ndarray, shape (sample,)
        The mean at each sample of a process that has not seen it.
    """

    weights: Matrix
    noise: float
    alpha: Matrix
    left_out: Matrix


def fit(kernels: Sequence[Matrix], y: Matrix, *, seed: int = 0) -> Fitted:
    """Fit labels of mean 0 and deviation 1.

    Weights and noise maximise the marginal likelihood of up to :data:`ENOUGH` samples, with a wide prior about 1.

    Parameters
    ----------
    kernels : sequence of ndarray, shape (sample, sample) each
    y : ndarray, shape (sample,)
    seed : int
        Decides which samples weights are chosen on.

    References
    ----------
    Rasmussen and Williams (2006), Gaussian processes for machine learning: equations 2.30, 5.9 and 5.12.
    """
    from scipy.linalg import cho_factor, cho_solve

    some = np.sort(np.random.default_rng(seed).permutation(len(y))[:ENOUGH])
    weights = _weights([k[np.ix_(some, some)] for k in kernels], y[some])
    noise = float(weights[-1]) + JITTER
    total = sum(w * k for w, k in zip(weights[:-1], kernels, strict=True)) + noise * np.eye(len(y))
    inverse = cho_solve(cho_factor(total, lower=True), np.eye(len(y)))
    alpha = inverse @ y
    return Fitted(weights[:-1], noise, alpha, y - alpha / inverse.diagonal())


def _weights(kernels: Sequence[Matrix], y: Matrix) -> Matrix:
    from scipy.linalg import LinAlgError, cho_factor, cho_solve
    from scipy.optimize import minimize

    one = np.eye(len(y))

    def unlikelihood(logs: Matrix) -> tuple[float, Matrix]:
        w = np.exp(logs)
        total = sum(wi * k for wi, k in zip(w, kernels, strict=False)) + (w[-1] + JITTER) * one
        try:
            factor = cho_factor(total, lower=True)
        except LinAlgError:
            return 1e10, np.zeros_like(logs)
        inverse = cho_solve(factor, one)
        alpha = inverse @ y
        value = 0.5 * y @ alpha + np.log(factor[0].diagonal()).sum() + 0.5 * np.sum((logs / 3) ** 2)
        slopes = [0.5 * (np.sum(inverse * k) - alpha @ k @ alpha) for k in (*kernels, one)]
        return float(value), np.asarray(slopes) * w + logs / 9

    start = np.zeros(len(kernels) + 1)
    start[-1] = np.log(0.2)
    found = minimize(unlikelihood, start, jac=True, method="L-BFGS-B", options={"maxiter": 30})
    return np.asarray(np.exp(found.x))
