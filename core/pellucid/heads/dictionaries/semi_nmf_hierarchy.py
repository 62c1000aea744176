"""Features of features: a factorisation whose atoms are factorised again, level by level."""

from __future__ import annotations

from itertools import pairwise

import torch
from pydantic import Field, model_validator
from torch import Tensor

from pellucid.heads.dictionaries.semi_nmf import SemiNmf, SemiNmfConfig, factorised


class SemiNmfHierarchyConfig(SemiNmfConfig):
    """Settings of :class:`SemiNmfHierarchy`.

    Parameters
    ----------
    levels : tuple of float
        Sizes of the coarser levels as shares of the features, falling.
    tuning : int
        Steps that let all coarser levels explain the atoms together.
    """

    levels: tuple[float, ...] = (0.5, 0.25)
    tuning: int = Field(default=500, ge=0)

    @model_validator(mode="after")
    def _sizes_fall(self) -> SemiNmfHierarchyConfig:
        if not self.levels or any(not 0 < b < a for a, b in pairwise((1.0, *self.levels))) or self.sizes[-1] < 1:
            raise ValueError(f"levels = {self.levels}: shares of {self.features} features fall from below 1")
        return self

    @property
    def sizes(self) -> tuple[int, ...]:
        """Features of each coarser level."""
        return tuple(max(1, round(share * self.features)) for share in self.levels)


class SemiNmfHierarchy(SemiNmf):
    """A semi-nonnegative factorisation and, above it, fewer and fewer features that its own are sums of.

    Its codes are those of the finest level; :meth:`codes_at` gives the coarser ones, :meth:`atoms_at` their atoms, and
    :meth:`parents` how much of each coarser feature a finer one consists of.

    References
    ----------
    Shafran, Geiger and Geva (2025), arXiv 2506.10920; Trigeorgis et al. (2014), A Deep Semi-NMF Model. Deviation: tuning
    makes the levels explain the finest atoms, not the rows, so that the finest level stays what :class:`SemiNmf` finds.
    """

    config_type = SemiNmfHierarchyConfig
    config: SemiNmfHierarchyConfig

    def __init__(self, config: SemiNmfHierarchyConfig) -> None:
        super().__init__(config)
        below = config.features
        for level, size in enumerate(config.sizes, start=1):
            self.register_buffer(f"parents_{level}", torch.zeros(below, size))
            below = size
        self.register_buffer("coarsest", torch.zeros(below, len(config.units)))

    @property
    def levels(self) -> int:
        """Coarser levels."""
        return len(self.config.sizes)

    def parents(self, level: int) -> Tensor:
        """How much of each feature of a level those of the level below consist of, shape (finer, coarser), from level 1."""
        return self.get_buffer(f"parents_{level}")

    def atoms_at(self, level: int) -> Tensor:
        """Atoms of a level, shape (feature, unit); level 0 is the finest."""
        if level == 0:
            return self.atoms
        found = self.get_buffer("coarsest")
        for above in range(self.levels, level, -1):
            found = self.parents(above) @ found
        return found

    def codes_at(self, x: Tensor, level: int) -> Tensor:
        """Codes at a level: what the finer ones hand up."""
        codes = self.encode(x)
        for above in range(1, level + 1):
            codes = codes @ self.parents(above)
        return codes

    def learn(self, x: Tensor) -> None:
        """Factorise rows, then atoms, then the atoms of these."""
        super().learn(x)
        self._stack()

    def _stack(self) -> None:
        """The coarser levels, from the finest atoms."""
        generator = torch.Generator().manual_seed(int(self.chance) + 1)
        below, factors = self.directions, []
        for size in self.config.sizes:
            size_of = below.square().mean().sqrt().clamp(min=1e-12)
            found, parts = factorised(
                below / size_of, size, support=below.shape[1], iterations=self.config.iterations,
                patience=self.config.patience, start="random", generator=generator,
            )  # fmt: skip
            lengths = torch.linalg.vector_norm(found, dim=1).clamp(min=1e-12)
            below = found / lengths[:, None]
            factors.append(parts * lengths * size_of)
        factors, below = self._tuned(factors, below)
        for level, factor in enumerate(factors, start=1):
            self.parents(level).copy_(factor)
        self.get_buffer("coarsest").copy_(below)

    @torch.enable_grad()
    def _tuned(self, factors: list[Tensor], coarsest: Tensor) -> tuple[list[Tensor], Tensor]:
        moving = [one.clone().requires_grad_() for one in (*factors, coarsest)]
        optimizer = torch.optim.Adam(moving, lr=1e-3)
        best, kept = float("inf"), [one.detach().clone() for one in moving]
        for step in range(self.config.tuning + 1):
            found = moving[-1]
            for factor in moving[-2::-1]:
                found = factor @ found
            error = (self.directions - found).square().mean()
            if float(error.detach()) < best:
                best, kept = float(error.detach()), [one.detach().clone() for one in moving]
            if step == self.config.tuning:
                break
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
            with torch.no_grad():
                for factor in moving[:-1]:
                    factor.clamp_(min=0)
        return kept[:-1], kept[-1]
