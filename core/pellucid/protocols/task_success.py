"""How often what a model says works when it is tried, and how far it gets: two figures of the same attempts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from pydantic import Field

from pellucid.batch import Batch
from pellucid.data.abilities import Act, HasTask
from pellucid.data.dataset import Dataset
from pellucid.errors import NotMeasurable
from pellucid.heads.abilities import Draws
from pellucid.heads.base import Head
from pellucid.model import Model
from pellucid.part import Config
from pellucid.protocols.audited import AuditedRows
from pellucid.protocols.base import Assessment, Context, FittedFold, joined, rows_of
from pellucid.protocols.said import MetricWords, Section
from pellucid.result import NotMeasured, Result
from pellucid.statistics.bootstrap import REPLICATES, Interval
from pellucid.statistics.proportions import wilson

if TYPE_CHECKING:
    import pandas as pd

NAME = "task-success"

FEW = 100
"""Attempts below which a share is flagged: a Wilson interval of 100 is at most 19 points wide, of 50 it is 27."""

BASELINE = "the training mean"

KNOWN = ("success", "score")


class TaskSuccessConfig(Config):
    """Settings of :class:`TaskSuccess`.

    Parameters
    ----------
    replicates : int
        Resamplings of groups behind the intervals of scores.
    """

    replicates: int = Field(REPLICATES, ge=100)


class TaskSuccess(Assessment):
    """What a model says is tried from the situation of each test sample, by the dataset that knows the task.

    ``success`` is the share of attempts that did the task, with Wilson's interval; ``score`` how far they got, 0 to 1, with an interval
    over groups. Both are always told: a mean score of 0.95 and a success of 64 % can be the same attempts. Fewer than 100 attempts are
    flagged. Of a head that draws (:class:`~pellucid.heads.abilities.Draws`) ``drawn_success`` and ``drawn_score`` are those of one draw a
    sample, and the plain ones those of its answer, which for some heads lies between all draws. Whatever else the task tells (``above``)
    has its share beside, without a better or worse.

    Chance does what was done in a training sample at random, whatever the situation; the baseline does the training mean.

    References
    ----------
    Chi et al. (2023), arXiv 2303.04137, whose tables give the mean of the largest score of an episode, which is no share of successes.
    """

    name: ClassVar[str] = NAME
    needs_training = True
    metrics: ClassVar[Mapping[str, MetricWords]] = {
        "success": MetricWords("Attempts that succeed", "share; 1 is best"),
        "score": MetricWords("How far attempts get", "from 0 to 1, mean; not the share that succeeds"),
        "drawn_success": MetricWords("Attempts that succeed, of drawn answers", "share; 1 is best"),
        "drawn_score": MetricWords("How far attempts of drawn answers get", "from 0 to 1, mean"),
    }
    # Without an introduction, so that a report says in words what each share is of.
    section = Section("task", "Whether it works when it is tried", order=13)
    config_type = TaskSuccessConfig
    config: TaskSuccessConfig

    @classmethod
    def example_fold(cls) -> tuple[FittedFold, Context]:
        """A small fold to try it on."""
        from pellucid.testing.tasks import task_fold

        return task_fold()

    def unfit_for(self, dataset: Dataset, heads: Mapping[str, Head], context: Context) -> str:
        """The dataset must know a task."""
        if dataset.ability(HasTask) is None:  # type: ignore[type-abstract]
            return f"dataset {dataset.spec.name!r} knows no task in which predictions could be tried"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and test sample.

        Returns
        -------
        DataFrame
            What was told of each attempt, under ``model:``, ``drawn:``, ``chance:`` and ``baseline:``.

        Raises
        ------
        NotMeasurable
            If the dataset knows no task.
        """
        task = fold.dataset.ability(HasTask)  # type: ignore[type-abstract]
        if task is None:
            raise NotMeasurable(f"dataset {fold.dataset.spec.name!r} knows no task", "use data that know one")
        known = fold.train.target_values(fold.target)
        rng = np.random.default_rng(fold.seed)
        others = {
            "chance": lambda inputs: known[rng.integers(len(known), size=_count(inputs))],
            "baseline": lambda inputs: np.repeat(known.mean(0, keepdims=True), _count(inputs), 0),
        }
        rows = np.asarray(fold.split.test)
        tables = []
        for part, model in fold.predictors.items():
            samples = fold.test(part)
            acting: dict[str, Act] = {"model": _acting(model), **others}
            if isinstance(model.head, Draws):
                acting["drawn"] = _drawing(model, model.head, fold.seed)
            columns = {
                f"{who}:{name}": np.asarray(values, np.float64)
                for who, act in acting.items()
                for name, values in task.attempted(fold.target, rows, act).items()
            }
            tables.append(rows_of(part, samples, columns))
        return joined(tables)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result | NotMeasured]:
        """Success and score of each model."""
        return [
            one
            for part, own in context.own_rows(rows)
            for one in _Attempts(own.reset_index(drop=True), part, context, self.config.replicates).results()
        ]


def _count(inputs: Mapping[str, np.ndarray]) -> int:
    return len(next(iter(inputs.values())))


def _batch(inputs: Mapping[str, np.ndarray]) -> Batch:
    return Batch({name: torch.from_numpy(np.asarray(values, np.float32)) for name, values in inputs.items()})


def _acting(model: Model) -> Act:
    @torch.no_grad()
    def act(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.asarray(model.eval()(_batch(inputs)).double().cpu().numpy())

    return act


def _drawing(model: Model, head: Draws, seed: int) -> Act:
    asked = iter(range(seed, seed + (1 << 30)))

    @torch.no_grad()
    def act(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        z = model.eval().encode(_batch(inputs))
        # Another draw each time that a task of several steps asks.
        return np.asarray(head.draw(z, 1, next(asked))[0].double().cpu().numpy())

    return act


@dataclass(frozen=True)
class _Attempts(AuditedRows):
    protocol: ClassVar[str] = NAME

    def results(self) -> Iterator[Result | NotMeasured]:
        """All of one part."""
        for who, prefix in (("model", ""), ("drawn", "drawn_")):
            if not self.has(f"{who}:success"):
                continue
            for metric in KNOWN:
                mean = self.mean_of(f"{who}:{metric}")
                found = self._share(who) if metric == "success" else self.interval(mean)
                yield self.result(
                    f"{prefix}{metric}", found, higher=True, chance=self.value(self.mean_of(f"chance:{metric}")),
                    baseline=self.value(self.mean_of(f"baseline:{metric}")), baseline_name=BASELINE,
                    sentence=self._told(who, found) if metric == "success" else "",
                )  # fmt: skip

    def _share(self, who: str) -> Interval:
        """Wilson's interval where each group tried once, else one over groups: attempts of one group are not independent."""
        values = self.column(f"{who}:success")
        if self.rows["subject"].nunique() == len(self.rows):
            return wilson(float(values.mean()), len(values))
        return self.interval(self.mean_of(f"{who}:success"))

    def _told(self, who: str, found: Interval) -> str:
        values, score = self.column(f"{who}:success"), self.value(self.mean_of(f"{who}:score"))
        once = self.rows["subject"].nunique() == len(self.rows)
        how = "Wilson" if once else f"over {self.context.several}"
        whose = f"draws of “{self.part}”" if who == "drawn" else f"“{self.part}”"
        said = (
            f"{int(values.sum())} of {len(values)} attempts of {whose} succeed: {found.value:.1%} ({how}, 95 %: "
            f"{found.low:.1%} to {found.high:.1%}); the mean score of the same attempts is {score:.3f}."
        )
        if len(values) < FEW:
            said += (
                f" Fewer than {FEW} attempts: the interval is wide, and a comparison of two such figures says little."
            )
        for column in self.rows.columns:
            name = str(column).removeprefix(f"{who}:")
            if str(column).startswith(f"{who}:") and name not in KNOWN and self.has(str(column)):
                said += f" {name}: {self.value(self.mean_of(str(column))):.2f}."
        return said
