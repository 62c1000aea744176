"""What each input is worth: the score after it was read less the score before, averaged over orders of reading."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from pydantic import Field

from pellucid.heads.abilities import StepByStep
from pellucid.heads.base import probabilities
from pellucid.model import Model, batches
from pellucid.part import Config
from pellucid.protocols.base import Assessment, Context, FittedFold, joined, rows_of
from pellucid.protocols.fit_again import fit_again
from pellucid.protocols.missingness.figure import worths
from pellucid.protocols.missingness.flip import reads_one
from pellucid.protocols.prediction.assessment import label_columns
from pellucid.protocols.prediction.metrics import Metric, metrics_of
from pellucid.protocols.prediction.predictions import Predictions
from pellucid.protocols.said import MetricWords
from pellucid.representation import tokens_name
from pellucid.result import Result
from pellucid.statistics.bootstrap import REPLICATES, estimate, percentiles, subject_weights
from pellucid.training.fit import Sides

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

EQUAL = "an equal share of what all inputs add"


class ModalityImportanceConfig(Config):
    """Settings of :class:`ModalityImportance`.

    Parameters
    ----------
    orders : int
        Orders of reading, the study's own among them; all there are where there are no more.
    replicates : int
        Resamplings of subjects behind each interval.
    """

    orders: int = Field(6, ge=1)
    replicates: int = Field(REPLICATES, ge=100)


class ModalityImportance(Assessment):
    """What each input adds to the score of a model that reads one after the other.

    ``importance:<input>`` is the leading metric of the target (AUROC; for numbers the mean absolute error, turned round so
    that more is better) after an input was read less the metric before, averaged over orders. For each other order the
    model is fitted anew. The importances add up to the score less that of a model that has read nothing.
    ``importance_sd:<input>`` is the standard deviation over orders: where it is large, inputs say the same, and the one
    read first gets the merit.

    It fits a model for each order: a study takes that many times longer with it.

    References
    ----------
    Swamy et al. (2023), MultiModN, arXiv 2309.14118. Deviation: averaged over orders.
    """

    name: ClassVar[str] = "modality-importance"
    needs_training: ClassVar[bool] = True
    fits_models: ClassVar[bool] = True
    metrics: ClassVar[Mapping[str, MetricWords]] = {
        "importance": MetricWords(
            "Importance",
            "how the score grows when this input is read after others, averaged over orders",
        ),
        "importance sd": MetricWords(
            "Spread of importance",
            "over orders of reading; lower is better",
        ),
    }
    config_type = ModalityImportanceConfig
    config: ModalityImportanceConfig

    @classmethod
    def example_fold(cls) -> tuple[FittedFold, Context]:
        """A small fold to try it on."""
        from pellucid.testing.example_folds import modality_fold

        return modality_fold()

    def unfit(self, context: Context) -> str:
        """An encoder must read several inputs, one after the other, and a head must follow it."""
        if reason := reads_one(context):
            return reason
        if context.encoders is not None and not any(tags.several_inputs for tags in context.encoders.values()):
            return "no encoder of this study reads several inputs one after the other; take sequential-fusion"
        if not any(tags.needs_tokens for tags in context.predictors.values()):
            return "no head of this study follows an encoder step by step; add cumulative"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part, order and test sample.

        Returns
        -------
        DataFrame
            ``order`` (0 is the study's own), labels, and for each step the input that was read, ``input 1`` ..., and the
            probabilities (or numbers) after it, ``0:<output>`` (nothing read), ``1:<output>`` ...
        """

        tables: list[pd.DataFrame] = []
        sides = Sides(fold.train, fold.validation, fold.target)
        for part, model in fold.predictors.items():
            if (prefix := reordered(model)) is None:
                continue
            assert isinstance(model.head, StepByStep)
            test = fold.test(part)
            labels = dict(
                zip(
                    label_columns(fold.dataset.spec.target(fold.target)), test.target_values(fold.target).T, strict=True
                )
            )
            for at, order in enumerate(orders(model.head.step_names, self.config.orders, fold.seed)):
                one = model
                if at:
                    one = fit_again(
                        model, part, sides, fold.training, seed=f"{fold.seed}/order {' '.join(order)}",
                        changes={prefix: {"order": order}},
                    )  # fmt: skip
                    one.learned_from.refuse(test.learned_from, part=f"{part!r} in another order")
                said = _after_each_step(one, test)
                columns = {
                    f"{step}:{output}": said[:, step, column]
                    for step in range(said.shape[1])
                    for column, output in enumerate(one.head.outputs)
                }
                read = {f"input {step}": name for step, name in enumerate(order, start=1)}
                tables.append(rows_of(part, test, labels | columns).assign(order=at, **read))
        return joined(tables)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """What each input adds, and how much that depends on the order."""
        results = []
        for part, own in context.own_rows(rows):
            results += Worth(own, part, context, self.config.replicates).results()
        return results

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """What each input adds, with intervals and the spread over orders."""
        return worths(self.conclude(rows, context), context.bars)


def reordered(model: Model) -> str | None:
    """Prefix of the encoder whose steps the head of a model follows, if these can be taken in another order."""
    if not isinstance(model.head, StepByStep):
        return None
    for prefix, encoder in model.named_encoders():
        handed_on = [tokens_name(prefix, name) for name in encoder.token_shapes]
        if model.head.tokens_name in handed_on and "order" in type(encoder.config).model_fields:
            return prefix
    return None


def orders(own: tuple[str, ...], most: int, seed: int) -> list[tuple[str, ...]]:
    """Distinct orders, one's own first, the others drawn by the seed; all there are if there are no more than ``most``."""
    if math.factorial(len(own)) <= most:
        return list(itertools.permutations(own))
    rng, found = np.random.default_rng(seed), [own]
    while len(found) < most:
        drawn = tuple(own[at] for at in rng.permutation(len(own)))
        if drawn not in found:
            found.append(drawn)
    return found


@dataclass(frozen=True)
class Worth:
    """What inputs add in one part.

    Parameters
    ----------
    rows : DataFrame
        Of one part; see :meth:`ModalityImportance.examine`.
    part : str
    context : Context
    replicates : int
    """

    rows: pd.DataFrame
    part: str
    context: Context
    replicates: int

    @property
    def metric(self) -> Metric:
        """The leading metric of the target."""
        return metrics_of(self.context.spec.target(self.context.target))[0]

    @cached_property
    def by_order(self) -> list[pd.DataFrame]:
        """The rows of each order, samples in the same order in all."""
        found = self.rows.sort_values(["order", "fold", "sample"], kind="stable")
        return [rows for _, rows in found.groupby("order")]

    @property
    def inputs(self) -> list[str]:
        """In the study's own order."""
        return self._read(self.by_order[0])

    def results(self) -> list[Result]:
        """Importance and its spread over orders, of each input."""
        first = self.by_order[0]
        subjects = first["subject"].to_numpy(str)
        weights = subject_weights(
            subjects, first["fold"].to_numpy(), replicates=self.replicates, seed=self.context.seed
        )
        # One row an order, one column an input; the last axis holds the value and then the replicates.
        added = np.stack([self._added(rows, weights) for rows in self.by_order])
        if np.isnan(added[..., 0]).any():
            return []
        mean, sd = added.mean(0), added[..., 0].std(0)
        equal = float(mean[:, 0].sum() / len(mean))
        results = []
        for at, name in enumerate(self.inputs):
            value, low, high = percentiles(float(mean[at, 0]), mean[at, 1:])
            told = (
                f"Reading “{name}” {'adds' if value >= 0 else 'takes'} {abs(value):.3f} {'to' if value >= 0 else 'from'} "
                f"{self.metric.shown} of “{self.part}” ({low:+.3f} to {high:+.3f}), on average over {len(added)} orders of "
                f"reading; between orders that differs by a standard deviation of {sd[at]:.3f}."
            )
            results.append(self._result(f"importance:{name}", (value, low, high), equal, EQUAL, subjects, told))
            spread = (float(sd[at]), math.nan, math.nan)
            results.append(self._result(f"importance_sd:{name}", spread, 0.0, "no dependence on the order", subjects))
        return results

    def _result(
        self, metric: str, found: tuple[float, float, float], baseline: float, beside: str, subjects: np.ndarray,
        sentence: str = "",
    ) -> Result:  # fmt: skip
        return Result(
            protocol=ModalityImportance.name, metric=metric, part=self.part, value=found[0], low=found[1], high=found[2],
            chance=0.0, baseline=baseline, baseline_name=beside, higher_is_better=not metric.startswith("importance_sd"),
            n_samples=len(subjects), n_subjects=len(np.unique(subjects)), sentence=sentence,
        )  # fmt: skip

    def _added(self, rows: pd.DataFrame, weights: np.ndarray) -> np.ndarray:
        """What each input adds in one order, shape (input, 1 + replicate), inputs in the study's own order."""
        scores = [self._score(rows, step, weights) for step in range(len(self.inputs) + 1)]
        sign = 1 if self.metric.higher_is_better else -1
        added = sign * np.diff(np.stack(scores), axis=0)
        read = self._read(rows)
        return added[[read.index(name) for name in self.inputs]]

    def _score(self, rows: pd.DataFrame, step: int, weights: np.ndarray) -> np.ndarray:
        """The metric after a step, and its replicates."""
        target = self.context.spec.target(self.context.target)
        said = Predictions.of(rows, target, [f"{step}:{output}" for output in target.outputs])
        value, replicates = estimate(self.metric.statistic(said), weights)
        return np.concatenate([[value], replicates])

    @staticmethod
    def _read(rows: pd.DataFrame) -> list[str]:
        """The inputs in the order in which they were read; parts that read fewer have nothing in the last columns."""
        columns = [str(c) for c in rows.columns if str(c).startswith("input ")]
        return [str(rows[column].iloc[0]) for column in columns if rows[column].notna().iloc[0]]


@torch.no_grad()
def _after_each_step(model: Model, samples: object) -> np.ndarray:
    """Probabilities (or numbers) at the start and after each step, shape (sample, step + 1, output)."""
    head: object = model.eval().head
    assert isinstance(head, StepByStep)
    found = []
    for batch, _ in batches(samples):  # type: ignore[arg-type]
        said = head.outputs_by_step(model.encode(batch))
        found.append(torch.stack([probabilities(head.config.target, step) for step in said.unbind(1)], dim=1))
    return torch.cat(found).double().numpy()
