"""What sparse autoencoders share: a linear encoder, and what is done about dead features."""

from __future__ import annotations

from abc import abstractmethod

import torch
from pydantic import Field
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.heads.dictionaries.sparse import SparseCodes, without_radial_gradient
from pellucid.heads.dictionaries.stepped import SteppedConfig, SteppedDictionary
from pellucid.representation import Representation

Codes = Tensor | SparseCodes
"""Codes of some rows, all features or the active ones alone."""


class SparseAutoencoderConfig(SteppedConfig):
    """Settings of every :class:`SparseAutoencoder`, beside those of :class:`SteppedConfig`.

    Parameters
    ----------
    auxiliary : float
        Weight of what dead features are asked to explain of what the others leave over; 0: they stay dead.
    dead_after : int
        Rows without a code after which a feature counts as dead.
    """

    auxiliary: float = Field(default=1 / 32, ge=0)
    dead_after: int = Field(default=50_000, gt=0)


class SparseAutoencoder(SteppedDictionary):
    """Codes by one linear layer and a rule that leaves few of them; a sum of atoms of unit length back.

    Subclasses say which codes are active, and what they ask for beside a small error.

    References
    ----------
    Auxiliary loss, tied start, offset at the geometric median: Gao et al. (2024), arXiv 2406.04093. Gradients along an atom
    are left out as in Bricken et al. (2023), Towards Monosemanticity. Deviation: codes of dead features are not rectified
    in the auxiliary loss, so that those far below zero learn from it too.
    """

    config: SparseAutoencoderConfig
    since: Tensor

    def __init__(self, config: SparseAutoencoderConfig) -> None:
        super().__init__(config)
        self.weight = nn.Parameter(self.directions.detach().clone())
        self.bias = nn.Parameter(torch.zeros(config.features))
        self.register_buffer("since", torch.zeros(config.features, dtype=torch.int64))

    @abstractmethod
    def active(self, x: Tensor) -> Codes:
        """Codes, shape (row, feature), of scaled rows less the offset, (row, unit); while training, those to learn from."""

    def learnt(self, x: Tensor) -> tuple[Codes, Tensor]:
        """Codes of scaled rows less the offset, and what is added to the squared error. Default: :meth:`active`, nothing."""
        return self.active(x), x.new_zeros(())

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Codes in the representation's own units, shape (row, unit) to (row, feature)."""
        codes = self.active(x / self.scale - self.centre)
        return (codes if isinstance(codes, Tensor) else codes.dense()) * self.scale

    # --- learning -----------------------------------------------------------------------------------------------------

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Squared error in scaled units, summed over them; the rule's penalty; while training what dead features left over."""
        x = z.values / self.scale
        codes, penalty = self.learnt(x - self.centre)
        found = self.decoded(codes)
        total = (x - found).square().sum(1).mean() + penalty
        if self.training:
            self.note(codes)
            total = total + self.config.auxiliary * self.revival(x, found)
        return total

    def linear(self, x: Tensor) -> Tensor:
        """What the encoder says before the rule, shape (row, feature)."""
        return torch.addmm(self.bias, x, self.weight.T)

    def decoded(self, codes: Codes) -> Tensor:
        """Scaled rows from codes; gradients reach atoms and offset."""
        atoms = without_radial_gradient(self.directions)
        return (codes @ atoms if isinstance(codes, Tensor) else codes.decoded(atoms)) + self.centre

    @torch.no_grad()
    def note(self, codes: Codes) -> None:
        """Count rows: all that were learnt from, and for each feature those since it last had a code."""
        self.seen += len(codes)
        self.since += len(codes)
        if isinstance(codes, Tensor):
            self.since[(codes != 0).any(0)] = 0
        else:
            self.since[codes.features[codes.values != 0]] = 0

    @property
    def dead(self) -> Tensor:
        """Which features had no code for long, bool, shape (feature,)."""
        return self.since > self.config.dead_after

    def revival(self, x: Tensor, reconstruction: Tensor) -> Tensor:
        """How badly dead features explain what the living ones leave over, 0 to about 1; 0 where none is dead.

        Parameters
        ----------
        x, reconstruction : Tensor, shape (row, unit)
            Scaled.
        """
        at = torch.nonzero(self.dead).flatten()
        if not len(at) or not self.config.auxiliary:
            return x.new_zeros(())
        left = (x - reconstruction).detach()
        # Not rectified: a feature that is below zero for every row would get no gradient, and stay there.
        codes = torch.addmm(self.bias[at], x - self.centre, self.weight[at].T)
        most = max(1, len(self.config.units) // 2)
        if most < len(at):
            strong = codes.topk(most, dim=1, sorted=False)
            codes = torch.zeros_like(codes).scatter(1, strong.indices, strong.values)
        revived = codes @ without_radial_gradient(self.directions)[at]
        whole = (left - left.mean(0)).square().sum()
        return ((left - revived).square().sum() / whole.clamp(min=torch.finfo(whole.dtype).tiny)).nan_to_num()

    def thresholds(self) -> tuple[Tensor, ...]:
        """Biases."""
        return (self.bias,)
