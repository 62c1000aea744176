"""What a dictionary must be better than: clusters, principal and independent components."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field, model_validator
from torch import Tensor

from pellucid.heads.dictionaries.one_pass import OnePassConfig, OnePassDictionary


class Kmeans(OnePassDictionary):
    """Clusters: a row is the centre nearest to it. One code a row, which is one; atoms lead from the mean to the centres."""

    config_type = OnePassConfig
    config: OnePassConfig

    def learn(self, x: Tensor) -> None:
        """Find clusters, from four starts."""
        from sklearn.cluster import KMeans

        found = KMeans(self.config.features, n_init=4, random_state=int(self.chance)).fit(x.double().numpy())
        self.centre.copy_(x.mean(0))
        self.directions.copy_(torch.from_numpy(found.cluster_centers_) - self.centre)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """One for the nearest centre, shape (row, unit) to (row, feature)."""
        nearest = torch.cdist(x - self.centre, self.directions, compute_mode="donot_use_mm_for_euclid_dist").argmin(1)
        return torch.nn.functional.one_hot(nearest, self.config.features).to(x.dtype)


class ComponentsConfig(OnePassConfig):
    """Settings of :class:`Pca` and :class:`Ica`.

    Parameters
    ----------
    k : int, optional
        Codes that a row may have, those farthest from zero; all by default.
    """

    features: int = Field(default=8, gt=0)
    k: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _no_more_than_units(self) -> ComponentsConfig:
        if self.features > len(self.units):
            raise ValueError(f"{self.features} features of {len(self.units)} units: components can be at most as many")
        if self.k is not None and self.k > self.features:
            raise ValueError(f"k = {self.k} codes a row of {self.features} features: k can be at most `features`")
        return self


class Components(OnePassDictionary):
    """Signed codes along directions of which there are no more than units."""

    config: ComponentsConfig
    unmixing: Tensor

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings to try it with on few units."""
        return {"features": 3}

    def __init__(self, config: ComponentsConfig) -> None:
        super().__init__(config)
        self.register_buffer("unmixing", torch.zeros(config.features, len(config.units)))

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Shape (row, unit) to (row, feature)."""
        codes = (x - self.centre) @ self.unmixing.T
        if self.config.k is None:
            return codes
        at = codes.abs().topk(self.config.k, dim=1).indices
        return torch.zeros_like(codes).scatter(1, at, codes.gather(1, at))


class Pca(Components):
    """Principal components: at right angles to each other, those that vary most first."""

    config_type = ComponentsConfig

    def learn(self, x: Tensor) -> None:
        """Find components."""
        from sklearn.decomposition import PCA

        found = PCA(self.config.features, svd_solver="full").fit(x.double().numpy())
        self.centre.copy_(torch.from_numpy(found.mean_))
        self.directions.copy_(torch.from_numpy(found.components_))
        self.unmixing.copy_(self.directions)


class Ica(Components):
    """Independent components: as far from Gaussian as directions can be. Atoms of unit length."""

    config_type = ComponentsConfig

    def learn(self, x: Tensor) -> None:
        """Find components; says aloud where they have not settled."""
        from sklearn.decomposition import FastICA

        found = FastICA(
            self.config.features, whiten="unit-variance", max_iter=1000, tol=1e-3, random_state=int(self.chance)
        ).fit(x.double().numpy())
        atoms = torch.from_numpy(found.mixing_.T)
        lengths = torch.linalg.vector_norm(atoms, dim=1, keepdim=True).clamp(min=1e-12)
        self.centre.copy_(torch.from_numpy(found.mean_))
        self.directions.copy_(atoms / lengths)
        self.unmixing.copy_(torch.from_numpy(found.components_) * lengths)
