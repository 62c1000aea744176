"""How well models predict: scores with intervals over subjects, beside chance, the trivial baseline and the black box."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from pellucid.errors import ContractError, DataError
from pellucid.part import Config
from pellucid.protocols.base import Assessment, Context, FittedFold
from pellucid.protocols.prediction.metrics import Metric, metrics_of
from pellucid.protocols.prediction.predictions import Predictions
from pellucid.result import Result
from pellucid.statistics.bootstrap import REPLICATES, estimate, percentiles, subject_weights
from pellucid.statistics.classification import choose_threshold

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Prediction", "PredictionConfig", "choose_threshold", "label_columns", "output_columns"]

Estimates = dict[str, tuple[float, np.ndarray]]
"""Value and replicates of one metric, by part."""


class PredictionConfig(Config):
    """Settings of :class:`Prediction`.

    Parameters
    ----------
    replicates : int
        Resamplings of subjects behind each interval.
    """

    replicates: int = Field(default=REPLICATES, ge=100)


class Prediction(Assessment):
    """Scores on subjects not learnt from, with intervals, chance, trivial baseline and differences to the black box.

    Ranking metrics are taken within folds and averaged, the others pooled over folds. Names that end in ``_per_subject``
    count subjects: a subject's score is the highest of its samples' probabilities, and it is a yes if any sample is; they
    are given where a subject has several samples. Calibration is not measured so: the highest of several probabilities
    is not the probability that any is yes. Where every subject is a yes (each has samples of both classes), nothing is there to
    rank subjects by, and neither areas nor specificity are given.

    ``auroc_minus_baseline`` and ``auroc_minus_<part>`` (for each black box) are paired differences: both models are
    resampled together. Chance is that of a model without knowledge minus the other one's value, so negative. A metric
    that is not defined on the samples judged (areas where all are of one class) gives no result.
    """

    name: ClassVar[str] = "prediction"
    config_type = PredictionConfig
    config: PredictionConfig

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """Rows of one fold: what each part says of each test sample.

        Returns
        -------
        DataFrame
            ``part``, ``sample``, ``subject``, ``threshold``, then :func:`label_columns` and :func:`output_columns`.

        Raises
        ------
        LeakageError
            If a part has learnt from a test subject.
        DataError
            If a part says something that is not a number.
        """
        import pandas as pd

        target = fold.dataset.spec.target(fold.target)
        parts = []
        for part in (*fold.predictors, fold.trivial.name):
            samples = fold.test(part)
            if part == fold.trivial.name:
                outputs, threshold = fold.trivial.predict(samples), fold.trivial.threshold
            else:
                model = fold.models[part]
                outputs, threshold = model.chances(samples).astype(np.float64), model.threshold.value
            if not np.isfinite(outputs).all():
                raise DataError(
                    f"{part!r} of fold {fold.split.fold} says NaN or infinity for {int((~np.isfinite(outputs)).any(1).sum())} "
                    f"of {len(outputs)} samples: its training diverged; lower the learning rate"
                )
            about = pd.DataFrame(
                {
                    "part": part,
                    "sample": samples.frame.index.astype(str),
                    "subject": samples.subjects,
                    "threshold": threshold,
                }
            )
            # Joined at once: a target may have hundreds of outputs, and columns that come one by one are slow.
            labels = pd.DataFrame(samples.target_values(fold.target), columns=list(label_columns(target)))
            rows = pd.concat([about, labels, pd.DataFrame(outputs, columns=list(output_columns(target)))], axis=1)
            parts.append(rows)
        return pd.concat(parts, ignore_index=True)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """Every metric of every part, per sample and per subject, and the paired differences."""
        said = predictions(rows, context)
        results = self._measured(said, context)
        one = said[context.baseline_name]
        if len(np.unique(one.subjects)) < len(one.subjects):
            results += self._measured({part: p.per_subject(context.several) for part, p in said.items()}, context)
        return results

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """ROC and reliability curves (for numbers: predicted against true)."""
        from pellucid.protocols.prediction.figures import drawn

        return drawn(predictions(rows, context), context, seed=context.seed)

    def _measured(self, said: Mapping[str, Predictions], context: Context) -> list[Result]:
        one = said[context.baseline_name]
        weights = subject_weights(one.subjects, one.folds, replicates=self.config.replicates, seed=context.seed)
        results = []
        for at, metric in enumerate(metrics_of(one.target)):
            if one.by_subject and not metric.of_subjects:
                continue
            found: Estimates = {part: estimate(metric.statistic(p), weights) for part, p in said.items()}
            if any(np.isnan(value) for value, _ in found.values()):
                continue
            results += [self._scored(metric, part, said, found, context) for part in said]
            if at == 0:
                results += self._differences(metric, said, found, context)
        return results

    def _scored(
        self, metric: Metric, part: str, said: Mapping[str, Predictions], found: Estimates, context: Context
    ) -> Result:
        p, (value, replicates) = said[part], found[part]
        _, low, high = percentiles(value, replicates, centred=metric.centred)
        if metric.centred:
            low = max(low, 0.0)
        chance, baseline = metric.chance(p), found[context.baseline_name][0]
        return Result(
            protocol=self.name,
            metric=_named(metric, p),
            part=part,
            value=value,
            low=low,
            high=high,
            chance=chance,
            baseline=baseline,
            baseline_name=context.baseline_name,
            higher_is_better=metric.higher_is_better,
            n_samples=len(p.labels),
            n_subjects=len(np.unique(p.subjects)),
            sentence=metric.words(p, value, chance, baseline),
        )

    def _differences(
        self, metric: Metric, said: Mapping[str, Predictions], found: Estimates, context: Context
    ) -> list[Result]:
        black_boxes = [part for part, tags in context.predictors.items() if tags.stage == "post_hoc"]
        results = []
        for other in (context.baseline_name, *black_boxes):
            label = "baseline" if other == context.baseline_name else other
            for part in context.predictors:
                if part == other:
                    continue
                p, beside = said[part], found[other][0]
                value = found[part][0] - beside
                _, low, high = percentiles(value, found[part][1] - found[other][1])
                results.append(
                    Result(
                        protocol=self.name,
                        metric=f"{_named(metric, p)}_minus_{label}",
                        part=part,
                        value=value,
                        low=low,
                        high=high,
                        chance=metric.chance(p) - beside,
                        baseline=found[context.baseline_name][0] - beside,
                        baseline_name=context.baseline_name,
                        higher_is_better=metric.higher_is_better,
                        n_samples=len(p.labels),
                        n_subjects=len(np.unique(p.subjects)),
                        sentence=_compared(metric, part, other, value, low, high, context.several),
                    )
                )
        return results


def label_columns(target: Any) -> list[str]:
    """Columns of a target's labels in the rows of :class:`Prediction`: ``label``, or ``label:<name>`` for several."""
    return list(target.columns("label"))


def output_columns(target: Any) -> list[str]:
    """Columns of what was said: ``probability`` for yes or no, else ``probability:<output>`` or ``number:<output>``."""
    return list(target.output_columns())


def predictions(rows: pd.DataFrame, context: Context) -> dict[str, Predictions]:
    """Rows of all folds as arrays, by part: the study's order, the baseline last, samples in one order for all.

    Raises
    ------
    ContractError
        If a part has other samples than the baseline: a paired comparison needs the same.
    """
    target = context.spec.target(context.target)
    found: dict[str, Predictions] = {}
    samples: dict[str, list[str]] = {}
    for part in (*context.predictors, context.baseline_name):
        mine = rows[rows["part"] == part].sort_values(["fold", "sample"], kind="stable")
        samples[part] = mine["sample"].tolist()
        found[part] = Predictions.of(mine, target, output_columns(target), threshold="threshold")
    for part, ids in samples.items():
        if ids != samples[context.baseline_name]:
            raise ContractError(
                f"{part!r} was examined on {len(ids)} samples that are not the {len(samples[context.baseline_name])} of "
                f"{context.baseline_name!r}"
            )
    return found


def _named(metric: Metric, p: Predictions) -> str:
    return f"{metric.name}_per_subject" if p.by_subject else metric.name


def _compared(metric: Metric, part: str, other: str, value: float, low: float, high: float, several: str) -> str:
    better = value > 0 if metric.higher_is_better else value < 0
    size = f"{abs(value):.3f}"
    how = f"is {size} {'better' if better else 'worse'} than" if float(size) > 0 else "equals, to three decimals,"
    first = f"{metric.shown} of “{part}” {how} that of “{other}”"
    if not (np.isfinite(low) and np.isfinite(high)):
        return f"{first}; there are too few {several} for an interval."
    if low <= 0 <= high:
        return f"{first}; the interval of the difference, {low:.3f} to {high:.3f}, holds 0: no clear difference."
    return f"{first}; the interval of the difference, {low:.3f} to {high:.3f}, does not hold 0."
