"""How alike a prototype and a window of tokens are, and how a sample's windows make one number."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from pellucid.heads.prototypes.sets import Pool, PrototypeSet, Similarity

EPS = 1e-4
"""In the logarithm of a distance: an exact match has the similarity ``log(1 / EPS)``, 9.2."""


def windows(cells: Tensor, length: int) -> Tensor:
    """All windows of neighbouring tokens; (sample, token, width) to (sample, window, length * width).

    Examples
    --------
    >>> windows(torch.arange(4.0).view(1, 4, 1), 3).tolist()
    [[[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]]]
    """
    if length == 1:
        return cells
    return cells.unfold(1, length, 1).transpose(2, 3).flatten(2)


def comparable(patches: Tensor, kind: Similarity) -> Tensor:
    """Patches as they are compared: of length 1 for cosines, so that the nearest is the most alike."""
    return patches if kind == "l2" else functional.normalize(patches, dim=-1)


def factor(kind: Similarity, width: int, length: int) -> float:
    """What a cosine is multiplied with: 1, or for ``"arc"`` ``floor(sqrt(width * length)) / length``.

    Examples
    --------
    >>> factor("arc", 512, 32), round(factor("arc", 512, 3), 3)
    (4.0, 13.0)
    """
    return math.floor(math.sqrt(width * length)) / length if kind == "arc" else 1.0


def largest_similarity(kind: Similarity, width: int, length: int) -> float:
    """The similarity of a prototype and itself."""
    return math.log(1 / EPS) if kind == "l2" else factor(kind, width, length)


def similarity(patches: Tensor, prototypes: Tensor, prototype_set: PrototypeSet) -> Tensor:
    """Similarities of windows, shape (sample, window, value), and prototypes, shape (prototype, value).

    Returns
    -------
    Tensor, shape (sample, window, prototype)

    References
    ----------
    ``"arc"``: Donnelly et al. (2022), Deformable ProtoPNet, as used for windows of signals by ProtoECGNet
    (2025). ``"l2"``: Chen et al. (2019), ProtoPNet, arXiv 1806.10574.
    """
    if prototype_set.similarity == "l2":
        distance = squared_distance(patches, prototypes, prototype_set)
        return torch.log((distance + 1) / (distance + EPS))
    patches, prototypes = (comparable(values, prototype_set.similarity) for values in (patches, prototypes))
    return patches @ prototypes.t() * factor(prototype_set.similarity, prototype_set.width, prototype_set.window)


def squared_distance(patches: Tensor, prototypes: Tensor, prototype_set: PrototypeSet) -> Tensor:
    """Squared distances, never below 0, of windows and prototypes as they are compared; shapes as of :func:`similarity`."""
    patches, prototypes = (comparable(values, prototype_set.similarity) for values in (patches, prototypes))
    squares = patches.square().sum(-1, keepdim=True) + prototypes.square().sum(-1)
    return (squares - 2 * patches @ prototypes.t()).relu()


def pooled(similarities: Tensor, pool: Pool, top: int) -> Tensor:
    """One number a sample and prototype; (sample, window, prototype) to (sample, prototype)."""
    if pool == "max":
        return similarities.amax(1)
    if pool == "mean":
        return similarities.mean(1)
    return similarities.topk(min(top, similarities.shape[1]), dim=1).values.mean(1)
