"""Sparse equations, each coefficient the median of many fits to resampled groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from pellucid.errors import DataError
from pellucid.heads.base import HeadTags, PredictorConfig
from pellucid.heads.equations.base import EquationHead, Floats
from pellucid.heads.equations.stlsq import stlsq


class SindyEnsembleConfig(PredictorConfig):
    """Settings of :class:`SindyEnsemble`.

    Parameters
    ----------
    threshold : float
        Smallest coefficient that is kept, in the coefficients' own units.
    alpha : float
        Of the ridge, as a share of each term's sum of squares.
    members : int
        Fits; with one, all samples are used once.
    bagging : {"groups", "blocks"}
        What each member draws with replacement: whole groups (episodes, subjects), or blocks of neighbouring samples, for few groups.
    block : int
        Samples of a block.
    share : float
        How many of these each member draws, as a share of all. A few bad episodes are in nearly every member that draws as many as there
        are, and no median helps then; below one half most members are without them.
    dropout : float
        Share of the terms that each member does without. A term that fewer than half of the members keep then has the coefficient 0.
    aggregate : {"median", "mean"}
        What a coefficient is of those of the members. A few bad samples move a mean.
    seed : int
    """

    threshold: float = Field(default=0.1, ge=0)
    alpha: float = Field(default=0.0, ge=0)
    members: int = Field(default=20, ge=1, le=1000)
    bagging: Literal["groups", "blocks"] = "groups"
    block: int = Field(default=100, ge=1)
    share: float = Field(default=1.0, gt=0, le=1)
    dropout: float = Field(default=0.0, ge=0, lt=0.5)
    aggregate: Literal["median", "mean"] = "median"
    seed: int = 0


class SindyEnsemble(EquationHead):
    """Each output as a sum of few terms, found by thresholded least squares and the median over members.

    Meant for the units of ``polynomial-library``, though it takes any. ``inclusion`` is the share of members that keep a term, ``low``
    and ``high`` are the 5 and 95 % quantiles of its coefficient over members. A unit that does not vary, or repeats others, shares with
    them what it explains (see :func:`~pellucid.heads.equations.stlsq.stlsq`). Nothing is learnt by steps.

    References
    ----------
    Brunton, Proctor and Kutz (2016), doi:10.1073/pnas.1517384113; ensembles: Fasel et al. (2022), doi:10.1098/rspa.2021.0904; Zolman et
    al. (2025), Nature Communications. Deviations: whole groups are drawn, not rows, as neighbouring rows say the same; the ridge acts on
    terms scaled to one length.
    """

    tags = HeadTags(family="function", targets=("regression",))
    called = "sindy-ensemble"
    config_type = SindyEnsembleConfig
    config: SindyEnsembleConfig
    members: Tensor

    def learn(self, columns: Floats, targets: Floats, groups: Sequence[str]) -> Mapping[str, Floats]:
        """Fit every member."""
        settings = self.config
        rng = np.random.default_rng(settings.seed)
        drawn = self._drawn_together(len(columns), groups)
        fits = []
        for _ in range(settings.members):
            weights = np.ones(len(columns))
            if settings.members > 1:
                count = int(drawn.max()) + 1
                chosen = rng.integers(count, size=max(1, round(settings.share * count)))
                weights = np.bincount(chosen, minlength=count)[drawn].astype(np.float64)
            kept = np.ones(columns.shape[1], bool)
            if away := round(settings.dropout * len(kept)):
                kept[rng.choice(len(kept), away, replace=False)] = False
            some = weights > 0
            root = np.sqrt(weights[some])[:, None]
            fits.append(
                stlsq(
                    columns[some] * root,
                    targets[some] * root,
                    threshold=settings.threshold,
                    alpha=settings.alpha,
                    kept=kept,
                ).T
            )
        every = np.stack(fits)
        inclusion = (every != 0).mean(0)
        # Of an even number the median may lie half way between a coefficient and none.
        median = np.where(inclusion > 0.5, np.median(every, 0), 0.0)
        coefficients = median if settings.aggregate == "median" else every.mean(0)
        low, high = np.quantile(every, [0.05, 0.95], axis=0)
        level = np.full_like(low, settings.threshold)
        return {"coefficients": coefficients, "inclusion": inclusion, "low": low, "high": high, "level": level}

    def _drawn_together(self, rows: int, groups: Sequence[str]) -> np.ndarray:
        """The number of the bag of each row."""
        if self.config.members == 1:
            return np.zeros(rows, np.int64)
        whose = np.unique(np.asarray(groups), return_inverse=True)[1]
        if self.config.bagging == "groups":
            if not whose.any():
                raise DataError(
                    f"head {self.called!r}: all training samples are of one group, and there is nothing to draw: give it "
                    'bagging = "blocks", or members = 1'
                )
            return np.asarray(whose)
        # Blocks lie within groups: samples of a group come in their order.
        place = np.zeros(rows, np.int64)
        for one in range(int(whose.max()) + 1):
            own = whose == one
            place[own] = np.arange(own.sum()) // self.config.block
        return np.asarray(np.unique(np.stack([whose, place]), axis=1, return_inverse=True)[1].ravel())
