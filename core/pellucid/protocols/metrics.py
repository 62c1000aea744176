"""The metrics of each kind of target: how they are computed, against which chance level, in which words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.protocols.predicted import Predictions
from pellucid.statistics.bootstrap import Statistic, weighted_mean
from pellucid.statistics.calibration import brier, calibration_error, error_if_calibrated, error_if_shuffled
from pellucid.statistics.classification import accuracy, quadratic_kappa, sensitivity, specificity
from pellucid.statistics.ranking import Formula, auroc, average_precision, macro, over_folds, spearman
from pellucid.statistics.regression import explained_variance_share, mean_absolute_error


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


def metrics_of(target: Any) -> tuple[Metric, ...]:
    """The metrics of a target, the leading one first: that of which models' differences are taken."""
    if target.kind == "regression":
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
    if p.target.kind == "multiclass":
        return lambda w: brier(p.indicators, p.outputs, w)
    squares = ((p.indicators - p.outputs) ** 2).mean(1)
    return lambda w: weighted_mean(squares, w)


def _stated(p: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """What was claimed, and with which probability: yes, or for several classes that the likeliest is right."""
    if p.target.kind == "multiclass":
        return (p.labels[:, 0] == p.decisions).astype(float), p.outputs.max(1)
    return p.labels[:, 0], p.outputs[:, 0]


def _calibration(p: Predictions) -> Statistic:
    labels, probabilities = _stated(p)
    return lambda w: calibration_error(labels, probabilities, w)


# --- chance levels ----------------------------------------------------------------------------------------------------


def _half(p: Predictions) -> float:
    return 0.5


def _zero(p: Predictions) -> float:
    return 0.0


def _prevalence(p: Predictions) -> float:
    # An output that no sample is of has no average precision and no part in the mean over outputs; nor has its rate.
    rate = p.indicators.mean(0)
    return float(rate[rate > 0].mean()) if (rate > 0).any() else 0.0


def _majority(p: Predictions) -> float:
    return float(np.unique(p.labels[:, 0], return_counts=True)[1].max() / len(p.labels))


def _yes_rate(p: Predictions) -> float:
    return float(p.decisions.mean())


def _no_rate(p: Predictions) -> float:
    return 1.0 - _yes_rate(p)


def _brier_of_prevalence(p: Predictions) -> float:
    rate = p.indicators.mean(0)
    spread = rate * (1 - rate)
    return float(spread.sum() if p.target.kind == "multiclass" else spread.mean())


def _shuffled_calibration(p: Predictions) -> float:
    return error_if_shuffled(*_stated(p))


def _median_error(p: Predictions) -> float:
    labels = p.labels[:, 0]
    return float(np.abs(labels - np.median(labels)).mean())


# --- words ------------------------------------------------------------------------------------------------------------


def _yes(p: Predictions) -> str:
    return f"“{p.target.outputs[0]}”"


def _no(p: Predictions) -> str:
    return f"“{p.target.names[0]}”" if p.target.kind == "binary" else f"not {_yes(p)}"


def _auroc_words(p: Predictions, value: float, chance: float, baseline: float) -> str:
    if p.target.kind in ("binary", "links"):
        pair = f"Of one of the {p.noun} that is {_yes(p)} and one that is {_no(p)}, the first gets the higher score in"
        return f"{pair} {value:.1%} of pairs; a coin reaches {chance:.0%}, the trivial baseline {baseline:.1%}."
    each = {"multiclass": "each class against the others", "multilabel": "each label", "ordinal": "each step"}
    return (
        f"Averaged over {each[p.target.kind]}: of one of the {p.noun} that is it and one that is not, the first gets the "
        f"higher score in {value:.1%} of pairs; a coin reaches {chance:.0%}, the trivial baseline {baseline:.1%}."
        f"{_not_judged(p)}"
    )


def _not_judged(p: Predictions) -> str:
    """Which outputs have no part in a mean over outputs, as a sentence; empty where all have one."""
    share = p.indicators.mean(0)
    alike = [name for name, of in zip(p.target.outputs, share, strict=True) if of in (0.0, 1.0)]
    if not alike:
        return ""
    named = ", ".join(f"“{name}”" for name in alike)
    return f" Left out, as none or all of these {p.noun} are it: {named}."


def _auprc_words(p: Predictions, value: float, chance: float, baseline: float) -> str:
    what = f"really {_yes(p)}" if p.target.kind in ("binary", "links") else "rightly there, averaged over outputs"
    return (
        f"Going down the list of {p.noun} from the highest score, each time one is found {value:.1%} of those listed so far "
        f"are {what} on average; in a list without order {chance:.1%}, with the trivial baseline {baseline:.1%}."
    )


def _accuracy_words(p: Predictions, value: float, chance: float, baseline: float) -> str:
    how = {"multiclass": "by the likeliest class", "ordinal": "by the number of steps thought likelier than not"}
    where = how.get(p.target.kind, "at the threshold, which was chosen beforehand")
    return (
        f"{value:.1%} of {p.noun} are called rightly {where}; always naming the commonest answer is right for "
        f"{chance:.1%}, the trivial baseline for {baseline:.1%}."
    )


def _sensitivity_words(p: Predictions, value: float, chance: float, baseline: float) -> str:
    return (
        f"Of the {p.noun} that are {_yes(p)}, {value:.1%} are found; a coin that says yes as often finds {chance:.1%}, the "
        f"trivial baseline {baseline:.1%}."
    )


def _specificity_words(p: Predictions, value: float, chance: float, baseline: float) -> str:
    return (
        f"Of the {p.noun} that are {_no(p)}, {value:.1%} are cleared; a coin that says no as often clears {chance:.1%}, the "
        f"trivial baseline {baseline:.1%}."
    )


def _brier_words(p: Predictions, value: float, chance: float, baseline: float) -> str:
    return (
        f"The squared difference between probability and truth is {value:.3f} on average (0 is perfect); always saying the "
        f"overall rate gives {chance:.3f}, the trivial baseline {baseline:.3f}."
    )


def _calibration_words(p: Predictions, value: float, chance: float, baseline: float) -> str:
    floor = error_if_calibrated(_stated(p)[1])
    return (
        f"Stated probabilities are {value:.1%} away from observed rates on average. With {len(p.labels):,} {p.noun} even "
        f"true probabilities would show about {floor:.1%}; dealt to {p.noun} at random, the same ones would show "
        f"{chance:.1%}. The trivial baseline shows {baseline:.1%}."
    )


def _kappa_words(p: Predictions, value: float, chance: float, baseline: float) -> str:
    return (
        f"Agreement of the ordered classes beyond chance is {value:.2f} (1 is perfect, 0 is chance; large slips weigh "
        f"more); the trivial baseline reaches {baseline:.2f}."
    )


def _slip_words(p: Predictions, value: float, chance: float, baseline: float) -> str:
    return (
        f"The class named is {value:.2f} classes off on average; always naming the middle one is {chance:.2f} off, the "
        f"trivial baseline {baseline:.2f}."
    )


# --- by kind ----------------------------------------------------------------------------------------------------------

_AUROC = Metric("auroc", True, _ranked(auroc), _half, _auroc_words, of_subjects=True)
_AUPRC = Metric("auprc", True, _ranked(average_precision), _prevalence, _auprc_words, of_subjects=True)
_ACCURACY = Metric("accuracy", True, _decided(accuracy), _majority, _accuracy_words, of_subjects=True)
_BRIER = Metric("brier", False, _brier, _brier_of_prevalence, _brier_words)
# A finite sample's error is biased upwards, and a resampled one's more so.
_ECE = Metric("ece", False, _calibration, _shuffled_calibration, _calibration_words, centred=True)

_YES_OR_NO = (
    _AUROC,
    _AUPRC,
    _ACCURACY,
    Metric("sensitivity", True, _decided(sensitivity), _yes_rate, _sensitivity_words, of_subjects=True),
    Metric("specificity", True, _decided(specificity), _no_rate, _specificity_words, of_subjects=True),
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
        Metric("kappa", True, _decided(quadratic_kappa), _zero, _kappa_words),
        Metric("mae", False, _decided(mean_absolute_error), _median_error, _slip_words),
        _BRIER,
    ),
}


def _of_number(target: Any, column: int) -> tuple[Metric, ...]:
    name, unit = target.names[column], target.units[column] if column < len(target.units) else ""
    suffix = "" if len(target.names) == 1 else f":{name}"

    def at(formula: Formula) -> Callable[[Predictions], Statistic]:
        return lambda p: lambda w: formula(p.labels[:, column], p.outputs[:, column], w)

    def order(p: Predictions) -> Statistic:
        return lambda w: over_folds(spearman, p.labels[:, column], p.outputs[:, column], p.folds, w)

    def median_error(p: Predictions) -> float:
        return float(np.abs(p.labels[:, column] - np.median(p.labels[:, column])).mean())

    def error_words(p: Predictions, value: float, chance: float, baseline: float) -> str:
        return (
            f"{name} is {value:.3g} {unit} off on average; always saying the median is {chance:.3g} {unit} off, the trivial "
            f"baseline {baseline:.3g} {unit}."
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

    return (
        Metric(f"mae{suffix}", False, at(mean_absolute_error), median_error, error_words),
        Metric(f"r2{suffix}", True, at(explained_variance_share), _zero, share_words),
        Metric(f"spearman{suffix}", True, order, _zero, order_words),
    )
