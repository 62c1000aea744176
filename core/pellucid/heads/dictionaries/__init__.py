"""Dictionaries: a representation as a sum of few atoms, learnt without labels."""

from pellucid.heads.dictionaries.baselines import ComponentsConfig, Ica, Kmeans, Pca
from pellucid.heads.dictionaries.gated import Gated, GatedConfig
from pellucid.heads.dictionaries.jump_relu import JumpRelu, JumpReluConfig
from pellucid.heads.dictionaries.one_pass import OnePassConfig
from pellucid.heads.dictionaries.pursuit import (
    MatchingPursuit,
    MatchingPursuitConfig,
    OrthogonalMatchingPursuit,
    PursuitConfig,
)
from pellucid.heads.dictionaries.relu import Relu, ReluConfig
from pellucid.heads.dictionaries.semi_nmf import SemiNmf, SemiNmfConfig
from pellucid.heads.dictionaries.semi_nmf_hierarchy import SemiNmfHierarchy, SemiNmfHierarchyConfig
from pellucid.heads.dictionaries.topk import BatchTopK, Matryoshka, MatryoshkaConfig, TopK, TopKConfig
from pellucid.heads.dictionaries.variational import Variational, VariationalConfig

__all__ = [
    "BatchTopK",
    "ComponentsConfig",
    "Gated",
    "GatedConfig",
    "Ica",
    "JumpRelu",
    "JumpReluConfig",
    "Kmeans",
    "MatchingPursuit",
    "MatchingPursuitConfig",
    "Matryoshka",
    "MatryoshkaConfig",
    "OnePassConfig",
    "OrthogonalMatchingPursuit",
    "Pca",
    "PursuitConfig",
    "Relu",
    "ReluConfig",
    "SemiNmf",
    "SemiNmfConfig",
    "SemiNmfHierarchy",
    "SemiNmfHierarchyConfig",
    "TopK",
    "TopKConfig",
    "Variational",
    "VariationalConfig",
]
