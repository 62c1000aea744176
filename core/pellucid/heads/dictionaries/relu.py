"""The plain sparse autoencoder: positive codes, kept few by their sum."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from pellucid.heads.dictionaries.autoencoder import Codes, SparseAutoencoder, SparseAutoencoderConfig


class ReluConfig(SparseAutoencoderConfig):
    """Settings of :class:`Relu`.

    Parameters
    ----------
    l1 : float
        Weight of the sum of a row's codes, where a row's squared distance from the offset is as large as there are units.
    warm_up : float
        Passes over the training rows in which the weight grows from nothing.
    """

    l1: float = Field(default=1.0, ge=0)
    warm_up: float = Field(default=1.0, ge=0)


class Relu(SparseAutoencoder):
    """Every positive code is active; a penalty on their sum leaves few.

    Codes come out too small, the more so the larger the penalty: that is what the other rules avoid.

    References
    ----------
    Bricken et al. (2023), Towards Monosemanticity; Cunningham et al. (2023), arXiv 2309.08600. The sum weighs each code by
    the length of its atom, as in Conerly et al. (2024), so that long atoms cannot hide from it: here all have length one.
    """

    config_type = ReluConfig
    config: ReluConfig

    def active(self, x: Tensor) -> Tensor:
        """All that are positive."""
        return self.linear(x).relu()

    def learnt(self, x: Tensor) -> tuple[Codes, Tensor]:
        """Codes, and their sum."""
        codes = self.active(x)
        return codes, self.config.l1 * self.warmth(self.config.warm_up) * codes.sum(1).mean()
