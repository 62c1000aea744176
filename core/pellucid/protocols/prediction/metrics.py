"""The metrics of each kind of target: how they are computed, against which chance level."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.protocols.prediction import words
from pellucid.protocols.prediction.predictions import Predictions
from pellucid.statistics.bootstrap import Statistic, weighted_mean
from pellucid.statistics.calibration import brier, calibration_error, error_if_shuffled
from pellucid.statistics.classification import accuracy, quadratic_kappa, sensitivity, specificity
from pellucid.statistics.ranking import Formula, auroc, average_precision, macro, over_folds, share_of_yes, spearman
from pellucid.statistics.regression import explained_variance_share, mean_absolute_error, root_mean_squared_error
from pellucid.unit_names import unit_sign

MANY = 8
"""Numbers of a target beyond which they are told together: a page of four figures each says nothing."""


@dataclass(frozen=True)
class Metric:
    """One figure of merit of predictions.

    Parameters
    ----------
    name : str
    higher_is_better : bool
    statistic : callable
        Predictions to a function of weights.
    chance : callable
        Predictions to what no knowledge reaches on these samples.
    words : callable
        Predictions, value, chance and the baseline's value to a sentence for a reader who does not know the metric.
    of_subjects : bool
        Whether it means something of a subject's highest probability too.
    centred : bool
        See :func:`pellucid.statistics.bootstrap.interval`.
    """

    name: str
    higher_is_better: bool
    statistic: Callable[[Predictions], Statistic]
    chance: Callable[[Predictions], float]
    words: Callable[[Predictions, float, float, float], str]
    of_subjects: bool = False
    centred: bool = False

    @property
    def shown(self) -> str:
        """As a sentence calls it: ``"AUROC"``, ``"MAE of age"``."""
        measure, _, of = self.name.partition(":")
        return f"{measure.upper()} of {of}" if of else measure.upper()


def metrics_of(target: Any) -> tuple[Metric, ...]:
    """The metrics of a target, the leading one first: that of which models' differences are taken."""
    if target.numeric and len(target.names) > MANY:
        return (_of_many(target),)
    if target.numeric:
        return tuple(m for column in range(len(target.names)) for m in _of_number(target, column))
    return _BY_KIND[target.kind]


# --- statistics -------------------------------------------------------------------------------------------------------


def _ranked(formula: Formula) -> Callable[[Predictions], Statistic]:
    """Within folds, averaged over outputs."""

    def statistic(p: Predictions) -> Statistic:
        labels, outputs = p.indicators, p.outputs

        def every(y: np.ndarray, s: np.ndarray, w: np.ndarray) -> np.ndarray:
            return macro(formula, y, s, w)

        return lambda w: over_folds(every, labels, outputs, p.folds, w)

    return statistic


def _decided(formula: Formula) -> Callable[[Predictions], Statistic]:
    def statistic(p: Predictions) -> Statistic:
        labels, decisions = p.labels[:, 0], p.decisions
        return lambda w: formula(labels, decisions, w)

    return statistic


def _brier(p: Predictions) -> Statistic:
    if p.target.exclusive:
        return lambda w: brier(p.indicators, p.outputs, w)
    squares = np.nanmean((p.indicators - p.outputs) ** 2, axis=1)
    return lambda w: weighted_mean(squares, w)


def _calibration(p: Predictions) -> Statistic:
    labels, probabilities = p.stated
    return lambda w: calibration_error(labels, probabilities, w)


# --- chance levels ----------------------------------------------------------------------------------------------------


def _half(p: Predictions) -> float:
    return 0.5


def _zero(p: Predictions) -> float:
    return 0.0


def _prevalence(p: Predictions) -> float:
    # The same folds and outputs are left out as of the value: those of which none or all samples are.
    return float(np.nan_to_num(_ranked(share_of_yes)(p)(np.ones(len(p.labels)))))


def _majority(p: Predictions) -> float:
    return float(np.unique(p.labels[:, 0], return_counts=True)[1].max() / len(p.labels))


def _yes_rate(p: Predictions) -> float:
    return float(p.decisions.mean())


def _no_rate(p: Predictions) -> float:
    return 1.0 - _yes_rate(p)


def _brier_of_prevalence(p: Predictions) -> float:
    rate = np.nan_to_num(np.nanmean(p.indicators, axis=0))
    spread = rate * (1 - rate)
    return float(spread.sum() if p.target.exclusive else spread.mean())


def _shuffled_calibration(p: Predictions) -> float:
    return error_if_shuffled(*p.stated)


def _median_error(p: Predictions) -> float:
    labels = p.labels[:, 0]
    return float(np.abs(labels - np.median(labels)).mean())


# --- by kind ----------------------------------------------------------------------------------------------------------

_AUROC = Metric("auroc", True, _ranked(auroc), _half, words.auroc, of_subjects=True)
_AUPRC = Metric("auprc", True, _ranked(average_precision), _prevalence, words.auprc, of_subjects=True)
_ACCURACY = Metric("accuracy", True, _decided(accuracy), _majority, words.accuracy, of_subjects=True)
_BRIER = Metric("brier", False, _brier, _brier_of_prevalence, words.brier)
# A finite sample's error is biased upwards, and a resampled one's more so.
_ECE = Metric("ece", False, _calibration, _shuffled_calibration, words.calibration, centred=True)

_YES_OR_NO = (
    _AUROC,
    _AUPRC,
    _ACCURACY,
    Metric("sensitivity", True, _decided(sensitivity), _yes_rate, words.sensitivity, of_subjects=True),
    Metric("specificity", True, _decided(specificity), _no_rate, words.specificity, of_subjects=True),
    _BRIER,
    _ECE,
)

# The highest of a subject's probabilities means something for a yes; a subject has no highest class of several.
_BY_KIND: Mapping[str, tuple[Metric, ...]] = {
    "binary": _YES_OR_NO,
    "links": _YES_OR_NO,
    "multiclass": tuple(replace(m, of_subjects=False) for m in (_AUROC, _AUPRC, _ACCURACY, _BRIER, _ECE)),
    "multilabel": (_AUROC, _AUPRC, _BRIER),
    "ordinal": (
        _AUROC,
        replace(_ACCURACY, of_subjects=False),
        Metric("kappa", True, _decided(quadratic_kappa), _zero, words.kappa),
        Metric("mae", False, _decided(mean_absolute_error), _median_error, words.slip),
        _BRIER,
    ),
}


def _of_many(target: Any) -> Metric:
    """One figure for many numbers, whatever their units: the share of variation, averaged over numbers that vary."""
    count = len(target.names)

    def share(p: Predictions) -> Statistic:
        return lambda w: macro(explained_variance_share, p.labels, p.outputs, w)

    def words(p: Predictions, value: float, chance: float, baseline: float) -> str:
        return (
            f"{value:.1%} of the variation of {count} numbers is predicted, on average over them; always saying their means predicts 0 %, "
            f"the trivial baseline {baseline:.1%}."
        )

    return Metric("r2", True, share, _zero, words)


def _of_number(target: Any, column: int) -> tuple[Metric, ...]:
    name, unit = target.names[column], unit_sign(target.units[column] if column < len(target.units) else "")
    unit = f" {unit}" if unit else ""
    suffix = "" if len(target.names) == 1 else f":{name}"

    def at(formula: Formula) -> Callable[[Predictions], Statistic]:
        return lambda p: lambda w: formula(p.labels[:, column], p.outputs[:, column], w)

    def order(p: Predictions) -> Statistic:
        return lambda w: over_folds(spearman, p.labels[:, column], p.outputs[:, column], p.folds, w)

    def median_error(p: Predictions) -> float:
        return float(np.abs(p.labels[:, column] - np.median(p.labels[:, column])).mean())

    def error_words(p: Predictions, value: float, chance: float, baseline: float) -> str:
        return (
            f"{name} is {value:.3g}{unit} off on average; always saying the median is {chance:.3g}{unit} off, the trivial "
            f"baseline {baseline:.3g}{unit}."
        )

    def share_words(p: Predictions, value: float, chance: float, baseline: float) -> str:
        return (
            f"{value:.1%} of the variation of {name} is predicted; always saying the mean predicts 0 %, the trivial baseline "
            f"{baseline:.1%}."
        )

    def order_words(p: Predictions, value: float, chance: float, baseline: float) -> str:
        return (
            f"The order by predicted {name} agrees with the true order with a rank correlation of {value:.2f} (1 is perfect, "
            f"0 is chance); the trivial baseline reaches {baseline:.2f}."
        )

    def mean_spread(p: Predictions) -> float:
        return float(p.labels[:, column].std())

    def squared_words(p: Predictions, value: float, chance: float, baseline: float) -> str:
        return (
            f"{name} is {value:.3g}{unit} off in the root of the mean square, in which large errors weigh more; always saying the "
            f"mean is {chance:.3g}{unit} off, the trivial baseline {baseline:.3g}{unit}."
        )

    return (
        Metric(f"mae{suffix}", False, at(mean_absolute_error), median_error, error_words),
        Metric(f"rmse{suffix}", False, at(root_mean_squared_error), mean_spread, squared_words),
        Metric(f"r2{suffix}", True, at(explained_variance_share), _zero, share_words),
        Metric(f"spearman{suffix}", True, order, _zero, order_words),
    )
