"""The strongest of a sample's similarities to concepts, all others set to zero, and a linear layer that reads them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from pellucid.errors import DataError

INITIAL_SPREAD = 0.02
"""Standard deviation of the weights at the start."""


def kept(concepts: int, ratio: float) -> int:
    """How many concepts of a sample speak: ``concepts - floor(concepts * ratio) - 1``, but one at least.

    The published rule keeps what is larger than the number at place ``floor(concepts * ratio)`` of the sorted ones. Of few
    concepts at a large ratio that is nothing, and the accuracy that of a coin; here the strongest one stays.

    Examples
    --------
    >>> kept(200, 0.9), kept(40, 0.98)
    (19, 1)
    """
    # Rounded up a little: 0.29 * 100 is 28.999999999999996.
    return max(1, concepts - math.floor(concepts * ratio + 1e-9) - 1)


def only_strongest(scores: Tensor, ratio: float) -> Tensor:
    """Scores with all but the strongest of each sample set to zero, whatever their sign.

    Parameters
    ----------
    scores : Tensor, shape (sample, concept)
    ratio : float, from 0, below 1
        Share that is set to zero; see :func:`kept`. At 0, the weakest one goes, as published.

    Returns
    -------
    Tensor, shape (sample, concept)
        What stays is unchanged, gradients included. Of equal scores at the limit all go, unless nothing were left.
    """
    sizes = scores.detach().abs()
    concepts = scores.shape[1]
    limit = sizes.kthvalue(concepts - kept(concepts, ratio), dim=1, keepdim=True).values
    stays = sizes > limit
    return scores * torch.where(stays.any(1, keepdim=True), stays, sizes >= limit)


class FewConceptsClassifier(nn.Module):
    """A linear classifier that reads few similarities to concepts.

    Parameters
    ----------
    concepts : Tensor, shape (concept, feature)
        Unit rows; a buffer, not learnt. Two at least.
    classes : int
    ratio : float
        Share of concepts that is set to zero in each sample, from 0 and below 1.

    Raises
    ------
    DataError
        If there are fewer than two concepts, or the ratio is no such share.

    Notes
    -----
    Similarities are normalised over the concepts of a sample with a learnable factor and shift, so the limit is one of each
    sample. ``contributions(x).sum(-1) + bias == forward(x)``.

    References
    ----------
    Shen et al. (2025), ICLR, Enhancing pre-trained representation classifiability can boost its interpretability.
    Deviations: one concept stays at least; best epoch and learning rate are chosen on validation samples.
    """

    concepts: Tensor

    def __init__(self, concepts: Tensor, classes: int, ratio: float) -> None:
        super().__init__()
        if not 0 <= ratio < 1:
            raise DataError(f"the share of concepts set to zero is {ratio}, expected from 0 and below 1")
        if len(concepts) < 2:
            raise DataError(f"a library needs two concepts, got {len(concepts)}")
        self.ratio = ratio
        self.register_buffer("concepts", concepts.detach().clone())
        self.norm = nn.LayerNorm(len(concepts))
        self.linear = linear_classifier(len(concepts), classes)

    def scores(self, x: Tensor, concepts: Tensor | None = None) -> Tensor:
        """Similarities to the concepts that speak, shape (sample, concept); others are zero.

        Parameters
        ----------
        x : Tensor, shape (sample, feature)
        concepts : Tensor, optional, shape (concept, feature)
            As many, in place of the library.
        """
        return only_strongest(self.norm(x @ (self.concepts if concepts is None else concepts).t()), self.ratio)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (sample, class), of representations of shape (sample, feature)."""
        return self.linear(self.scores(x))

    def contributions(self, x: Tensor) -> Tensor:
        """What each concept adds to each logit, shape (sample, class, concept)."""
        return self.scores(x)[:, None] * self.linear.weight


def linear_classifier(width: int, classes: int) -> nn.Linear:
    """A linear layer at its start: small random weights, no bias."""
    layer = nn.Linear(width, classes)
    nn.init.trunc_normal_(layer.weight, std=INITIAL_SPREAD)
    nn.init.zeros_(layer.bias)
    return layer
