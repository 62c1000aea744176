"""Dictionaries that keep the strongest codes: of each row, of each batch, and for nested dictionaries at once."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import torch
from pydantic import Field, model_validator
from torch import Tensor

from pellucid.batch import Batch
from pellucid.heads.dictionaries.autoencoder import Codes, SparseAutoencoder, SparseAutoencoderConfig
from pellucid.heads.dictionaries.centre import Sampled
from pellucid.heads.dictionaries.sparse import (
    SparseCodes,
    above,
    encoded,
    strongest_of_batch,
    strongest_of_row,
    without_radial_gradient,
)
from pellucid.representation import Representation

FORGETS = 0.999
"""Share of a threshold that a step keeps."""


class TopKConfig(SparseAutoencoderConfig):
    """Settings of :class:`TopK`.

    Parameters
    ----------
    k : int
        Codes that a row may have.
    """

    k: int = Field(default=8, gt=0)

    @model_validator(mode="after")
    def _no_more_codes_than_features(self) -> TopKConfig:
        if self.k > self.features:
            raise ValueError(f"k = {self.k} codes a row of {self.features} features: k can be at most `features`")
        return self


class TopK(SparseAutoencoder):
    """The k strongest codes of each row, those that are positive among them.

    References
    ----------
    Gao et al. (2024), arXiv 2406.04093; Makhzani and Frey (2014), arXiv 1312.5663. Deviation: decoding and gradients touch
    active features alone, with the same results.
    """

    config_type = TopKConfig
    config: TopKConfig

    def active(self, x: Tensor) -> Codes:
        """The strongest of each row."""
        codes = encoded(x, self.weight, self.bias, strongest_of_row(self.config.k))
        return codes.with_values(codes.values.relu())


class BatchTopK(SparseAutoencoder):
    """The strongest codes of a whole batch, k a row on average; afterwards all above a threshold that was learnt with it.

    References
    ----------
    Bussmann, Leask and Nanda (2024), arXiv 2412.06410. While it learns the threshold is a running mean of the weakest code
    kept. Deviation: in the end it is set so that the training rows have k codes on average (of rows drawn by lot, where
    there are more than :data:`~pellucid.heads.dictionaries.centre.ROWS`); after few steps a running mean still remembers
    the beginning.
    """

    config_type = TopKConfig
    config: TopKConfig
    threshold: Tensor

    def __init__(self, config: TopKConfig) -> None:
        super().__init__(config)
        self.register_buffer("threshold", torch.full((), -1.0))

    def active(self, x: Tensor) -> SparseCodes:
        """While training the strongest of the batch, else those above the threshold."""
        if not self.training:
            return encoded(x, self.weight, self.bias, above(self.threshold.clamp(min=0)))
        codes = encoded(x, self.weight, self.bias, strongest_of_batch(self.config.k))
        return codes.with_values(codes.values.relu())

    def note(self, codes: Codes) -> None:
        """Move the threshold too."""
        super().note(codes)
        assert isinstance(codes, SparseCodes)
        positive = codes.values.detach()[codes.values.detach() > 0]
        if len(positive):
            weakest = positive.min()
            self.threshold.copy_(weakest if self.threshold < 0 else FORGETS * self.threshold + (1 - FORGETS) * weakest)

    @torch.no_grad()
    def fold(self, parts: Iterable[tuple[Representation, Batch]] = ()) -> None:
        """Set the threshold by the training rows, if there are any; then as all do."""
        rows = Sampled()
        for z, _ in parts:
            rows.add(z.values)
        if rows.count:
            codes = torch.addmm(self.bias, rows.rows / self.scale - self.centre, self.weight.T).flatten()
            kept = min(self.config.k * len(rows.rows), len(codes) - 1)
            # Codes above the first one that is left out: as many as there are to be.
            self.threshold.copy_(codes.topk(kept + 1).values[-1].clamp(min=0))
        super().fold()

    def thresholds(self) -> tuple[Tensor, ...]:
        """The one, and biases."""
        return (*super().thresholds(), self.threshold)


class MatryoshkaConfig(TopKConfig):
    """Settings of :class:`Matryoshka`.

    Parameters
    ----------
    nested : tuple of float
        Shares of the features that must explain a row without the rest, rising, the last of them 1.
    """

    nested: tuple[float, ...] = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)

    @model_validator(mode="after")
    def _shares_rise_to_one(self) -> MatryoshkaConfig:
        if not self.nested or self.nested[-1] != 1 or any(not 0 < a < b for a, b in pairwise(self.nested)):
            raise ValueError(f"nested = {self.nested}: shares rise from above 0 to 1")
        return self

    @property
    def sizes(self) -> tuple[int, ...]:
        """Features of each nested dictionary."""
        return tuple(dict.fromkeys(max(1, round(share * self.features)) for share in self.nested))


class Matryoshka(BatchTopK):
    """Dictionaries inside each other: the first features must do without the later ones, so that they stay general.

    References
    ----------
    Bussmann, Nabeshima, Karvonen and Nanda (2025), arXiv 2503.17547. Deviation: sizes are fixed shares, not drawn anew.
    """

    config_type = MatryoshkaConfig
    config: MatryoshkaConfig

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Mean over the nested dictionaries of the squared error, and what dead features left over."""
        x = z.values / self.scale
        codes = self.active(x - self.centre)
        atoms, found, total = without_radial_gradient(self.directions), self.centre.expand_as(x), x.new_zeros(())
        for start, stop in pairwise((0, *self.config.sizes)):
            inside = (codes.features >= start) & (codes.features < stop)
            found = found + codes.with_values(codes.values * inside).decoded(atoms)
            total = total + (x - found).square().sum(1).mean()
        total = total / len(self.config.sizes)
        if self.training:
            self.note(codes)
            total = total + self.config.auxiliary * self.revival(x, found)
        return total
