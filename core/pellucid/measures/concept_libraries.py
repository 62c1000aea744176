"""Libraries of concepts: directions in the space of a representation, of length one, that a classifier may speak in."""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.errors import DataError


def unit_concepts(vectors: Tensor) -> Tensor:
    """Given vectors as a library: each of length one.

    Parameters
    ----------
    vectors : Tensor, shape (concept, feature)

    Raises
    ------
    DataError
        If one is zero or not a number, and so has no direction.
    """
    lengths = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    if not bool((lengths > 0).all()) or not bool(torch.isfinite(lengths).all()):
        lost = int((~((lengths > 0) & torch.isfinite(lengths))).sum())
        raise DataError(f"{lost} of {len(vectors)} concept vectors are zero or not numbers; leave them out")
    return vectors / lengths


def prototype_concepts(segments: Tensor, count: int = 200) -> Tensor:
    """The first ``count`` segments of training samples as concepts.

    Parameters
    ----------
    segments : Tensor, shape (segment, feature)
        Mean embeddings of image patches, beats, or whatever samples are made of; by lot, if their order means something.
    count : int

    Returns
    -------
    Tensor, shape (concept, feature)
        Unit rows.
    """
    if len(segments) < count:
        raise DataError(f"{count} concepts need as many segments, got {len(segments)}")
    return unit_concepts(segments[:count])


def cluster_concepts(segments: Tensor, count: int = 200, *, most: int = 20_000, seed: int = 0) -> Tensor:
    """Centres of k-means clusters of training segments as concepts.

    Parameters
    ----------
    segments : Tensor, shape (segment, feature)
    count : int
    most : int
        Of more segments, as many are drawn.
    seed : int

    Returns
    -------
    Tensor, shape (concept, feature)
        Unit rows.
    """
    from sklearn.cluster import KMeans

    if len(segments) < count:
        raise DataError(f"{count} clusters need as many segments, got {len(segments)}")
    if len(segments) > most:
        drawn = torch.randperm(len(segments), generator=torch.Generator().manual_seed(seed))[:most]
        segments = segments[drawn]
    found = KMeans(count, n_init=1, random_state=seed % (1 << 32)).fit(segments.detach().cpu().double().numpy())
    return unit_concepts(torch.from_numpy(found.cluster_centers_).to(segments))
