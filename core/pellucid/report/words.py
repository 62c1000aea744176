"""Words of the report: sentences made from figures. No figure is made here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pellucid import plugins
from pellucid.errors import PellucidError
from pellucid.protocols.said import MetricWords, Section
from pellucid.result import Result
from pellucid.wording import interval, listed, number, plural, sentence_case

if TYPE_CHECKING:
    from pellucid.protocols.base import Assessment

METRICS = {
    "auroc": (
        "AUROC",
        "how often a random positive case gets a higher probability than a random negative one; 1 is perfect",
    ),
    "auprc": ("AUPRC", "precision averaged over all thresholds; chance is the share of positive cases"),
    "accuracy": ("Accuracy", "share of cases called rightly at the threshold, which was chosen on validation data"),
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
"""Metric of predictions, normalised, to its name on the page and what it means; other protocols bring words of their own."""

AUDIT = "explanation-audit"
"""The protocol that says whether an explanation can be believed."""

FEW_SUBJECTS = 6
"""Of fewer no verdict is given: resampling so few says little of others."""

FIRST = ("auroc", "mae", "rmse", "r2", "accuracy", "balanced accuracy")
"""The metric that speaks for a model: the first of these that was measured."""


def normal(metric: str) -> str:
    """A metric's name for looking up, without case, signs or what it was averaged over.

    Examples
    --------
    >>> normal("AUROC per subject"), normal("balanced_accuracy")
    ('auroc', 'balanced accuracy')
    """
    plain = " ".join(re.sub(r"[-_/(),:]+", " ", metric.lower()).split()).removesuffix(" per subject")
    return {"brier score": "brier", "r 2": "r2", "r²": "r2"}.get(plain, plain)


def per_subject(metric: str) -> bool:
    """Whether a metric counts subjects and not samples."""
    return metric.partition("_minus_")[0].replace("_", " ").endswith(" per subject")


def difference(metric: str) -> bool:
    """Whether a metric is the difference of two models' scores."""
    return "_minus_" in metric


def metric_words(metric: str, protocol: str = "") -> MetricWords | None:
    """What a metric is called and means: in its protocol's own words, else in those for predictions; None where nobody says.

    Examples
    --------
    >>> metric_words("stability", "prototype-audit").name, metric_words("auroc:left", "gone/with-its-plugin").name
    ('Stays in place under noise', 'AUROC')
    """
    wanted = normal(metric.partition("_minus_")[0].partition(":")[0])
    own = {normal(name): words for name, words in _said_by(protocol).items()}
    return own.get(wanted) or (MetricWords(*METRICS[wanted]) if wanted in METRICS else None)


def section_of(protocol: str) -> Section | None:
    """Where a protocol's results stand; None where it does not say, or is not installed any more."""
    made = _installed(protocol)
    return None if made is None else made.section


def _said_by(protocol: str) -> Mapping[str, MetricWords]:
    made = _installed(protocol)
    return {} if made is None else made.metrics


def _installed(protocol: str) -> type[Assessment] | None:
    """The class of an assessment; a run outlives the plugin that judged it."""
    from pellucid.protocols.base import Assessment

    try:
        made = plugins.load("protocol", protocol) if protocol else None
    except PellucidError:
        return None
    return made if isinstance(made, type) and issubclass(made, Assessment) else None


def metric_name(metric: str, protocol: str = "", group: str = "subject") -> str:
    """A metric as the page names it, by the words of its protocol; ``group`` is what one subject is called.

    Examples
    --------
    >>> metric_name("auroc_per_subject", group="patient"), metric_name("mae:age"), metric_name("deletion-gap")
    ('AUROC, per patient', 'Mean absolute error of age', 'Deletion gap')
    >>> metric_name("auroc_minus_baseline"), metric_name("auroc_minus_mlp")
    ('AUROC above the baseline', 'AUROC above “mlp”')
    """
    measure, _, other = metric.partition("_minus_")
    measure, _, of = measure.partition(":")
    known = metric_words(measure, protocol)
    name = known.name if known else sentence_case(measure.replace("_", " ").replace("-", " "))
    of = of.replace("_", " ").replace("-", " ")
    above = f" above {'the baseline' if other == 'baseline' else f'“{other}”'}" if other else ""
    return f"{name}{f' of {of}' if of else ''}{above}{f', per {group}' if known and per_subject(metric) else ''}"


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
    result: Result,
    black_box: Result | None,
    target: Mapping[str, Any],
    results: Iterable[Result] = (),
    several: str = "subjects",
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
    several : str
        What the dataset calls those over whom intervals are.
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
    beside = f"Chance is {number(result.chance)}. The trivial baseline, {result.baseline_name}, reaches "
    told = [
        first,
        f"{beside}{number(result.baseline)}: {_compared(result, result.baseline, apart.get('baseline'), several)}.",
    ]
    if black_box is not None:
        how = _compared(result, black_box.value, apart.get(black_box.part), several)
        told.append(f"The black box “{black_box.part}” reaches {number(black_box.value)}: {how}.")
    return told


def _compared(result: Result, other: float, apart: Result | None, several: str) -> str:
    """How the interpretable model stands to another score; by the interval of the paired difference if there is one."""
    if apart is not None:
        ends, unsure, said = (apart.low, apart.high), apart.low <= 0 <= apart.high, interval(apart)
    else:
        ends, unsure, said = (result.low, result.high), result.low <= other <= result.high, ""
    interval_told = f" (interval of the difference {said})" if said else ""
    if number(result.value) == number(other):
        return f"the two are equal{interval_told}"
    better = (result.value > other) == result.higher_is_better
    how = f"the interpretable model is {number(abs(result.value - other))} {'better' if better else 'worse'}"
    if not all(math.isfinite(end) for end in ends):
        return how
    if result.n_subjects < FEW_SUBJECTS:
        return f"{how}{interval_told}; {result.n_subjects} {several} are too few for a verdict"
    return f"{how}{interval_told}, {'no clear difference' if unsure else 'a clear difference'}"


def outcome(results: Iterable[Result], part: str) -> str:
    """How a model's explanation fared in its audit: what follows "its explanation"."""
    checks = [r for r in results if r.part == part and r.passed is not None and r.protocol == AUDIT]
    if not checks:
        return "was not audited"
    failed = [metric_name(r.metric, r.protocol).lower() for r in checks if not r.passed]
    count = plural(len(checks), "check")
    if not failed:
        return f"passed its audit ({len(checks)} of {count})"
    if len(failed) == len(checks):
        return f"did not pass its audit: it failed all of {count}"
    return f"did not pass its audit: it passed {len(checks) - len(failed)} of {count} and failed: {listed(failed)}"


def verdict(results: Iterable[Result], part: str) -> str:
    """The same as a sentence."""
    return f"Its explanation {outcome(results, part)}."


def glossary(group: tuple[str, str]) -> dict[str, str]:
    """What the page's words mean, with one and several subjects called as the dataset calls them."""
    return {word: meaning.format(one=group[0], several=group[1]) for word, meaning in _GLOSSARY.items()}


_GLOSSARY = {
    "Interpretable model": "A model whose explanation is how it computes its answer, not a story found afterwards.",
    "Black box": "A model of the same data whose way to the answer cannot be read; it is here to compare with.",
    "95 % interval": "The range in which the score would fall in 95 of 100 repetitions with other {several} drawn from these "
    "(bootstrap over {several}). They are drawn whole, as cases of one {one} are alike.",
    "Chance": "What an answer without any knowledge reaches.",
    "Trivial baseline": "What the simplest measure at hand reaches. A model that does not beat it has added nothing.",
    "Contribution": "How much a finding raises or lowers the output. The starting point, all contributions and the gap add up "
    "to the output.",
    "Log-odds": "The scale on which contributions add up: 0 is a probability of 50 %, +1 is 73 %, +2 is 88 %, +3 is 95 %; "
    "negative values mirror them.",
    "Gap": "The part of the output that starting point and contributions do not account for. Zero means that nothing is hidden.",
    "Prototype": "A part of a training sample that others are compared with. Each case's likeness to it, times a weight, is a "
    "contribution.",
    "Code": "A number that an encoder has learnt to write for a part of a sample, the same for parts that are alike. Codes 12-5 are two "
    "that stand side by side, an n-gram. The numbers have no order, and another fold has others.",
    "Fold": "All {several} are dealt into groups; each group is tested once by models that have learnt from the others alone.",
    "Validation": "Some {several} are set aside from learning to choose when to stop and where a probability becomes a yes.",
    "Occlusion": "A place of the input is filled with what is usual there among the samples learnt from, and the change of the "
    "output is noted for that place.",
}
