"""Dictionaries as scikit-learn knows transformers: fit, transform, inverse_transform, in pipelines and grid searches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from pellucid.errors import nearest
from pellucid.heads.dictionaries import (
    BatchTopK,
    Gated,
    Ica,
    JumpRelu,
    Kmeans,
    MatchingPursuit,
    Matryoshka,
    OrthogonalMatchingPursuit,
    Pca,
    Relu,
    SemiNmf,
    SemiNmfHierarchy,
    TopK,
    Variational,
)
from pellucid.heads.dictionaries.base import Dictionary
from pellucid.heads.dictionaries.fitting import usual_settings
from pellucid.part import configured

METHODS: Mapping[str, type[Dictionary]] = {
    "batch-topk": BatchTopK,
    "gated": Gated,
    "ica": Ica,
    "jump-relu": JumpRelu,
    "kmeans": Kmeans,
    "matching-pursuit": MatchingPursuit,
    "matryoshka": Matryoshka,
    "orthogonal-matching-pursuit": OrthogonalMatchingPursuit,
    "pca": Pca,
    "relu": Relu,
    "semi-nmf": SemiNmf,
    "semi-nmf-hierarchy": SemiNmfHierarchy,
    "topk": TopK,
    "variational": Variational,
}
"""What a :class:`DictionaryTransformer` can learn by."""


class DictionaryTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A dictionary for whoever works with scikit-learn.

    Parameters
    ----------
    method : str
        One of :data:`METHODS`.
    n_components : int
        Features.
    options : mapping, optional
        Further settings of the method: ``{"k": 4}``.
    epochs : int, optional
        Passes over the rows, for methods that learn by steps; as many as make 4000 steps by default.
    batch_size : int
        Rows of a step.
    learning_rate : float
        Of Adam; it rises and falls.
    random_state : int
        Decides all chance.

    Attributes
    ----------
    dictionary_ : Dictionary
        With ``explain``, and whatever else the method has.
    components_ : ndarray, shape (feature, unit)
        Atoms.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(200, 6)).astype("float32")
    >>> DictionaryTransformer("pca", n_components=2).fit_transform(rows).shape
    (200, 2)
    """

    def __init__(
        self,
        method: str = "topk",
        n_components: int = 64,
        options: Mapping[str, Any] | None = None,
        epochs: int | None = None,
        batch_size: int = 512,
        learning_rate: float = 3e-3,
        random_state: int = 0,
    ) -> None:
        self.method = method
        self.n_components = n_components
        self.options = options
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> DictionaryTransformer:
        """Learn atoms from rows, shape (row, unit).

        Raises
        ------
        ValueError
            If there is no such method.
        StudyError, DataError
            For settings that do not fit, or rows that nothing can be learnt from.
        """
        rows = validate_data(self, X, dtype=np.float32, ensure_min_samples=2)
        if self.method not in METHODS:
            raise ValueError(
                f"no method {self.method!r}{nearest(self.method, METHODS)}; methods: {', '.join(sorted(METHODS))}"
            )
        made: Any = METHODS[self.method]
        units = tuple(f"x{at}" for at in range(rows.shape[1]))
        facts: dict[str, Any] = {"units": units, "features": self.n_components}
        config = configured("head", self.method, made.config_type, dict(self.options or {}), **facts)
        usual = usual_settings(len(rows))
        settings = usual.model_copy(
            update={
                "epochs": self.epochs or usual.epochs,
                "batch_size": self.batch_size,
                "learning_rate": self.learning_rate,
                "seed": self.random_state,
            }
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            self.dictionary_ = made(config)
            self.dictionary_.fit(rows, settings)
        self.components_ = self.dictionary_.atoms.numpy()
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Codes of rows, shape (row, feature)."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float32, reset=False)
        codes: np.ndarray = self.dictionary_.encode(torch.from_numpy(rows)).numpy()
        return codes

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Rows from codes, shape (row, unit)."""
        check_is_fitted(self)
        found = self.dictionary_.decode(torch.from_numpy(np.asarray(X, np.float32)))
        rows: np.ndarray = found.detach().numpy()
        return rows

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Codes are in single precision, whatever the rows were in.
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)
