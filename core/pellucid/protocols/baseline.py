"""The trivial baseline: what the dataset's simplest covariates reach without any model of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec
from pellucid.data.subjects import LearnedFrom
from pellucid.statistics.classification import choose_threshold


@dataclass(frozen=True)
class LinearRule:
    """A fitted linear rule as plain numbers, so that it is saved as JSON and evaluated anywhere.

    Parameters
    ----------
    fill, mean, scale : ndarray, shape (covariate,)
        What replaces a missing value, and the standardisation.
    weights : ndarray, shape (output, covariate)
    intercept : ndarray, shape (output,)
    """

    fill: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    intercept: np.ndarray

    def filled(self, x: np.ndarray) -> np.ndarray:
        """Covariates with what is missing replaced, shape (sample, covariate)."""
        return np.where(np.isnan(x), self.fill, x)

    def score(self, x: np.ndarray) -> np.ndarray:
        """Scores of covariates of which none is missing, shape (sample, output)."""
        return (x - self.mean) / self.scale @ self.weights.T + self.intercept


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
        self.rule: LinearRule | None = None
        self.threshold = 0.5
        """Where a probability becomes a yes. It is chosen on the training samples themselves: a rule of so few numbers
        does not fit them better than it fits others."""

    @property
    def name(self) -> str:
        """``"area alone"``, or ``"training mean"`` where the dataset names no covariate.

        ``log_area`` is called ``area``: a logarithm changes no order, and people know the thing by its own name.
        """
        covariates = [name.removeprefix("log_").replace("_", " ") for name in self.spec.trivial]
        return f"{' + '.join(covariates)} alone" if covariates else "training mean"

    def fit(self, train: Dataset) -> TrivialBaseline:
        """Learn from training samples."""
        x = self._covariates(train)
        seen = np.isfinite(x)
        fill = np.where(seen, x, 0.0).sum(0) / np.maximum(seen.sum(0), 1)
        x = np.where(seen, x, fill)
        mean, scale = x.mean(0), x.std(0)
        scale = np.where(scale > 0, scale, 1.0)
        weights, intercept = self._solve((x - mean) / scale, train.target_values(self.target))
        self.rule = LinearRule(fill, mean, scale, weights, intercept)
        self.learned_from = train.learned_from
        labels = train.target_values(self.target)[:, 0]
        if self.spec.target(self.target).yes_or_no and len(np.unique(labels)) == 2:
            self.threshold = choose_threshold(labels, self.predict(train)[:, 0])
        return self

    def predict(self, samples: Dataset) -> np.ndarray:
        """Probabilities or numbers, shape (sample, output), columns as the target's outputs."""
        import torch

        from pellucid.heads.base import probabilities

        if self.rule is None:
            raise RuntimeError("fit the baseline before it predicts")
        scores = self.rule.score(self.rule.filled(self._covariates(samples)))
        return probabilities(self.spec.target(self.target), torch.from_numpy(scores)).numpy()

    def features(self, samples: Dataset) -> np.ndarray:
        """What it reads: the trivial covariates, a missing one as its mean over the training samples.

        Returns
        -------
        ndarray, shape (sample, covariate)
            Where the dataset names none, one column of zeros.
        """
        if self.rule is None:
            raise RuntimeError("fit the baseline before it reads: what is missing is filled with training means")
        return self.rule.filled(self._covariates(samples))

    def to_json(self) -> dict[str, Any]:
        """Plain lists, for a weights file's header."""
        assert self.rule is not None
        numbers = {name: getattr(self.rule, name).tolist() for name in LinearRule.__dataclass_fields__}
        return {"rule": numbers, "threshold": self.threshold, "learned_from": self.learned_from.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], spec: DataSpec, target: str) -> TrivialBaseline:
        """Inverse of :meth:`to_json`."""
        made = cls(spec, target)
        made.rule = LinearRule(**{name: np.asarray(values, np.float64) for name, values in data["rule"].items()})
        made.threshold = float(data["threshold"])
        made.learned_from = LearnedFrom.from_json(data["learned_from"])
        return made

    def _solve(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.linear_model import LogisticRegression, Ridge

        spec = self.spec.target(self.target)
        if spec.numeric:
            ridge = Ridge().fit(x, y)
            return ridge.coef_.reshape(y.shape[1], -1), np.atleast_1d(ridge.intercept_)
        if spec.exclusive:
            return self._solve_classes(x, y[:, 0].astype(int), len(spec.outputs))
        weights, intercept = [], []
        for every in spec.steps(y).T:
            known = ~np.isnan(every)
            column, some = every[known].astype(int), x[known]
            if len(np.unique(column)) < 2:
                # One class among the training samples: certain, but for the half sample that keeps the logit finite.
                share = (column.sum() + 0.5) / (len(column) + 1)
                weights.append(np.zeros(x.shape[1]))
                intercept.append(np.log(share / (1 - share)))
            else:
                model = LogisticRegression(max_iter=1000).fit(some, column)
                weights.append(model.coef_[0])
                intercept.append(model.intercept_[0])
        return np.array(weights), np.array(intercept)

    @staticmethod
    def _solve_classes(x: np.ndarray, y: np.ndarray, outputs: int) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.linear_model import LogisticRegression

        weights, intercept = np.zeros((outputs, x.shape[1])), np.full(outputs, -20.0)
        present = np.unique(y)
        if len(present) < 2:
            intercept[present] = 0.0
            return weights, intercept
        model = LogisticRegression(max_iter=1000).fit(x, y)
        if len(present) == 2:
            weights[present], intercept[present] = np.vstack([-model.coef_, model.coef_]) / 2, 0.0
            intercept[present] = np.array([-1, 1]) * model.intercept_[0] / 2
        else:
            weights[present], intercept[present] = model.coef_, model.intercept_
        return weights, intercept

    def _covariates(self, samples: Dataset) -> np.ndarray:
        return samples.covariate_values(self.spec.trivial) if self.spec.trivial else np.zeros((len(samples), 1))
