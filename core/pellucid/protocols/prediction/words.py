"""What a metric's value says, in a sentence for a reader who does not know the metric.

Every function takes predictions, the value, the chance level and the baseline's value.
"""

from __future__ import annotations

import numpy as np

from pellucid.protocols.prediction.predictions import Predictions
from pellucid.statistics.calibration import error_if_calibrated


def auroc(p: Predictions, value: float, chance: float, baseline: float) -> str:
    """How often of two samples the right one gets the higher score."""
    if p.target.yes_or_no:
        pair = f"Of one of the {p.noun} that is {_yes(p)} and one that is {_no(p)}, the first gets the higher score in"
        return f"{pair} {value:.1%} of pairs; a coin reaches {chance:.0%}, the trivial baseline {baseline:.1%}."
    return (
        f"Averaged over {p.target.each_output}: of one of the {p.noun} that is it and one that is not, the first gets the "
        f"higher score in {value:.1%} of pairs; a coin reaches {chance:.0%}, the trivial baseline {baseline:.1%}."
        f"{_not_judged(p)}"
    )


def auprc(p: Predictions, value: float, chance: float, baseline: float) -> str:
    """How many of those listed so far are right, going down the list."""
    what = f"really {_yes(p)}" if p.target.yes_or_no else "rightly there, averaged over outputs"
    return (
        f"Going down the list of {p.noun} from the highest score, each time one is found {value:.1%} of those listed so far "
        f"are {what} on average; in a list without order {chance:.1%}, with the trivial baseline {baseline:.1%}."
        f"{_not_judged(p)}"
    )


def accuracy(p: Predictions, value: float, chance: float, baseline: float) -> str:
    """How many are called rightly."""
    return (
        f"{value:.1%} of {p.noun} are called rightly {p.target.decided_by}; always naming the commonest answer is right for "
        f"{chance:.1%}, the trivial baseline for {baseline:.1%}."
    )


def sensitivity(p: Predictions, value: float, chance: float, baseline: float) -> str:
    """How many of those that are it are found."""
    return (
        f"Of the {p.noun} that are {_yes(p)}, {value:.1%} are found; a coin that says yes as often finds {chance:.1%}, the "
        f"trivial baseline {baseline:.1%}."
    )


def specificity(p: Predictions, value: float, chance: float, baseline: float) -> str:
    """How many of those that are not it are cleared."""
    return (
        f"Of the {p.noun} that are {_no(p)}, {value:.1%} are cleared; a coin that says no as often clears {chance:.1%}, the "
        f"trivial baseline {baseline:.1%}."
    )


def brier(p: Predictions, value: float, chance: float, baseline: float) -> str:
    """How far probabilities are from what is so."""
    return (
        f"The squared difference between probability and truth is {value:.3f} on average (0 is perfect); always saying the "
        f"overall rate gives {chance:.3f}, the trivial baseline {baseline:.3f}."
    )


def calibration(p: Predictions, value: float, chance: float, baseline: float) -> str:
    """How far stated probabilities are from observed rates."""
    floor = error_if_calibrated(p.stated[1])
    return (
        f"Stated probabilities are {value:.1%} away from observed rates on average. With {len(p.labels):,} {p.noun} even "
        f"true probabilities would show about {floor:.1%}; dealt to {p.noun} at random, the same ones would show "
        f"{chance:.1%}. The trivial baseline shows {baseline:.1%}."
    )


def kappa(p: Predictions, value: float, chance: float, baseline: float) -> str:
    """How much more ordered classes agree than by chance."""
    return (
        f"Agreement of the ordered classes beyond chance is {value:.2f} (1 is perfect, 0 is chance; large slips weigh "
        f"more); the trivial baseline reaches {baseline:.2f}."
    )


def slip(p: Predictions, value: float, chance: float, baseline: float) -> str:
    """By how many classes the one that is named is off."""
    return (
        f"The class named is {value:.2f} classes off on average; always naming the middle one is {chance:.2f} off, the "
        f"trivial baseline {baseline:.2f}."
    )


def _yes(p: Predictions) -> str:
    return f"“{p.target.outputs[0]}”"


def _no(p: Predictions) -> str:
    return str(p.target.no_name(mark="“{}”"))


def _not_judged(p: Predictions) -> str:
    """Which outputs have no part in a mean over outputs, as a sentence; empty where all have one."""
    share = [of[~np.isnan(of)].mean() if not np.isnan(of).all() else 0.0 for of in p.indicators.T]
    alike = [name for name, of in zip(p.target.outputs, share, strict=True) if of in (0.0, 1.0)]
    if not alike:
        return ""
    named = ", ".join(f"“{name}”" for name in alike)
    return f" Left out, as none or all of these {p.noun} are it: {named}."
