"""What sparse autoencoders share: a linear encoder, atoms of unit length, and what is done about dead features."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.errors import DataError
from pellucid.heads.base import Stage
from pellucid.heads.dictionaries.base import Dictionary, DictionaryConfig
from pellucid.heads.dictionaries.centre import Sampled, geometric_median, sampled
from pellucid.heads.dictionaries.sparse import SparseCodes, unit_rows
from pellucid.representation import Representation

Codes = Tensor | SparseCodes
"""Codes of some rows, all features or the active ones alone."""


class SparseAutoencoderConfig(DictionaryConfig):
    """Settings of every :class:`SparseAutoencoder`.

    Parameters
    ----------
    start : {"geometric-median", "mean", "zero"}
        Where the offset starts.
    auxiliary : float
        Weight of what dead features are asked to explain of what the others leave over; 0: they stay dead.
    dead_after : int
        Rows without a code after which a feature counts as dead.
    """

    start: Literal["geometric-median", "mean", "zero"] = "geometric-median"
    auxiliary: float = Field(default=1 / 32, ge=0)
    dead_after: int = Field(default=50_000, gt=0)


class SparseAutoencoder(Dictionary):
    """Codes by one linear layer and a rule that leaves few of them; a sum of atoms of unit length back.

    It learns in a scale in which a row's squared distance from the offset is as large as there are units, on average. Once
    it has learnt, the scale is folded into offset, biases and thresholds, so that nothing of it is left: all rules scale
    with what they read.

    Subclasses say which codes are active.

    References
    ----------
    Auxiliary loss, tied start, offset at the geometric median: Gao et al. (2024), arXiv 2406.04093. Gradients along an atom
    are left out as in Bricken et al. (2023), Towards Monosemanticity.
    """

    config: SparseAutoencoderConfig
    scale: Tensor
    since: Tensor

    def __init__(self, config: SparseAutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        units = len(config.units)
        directions = functional.normalize(torch.randn(config.features, units), dim=1)
        self.directions = nn.Parameter(directions)
        self.weight = nn.Parameter(directions.clone())
        self.bias = nn.Parameter(torch.zeros(config.features))
        self.centre = nn.Parameter(torch.zeros(units))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("since", torch.zeros(config.features, dtype=torch.int64))

    # --- what a dictionary is -----------------------------------------------------------------------------------------

    @property
    def atoms(self) -> Tensor:
        """Directions of unit length, shape (feature, unit)."""
        return self.directions.detach()

    @property
    def offset(self) -> Tensor:
        """In the representation's own units, shape (unit,)."""
        return self.centre.detach() * self.scale

    @abstractmethod
    def active(self, x: Tensor) -> Codes:
        """Codes of scaled rows less the offset; while training, those to learn from."""

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Codes in the representation's own units, shape (row, unit) to (row, feature)."""
        codes = self.active(x / self.scale - self.centre)
        return (codes if isinstance(codes, Tensor) else codes.dense()) * self.scale

    # --- learning -----------------------------------------------------------------------------------------------------

    def prepare(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn scale and offset from the training rows.

        Raises
        ------
        DataError
            If a value is NaN or infinite, there are fewer rows than features, or nothing varies.
        """
        seen = sampled(z.values for z, _ in parts)
        check_rows(seen, self.config.features)
        centre = {"geometric-median": geometric_median, "mean": lambda _: seen.mean}.get(
            self.config.start, torch.zeros_like
        )
        offset = centre(seen.rows) if self.config.start != "zero" else torch.zeros_like(seen.mean)
        self.scale.copy_(seen.size_about(offset))
        with torch.no_grad():
            self.centre.copy_(offset / self.scale)

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Squared error in scaled units, summed over them; the rule's penalty; while training what dead features left over."""
        x = z.values / self.scale
        codes = self.active(x - self.centre)
        found = self.decoded(codes)
        total = (x - found).square().sum(1).mean() + self.penalty(x - self.centre, codes)
        if self.training:
            self.note(codes)
            total = total + self.config.auxiliary * self.revival(x, found)
        return total

    def decoded(self, codes: Codes) -> Tensor:
        """Scaled rows from codes; gradients reach atoms and offset."""
        atoms = unit_rows(self.directions)
        return (codes @ atoms if isinstance(codes, Tensor) else codes.decoded(atoms)) + self.centre

    def penalty(self, apart: Tensor, codes: Codes) -> Tensor:
        """What is added to the squared error; ``apart`` are scaled rows less the offset. Default: nothing."""
        return apart.new_zeros(())

    @torch.no_grad()
    def note(self, codes: Codes) -> None:
        """Count for each feature the rows since it last had a code."""
        self.since += len(codes)
        if isinstance(codes, Tensor):
            self.since[(codes != 0).any(0)] = 0
        else:
            self.since[codes.features[codes.values != 0]] = 0

    @property
    def dead(self) -> Tensor:
        """Which features had no code for long, bool, shape (feature,)."""
        return self.since > self.config.dead_after

    def revival(self, x: Tensor, found: Tensor) -> Tensor:
        """How badly dead features explain what the living ones leave over, 0 to about 1; 0 where none is dead."""
        at = torch.nonzero(self.dead).flatten()
        if not len(at) or not self.config.auxiliary:
            return x.new_zeros(())
        left = (x - found).detach()
        codes = torch.addmm(self.bias[at], x - self.centre, self.weight[at].T).relu()
        most = max(1, len(self.config.units) // 2)
        if most < len(at):
            strong = codes.topk(most, dim=1, sorted=False)
            codes = torch.zeros_like(codes).scatter(1, strong.indices, strong.values)
        told = codes @ unit_rows(self.directions)[at]
        whole = (left - left.mean(0)).square().sum()
        return ((left - told).square().sum() / whole.clamp(min=torch.finfo(whole.dtype).tiny)).nan_to_num()

    @torch.no_grad()
    def settle(self) -> None:
        """Atoms back to unit length."""
        self.directions.div_(torch.linalg.vector_norm(self.directions, dim=1, keepdim=True).clamp(min=1e-12))

    def stages(self) -> tuple[Stage, ...]:
        """Learn by steps; then fold the scale in."""
        return (Stage(name="fit", loss=self.loss, finish=self.fold),)

    @torch.no_grad()
    def fold(self, parts: Iterable[tuple[Representation, Batch]] = ()) -> None:
        """Let offset, biases and thresholds be in the representation's own units."""
        for one in (self.centre, self.bias, *self.thresholds()):
            one.mul_(self.scale)
        self.scale.fill_(1.0)

    def thresholds(self) -> tuple[Tensor, ...]:
        """What else is in units of the codes, changed in place by :meth:`fold`. Default: nothing."""
        return ()


def check_rows(seen: Sampled, features: int) -> None:
    """Refuse rows that no dictionary can be learnt from; say aloud which units do not vary.

    Raises
    ------
    DataError
    """
    if seen.count < features:
        raise DataError(
            f"{seen.count} rows for {features} features: every row could have an atom of its own. Collect more rows, or set "
            f"`features` to at most {seen.count}"
        )
    constant = seen.deviation <= 1e-6 * seen.mean.abs().clamp(min=1e-30)
    if bool(constant.all()):
        raise DataError(f"all {seen.count} rows are the same: there is nothing to learn. Is this the layer you meant?")
    if bool(constant.any()):
        at = torch.nonzero(constant).flatten().tolist()
        some = ", ".join(map(str, at[:5])) + (" ..." if len(at) > 5 else "")
        warnings.warn(
            f"{len(at)} of {len(constant)} units never vary (units {some}): no atom will use them", stacklevel=2
        )
