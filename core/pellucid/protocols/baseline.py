"""The trivial baseline: what the dataset's simplest covariates reach without any model of ours."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec
from pellucid.data.subjects import LearnedFrom


class TrivialBaseline:
    """Logistic (for numbers: ridge) regression on the dataset's trivial covariates; without any, the training mean.

    Parameters
    ----------
    spec : DataSpec
    target : str
    """

    def __init__(self, spec: DataSpec, target: str) -> None:
        self.spec, self.target = spec, target
        self.learned_from = LearnedFrom()
        self._models: list[Any] = []

    @property
    def name(self) -> str:
        """``"area_mm2 alone"``, or ``"training mean"`` where the dataset names no covariate."""
        return f"{' + '.join(self.spec.trivial)} alone" if self.spec.trivial else "training mean"

    def fit(self, train: Dataset) -> TrivialBaseline:
        """Learn from training samples."""
        from sklearn.dummy import DummyClassifier, DummyRegressor
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        regression = self.spec.target(self.target).kind == "regression"
        x = self._features(train)
        self._models = []
        for y in self._columns(train.target_values(self.target)):
            if not self.spec.trivial or (not regression and len(np.unique(y)) < 2):
                last: Any = DummyRegressor() if regression else DummyClassifier(strategy="prior")
            else:
                last = Ridge() if regression else LogisticRegression(max_iter=1000)
            self._models.append(make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), last).fit(x, y))
        self.learned_from = train.learned_from
        return self

    def predict(self, samples: Dataset) -> np.ndarray:
        """Probabilities or numbers, shape (sample, output), columns as the target's outputs."""
        x = self._features(samples)
        kind = self.spec.target(self.target).kind
        if kind == "regression":
            return np.column_stack([m.predict(x) for m in self._models])
        if kind == "multiclass":
            found = np.zeros((len(x), len(self.spec.target(self.target).outputs)))
            found[:, self._models[0].classes_.astype(int)] = self._models[0].predict_proba(x)
            return found
        return np.column_stack([self._chance_of_one(m, x) for m in self._models])

    @staticmethod
    def _chance_of_one(model: Any, x: np.ndarray) -> np.ndarray:
        chances = model.predict_proba(x)
        return chances[:, list(model.classes_).index(1)] if 1 in model.classes_ else np.zeros(len(x))

    def _columns(self, values: np.ndarray) -> list[np.ndarray]:
        spec = self.spec.target(self.target)
        if spec.kind == "ordinal":
            return [(values[:, 0] > step).astype(int) for step in range(len(spec.outputs))]
        return [column if spec.kind == "regression" else column.astype(int) for column in values.T]

    def _features(self, samples: Dataset) -> np.ndarray:
        return samples.covariate_values(self.spec.trivial) if self.spec.trivial else np.zeros((len(samples), 1))
