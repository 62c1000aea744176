"""Clusters, neighbours and a map, learnt on training samples; asked about others, it knows whom it has learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.data.subjects import LearnedFrom


@dataclass(frozen=True)
class Placed:
    """Where test samples lie: cluster, share of near training samples of their class, place on the map."""

    cluster: np.ndarray
    purity: np.ndarray
    map: np.ndarray


@dataclass(frozen=True)
class Space:
    """Clusters, neighbours and map of some training samples, and whom they were learnt from."""

    mean: np.ndarray
    scale: np.ndarray
    points: np.ndarray
    labels: np.ndarray
    clusters: Any
    axes: np.ndarray
    neighbours: int
    learned_from: LearnedFrom

    @property
    def count(self) -> int:
        """Number of clusters."""
        return len(self.clusters.cluster_centers_)

    @classmethod
    def fitted(
        cls,
        values: np.ndarray,
        labels: np.ndarray,
        learned_from: LearnedFrom,
        *,
        most: int,
        neighbours: int,
        seed: int,
    ) -> Space:
        """Learn from training samples.

        Parameters
        ----------
        values : ndarray, shape (sample, unit)
        labels : ndarray, shape (sample,)
        learned_from : LearnedFrom
            Their subjects, and whomever the latent has learnt from.
        most, neighbours, seed : int
            Largest number of clusters tried, of which the one with the best silhouette is taken; samples in a
            neighbourhood.
        """
        mean, scale = values.mean(0), values.std(0)
        scale = np.where(scale > 1e-9 * np.maximum(np.abs(mean), 1), scale, 1.0)
        points = (values - mean) / scale
        clusters = _clusters(points, most, seed)
        _, _, axes = np.linalg.svd(points, full_matrices=False)
        if len(axes) < 2:
            axes = np.vstack([axes, np.zeros_like(axes)])
        near = min(neighbours, len(points))
        return cls(mean, scale, points, labels, clusters, axes[:2], near, learned_from)

    def placed(self, values: np.ndarray, labels: np.ndarray, samples: LearnedFrom, *, part: str) -> Placed:
        """Place samples with labels.

        Raises
        ------
        LeakageError
            If this has learnt from any of their subjects.
        """
        from sklearn.neighbors import NearestNeighbors

        self.learned_from.refuse(samples, part=part, action="asked about")
        points = (values - self.mean) / self.scale
        near = NearestNeighbors(n_neighbors=self.neighbours).fit(self.points).kneighbors(points, return_distance=False)
        purity = (self.labels[near] == labels[:, None]).mean(1)
        return Placed(self.clusters.predict(points), purity, points @ self.axes.T)


def _clusters(points: np.ndarray, most: int, seed: int) -> Any:
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    distinct = len(np.unique(points, axis=0))
    if distinct < 3:
        return KMeans(distinct, n_init=1, random_state=seed).fit(points)
    tried = range(2, min(most, distinct - 1) + 1)
    found = [KMeans(k, n_init=5, random_state=seed).fit(points) for k in tried]
    if len(found) == 1:
        return found[0]
    # The silhouette compares all pairs; a thousand samples are enough to choose a number by.
    scores = [silhouette_score(points, f.labels_, sample_size=min(1000, len(points)), random_state=seed) for f in found]
    return found[int(np.argmax(scores))]
