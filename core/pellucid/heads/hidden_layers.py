"""The hidden layers of plain networks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import nn


def hidden_layers(widths: Sequence[int], dropout: float | None = None) -> list[nn.Module]:
    """Linear layers from each width to the next, each with a GELU behind it, and with dropout where a share is given.

    Examples
    --------
    >>> [type(one).__name__ for one in hidden_layers((3, 8, 4))]
    ['Linear', 'GELU', 'Linear', 'GELU']
    """
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), nn.GELU(), *([] if dropout is None else [nn.Dropout(dropout)])]
    return layers
