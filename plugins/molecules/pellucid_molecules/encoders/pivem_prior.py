"""The prior on where nodes begin and how they move: smooth in time, shared by nodes of a kind."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def time_covariance(bins: int, length: Tensor, start: Tensor) -> Tensor:
    """Covariance of places at the beginning and of velocities in all bins, shape (1 + bin, 1 + bin).

    The first row and column are of the place, ``start`` squared on the diagonal; the others fall with the squared distance of the
    bins' middles.

    Parameters
    ----------
    bins : int
    length : Tensor, shape ()
        Distance in time, of 1 in all, over which velocities resemble each other.
    start : Tensor, shape ()
    """
    middles = (torch.arange(bins, dtype=length.dtype, device=length.device) + 0.5) / bins
    smooth = (-0.5 * ((middles[:, None] - middles) / length).square()).exp()
    return torch.block_diag(start.square().reshape(1, 1), smooth)


def log_density(path: Tensor, time: Tensor, kinds: Tensor, scale: Tensor, noise: Tensor) -> Tensor:
    """Log of the normal density of all places and velocities under ``scale^2 (noise^2 I + time (x) kinds kinds^T (x) I)``.

    Nothing of the size of the whole is built. In the space that the kinds span, which a QR decomposition gives, the covariance is one of
    times and kinds; beside it there is noise alone.

    Parameters
    ----------
    path : Tensor, shape (time, node, dimension)
        Places when time begins, then velocities.
    time : Tensor, shape (time, time)
    kinds : Tensor, shape (node, kind)
        No more kinds than nodes.
    scale, noise : Tensor, shape ()

    Returns
    -------
    Tensor, shape ()
    """
    times, nodes, dimensions = path.shape
    path = path / scale
    directions, mixed = torch.linalg.qr(kinds)
    inside = torch.einsum("nk,tnd->tkd", directions, path).reshape(-1, dimensions)
    variance = noise.square()
    covariance = torch.kron(time, mixed @ mixed.T)
    root = torch.linalg.cholesky(
        covariance + variance * torch.eye(len(covariance), dtype=path.dtype, device=path.device)
    )
    solved = torch.linalg.solve_triangular(root, inside, upper=False)
    outside = (path.square().sum() - inside.square().sum()).clamp(min=0)
    logarithm = 2 * root.diagonal().log().sum() + (nodes - kinds.shape[1]) * times * variance.log()
    count = times * nodes * dimensions
    return -0.5 * (
        solved.square().sum()
        + outside / variance
        + dimensions * logarithm
        + count * (math.log(2 * math.pi) + 2 * scale.log())
    )
