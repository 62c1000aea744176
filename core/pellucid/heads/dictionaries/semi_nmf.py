"""Semi-nonnegative matrix factorisation: features that are signed sums of few units, with codes that are never negative."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from pellucid.heads.dictionaries.one_pass import OnePassConfig, OnePassDictionary

RIDGE = 1e-6
"""Keeps the least squares and the updates from dividing by nothing; of data whose mean square is one."""

BETTER = 1e-4
"""Share of the error that an iterate must be better by to count as better."""


ALIKE = 0.99
"""Cosine above which two features are one."""


class SemiNmfConfig(OnePassConfig):
    """Settings of :class:`SemiNmf`.

    Parameters
    ----------
    sparsity : float
        Share of the units that a feature may consist of; 1: all.
    iterations : int
        At most.
    patience : int
        Iterations without a better error after which it ends.
    encoding : int
        Updates by which codes of new rows are found.
    start : {"random", "clusters", "svd"}
        Where the codes start.
    """

    sparsity: float = Field(default=0.1, gt=0, le=1)
    iterations: int = Field(default=500, gt=0)
    patience: int = Field(default=100, gt=0)
    encoding: int = Field(default=200, gt=0)
    start: Literal["random", "clusters", "svd"] = "random"

    @property
    def support(self) -> int:
        """Units that a feature may consist of."""
        return max(1, math.ceil(self.sparsity * len(self.units) - 1e-9))


class SemiNmf(OnePassDictionary):
    """Features of few units each, found by turns: features by least squares and cut to their strongest units, then codes.

    The cut makes the error jump, so the best pair on the way is what is kept. For activations after a nonlinearity, whose
    zero means something: its offset is zero.

    References
    ----------
    Shafran, Geiger and Geva (2025), arXiv 2506.10920; updates of Ding, Li and Jordan (2010), doi:10.1109/TPAMI.2008.277.
    Deviations: rows are scaled to a mean square of one first; atoms have unit length in the end, and codes their length; a
    feature that no row uses, or that repeats another, starts anew at the row that is explained worst.
    """

    config_type = SemiNmfConfig
    config: SemiNmfConfig
    scale: Tensor

    def __init__(self, config: SemiNmfConfig) -> None:
        super().__init__(config)
        self.register_buffer("scale", torch.ones(()))

    def learn(self, x: Tensor) -> None:
        """Factorise rows."""
        self.scale.copy_(x.square().mean().sqrt())
        generator = torch.Generator().manual_seed(int(self.chance))
        config = self.config
        features, _ = factorised(
            x / self.scale, config.features, support=config.support, iterations=config.iterations,
            patience=config.patience, start=config.start, generator=generator,
        )  # fmt: skip
        self.directions.copy_(features / torch.linalg.vector_norm(features, dim=1, keepdim=True).clamp(min=1e-12))

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Codes, shape (row, unit) to (row, feature), by updates that start at one."""
        return self.scale * codes_of(x / self.scale, self.directions, self.config.encoding)


def codes_of(x: Tensor, features: Tensor, rounds: int) -> Tensor:
    """Non-negative codes of rows for features that stay: (row, unit) and (feature, unit) to (row, feature)."""
    codes = x.new_ones(len(x), len(features))
    products, alike = features @ features.T, x @ features.T
    for _ in range(rounds):
        codes = _updated(codes, alike, products)
    return codes


def factorised(
    x: Tensor, count: int, *, support: int, iterations: int, patience: int, start: str, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Features and codes of rows.

    Parameters
    ----------
    x : Tensor, shape (row, unit)
    count : int
        Features.
    support : int
        Units that a feature may consist of.
    iterations, patience : int
    start : str
        See :class:`SemiNmfConfig`.
    generator : torch.Generator

    Returns
    -------
    features : Tensor, shape (feature, unit)
    codes : Tensor, shape (row, feature)
        Never negative.
    """
    codes = _started(x, count, start, generator)
    ridge = RIDGE * torch.eye(count)
    best, waited = (math.inf, codes.new_zeros(count, x.shape[1]), codes), 0
    for _ in range(iterations):
        features = _strongest(torch.linalg.solve(codes.T @ codes + ridge, codes.T @ x), support)
        lengths = torch.linalg.vector_norm(codes, dim=0)
        codes, features = codes / lengths.clamp(min=1e-12), features * lengths[:, None]
        codes, features = _revived(x, codes, features, support)
        codes = _updated(codes, x @ features.T, features @ features.T)
        error = float((x - codes @ features).square().sum())
        waited = 0 if error < best[0] * (1 - BETTER) else waited + 1
        if error < best[0]:
            best = (error, features, codes)
        if waited >= patience:
            break
    return best[1], best[2]


def _updated(codes: Tensor, alike: Tensor, products: Tensor) -> Tensor:
    """Codes after one multiplicative update; ``alike`` are products of rows and features, ``products`` of features."""
    up = alike.clamp(min=0) + codes @ (-products).clamp(min=0)
    down = (-alike).clamp(min=0) + codes @ products.clamp(min=0)
    return codes * (up / (down + RIDGE)).sqrt()


def _strongest(features: Tensor, support: int) -> Tensor:
    at = features.abs().topk(support, dim=1).indices
    return torch.zeros_like(features).scatter(1, at, features.gather(1, at))


def _revived(x: Tensor, codes: Tensor, features: Tensor, support: int) -> tuple[Tensor, Tensor]:
    """Features that no row uses, and those that repeat another, start anew at the rows that are explained worst."""
    lengths = torch.linalg.vector_norm(features, dim=1)
    unit = features / lengths.clamp(min=1e-12)[:, None]
    first = torch.triu(unit @ unit.T > ALIKE, diagonal=1)
    repeats = first.any(0)
    dead = torch.nonzero((codes.amax(0) < 1e-10) | (lengths < 1e-10) | repeats).flatten()
    if not len(dead):
        return codes, features
    codes, features = codes.clone(), features.clone()
    for at in torch.nonzero(repeats).flatten().tolist():
        same = int(first[:, at].long().argmax())
        codes[:, same] += codes[:, at] * lengths[at] / lengths[same]
        codes[:, at] = 0
    left = x - codes @ features
    worst = left.square().sum(1).topk(min(len(dead), len(x))).indices
    dead = dead[: len(worst)]
    features[dead] = _strongest(left[worst], support)
    alike = (left @ features[dead].T).clamp(min=0)
    codes[:, dead] = alike / features[dead].square().sum(1).clamp(min=1e-12)
    return codes, features


def _started(x: Tensor, count: int, start: str, generator: torch.Generator) -> Tensor:
    if start == "svd":
        left, values, _ = torch.linalg.svd(x, full_matrices=False)
        found = (left * values)[:, :count].abs()
        rest = torch.rand(len(x), count - found.shape[1], generator=generator)
        return torch.cat([found, rest], 1) + 1e-3
    if start == "clusters":
        from sklearn.cluster import KMeans

        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        label = KMeans(count, n_init=1, max_iter=15, random_state=seed).fit_predict(x.numpy())
        return torch.nn.functional.one_hot(torch.from_numpy(label).long(), count).to(x.dtype) + 0.2
    return torch.rand(len(x), count, generator=generator)
