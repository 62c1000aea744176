"""Words of the report: sentences made from figures. No figure is made here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pellucid.report.names import (
    distinct,
    interval,
    listed,
    measured,
    number,
    plural,
    readable,
    readable_baseline,
    sentence_case,
    unit,
)
from pellucid.result import Result

__all__ = [
    "distinct",
    "interval",
    "listed",
    "measured",
    "number",
    "plural",
    "readable",
    "readable_baseline",
    "sentence_case",
    "unit",
]

METRICS = {
    "auroc": (
        "AUROC",
        "how often a random positive case gets a higher probability than a random negative one; 1 is perfect",
    ),
    "auprc": ("AUPRC", "precision averaged over all thresholds; chance is the share of positive cases"),
    "accuracy": ("Accuracy", "share of cases called rightly at the threshold chosen on validation subjects"),
    "balanced accuracy": ("Balanced accuracy", "accuracy averaged over classes, so that a rare class counts as much"),
    "sensitivity": ("Sensitivity", "share of positive cases that are called positive"),
    "specificity": ("Specificity", "share of negative cases that are called negative"),
    "brier": ("Brier score", "mean squared distance between probability and outcome; lower is better"),
    "ece": (
        "Calibration error",
        "how far stated probabilities are from observed shares, on average (ECE); lower is better",
    ),
    "kappa": ("Weighted kappa", "agreement of ordered classes beyond chance; 1 is perfect, 0 is chance"),
    "spearman": (
        "Rank correlation",
        "how well the order of predictions follows that of the truth; 1 is perfect, 0 is chance",
    ),
    "mae": (
        "Mean absolute error",
        "average distance between prediction and truth, in the unit of the target; lower is better",
    ),
    "rmse": ("Root mean squared error", "like the mean absolute error, but large errors weigh more; lower is better"),
    "r2": ("R²", "share of the variation that is predicted; 0 is no better than the mean"),
}
"""Metric, normalised, to its name on the page and what it means."""

AUDIT = "explanation-audit"
"""The protocol that says whether an explanation can be believed."""

FIRST = ("auroc", "mae", "rmse", "r2", "accuracy", "balanced accuracy")
"""The metric that speaks for a model: the first of these that was measured."""


def normal(metric: str) -> str:
    """A metric's name for looking up, without case, signs or what it was averaged over.

    Examples
    --------
    >>> normal("AUROC per subject"), normal("balanced_accuracy")
    ('auroc', 'balanced accuracy')
    """
    plain = re.sub(r"[-_/(),:]+", " ", metric.lower())
    plain = re.sub(
        r"\b(per|by|over|of) (subject|patient)s?\b|\b(subject|patient)s? level\b|\b(subject|patient)s?\b", " ", plain
    )
    plain = " ".join(plain.split())
    return {"brier score": "brier", "r 2": "r2", "r²": "r2"}.get(plain, plain)


def per_subject(metric: str) -> bool:
    """Whether a metric counts subjects and not samples."""
    return re.search(r"\b(subject|patient)", re.sub(r"[-_]", " ", metric.lower())) is not None


def difference(metric: str) -> bool:
    """Whether a metric is the difference of two models' scores."""
    return "_minus_" in metric


def metric_name(metric: str) -> str:
    """A metric as the page names it.

    Examples
    --------
    >>> metric_name("auroc_per_subject"), metric_name("mae:age"), metric_name("deletion-gap")
    ('AUROC, per subject', 'Mean absolute error of age', 'Deletion gap')
    """
    metric, _, of = metric.partition(":")
    known = METRICS.get(normal(metric))
    name = known[0] if known else sentence_case(metric.replace("_", " ").replace("-", " "))
    return f"{name}{f' of {of}' if of else ''}{', per subject' if known and per_subject(metric) else ''}"


def headline(results: Iterable[Result]) -> str | None:
    """The metric that speaks for the models of a study, as its results name it; None if nothing was predicted."""
    found = [
        r.metric
        for r in results
        if r.protocol == "prediction" and not per_subject(r.metric) and not difference(r.metric)
    ]
    for wanted in FIRST:
        for metric in found:
            if normal(metric) == wanted:
                return metric
    return found[0] if found else None


def answer(
    result: Result, black_box: Result | None, target: Mapping[str, Any], results: Iterable[Result] = ()
) -> list[str]:
    """What the interpretable model reaches, beside chance, trivial baseline and black box: a few sentences.

    Parameters
    ----------
    result : Result
        The headline score of the interpretable model.
    black_box : Result, optional
        The same score of the black box.
    target : mapping
        JSON of the target.
    results : iterable of Result
        All of them: paired differences decide what is better, where they were measured.
    """
    apart = {
        r.metric.partition("_minus_")[2]: r
        for r in results
        if r.part == result.part and r.metric.startswith(f"{result.metric}_minus_")
    }
    low_high = f" (95 % interval {interval(result)})" if interval(result) else ""
    if normal(result.metric) == "auroc" and target.get("kind") == "binary":
        no, yes = target["names"]
        first = (
            f"Shown one {yes} and one {no} case at random, the interpretable model “{result.part}” gives the {yes} one the higher "
            f"probability in {100 * result.value:.1f} % of pairs: AUROC {number(result.value)}{low_high}."
        )
    else:
        first = f"The interpretable model “{result.part}” reaches {metric_name(result.metric)} {number(result.value)}{low_high}."
    beside = (
        f"Chance is {number(result.chance)}. The trivial baseline, {readable_baseline(result.baseline_name)}, reaches "
    )
    told = [first, f"{beside}{number(result.baseline)}: {_compared(result, result.baseline, apart.get('baseline'))}."]
    if black_box is not None:
        how = _compared(result, black_box.value, apart.get(black_box.part))
        told.append(f"The black box “{black_box.part}” reaches {number(black_box.value)}: {how}.")
    return told


def _compared(result: Result, other: float, apart: Result | None) -> str:
    """How the interpretable model stands to another score; by the interval of the paired difference if there is one."""
    size = abs(result.value - other)
    better = (result.value > other) == result.higher_is_better
    how = f"the interpretable model is {number(size)} {'better' if better else 'worse'}"
    if apart is not None:
        ends, unsure, said = (apart.low, apart.high), apart.low <= 0 <= apart.high, interval(apart)
    else:
        ends, unsure, said = (result.low, result.high), result.low <= other <= result.high, ""
    if not all(math.isfinite(end) for end in ends):
        return how
    interval_told = f" (interval of the difference {said})" if said else ""
    return f"{how}{interval_told}, {'no clear difference' if unsure else 'a clear difference'}"


def plain(sentence: str) -> str:
    """A result's sentence with names as the page writes them.

    Examples
    --------
    >>> plain("AUROC of “additive” is 0.030 better than that of “log_area alone”.")
    'AUROC of “additive” is 0.030 better than that of “area alone”.'
    """
    return re.sub(r"“([^”]*) alone”", lambda found: f"“{readable_baseline(found[1])} alone”", sentence)


def verdict(results: Iterable[Result], part: str) -> str:
    """Whether a model's explanation passed its audit, in a sentence."""
    checks = [r for r in results if r.part == part and r.passed is not None and r.protocol == AUDIT]
    if not checks:
        return "Its explanation was not audited."
    failed = [metric_name(r.metric).lower() for r in checks if not r.passed]
    if not failed:
        return f"Its explanation passed its audit ({plural(len(checks), 'check')})."
    if len(failed) == len(checks):
        return f"Its explanation did not pass its audit: it failed all of {plural(len(checks), 'check')}."
    return f"Its explanation passed {len(checks) - len(failed)} of {plural(len(checks), 'check')} and failed: {listed(failed)}."


GLOSSARY = {
    "Interpretable model": "A model whose explanation is how it computes its answer, not a story found afterwards.",
    "Black box": "A model of the same data whose way to the answer cannot be read; it is here to compare with.",
    "95 % interval": "The range in which the score would fall in 95 of 100 repetitions with other subjects drawn from these "
    "(bootstrap over subjects). Subjects are drawn whole, as cases of one subject are alike.",
    "Chance": "What an answer without any knowledge reaches.",
    "Trivial baseline": "What the simplest measure at hand reaches. A model that does not beat it has added nothing.",
    "Contribution": "How much a finding raises or lowers the output. The starting point, all contributions and the gap add up "
    "to the output.",
    "Log-odds": "The scale on which contributions add up: 0 is a probability of 50 %, +1 is 73 %, +2 is 88 %, +3 is 95 %; "
    "negative values mirror them.",
    "Gap": "The part of the output that starting point and contributions do not account for. Zero means that nothing is hidden.",
    "Fold": "Subjects are dealt into groups; each group is tested once by models that have learnt from the others alone.",
    "Validation": "Subjects set aside from learning to choose when to stop and where a probability becomes a yes.",
    "Occlusion": "A patch of the picture is blanked out, and the change of the answer is noted for that place.",
}
