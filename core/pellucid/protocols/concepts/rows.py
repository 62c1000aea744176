"""What the concept audit measures on each test sample of one model."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.data.dataset import Dataset
from pellucid.faithfulness.leakage import beyond_ratings
from pellucid.faithfulness.probes import dealt, numbers
from pellucid.heads.base import probabilities
from pellucid.model import Model
from pellucid.protocols.base import Splitting
from pellucid.protocols.prediction.assessment import label_columns
from pellucid.protocols.usual import UsualConcepts

LEARNT = "learnt"
"""Name of the order of correction that was learnt from training samples; the others are ``random0``, ``random1`` ..."""

PROBES = ("ratings", "soft", "whole", "soft_control", "whole_control")
"""What probes read: see :class:`~pellucid.faithfulness.leakage.BeyondRatings`."""

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class ConceptMeasures:
    """One model that goes by concepts, on the test samples of one fold.

    Columns: the labels (``label``, or ``label:<name>`` for several); ``concept:<name>`` as predicted, ``rated:<name>`` as
    people said on average, ``usual:<name>`` the mean over training samples, ``apart:<name>`` people's standard deviation
    where it is known; ``corrected:<order>:<count>:<output>``, what the model says after that many corrections (steps that
    are the same in all orders stand under the learnt one alone); ``asked:<question>`` and
    ``told:<probe>:<repeat>:<question>``, log odds of probes; for numbers ``alone:<repeat>:<output>``, predicted from
    people's ratings alone.

    Parameters
    ----------
    model : Model
    test : Dataset
    usual : UsualConcepts
    target : str
    random_orders, folds, repeats, controls, seed : int
        See :class:`~pellucid.protocols.concepts.audit.ConceptAuditConfig`.
    """

    model: Model
    test: Dataset
    usual: UsualConcepts
    target: str
    random_orders: int
    folds: int
    repeats: int
    controls: int
    seed: int

    @property
    def head(self) -> Any:
        """A head that goes by concepts."""
        return self.model.head

    @cached_property
    def labels(self) -> np.ndarray:
        """Shape (sample, label)."""
        return self.test.target_values(self.target)

    @cached_property
    def ratings(self) -> Tensor:
        """People's, shape (sample, concept); NaN where nobody rated."""
        return torch.tensor(self.test.concept_values(), dtype=torch.float32)

    @torch.no_grad()
    def columns(self) -> Columns:
        """Everything that is measured, one number a sample and column."""
        self.model.eval()
        predicted = self.head.concepts(self.model.representation(self.test))
        found = dict(zip(label_columns(self._target), self.labels.T, strict=True))
        for at, name in enumerate(self.head.concept_names):
            found[f"concept:{name}"], found[f"rated:{name}"] = _numpy(predicted[:, at]), _numpy(self.ratings[:, at])
            found[f"usual:{name}"] = np.full(len(predicted), float(self.usual.mean[at]))
        concepts = self.test.spec.concepts
        if concepts is not None and concepts.disagreement:
            found |= {
                f"apart:{n}": one for n, one in zip(concepts.names, self.test.concept_disagreement().T, strict=True)
            }
        return found | self._corrected(self.head.handed_on(predicted)) | self._probed(predicted)

    @property
    def _target(self) -> Any:
        return self.test.spec.target(self.target)

    def _corrected(self, handed_on: Tensor) -> Columns:
        count = handed_on.shape[1]
        found: Columns = {}
        for name, order in self._orders(count):
            mended = handed_on.clone()
            for step in range(count + 1):
                if step:
                    at = order[step - 1]
                    mended[:, at] = torch.where(self.ratings[:, at].isnan(), mended[:, at], self.ratings[:, at])
                if name == LEARNT or 0 < step < count:
                    outputs = probabilities(self._target, self.head.outcome(mended))
                    found |= {f"corrected:{name}:{step}:{o}": _numpy(column) for o, column in enumerate(outputs.t())}
        return found

    def _orders(self, count: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield LEARNT, self.usual.order
        if count < 9 and math.factorial(count) <= self.random_orders:
            orders = list(itertools.permutations(range(count)))
        else:
            # The same in every fold: a curve over folds is averaged over the same orders in all of them.
            rng = np.random.default_rng(self.seed)
            orders = [tuple(rng.permutation(count).tolist()) for _ in range(self.random_orders)]
        yield from ((f"random{at}", order) for at, order in enumerate(orders))

    def _probed(self, predicted: Tensor) -> Columns:
        ratings = _numpy(torch.where(self.ratings.isnan(), self.usual.mean.expand_as(self.ratings), self.ratings))
        soft, whole = _numpy(self.head.handed_on(predicted)), _numpy(self.head.whole_steps(predicted))
        sets = Splitting.sets(self.test)
        found: Columns = {}
        for question, yes in enumerate(self._questions().T):
            told = beyond_ratings(
                soft, whole, ratings, yes, sets,
                folds=self.folds, repeats=self.repeats, controls=self.controls, seed=self.seed,
            )  # fmt: skip
            found[f"asked:{question}"] = yes
            for probe in PROBES:
                found |= {f"told:{probe}:{at}:{question}": odds for at, odds in enumerate(getattr(told, probe))}
        if self._target.numeric:
            strata = Splitting.strata(self.test, self.target)
            known = np.concatenate([ratings, ratings**2], axis=1)
            for repeat in range(self.repeats):
                alone = numbers(known, self.labels, dealt(sets, strata, self.folds, self.seed + repeat))
                found |= {f"alone:{repeat}:{output}": column for output, column in enumerate(alone.T)}
        return found

    def _questions(self) -> np.ndarray:
        """Yes or no, shape (sample, question): a target's steps; of numbers, whether they lie above the median."""
        if self._target.numeric:
            return (self.labels > np.median(self.labels, axis=0)).astype(np.float64)
        return np.asarray(self._target.steps(self.labels), np.float64)


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().double().numpy()
