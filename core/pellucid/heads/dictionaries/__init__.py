"""Dictionaries: a representation as a sum of few atoms, learnt without labels."""

from pellucid.heads.dictionaries.topk import BatchTopK, Matryoshka, MatryoshkaConfig, TopK, TopKConfig

__all__ = ["BatchTopK", "Matryoshka", "MatryoshkaConfig", "TopK", "TopKConfig"]
