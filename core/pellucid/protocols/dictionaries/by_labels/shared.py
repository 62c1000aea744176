"""What the assessments of dictionaries by labels share: settings, who is left out and why, and intervals over subjects.

An assessment measures rows, one a label and test sample, and makes results of them that are means over labels. For
their intervals the same subjects are drawn for all labels.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import AfterValidator, Field

from pellucid.data.dataset import Dataset
from pellucid.errors import NotMeasurable, StudyError
from pellucid.heads.base import Head
from pellucid.heads.dictionaries.base import Dictionary
from pellucid.part import Config
from pellucid.protocols.audited import AuditedRows
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.dictionaries.by_labels.labelled import Labelled
from pellucid.protocols.dictionaries.codes import (
    LABEL,
    OfDictionaries,
    dictionaries,
    label_called,
    label_names,
    untrained_dictionaries,
)
from pellucid.result import Result
from pellucid.statistics.bootstrap import (
    REPLICATES,
    Interval,
    Statistic,
    estimate,
    percentiles,
    subject_weights,
    weighted_mean,
)

if TYPE_CHECKING:
    import pandas as pd

LEAST = 10

MORE = "have more on both sides, name labels of which there are enough, or ask for fewer (least)"
"""What would help where labels have too few samples."""

DRAWS = 10
"""How often features are drawn by lot to see what a choice of features is worth."""

RANDOM = "as many features drawn by lot"


def _each_once(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(numbers)) < len(numbers):
        raise ValueError("each number once: a result is called by its number")
    return numbers


Counts = Annotated[tuple[Annotated[int, Field(ge=1)], ...], AfterValidator(_each_once)]
"""Numbers of features that a study asks for."""


class ByLabelsConfig(Config):
    """Settings of every :class:`ByLabels`.

    Parameters
    ----------
    least : int
        Samples with a label, and without it, that training and test side each must have for it to be judged.
    replicates : int
        Resamplings of subjects behind each interval.
    """

    least: int = Field(LEAST, ge=2)
    replicates: int = Field(REPLICATES, ge=100)


@dataclass(frozen=True)
class LabelRows(AuditedRows):
    """Rows of one dictionary, one a label and sample.

    ``drawn``, where there are several labels: their subjects, sorted, and how often each is drawn, shape (replicate, subject).
    """

    drawn: tuple[np.ndarray, np.ndarray] | None = None
    config: Any = None

    @abstractmethod
    def results(self) -> Iterator[Result]:
        """All results."""

    @cached_property
    def by_label(self) -> dict[str, Self]:
        """Rows of each label, with the same subjects drawn for all."""
        rows, folds = self.rows, self.folds
        subjects, first = np.unique(rows["subject"].to_numpy().astype(str), return_index=True)
        weights = subject_weights(subjects, folds[first], replicates=self.replicates, seed=self.context.seed)
        return {
            str(label): replace(self, rows=own.reset_index(drop=True), drawn=(subjects, weights))
            for label, own in rows.groupby("label", sort=False)
        }

    @property
    def weights(self) -> np.ndarray:  # type: ignore[override]
        """How often each row's subject is drawn, shape (replicate, row); not kept, as there may be many labels."""
        subjects = self.rows["subject"].to_numpy().astype(str)
        if self.drawn is None:
            return subject_weights(subjects, self.folds, replicates=self.replicates, seed=self.context.seed)
        names, weights = self.drawn
        return weights[:, np.searchsorted(names, subjects)]

    @property
    def truth(self) -> np.ndarray:
        """Whether each sample has the label, 1 or 0."""
        return self.column("truth")

    @property
    def labels(self) -> list[str]:
        """Names of the labels, for sentences."""
        return [label.removeprefix(LABEL) for label in self.by_label]

    def numbers(self, asked: Sequence[int], column: str) -> list[int]:
        """Of numbers of features that settings ask for those that were measured: a dictionary may have fewer features."""
        return [number for number in asked if np.isfinite(self.column(f"{column}:{number}")).any()]

    def over_labels(self, make: Callable[..., Statistic], *asked: Any) -> Interval:
        """Mean over labels of a statistic, with its interval over subjects; labels without it are left out.

        Parameters
        ----------
        make : callable
            A method of the class: makes the statistic of one label's rows, with what is ``asked``.
        """
        found = [estimate(make(own, *asked), own.weights) for own in self.by_label.values()]
        known = [(value, replicates) for value, replicates in found if np.isfinite(value)]
        if not known:
            return Interval.fixed(float("nan"))
        replicates = np.stack([each for _, each in known])
        there = np.isfinite(replicates)
        with np.errstate(invalid="ignore"):
            means = np.where(there, replicates, 0).sum(0) / there.sum(0)
        return percentiles(float(np.mean([value for value, _ in known])), means)

    def mean(self, make: Callable[..., Statistic], *asked: Any) -> float:
        """Mean over labels of a statistic of all samples; NaN if no label has it."""
        found = [own.value(make(own, *asked)) for own in self.by_label.values()]
        known = [value for value in found if np.isfinite(value)]
        return float(np.mean(known)) if known else float("nan")

    def averaged(self, name: str) -> Statistic:
        """Mean of a column."""
        values = self.column(name)
        return lambda weights: weighted_mean(values, weights)

    def balanced(self, name: str) -> Statistic:
        """Mean of a column over samples with the label and over those without it, and of these two."""
        values, truth = self.column(name), self.truth
        return lambda weights: (
            (weighted_mean(values, weights * (truth > 0)) + weighted_mean(values, weights * (truth <= 0))) / 2
        )

    def told(
        self, metric: str, found: Interval, *, chance: float, baseline: float, baseline_name: str, sentence: str = "",
        higher: bool = True,
    ) -> Result:  # fmt: skip
        """A result over the samples that any label is known of."""
        whole = ~self.rows.duplicated("sample").to_numpy()
        return self.result(
            metric, found, higher=higher, chance=chance, baseline=baseline, baseline_name=baseline_name,
            sentence=sentence, known=whole,
        )  # fmt: skip


class ByLabels(OfDictionaries):
    """An assessment of dictionaries by yes-or-no labels of whole samples.

    Representations and codes of a sample are means over its positions. Features are chosen and probes learnt on the
    training side alone; a label with too few samples on either side is left out, and that is said.
    """

    needs_training: ClassVar[bool] = True
    rows_type: ClassVar[type[LabelRows]]
    counts: ClassVar[str] = ""
    """The setting that says numbers of features; empty where there is none."""

    @property
    @abstractmethod
    def named(self) -> tuple[str, ...]:
        """Labels that the settings name."""

    @abstractmethod
    def measured(self, sides: Labelled) -> pd.DataFrame:
        """Rows with a column ``label``.

        Raises
        ------
        NotMeasurable
            If there are none.
        """

    def lacking(self, context: Context) -> str:
        """What the settings lack, or an empty string."""
        return ""

    def unfit(self, context: Context) -> str:
        """There must be labels, and those that the settings name."""
        if not label_names(context.spec):
            return "its data have no yes-or-no labels"
        try:
            for name in self.named:
                label_called(name, context.spec)
        except StudyError as error:
            return str(error)
        return self.lacking(context)

    def most(self, head: Dictionary) -> tuple[int, str]:
        """How many features can be asked for, and of what that many are."""
        return head.config.features, "features"

    def unfit_for(self, dataset: Dataset, heads: Mapping[str, Head], context: Context) -> str:
        """No dictionary may have fewer features than the study asks for; usual numbers that are too large are left out."""
        if self.counts in self.config.model_fields_set:
            asked = max(getattr(self.config, self.counts))
            for part, head in untrained_dictionaries(heads).items():
                most, what = self.most(head)
                if asked > most:
                    return f"{self.counts} asks for {asked} features, but “{part}” has {most} {what}: ask for no more"
        return ""

    def numbers(self, sides: Labelled) -> list[int]:
        """The numbers of features that a dictionary has.

        Raises
        ------
        NotMeasurable
            If it has fewer than any of them.
        """
        most, what = self.most(sides.head)
        asked = getattr(self.config, self.counts)
        if found := [number for number in asked if number <= most]:
            return found
        raise NotMeasurable(
            f"there are {most} {what}, fewer than the {min(asked)} asked for", f"ask for fewer ({self.counts})"
        )

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part, label and test sample; ``left_out`` says which labels are not among them, and why."""
        import pandas as pd

        frames = []
        for part, model in dictionaries(fold).items():
            sides = Labelled.of(fold, part, model, self.config.least)
            left_out = "; ".join(reason for label, reason in sides.left_out.items() if self._concerns(label, sides))
            try:
                rows = self.measured(sides)
            except NotMeasurable as why:
                beside = f" (left out: {left_out})" if left_out and left_out not in why.because else ""
                raise NotMeasurable(f"{why.because}{beside}", why.helps or MORE) from None
            frames.append(rows.assign(part=part, left_out=left_out))
        return pd.concat(frames, ignore_index=True)

    def _concerns(self, label: str, sides: Labelled) -> bool:
        return not self.named or label in [label_called(name, sides.spec) for name in self.named]

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """Results of every dictionary; the first says which labels were left out."""
        results: list[Result] = []
        for part, own in context.own_rows(rows):
            own = own.reset_index(drop=True)
            made = self.rows_type(own, part, context, self.config.replicates, config=self.config)
            first, *others = made.results()
            results += [replace(first, sentence=f"{first.sentence}{_left_out(own)}"), *others]
        return results


def _left_out(own: pd.DataFrame) -> str:
    reasons = "; ".join(dict.fromkeys(reason for reason in own["left_out"] if reason))
    return f" Left out: {reasons}." if reasons else ""
